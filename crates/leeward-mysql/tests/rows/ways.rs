//! Rows written in one statement over what stands there already: every value over every other, and only where no other index
//! can be met.

use anyhow::{Context, Result, ensure};
use leeward_core::fault::FaultKind;
use leeward_core::plan::PlannedTable;
use leeward_core::row::RowBatch;
use leeward_mysql::apply::way::{self, Proof, Uniques, Way};
use leeward_mysql::cut;
use leeward_mysql::session::Session;
use leeward_mysql::sql;
use leeward_testkit::servers::{Kind, pair};

use crate::setup::{CATALOGUE, catalogue, database, empty_catalogue, open, planned, planned_table};

/// Reads a whole table in wire form, in key order.
async fn read(session: &mut Session, table: &PlannedTable) -> Result<RowBatch> {
    let query = format!("SELECT {} FROM {} ORDER BY id", sql::wire_list(&table.table), sql::table(table.name()));
    let mut rows = RowBatch::new(table.table.wire_columns().len());
    session.rows("read rows", query).await?.iter().for_each(|row| cut::push_row(&mut rows, row));
    Ok(rows)
}

/// Gives each row the values of the row that stands `by` after it, and leaves the keys where they are.
fn turned(rows: &RowBatch, by: usize) -> RowBatch {
    let mut turned = RowBatch::new(rows.width());
    for row in 0..rows.rows() {
        turned.push_cell(rows.cell(row, 0));
        (1..rows.width()).for_each(|at| turned.push_cell(rows.cell((row + by) % rows.rows(), at)));
    }
    turned
}

fn are_same(one: &RowBatch, other: &RowBatch) -> bool {
    let same = |row: usize| (0..one.width()).all(|at| one.cell(row, at) == other.cell(row, at));
    one.rows() == other.rows() && (0..one.rows()).all(same)
}

async fn uniques(session: &mut Session, table: &PlannedTable) -> Result<Uniques> {
    Ok(Uniques::read(&session.rows("read unique indexes", way::query(table.name())).await?))
}

leeward_testkit::each_kind! {
    /// What a server takes for unchanged it does not write: nothing that a digest tells apart may be among it.
    async fn every_value_is_written_over_every_other_t18_t21_t22_t23(kind: Kind) -> Result<()> {
        const COPY: &str = "rows_turned";
        let types = catalogue(kind).await?;
        let servers = pair(kind).await?;
        empty_catalogue(&servers.target, COPY, &types).await?;
        let mut source = open(&servers.source, CATALOGUE).await?;
        let mut target = open(&servers.target, COPY).await?;
        let tables = planned(&mut source, CATALOGUE).await?;
        let copies = planned(&mut target, COPY).await?;
        for (at, one) in types.iter().enumerate() {
            let rows = read(&mut source, &tables[&format!("t{at}")]).await?;
            let table = &copies[&format!("t{at}")];
            let way = Way::of(table, &uniques(&mut target, table).await?, target.flavor());
            let in_place = way == Way::Upsert(Proof::Keys);
            ensure!(in_place != (kind == Kind::MySql && one.declared.starts_with("JSON")), "{}: {way:?}", one.declared);
            for by in 0..rows.rows() {
                let turned = turned(&rows, by);
                let owed = way::write(&mut target, table, &turned, way).await;
                ensure!(owed.with_context(|| one.declared.clone())?.is_empty());
                // Of some values the server has no text that it would take for the same one (T20), neither way.
                if by > 0 {
                    let other = read(&mut target, table).await?;
                    way::write(&mut target, table, &turned, Way::DeleteInsert).await?;
                    let expected = read(&mut target, table).await?;
                    ensure!(are_same(&other, &expected), "{}: turned by {by}, rows differ from those of DELETE and INSERT", one.declared);
                }
            }
            target.run("roll back", "ROLLBACK AND CHAIN").await?;
        }
        Ok(())
    }

    async fn rows_are_written_in_place_only_where_the_keys_index_stands_alone_t26(kind: Kind) -> Result<()> {
        const DATABASE: &str = "rows_ways";
        let tables = [
            "CREATE TABLE a (id INT PRIMARY KEY, v INT, KEY (v))",
            "CREATE TABLE b (id CHAR(9) PRIMARY KEY, v INT)",
            "CREATE TABLE c (id INT NOT NULL, v INT NOT NULL, UNIQUE KEY (id, v))",
            "CREATE TABLE d (id INT PRIMARY KEY, v INT, UNIQUE KEY (v))",
            "CREATE TABLE e (id INT PRIMARY KEY, v INT, w INT AS (v + 1) VIRTUAL)",
            "CREATE TABLE f (id INT, v INT)",
            "CREATE TABLE g (id INT, v INT, PRIMARY KEY (id, v)) PARTITION BY HASH (v) PARTITIONS 3",
        ];
        let server = &pair(kind).await?.target;
        database(server, DATABASE, &tables).await?;
        let mut session = open(server, DATABASE).await?;
        let numbers = Way::Upsert(Proof::Keys);
        let expected = [numbers, Way::Upsert(Proof::Count), numbers, Way::DeleteInsert, Way::DeleteInsert, Way::DeleteInsert, numbers];
        for (name, expected) in ["a", "b", "c", "d", "e", "f", "g"].into_iter().zip(expected) {
            let table = planned_table(&mut session, DATABASE, name).await?;
            let seen = uniques(&mut session, &table).await?;
            let way = Way::of(&table, &seen, session.flavor());
            ensure!(way == expected, "{name} is written by {way:?}");
        }
        // An index that the target alone has.
        let table = planned_table(&mut session, DATABASE, "a").await?;
        session.run("add an index", "ALTER TABLE a ADD UNIQUE KEY later (v)").await?;
        let seen = uniques(&mut session, &table).await?;
        ensure!(Way::of(&table, &seen, session.flavor()) == Way::DeleteInsert, "{seen:?}");
        Ok(())
    }

    /// Keys that are two on the source and one on the target must not become one row without a word (T9).
    async fn keys_that_are_one_on_the_target_are_refused_t9(kind: Kind) -> Result<()> {
        const DATABASE: &str = "rows_one_key";
        let table = "CREATE TABLE k (id VARCHAR(9) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT)";
        let server = &pair(kind).await?.target;
        database(server, DATABASE, &[table, "INSERT INTO k VALUES ('Same', 1)"]).await?;
        let mut session = open(server, DATABASE).await?;
        let table = planned_table(&mut session, DATABASE, "k").await?;
        let way = Way::of(&table, &uniques(&mut session, &table).await?, session.flavor());
        let mut rows = RowBatch::new(2);
        for (key, value) in [("same", "2"), ("other", "3")] {
            rows.push_cell(Some(key.as_bytes()));
            rows.push_cell(Some(value.as_bytes()));
        }
        ensure!(way::write(&mut session, &table, &rows, way).await?.is_empty());
        ensure!(read(&mut session, &table).await?.cell(1, 0) == Some(b"same"), "the key was not rewritten");
        rows.push_cell(Some(b"SAME"));
        rows.push_cell(Some(b"4"));
        match way::write(&mut session, &table, &rows, way).await {
            Err(fault) => ensure!(fault.kind == FaultKind::RowsRefused, "{fault}"),
            Ok(_) => anyhow::bail!("two rows became one"),
        }
        Ok(())
    }
}
