//! `cloudwatch:GetMetricData`: how much of the storage is free, which RDS itself does not say.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};
use leeward_core::readiness::cloud::{Asked, Measured, RdsServer};

use super::call::{Call, Failed, Line, failed, misunderstood, utc};
use super::{Reach, needed};

/// Seconds that one value stands for: RDS writes it every minute.
const PERIOD_S: i32 = 60;

/// How far ahead is asked: one value.
const AHEAD: Duration = Duration::from_secs(60);

/// How far back is asked. The check takes nothing older than 15 minutes; the rest tells how old the last value is.
const WINDOW: Duration = Duration::from_secs(3 * 3600);

/// Asks for the free space of the server's instances.
pub(super) async fn free_space(caller: &Reach, server: &Asked<RdsServer>, mut line: Line) -> Asked<Measured> {
    let (caller, server) = match (caller, needed(server)) {
        (Ok(caller), Ok(server)) => (caller, server),
        (Err(untold), _) => return Asked::Untold(untold.clone()),
        (_, Err(untold)) => return Asked::Untold(untold),
    };
    let about = format!("AWS/RDS FreeStorageSpace of {}", server.members.join(", "));
    let call = Call { about, ..Call::anything("cloudwatch:GetMetricData", &caller.region) };
    let client = Client::new(&caller.config);
    line.ask(&call, read(&client, &call, &server.members)).await
}

async fn read(client: &Client, call: &Call, members: &[String]) -> Result<Measured, Failed> {
    let now = SystemTime::now();
    let queries = members.iter().enumerate().map(|(index, member)| query(index, member)).collect();
    let answer = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(DateTime::from(now - WINDOW))
        // The end is excluded, and the newest value may bear the present second, or the service's clock be ahead of ours.
        .end_time(DateTime::from(now + AHEAD))
        .send()
        .await
        .map_err(|error| failed(call, &error))?;
    let mut least: Option<Measured> = None;
    for (index, member) in members.iter().enumerate() {
        let id = name(index);
        let results = answer.metric_data_results().iter().filter(|result| result.id() == Some(&id));
        let latest = results.filter_map(latest).max_by_key(|measured| measured.at);
        let latest = latest.ok_or_else(|| {
            misunderstood(call, format!("CloudWatch has no FreeStorageSpace of {member} in the last hours"))
        })?;
        least = Some(match least {
            Some(least) => Measured { value: least.value.min(latest.value), at: least.at.min(latest.at) },
            None => latest,
        });
    }
    least.ok_or_else(|| misunderstood(call, "the server has no instances"))
}

fn query(index: usize, member: &str) -> MetricDataQuery {
    let dimension = Dimension::builder().name("DBInstanceIdentifier").value(member).build();
    let metric = Metric::builder().namespace("AWS/RDS").metric_name("FreeStorageSpace").dimensions(dimension).build();
    let stat = MetricStat::builder().metric(metric).period(PERIOD_S).stat("Minimum").build();
    MetricDataQuery::builder().id(name(index)).metric_stat(stat).build()
}

/// Names a query as CloudWatch wants it: a letter first.
fn name(index: usize) -> String {
    format!("m{index}")
}

fn latest(result: &MetricDataResult) -> Option<Measured> {
    let pairs = result.timestamps().iter().zip(result.values());
    let dated = pairs.filter_map(|(at, value)| Some(Measured { value: *value, at: utc(at)? }));
    dated.max_by_key(|measured| measured.at)
}
