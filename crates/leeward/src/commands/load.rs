//! `leeward load` and `leeward restore`: a dump, or one table of it, into a target. No source is needed.

use leeward_core::dump::{DumpId, Manifest};
use leeward_core::name::TableName;
use leeward_engine::budget::Budget;
use leeward_engine::load::{self, LoadOptions};
use leeward_engine::seed::SeedReport;

use super::{Desk, dump};
use crate::cli::{LoadArgs, RestoreArgs};
use crate::config::Mistakes;
use crate::progress::{Show, Work};
use crate::report::transfer::Leg;
use crate::report::words;
use crate::{Answer, Failure, report, shutdown, wire};

fn load_options(desk: &Desk, parallel: Option<u16>) -> LoadOptions {
    LoadOptions {
        claim: wire::claim(&desk.settings),
        parallel: parallel.map(usize::from),
        budget: Budget::new(desk.settings.memory_bytes),
    }
}

/// What a load did, with what it loaded.
#[derive(Debug, serde::Serialize)]
struct LoadReport<'a> {
    dump: &'a DumpId,
    moment: &'a leeward_core::dump::Moment,
    #[serde(flatten)]
    loaded: &'a SeedReport,
    /// Between Leeward and the target.
    transfer: Option<Leg>,
}

/// Loads a dump. The answer is no when a table was left for a person.
///
/// # Errors
/// Whatever keeps the load from being finished; run it again to go on.
pub async fn run(desk: &Desk, args: &LoadArgs) -> Result<Answer, Failure> {
    let stop = shutdown::listen()?;
    let servers = wire::target_alone(&desk.settings).await?;
    let archive = dump::archive(desk, &args.from).await?;
    let manifest = archive.manifest(args.id.as_ref()).await?;
    let (id, moment) = (manifest.id.clone(), manifest.moment.clone());
    let options = load_options(desk, args.parallel);
    let show = Show::start(&desk.screen, Work::Load, manifest.totals().1);
    let loaded = load::run(&servers, (&archive, manifest), &options, (show.as_ref(), &stop)).await;
    show.finish();
    let loaded = loaded?;
    let transfer = Leg::of_target(servers.as_ref());
    let report = LoadReport { dump: &id, moment: &moment, loaded: &loaded, transfer };
    report::write(desk.talk, &report, || {
        let mut lines = vec![
            format!(
                "Loaded dump {id}: {} tables, {} rows ({}) by this run.",
                loaded.tables,
                words::count(loaded.rows),
                words::bytes(loaded.bytes)
            ),
            format!("The target shows {}.", dump::moment_text(&moment)),
        ];
        lines.extend(rest(&report));
        lines.push("Next: with a source, `leeward seed` compares every row and brings the lane live.".to_owned());
        lines.join("\n")
    })?;
    Ok(if loaded.quarantined.is_empty() { Answer::Yes } else { Answer::No })
}

/// Restores one table. The answer is no when it was left for a person.
///
/// # Errors
/// Whatever keeps the table from being restored; run it again to go on.
pub async fn restore(desk: &Desk, args: &RestoreArgs) -> Result<Answer, Failure> {
    let stop = shutdown::listen()?;
    let servers = wire::target_alone(&desk.settings).await?;
    let archive = dump::archive(desk, &args.from).await?;
    let manifest = archive.manifest(args.id.as_ref()).await?;
    let table = find(&manifest, &args.table)?;
    let under = args.under.as_deref().map_or_else(|| Ok(table.clone()), read_name)?;
    let options = load_options(desk, args.parallel);
    let bytes = manifest.table(&table).map_or(0, |table| table.bytes);
    let show = Show::start(&desk.screen, Work::Load, bytes);
    let restored = load::restore(&servers, (&archive, &manifest), (&table, &under), &options, (show.as_ref(), &stop));
    let restored = restored.await;
    show.finish();
    let restored = restored?;
    let (id, moment) = (&manifest.id, &manifest.moment);
    let report = LoadReport { dump: id, moment, loaded: &restored, transfer: Leg::of_target(servers.as_ref()) };
    report::write(desk.talk, &report, || {
        let rows = words::count(restored.rows);
        let mut lines = vec![format!("Restored {table} as {under} from dump {id}: {rows} rows by this run.")];
        lines.push(format!("The dump shows {}.", dump::moment_text(moment)));
        lines.extend(rest(&report));
        lines.join("\n")
    })?;
    Ok(if restored.quarantined.is_empty() { Answer::Yes } else { Answer::No })
}

fn rest(LoadReport { loaded, transfer, .. }: &LoadReport<'_>) -> Vec<String> {
    let mut lines: Vec<String> = transfer.iter().map(|leg| leg.line(None)).collect();
    lines.extend(loaded.notes.iter().map(|note| format!("note: {note}")));
    for (name, reason, remedy) in &loaded.quarantined {
        lines.push(format!("! {name} was left out: {reason}"));
        lines.push(format!("  what to do: {remedy}"));
    }
    lines
}

/// Finds a table by its full name, which may hold dots.
fn find(manifest: &Manifest, text: &str) -> Result<TableName, Mistakes> {
    let found = manifest.tables.iter().find(|table| table.name.to_string() == text);
    found.map(|table| table.name.clone()).ok_or_else(|| {
        let mut mistakes = Mistakes::default();
        let id = &manifest.id;
        mistakes
            .missing(format!("dump {id} holds no table of the name given with --table; write it as DATABASE.TABLE"));
        mistakes
    })
}

fn read_name(text: &str) -> Result<TableName, Mistakes> {
    match text.split_once('.').filter(|(schema, table)| !schema.is_empty() && !table.is_empty()) {
        Some((schema, table)) => Ok(TableName::new(schema, table)),
        None => {
            let mut mistakes = Mistakes::default();
            mistakes.missing("the name given with --as is written as DATABASE.TABLE".to_owned());
            Err(mistakes)
        }
    }
}
