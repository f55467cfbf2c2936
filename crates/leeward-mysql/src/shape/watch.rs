//! Watches the definitions of a server: has any table's shape changed? Asked in every cycle, so it costs one round trip
//! and an answer of a few bytes as long as nothing has: the server hashes all definitions together, and only when that
//! hash moves are they read.

use std::collections::BTreeSet;

use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::fingerprint::fingerprint;
use leeward_core::name::TableName;
use leeward_core::port::Shapes;
use leeward_core::table::Table;
use mysql_async::Row;

use crate::endpoint::Endpoint;
use crate::session::Session;
use crate::sql;
use crate::survey::{self, Catalog, SHAPE_SETS, columns_and_keys, text_or_empty};

const DOING: &str = "look at the definitions of tables";

/// Result sets of [`condensed`].
const CONDENSED_SETS: usize = 3;

/// The shapes of one server.
pub struct ServerShapes {
    session: Session,
    known: Option<Known>,
}

/// What was seen last, and the condensed form by which it is known again.
struct Known {
    schemas: Vec<String>,
    condensed: Vec<Vec<String>>,
    fingerprints: Vec<(TableName, String)>,
}

impl ServerShapes {
    /// Connects.
    ///
    /// # Errors
    /// Those of [`Session::open`].
    pub async fn open(endpoint: &Endpoint) -> Result<ServerShapes, Fault> {
        Ok(ServerShapes { session: Session::open(endpoint, "shapes").await?, known: None })
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.session.close().await;
    }

    async fn unchanged(&mut self, schemas: &[String]) -> Result<bool, Fault> {
        let Some(known) = self.known.as_ref().filter(|known| known.schemas == schemas) else { return Ok(false) };
        let query: String = schemas.iter().map(|schema| condensed(schema)).collect();
        let sets = self.session.sets(DOING, query.trim_end_matches(';')).await?;
        Ok(cells(&sets) == known.condensed)
    }

    async fn read(&mut self, schemas: &[String]) -> Result<Known, Fault> {
        let flavor = self.session.flavor();
        // The condensed form comes first: a change between the two is then seen by the next look, and never missed.
        let query: String =
            schemas.iter().map(|schema| condensed(schema) + &columns_and_keys(schema, flavor)).collect();
        let sets = self.session.sets(DOING, query.trim_end_matches(';')).await?;
        let each = CONDENSED_SETS + SHAPE_SETS;
        if sets.len() != schemas.len() * each {
            return Err(Fault::new(FaultKind::Unexpected, DOING).on(self.session.side()));
        }
        let (mut catalog, mut condensed) = (Catalog::default(), Vec::new());
        for (schema, sets) in schemas.iter().zip(sets.chunks(each)) {
            condensed.extend(cells(&sets[..CONDENSED_SETS]));
            catalog.add_shapes(schema, &sets[CONDENSED_SETS..]);
        }
        let fingerprints =
            catalog.tables.into_values().map(|(table, _)| (table.name.clone(), fingerprint(&table))).collect();
        Ok(Known { schemas: schemas.to_vec(), condensed, fingerprints })
    }
}

/// Returns the statements that condense a database's definitions: number, sum and XOR of hashes, each of tables,
/// columns and unique keys. They hold more than a fingerprint does, so that nothing in one can change behind them.
fn condensed(schema: &str) -> String {
    let schema = sql::literal(schema);
    let condense = |table: &str, columns: &[&str], further: &str| {
        let cells: Vec<String> = columns.iter().map(|column| format!("IFNULL({column},'')")).collect();
        format!(
            "SELECT COUNT(*),COALESCE(SUM(h),0),BIT_XOR(h) FROM (SELECT \
             CAST(CONV(LEFT(SHA2(CONCAT_WS('\\0',{}),256),16),16,10) AS UNSIGNED) h \
             FROM information_schema.{table} WHERE TABLE_SCHEMA={schema}{further}) x;",
            cells.join(",")
        )
    };
    let columns = [
        "TABLE_NAME",
        "ORDINAL_POSITION",
        "COLUMN_NAME",
        "COLUMN_TYPE",
        "COLLATION_NAME",
        "IS_NULLABLE",
        "COLUMN_DEFAULT",
        "EXTRA",
        "GENERATION_EXPRESSION",
    ];
    let keys = ["TABLE_NAME", "INDEX_NAME", "SEQ_IN_INDEX", "COLUMN_NAME", "SUB_PART", "INDEX_TYPE"];
    condense("TABLES", &["TABLE_NAME", "TABLE_TYPE", "ENGINE"], "")
        + &condense("COLUMNS", &columns, "")
        + &condense("STATISTICS", &keys, " AND NON_UNIQUE=0")
}

fn cells(sets: &[Vec<Row>]) -> Vec<Vec<String>> {
    sets.iter().flatten().map(|row| (0..3).map(|at| text_or_empty(row, at)).collect()).collect()
}

#[async_trait]
impl Shapes for ServerShapes {
    async fn fingerprints(&mut self, schemas: &[String]) -> Result<Vec<(TableName, String)>, Fault> {
        if schemas.is_empty() {
            return Ok(Vec::new());
        }
        if !self.unchanged(schemas).await? {
            self.known = Some(self.read(schemas).await?);
        }
        Ok(self.known.as_ref().map(|known| known.fingerprints.clone()).unwrap_or_default())
    }

    async fn describe(&mut self, tables: &[TableName]) -> Result<Vec<Table>, Fault> {
        survey::describe(&mut self.session, tables).await
    }

    async fn table_ddl(&mut self, tables: &[TableName]) -> Result<Vec<(TableName, String)>, Fault> {
        // Asked for first, since each table that is not there would cost a round trip of its own.
        let existing: Vec<TableName> = survey::existing(&mut self.session, tables).await?;
        let found = survey::table_ddl(&mut self.session, &existing).await?;
        let wanted: BTreeSet<&TableName> = tables.iter().collect();
        Ok(found.into_iter().filter(|(name, _)| wanted.contains(name)).collect())
    }
}
