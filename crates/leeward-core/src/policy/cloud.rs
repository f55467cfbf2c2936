//! What a policy wants of what stands around the servers: thresholds among the other ones in `[checks]`, and what only the
//! owner can know in `[takeover]`, `[network]` and `[cutover]`.

use toml::de::DeValue;

use crate::policy::layers::{Reader, Section};
use crate::policy::settings::{CloudSettings, MultiAz};
use crate::policy::value;

/// What of it stands in `[checks]`.
pub(super) struct Thresholds {
    free_space: (f64, f64),
    restorable_age_warn_s: u64,
    certificate_s: (u64, u64),
    quota: (f64, f64),
    subnet_addresses_min: u64,
    dns_ttl_s: (u64, u64),
}

/// Reads what stands in `[checks]`.
pub(super) fn thresholds(reader: &mut Reader<'_>, checks: &mut Section<'_, '_>) -> Thresholds {
    let found = Thresholds {
        free_space: (
            reader.read(checks, "free_space_warn", value::share),
            reader.read(checks, "free_space_fail", value::share),
        ),
        restorable_age_warn_s: reader.read(checks, "restorable_age_warn", value::duration_s(60)),
        certificate_s: (
            reader.read(checks, "certificate_warn", value::duration_s(1)),
            reader.read(checks, "certificate_fail", value::duration_s(1)),
        ),
        quota: (reader.read(checks, "quota_warn", value::share), reader.read(checks, "quota_fail", value::share)),
        subnet_addresses_min: reader.read(checks, "subnet_addresses_min", value::count(1, 65_536)),
        dns_ttl_s: (
            reader.read(checks, "dns_ttl_pass", value::duration_s(1)),
            reader.read(checks, "dns_ttl_warn", value::duration_s(1)),
        ),
    };
    let mut ordered = |lower: &'static str, upper: &'static str, in_order: bool| {
        if !in_order {
            let (key, text) = match checks.has(lower) {
                true => (lower, format!("lies above {upper}")),
                false => (upper, format!("lies below {lower}")),
            };
            reader.mistake(checks.place(key), checks.key(key), text);
        }
    };
    ordered("free_space_fail", "free_space_warn", found.free_space.1 <= found.free_space.0);
    ordered("certificate_fail", "certificate_warn", found.certificate_s.1 <= found.certificate_s.0);
    ordered("quota_warn", "quota_fail", found.quota.0 <= found.quota.1);
    ordered("dns_ttl_pass", "dns_ttl_warn", found.dns_ttl_s.0 <= found.dns_ttl_s.1);
    found
}

/// Reads the sections of their own.
pub(super) fn settings(reader: &mut Reader<'_>, root: &mut Section<'_, '_>, thresholds: Thresholds) -> CloudSettings {
    let mut takeover = reader.section(root, "takeover");
    let takeover_class = reader.optional(&mut takeover, "class", class);
    let multi_az: MultiAz = reader.read(&mut takeover, "multi_az", value::word);
    reader.close(takeover);

    let mut network = reader.section(root, "network");
    let application = reader.read(&mut network, "application", origins);
    reader.close(network);

    let mut cutover = reader.section(root, "cutover");
    let dns_record = reader.optional(&mut cutover, "dns_record", value::text);
    let hosted_zone = reader.optional(&mut cutover, "hosted_zone", value::text);
    let secret = reader.optional(&mut cutover, "secret", value::text);
    let runbook_calls = reader.read(&mut cutover, "calls", value::texts);
    if dns_record.is_some() != hosted_zone.is_some() {
        let (given, missing) = match dns_record {
            Some(_) => ("dns_record", "hosted_zone"),
            None => ("hosted_zone", "dns_record"),
        };
        reader.mistake(cutover.place(given), cutover.key(missing), format!("is required beside {given}"));
    }
    reader.close(cutover);

    let Thresholds { free_space, restorable_age_warn_s, certificate_s, quota, subnet_addresses_min, dns_ttl_s } =
        thresholds;
    CloudSettings {
        free_space_warn: free_space.0,
        free_space_fail: free_space.1,
        restorable_age_warn_s,
        certificate_warn_s: certificate_s.0,
        certificate_fail_s: certificate_s.1,
        quota_warn: quota.0,
        quota_fail: quota.1,
        subnet_addresses_min,
        dns_ttl_pass_s: dns_ttl_s.0,
        dns_ttl_warn_s: dns_ttl_s.1,
        takeover_class,
        multi_az,
        application,
        dns_record,
        hosted_zone,
        secret,
        runbook_calls,
    }
}

fn class(value: &DeValue<'_>) -> Result<String, String> {
    let class = value::text(value)?;
    match class.starts_with("db.") && class.matches('.').count() >= 2 {
        true => Ok(class),
        false => Err(format!("is an instance class such as \"db.r6g.xlarge\", not {class:?}")),
    }
}

fn origins(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let origins = value::texts(value)?;
    let is_origin =
        |text: &String| text.starts_with("sg-") || text.starts_with("pl-") || text.parse::<ipnet::IpNet>().is_ok();
    match origins.iter().find(|text| !is_origin(text)) {
        Some(odd) => Err(format!("has an entry that is no CIDR block, sg-… or pl-…: {odd:?}")),
        None => Ok(origins),
    }
}
