//! Values that imitate what the digest puts around values: a form that could be read in two ways would hash two rows
//! alike.

use anyhow::{Result, ensure};
use leeward_mysql::digest::text;
use leeward_mysql::sql;
use leeward_testkit::servers::pair;

use crate::setup::{database, open, planned_table};

/// Pieces of the canonical form: what stands for NULL, what ends a number, what ends a length, and lengths.
const CELLS: [&str; 11] = ["NULL", "''", "'N'", "'NN'", "':'", "','", "'0'", "'0:'", "'1:'", "'1:N'", "'1'"];
const NUMBERS: [&str; 4] = ["NULL", "0", "1", "11"];

/// Returns rows of every combination.
fn all_rows() -> Vec<String> {
    let mut rows = Vec::new();
    for a in CELLS {
        for b in CELLS {
            for c in CELLS {
                rows.extend(NUMBERS.map(|d| format!("({a},{d},{b},{c})")));
            }
        }
    }
    rows
}

leeward_testkit::each_kind! {
    /// `'x0','y'` is not `'x','0y'`, and NULL is neither `''` nor what stands for it.
    async fn no_two_rows_read_alike_t15(kind: Kind) -> Result<()> {
        let source = &pair(kind).await?.source;
        let made = "CREATE TABLE cells (a VARCHAR(20) NULL, d INT NULL, b VARBINARY(20) NULL, c TEXT NULL)";
        let rows = all_rows();
        let filled = format!("INSERT INTO cells VALUES {}", rows.join(","));
        database(source, "rows_separators", &[made, &filled]).await?;
        let mut session = open(source, "rows_separators").await?;
        let table = planned_table(&mut session, "rows_separators", "cells").await?;
        let query = format!("SELECT COUNT(DISTINCT {}) FROM cells", sql::row_hash(&table.table));
        let row = session.row("count row hashes", query).await?;
        let hashes = row.as_ref().and_then(|row| text(row, 0)).and_then(|count| count.parse().ok());
        ensure!(hashes == Some(rows.len()), "{hashes:?} hashes of {} rows", rows.len());
        Ok(())
    }
}
