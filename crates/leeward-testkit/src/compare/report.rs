//! What a comparison found, as data and as text.
//!
//! Names rows by their keys, never by other values; the keys named are bounded, the counts are exact.

use std::fmt;

/// The result of comparing two servers.
#[must_use = "an unread report proves nothing"]
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// One entry for each table that either side has, by database and name.
    pub tables: Vec<TableReport>,
}

/// Which side has the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Both sides.
    Both,
    /// The source only.
    SourceOnly,
    /// The target only.
    TargetOnly,
}

/// What the comparison of definitions said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// The scope left definitions out, or one side has no such table.
    LeftOut,
    /// The definitions agree.
    Equal,
    /// The definitions differ.
    Different,
}

/// Whether the rows could be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsRead {
    /// Every row of both sides was read and compared.
    Compared,
    /// One side has no such table.
    OneSideOnly,
    /// The columns or the key differ, so no row can equal another.
    ColumnsDiffer,
}

/// Rows of one kind of difference.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Differences {
    /// How many rows.
    pub count: u64,
    /// Keys of some of them, at most twenty, in no order; the
    /// start of the row's hash where the table has no primary key.
    pub keys: Vec<String>,
}

/// The result for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableReport {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
    /// Which side has it.
    pub presence: Presence,
    /// What the definitions say.
    pub schema: SchemaState,
    /// Whether the rows could be compared.
    pub rows_read: RowsRead,
    /// Rows read on the source.
    pub source_rows: u64,
    /// Rows read on the target.
    pub target_rows: u64,
    /// Rows of the source that the target lacks.
    pub missing: Differences,
    /// Rows of the target that the source lacks.
    pub extra: Differences,
    /// Rows whose key both sides have, with other values.
    pub different: Differences,
}

impl Report {
    /// Returns whether both sides hold the same tables and rows. A report of nothing is not equal.
    pub fn is_equal(&self) -> bool {
        !self.tables.is_empty() && self.tables.iter().all(TableReport::is_equal)
    }

    /// Returns the tables that differ.
    pub fn unequal(&self) -> impl Iterator<Item = &TableReport> {
        self.tables.iter().filter(|table| !table.is_equal())
    }

    /// Returns the rows that were compared on the source, over all tables.
    pub fn source_rows(&self) -> u64 {
        self.tables.iter().map(|table| table.source_rows).sum()
    }

    /// Returns the result for one table.
    pub fn table(&self, database: &str, table: &str) -> Option<&TableReport> {
        self.tables.iter().find(|entry| entry.database == database && entry.table == table)
    }
}

impl TableReport {
    pub(super) fn new((database, table): (&str, &str), presence: Presence) -> Self {
        Self {
            database: database.to_owned(),
            table: table.to_owned(),
            presence,
            schema: SchemaState::LeftOut,
            rows_read: match presence {
                Presence::Both => RowsRead::Compared,
                Presence::SourceOnly | Presence::TargetOnly => RowsRead::OneSideOnly,
            },
            source_rows: 0,
            target_rows: 0,
            missing: Differences::default(),
            extra: Differences::default(),
            different: Differences::default(),
        }
    }

    /// Returns whether definition (where compared) and rows agree.
    pub fn is_equal(&self) -> bool {
        self.presence == Presence::Both
            && self.schema != SchemaState::Different
            && self.rows_read == RowsRead::Compared
            && [&self.missing, &self.extra, &self.different].iter().all(|rows| rows.count == 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unequal = self.unequal().count();
        if self.is_equal() {
            return write!(f, "equal: {} tables, {} rows", self.tables.len(), self.source_rows());
        }
        write!(f, "not equal: {unequal} of {} tables differ", self.tables.len())?;
        for table in self.unequal() {
            write!(f, "\n  {table}")?;
        }
        Ok(())
    }
}

impl fmt::Display for TableReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}:", self.database, self.table)?;
        match self.presence {
            Presence::Both => {}
            Presence::SourceOnly => return write!(f, " on the source only ({} rows)", self.source_rows),
            Presence::TargetOnly => return write!(f, " on the target only ({} rows)", self.target_rows),
        }
        write!(f, " {} rows on the source, {} on the target", self.source_rows, self.target_rows)?;
        if self.schema == SchemaState::Different {
            write!(f, "; the definitions differ")?;
        }
        if self.rows_read == RowsRead::ColumnsDiffer {
            write!(f, "; the columns differ, so rows were not compared")?;
        }
        for (kind, rows) in [
            ("missing on the target", &self.missing),
            ("extra on the target", &self.extra),
            ("different", &self.different),
        ] {
            if rows.count > 0 {
                write!(f, "; {} {kind}: {}", rows.count, rows.keys.join(" "))?;
                let unnamed = rows.count.saturating_sub(rows.keys.len() as u64);
                if unnamed > 0 {
                    write!(f, " and {unnamed} more")?;
                }
            }
        }
        Ok(())
    }
}
