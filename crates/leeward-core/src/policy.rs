//! What people want: objectives, limits, rules for tables, waivers. A policy is a TOML text laid over the default one
//! key by key. [`Settings`] is the part that the engine and readiness obey and that a plan carries; the rest steers the
//! planner.
//!
//! Nothing here reads files or the clock: whether a waiver has expired is decided by whoever knows the day.

use std::fmt;

use toml::de::DeTable;

use crate::name::TableName;
use globset::GlobMatcher;

mod cloud;
mod layers;
pub mod quantity;
mod rules;
mod settings;
mod value;

pub(crate) use quantity::duration_s;
pub use rules::{CHECKS, Known, TableRule, Wish};
pub use settings::{
    BatchSettings, CheckSettings, CloudSettings, KeylessSettings, MultiAz, OnContradiction, OnDdl, Platform,
    ScrubSettings, SeedSettings, Settings, Waiver,
};

use crate::brake::Brake;
use layers::{Reader, Section};

/// The default policy, with the argument for each of its values.
pub const DEFAULT_POLICY: &str = include_str!("../../../policies/default.toml");

/// The one version of the format that exists.
const POLICY_VERSION: u64 = 1;

/// The smallest size of a batch or chunk. Below it the round trip per statement is all that is left.
const BYTES_MIN: u64 = 64 << 10;

/// What people want.
#[derive(Debug, Clone)]
pub struct Policy {
    file: String,
    text: String,
    settings: Settings,
    unproven_overlap_s: u64,
    classify: ClassifySettings,
    tool_tables: Vec<GlobMatcher>,
    rules: Vec<TableRule>,
}

/// What counts as evidence for a class (`[classify]`).
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifySettings {
    /// Seconds that write counters must cover to be evidence.
    pub counters_over_s_min: u64,
    /// Seconds without a write after which a table is static by itself.
    pub static_after_s: u64,
    /// Rows up to which a table is cheap to read whole in every cycle.
    pub whole_rows_max: u64,
    /// Bytes up to which a table is cheap to read whole in every cycle.
    pub whole_bytes_max: u64,
}

/// Something wrong in a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyMistake {
    /// The file, as given by the caller.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The key, such as `scrub.chunk_rows`; empty where the text is not TOML at all.
    pub key: String,
    /// What is wrong; reads on after the key.
    pub text: String,
}

impl fmt::Display for PolicyMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyMistake { file, line, key, text } = self;
        write!(f, "{file}:{line}: {key}{}{text}", if key.is_empty() { "" } else { " " })
    }
}

impl Policy {
    /// Returns the default policy alone.
    ///
    /// # Panics
    /// When the embedded text is not a complete policy, which a test rules out.
    pub fn builtin() -> Policy {
        let defaults = DeTable::parse(DEFAULT_POLICY).expect("the embedded default policy is TOML");
        let mut reader = Reader::new("default.toml", DEFAULT_POLICY);
        let policy = read_policy(&mut reader, None, defaults.get_ref());
        // Laid over the default, the shortest policy is the default again.
        Policy { text: format!("version = {POLICY_VERSION}\n"), ..policy }
    }

    /// Lays `text` over the default policy. `file_name` is only for messages.
    ///
    /// # Errors
    /// All mistakes of the text, in the order of their lines.
    pub fn parse(text: &str, file_name: &str) -> Result<Policy, Vec<PolicyMistake>> {
        let defaults = DeTable::parse(DEFAULT_POLICY).expect("the embedded default policy is TOML");
        let mut reader = Reader::new(file_name, text);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            reader.mistake(error.span().map_or(0, |span| span.start), "", format!("not TOML: {}", error.message()));
        }
        let policy = read_policy(&mut reader, Some(document.get_ref()), defaults.get_ref());
        let mistakes = reader.into_mistakes();
        if mistakes.is_empty() { Ok(policy) } else { Err(mistakes) }
    }

    /// Returns the name of the file it came from, for messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the text that was laid over the default, from which [`Policy::parse`] makes the same policy again.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what travels inside a plan.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the thresholds of the readiness checks.
    pub fn checks(&self) -> &CheckSettings {
        &self.settings.checks
    }

    /// Returns where the servers run.
    pub fn platform(&self) -> Platform {
        self.settings.platform
    }

    /// Returns the accepted findings, expired ones too.
    pub fn waivers(&self) -> &[Waiver] {
        &self.settings.waivers
    }

    /// Returns how far below a mark is read again where nothing proves it, in seconds.
    pub fn unproven_overlap_s(&self) -> u64 {
        self.unproven_overlap_s
    }

    /// Returns what counts as evidence for a class.
    pub fn classify(&self) -> &ClassifySettings {
        &self.classify
    }

    /// Returns whether a table goes by a name that schema change tools give to what they make in passing.
    pub fn is_tool_table(&self, name: &TableName) -> bool {
        let name = name.to_string();
        self.tool_tables.iter().any(|glob| glob.is_match(&name))
    }

    /// Returns the rules for tables, in the order in which they are asked.
    pub fn rules(&self) -> &[TableRule] {
        &self.rules
    }

    /// Returns the rule that decides about a table: the first one that matches.
    pub fn rule_for(&self, name: &TableName) -> Option<&TableRule> {
        self.rules.iter().find(|rule| rule.matches(name))
    }
}

fn read_policy(reader: &mut Reader<'_>, user: Option<&DeTable<'_>>, default: &DeTable<'_>) -> Policy {
    let (file, text) = (reader.file().to_owned(), reader.text().to_owned());
    let mut root = Section::root(user, Some(default));
    if user.is_some_and(|table| !table.contains_key("version")) {
        reader.mistake(0, "version", format!("is missing: write version = {POLICY_VERSION}"));
    }
    reader.read(&mut root, "version", value::count(POLICY_VERSION, POLICY_VERSION));
    let mut fence = reader.section(&mut root, "fence");
    let unproven_overlap_s = reader.read(&mut fence, "unproven_overlap", value::duration_s(1));
    reader.close(fence);
    let classify = read_classify(reader, &mut root);
    let tool_tables = reader.read(&mut root, "tool_tables", value::globs);
    let rules = rules::table_rules(reader, &mut root);
    let settings = read_settings(reader, &mut root);
    reader.close(root);
    Policy { file, text, settings, unproven_overlap_s, classify, tool_tables, rules }
}

fn read_settings(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> Settings {
    let platform = reader.read(root, "platform", value::word);
    let on_contradiction = reader.read(root, "on_contradiction", value::word);
    let ddl = reader.read(root, "ddl", value::word);
    let waivers = rules::waivers(reader, root);

    let mut objectives = reader.section(root, "objectives");
    let rpo_s = reader.read(&mut objectives, "rpo", value::duration_s(1));
    let rto_s = reader.read(&mut objectives, "rto", value::duration_s(1));
    reader.close(objectives);

    let mut lane = reader.section(root, "lane");
    let name = reader.read(&mut lane, "name", lane_name);
    reader.close(lane);

    let mut brake = reader.section(root, "brake");
    let rows_max = reader.read(&mut brake, "rows", value::count(0, u64::MAX));
    let share_max = reader.read(&mut brake, "share", value::share_or_none);
    reader.close(brake);

    let (checks, thresholds) = read_checks(reader, root);
    Settings {
        lane: name,
        rpo_s,
        rto_s,
        brake: Brake { rows_max, share_max },
        on_contradiction,
        ddl,
        scrub: read_scrub(reader, root),
        batch: read_batch(reader, root),
        seed: read_seed(reader, root),
        keyless: read_keyless(reader, root),
        platform,
        checks,
        cloud: cloud::settings(reader, root, thresholds),
        waivers,
    }
}

fn lane_name(value: &toml::de::DeValue<'_>) -> Result<String, String> {
    let name = value::text(value)?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    match name.len() <= 64 && name.bytes().all(allowed) {
        true => Ok(name),
        false => Err(format!("is 1 to 64 of a-z, 0-9, - and _, not {name:?}")),
    }
}

fn read_scrub(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> ScrubSettings {
    let mut section = reader.section(root, "scrub");
    let scrub = ScrubSettings {
        pass_interval_s: reader.read(&mut section, "pass_interval", value::duration_s(1)),
        keys_interval_s: reader.read(&mut section, "keys_interval", value::duration_s(1)),
        reconcile_interval_s: reader.read(&mut section, "reconcile_interval", value::duration_s(1)),
        chunk_rows: reader.read(&mut section, "chunk_rows", value::count(100, 1_000_000)),
        source_share: reader.read(&mut section, "source_share", value::share),
    };
    reader.close(section);
    scrub
}

fn read_batch(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> BatchSettings {
    let mut section = reader.section(root, "batch");
    let batch = BatchSettings {
        rows_max: reader.read(&mut section, "rows_max", value::count(1, u64::MAX)),
        bytes_max: reader.read(&mut section, "bytes_max", value::size_bytes(BYTES_MIN)),
    };
    reader.close(section);
    batch
}

fn read_seed(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> SeedSettings {
    let mut section = reader.section(root, "seed");
    let seed = SeedSettings {
        chunk_bytes: reader.read(&mut section, "chunk_bytes", value::size_bytes(BYTES_MIN)),
        chunk_rows: reader.read(&mut section, "chunk_rows", value::count(1, u64::MAX)),
        parallel: reader.read(&mut section, "parallel", value::number_or_auto(1, 64)),
        max_source_load: reader.read(&mut section, "max_source_load", value::load_limit),
    };
    reader.close(section);
    seed
}

fn read_keyless(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> KeylessSettings {
    let mut section = reader.section(root, "keyless");
    let keyless = KeylessSettings {
        rows_max: reader.read(&mut section, "rows_max", value::count(0, 1_000_000)),
        bytes_max: reader.read(&mut section, "bytes_max", value::size_bytes(0)),
    };
    reader.close(section);
    keyless
}

fn read_classify(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> ClassifySettings {
    let mut section = reader.section(root, "classify");
    let classify = ClassifySettings {
        counters_over_s_min: reader.read(&mut section, "counters_over_min", value::duration_s(0)),
        static_after_s: reader.read(&mut section, "static_after", value::duration_s(1)),
        whole_rows_max: reader.read(&mut section, "whole_rows_max", value::count(0, u64::MAX)),
        whole_bytes_max: reader.read(&mut section, "whole_bytes_max", value::size_bytes(0)),
    };
    reader.close(section);
    classify
}

fn read_checks(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> (CheckSettings, cloud::Thresholds) {
    let mut section = reader.section(root, "checks");
    let checks = CheckSettings {
        rpo_warn_factor: reader.read(&mut section, "rpo_warn_factor", value::factor),
        rto_warn_factor: reader.read(&mut section, "rto_warn_factor", value::factor),
        lease_age_warn_s: reader.read(&mut section, "lease_age_warn", value::duration_s(1)),
        lease_age_fail_s: reader.read(&mut section, "lease_age_fail", value::duration_s(1)),
        verify_age_warn_s: reader.read(&mut section, "verify_age_warn", value::duration_s(1)),
        verify_age_fail_s: reader.read(&mut section, "verify_age_fail", value::duration_s(1)),
        autoinc_warn: reader.read(&mut section, "autoinc_warn", value::share),
        autoinc_fail: reader.read(&mut section, "autoinc_fail", value::share),
        at_least_warn: reader.read(&mut section, "at_least_warn", value::share),
        drill_age_warn_s: reader.read(&mut section, "drill_age_warn", value::duration_s(1)),
        drill_age_fail_s: reader.read(&mut section, "drill_age_fail", value::duration_s(1)),
        ignored_accounts: reader.read(&mut section, "ignored_accounts", value::account_globs),
        writers_on_target: reader.read(&mut section, "writers_on_target", value::account_globs),
        variables_may_differ: reader.read(&mut section, "variables_may_differ", value::texts),
    };
    let mut ordered = |warn: &'static str, fail: &'static str, in_order: bool| {
        if !in_order {
            let (key, text) = match section.has(fail) {
                true => (fail, format!("lies below {warn}")),
                false => (warn, format!("lies above {fail}")),
            };
            reader.mistake(section.place(key), section.key(key), text);
        }
    };
    ordered("lease_age_warn", "lease_age_fail", checks.lease_age_warn_s <= checks.lease_age_fail_s);
    ordered("verify_age_warn", "verify_age_fail", checks.verify_age_warn_s <= checks.verify_age_fail_s);
    ordered("drill_age_warn", "drill_age_fail", checks.drill_age_warn_s <= checks.drill_age_fail_s);
    ordered("autoinc_warn", "autoinc_fail", checks.autoinc_warn <= checks.autoinc_fail);
    let thresholds = cloud::thresholds(reader, &mut section);
    reader.close(section);
    (checks, thresholds)
}

#[cfg(test)]
mod tests;
