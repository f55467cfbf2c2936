//! Probes: how long a row takes from its commit on the source until it is seen on the target, while no fault is open. They
//! write and look by themselves and do not ask Leeward.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::time::timeout;

use crate::checker::locked;
use crate::news::News;

/// Time between two probes: no multiple of a cycle, so that they fall on every part of one.
const PROBE_EVERY: Duration = Duration::from_millis(830);

/// How often the target is looked at: the error of each figure.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long a probe is waited for.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);

/// Writes probes and keeps how long each took, in seconds.
pub(crate) struct Prober {
    pub(crate) source: Opts,
    pub(crate) target: Opts,
    /// The database that holds the table `probe`.
    pub(crate) database: String,
    pub(crate) news: Arc<News>,
    pub(crate) lags: Arc<Mutex<Vec<f64>>>,
}

impl Prober {
    /// Probes until the task is ended.
    pub(crate) async fn probe(self) {
        let mut conns = None;
        loop {
            tokio::time::sleep(PROBE_EVERY).await;
            let Some(calm) = self.news.calm_since() else { continue };
            let arrived = timeout(ARRIVAL_MAX, self.once(&mut conns)).await;
            let is_calm = self.news.calm_since() == Some(calm);
            match arrived {
                Ok(Ok(lag)) if is_calm => locked(&self.lags).push(lag),
                Ok(Ok(_)) => {}
                // Not there after all this time: it counts with what has passed.
                Err(_) if is_calm => locked(&self.lags).push(ARRIVAL_MAX.as_secs_f64()),
                // A server is away.
                Ok(Err(_)) | Err(_) => conns = None,
            }
        }
    }

    async fn once(&self, conns: &mut Option<(Conn, Conn)>) -> Result<f64> {
        let (source, target) = match conns {
            Some(conns) => conns,
            None => conns.insert((Conn::new(self.source.clone()).await?, Conn::new(self.target.clone()).await?)),
        };
        let database = &self.database;
        source.query_drop(format!("INSERT INTO {database}.probe (n) VALUES (1)")).await.context("write a probe")?;
        let committed = Instant::now();
        let id = source.last_insert_id().context("the probe has an id")?;
        loop {
            let newest: Option<Option<u64>> = target
                .query_first(format!("SELECT MAX(id) FROM {database}.probe"))
                .await
                .context("look for a probe")?;
            if newest.flatten().unwrap_or(0) >= id {
                return Ok(committed.elapsed().as_secs_f64());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
