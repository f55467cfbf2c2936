//! `leeward accept`: what the brake has stopped, and a person's agreement to it. Only the target is asked. Nothing is
//! repaired here: whoever holds the lease takes the agreement up.

use globset::Glob;
use leeward_core::brake::Acceptance;
use leeward_core::lane::{QuarantineCause, TableRecord, TableState};
use leeward_core::name::Side;
use leeward_core::port::{Control, Event, LeaseRecord};

use super::Desk;
use crate::cli::AcceptArgs;
use crate::config::Mistakes;
use crate::report::accept::{AcceptReport, Held};
use crate::report::text::Paint;
use crate::{Answer, Failure, report, wire};

/// Lists what waits, or agrees to what is named. The answer is no while something waits that nobody has agreed to.
///
/// # Errors
/// Names that nothing waits for, all at once, and whatever keeps the target from being read.
pub async fn run(desk: &Desk, args: &AcceptArgs) -> Result<Answer, Failure> {
    let lane = desk.settings.policy.settings().lane.clone();
    let mut control = wire::control(&wire::endpoint(&desk.settings, Side::Target).await?).await?;
    let tables = read(control.as_mut(), &lane).await?;
    let chosen = choose(&tables, &args.tables)?;
    let mut held = held(control.as_mut(), &lane, &chosen).await?;
    let lease = control.lease_holder(&lane).await?;
    if !args.tables.is_empty() {
        refuse_promoted(lease.as_ref())?;
        agree(control.as_mut(), &lane, &mut held, &wire::person(&desk.settings)).await?;
    }
    let running = lease.is_some_and(|lease| lease.is_held());
    let report = AcceptReport::new(&lane, held, running);
    report::write(desk.talk, &report, || report.text(Paint::of_stdout(desk.talk)))?;
    Ok(if report.waits_for_nobody() { Answer::Yes } else { Answer::No })
}

async fn read(control: &mut dyn Control, lane: &str) -> Result<Vec<TableRecord>, Failure> {
    let known = control.exists().await? && control.lane(lane).await?.is_some();
    if !known {
        let mut mistakes = Mistakes::default();
        mistakes.missing(format!(
            "lane {lane} has not been seeded into this target; the lane is the one that the policy names (lane.name), so \
             give the policy that `leeward sync` runs with"
        ));
        return Err(mistakes.into());
    }
    Ok(control.tables(lane).await?)
}

/// Nobody repairs a target that has been promoted, so there is nothing to agree to.
fn refuse_promoted(lease: Option<&LeaseRecord>) -> Result<(), Mistakes> {
    let mut mistakes = Mistakes::default();
    if lease.is_some_and(|lease| lease.promoted) {
        mistakes.missing("the target has been promoted: no Leeward may write it, and nothing will be repaired");
    }
    mistakes.or(())
}

/// Returns the tables to show: those that are named, or all that the brake holds.
fn choose<'t>(tables: &'t [TableRecord], patterns: &[String]) -> Result<Vec<&'t TableRecord>, Mistakes> {
    if patterns.is_empty() {
        return Ok(tables.iter().filter(|table| is_held(table)).collect());
    }
    let mut mistakes = Mistakes::default();
    let mut chosen = Vec::new();
    for pattern in patterns {
        let glob = match Glob::new(pattern) {
            Ok(glob) => glob.compile_matcher(),
            Err(error) => {
                mistakes.missing(format!("{pattern} is no glob: {}", error.kind()));
                continue;
            }
        };
        let named: Vec<&TableRecord> = tables.iter().filter(|table| glob.is_match(table.name.to_string())).collect();
        let waiting: Vec<&TableRecord> = named.iter().copied().filter(|table| is_held(table)).collect();
        match (named.as_slice(), waiting.is_empty()) {
            ([], _) => mistakes.missing(format!("{pattern} matches no table of the lane; `leeward status` lists them")),
            ([table], true) => mistakes.missing(format!("nothing waits for {}: it is {}", table.name, word(table))),
            (_, true) => mistakes.missing(format!("nothing waits for any table that {pattern} matches")),
            (_, false) => chosen.extend(waiting),
        }
    }
    for table in chosen.iter().filter(|table| table.brake.is_none()) {
        mistakes.missing(format!(
            "{0} was stopped by a Leeward that kept no evidence, so there is nothing to agree to: stop `leeward sync` and \
             run `leeward verify --repair --tables {0}`",
            table.name
        ));
    }
    chosen.sort_by(|a, b| a.name.cmp(&b.name));
    chosen.dedup_by(|a, b| a.name == b.name);
    mistakes.or(chosen)
}

fn is_held(table: &TableRecord) -> bool {
    matches!(table.state, TableState::Quarantined { cause: QuarantineCause::Brake, .. })
}

fn word(table: &TableRecord) -> &'static str {
    match table.state {
        TableState::Planned => "not copied yet",
        TableState::Seeding => "being copied",
        TableState::CatchingUp | TableState::Joining { .. } => "being caught up",
        TableState::Live => "live",
        TableState::Quarantined { .. } => "quarantined, but not by the brake; `leeward status` says why",
    }
}

/// Pairs each table with what has been agreed to of it.
async fn held(control: &mut dyn Control, lane: &str, tables: &[&TableRecord]) -> Result<Vec<Held>, Failure> {
    // Where the brake has kept evidence there is a place for agreements; an older Leeward's target has none.
    let accepted = match tables.iter().any(|table| table.brake.is_some()) {
        true => control.acceptances(lane).await?,
        false => Vec::new(),
    };
    let held = tables.iter().map(|table| {
        let cycle = table.brake.as_ref().map(|seen| seen.cycle);
        let agreed = accepted.iter().find(|(_, it)| it.table == table.name && Some(it.cycle) == cycle);
        Held::new(table, agreed)
    });
    Ok(held.collect())
}

/// Stores the agreement to each table as it is shown.
async fn agree(control: &mut dyn Control, lane: &str, held: &mut [Held], person: &str) -> Result<(), Failure> {
    let mut mistakes = Mistakes::default();
    for table in held {
        let Some(seen) = &table.evidence else { continue };
        let acceptance =
            Acceptance { table: table.name.clone(), cycle: seen.cycle, rows: seen.rows(), by: person.to_owned() };
        if !control.accept(lane, &acceptance).await? {
            mistakes.missing(format!("{} no longer waits with what is shown here; look again", table.name));
            continue;
        }
        let text = format!("{}: {person} agrees that {} rows may go", table.name, acceptance.rows);
        control.add_events(lane, &[Event { kind: "accepted".into(), table: Some(table.name.clone()), text }]).await?;
        table.agreed = Some((control.now().await?, acceptance));
    }
    Ok(mistakes.or(())?)
}
