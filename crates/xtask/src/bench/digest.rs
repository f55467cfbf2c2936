//! The digest that `leeward verify` asks for, asked of both servers by hand: what a comparison costs the servers alone.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use leeward_testkit::servers::Server;
use mysql_async::Row;
use mysql_async::prelude::Queryable;

use super::process::Taken;
use super::rig::Rig;

/// Rows of one range, as `verify` cuts them.
const RANGE_ROWS: u64 = 20_000;

/// How every digest begins and ends.
const DIGEST_BEGINS: &str = "SELECT COUNT(*),COUNT(h)";
const DIGEST_ENDS: &str = " LIMIT 18446744073709551615) d";

/// Returns the digest of a whole table as `verify` sends it, but for its ranges. Read from the
/// server's own log: a copy kept here would sooner or later be another query.
pub(super) async fn bare_query(rig: &Rig, table: &str) -> Result<String> {
    let mut conn = rig.pair.source.connect().await?;
    conn.query_drop("SET GLOBAL log_output='TABLE'").await.context("log to a table")?;
    conn.query_drop("SET GLOBAL general_log=ON").await.context("switch the general log on")?;
    rig.leeward.run(&["verify"]).await?;
    conn.query_drop("SET GLOBAL general_log=OFF").await.context("switch the general log off")?;
    let logged: Vec<Vec<u8>> =
        conn.query("SELECT argument FROM mysql.general_log").await.context("read the general log")?;
    conn.query_drop("TRUNCATE TABLE mysql.general_log").await.context("empty the general log")?;
    conn.disconnect().await.context("close a connection")?;
    let named = format!("`{table}`");
    let digests = logged.iter().filter_map(|statement| whole_table(&String::from_utf8_lossy(statement)));
    let digest = digests.into_iter().find(|digest| digest.contains(&named));
    digest.with_context(|| format!("find a digest of {table} in the source's general log"))
}

/// Takes the range out of a digest; nothing when the text holds none.
fn whole_table(statement: &str) -> Option<String> {
    let from = statement.find(DIGEST_BEGINS)?;
    let (digest, _) = statement[from..].split_once(DIGEST_ENDS)?;
    let whole = digest.split_once(" FORCE INDEX").map_or(digest, |(before, _)| before);
    Some(format!("{whole}{DIGEST_ENDS}"))
}

/// Returns the digest of ranges of [`RANGE_ROWS`] ids each, which are numbered without gaps.
pub(super) fn in_ranges(bare: &str, rows: u64) -> String {
    let range = |after: u64| {
        let range = format!(" FORCE INDEX (`PRIMARY`) WHERE `id`>{after} AND `id`<={}", after + RANGE_ROWS);
        bare.replace(DIGEST_ENDS, &format!("{range}{DIGEST_ENDS}"))
    };
    (0..rows).step_by(RANGE_ROWS as usize).map(range).collect::<Vec<_>>().join(";")
}

/// Asks both servers at once and returns the time until both have answered.
pub(super) async fn both_sides(rig: &Rig, query: &str, rows: u64) -> Result<Taken> {
    let began = Instant::now();
    let (source, target) = tokio::try_join!(digests(&rig.pair.source, query), digests(&rig.pair.target, query))?;
    let wall_s = began.elapsed().as_secs_f64();
    ensure!(source == target, "the bare query finds a difference");
    let counted: u64 = source.iter().filter_map(|digest| digest.first()?.parse::<u64>().ok()).sum();
    ensure!(counted == rows, "the bare query saw {counted} rows of {rows}");
    Ok(Taken { wall_s, ..Taken::default() })
}

async fn digests(server: &Server, query: &str) -> Result<Vec<Vec<String>>> {
    let mut conn = server.connect().await?;
    // As Leeward's own sessions: what is hashed is bytes.
    conn.query_drop("SET NAMES binary, time_zone='+00:00'").await.context("set the session up")?;
    let mut answer = conn.query_iter(query).await.context("digest a table")?;
    let mut digests = Vec::new();
    while !answer.is_empty() {
        for row in answer.collect::<Row>().await.context("digest a table")? {
            digests.push((0..row.len()).filter_map(|at| row.get::<String, usize>(at)).collect());
        }
    }
    conn.disconnect().await.context("close a connection")?;
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_taken_out_of_a_digest() {
        let whole = format!("{DIGEST_BEGINS} FROM (SELECT SHA2(id,256) h FROM t{DIGEST_ENDS}");
        let ranged = whole.replace(DIGEST_ENDS, &format!(" FORCE INDEX (`PRIMARY`) WHERE ((`id`<=9)){DIGEST_ENDS}"));
        assert_eq!(whole_table(&format!("SELECT 1;{ranged};{ranged}")), Some(whole.clone()));
        assert_eq!(whole_table(&whole), Some(whole));
        assert_eq!(whole_table("SELECT 1"), None);
    }

    #[test]
    fn ranges_cover_the_table() {
        let ranged = in_ranges(&format!("{DIGEST_BEGINS} FROM (SELECT id h FROM t{DIGEST_ENDS}"), 2 * RANGE_ROWS + 1);
        assert_eq!(ranged.matches(DIGEST_BEGINS).count(), 3);
        assert!(ranged.contains("`id`>40000 AND `id`<=60000"), "{ranged}");
    }
}
