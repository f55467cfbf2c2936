//! Definitions of tables: read on either side, made and changed on the target.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDateTime;

use super::Lease;
use crate::alteration::{Alteration, Statement};
use crate::fault::{Fault, FaultKind};
use crate::name::TableName;
use crate::survey::{ObjectFacts, Survey};
use crate::table::Table;

/// Shapes the target: databases, tables, indexes. DDL commits by itself, so each step can be repeated.
#[async_trait]
pub trait Shape: Send {
    /// Returns which of these tables exist.
    async fn existing(&mut self, tables: &[TableName]) -> Result<Vec<TableName>, Fault>;

    /// Returns which of these tables, all of which exist, hold a row.
    async fn filled(&mut self, tables: &[TableName]) -> Result<Vec<TableName>, Fault>;

    /// Creates databases that are missing, with the source's collation.
    async fn create_schemas(&mut self, schemas: &[crate::survey::SchemaFacts]) -> Result<(), Fault>;

    /// Creates a table that does not exist from the source's DDL, without its foreign keys, which are possible only after
    /// the rows.
    async fn create_table(&mut self, name: &TableName, source_ddl: &str, indexes: Indexes) -> Result<(), Fault>;

    /// Returns which of these tables, each with the source's DDL, lack something of a part; those that do not exist are
    /// among them.
    async fn incomplete(&mut self, tables: &[(&TableName, &str)], part: TablePart) -> Result<Vec<TableName>, Fault>;

    /// Adds the parts of the source's DDL that the table lacks, in one ALTER each for indexes and foreign keys.
    async fn complete_table(&mut self, name: &TableName, source_ddl: &str, part: TablePart) -> Result<(), Fault>;

    /// Gives a table that stands beside the one it was, under another name, the foreign keys of that one's DDL, each under a name
    /// made from its own. A key whose parent is not there is left out. Rows are not checked against parents, as nowhere in a
    /// copy. Done again it changes nothing. A simulator need not.
    async fn foreign_keys_beside(
        &mut self,
        _name: &TableName,
        _was: &TableName,
        _source_ddl: &str,
    ) -> Result<Vec<KeyBeside>, Fault> {
        Err(Fault::new(FaultKind::Unexpected, "add foreign keys under other names"))
    }

    /// Returns the statements that would make the target's table like the source's, in order. Runs none of them. What
    /// the definitions cannot tell by their texts (new names, what was dropped) stands in `alteration`.
    async fn alteration(
        &mut self,
        name: &TableName,
        source_ddl: &str,
        alteration: &Alteration,
    ) -> Result<Vec<Statement>, Fault>;

    /// Ties every later statement that changes something to a lease: the target itself runs it only while the lease is
    /// ours, so that a process that was stopped and wakes up changes nothing. Waits for locks are cut short.
    async fn guard(&mut self, lease: &Lease) -> Result<(), Fault>;

    /// Runs one statement of [`Shape::alteration`].
    async fn alter(&mut self, name: &TableName, statement: &Statement, rows: RowsMeanwhile) -> Result<(), Fault>;

    /// Creates a view or routine. The definer is kept where the target allows it.
    async fn create_object(&mut self, object: &ObjectFacts) -> Result<DefinerKept, Fault>;
}

/// Whether rows are written to a table while it is altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsMeanwhile {
    /// Cycles write them. The server refuses what it could not do without making them wait.
    Written,
    /// Nothing is written: the table waits.
    Waiting,
}

/// When the secondary indexes of a table that are not unique are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexes {
    /// With the table: one statement less for a table of few rows.
    WithTable,
    /// After its rows, which is much cheaper for a table of many.
    AfterRows,
}

/// The parts of a table that are added after its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TablePart {
    /// Secondary indexes.
    Indexes,
    /// Foreign keys; their parents must exist.
    ForeignKeys,
}

/// A foreign key of a table that stands beside the one it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBeside {
    /// Its name there.
    pub was: String,
    /// The table that it refers to: the new one itself where it referred to its own.
    pub parent: TableName,
    /// Its name here; nothing where the parent is not there.
    pub now: Option<String>,
}

/// Whether an object kept its definer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefinerKept {
    /// It has the source's definer.
    Kept,
    /// It runs as Leeward's user, because the target refuses foreign definers.
    Replaced,
}

/// A table as a server defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its shape.
    pub table: Table,
    /// When it was made or altered last, by the server's clock in whole seconds; nothing while that second may still bring
    /// another change. It tells of what the shape does not hold: comments, CHECKs, partitions.
    pub since: Option<NaiveDateTime>,
}

/// Looks at a server's definitions: what changed since the plan.
#[async_trait]
pub trait Shapes: Send {
    /// Returns every table of the databases. As long as nothing has changed it is the very list of the last look.
    async fn definitions(&mut self, schemas: &[String]) -> Result<Arc<[Definition]>, Fault>;

    /// Surveys these tables for the planner, as far as they exist.
    async fn survey(&mut self, tables: &[TableName]) -> Result<Survey, Fault>;

    /// Describes these tables anew; those that do not exist are left out.
    async fn describe(&mut self, tables: &[TableName]) -> Result<Vec<Table>, Fault>;

    /// Returns `SHOW CREATE TABLE` of these tables; those that do not exist are left out.
    async fn table_ddl(&mut self, tables: &[TableName]) -> Result<Vec<(TableName, String)>, Fault>;
}
