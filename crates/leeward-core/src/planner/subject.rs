//! One table under consideration, and the plain questions about it that classification asks. Answers are taken from
//! the survey as they are; what follows from them is decided elsewhere.

use crate::mark::{Contradicted, Contradiction};
use crate::measure;
use crate::policy::Policy;
use crate::server::Observed;
use crate::survey::{ObjectKind, Survey, TableSurvey, WriteCounters};
use crate::table::{Column, Key};

/// One table with everything that may bear on it.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) seen: &'a TableSurvey,
    pub(super) survey: &'a Survey,
    pub(super) policy: &'a Policy,
}

/// Whether reading the whole table in every cycle is a burden.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// It costs next to nothing.
    Small,
    /// It is felt.
    Large,
}

/// What a trigger can do to a column, as far as its text tells.
pub(super) enum TriggerHint<'a> {
    /// This trigger names the column.
    Names(&'a str),
    /// This trigger's text could not be read.
    Unread(&'a str),
}

/// Integer types, the only ones that a counter's mark can be kept in.
const INTEGERS: [&str; 5] = ["tinyint", "smallint", "mediumint", "int", "bigint"];

impl<'a> Subject<'a> {
    /// Returns the best guess at the number of rows. A statistic of 0 is not believed over rows seen (T35).
    pub(super) fn rows(&self) -> u64 {
        self.seen.rows_estimate.max(self.seen.rows_at_least)
    }

    /// Returns whether the table is cheap to read whole. Rows without bytes mean that the statistics are stale, and an
    /// unknown extent counts as large.
    pub(super) fn extent(&self) -> Extent {
        let limits = self.policy.classify();
        let sized = self.seen.data_bytes > 0 || self.seen.rows_at_least == 0;
        let small = sized && self.rows() <= limits.whole_rows_max && self.seen.data_bytes <= limits.whole_bytes_max;
        if small { Extent::Small } else { Extent::Large }
    }

    /// Returns the write counters, where there are any.
    pub(super) fn counters(&self) -> Option<&'a WriteCounters> {
        self.seen.writes.known()
    }

    /// Returns the write counters, where they cover enough time to say that something does *not* happen.
    pub(super) fn telling_counters(&self) -> Option<&'a WriteCounters> {
        self.counters().filter(|counted| counted.over_seconds >= self.policy.classify().counters_over_s_min)
    }

    /// Returns the write counters as a sentence.
    pub(super) fn counted(&self) -> Option<String> {
        let counted = self.counters()?;
        let [inserts, updates, deletes] =
            [(counted.inserts, "insert"), (counted.updates, "update"), (counted.deletes, "delete")]
                .map(|(number, noun)| measure::counted(number, noun));
        let over = measure::span(counted.over_seconds);
        Some(format!("the server counted {inserts}, {updates} and {deletes} in {over}"))
    }

    /// Returns for how many seconds no row has been written, as far as that is known: by counters that stand at zero,
    /// else by the time of the last write. `UPDATE_TIME` is lost at a restart, so that it is missing says nothing.
    pub(super) fn quiet_s(&self) -> Option<u64> {
        if let Some(counted) = self.counters() {
            let writes = counted.inserts.saturating_add(counted.updates).saturating_add(counted.deletes);
            return (writes == 0).then_some(counted.over_seconds);
        }
        let last = self.seen.update_time?;
        u64::try_from((self.survey.at - last).num_seconds()).ok()
    }

    /// Returns whether a comparison has shown this of the table.
    pub(super) fn shown(&self, any_of: &[Contradiction]) -> bool {
        self.findings(any_of).next().is_some()
    }

    /// Returns whether the policy names a column that marks rows as deleted.
    pub(super) fn is_soft_deleted(&self) -> bool {
        self.policy.rule_for(&self.seen.table.name).is_some_and(|rule| rule.known.soft_delete.is_some())
    }

    /// Returns what comparisons have shown of the table, less what a person has forgiven.
    fn findings(&self, any_of: &[Contradiction]) -> impl Iterator<Item = &'a Contradicted> {
        let rule = self.policy.rule_for(&self.seen.table.name);
        let forgiven_until = rule.and_then(|rule| rule.known.forgiven_until);
        let counts = move |shown: &&Contradicted| any_of.contains(&shown.what) && !shown.is_forgiven(forgiven_until);
        self.seen.contradictions.iter().filter(counts)
    }

    /// Returns how many rows comparisons have found so, and when the last, as far as that was written down: `rows`, or
    /// `12 rows (last 2026-11-03)`.
    pub(super) fn found_rows(&self, any_of: &[Contradiction]) -> String {
        let (mut rows, mut last) = (0u64, None);
        for shown in self.findings(any_of) {
            rows = rows.saturating_add(shown.rows);
            last = last.max(shown.last_at);
        }
        match last {
            Some(last) if rows > 0 => format!("{} (last {})", measure::counted(rows, "row"), last.format("%Y-%m-%d")),
            _ => "rows".to_owned(),
        }
    }

    /// Returns the column that `append` can follow: an AUTO_INCREMENT column of an integer type that is the first part
    /// of an index, so that `id > x` is cheap.
    pub(super) fn counter_column(&self) -> Option<&'a Column> {
        let column = self.seen.table.auto_increment()?;
        let integer = INTEGERS.contains(&column.data_type.as_str());
        (integer && column.generated.is_none() && self.index_on(column).is_some()).then_some(column)
    }

    /// Returns the name of an index that begins with the whole column. An index that only finds equal values does not
    /// count.
    pub(super) fn index_on(&self, column: &Column) -> Option<&'a str> {
        let begins = |key: &&Key| {
            let first = key.parts.first();
            let named = first.and_then(|part| part.column.as_deref()).is_some_and(|it| same(it, &column.name));
            named
                && first.is_some_and(|part| part.prefix_chars.is_none())
                && (key.method.is_empty() || key.method.eq_ignore_ascii_case("BTREE"))
        };
        self.seen.table.keys.iter().find(begins).map(|key| key.name.as_str())
    }

    /// Returns a foreign key by which the server changes rows of this table without setting their clock (T5).
    pub(super) fn silent_cascade(&self) -> Option<(&'a str, String)> {
        let rewrites = |rule: &str| ["CASCADE", "SET NULL", "SET DEFAULT"].contains(&rule);
        self.seen.table.foreign_keys.iter().find_map(|key| {
            if rewrites(key.on_update.as_str()) {
                return Some((key.name.as_str(), format!("ON UPDATE {}", key.on_update)));
            }
            let cleared = key.on_delete != "CASCADE" && rewrites(key.on_delete.as_str());
            cleared.then(|| (key.name.as_str(), format!("ON DELETE {}", key.on_delete)))
        })
    }

    /// Returns a foreign key by which rows of this table are deleted together with their parent.
    pub(super) fn deleting_cascade(&self) -> Option<&'a str> {
        let key = self.seen.table.foreign_keys.iter().find(|key| key.on_delete == "CASCADE")?;
        Some(key.name.as_str())
    }

    /// Returns a trigger on this table that may write the column itself.
    pub(super) fn trigger_on(&self, column: &Column) -> Option<TriggerHint<'a>> {
        let triggers = self.survey.objects.iter().filter(|object| {
            object.kind == ObjectKind::Trigger && object.on_table.as_ref() == Some(&self.seen.table.name)
        });
        let name = column.name.to_ascii_lowercase();
        let mut hints = triggers.filter_map(|trigger| match &trigger.ddl {
            Observed::Known(ddl) if !ddl.to_ascii_lowercase().contains(&name) => None,
            Observed::Known(_) => Some(TriggerHint::Names(&trigger.name.table)),
            Observed::Unknown(_) => Some(TriggerHint::Unread(&trigger.name.table)),
        });
        hints.next()
    }
}

/// Compares two column names as the server does, without case.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}
