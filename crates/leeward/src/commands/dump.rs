//! `leeward dump`: everything into a store. The source is only read.

use chrono::NaiveDateTime;
use leeward_core::dump::{DumpKind, Moment};
use leeward_core::port::Locks;
use leeward_engine::budget::Budget;
use leeward_engine::dump::{self, Archive, Begin, DumpOptions, DumpReport, Maker, Shows};
use tokio_util::sync::CancellationToken;

use super::{Desk, planning};
use crate::cli::{DumpArgs, DumpHow};
use crate::config::store::StoreUrl;
use crate::progress::{Show, Work};
use crate::report::transfer::Leg;
use crate::report::words;
use crate::{Answer, Failure, report, shutdown, wire};

/// Dumps the source.
///
/// # Errors
/// Whatever keeps the dump from being whole.
pub async fn run(desk: &Desk, args: &DumpArgs) -> Result<Answer, Failure> {
    let stop = shutdown::listen()?;
    let outcome = make(desk, &args.to, (&args.how, DumpKind::Dump), &stop).await?;
    report::write(desk.talk, &outcome, || text(&outcome.report, outcome.transfer.as_ref()))?;
    Ok(Answer::Yes)
}

/// What a dump did, and what has passed over the wire for it.
#[derive(Debug, serde::Serialize)]
pub struct DumpOutcome {
    /// What it did.
    #[serde(flatten)]
    pub report: DumpReport,
    /// Between Leeward and the source.
    pub transfer: Option<Leg>,
}

/// Opens what holds dumps.
///
/// # Errors
/// Those of the store.
pub async fn archive(desk: &Desk, url: &StoreUrl) -> Result<Archive, Failure> {
    Ok(Archive::new(wire::store::open(&desk.settings, url).await?))
}

/// Makes one dump.
///
/// # Errors
/// Whatever keeps it from being whole.
pub async fn make(
    desk: &Desk,
    to: &StoreUrl,
    (how, kind): (&DumpHow, DumpKind),
    stop: &CancellationToken,
) -> Result<DumpOutcome, Failure> {
    let servers = wire::source_alone(&desk.settings).await?;
    let archive = archive(desk, to).await?;
    let (plan, survey) = match &how.plan {
        Some(path) => planning::read(desk, path).await?,
        None => {
            let survey = planning::survey(desk).await?;
            (planning::plan(desk, &survey)?, survey)
        }
    };
    let options = DumpOptions {
        kind,
        shows: shows(how),
        parallel: how.parallel.map(usize::from),
        max_source_load: how.max_source_load,
        budget: Budget::new(desk.settings.memory_bytes),
        maker: maker(desk, &survey.server.version_text),
    };
    let bytes = plan.tables.iter().map(|table| table.data_bytes).sum();
    let show = Show::start(&desk.screen, Work::Dump, bytes);
    let dumped =
        dump::run(servers.as_ref(), &archive, (plan, &survey.objects), &options, (show.as_ref() as _, stop)).await;
    show.finish();
    let transfer = Leg::of_source(servers.as_ref(), (&wire::place(&desk.settings), &desk.settings.prices));
    Ok(DumpOutcome { report: dumped?, transfer })
}

/// Returns by whom a dump is made.
pub fn maker(desk: &Desk, server: &str) -> Maker {
    Maker {
        leeward: env!("CARGO_PKG_VERSION").to_owned(),
        server: server.to_owned(),
        process: wire::claim(&desk.settings).holder,
        clock: now,
    }
}

/// Reads this machine's clock.
pub fn now() -> NaiveDateTime {
    chrono::Utc::now().naive_utc()
}

fn shows(how: &DumpHow) -> Shows {
    match (how.spread, how.resume, how.no_lock) {
        (true, true, _) => Shows::Spread(Begin::WhereItWasLeft),
        (true, false, _) => Shows::Spread(Begin::Anew),
        (false, _, true) => Shows::OneMoment(Locks::Never),
        (false, _, false) => Shows::OneMoment(Locks::Brief),
    }
}

/// Says what a dump shows of the source.
pub fn moment_text(moment: &Moment) -> String {
    match moment {
        Moment::One { at, by, readers: 1 } => format!("all tables as they were at {} UTC, {}", time(*at), by.text()),
        Moment::One { at, by, readers } => {
            format!("all tables as they were at {} UTC, {} over {readers} connections", time(*at), by.text())
        }
        Moment::Spread { from } => format!(
            "each chunk as it was when it was read, from {} UTC on: NOT one moment, tables may contradict each other",
            time(*from)
        ),
    }
}

/// Prints a time to the second.
pub fn time(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Says what a dump did.
pub fn text(report: &DumpReport, transfer: Option<&Leg>) -> String {
    let mut lines = vec![
        format!(
            "Dumped {} tables to {} as {}: {} rows, {} in {} of objects.",
            report.tables,
            report.place,
            report.id,
            words::count(report.rows),
            words::bytes(report.bytes),
            words::bytes(report.stored_bytes)
        ),
        format!("It shows {}.", moment_text(&report.moment)),
    ];
    lines.extend(transfer.map(|leg| leg.line(Some(report.bytes))));
    if report.rows_kept > 0 {
        lines.push(format!("{} of the rows were there from an earlier run.", words::count(report.rows_kept)));
    }
    if report.waited_s > 0 {
        lines.push(format!("{} s were spent waiting for the source to be less busy.", report.waited_s));
    }
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    for (name, remedy) in &report.left_out {
        lines.push(format!("! {name} is not in it: {remedy}"));
    }
    lines.join("\n")
}
