//! Everything checked: from what was typed to settings from which connections can be made.
//!
//! It looks whether named files exist and opens no connection.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use leeward_core::cost::Prices;
use leeward_core::measure;
use leeward_core::name::{SYSTEM_SCHEMAS, Side};
use leeward_core::policy::{Policy, quantity};
use leeward_engine::budget::Budget;

use super::duration;
use super::key::{Key, SideKey, StoreKey};
use super::mistake::{Mistakes, Origin, shown};
use super::raw::{Environment, Given, Layer, Raw};
use super::side::{self, SideSettings};
use super::store::StorePlace;
use super::url;

/// Half a second between cycles keeps the median lag under a second over 70 ms of round trip, and a quiet cycle costs
/// the source a few milliseconds.
const CYCLE_INTERVAL_DEFAULT: Duration = Duration::from_millis(500);

/// `INNODB_TRX` is cached for 100 ms, so the fence learns nothing from looking more often (design §4).
const CYCLE_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// A lane that moves less than once an hour is a scheduled job, for which there is `sync --once`.
const CYCLE_INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// Longer than a stalled cycle with one retry, shorter than anybody waits for the second process to take over.
const LEASE_TTL_DEFAULT: Duration = Duration::from_secs(30);

/// Below this an ordinary slow commit would look like a dead process.
const LEASE_TTL_MIN: Duration = Duration::from_secs(5);

/// A crashed process would keep its successor waiting for longer than an RTO.
const LEASE_TTL_MAX: Duration = Duration::from_secs(600);

/// An ordinary cycle over an ocean takes up to a second, and a lock on the target is waited for some seconds.
const STEP_MAX_MIN: Duration = Duration::from_secs(5);

/// A loop that may stand still for a day needs no health check.
const STEP_MAX_MAX: Duration = Duration::from_secs(86_400);

/// Settings from which a command can work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The source, if it was given.
    pub source: Option<SideSettings>,
    /// The target, if it was given.
    pub target: Option<SideSettings>,
    /// Databases in scope, in the order given; empty means every database of the source that is not the server's own.
    pub databases: Vec<String>,
    /// The policy: the file's, or the built-in one.
    pub policy: Policy,
    /// How AWS is reached.
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only the aws feature reaches it"))]
    pub aws: AwsPlace,
    /// What both servers are in RDS, as far as it was said.
    pub rds: RdsNames,
    /// The record of the last drill.
    pub drill: Option<PathBuf>,
    /// How a bucket that holds dumps is reached.
    pub store: StorePlace,
    /// Time from the start of one cycle to the next.
    pub cycle_interval: Duration,
    /// Life of the lease without renewal.
    pub lease_ttl: Duration,
    /// How long a step of a running process may take before it counts as stuck, where people have said so.
    pub step_max: Option<Duration>,
    /// Where a running process tells how it is; nothing where nobody asks.
    pub listen: Option<SocketAddr>,
    /// In which form numbers are written to stdout.
    pub metrics: MetricsForm,
    /// Bytes of rows in memory.
    pub memory_bytes: u64,
    /// The prices: the file's, or the built-in ones.
    pub prices: Prices,
    /// The configuration file that was read.
    pub file_path: Option<PathBuf>,
    /// What a person should know although nothing is wrong.
    pub warnings: Vec<String>,
}

/// How AWS is reached; what is not given comes from the SDK's standard chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsPlace {
    /// The Region.
    pub region: Option<String>,
    /// Base URL of every service.
    pub endpoint_url: Option<String>,
    /// A role to assume first.
    pub role_arn: Option<String>,
}

/// What both servers are in RDS, where their host names do not say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only the aws feature reaches it"))]
pub struct RdsNames {
    /// The source.
    pub source: RdsName,
    /// The target.
    pub target: RdsName,
}

/// What a server is in RDS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only the aws feature reaches it"))]
pub struct RdsName {
    /// The Region.
    pub region: Option<String>,
    /// Identifier of the instance or Multi-AZ cluster.
    pub instance: Option<String>,
}

/// In which form numbers are written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetricsForm {
    /// They are not.
    #[default]
    None,
    /// As CloudWatch's embedded metric format: one JSON object a line.
    Emf,
}

/// Whether a command can do without something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It cannot.
    Must,
    /// It can.
    IfGiven,
}

/// Which of the two servers a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// The source.
    pub source: Need,
    /// The target.
    pub target: Need,
}

impl Settings {
    /// Returns one side's settings.
    ///
    /// # Errors
    /// A mistake that says how to give it, when it was not given.
    pub fn side(&self, side: Side) -> Result<&SideSettings, Mistakes> {
        let settings = match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        };
        settings.as_ref().ok_or_else(|| {
            let mut mistakes = Mistakes::default();
            mistakes.missing(not_given(side));
            mistakes
        })
    }
}

fn not_given(side: Side) -> String {
    let url = Key::Side(side, SideKey::Url);
    let host = Key::Side(side, SideKey::Host);
    format!("no {side} is given: set {}, or use --{} or [{side}] in leeward.toml", url.variable(), host.flag())
}

/// Checks everything that was typed.
///
/// # Errors
/// All mistakes.
pub fn resolve(raw: Raw, needs: Needs, environment: &Environment) -> Result<Settings, Mistakes> {
    let mut desk = Desk::new(raw, environment);
    for side in [Side::Source, Side::Target] {
        desk.spread_urls(side);
    }
    let source = side::resolve(&mut desk, Side::Source);
    let target = side::resolve(&mut desk, Side::Target);
    let databases = desk.databases();
    let policy = desk.policy();
    let aws = desk.aws();
    let rds = RdsNames { source: desk.rds(Side::Source), target: desk.rds(Side::Target) };
    let drill = desk.file(Key::Drill);
    let store = desk.store(&aws);
    let cycle_interval = desk.duration(Key::CycleInterval, CYCLE_INTERVAL_MIN..=CYCLE_INTERVAL_MAX);
    let memory_bytes = desk.memory();
    let prices = desk.prices();
    let lease_ttl = desk.duration(Key::LeaseTtl, LEASE_TTL_MIN..=LEASE_TTL_MAX);
    let step_max = desk.duration(Key::StepMax, STEP_MAX_MIN..=STEP_MAX_MAX);
    let (listen, metrics) = (desk.listen(), desk.metrics());
    desk.check_needs(needs);
    desk.check_two_servers(source.as_ref(), target.as_ref());
    let settings = Settings {
        source,
        target,
        databases,
        policy,
        aws,
        rds,
        drill,
        store,
        cycle_interval: cycle_interval.unwrap_or(CYCLE_INTERVAL_DEFAULT),
        lease_ttl: lease_ttl.unwrap_or(LEASE_TTL_DEFAULT),
        step_max,
        listen,
        metrics: metrics.unwrap_or_default(),
        memory_bytes: memory_bytes.unwrap_or(Budget::DEFAULT_BYTES),
        prices,
        file_path: desk.file_path,
        warnings: desk.warnings,
    };
    desk.mistakes.or(settings)
}

/// Where the checking happens: what was typed, and what has been found wrong with it so far.
pub(super) struct Desk<'a> {
    /// Flags, variables, file: the first that has a key decides.
    pub layers: [Layer; 3],
    pub environment: &'a Environment,
    pub mistakes: Mistakes,
    pub warnings: Vec<String>,
    file_path: Option<PathBuf>,
    /// Databases named in the path of the target's URL, where they may only repeat what is in scope.
    target_paths: Vec<Given>,
    /// Sides whose URL could not be read; what is missing there is not reported a second time.
    unreadable: Vec<Side>,
}

impl<'a> Desk<'a> {
    fn new(raw: Raw, environment: &'a Environment) -> Self {
        Desk {
            layers: [raw.flags, raw.variables, raw.file],
            environment,
            mistakes: Mistakes::default(),
            warnings: raw.warnings,
            file_path: raw.file_path,
            target_paths: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// Returns what was written for a key in the place that wins.
    pub fn pick(&self, key: Key) -> Option<&Given> {
        self.layers.iter().find_map(|layer| layer.get(&key))
    }

    /// Returns whether a side was named at all.
    pub fn is_given(&self, side: Side) -> bool {
        self.pick(Key::Side(side, SideKey::Host)).is_some()
    }

    /// Returns whether a side's URL could not be read.
    pub fn is_unreadable(&self, side: Side) -> bool {
        self.unreadable.contains(&side)
    }

    /// Puts the parts of a side's URLs where they would stand if they had been written one by one.
    fn spread_urls(&mut self, side: Side) {
        for place in 0..self.layers.len() {
            let Some(given) = self.layers[place].get(&Key::Side(side, SideKey::Url)).cloned() else { continue };
            match url::parse(given.text()) {
                Ok(parts) => self.spread(side, place, &given.origin, parts),
                Err(sentences) => {
                    self.unreadable.push(side);
                    for sentence in sentences {
                        self.mistakes.at(&given.origin, sentence);
                    }
                }
            }
        }
    }

    fn spread(&mut self, side: Side, place: usize, url: &Origin, parts: url::UrlParts) {
        let origin = |part| Origin::Url { url: Box::new(url.clone()), part };
        let mut spelled = vec![(SideKey::Host, parts.host, "the host")];
        spelled.extend(parts.user.map(|user| (SideKey::User, user, "the user")));
        spelled.extend(parts.password.map(|text| (SideKey::Password, text.expose().to_owned(), "the password")));
        spelled.extend(parts.port.map(|port| (SideKey::Port, port.to_string(), "the port")));
        spelled.extend(parts.options.into_iter().map(|(key, value)| (key, value, "an option")));
        for (side_key, text, part) in spelled {
            let key = Key::Side(side, side_key);
            match self.layers[place].get(&key) {
                Some(twice) => {
                    let text = format!("given twice in one place: also as {part} of the URL; leave one of them out");
                    self.mistakes.at(&twice.origin, text);
                }
                None => {
                    self.layers[place].insert(key, Given { values: vec![text], origin: origin(part) });
                }
            }
        }
        // A host without a port means the usual port, not the one that another place gives for another host.
        let port = Key::Side(side, SideKey::Port);
        let usual = || Given { values: vec![side::PORT_DEFAULT.to_string()], origin: origin("the port") };
        self.layers[place].entry(port).or_insert_with(usual);
        if let Some(database) = parts.database {
            let given = Given { values: vec![database], origin: origin("the database") };
            match side {
                Side::Source => {
                    self.layers[place].entry(Key::Databases).or_insert(given);
                }
                Side::Target => self.target_paths.push(given),
            }
        }
    }

    fn databases(&mut self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        if let Some(given) = self.pick(Key::Databases).cloned() {
            for name in given.values {
                if name.is_empty() {
                    self.mistakes.at(&given.origin, "a name is empty; write the names with one comma between them");
                } else if SYSTEM_SCHEMAS.iter().any(|system| system.eq_ignore_ascii_case(&name)) {
                    let text = format!("{name} belongs to the server or to Leeward and is never copied; leave it out");
                    self.mistakes.at(&given.origin, text);
                } else if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        for path in std::mem::take(&mut self.target_paths) {
            if !names.iter().any(|name| name == path.text()) {
                let text = "it is not among the databases in scope; name them with --databases, and leave the path of \
                            the target's URL empty: the target keeps the source's names";
                self.mistakes.at(&path.origin, text);
            }
        }
        names
    }

    fn policy(&mut self) -> Policy {
        let (Some(given), Some(path)) = (self.pick(Key::Policy).cloned(), self.file(Key::Policy)) else {
            return Policy::builtin();
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                self.mistakes.at(&given.origin, format!("{} cannot be read: {error}", path.display()));
                return Policy::builtin();
            }
        };
        match Policy::parse(&text, &path.display().to_string()) {
            Ok(policy) => policy,
            Err(found) => {
                for mistake in found {
                    let origin = Origin::File { path: mistake.file.into(), line: mistake.line, key: String::new() };
                    self.mistakes.at(&origin, format!("{} {}", mistake.key, mistake.text).trim_start());
                }
                Policy::builtin()
            }
        }
    }

    /// Returns the path of a file that must exist.
    pub fn file(&mut self, key: Key) -> Option<PathBuf> {
        let given = self.pick(key)?.clone();
        let path = PathBuf::from(given.text());
        match std::fs::metadata(&path) {
            Ok(facts) if facts.is_file() => Some(path),
            Ok(_) => {
                self.mistakes.at(&given.origin, format!("{} is not a file", path.display()));
                None
            }
            Err(error) => {
                self.mistakes.at(&given.origin, format!("{} cannot be read: {error}", path.display()));
                None
            }
        }
    }

    /// Returns a duration within bounds.
    pub fn duration(&mut self, key: Key, bounds: std::ops::RangeInclusive<Duration>) -> Option<Duration> {
        let given = self.pick(key)?.clone();
        match duration::parse(given.text()) {
            Ok(found) if bounds.contains(&found) => Some(found),
            Ok(_) => {
                let (low, high) = (duration::format(*bounds.start()), duration::format(*bounds.end()));
                let text = format!("{} is out of bounds; write {low} to {high}", shown(given.text()));
                self.mistakes.at(&given.origin, text);
                None
            }
            Err(how) => {
                self.mistakes.at(&given.origin, format!("{} is not a duration; {how}", shown(given.text())));
                None
            }
        }
    }

    fn prices(&mut self) -> Prices {
        let (Some(given), Some(path)) = (self.pick(Key::Prices).cloned(), self.file(Key::Prices)) else {
            return Prices::builtin();
        };
        let shown = path.display();
        let read = std::fs::read_to_string(&path).map_err(|error| vec![format!("it cannot be read: {error}")]);
        match read.and_then(|text| Prices::parse(&text)) {
            Ok(prices) => prices,
            Err(wrong) => {
                wrong.iter().for_each(|text| self.mistakes.at(&given.origin, format!("{shown}: {text}")));
                Prices::builtin()
            }
        }
    }

    /// Returns how many bytes of rows may be in memory.
    fn memory(&mut self) -> Option<u64> {
        let given = self.pick(Key::Memory)?.clone();
        let least = measure::size(Budget::BYTES_MIN);
        let text = match quantity::size_bytes(given.text()) {
            Ok(bytes) if bytes < Budget::BYTES_MIN => {
                format!(
                    "{} is too little: the four pairs of connections of a copy need {least} to hand rows on; write {least} \
                     or more, or leave it out for {}",
                    shown(given.text()),
                    measure::size(Budget::DEFAULT_BYTES)
                )
            }
            Ok(bytes) if bytes > Budget::BYTES_MAX => {
                format!("{} is more than any machine has; write {least} or more", shown(given.text()))
            }
            Ok(bytes) => return Some(bytes),
            Err(_) => {
                format!("{} is not a size; write a whole number and its unit, such as \"16 MiB\"", shown(given.text()))
            }
        };
        self.mistakes.at(&given.origin, text);
        None
    }

    /// Returns whether a switch is on.
    pub fn switch(&mut self, key: Key) -> bool {
        let Some(given) = self.pick(key).cloned() else { return false };
        match given.text().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => true,
            "false" | "no" | "off" | "0" => false,
            _ => {
                self.mistakes.at(&given.origin, format!("{} is neither true nor false", shown(given.text())));
                false
            }
        }
    }

    /// Returns a text that must not be empty.
    pub fn text(&mut self, key: Key) -> Option<String> {
        let given = self.pick(key)?.clone();
        if given.text().is_empty() {
            self.mistakes.at(&given.origin, "it is empty; leave it out or write a value");
            return None;
        }
        Some(given.text().to_owned())
    }

    fn rds(&mut self, side: Side) -> RdsName {
        RdsName {
            region: self.text(Key::Side(side, SideKey::Region)),
            instance: self.text(Key::Side(side, SideKey::Instance)),
        }
    }

    /// Returns where to listen. A port alone is one of this machine's: what is told there is told without a password.
    fn listen(&mut self) -> Option<SocketAddr> {
        let given = self.pick(Key::Listen)?.clone();
        let port = given.text().parse().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        let Ok(address) = port.or_else(|_| given.text().parse::<SocketAddr>()) else {
            let text = format!(
                "{} is no address to listen on; write a port, or an address and a port: 127.0.0.1:9464",
                shown(given.text())
            );
            self.mistakes.at(&given.origin, text);
            return None;
        };
        if address.port() == 0 {
            self.mistakes
                .at(&given.origin, "port 0 is any free port, and `healthcheck` could not know which; name one");
            return None;
        }
        if !address.ip().is_loopback() {
            self.warnings.push(format!(
                "{}: whoever reaches {address} can read the names and states of tables there, without a password",
                given.origin
            ));
        }
        Some(address)
    }

    fn metrics(&mut self) -> Option<MetricsForm> {
        let given = self.pick(Key::Metrics)?.clone();
        match given.text() {
            "none" => Some(MetricsForm::None),
            "emf" => Some(MetricsForm::Emf),
            other => {
                self.mistakes.at(&given.origin, format!("{} is neither none nor emf", shown(other)));
                None
            }
        }
    }

    fn aws(&mut self) -> AwsPlace {
        AwsPlace {
            region: self.text(Key::AwsRegion),
            endpoint_url: self.text(Key::AwsEndpointUrl),
            role_arn: self.text(Key::AwsRoleArn),
        }
    }

    /// The role is not that of the databases: a bucket is usually in the account that this process runs in.
    fn store(&mut self, aws: &AwsPlace) -> StorePlace {
        let region = self.text(Key::Store(StoreKey::Region));
        StorePlace {
            aws: AwsPlace {
                region: region.clone().or_else(|| aws.region.clone()),
                endpoint_url: self.text(Key::Store(StoreKey::EndpointUrl)).or_else(|| aws.endpoint_url.clone()),
                role_arn: self.text(Key::Store(StoreKey::RoleArn)),
            },
            region,
            kms_key: self.text(Key::Store(StoreKey::KmsKey)),
            bucket_owner: self.account(Key::Store(StoreKey::BucketOwner)),
        }
    }

    /// Returns an AWS account's number.
    fn account(&mut self, key: Key) -> Option<String> {
        let text = self.text(key)?;
        if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            let origin = self.pick(key)?.origin.clone();
            self.mistakes.at(&origin, format!("{} is not an account's number, which has 12 digits", shown(&text)));
            return None;
        }
        Some(text)
    }

    fn check_needs(&mut self, needs: Needs) {
        for (side, need) in [(Side::Source, needs.source), (Side::Target, needs.target)] {
            if need == Need::Must && !self.is_given(side) && !self.is_unreadable(side) {
                self.mistakes.missing(not_given(side));
            }
        }
    }

    /// Refuses one server as both sides: copying a database onto itself would end in repairing the source.
    fn check_two_servers(&mut self, source: Option<&SideSettings>, target: Option<&SideSettings>) {
        let (Some(source), Some(target)) = (source, target) else { return };
        if source.place() == target.place() {
            self.mistakes.missing(format!(
                "source and target are the same server, {}: give the server in the other region as the target",
                target.address()
            ));
        }
    }
}
