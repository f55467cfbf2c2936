//! The end of a run: the traffic stops, everything is caught up and compared by Leeward, and then by somebody else.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDateTime;
use leeward_testkit::compare::{self, Scope};
use leeward_testkit::workload::hostile::{self, Hostile, HostileCounters};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::dba::{self, Patience};
use crate::driver::Driver;
use crate::report::Comparison;
use crate::script::Side;
use crate::stage::{LANE, Stage};

/// How long a person may take to have done all that is asked for.
const PERSON_MAX: Duration = Duration::from_secs(300);

/// How long the comparison of every table may take, behind a backlog of repairs and with what it asks of a person.
const SCRUBBED_MAX: Duration = Duration::from_secs(300);

/// How often the end is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How a run ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ended {
    pub(crate) traffic: HostileCounters,
    pub(crate) comparison: Option<Comparison>,
    pub(crate) verify_exit_code: Option<i32>,
}

/// Brings a run to its end and compares both sides. What is known when it breaks off stands in `ended`.
pub(crate) async fn end(
    driver: &mut Driver<'_>,
    (traffic, mut watchers): (Hostile, JoinSet<()>),
    ended: &mut Ended,
) -> Result<()> {
    let news = driver.news;
    news.say("the traffic ends");
    ended.traffic = traffic.stop().await?;
    let mut conn = driver.stage.pair.source.connect().await?;
    hostile::finish_prepared(&mut conn).await?;
    conn.disconnect().await.context("close a connection")?;
    driver.recover("the end of the traffic").await?;
    all_scrubbed(driver).await?;
    news.say("every table has been compared by the lane");
    watchers.shutdown().await;
    // The last probe may be younger than the last cycle.
    driver.live_again().await?;
    ensure!(driver.fleet.stop().await?, "a process that was asked to stop did not end with 0");
    let stage: &Stage = driver.stage;
    let names = stage.databases();
    let scope = Scope::databases(names.iter().map(String::as_str));
    let found = compare::servers(&stage.admin(Side::Source)?, &stage.admin(Side::Target)?, &scope).await?;
    ended.comparison = Some(Comparison {
        tables: found.tables.len() as u64,
        rows: found.source_rows(),
        different: found.unequal().count() as u64,
        text: found.to_string(),
    });
    news.say(&format!("independent comparison: {found}"));
    let (code, said, _) = stage.binary.run(&["verify"]).await?;
    news.say(&format!("leeward verify: exit code {code}"));
    if code != 0 {
        news.say(&said);
    }
    ended.verify_exit_code = Some(code);
    Ok(())
}

/// Has the person do everything until nothing is asked for any more.
async fn serve_all(driver: &mut Driver<'_>) -> Result<()> {
    let began = Instant::now();
    loop {
        let visit = driver.dba.visit(driver.stage, driver.fleet, (driver.news, Patience::None)).await?;
        if let Some(broken) = driver.news.what_is_broken() {
            bail!("{broken}");
        }
        if visit.asked == 0 {
            return Ok(());
        }
        if began.elapsed() > PERSON_MAX {
            bail!("{} tables still wait for a person after {} s", visit.asked, PERSON_MAX.as_secs());
        }
        driver.live_again().await?;
        // What drifted comes back with the next look at definitions.
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until every table has been compared whole in a pass that began after this call, with a person who does what the
/// comparison asks for.
async fn all_scrubbed(driver: &mut Driver<'_>) -> Result<()> {
    serve_all(driver).await?;
    driver.recover("a person's work").await?;
    let (began, now) = (Instant::now(), driver.stage.source_now().await?);
    let planned = dba::planned(driver.stage).await?;
    let sql = format!(
        "SELECT record FROM leeward.table_state WHERE lane = '{LANE}' AND CONCAT(schema_name, '.', table_name) IN ({})",
        planned.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(",")
    );
    loop {
        driver.fleet.supervise(driver.stage)?;
        let records: Vec<String> = driver.stage.query(Side::Target, &sql).await?;
        let records: Vec<Value> = records
            .iter()
            .map(|text| serde_json::from_str(text))
            .collect::<Result<_, _>>()
            .context("read the tables' records")?;
        let left: Vec<&Value> = records.iter().filter(|record| !is_verified_since(record, now)).collect();
        if left.is_empty() {
            return serve_all(driver).await;
        }
        if left.iter().any(|record| record["state"]["state"] == "quarantined") {
            serve_all(driver).await?;
        }
        if began.elapsed() > SCRUBBED_MAX {
            let lines: Vec<String> = left.iter().map(|record| scrub_line(record)).collect();
            bail!("not compared whole after {} s: {}", SCRUBBED_MAX.as_secs(), lines.join("; "));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Returns whether a table's last complete comparison began after a moment of the source's clock.
fn is_verified_since(record: &Value, moment: NaiveDateTime) -> bool {
    let since = record["scrub"]["verified_since"].as_str().unwrap_or_default();
    NaiveDateTime::parse_from_str(since, "%Y-%m-%dT%H:%M:%S%.f").is_ok_and(|since| since > moment)
}

/// Says how far the comparison of a table is.
fn scrub_line(record: &Value) -> String {
    format!("{} {} {}", record["name"], record["state"], record["scrub"])
}
