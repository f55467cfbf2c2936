//! The full comparison of one sysbench-like table, in turn with the same digest asked of both servers
//! by hand, and over a slow link.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use leeward_testkit::servers::{Kind, Server};
use mysql_async::Row;
use mysql_async::prelude::Queryable;

use super::figures::{Figure, Section, Target};
use super::process;
use super::rig::{ROUND_TRIP, Rig};
use super::tables::{DATABASE, fill_sbtest};

/// One table: what is done once a run weighs more than over several.
const TABLES: u64 = 1;

/// Time of a verification beside the bare query's that is good enough, and beside its own without a
/// delay.
const BARE_RATIO_MAX: f64 = 1.15;
const DELAY_RATIO_MAX: f64 = 1.3;

/// Rows of one range, as `verify` cuts them.
const RANGE_ROWS: u64 = 20_000;

/// How every digest begins and ends.
const DIGEST_BEGINS: &str = "SELECT COUNT(*),COUNT(h)";
const DIGEST_ENDS: &str = " LIMIT 18446744073709551615) d";

/// What is measured in turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Bare,
    Ranged,
    Near,
    Far,
}

/// What each way took, run by run, in seconds.
#[derive(Default)]
struct Taken {
    bare: Vec<f64>,
    ranged: Vec<f64>,
    near: Vec<f64>,
    far: Vec<f64>,
    peaks: Vec<f64>,
    round_trips: Vec<f64>,
}

/// Measures all ways, run by run, each run in another order.
pub(super) async fn measure(kind: Kind, (rows, runs): (u64, u32), path: PathBuf, section: &mut Section) -> Result<()> {
    let mut rig = Rig::start(kind, path, DATABASE).await?;
    fill_sbtest(&rig, TABLES, rows).await?;
    rig.leeward.run(&["seed"]).await?;
    let bare = bare_query(&rig).await?;
    let ranged = in_ranges(&bare, rows);
    let near = rig.leeward.clone();
    let link = rig.slow_link().await?;
    let mut taken = Taken::default();
    for run in 0..runs as usize {
        let mut ways = [Way::Bare, Way::Near, Way::Ranged, Way::Far];
        let first = run % ways.len();
        ways.rotate_left(first);
        for way in ways {
            match way {
                Way::Bare => taken.bare.push(digest_both(&rig, &bare, rows).await?),
                Way::Ranged => taken.ranged.push(digest_both(&rig, &ranged, rows).await?),
                Way::Near => {
                    let verify = process::run(near.command(&["verify"])).await?;
                    taken.near.push(verify.wall_s);
                    taken.peaks.push(verify.peak_mib);
                }
                Way::Far => {
                    let before = link.counters().round_trips;
                    taken.far.push(process::run(rig.leeward.command(&["verify"])).await?.wall_s);
                    taken.round_trips.push((link.counters().round_trips - before) as f64);
                }
            }
        }
    }
    taken.report(&rig.server(), section);
    section.note(&format!(
        "{TABLES} table of {rows} rows: id, k, c CHAR(120), pad CHAR(60), an index on k; both sides equal. The bare query \
         is the digest that `leeward verify` sends, taken from the source's general log, over the whole table in one \
         statement, on both servers at once; servers do it faster in ranges, so that is shown as well, with borders \
         that need not be looked for. `leeward verify` is the whole command, from its start to its end. The order of \
         the four changes from run to run; far is {} ms round-trip time.",
        ROUND_TRIP.as_millis()
    ));
    Ok(())
}

impl Taken {
    fn report(self, server: &str, section: &mut Section) {
        let ratio = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(one, other)| one / other).collect();
        let (to_bare, to_ranged) = (ratio(&self.near, &self.bare), ratio(&self.near, &self.ranged));
        let to_near = ratio(&self.far, &self.near);
        let figure = |what, unit, values| Figure::new(server, what, unit, values);
        section.add(figure("bare digest query, both servers at once", "s", self.bare));
        section.add(figure("the same in ranges of 20000 rows", "s", self.ranged));
        section.add(figure("leeward verify", "s", self.near));
        let to_bare = figure("leeward verify / bare digest query, run by run", "times", to_bare);
        section.add(to_bare.within(Target::Median(BARE_RATIO_MAX)));
        section.add(figure("leeward verify / the same in ranges, run by run", "times", to_ranged));
        section.add(figure("leeward verify, far", "s", self.far));
        let to_near = figure("leeward verify, far / near, run by run", "times", to_near);
        section.add(to_near.within(Target::Median(DELAY_RATIO_MAX)));
        section.add(figure("round trips to the source of leeward verify, far", "", self.round_trips));
        section.add(figure("peak memory of leeward verify", "MiB", self.peaks));
    }
}

/// Returns the digest of the whole table as `verify` sends it, but for its ranges. Read from the
/// server's own log: a copy kept here would sooner or later be another query.
async fn bare_query(rig: &Rig) -> Result<String> {
    let mut conn = rig.pair.source.connect().await?;
    conn.query_drop("SET GLOBAL log_output='TABLE'").await.context("log to a table")?;
    conn.query_drop("SET GLOBAL general_log=ON").await.context("switch the general log on")?;
    rig.leeward.run(&["verify"]).await?;
    conn.query_drop("SET GLOBAL general_log=OFF").await.context("switch the general log off")?;
    let logged: Vec<Vec<u8>> =
        conn.query("SELECT argument FROM mysql.general_log").await.context("read the general log")?;
    conn.query_drop("TRUNCATE TABLE mysql.general_log").await.context("empty the general log")?;
    conn.disconnect().await.context("close a connection")?;
    let digest = logged.iter().find_map(|statement| whole_table(&String::from_utf8_lossy(statement)));
    digest.context("find a digest in the source's general log")
}

/// Takes the range out of a digest; nothing when the text holds none.
fn whole_table(statement: &str) -> Option<String> {
    let from = statement.find(DIGEST_BEGINS)?;
    let (digest, _) = statement[from..].split_once(DIGEST_ENDS)?;
    let whole = digest.split_once(" FORCE INDEX").map_or(digest, |(before, _)| before);
    Some(format!("{whole}{DIGEST_ENDS}"))
}

/// Returns the digest of ranges of [`RANGE_ROWS`] ids each, which are numbered without gaps.
fn in_ranges(bare: &str, rows: u64) -> String {
    let range = |after: u64| {
        let range = format!(" FORCE INDEX (`PRIMARY`) WHERE `id`>{after} AND `id`<={}", after + RANGE_ROWS);
        bare.replace(DIGEST_ENDS, &format!("{range}{DIGEST_ENDS}"))
    };
    (0..rows).step_by(RANGE_ROWS as usize).map(range).collect::<Vec<_>>().join(";")
}

/// Asks both servers at once and returns the seconds until both have answered.
async fn digest_both(rig: &Rig, query: &str, rows: u64) -> Result<f64> {
    let began = Instant::now();
    let (source, target) = tokio::try_join!(digests(&rig.pair.source, query), digests(&rig.pair.target, query))?;
    let wall_s = began.elapsed().as_secs_f64();
    ensure!(source == target, "the bare query finds a difference");
    let counted: u64 = source.iter().filter_map(|digest| digest.first()?.parse::<u64>().ok()).sum();
    ensure!(counted == rows, "the bare query saw {counted} rows of {rows}");
    Ok(wall_s)
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
