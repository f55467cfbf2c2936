//! What can be typed about dumps: making, loading, keeping and restoring them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use leeward_core::dump::DumpId;
use leeward_core::throttle::LoadLimit;

use super::help::{SNAPSHOT_LIST_HELP, SNAPSHOT_VERIFY_HELP};
use crate::config::duration;
use crate::config::store::StoreUrl;

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
    pub(super) lease_ttl: Option<String>,
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
    pub(super) lease_ttl: Option<String>,
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
