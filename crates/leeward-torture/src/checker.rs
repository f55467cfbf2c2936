//! The checker: a reader of its own on the target that looks at every commit it can catch. While the lane says that it is
//! live, each of them must be a state that the source had: money adds up across tables, rows of one transaction are there
//! together, no foreign key between them is broken, and the lane's cut never goes back.
//!
//! Foreign keys whose rows are deleted, or whose parents are kept by comparing alone, wait for a comparison: Live does not
//! promise them. They are looked at all the same, and counted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::NaiveDateTime;
use leeward_testkit::workload::hostile::Places;
use leeward_testkit::workload::{books, four_tables_rows};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::time::timeout;

use crate::keys::{self, ForeignKey};
use crate::news::News;
use crate::stage::LANE;

/// Pause between two looks at the lane's cycle: a fraction of the shortest cycle.
const LOOK_EVERY: Duration = Duration::from_millis(6);

/// Time that foreign keys may take at one commit; they are checked in turn, and the next commit goes on where this one
/// stopped. Longer, and the checker would miss commits.
const KEYS_BUDGET: Duration = Duration::from_millis(40);

/// How long foreign keys are taken to be as they were read.
const KEYS_LAST: Duration = Duration::from_secs(30);

/// How long one look may take: a target that was stopped does not answer.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// Pause after the target did not answer.
const AWAY_PAUSE: Duration = Duration::from_millis(200);

/// What the checker has seen so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Commits looked at, and those that were over before they could be.
    pub(crate) seen: u64,
    pub(crate) missed: u64,
    /// Of those looked at: the lane was live.
    pub(crate) live: u64,
    /// Foreign keys checked at a live commit.
    pub(crate) keys: u64,
    /// Of those checked: foreign keys with rows that waited for a comparison.
    pub(crate) waiting: u64,
    /// Most rows that waited so at one commit, for one foreign key.
    pub(crate) waiting_rows: u64,
}

/// The lane as a read view shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LaneView {
    state: String,
    cycle: u64,
    cut_at: Option<NaiveDateTime>,
}

/// A reader of the target.
pub(crate) struct Checker {
    opts: Opts,
    places: Places,
    databases: Vec<String>,
    news: Arc<News>,
    seen: Arc<Mutex<Seen>>,
    last: Option<LaneView>,
    keys: Vec<ForeignKey>,
    keys_read: Option<Instant>,
    next_key: usize,
}

impl Checker {
    pub(crate) fn new(opts: Opts, places: Places, databases: Vec<String>, news: Arc<News>) -> Checker {
        Checker {
            opts,
            places,
            databases,
            news,
            seen: Arc::default(),
            last: None,
            keys: Vec::new(),
            keys_read: None,
            next_key: 0,
        }
    }

    /// Returns what is seen, to be read at any time.
    pub(crate) fn seen(&self) -> Arc<Mutex<Seen>> {
        Arc::clone(&self.seen)
    }

    /// Looks until the task is ended. What is broken goes to the news.
    pub(crate) async fn watch(mut self) {
        let mut conn: Option<Conn> = None;
        loop {
            let looked = timeout(LOOK_MAX, self.look(&mut conn)).await;
            match looked {
                Ok(Ok(())) => tokio::time::sleep(LOOK_EVERY).await,
                // The target is away, or a table was altered since the read view was taken.
                Ok(Err(_)) | Err(_) => {
                    conn = None;
                    tokio::time::sleep(AWAY_PAUSE).await;
                }
            }
        }
    }

    /// Looks once; at a new commit, judges it.
    async fn look(&mut self, conn: &mut Option<Conn>) -> Result<()> {
        let open = match conn {
            Some(open) => open,
            None => conn.insert(connect(&self.opts).await?),
        };
        let cycle: Option<u64> =
            open.query_first(format!("SELECT cycle FROM leeward.lane WHERE lane = '{LANE}'")).await?;
        if cycle.is_none() || cycle == self.last.as_ref().map(|last| last.cycle) {
            return Ok(());
        }
        open.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
        let lane = lane_view(open).await?;
        self.follow(&lane);
        if lane.state == "live" {
            self.judge(open, lane.cycle).await?;
        }
        Ok(open.query_drop("COMMIT").await?)
    }

    /// Holds the lane against what it was: cycles and cuts only grow.
    fn follow(&mut self, lane: &LaneView) {
        let mut missed = 0;
        if let Some(last) = &self.last {
            if lane.cycle < last.cycle {
                self.news.broken(&format!("cycle {} came after cycle {}", lane.cycle, last.cycle));
            }
            missed = lane.cycle.saturating_sub(last.cycle + 1);
            if lane.cut_at < last.cut_at {
                let text = |at: Option<NaiveDateTime>| at.map_or("none".to_owned(), |at| at.to_string());
                let (was, is) = (text(last.cut_at), text(lane.cut_at));
                self.news.broken(&format!("the lane's cut went back in cycle {}: from {was} to {is}", lane.cycle));
            }
        }
        let mut seen = locked(&self.seen);
        seen.seen += 1;
        seen.missed += missed;
        seen.live += u64::from(lane.state == "live");
        drop(seen);
        self.last = Some(lane.clone());
    }

    /// Judges a commit that says it is live.
    async fn judge(&mut self, conn: &mut Conn, cycle: u64) -> Result<()> {
        let books = books(conn, &self.places.books).await?;
        if !books.is_balanced() {
            self.news.broken(&format!("cycle {cycle} shows books that the source never had: {books:?}"));
        }
        let rows = four_tables_rows(conn, &self.places.four).await?;
        if !rows.is_whole() {
            self.news.broken(&format!("cycle {cycle} shows a transaction in part: {rows:?}"));
        }
        self.check_keys(conn, cycle).await
    }

    /// Checks as many foreign keys as the budget allows.
    async fn check_keys(&mut self, conn: &mut Conn, cycle: u64) -> Result<()> {
        if self.keys_read.is_none_or(|read| read.elapsed() >= KEYS_LAST) {
            self.keys = keys::read(conn, &self.databases).await?;
            self.keys_read = Some(Instant::now());
        }
        let out: Vec<String> = conn
            .query(format!(
                "SELECT CONCAT(schema_name, '.', table_name) FROM leeward.table_state \
                 WHERE lane = '{LANE}' AND state <> 'live'"
            ))
            .await?;
        let began = Instant::now();
        for _ in 0..self.keys.len() {
            if began.elapsed() >= KEYS_BUDGET {
                break;
            }
            self.next_key = (self.next_key + 1) % self.keys.len();
            let key = &self.keys[self.next_key];
            // A table that waits for a person is not part of what the lane says.
            if key.tables.iter().any(|table| out.contains(table)) {
                continue;
            }
            let rows = key.broken_rows(conn).await?;
            let waits = rows > 0 && !self.is_promised(key);
            let mut seen = locked(&self.seen);
            seen.keys += 1;
            seen.waiting += u64::from(waits);
            seen.waiting_rows = seen.waiting_rows.max(if waits { rows } else { 0 });
            drop(seen);
            if rows > 0 && !waits {
                self.news.broken(&format!("cycle {cycle} breaks the foreign key {} in {rows} rows", key.name));
            }
        }
        Ok(())
    }

    /// Returns whether a live lane promises a foreign key: its rows are only added to, and followed by id or clock.
    fn is_promised(&self, key: &ForeignKey) -> bool {
        [&self.places.books, &self.places.four].iter().any(|database| key.is_in(database))
    }
}

async fn connect(opts: &Opts) -> Result<Conn> {
    let mut conn = Conn::new(opts.clone()).await.context("connect to the target")?;
    conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
    Ok(conn)
}

async fn lane_view(conn: &mut Conn) -> Result<LaneView> {
    let sql = format!("SELECT state, cycle, cut_at FROM leeward.lane WHERE lane = '{LANE}'");
    let (state, cycle, cut_at) = conn.query_first(sql).await?.context("the lane is stored")?;
    Ok(LaneView { state, cycle, cut_at })
}

/// Locks what every critical section leaves whole, so that a panic elsewhere does not matter.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
