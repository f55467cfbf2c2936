//! What a run came to, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use leeward_testkit::servers::Kind;
use leeward_testkit::workload::hostile::HostileCounters;
use serde_json::{Value, json};

use crate::Form;

/// The result of a run.
#[must_use = "an unread report proves nothing"]
#[derive(Debug, Clone)]
pub struct Report {
    /// The kind of both servers.
    pub kind: Kind,
    /// Their version.
    pub version: String,
    /// The seed.
    pub seed: u64,
    /// Long or short.
    pub form: Form,
    /// How long faults came.
    pub length: Duration,
    /// What the traffic did.
    pub traffic: HostileCounters,
    /// What the checker saw.
    pub commits: Commits,
    /// Faults by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Processes killed with SIGKILL.
    pub kills: u64,
    /// Faults of a link.
    pub link_faults: u64,
    /// Times that another process went on where one was dead or frozen.
    pub takeovers: u64,
    /// Processes of `leeward sync` that were started.
    pub processes: u32,
    /// Processes that ended by themselves during a fault, and how.
    pub ends: Vec<String>,
    /// What a person did.
    pub person: Person,
    /// Commit to commit while no fault was open, seconds.
    pub lags: Vec<f64>,
    /// From the end of a fault until live again, seconds.
    pub recoveries: Vec<f64>,
    /// The independent comparison: what it found, or nothing when the run did not come so far.
    pub comparison: Option<Comparison>,
    /// What `leeward verify` answered at the end.
    pub verify_exit_code: Option<i32>,
    /// What must never happen and was seen; or why the run could not go on.
    pub broken: Option<String>,
    /// Where the logs are.
    pub logs: PathBuf,
}

/// What the checker saw of the target's commits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Commits {
    /// Commits looked at one by one.
    pub seen: u64,
    /// Commits that were over before they could be looked at.
    pub missed: u64,
    /// Of those looked at: the lane was live, and the state was judged.
    pub live: u64,
    /// Foreign keys checked at live commits.
    pub keys: u64,
    /// Of those: foreign keys with rows that waited for a comparison, which Live does not promise.
    pub waiting: u64,
    /// Most rows that waited so at one commit, for one foreign key.
    pub waiting_rows: u64,
}

/// What a person had to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Person {
    /// Statements of a remedy run on the target.
    pub altered: u64,
    /// Tables let past the brake.
    pub agreed: u64,
    /// Times that the lane was planned and seeded again.
    pub replanned: u64,
}

/// The independent comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Tables compared.
    pub tables: u64,
    /// Rows compared on the source.
    pub rows: u64,
    /// Tables that differ.
    pub different: u64,
    /// The whole result as text.
    pub text: String,
}

impl Report {
    /// Returns whether nothing at all was wrong.
    pub fn is_good(&self) -> bool {
        self.broken.is_none()
            && self.traffic.surprises.is_empty()
            && self.comparison.as_ref().is_some_and(|found| found.different == 0)
            && self.verify_exit_code == Some(0)
    }

    /// Returns the number of faults.
    pub fn fault_count(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Returns the report as JSON.
    pub fn json(&self) -> Value {
        let traffic = &self.traffic;
        json!({
            "schema": 1,
            "good": self.is_good(),
            "kind": self.kind.slug(),
            "version": self.version,
            "seed": self.seed,
            "form": if self.form == Form::Long { "long" } else { "short" },
            "minutes": self.length.as_secs_f64() / 60.0,
            "traffic": {
                "transactions": traffic.transactions, "rows": traffic.rows, "rolled_back": traffic.rolled_back,
                "refused": traffic.refused, "late": traffic.late, "waited": traffic.waited,
                "prepared": traffic.prepared, "bulk": traffic.bulk, "emptied": traffic.emptied, "ddl": traffic.ddl,
                "surprises": traffic.surprises,
            },
            "commits": {
                "seen": self.commits.seen, "missed": self.commits.missed, "live": self.commits.live,
                "foreign_keys": self.commits.keys, "foreign_keys_waiting": self.commits.waiting,
                "foreign_keys_waiting_rows_max": self.commits.waiting_rows,
            },
            "faults": self.faults, "kills": self.kills, "link_faults": self.link_faults,
            "takeovers": self.takeovers, "processes": self.processes, "ended_by_themselves": self.ends,
            "person": {
                "altered": self.person.altered, "agreed": self.person.agreed, "replanned": self.person.replanned,
            },
            "lag_s": spread(&self.lags).map(|spread| spread.json()),
            "live_again_s": spread(&self.recoveries).map(|spread| spread.json()),
            "comparison": self.comparison.as_ref().map(|found| json!({
                "tables": found.tables, "rows": found.rows, "different": found.different,
            })),
            "verify_exit_code": self.verify_exit_code,
            "broken": self.broken,
        })
    }
}

/// Median, 95th percentile and maximum of some figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// How many figures.
    pub count: usize,
    /// The middle one.
    pub median: f64,
    /// The one that 95 of 100 do not exceed.
    pub p95: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    fn json(&self) -> Value {
        json!({ "count": self.count, "median": self.median, "p95": self.p95, "max": self.max })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { count, median, p95, max } = self;
        write!(f, "median {median:.2} s, 95th percentile {p95:.2} s, maximum {max:.2} s ({count} measured)")
    }
}

/// Sums figures up; nothing where there are none.
pub fn spread(figures: &[f64]) -> Option<Spread> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let max = *sorted.last()?;
    // The nearest rank, so that every figure shown is one that was measured.
    let at = |share: f64| sorted[((share * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1];
    Some(Spread { count: sorted.len(), median: at(0.5), p95: at(0.95), max })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostileCounters { transactions, rows, rolled_back, refused, .. } = &self.traffic;
        let HostileCounters { late, waited, prepared, bulk, emptied, ddl, .. } = &self.traffic;
        let Commits { seen, missed, live, keys, waiting, waiting_rows } = self.commits;
        let Person { altered, agreed, replanned } = self.person;
        let minutes = self.length.as_secs_f64() / 60.0;
        writeln!(f, "Torture of {} {}, seed {}, {minutes:.1} minutes of faults", self.kind, self.version, self.seed)?;
        writeln!(
            f,
            "  traffic      {transactions} transactions, {rows} rows; {rolled_back} rolled back, {refused} refused"
        )?;
        writeln!(
            f,
            "               {late} held open, {waited} behind LOCK TABLES, {prepared} prepared and left, {bulk} pairs \
             of bulk inserts, {emptied} tables emptied, {ddl} DDL"
        )?;
        writeln!(
            f,
            "  faults       {}: {} kills, {} of a link; {} takeovers, {} processes started, {} ended by themselves",
            self.fault_count(),
            self.kills,
            self.link_faults,
            self.takeovers,
            self.processes,
            self.ends.len()
        )?;
        for (name, count) in &self.faults {
            writeln!(f, "               {count:>5} {name}")?;
        }
        writeln!(
            f,
            "  a person     ran {altered} ALTERs, agreed to {agreed} mass changes, planned anew {replanned} times"
        )?;
        let share = 100.0 * seen.to_owned() as f64 / (seen + missed).max(1) as f64;
        writeln!(
            f,
            "  commits      {seen} of {} looked at ({share:.1} %), {live} of them live and judged",
            seen + missed
        )?;
        writeln!(
            f,
            "               {keys} foreign keys checked in turn; {waiting} of them waited for a comparison (at most \
             {waiting_rows} rows)"
        )?;
        for (what, figures) in [("lag", &self.lags), ("live again", &self.recoveries)] {
            let text = spread(figures).map_or("nothing measured".to_owned(), |spread| spread.to_string());
            writeln!(f, "  {what:<12} {text}")?;
        }
        match &self.comparison {
            Some(found) => writeln!(f, "  comparison   {}", found.text)?,
            None => writeln!(f, "  comparison   not made")?,
        }
        let verify = self.verify_exit_code.map_or("not run".to_owned(), |code| format!("exit code {code}"));
        writeln!(f, "  verify       {verify}")?;
        for surprise in &self.traffic.surprises {
            writeln!(f, "  SURPRISE     {surprise}")?;
        }
        if let Some(broken) = &self.broken {
            writeln!(f, "  BROKEN       {broken}")?;
        }
        if self.is_good() {
            write!(f, "  GOOD: 0 differences, 0 broken invariants")
        } else {
            write!(f, "  NOT GOOD; the logs are in {}", self.logs.display())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_shows_figures_that_were_measured() {
        let figures: Vec<f64> = (1..=20).map(f64::from).collect();
        let spread = spread(&figures).unwrap();
        assert_eq!((spread.median, spread.p95, spread.max, spread.count), (10.0, 19.0, 20.0, 20));
        assert_eq!(super::spread(&[]), None);
    }
}
