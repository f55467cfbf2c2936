//! Rows on the target against the cut, and what they may differ in.

use leeward_core::lane::{LaneRecord, LaneState, TableRecord, TableState};
use leeward_core::mark::Mark;

use crate::database::{Database, Shown, Snapshot};
use crate::row::{self, Row};
use crate::shape::Kind;
use crate::world::World;

/// What a commit's rows are held against.
pub(super) struct Bench<'a> {
    /// The world.
    pub world: &'a World,
    /// The cut.
    pub snapshot: &'a Snapshot,
    /// The target's rows.
    pub rows: &'a [Vec<Row>],
}

impl Bench<'_> {
    fn database(&self) -> &Database {
        &self.world.database
    }

    /// Holds a table's rows against its record and the cut.
    pub(super) fn check_table(&self, table: usize, record: &TableRecord, lane: &LaneRecord) -> Result<(), String> {
        let (there, here) = (&self.snapshot.tables[table], &self.rows[table]);
        here.iter().try_for_each(|row| self.check_real(table, row))?;
        let live = lane.state == LaneState::Live && record.state == TableState::Live;
        let kind = self.database().tables[table].kind;
        let settled = |row: &Row| match record.mark {
            Mark::None => false,
            Mark::Clock { settled } => row.at < row::micros(settled),
            Mark::Id { settled } => u64::from(row.id) <= settled,
        };
        for row in there.iter() {
            let held = here.binary_search_by_key(&row.id, |row| row.id).ok().map(|at| here[at]);
            if held == Some(*row) {
                continue;
            }
            let below = settled(row);
            if (live && matches!(kind, Kind::Append | Kind::Merge | Kind::MergeSeconds)) || below {
                let owes = if below { "it lies below the mark" } else { "the lane is live" };
                self.check_excused(table, row, held.as_ref())
                    .map_err(|how| format!("row {} of {} {how}, and {owes}", describe(row), record.name.table))?;
            }
        }
        if !live {
            return Ok(());
        }
        let extra = here.iter().filter(|row| there.binary_search_by_key(&row.id, |row| row.id).is_err());
        for row in extra {
            let looked = &self.world.judge;
            // Content answers for this very version; a key only for the row, which may have changed before it went.
            let by_content = self.database().versions[row.version as usize].ended <= looked.content.at(table, row.id);
            if by_content || self.gone(table, row.id) <= looked.keys.at(table, row.id) {
                let (row, name) = (describe(row), &record.name.table);
                return Err(format!(
                    "row {row} of {name} was deleted before its key was looked at, and is still there"
                ));
            }
        }
        Ok(())
    }

    /// Returns the commit that deleted a row which the cut does not hold.
    fn gone(&self, table: usize, id: u32) -> u32 {
        let of_row = self.database().versions.iter().filter(|version| {
            version.table == table && version.row.id == id && (1..=self.snapshot.seq).contains(&version.committed)
        });
        of_row.map(|version| version.ended).max().unwrap_or(u32::MAX)
    }

    /// No row is on the target that the source never had.
    fn check_real(&self, table: usize, row: &Row) -> Result<(), String> {
        let version = self.database().versions.get(row.version as usize);
        let real = version.is_some_and(|version| {
            version.table == table
                && version.row == *row
                && version.committed > 0
                && version.committed <= self.snapshot.seq.max(self.world.judge.cut)
        });
        match real {
            true => Ok(()),
            false => Err(format!("row {} of table {table} was never committed on the source", describe(row))),
        }
    }

    /// Returns how a row that is missing or old on the target breaks a promise, unless all that it lacks went unseen.
    fn check_excused(&self, table: usize, row: &Row, held: Option<&Row>) -> Result<(), String> {
        let versions = &self.database().versions;
        let equal_at = self.world.judge.content.at(table, row.id);
        let newest = &versions[row.version as usize];
        let behind = match held {
            None => "is missing".to_owned(),
            Some(held) => format!("is still {}", describe(held)),
        };
        if newest.committed <= equal_at {
            return Err(format!("{behind} although it was compared at #{equal_at}"));
        }
        let held = held.map(|held| held.version);
        if held.is_some_and(|held| versions[held as usize].ended <= equal_at) {
            return Err(format!("{behind}, which was gone before it was compared at #{equal_at}"));
        }
        // What the clock or id shows must be there; what came after it unseen need not.
        let mut at = Some(row.version);
        while let Some(version) = at {
            if held == Some(version) {
                return Ok(());
            }
            if versions[version as usize].shown == Shown::ByMark {
                return Err(format!("{behind}, lacks version {version} (#{})", versions[version as usize].committed));
            }
            at = versions[version as usize].before;
        }
        Ok(())
    }
}

fn describe(row: &Row) -> String {
    format!("{} (version {}, {})", row.id, row.version, crate::trace::clock(row.at))
}
