//! The command line: what can be typed, and the help. Values are taken as text and checked in `config`, so that all
//! mistakes of flags, environment and file come out together.
//!
//! clap's own reading of the environment is not used: its help would print the values, passwords included.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command as ClapCommand, FromArgMatches, Parser, Subcommand};
use leeward_core::dump::DumpId;
use leeward_core::name::Side;
use leeward_core::throttle::LoadLimit;

use crate::config::duration;
use crate::config::key::{Key, Kind, Places, SideKey};
use crate::config::store::StoreUrl;

const ABOUT: &str = "Keeps a warm copy of a MySQL or MariaDB database in another region, proves that it is right, and \
                     says whether it can take over";

const TOP_HELP: &str = "\
First steps:
  export LEEWARD_SOURCE_URL='mysql://leeward:…@db.east.example.com/?ca=global-bundle.pem'
  export LEEWARD_TARGET_URL='mysql://leeward:…@db.west.example.com/?ca=global-bundle.pem'
  leeward doctor --databases shop    what is missing on either side, with the GRANT to run
  leeward plan   --databases shop    how each table will be kept, and why
  leeward seed   --databases shop    the first copy; run it again to continue
  leeward sync                       keep it in step, until stopped
  leeward readiness                  can the copy take over now?

Every option can be set by flag, by environment variable (--source-ca-file is
LEEWARD_SOURCE_CA_FILE) and in leeward.toml ([source] ca_file = …); a flag wins over the
environment, the environment over the file. A password is never a flag: put it into the URL's
variable, LEEWARD_SOURCE_PASSWORD, --source-password-file or --source-secret.
Results go to stdout, log and progress to stderr.

Exit codes:
  0  done, or the answer is yes
  1  it could not be done or found out
  2  the answer is no: differences, not ready, blocked, a check failed
  3  usage or configuration";

const DOCTOR_HELP: &str = "\
Checks both sides and reports all findings at once: reachability, versions, privileges with the
exact GRANT to run, server settings, clocks, and whether both addresses lead to one server. Writes nothing.

Examples:
  leeward doctor --databases shop,billing
  leeward doctor --output json | jq '.findings[] | select(.status == \"fail\")'

Exit code 2 when a check fails, or one that is needed could not be made; a server that does not answer
is such a check.";

const PLAN_HELP: &str = "\
Looks at the source and says for every table its class, its strategy and why. Writes nothing but
the file named with --out. Tables that cannot be kept right are named with what would help.

Examples:
  leeward plan --databases shop
  leeward plan --databases shop --policy policy.toml --out plan.json
  leeward seed --plan plan.json";

const SEED_HELP: &str = "\
Creates the tables on the target and copies all rows in chunks. Killed at any moment and started
again, it continues. Refuses a target that already holds such tables, unless --adopt is given:
then they are compared and repaired instead of loaded.

With --join any number of processes, on any number of machines, share one copy: start all of them
with the same command. Whichever comes first leads; the others help it, and lead on if it dies. A
seed that runs without it can be joined too. Each ends when the seed is done.

With --via the rows are dumped into a bucket or a folder first and loaded from there, so that the
source is done with once it was read; what changed meanwhile is found by the comparison at the end.
The dump is taken away afterwards.

With --max-source-load the copy waits, and says why, while the source is busier than that: what was
begun is finished, nothing more is begun. It needs PROCESS on the source, and refuses without it.

Examples:
  leeward seed --databases shop
  leeward seed --databases shop --max-source-load 8
  leeward seed --plan plan.json --parallel 8
  leeward seed --databases shop --join
  leeward seed --databases shop --via s3://dumps-of-shop/seed
  leeward seed --databases shop --adopt";

const DUMP_HELP: &str = "\
Writes every row into a bucket or a folder, in compressed chunks, with the definitions of tables,
views, routines, triggers and events. The manifest that makes it a dump is written last and names
every object with its SHA-256. The source is only read.

It shows one moment of all tables. For several readers the source is locked for as long as it takes
to open their views (FLUSH TABLES WITH READ LOCK, which takes RELOAD, else LOCK TABLES, which takes
that privilege); a lock that is not had within seconds is given up, and all is read over one
connection. With --no-lock none is asked for. A dump of one moment that was killed begins anew.

With --spread each chunk is read in a statement of its own and no moment is promised; it spares the
source's undo log, and a dump that was killed goes on with --resume.

Examples:
  leeward dump --databases shop --to s3://dumps-of-shop/nightly
  leeward dump --databases shop --to file:///srv/dumps --no-lock
  leeward dump --databases shop --to file:///srv/dumps --spread --resume";

const LOAD_HELP: &str = "\
Creates the tables of a dump on a target that has none of them and loads all rows; each object's
SHA-256 is compared before its rows are committed. No source is needed. Killed and started again, it
continues. Triggers and events are written down and not made, as a seed does it.

Examples:
  leeward load --from s3://dumps-of-shop/nightly              the newest whole dump
  leeward load --from file:///srv/dumps --id 20261128T060000.000Z-0a1b2c3d

Exit code 2 when a table was left for a person.";

const SNAPSHOT_HELP: &str = "\
Takes a dump, and takes snapshots away that are no longer to be kept: what --keep or --keep-for keeps
is kept, and the newest whole one always. Only snapshots of the same lane are looked at. With --every
it goes on until SIGTERM or Ctrl-C.

Examples:
  leeward snapshot --databases shop --to s3://dumps-of-shop/hourly --every 6h --keep 28
  leeward snapshot --databases shop --to file:///srv/dumps --keep-for 7d --keep 3
  leeward snapshot list   --from s3://dumps-of-shop/hourly
  leeward snapshot verify --from s3://dumps-of-shop/hourly";

const SNAPSHOT_LIST_HELP: &str = "\
Lists whole dumps with what they show of their source, those that were begun and not finished, and
how old the newest of each lane is. No server is asked.";

const SNAPSHOT_VERIFY_HELP: &str = "\
Reads every object of a dump and compares its length and SHA-256 with the manifest. Nothing is
loaded, and no server is asked.

Exit code 2 when an object is missing or not what it was.";

const RESTORE_HELP: &str = "\
Puts one table of a dump onto the target, which may be at work otherwise: a table of that name is
refused, never overwritten. Under another name it comes without its foreign keys.

Examples:
  leeward restore --from s3://dumps-of-shop/nightly --table shop.orders
  leeward restore --from file:///srv/dumps --table shop.orders --as shop.orders_restored";

const SYNC_HELP: &str = "\
Moves the target from one consistent view of the source to the next, until it is stopped. The
first SIGTERM or Ctrl-C finishes or rolls back the open transaction, gives the lease back and
exits with 0; a second one exits at once.

Examples:
  leeward sync
  leeward sync --once           catch up, then exit
  leeward sync --cycle-interval 2s
  leeward sync --listen 9464    answer /live, /ready, /status.json and /metrics on 127.0.0.1:9464
  leeward sync --metrics emf    a line for CloudWatch a minute";

const HEALTHCHECK_HELP: &str = "\
Asks the `leeward sync` of this machine whether its loop goes on, at the address that both are given
with --listen. It goes on while a server is away and while another process holds the lease: it is
about the process, not about the servers. For the health check of a container:
  [\"CMD\", \"/usr/local/bin/leeward\", \"healthcheck\"]

Exit code 0 when it does; 1 when it does not, or nothing answers within 4 s.";

const STATUS_HELP: &str = "\
Prints what Leeward itself has written down on the target: lag, tables, what waits for a person
and what to do about it. Works while the source is unreachable.

Exit code 2 when the lane is blocked, a table is quarantined, or nothing has been seeded yet.";

const ACCEPT_HELP: &str = "\
Shows what the brake has stopped: when, what would be deleted or overwritten on the target, and
which keys. With tables it agrees: they are caught up and repaired, with the brake released for as
many rows as were seen and no more. Each agreement counts once. It works while `sync` runs, which
takes it up within seconds; otherwise the next `sync` does. The source is not asked.

Examples:
  leeward accept                      what waits
  leeward accept shop.orders
  leeward accept 'shop.order*' 'billing.*'

Exit code 2 when a table waits for somebody to agree; 0 when none does, and when tables were named
and agreed to.";

const VERIFY_HELP: &str = "\
Compares every row of both sides within one consistent view of the source. Differences are listed
by key, never by value. Without --repair nothing is written anywhere; this works on any copy,
also on a native replica that Leeward did not build.

Examples:
  leeward verify
  leeward verify --tables 'shop.order*' --output json
  leeward verify --repair

Exit code 2 when there are differences, repaired or not.";

const READINESS_HELP: &str = "\
Runs every check of the catalogue in a fixed order and prints the verdict: READY,
READY_WITH_WARNINGS or NOT_READY. What cannot be observed is not ready. Works while the source is
unreachable. On RDS it describes both servers through AWS; it changes nothing there.

From one look it writes as many forms as are asked for, each file whole or not at all: HTML for
people (one file, nothing else is loaded), JSON for programs, JUnit for a CI. A former JSON report
given by --since shows what became better and worse; it may be the file that --json replaces.

Examples:
  leeward readiness
  leeward readiness --html readiness.html --junit readiness.xml
  leeward readiness --json readiness.json --since readiness.json

Exit code 0 when ready, 2 when not.";

/// What was typed.
#[derive(Debug, Parser)]
#[command(name = "leeward", version, about = ABOUT, after_help = TOP_HELP, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    config: ConfigFlags,

    /// No colour (also by NO_COLOR)
    #[arg(long, global = true, help_heading = "Output")]
    pub no_color: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check both sides: privileges, settings, clocks
    #[command(after_help = DOCTOR_HELP)]
    Doctor,
    /// Say how each table will be kept in step, and why
    #[command(after_help = PLAN_HELP)]
    Plan(PlanArgs),
    /// Copy everything for the first time
    #[command(after_help = SEED_HELP)]
    Seed(SeedArgs),
    /// Write everything into a bucket or a folder
    #[command(after_help = DUMP_HELP)]
    Dump(DumpArgs),
    /// Load a dump into an empty target
    #[command(after_help = LOAD_HELP)]
    Load(LoadArgs),
    /// Take dumps in a row, list them, prove them whole
    #[command(after_help = SNAPSHOT_HELP)]
    Snapshot(SnapshotArgs),
    /// Restore one table from a dump
    #[command(after_help = RESTORE_HELP)]
    Restore(RestoreArgs),
    /// Keep the target in step
    #[command(after_help = SYNC_HELP)]
    Sync(SyncArgs),
    /// Ask whether the sync of this machine goes on
    #[command(after_help = HEALTHCHECK_HELP)]
    Healthcheck(HealthcheckArgs),
    /// Print lag, tables and what waits for a person
    #[command(after_help = STATUS_HELP)]
    Status,
    /// Show what the brake has stopped, and agree to it
    #[command(after_help = ACCEPT_HELP)]
    Accept(AcceptArgs),
    /// Compare both sides row by row
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyArgs),
    /// Say whether the target can take over
    #[command(after_help = READINESS_HELP)]
    Readiness(ReadinessArgs),
}

/// Options of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Write the plan to this file, for review and for `seed --plan`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `seed`.
#[derive(Debug, Args)]
pub struct SeedArgs {
    /// The tables are on the target already: compare and repair them instead of loading
    #[arg(long)]
    pub adopt: bool,

    /// Share the copy with all processes started so: one leads, the others help
    #[arg(long)]
    pub join: bool,

    /// Copy by way of a store, s3://BUCKET/PREFIX or file:///PATH: dump, load, compare with the source
    #[arg(long, value_name = "URL", conflicts_with_all = ["adopt", "join"])]
    pub via: Option<StoreUrl>,

    /// Chunks copied at once, each over one connection to either side. Default: as the policy says, which is to find
    /// out how many pay
    #[arg(long, visible_alias = "connections", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallel: Option<u16>,

    /// Begin no chunk while other accounts run more statements than this on the source: about its number of vCPUs.
    /// Also threads=8,history=1000000 (InnoDB's history list), and off. Default: as the policy says, which is off
    #[arg(long, value_name = "LIMIT")]
    pub max_source_load: Option<LoadLimit>,

    /// Follow this plan instead of making one
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,

    /// After this long without renewal another process may take the lane [default: 30s]
    #[arg(long, value_name = "TIME")]
    lease_ttl: Option<String>,
}

/// Options of `dump`.
#[derive(Debug, Args)]
pub struct DumpArgs {
    /// Where to: s3://BUCKET/PREFIX or file:///PATH
    #[arg(long, value_name = "URL")]
    pub to: StoreUrl,

    #[command(flatten)]
    pub how: DumpHow,
}

/// How a dump is made.
#[derive(Debug, Args)]
pub struct DumpHow {
    /// Chunks read at once, each over a connection of its own. Default: as the policy says, else 4 for one moment
    #[arg(long, visible_alias = "connections", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallel: Option<u16>,

    /// Never lock the source: one moment is then read over one connection
    #[arg(long, conflicts_with = "spread")]
    pub no_lock: bool,

    /// Read each chunk by itself: no single moment, and a dump that was killed can go on
    #[arg(long)]
    pub spread: bool,

    /// Go on with the newest unfinished dump of this lane
    #[arg(long, requires = "spread")]
    pub resume: bool,

    /// Begin no chunk while other accounts run more statements than this on the source; see `seed`
    #[arg(long, value_name = "LIMIT")]
    pub max_source_load: Option<LoadLimit>,

    /// Follow this plan instead of making one
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
}

/// Options of `load`.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Where from: s3://BUCKET/PREFIX or file:///PATH
    #[arg(long, value_name = "URL")]
    pub from: StoreUrl,

    /// Which dump. Default: the newest whole one
    #[arg(long, value_name = "ID")]
    pub id: Option<DumpId>,

    /// Chunks loaded at once, each over one connection. Default: find out how many pay
    #[arg(long, visible_alias = "connections", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallel: Option<u16>,

    /// After this long without renewal another process may take the lane [default: 30s]
    #[arg(long, value_name = "TIME")]
    lease_ttl: Option<String>,
}

/// Options of `snapshot`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct SnapshotArgs {
    /// Look at what is there instead.
    #[command(subcommand)]
    pub action: Option<SnapshotAction>,

    /// Where to: s3://BUCKET/PREFIX or file:///PATH
    #[arg(long, value_name = "URL")]
    pub to: Option<StoreUrl>,

    /// Keep the newest so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub keep: Option<u16>,

    /// Keep those that are no older than this: 36h, 7d
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub keep_for: Option<Duration>,

    /// Go on, one after each such time, until stopped: 6h, 1d
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub every: Option<Duration>,

    #[command(flatten)]
    pub how: DumpHow,
}

/// What else there is to do with snapshots.
#[derive(Debug, Subcommand)]
pub enum SnapshotAction {
    /// List the dumps at an address
    #[command(after_help = SNAPSHOT_LIST_HELP)]
    List(SnapshotListArgs),
    /// Prove a dump whole without loading it
    #[command(after_help = SNAPSHOT_VERIFY_HELP)]
    Verify(SnapshotVerifyArgs),
}

/// Options of `snapshot list`.
#[derive(Debug, Args)]
pub struct SnapshotListArgs {
    /// Where from: s3://BUCKET/PREFIX or file:///PATH
    #[arg(long, value_name = "URL")]
    pub from: StoreUrl,
}

/// Options of `snapshot verify`.
#[derive(Debug, Args)]
pub struct SnapshotVerifyArgs {
    /// Where from: s3://BUCKET/PREFIX or file:///PATH
    #[arg(long, value_name = "URL")]
    pub from: StoreUrl,

    /// Which dump. Default: the newest whole one
    #[arg(long, value_name = "ID")]
    pub id: Option<DumpId>,
}

/// Options of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Where from: s3://BUCKET/PREFIX or file:///PATH
    #[arg(long, value_name = "URL")]
    pub from: StoreUrl,

    /// Which dump. Default: the newest whole one
    #[arg(long, value_name = "ID")]
    pub id: Option<DumpId>,

    /// Which table, by its full name
    #[arg(long, value_name = "DATABASE.TABLE")]
    pub table: String,

    /// Under which name. Default: its own
    #[arg(long = "as", value_name = "DATABASE.TABLE")]
    pub under: Option<String>,

    /// Chunks loaded at once, each over one connection. Default: find out how many pay
    #[arg(long, visible_alias = "connections", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallel: Option<u16>,

    /// After this long without renewal another process may take the table over [default: 30s]
    #[arg(long, value_name = "TIME")]
    lease_ttl: Option<String>,
}

/// Reads a span in which days may be written.
fn span(text: &str) -> Result<Duration, String> {
    match text.strip_suffix('d').map(str::parse::<u32>) {
        Some(Ok(days)) => Ok(Duration::from_secs(u64::from(days) * 86_400)),
        _ => duration::parse(text).map_err(|_| "write a whole number and its unit: 90m, 6h or 7d".to_owned()),
    }
}

/// Reads the time from one snapshot to the next, of which there is some.
fn interval(text: &str) -> Result<Duration, String> {
    match span(text)? {
        Duration::ZERO => Err("snapshots without end take a time between them: 6h".to_owned()),
        span => Ok(span),
    }
}

/// Options of `sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Exit once everything is in step
    #[arg(long)]
    pub once: bool,

    /// Time from the start of one cycle to the next [default: 500ms]
    #[arg(long, value_name = "TIME")]
    cycle_interval: Option<String>,

    /// Refuse to run unless the lane follows this plan
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,

    /// After this long without renewal another process may take the lane [default: 30s]
    #[arg(long, value_name = "TIME")]
    lease_ttl: Option<String>,

    /// Answer /live, /ready, /status.json and /metrics here: PORT, on this machine alone, or ADDRESS:PORT
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// Write numbers to stdout as well, once a minute: none, or emf for CloudWatch [default: none]
    #[arg(long, value_name = "FORM")]
    metrics: Option<String>,
}

/// Options of `healthcheck`.
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// Where `sync` listens: PORT, or ADDRESS:PORT
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

/// Options of `accept`.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    /// Tables to agree to: full names, or globs over them
    #[arg(value_name = "TABLE")]
    pub tables: Vec<String>,
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Make the target equal: write missing and changed rows, delete extra ones; releases the brake
    #[arg(long)]
    pub repair: bool,

    /// Only tables whose full name matches this glob; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub tables: Vec<String>,

    /// Compare by this plan instead of the stored one
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
}

/// Options of `readiness`.
#[derive(Debug, Default, Args)]
pub struct ReadinessArgs {
    /// Write the report as one HTML file, for people and for the records
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write the report as JSON, the same as --output json prints
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the report as JUnit XML, a test case for each check
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Compare with this former report (JSON) of the same lane and servers
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,

    /// Keep the report, as JSON and HTML, under readiness/ in s3://BUCKET/PREFIX or file:///PATH
    #[arg(long, value_name = "URL")]
    pub upload: Option<StoreUrl>,

    /// Where snapshots are kept: the age of the newest stands beside the loss
    #[arg(long, value_name = "URL")]
    pub snapshots: Option<StoreUrl>,

    /// Write the numbers of checks to stdout as well: none, or emf for CloudWatch [default: none]
    #[arg(long, value_name = "FORM")]
    pub metrics: Option<String>,

    /// Say what a check is about instead: what it compares, what it needs, which keys of the policy rule it
    #[arg(long, value_name = "CHECK-ID")]
    pub explain: Option<String>,

    /// Record of the last drill, a TOML file (docs/readiness.md)
    #[arg(long, value_name = "FILE")]
    pub drill: Option<String>,

    /// RDS instance or Multi-AZ cluster of the source, where its host name does not say it
    #[arg(long, value_name = "NAME")]
    pub source_instance: Option<String>,

    /// AWS Region of the source, where its host name does not say it
    #[arg(long, value_name = "REGION")]
    pub source_region: Option<String>,

    /// RDS instance or Multi-AZ cluster of the target, where its host name does not say it
    #[arg(long, value_name = "NAME")]
    pub target_instance: Option<String>,

    /// AWS Region of the target, where its host name does not say it
    #[arg(long, value_name = "REGION")]
    pub target_region: Option<String>,
}

impl ReadinessArgs {
    fn keys(&self) -> Vec<(Key, &Option<String>)> {
        vec![
            (Key::Metrics, &self.metrics),
            (Key::Drill, &self.drill),
            (Key::Side(Side::Source, SideKey::Instance), &self.source_instance),
            (Key::Side(Side::Source, SideKey::Region), &self.source_region),
            (Key::Side(Side::Target, SideKey::Instance), &self.target_instance),
            (Key::Side(Side::Target, SideKey::Region), &self.target_region),
        ]
    }
}

impl Cli {
    /// Returns the configuration keys that were given as flags.
    pub fn flags(&self) -> Vec<(Key, String)> {
        let own = match &self.command {
            Command::Seed(args) => vec![(Key::LeaseTtl, &args.lease_ttl)],
            Command::Load(args) => vec![(Key::LeaseTtl, &args.lease_ttl)],
            Command::Restore(args) => vec![(Key::LeaseTtl, &args.lease_ttl)],
            Command::Sync(args) => vec![
                (Key::CycleInterval, &args.cycle_interval),
                (Key::LeaseTtl, &args.lease_ttl),
                (Key::Listen, &args.listen),
                (Key::Metrics, &args.metrics),
            ],
            Command::Healthcheck(args) => vec![(Key::Listen, &args.listen)],
            Command::Readiness(args) => args.keys(),
            _ => vec![],
        };
        let own = own.into_iter().filter_map(|(key, text)| Some((key, text.clone()?)));
        self.config.0.iter().cloned().chain(own).collect()
    }
}

/// The configuration keys that every subcommand takes as flags, made from the one list of keys.
#[derive(Debug)]
struct ConfigFlags(Vec<(Key, String)>);

impl ConfigFlags {
    fn keys() -> impl Iterator<Item = Key> {
        Key::all().into_iter().filter(|key| matches!(key.spec().places, Places::FlagAndFile | Places::Flag))
    }
}

impl FromArgMatches for ConfigFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = Self::keys().filter_map(|key| Some((key, matches.get_one::<String>(&key.flag())?.clone())));
        Ok(ConfigFlags(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for ConfigFlags {
    fn augment_args(command: ClapCommand) -> ClapCommand {
        command.args(Self::keys().map(argument))
    }

    fn augment_args_for_update(command: ClapCommand) -> ClapCommand {
        Self::augment_args(command)
    }
}

fn argument(key: Key) -> Arg {
    let spec = key.spec();
    let (heading, help, is_everyday) = match key {
        Key::Side(side, side_key) => {
            let heading = if key.table() == Some("source") { "Source" } else { "Target" };
            (heading, spec.help.replace("{side}", &side.to_string()), side_key == SideKey::Url)
        }
        Key::AwsRegion | Key::AwsEndpointUrl | Key::AwsRoleArn => ("AWS", spec.help.to_owned(), false),
        Key::Store(_) => ("Dumps in S3", spec.help.to_owned(), false),
        Key::Output | Key::LogFormat | Key::LogLevel => ("Output", spec.help.to_owned(), true),
        _ => ("Scope", spec.help.to_owned(), true),
    };
    let argument = Arg::new(key.flag())
        .long(key.flag())
        .value_name(spec.value_name)
        .help(help)
        .help_heading(heading)
        .global(true)
        .hide_short_help(!is_everyday);
    match spec.kind {
        // `--source-compression` and `--source-compression=false`.
        Kind::Switch | Kind::Choice => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ => argument.action(ArgAction::Set),
    }
}

/// Why there is nothing to do.
#[derive(Debug)]
pub enum Refusal {
    /// Help or version was asked for.
    Help(String),
    /// The command line cannot be understood.
    Usage(String),
}

/// Reads the command line, the program's name first.
///
/// # Errors
/// Help and version, which are results, and mistakes. The text of a mistake holds no URL and no password.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Refusal> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    Cli::try_parse_from(&arguments).map_err(|error| {
        let text = error.render().to_string();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Refusal::Help(text),
            _ => Refusal::Usage(without_secrets(text, &arguments)),
        }
    })
}

/// clap quotes what it does not understand, such as a URL that stands where none is expected.
fn without_secrets(mut text: String, arguments: &[OsString]) -> String {
    for argument in arguments.iter().skip(1) {
        let argument = argument.to_string_lossy();
        let value = match argument.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => value,
            _ => &argument,
        };
        if value.contains("://") || value.contains('@') {
            text = text.replace(value, "…");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn cli(arguments: &[&str]) -> Result<Cli, Refusal> {
        parse(std::iter::once("leeward").chain(arguments.iter().copied()).map(OsString::from))
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_stand_before_or_behind_the_subcommand() {
        for arguments in [["--databases", "a,b", "doctor"], ["doctor", "--databases", "a,b"]] {
            assert_eq!(cli(&arguments).unwrap().flags(), [(Key::Databases, "a,b".to_owned())]);
        }
        let sync = cli(&["sync", "--cycle-interval", "2s", "--source-iam", "--target-compression=false"]).unwrap();
        let flags = sync.flags();
        assert!(flags.contains(&(Key::CycleInterval, "2s".to_owned())));
        assert_eq!(flags.iter().filter(|(_, text)| text == "true" || text == "false").count(), 2);
    }

    #[test]
    fn a_mistyped_command_line_is_usage_and_quotes_no_url() {
        for arguments in [
            &["doctor", "mysql://u:hunter2@h/"][..],
            &["mysql://u:hunter2@h/"],
            &["doctor", "--sorce-url=mysql://u:hunter2@h/"],
            &["doctor", "--sorce-url", "mysql://u:hunter2@h/"],
            &["doctor", "--source-password", "hunter2"],
            &["doctor", "--source-password=hunter2"],
            &["doctor", "--source-iam=mysql://u:hunter2@h/", "x"],
            &["seed", "--parallel", "mysql://u:hunter2@h/"],
            &["seed", "--parallel", "65"],
            &["doctor", "--cycle-interval", "1s"],
            &["nothing"],
            &[],
        ] {
            let Err(Refusal::Usage(text)) = cli(arguments) else { panic!("{arguments:?} is understood") };
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn help_is_no_mistake() {
        for arguments in [&["--help"][..], &["-h"], &["--version"], &["sync", "--help"], &["status", "-h"]] {
            assert!(matches!(cli(arguments), Err(Refusal::Help(_))), "{arguments:?}");
        }
    }

    /// The whole help, as a person reads it. After a change that is meant, run the test with `LEEWARD_GOLDEN=write`.
    #[test]
    fn the_help_reads_as_agreed() {
        let mut whole = Cli::command().term_width(100);
        whole.build();
        let mut text = whole.render_long_help().to_string();
        for command in whole.get_subcommands_mut() {
            let help = command.render_help();
            text.push_str(&format!("\n=== leeward {} -h\n\n{help}", command.get_name()));
        }
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        let text = lines.join("\n") + "\n";
        let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli.help.txt");
        if std::env::var_os("LEEWARD_GOLDEN").is_some_and(|what| what == "write") {
            std::fs::write(&golden, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&golden).unwrap());
    }
}
