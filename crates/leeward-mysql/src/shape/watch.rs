//! Watches the definitions of a server: has any table changed? Asked again and again, so it costs one round trip and some
//! ten microseconds a table as long as nothing has: the server hashes the times at which its tables were made or altered,
//! and only when that hash moves are the definitions read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::NaiveDateTime;
use leeward_core::fault::Fault;
use leeward_core::name::TableName;
use leeward_core::port::{Definition, Shapes};
use leeward_core::survey::Survey;
use leeward_core::table::Table;
use mysql_async::Row;

use crate::endpoint::Endpoint;
use crate::session::Session;
use crate::sql;
use crate::survey::{self, Catalog, add_hidden_rules, catalog_after, text_or_empty, time};

const DOING: &str = "look at the definitions of tables";

/// How long a list of definitions is believed because no time has moved. MySQL notes the time at which an ALTER began, so
/// that two of one second, the second of them slow, could pass for one.
const BELIEVED_FOR: Duration = Duration::from_secs(30);

/// Reads in a row for which a table may be unreadable before that is believed. While an ALTER swaps a table, MariaDB
/// lists it without its columns.
const UNREADABLE_READS: u32 = 5;

/// How long a look waits for a table whose definition is being changed: the others must not wait with it.
const LOCKED_TABLE_WAIT_S: u32 = 1;

/// The shapes of one server.
pub struct ServerShapes {
    session: Session,
    known: Option<Known>,
    unreadable: u32,
}

/// What was seen last, and the sign by which it is known again.
struct Known {
    schemas: Vec<String>,
    sign: Sign,
    read: Instant,
    definitions: Arc<[Definition]>,
}

/// The times of all tables, condensed.
struct Sign {
    cells: Vec<String>,
    /// Times before this one are settled: a further change would show as another. Times are in whole seconds, and more
    /// than one ALTER can fall into one.
    settled_before: Option<NaiveDateTime>,
    /// Whether all of them are.
    settled: bool,
}

impl Sign {
    fn read(rows: &[Row]) -> Sign {
        let Some(row) = rows.first() else { return Sign { cells: Vec::new(), settled_before: None, settled: false } };
        let cells = (0..3).map(|at| text_or_empty(row, at)).collect();
        let (newest, settled_before) = (time(row, 3), time(row, 4));
        Sign { cells, settled_before, settled: newest.is_none_or(|newest| Some(newest) < settled_before) }
    }

    /// Returns a time that says that a table is still as it was, or nothing yet.
    fn told(&self, time: Option<NaiveDateTime>) -> Option<NaiveDateTime> {
        time.filter(|time| Some(*time) < self.settled_before)
    }
}

impl ServerShapes {
    /// Connects.
    ///
    /// # Errors
    /// Those of [`Session::open`].
    pub async fn open(endpoint: &Endpoint) -> Result<ServerShapes, Fault> {
        let hurry = format!("SET SESSION lock_wait_timeout={LOCKED_TABLE_WAIT_S}");
        let (session, _) = Session::open_with(endpoint, "shapes", &hurry).await?;
        Ok(ServerShapes { session, known: None, unreadable: 0 })
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.session.close().await;
    }

    async fn unchanged(&mut self, schemas: &[String]) -> Result<bool, Fault> {
        let known = self.known.as_ref();
        let known = known.filter(|known| known.schemas == schemas && known.sign.settled);
        let Some(known) = known.filter(|known| known.read.elapsed() < BELIEVED_FOR) else { return Ok(false) };
        let rows = self.session.rows(DOING, sign_query(schemas).trim_end_matches(';')).await?;
        Ok(Sign::read(&rows).cells == known.sign.cells)
    }

    async fn read(&mut self, schemas: &[String]) -> Result<Known, Fault> {
        // The sign comes first: a change between the two is then seen by the next look, and never missed.
        let (mut catalog, rows) = catalog_after(&mut self.session, schemas, &sign_query(schemas)).await?;
        let mut sign = Sign::read(&rows);
        add_hidden_rules(&mut self.session, &mut catalog).await?;
        let kept = self.keep_unreadable(&mut catalog);
        sign.settled &= kept.is_empty();
        let definitions = catalog.tables.into_values();
        let definitions = definitions.map(|(table, usage)| Definition { table, since: sign.told(usage.create_time) });
        let definitions: Arc<[Definition]> = definitions.chain(kept).collect();
        let same = self.known.as_ref().filter(|known| known.definitions == definitions);
        let definitions = same.map_or(definitions, |known| known.definitions.clone());
        Ok(Known { schemas: schemas.to_vec(), sign, read: Instant::now(), definitions })
    }

    /// Takes the tables that could not be read out of a catalog and returns what was known of them, for some looks.
    fn keep_unreadable(&mut self, catalog: &mut Catalog) -> Vec<Definition> {
        let unreadable = |table: &Table| table.columns.is_empty() || table.engine == "unreadable";
        let known = self.known.iter().flat_map(|known| known.definitions.iter());
        let readable_before = known.filter(|known| !unreadable(&known.table));
        let now_unreadable =
            |known: &&Definition| catalog.tables.get(&known.table.name).is_some_and(|(table, _)| unreadable(table));
        let kept: Vec<Definition> = readable_before.filter(now_unreadable).cloned().collect();
        self.unreadable = if kept.is_empty() { 0 } else { self.unreadable + 1 };
        if self.unreadable > UNREADABLE_READS {
            return Vec::new();
        }
        for known in &kept {
            catalog.tables.remove(&known.table.name);
        }
        kept
    }
}

/// Returns the statement that condenses the times of all tables: number, sum and XOR of hashes over names and times, and
/// whether the newest lies far enough back.
fn sign_query(schemas: &[String]) -> String {
    let each: Vec<String> = schemas
        .iter()
        .map(|schema| {
            // Each database is named by equality: for anything else MariaDB opens every table of every database.
            format!(
                "SELECT CAST(CONV(LEFT(SHA2(CONCAT_WS('\\0',TABLE_SCHEMA,TABLE_NAME,TABLE_TYPE,IFNULL(ENGINE,''),\
                 IFNULL(CREATE_TIME,'')),256),16),16,10) AS UNSIGNED) h,CREATE_TIME t FROM information_schema.TABLES \
                 WHERE TABLE_SCHEMA={}",
                sql::literal(schema)
            )
        })
        .collect();
    format!(
        "SELECT COUNT(*),COALESCE(SUM(h),0),BIT_XOR(h),MAX(t),NOW()-INTERVAL 1 SECOND FROM ({}) x;",
        each.join(" UNION ALL ")
    )
}

#[async_trait]
impl Shapes for ServerShapes {
    async fn definitions(&mut self, schemas: &[String]) -> Result<Arc<[Definition]>, Fault> {
        if schemas.is_empty() {
            return Ok(Arc::from([]));
        }
        if !self.unchanged(schemas).await? {
            self.known = Some(self.read(schemas).await?);
        }
        Ok(self.known.as_ref().map_or_else(|| Arc::from([]), |known| known.definitions.clone()))
    }

    async fn survey(&mut self, tables: &[TableName]) -> Result<Survey, Fault> {
        survey::survey_tables(&mut self.session, tables).await
    }

    async fn describe(&mut self, tables: &[TableName]) -> Result<Vec<Table>, Fault> {
        survey::describe(&mut self.session, tables).await
    }

    async fn table_ddl(&mut self, tables: &[TableName]) -> Result<Vec<(TableName, String)>, Fault> {
        // Asked for first, since each table that is not there would cost a round trip of its own.
        let existing: Vec<TableName> = survey::existing(&mut self.session, tables).await?;
        let found = survey::table_ddl(&mut self.session, &existing).await?;
        Ok(found.into_iter().filter(|(name, _)| tables.contains(name)).collect())
    }
}
