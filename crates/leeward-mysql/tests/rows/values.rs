//! Every value of every type has a digest of its own, and arrives as it was.

use anyhow::{Context, Result, ensure};
use leeward_core::plan::PlannedTable;
use leeward_core::row::RowBatch;
use leeward_mysql::session::Session;
use leeward_mysql::{apply, cut, sql};
use leeward_testkit::servers::pair;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

use crate::catalogue::Type;
use crate::setup::{
    CATALOGUE, SAME_FROM, Seen, between, catalogue, database, empty_catalogue, look, open, planned, planned_table,
    writer,
};

/// Returns a table's values by id over the binary protocol, which shares nothing with what is tested.
async fn stored(conn: &mut Conn, table: &str) -> Result<Vec<(usize, Value)>> {
    conn.exec(format!("SELECT id,v FROM {table} WHERE id>0 ORDER BY id"), ()).await.context("read the values")
}

/// Whether two values are the same to the last bit: 0.0 and -0.0 are not.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
        (Value::Double(one), Value::Double(other)) => one.to_bits() == other.to_bits(),
        _ => one == other,
    }
}

/// Puts each value in turn into row 0 and looks at what a comparison makes of it.
async fn look_at_each(session: &mut Session, table: &PlannedTable, ids: &[usize]) -> Result<Vec<Seen>> {
    let name = sql::table(table.name());
    let mut seen = Vec::new();
    for id in ids {
        // Emptied first: MySQL takes `[1]` for unchanged when it is to become `[1.0]`.
        session.run("empty row 0", format!("UPDATE {name} SET v=NULL WHERE id=0")).await?;
        let copy = format!("UPDATE {name} x JOIN {name} y ON y.id={id} SET x.v=y.v WHERE x.id=0");
        session.run("put a value into row 0", copy).await?;
        seen.push(look(session, table, between(-1, 0)).await?);
    }
    session.run("roll back", "ROLLBACK AND CHAIN").await?;
    Ok(seen)
}

async fn ensure_told_apart(session: &mut Session, conn: &mut Conn, (of, table): (&Type, &PlannedTable)) -> Result<()> {
    let stored = stored(conn, &sql::ident(&table.name().table)).await?;
    let ids: Vec<usize> = stored.iter().map(|(id, _)| *id).collect();
    let seen = look_at_each(session, table, &ids).await?;
    let literal = |index: usize| of.values.get(index).map_or("NULL", String::as_str);
    let different = of.values.len() + 1;
    for one in 0..different {
        for other in one + 1..different {
            let what = format!("{}: {} against {}", of.declared, literal(one), literal(other));
            ensure!(!is_same(&stored[one].1, &stored[other].1), "{what}: the server holds one value");
            seen[one].ensure_differs(&seen[other], &what)?;
        }
    }
    for (at, (one, other)) in of.same.iter().enumerate() {
        let at = different + 2 * at;
        ensure!(ids[at] >= SAME_FROM && seen[at] == seen[at + 1], "{}: {one} is {other}", of.declared);
    }
    Ok(())
}

/// Reads a table's rows as a cut does and writes them as an apply does.
async fn copy(from: &mut Session, to: &mut Session, table: &PlannedTable) -> Result<()> {
    let query = format!("SELECT {} FROM {}", sql::wire_list(&table.table), sql::table(table.name()));
    let mut rows = RowBatch::new(table.table.wire_columns().len());
    from.rows("read rows", query).await?.iter().for_each(|row| cut::push_row(&mut rows, row));
    let owed = apply::write(to, table, &rows).await?;
    ensure!(owed.is_empty(), "{} rows were in the way", owed.len());
    Ok(())
}

leeward_testkit::each_kind! {
    /// Single bits and last digits (T14, T17), NULL against nothing and zero (T15), neighbours and denormals of floats
    /// and the sign of zero (T18, T19), forms of JSON numbers (T20), trailing zeros and blanks (T21), odd dates (T22),
    /// names in lists (T23), case and accents (T9).
    async fn every_value_has_a_digest_of_its_own_t9_t14_to_t23(kind: Kind) -> Result<()> {
        let types = catalogue(kind).await?;
        let source = &pair(kind).await?.source;
        let (mut session, mut conn) = (open(source, CATALOGUE).await?, writer(source, CATALOGUE).await?);
        let tables = planned(&mut session, CATALOGUE).await?;
        for (at, one) in types.iter().enumerate() {
            let table = &tables[&format!("t{at}")];
            ensure_told_apart(&mut session, &mut conn, (one, table)).await.with_context(|| one.declared.clone())?;
        }
        Ok(())
    }

    /// Columns of several character sets stand side by side in a row's form, each with its own bytes: nothing is converted on
    /// its way into the hash, where two values could become one. No column is binary, which would keep the others from it,
    /// and those that allow NULL stand in a table of their own for the same reason.
    async fn character_sets_are_not_mixed_in_a_rows_hash(kind: Kind) -> Result<()> {
        const NAME: &str = "charsets";
        let source = &pair(kind).await?.source;
        let create = |table: &str, null: &str| {
            format!(
                "CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY, a VARCHAR(9) CHARACTER SET latin1 {null}, \
                 b CHAR(9) CHARACTER SET utf16 {null}, c VARCHAR(9) CHARACTER SET utf8mb4 {null}, \
                 d ENUM('x','é') CHARACTER SET latin1 {null})"
            )
        };
        // The euro sign of latin1 has other bytes in every other character set.
        let fill = |table: &str| format!("INSERT INTO {table} VALUES (1,_latin1 0x80,_utf16 0x00e90041,'🚢','é')");
        let statements = [create("firm", "NOT NULL"), create("loose", "NULL"), fill("firm"), fill("loose")];
        database(source, NAME, &statements.each_ref().map(String::as_str)).await?;
        let mut session = open(source, NAME).await?;
        // What a hash is made of by ADR 0004, each column's bytes taken apart from the others first.
        let bytes = ["a", "b", "c", "d"].map(|name| format!("LENGTH({name}),':',CAST({name} AS BINARY)")).join(",");
        for name in ["firm", "loose"] {
            let hash = sql::row_hash(&planned_table(&mut session, NAME, name).await?.table);
            let query = format!("SELECT LEFT(SHA2(CONCAT(id,',',{bytes}),256),32)={hash} FROM {name}");
            let same = session.rows("compare two forms of a hash", query).await?;
            ensure!(same.len() == 1 && same[0].get::<u64, _>(0) == Some(1), "{name}: a value was converted");
        }
        Ok(())
    }

    /// What was read in its wire form and written again is the same value to the last bit, and digests alike.
    async fn every_value_is_written_as_it_was_read_t18_t21_t22(kind: Kind) -> Result<()> {
        let types = catalogue(kind).await?;
        let servers = pair(kind).await?;
        empty_catalogue(&servers.target, CATALOGUE, &types).await?;
        let mut source = open(&servers.source, CATALOGUE).await?;
        let mut target = open(&servers.target, CATALOGUE).await?;
        let (mut there, mut here) =
            (writer(&servers.source, CATALOGUE).await?, writer(&servers.target, CATALOGUE).await?);
        let tables = planned(&mut source, CATALOGUE).await?;
        for (at, one) in types.iter().enumerate() {
            let (name, what) = (format!("t{at}"), one.declared.as_str());
            let table = &tables[&name];
            copy(&mut source, &mut target, table).await.with_context(|| format!("copy {what}"))?;
            target.run("commit", "COMMIT AND CHAIN").await?;
            // What JSON holds beyond its text is the one thing that does not arrive.
            let kept = |(id, _): &(usize, Value)| *id < SAME_FROM;
            let there: Vec<_> = stored(&mut there, &name).await?.into_iter().filter(kept).collect();
            let here: Vec<_> = stored(&mut here, &name).await?.into_iter().filter(kept).collect();
            let same = there.iter().zip(&here).all(|(one, other)| one.0 == other.0 && is_same(&one.1, &other.1));
            ensure!(there.len() == here.len() && same, "{what}: a value has changed on its way");
            let all = between(-1, i64::from(i32::MAX));
            let looks = (look(&mut source, table, all.clone()).await?, look(&mut target, table, all).await?);
            ensure!(looks.0 == looks.1, "{what}: equal values do not digest alike");
        }
        Ok(())
    }
}
