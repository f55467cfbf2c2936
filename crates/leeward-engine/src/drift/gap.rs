//! What separates a table's two definitions: the way from the target's to the source's, who goes it, and what a person is
//! told of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::NaiveDateTime;
use leeward_core::alteration::{Alteration, Effect, Statement, Verdict};
use leeward_core::brake::Brake;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::lane::{QuarantineCause, TableState};
use leeward_core::name::TableName;
use leeward_core::plan::PlannedTable;
use leeward_core::policy::OnDdl;
use leeward_core::port::{Definition, Event, RowsMeanwhile};
use leeward_core::table::Table;

use super::{Looks, Memory, Sides};
use crate::clock;
use crate::errand::Loss;
use crate::lane::{Lane, TableWork};

/// How long after an ALTER that could not begin the next try is made. Whoever waits behind it on the target waits two
/// seconds at a time, a fifth of the time at most.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// The server does not do this without keeping rows from being written (1845, 1846).
const NOT_ONLINE: [u16; 2] = [1845, 1846];

/// What separates a table's two definitions.
pub struct Gap {
    planned: Table,
    source: Definition,
    target: Option<Definition>,
    alteration: Alteration,
    statements: Vec<Statement>,
    trouble: Option<Trouble>,
    /// Whether the target can close it only while no rows are written.
    offline: bool,
    /// Whether rows were refused on the target although they should fit: the table waits until nothing separates the two.
    pub(super) refused_rows: bool,
}

/// Why a gap was not closed.
struct Trouble {
    why: String,
    again: Again,
    told: bool,
}

/// When an ALTER that failed is tried again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// When a definition has changed: the target has refused it.
    Never,
    /// From then on.
    At(Instant),
    /// When the table has been compared whole once more than this.
    AfterPass(Option<NaiveDateTime>),
}

impl Again {
    fn is_due(self, table: &TableWork) -> bool {
        match self {
            Again::Never => false,
            Again::At(moment) => clock::now() >= moment,
            Again::AfterPass(last) => table.record.scrub.verified_since != last,
        }
    }
}

/// Which statements of a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What rows wait for.
    Rows,
    /// What comes beside the rows.
    Beside,
    /// All of it.
    Whole,
}

/// An ALTER to be run on the target.
#[derive(Debug, Clone)]
pub struct Alter {
    /// The table.
    pub table: TableName,
    /// What to run, in order.
    pub statements: Vec<Statement>,
    /// Whether rows are written meanwhile.
    pub rows: RowsMeanwhile,
    /// What must be so before it is run, where values of the copy go by it.
    pub first: Option<Loss>,
}

/// Brings the gaps up to date: those alone are looked at closely of which a side, or the plan, has changed.
pub(super) async fn refresh(
    gaps: &mut BTreeMap<TableName, Gap>,
    lane: &Lane,
    looks: &mut Looks,
    sides: &Sides<'_>,
) -> Result<(), Fault> {
    let mut moved = Vec::new();
    for table in lane.tables.iter().filter(|table| is_watched(table)) {
        let Some(&there) = sides.source.get(table.planned.name()) else { continue };
        let here = sides.target.get(table.planned.name()).copied();
        let known = gaps.get(table.planned.name());
        if !known.is_some_and(|gap| gap.is_between(&table.planned.table, there, here)) {
            let gap = Gap::new(&table.planned.table, there.clone(), here.cloned());
            moved.push((gap, table.planned.ddl));
        }
    }
    let named: Vec<TableName> =
        moved.iter().filter(|(gap, ddl)| gap.needs_text(*ddl)).map(|(gap, _)| gap.name()).collect();
    let texts = if named.is_empty() { Vec::new() } else { looks.source.table_ddl(&named).await? };
    for (mut gap, _) in moved {
        let name = gap.name();
        if let Some((_, text)) = texts.iter().find(|(of, _)| *of == name) {
            gap.statements = looks.shape.alteration(&name, text, &gap.alteration).await?;
        } else if named.contains(&name) {
            continue;
        }
        gaps.insert(name, gap);
    }
    gaps.retain(|name, _| lane.tables.iter().any(|table| table.planned.name() == name));
    Ok(())
}

/// Returns whether every table is known for which a gap is to be known: one that was being copied has none before.
pub(super) fn are_complete(gaps: &BTreeMap<TableName, Gap>, lane: &Lane, sides: &Sides<'_>) -> bool {
    let mut watched = lane.tables.iter().filter(|table| is_watched(table)).map(|table| table.planned.name());
    watched.all(|name| gaps.contains_key(name) || !sides.source.contains_key(name))
}

fn is_watched(table: &TableWork) -> bool {
    !matches!(table.record.state, TableState::Planned | TableState::Seeding)
}

impl Gap {
    fn new(planned: &Table, source: Definition, target: Option<Definition>) -> Gap {
        let between = |target: &Definition| Alteration::between(planned, &source.table, &target.table);
        let alteration = target.as_ref().map(between).unwrap_or_default();
        Gap {
            planned: planned.clone(),
            source,
            target,
            alteration,
            statements: Vec::new(),
            trouble: None,
            offline: false,
            refused_rows: false,
        }
    }

    fn name(&self) -> TableName {
        self.source.table.name.clone()
    }

    fn is_between(&self, planned: &Table, source: &Definition, target: Option<&Definition>) -> bool {
        self.planned == *planned && self.source == *source && self.target.as_ref() == target
    }

    /// Returns whether the statements are to be worked out: they tell of comments, CHECKs and partitions too, which the
    /// shapes do not.
    fn needs_text(&self, ddl: OnDdl) -> bool {
        self.target.is_none() || !self.alteration.changes.is_empty() || ddl == OnDdl::Apply
    }

    /// Returns whether nothing separates the two that Leeward or a person is to change.
    pub(super) fn is_closed(&self) -> bool {
        self.target.is_some() && self.alteration.changes.is_empty() && self.statements.is_empty()
    }

    /// Returns whether the table has to wait.
    pub(super) fn touches_rows(&self) -> bool {
        let rows = self.statements.iter().any(|statement| statement.effect == Effect::Rows);
        let refused = self.refused_rows && !self.is_closed();
        self.target.is_none() || self.alteration.touches_rows() || rows || refused || self.offline
    }

    /// Returns whether it may be why the target refuses rows, although by what is known they fit.
    pub(super) fn may_refuse_rows(&self) -> bool {
        !self.is_closed()
    }

    /// Returns why Leeward does not close it, or that part of it, where it does not.
    fn left_to_a_person(&self, planned: &PlannedTable, part: Part) -> Option<String> {
        if planned.ddl == OnDdl::Report {
            return Some(String::new());
        }
        let concerns = |effect: Effect| part != Part::Rows || effect == Effect::Rows;
        let changes =
            self.alteration.changes.iter().filter(|one| concerns(one.effect)).map(|one| (&one.what, one.verdict));
        let statements = self.statements.iter().filter(|one| concerns(one.effect)).map(|one| (&one.sql, one.verdict));
        let mut why: Vec<String> = Vec::new();
        for (_, verdict) in changes.chain(statements) {
            if let Verdict::Person(text) = verdict
                && !why.iter().any(|known| known == text)
            {
                why.push(text.to_owned());
            }
        }
        let refused = self.trouble.as_ref().filter(|trouble| trouble.again == Again::Never);
        why.extend(refused.map(|trouble| trouble.why.clone()));
        (!why.is_empty()).then(|| why.join("; "))
    }

    /// Returns how the table is quarantined as long as it lasts.
    pub(super) fn quarantine(&self, planned: &PlannedTable) -> (QuarantineCause, String, String) {
        let name = planned.name();
        let mut reason = match (&self.target, self.alteration.changes.is_empty()) {
            (None, _) => format!("{name} is gone on the target"),
            (Some(_), true) => format!("the definition of {name} differs between source and target"),
            (Some(_), false) => {
                format!("the definition of {name} differs between source and target: {}", self.alteration.text())
            }
        };
        let statements: Vec<&str> = self.statements.iter().map(|one| one.sql.as_str()).collect();
        let person = self.left_to_a_person(planned, if self.refused_rows { Part::Whole } else { Part::Rows });
        if let Some(why) = person.as_ref().filter(|why| !why.is_empty()) {
            reason.push_str(&format!("; Leeward does not make it so itself: {why}"));
        }
        let remedy = match (statements.is_empty(), person.is_some()) {
            (true, _) => {
                format!("compare SHOW CREATE TABLE {name} of both sides, and make the target's like the source's")
            }
            (false, true) => format!("run on the target: {}", statements.join("; ")),
            (false, false) => format!("{}Leeward runs on the target: {}", self.waits_for(), statements.join("; ")),
        };
        (QuarantineCause::DefinitionDrift, reason, remedy)
    }

    fn waits_for(&self) -> String {
        self.trouble.as_ref().map_or(String::new(), |trouble| format!("{}, and it is tried again; ", trouble.why))
    }

    /// Returns why an ALTER that no row waits for has not come to its end, once.
    pub(super) fn tell_trouble(&mut self) -> Option<Event> {
        let name = self.name();
        let trouble = self.trouble.as_mut().filter(|trouble| !trouble.told)?;
        trouble.told = true;
        let text = format!("{name} is not altered on the target yet: {}", trouble.why);
        Some(Event { kind: "drift".into(), table: Some(name), text })
    }

    /// Returns what to say of a difference that no row waits for: of one that the source has made, or that Leeward is to close.
    pub(super) fn beside(&self, planned: &PlannedTable) -> Option<String> {
        let person = self.left_to_a_person(planned, Part::Whole);
        let made_there = self.planned != self.source.table || planned.ddl == OnDdl::Apply;
        if self.is_closed() || !made_there {
            return None;
        }
        let what = match self.alteration.changes.is_empty() {
            true => "comments, checks or options differ".to_owned(),
            false => self.alteration.text(),
        };
        let statements: Vec<&str> = self.statements.iter().map(|one| one.sql.as_str()).collect();
        let remedy = match (&person, statements.is_empty()) {
            (_, true) => "the target is left as it is".to_owned(),
            (Some(why), false) if why.is_empty() => format!("run on the target: {}", statements.join("; ")),
            (Some(why), false) => format!("{why}; run on the target: {}", statements.join("; ")),
            (None, false) => format!("Leeward runs on the target: {}", statements.join("; ")),
        };
        Some(format!("{what}; {remedy}"))
    }

    /// Returns what Leeward is to run now, if anything.
    fn errand(&self, table: &TableWork, brake: Brake) -> Option<Alter> {
        let due = self.trouble.as_ref().is_none_or(|trouble| trouble.again.is_due(table));
        let for_a_person = |effect: Effect| {
            self.alteration.changes.iter().any(|one| one.effect == effect && one.verdict != Verdict::Safe)
        };
        if table.planned.ddl == OnDdl::Report || self.target.is_none() || !due || for_a_person(Effect::Rows) {
            return None;
        }
        let (part, rows) = match &table.record.state {
            TableState::Quarantined { cause: QuarantineCause::DefinitionDrift, .. } => {
                let whole = self.offline || self.refused_rows;
                (if whole { Part::Whole } else { Part::Rows }, RowsMeanwhile::Waiting)
            }
            // A unique index is added to rows that have been compared, or it would meet what the source has deleted.
            TableState::Live => (Part::Beside, RowsMeanwhile::Written),
            _ => return None,
        };
        let chosen = |statement: &&Statement| match (part, statement.effect) {
            _ if statement.verdict != Verdict::Safe => false,
            (Part::Whole, _) | (Part::Rows, Effect::Rows) | (Part::Beside, Effect::Beside) => true,
            _ => false,
        };
        let statements: Vec<Statement> = self.statements.iter().filter(chosen).cloned().collect();
        let first = self.loss(&table.planned, brake);
        (!statements.is_empty()).then(|| Alter { table: self.name(), statements, rows, first })
    }

    fn loss(&self, planned: &PlannedTable, brake: Brake) -> Option<Loss> {
        let target = self.target.as_ref().filter(|_| !self.alteration.dropped.is_empty())?;
        let by = |table: &Table| PlannedTable { table: table.clone(), ..planned.clone() };
        Some(Loss {
            source: by(&self.source.table),
            target: by(&target.table),
            rows_max: brake.limit(planned.rows_estimate),
        })
    }

    /// Takes in why an ALTER did not come to its end.
    fn failed(&mut self, fault: &Fault, table: Option<&TableWork>) {
        let soon = Again::At(clock::now() + TRY_AGAIN_AFTER);
        let (why, again) = match &fault.kind {
            FaultKind::Conflict => {
                ("somebody holds the table on the target (a long query or an open transaction)".to_owned(), soon)
            }
            // Rows that the source has deleted: the scrub has to find them first.
            FaultKind::UniqueConflict => (
                "rows of the copy stand in the way of a unique index".to_owned(),
                Again::AfterPass(table.and_then(|table| table.record.scrub.verified_since)),
            ),
            FaultKind::Refused(why) => (why.clone(), Again::Never),
            FaultKind::Server(code) if NOT_ONLINE.contains(code) && !self.offline => {
                self.offline = true;
                return;
            }
            FaultKind::Server(code) => (format!("the target refuses it with error {code}"), Again::Never),
            _ => (fault.to_string(), soon),
        };
        self.trouble = Some(Trouble { why, again, told: false });
    }
}

impl Memory {
    /// Returns the ALTER that is to be run next.
    pub fn next_alter(&self, lane: &Lane) -> Option<Alter> {
        if self.outdated || self.altering.is_some() {
            return None;
        }
        let brake = lane.plan.settings.brake;
        lane.tables.iter().find_map(|table| self.gaps.get(table.planned.name())?.errand(table, brake))
    }

    /// Returns whether tables were seen about which something is still to be decided.
    pub fn awaits_newcomers(&self) -> bool {
        self.newcomers.awaited()
    }

    /// Returns whether an ALTER is under way or would be run sooner or later.
    pub fn is_altering(&self, lane: &Lane) -> bool {
        self.altering.is_some() || self.outdated || self.next_alter(lane).is_some()
    }

    /// Takes in how an ALTER ended and returns what to store: each statement that was run.
    pub fn altered(&mut self, lane: &Lane, (name, ran): (&TableName, &[String]), fault: Option<&Fault>) -> Vec<Event> {
        (self.altering, self.outdated) = (None, true);
        if let (Some(gap), Some(fault)) = (self.gaps.get_mut(name), fault) {
            gap.failed(fault, lane.tables.iter().find(|table| table.planned.name() == name));
        }
        let text = |sql: &String| format!("{name} was altered on the target: {sql}");
        ran.iter().map(|sql| Event { kind: "ddl_applied".into(), table: Some(name.clone()), text: text(sql) }).collect()
    }
}
