//! Random transactions over every table and column of some databases.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::HostileCounters;
use super::actor::spares_transaction;
use super::shape::{self, Shape};
use super::statements;
use crate::workload::SplitMix64;

/// How long tables are taken to be as they were read: a DDL is met within this time.
const SHAPES_LAST: Duration = Duration::from_secs(10);

/// Of so many transactions, one is rolled back.
const ROLLED_BACK_ONE_IN: u64 = 9;

/// What the session refuses. Loosely, wrong values are bent or stored as errors, as old applications still do.
const STRICT: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'";
const LOOSE: &str = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'";

/// Random statements on every table of some databases.
#[derive(Debug)]
pub(super) struct Everything {
    databases: Vec<String>,
    shapes: Vec<Shape>,
    read: Option<Instant>,
    /// Rows of each table when it was first seen, so that none grows or shrinks without end.
    first_rows: BTreeMap<String, u64>,
}

impl Everything {
    pub(super) fn new(databases: Vec<String>) -> Everything {
        Everything { databases, shapes: Vec::new(), read: None, first_rows: BTreeMap::new() }
    }

    /// Writes one transaction.
    pub(super) async fn round(&mut self, conn: &mut Conn, mut random: SplitMix64) -> Result<HostileCounters> {
        let rolls_back = random.below(ROLLED_BACK_ONE_IN) == 0;
        let deeds = random.one_to(5);
        let strict = random.below(2) == 0;
        self.renew(conn).await?;
        conn.query_drop(if strict { STRICT } else { LOOSE }).await?;
        conn.query_drop("START TRANSACTION").await?;
        let mut played = HostileCounters::default();
        for _ in 0..deeds {
            let random = SplitMix64::new(random.next_u64());
            played.add(self.deed(conn, random, strict).await?);
        }
        if rolls_back {
            conn.query_drop("ROLLBACK").await?;
            return Ok(HostileCounters { rolled_back: 1, refused: played.refused, ..HostileCounters::default() });
        }
        conn.query_drop("COMMIT").await?;
        Ok(HostileCounters { transactions: 1, ..played })
    }

    /// Does one thing to a random table, inside a transaction of the caller's. What the server refuses is counted, and
    /// the transaction goes on.
    pub(super) async fn deed(&self, conn: &mut Conn, mut random: SplitMix64, strict: bool) -> Result<HostileCounters> {
        let mut played = HostileCounters::default();
        let Some(shape) = self.pick(&mut random, strict) else { return Ok(played) };
        let first_rows = self.first_rows.get(&shape.name).copied().unwrap_or(shape.rows);
        for statement in statements::deed(shape, &self.shapes, first_rows, &mut random) {
            match conn.query_drop(&statement).await.map_err(anyhow::Error::from) {
                Ok(()) => played.rows += conn.affected_rows(),
                Err(error) if spares_transaction(&error) => {
                    played.refused += 1;
                    break;
                }
                Err(error) => return Err(named(error, &statement)),
            }
        }
        Ok(played)
    }

    /// Returns a random table that a session of this strictness may write.
    pub(super) fn pick(&self, random: &mut SplitMix64, strict: bool) -> Option<&Shape> {
        let drawn = random.next_u64();
        let fit: Vec<&Shape> = self.shapes.iter().filter(|shape| strict || !shape.is_computed()).collect();
        (!fit.is_empty()).then(|| fit[(drawn % fit.len() as u64) as usize])
    }

    /// Reads the tables again when it is time.
    pub(super) async fn renew(&mut self, conn: &mut Conn) -> Result<()> {
        if self.read.is_none_or(|read| read.elapsed() >= SHAPES_LAST) {
            self.shapes = shape::read(conn, &self.databases).await?;
            self.read = Some(Instant::now());
            for shape in &self.shapes {
                self.first_rows.entry(shape.name.clone()).or_insert(shape.rows);
            }
        }
        Ok(())
    }

    /// Returns the strict session that a caller with a transaction of its own needs.
    pub(super) async fn be_strict(&mut self, conn: &mut Conn) -> Result<()> {
        self.renew(conn).await?;
        Ok(conn.query_drop(STRICT).await?)
    }
}

/// Says which statement was meant, by its beginning; the error stays what it is.
fn named(error: anyhow::Error, statement: &str) -> anyhow::Error {
    let opening: String = statement.chars().take(120).collect();
    error.context(opening)
}
