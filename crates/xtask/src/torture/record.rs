//! Appends runs to the table in docs/proof.md, each on a line of its own between two marks.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use leeward_testkit::servers::workspace_root;
use leeward_torture::{Report, spread};

const PATH: &str = "docs/proof.md";

/// The end of the table.
const END: &str = "<!-- end torture -->";

/// Appends a run.
///
/// # Errors
/// When the document has no such table or cannot be written.
pub(super) fn append(report: &Report) -> Result<()> {
    let path = workspace_root().join(PATH);
    let text = fs::read_to_string(&path).with_context(|| format!("read {PATH}"))?;
    let text = appended(&text, &row(report, &commit())).with_context(|| format!("find {END} in {PATH}"))?;
    fs::write(&path, text).with_context(|| format!("write {PATH}"))
}

fn appended(text: &str, row: &str) -> Option<String> {
    let (before, after) = text.split_once(END)?;
    Some(format!("{before}{row}\n{END}{after}"))
}

/// Returns the commit that is checked out, or a dash where git does not say.
fn commit() -> String {
    let output = Command::new("git").args(["rev-parse", "--short=7", "HEAD"]).current_dir(workspace_root()).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    if text.is_empty() { "–".to_owned() } else { text }
}

/// One line: date, commit, server, seed, minutes, transactions, commits judged, faults, lag, result.
fn row(report: &Report, commit: &str) -> String {
    let lag = spread(&report.lags).map_or("–".to_owned(), |lag| format!("{:.2} / {:.2}", lag.median, lag.p95));
    let live = spread(&report.recoveries).map_or("–".to_owned(), |live| format!("{:.0}", live.max));
    let different = report
        .comparison
        .as_ref()
        .map_or("not compared".to_owned(), |found| format!("{} of {} tables differ", found.different, found.tables));
    let result = match (&report.broken, report.is_good()) {
        (None, true) => "good".to_owned(),
        (Some(broken), _) => format!("BROKEN {broken}"),
        (None, false) => different,
    };
    let minutes = report.length.as_secs_f64() / 60.0;
    let cells = [
        chrono::Utc::now().format("%Y-%m-%d").to_string(),
        commit.to_owned(),
        format!("{} {}", report.kind, report.version),
        report.seed.to_string(),
        format!("{minutes:.0}"),
        report.traffic.transactions.to_string(),
        report.commits.live.to_string(),
        format!("{} / {} / {}", report.kills, report.link_faults, report.fault_count()),
        lag,
        live,
        result.replace('|', "/"),
    ];
    format!("| {} |", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_appended_to_the_table_that_the_document_has() {
        let text = fs::read_to_string(workspace_root().join(PATH)).unwrap();
        let new = appended(&text, "| a run |").unwrap();
        assert!(new.contains(&format!("| a run |\n{END}")));
        assert_eq!(new.len(), text.len() + "| a run |\n".len());
    }
}
