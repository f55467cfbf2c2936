//! One value on both families of server has one digest.

use anyhow::{Context, Result, ensure};
use leeward_testkit::servers::{Kind, pair, run_on, skip, under_test};

use crate::catalogue::{Found, Type, other};
use crate::setup::{CATALOGUE, Seen, between, catalogue, look, open, planned};

/// Looks at all values of the types that both families have, each under its own description.
async fn looks(kind: Kind, types: &[Type]) -> Result<Vec<(String, Seen)>> {
    let mut session = open(&pair(kind).await?.source, CATALOGUE).await?;
    let mut seen = Vec::new();
    let tables = planned(&mut session, CATALOGUE).await?;
    for (at, one) in types.iter().enumerate().filter(|(_, one)| one.found == Found::Everywhere) {
        let table = &tables[&format!("t{at}")];
        let looked = look(&mut session, table, between(-1, i64::from(i32::MAX))).await;
        seen.push((one.declared.clone(), looked.with_context(|| one.declared.clone())?));
    }
    Ok(seen)
}

async fn one_value_has_one_digest_on_both(kind: Kind) -> Result<()> {
    let (ours, theirs) = (catalogue(kind).await?, catalogue(other(kind)).await?);
    let (ours, theirs) = (looks(kind, &ours).await?, looks(other(kind), &theirs).await?);
    ensure!(ours.len() > 60 && ours.len() == theirs.len(), "{} and {} types", ours.len(), theirs.len());
    for ((declared, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        let differing: Vec<usize> =
            (0..ours.rows.len()).filter(|&row| ours.rows.get(row) != theirs.rows.get(row)).collect();
        ensure!(differing.is_empty(), "{declared}: values {differing:?} have two hashes");
        ensure!(ours == theirs, "{declared}: equal rows have two digests");
    }
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
