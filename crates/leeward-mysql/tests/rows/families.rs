//! One value on both families of server has one digest, one form in which it travels, and one way to be counted as a key.

use anyhow::{Context, Result, ensure};
use leeward_core::digest::KeyDigest;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Buckets, Range};
use leeward_core::row::{KeyCells, KeyRange};
use leeward_core::table::{Key, KeyPart, Nullability};
use leeward_mysql::cut;
use leeward_mysql::session::Session;
use leeward_testkit::servers::{Kind, pair, run_on, skip, under_test};

use crate::catalogue::{Found, Type, other};
use crate::setup::{CATALOGUE, Seen, between, catalogue, database, look, open, planned, planned_table};

/// What is seen of a type's values: under their ids, and as if each were its row's key.
#[derive(PartialEq)]
struct Both {
    by_id: Seen,
    /// The wire form of each value but NULL, sorted, and what is counted of them.
    by_value: (Vec<KeyCells>, [KeyDigest; 2]),
}

/// The same table with these columns for its key.
fn keyed_by(table: &PlannedTable, key: &[&str]) -> PlannedTable {
    let mut table = table.clone();
    table.table.columns.iter_mut().for_each(|column| column.nullable = Nullability::NotNull);
    let parts = key.iter().map(|column| KeyPart { column: Some((*column).to_owned()), prefix_chars: None }).collect();
    table.table.keys = vec![Key { name: "PRIMARY".to_owned(), unique: true, method: "BTREE".to_owned(), parts }];
    table
}

async fn look_by_value(session: &mut Session, table: &PlannedTable) -> Result<(Vec<KeyCells>, [KeyDigest; 2])> {
    let (alone, paired) = (keyed_by(table, &["v"]), keyed_by(table, &["v", "id"]));
    let all = |table| Range { table, keys: KeyRange::default() };
    let mut values = cut::keys(session, &all(&alone), &Buckets { of: 1, wanted: vec![0] }).await?;
    values.sort_unstable();
    let mut counted = cut::key_digests(session, &[all(&alone), all(&paired)]).await?.into_iter();
    let mut next = || counted.next().context("two counts");
    Ok((values, [next()??, next()??]))
}

/// Looks at all values of the types that both families have, each under its own description.
async fn looks(kind: Kind, types: &[Type]) -> Result<Vec<(String, Both)>> {
    let mut session = open(&pair(kind).await?.source, CATALOGUE).await?;
    let mut seen = Vec::new();
    let tables = planned(&mut session, CATALOGUE).await?;
    for (at, one) in types.iter().enumerate().filter(|(_, one)| one.found == Found::Everywhere) {
        let table = &tables[&format!("t{at}")];
        let by_id = look(&mut session, table, between(-1, i64::from(i32::MAX))).await;
        let by_id = by_id.with_context(|| one.declared.clone())?;
        let by_value = look_by_value(&mut session, table).await.with_context(|| one.declared.clone())?;
        seen.push((one.declared.clone(), Both { by_id, by_value }));
    }
    Ok(seen)
}

async fn one_value_has_one_digest_on_both(kind: Kind) -> Result<()> {
    let (ours, theirs) = (catalogue(kind).await?, catalogue(other(kind)).await?);
    let (ours, theirs) = (looks(kind, &ours).await?, looks(other(kind), &theirs).await?);
    ensure!(ours.len() > 60 && ours.len() == theirs.len(), "{} and {} types", ours.len(), theirs.len());
    for ((declared, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        let (rows, other_rows) = (&ours.by_id.rows, &theirs.by_id.rows);
        let differing: Vec<usize> = (0..rows.len()).filter(|&row| rows.get(row) != other_rows.get(row)).collect();
        ensure!(differing.is_empty(), "{declared}: values {differing:?} have two hashes");
        ensure!(ours.by_id == theirs.by_id, "{declared}: equal rows have two digests");
        let keys = ours.by_value.0.iter().zip(&theirs.by_value.0);
        let spelled: Vec<_> = keys.filter(|(one, other)| one != other).collect();
        ensure!(spelled.is_empty(), "{declared}: values travel in two forms: {spelled:?}");
        ensure!(ours.by_value == theirs.by_value, "{declared}: equal keys are counted in two ways");
    }
    Ok(())
}

/// What `docs/types.md` says cannot be equal, one a row.
const UNEQUAL: &str = "INSERT INTO t VALUES
    (1, '{\"b\": 1, \"a\": 2}', 1, 1, NULL), (2, '[1,2]', 1, 1, NULL), (3, '[1.0e0]', 1, 1, NULL),
    (4, NULL, '-0', 1, NULL), (5, NULL, 1, '-0', NULL), (6, NULL, 1, 1, ST_GeomFromText('POINT(1 2)', 4326))";

async fn what_cannot_be_equal_is_told_apart(kind: Kind) -> Result<()> {
    let made = "CREATE TABLE t (id INT PRIMARY KEY, j JSON NULL, f FLOAT NULL, d DOUBLE NULL, g GEOMETRY NULL)";
    // Equal on both: the test tells apart what it should and no more.
    let equal = "INSERT INTO t VALUES (7, NULL, 0, 0, ST_GeomFromText('POINT(1 2)'))";
    let mut seen = Vec::new();
    for kind in [kind, other(kind)] {
        let source = &pair(kind).await?.source;
        database(source, "rows_unequal", &[made, UNEQUAL, equal]).await?;
        let mut session = open(source, "rows_unequal").await?;
        let table = planned_table(&mut session, "rows_unequal", "t").await?;
        seen.push(look(&mut session, &table, between(0, 10)).await?.rows);
    }
    let same: Vec<_> =
        seen[0].iter().zip(&seen[1]).filter(|(one, other)| one == other).map(|(one, _)| &one.0).collect();
    ensure!(same.len() == 1, "equal after all: {same:?}");
    Ok(())
}

/// Equal data in MariaDB and MySQL digests equal; what they cannot hold alike is listed in `docs/types.md`.
#[test]
fn values_that_both_families_hold_digest_alike_t38() -> Result<()> {
    let name = concat!(module_path!(), "::values_that_both_families_hold_digest_alike_t38");
    if let Err(reason) = under_test(Kind::MariaDb) {
        return skip(name, Kind::MariaDb, &reason);
    }
    run_on(Kind::MySql, name, one_value_has_one_digest_on_both)
}

/// The page lists them; a version that holds one of them alike has its line struck out.
#[test]
fn what_types_md_says_cannot_be_equal_is_not() -> Result<()> {
    let name = concat!(module_path!(), "::what_types_md_says_cannot_be_equal_is_not");
    if let Err(reason) = under_test(Kind::MariaDb) {
        return skip(name, Kind::MariaDb, &reason);
    }
    run_on(Kind::MySql, name, what_cannot_be_equal_is_told_apart)
}
