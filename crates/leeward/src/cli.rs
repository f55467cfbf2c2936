//! The command line: what can be typed, and the help. Values are taken as text and checked in `config`, so that all
//! mistakes of flags, environment and file come out together.
//!
//! clap's own reading of the environment is not used: its help would print the values, passwords included.

mod dumps;
mod help;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command as ClapCommand, FromArgMatches, Parser, Subcommand};
use leeward_core::name::Side;
use leeward_core::throttle::LoadLimit;

pub use dumps::{
    DumpArgs, DumpHow, LoadArgs, RestoreArgs, SnapshotAction, SnapshotArgs, SnapshotListArgs, SnapshotVerifyArgs,
};
use help::{
    ABOUT, ACCEPT_HELP, DOCTOR_HELP, DUMP_HELP, HEALTHCHECK_HELP, LOAD_HELP, PLAN_HELP, READINESS_HELP, RESTORE_HELP,
    SEED_HELP, SNAPSHOT_HELP, STATUS_HELP, SYNC_HELP, TOP_HELP, VERIFY_HELP,
};

use crate::config::key::{Key, Kind, Places, SideKey};
use crate::config::store::StoreUrl;

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

    /// After this long without a step the loop counts as stuck [default: 5m and the waits that are configured]
    #[arg(long, value_name = "TIME")]
    step_max: Option<String>,

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
                (Key::StepMax, &args.step_max),
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
