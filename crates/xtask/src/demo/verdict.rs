//! The verdict: what the proof found, said in numbers, and whether Leeward's claim is true.

use chrono::NaiveDateTime;
use leeward_testkit::compare::{Report, TableReport};

use super::hurricane::Loss;
use super::narrator::{Tone, clock, count, counted, painted, say, span};
use super::stage::CONNECTIONS;
use super::stale::Judgement;

/// Differences that are named one by one when the claim is false.
const NAMED_MAX: usize = 20;

/// All that was found out.
pub(super) struct Findings {
    /// Transactions in the surviving disk's binary log.
    pub(super) commits: usize,
    pub(super) standing: Standing,
    /// The target against the disk as it was found.
    pub(super) lost: Report,
    pub(super) births: Births,
}

/// The moment at which the target stands.
pub(super) struct Standing {
    /// Index of the last transaction that the target holds.
    pub(super) commit: usize,
    /// The target against the source as it was then.
    pub(super) report: Report,
    /// What the differences of that comparison are.
    pub(super) judgement: Judgement,
}

/// When the rows of `a` were written: each transaction of the four tables writes exactly one.
pub(super) struct Births {
    /// All that the disk holds.
    pub(super) all: Vec<NaiveDateTime>,
    /// Those that the target lacks.
    pub(super) lost: Vec<NaiveDateTime>,
}

/// Says what was found. Returns whether the claim is true.
pub(super) fn pronounce(loss: &Loss, found: &Findings) -> bool {
    say_what_is_there(loss, found);
    say_what_is_lost(found);
    let in_time = begun_before(loss, &found.births);
    let judgement = &found.standing.judgement;
    println!();
    if !judgement.wrong.is_empty() || !in_time {
        println!("{}", painted(Tone::Bad, "DISPROVED: what Leeward said is not true. Please report this as a bug."));
        return false;
    }
    let but = match judgement.stale {
        0 => String::new(),
        stale => format!(", but for the {} above", counted(stale, "row")),
    };
    let words = format!(
        "PROVED: no row written before {} is missing or wrong{but}. Lost: the last {}.",
        clock(loss.cut_at),
        span(loss.died_at - loss.cut_at)
    );
    println!("{}", painted(Tone::Good, &words));
    true
}

/// The target against the source as it was at the cut.
fn say_what_is_there(loss: &Loss, found: &Findings) {
    let Standing { commit, report, judgement } = &found.standing;
    println!();
    say(&format!(
        "The target stands at transaction {} of {}: {} and {} compared with the source as it was then.",
        count(*commit as u64 + 1),
        count(found.commits as u64),
        counted(report.tables.len() as u64, "table"),
        counted(report.source_rows(), "row"),
    ));
    line("missing, or in a form that the source never had", judgement.wrong.len() as u64);
    for wrong in judgement.wrong.iter().take(NAMED_MAX) {
        println!("    {}", painted(Tone::Bad, wrong));
    }
    line("that only the next comparison would have updated", judgement.stale);
    if judgement.stale > 0 {
        println!(
            "    (deleted, or changed without their clock, after {}, when the oldest of the last whole\n    comparisons \
             of a table began, as `leeward status` says)",
            clock(loss.verified_since())
        );
    }
}

/// The target against the disk as it was found.
fn say_what_is_lost(found: &Findings) {
    let after = found.commits - (found.standing.commit + 1);
    let rows = |of: fn(&TableReport) -> u64| found.lost.tables.iter().map(of).sum::<u64>();
    println!();
    say(&format!("Lost with the source: {}. Of the rows on its disk", counted(after as u64, "transaction")));
    line("the target lacks", rows(|table| table.missing.count));
    line("the target has in an older form", rows(|table| table.different.count));
    line("the target still has, deleted on the disk", rows(|table| table.extra.count));
}

fn line(words: &str, rows: u64) {
    println!("  {:>8} {words}", count(rows));
}

/// Says when the lost transactions of the four tables began. Before the cut only those may have
/// begun that were not committed at the cut: one a connection.
fn begun_before(loss: &Loss, births: &Births) -> bool {
    let (Some(first), Some(last)) = (births.lost.iter().min(), births.lost.iter().max()) else { return true };
    let early = births.lost.iter().filter(|&&at| at <= loss.cut_at).count();
    println!();
    say(&format!(
        "The lost transactions of the four tables ({}) began between {} and {}; the cut was at {}.",
        count(births.lost.len() as u64),
        clock(*first),
        clock(*last),
        clock(loss.cut_at)
    ));
    if early > 0 {
        say(&format!(
            "{} began before the cut; {CONNECTIONS} connections write at once, so as many may not have been committed \
             at the cut.",
            count(early as u64)
        ));
    }
    early <= CONNECTIONS as usize
}
