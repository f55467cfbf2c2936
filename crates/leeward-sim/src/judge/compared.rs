//! What comparisons claim, and what the brake lets go.

use leeward_core::lane::{ScrubRecord, TableRecord, TableState};
use leeward_core::row::KeyCells;

use super::Commit;
use crate::database::Snapshot;
use crate::row::{self, Row};
use crate::world::World;

/// A range that a record newly counts as looked at.
struct Claim {
    /// Whether a pass began with it.
    begins: bool,
    /// Whether a pass ended with it.
    ends: bool,
    /// The first id.
    from: u32,
    /// The last id; nothing for all that follow.
    upto: Option<u32>,
}

fn is_out(record: &TableRecord) -> bool {
    matches!(record.state, TableState::Quarantined { .. })
}

fn id(after: Option<&Vec<String>>) -> Option<u32> {
    KeyCells::from_hex(after?.iter().map(String::as_str)).as_ref().map(row::id)
}

impl Claim {
    /// Returns what a record newly claims of content.
    fn of_content(old: &TableRecord, new: &TableRecord) -> Option<Claim> {
        let between = |scrub: &ScrubRecord| scrub.pass_ended.filter(|_| scrub.pass_began.is_none());
        let ends = between(&new.scrub).is_some() && new.scrub.pass_ended != old.scrub.pass_ended;
        // A table that comes back begins anew.
        let begins = old.scrub.pass_began.is_none() || is_out(old);
        let goes_on = new.scrub.after.is_some() && (begins || new.scrub.after != old.scrub.after);
        let from = id(old.scrub.after.as_ref()).filter(|_| !begins).map_or(0, |after| after + 1);
        let claim = Claim { begins, ends, from, upto: id(new.scrub.after.as_ref()) };
        ((ends || goes_on) && !is_out(new)).then_some(claim)
    }

    /// Returns what a record newly claims of keys.
    fn of_keys(old: &TableRecord, new: &TableRecord) -> Option<Claim> {
        let ends = new.keys.after.is_none() && new.keys.since != old.keys.since;
        let goes_on = new.keys.after.is_some() && new.keys.after != old.keys.after;
        let from = id(old.keys.after.as_ref()).map_or(0, |after| after + 1);
        let claim = Claim { begins: old.keys.began.is_none(), ends, from, upto: id(new.keys.after.as_ref()) };
        ((ends || goes_on) && !is_out(new)).then_some(claim)
    }
}

impl Commit {
    /// Holds a table's records of comparisons against what the two sides hold: a range counts as looked at only if it is
    /// equal, and nothing goes past the brake.
    pub(super) fn check_compared(
        &self,
        world: &mut World,
        (table, new): (usize, &TableRecord),
        snapshot: &Snapshot,
    ) -> Result<(), String> {
        let old = world.target.records[table].clone();
        self.check_brake(world, table, (&old, new), snapshot)?;
        let (there, here) = (&snapshot.tables[table], &self.tables[table]);
        let last = |rows: &[Row]| rows.last().map_or(0, |row| row.id);
        let end = last(there).max(last(here)).max(world.database.tables[table].counter);
        if old.keys.began.is_none() && new.keys.began.is_some() {
            world.judge.keys.begin(table, snapshot.seq);
        }
        let name = &new.name.table;
        if let Some(claim) = Claim::of_content(&old, new) {
            if within(there, &claim) != within(here, &claim) {
                return Err(format!("ids from {} of {name} count as compared and differ", claim.from));
            }
            let left_out =
                world.judge.content.take_in(table, (claim.from, claim.upto.unwrap_or(end)), snapshot.seq, &claim);
            told(left_out, "a comparison", name)?;
        }
        if let Some(claim) = Claim::of_keys(&old, new) {
            let ids = |rows: &[Row]| -> Vec<u32> { within(rows, &claim).iter().map(|row| row.id).collect() };
            if ids(there) != ids(here) {
                return Err(format!("keys from {} of {name} count as counted and differ", claim.from));
            }
            let left_out =
                world.judge.keys.take_in(table, (claim.from, claim.upto.unwrap_or(end)), snapshot.seq, &claim);
            told(left_out, "a count of keys", name)?;
        }
        Ok(())
    }

    fn check_brake(
        &self,
        world: &World,
        table: usize,
        (old, new): (&TableRecord, &TableRecord),
        snapshot: &Snapshot,
    ) -> Result<(), String> {
        let (name, kept) = (&new.name.table, &self.tables[table]);
        let gone = world.target.tables[table].iter().filter(|row| {
            kept.binary_search_by_key(&row.id, |kept| kept.id).is_err() && !self.displaced.contains(&(table, row.id))
        });
        let gone = gone.count() as u64;
        let anew = new.scrub.pass_began != old.scrub.pass_began || new.scrub.pass_ended != old.scrub.pass_ended;
        let told = match anew && (old.scrub.pass_began.is_none() || is_out(old)) {
            true => new.scrub.rows_deleted,
            false => new.scrub.rows_deleted.saturating_sub(old.scrub.rows_deleted),
        };
        if gone > told {
            return Err(format!("{gone} rows of {name} were deleted, and {told} are told of"));
        }
        if world.quiet {
            return Ok(());
        }
        let released = old.released.map_or(world.target.agreed(old), |released| released.rows);
        if gone > released && kept.is_empty() && snapshot.tables[table].is_empty() {
            return Err(format!("the copy of {name} was emptied because its source is empty"));
        }
        let limit = world.style.terms.brake_rows + released;
        if gone > 0 && new.scrub.spent() > limit {
            let spent = new.scrub.spent();
            return Err(format!(
                "{spent} rows of {name} were overwritten or deleted in one pass; the brake is at {limit}"
            ));
        }
        if new.scrub.rows_agreed > world.target.agreed_in_all[table] {
            return Err(format!("rows of {name} count as agreed to, and nobody has agreed"));
        }
        Ok(())
    }
}

fn within(rows: &[Row], claim: &Claim) -> Vec<Row> {
    let wanted = |row: &&Row| row.id >= claim.from && claim.upto.is_none_or(|upto| row.id <= upto);
    rows.iter().filter(wanted).copied().collect()
}

fn told(left_out: Option<u32>, who: &str, name: &str) -> Result<(), String> {
    match left_out {
        None => Ok(()),
        Some(id) => Err(format!("{who} of {name} counts as whole and has left out id {id}")),
    }
}

/// What has been looked at, and when: by content or by keys.
#[derive(Debug)]
pub(crate) struct Looked {
    /// For each table and id, the last cut at which both sides were found or made equal.
    at: Vec<Vec<u32>>,
    /// The same for ids that have no entry.
    first: u32,
    /// For each table, the cut at which its running pass began.
    began: Vec<u32>,
    /// For each table, the cut at which its last whole pass began.
    pub ended: Vec<Option<u32>>,
}

impl Looked {
    /// Makes one for tables that have not been looked at.
    pub(super) fn new(tables: usize) -> Looked {
        Looked { at: vec![Vec::new(); tables], first: 0, began: vec![0; tables], ended: vec![None; tables] }
    }

    /// Notes that both sides are equal from the start.
    pub(super) fn copied(&mut self, seq: u32) {
        self.first = seq;
    }

    /// Returns the last cut at which an id was looked at.
    pub(super) fn at(&self, table: usize, id: u32) -> u32 {
        self.at[table].get(id as usize).copied().unwrap_or(self.first)
    }

    fn begin(&mut self, table: usize, seq: u32) {
        self.began[table] = seq;
    }

    /// Takes a claim in. Returns an id that a whole pass has left out.
    fn take_in(&mut self, table: usize, (from, upto): (u32, u32), seq: u32, claim: &Claim) -> Option<u32> {
        if claim.begins {
            self.begin(table, seq);
        }
        let all = &mut self.at[table];
        if all.len() <= upto as usize {
            all.resize(upto as usize + 1, self.first);
        }
        if from <= upto {
            all[from as usize..=upto as usize].fill(seq);
        }
        if !claim.ends {
            return None;
        }
        let began = self.began[table];
        self.ended[table] = Some(began);
        (0..=upto).find(|id| self.at(table, *id) < began)
    }
}
