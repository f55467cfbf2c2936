//! Hostile traffic: everything that makes a follower lose or keep rows wrongly, over many connections at once and for as
//! long as it is let: random rows for every column of every table, transactions that commit late, statements that wait
//! behind table locks, prepared transactions without a connection, interleaved bulk inserts, mass deletes, DDL.
//!
//! Each actor plays one part on connections of its own and connects again when its server was away. It does not judge
//! what arrives on the other side, and it does not stop at errors: those that the server may give are counted, others are
//! kept as surprises.

mod actor;
mod bulk;
mod column;
mod ddl;
mod everything;
mod late;
mod literals;
mod locked;
mod mass;
mod prepared;
mod shape;
mod statements;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{SplitMix64, four_tables, quoted, transfers};
use actor::{Actor, Cue, Part};

/// The databases of hostile traffic. Each must exist in no other role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Gets the accounts of the transfers.
    pub books: String,
    /// Gets the four tables.
    pub four: String,
    /// Into this the sample `harbor` was loaded.
    pub sample: String,
    /// Gets the tables whose definitions change.
    pub shapes: String,
    /// Gets the table of bulk inserts.
    pub bulk: String,
    /// Gets the tables that are emptied.
    pub mass: String,
}

/// How long things last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// For runs of minutes: transactions stay open for up to a minute, and a table is emptied once in a while.
    Long,
    /// For a test: everything happens within half a minute or so.
    Short,
}

/// What hostile traffic has done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostileCounters {
    /// Transactions whose COMMIT was answered.
    pub transactions: u64,
    /// Rows that their statements reported as changed.
    pub rows: u64,
    /// Transactions that were rolled back on purpose.
    pub rolled_back: u64,
    /// Statements or transactions that the server refused for a reason it may have: a conflict, a constraint, a value.
    pub refused: u64,
    /// Transactions that were held open for a second or longer and then committed or rolled back.
    pub late: u64,
    /// Statements that waited behind LOCK TABLES.
    pub waited: u64,
    /// Transactions that were prepared, left without a connection, and finished by another.
    pub prepared: u64,
    /// Pairs of bulk inserts that ran side by side.
    pub bulk: u64,
    /// Tables that were truncated or lost most of their rows.
    pub emptied: u64,
    /// Statements that changed a definition.
    pub ddl: u64,
    /// Times that an actor lost its connection.
    pub lost: u64,
    /// The first errors that no actor expects, one line each.
    pub surprises: Vec<String>,
}

/// Surprises that are kept; more of them say nothing new.
const SURPRISES_MAX: usize = 10;

impl HostileCounters {
    fn add(&mut self, other: HostileCounters) {
        self.transactions += other.transactions;
        self.rows += other.rows;
        self.rolled_back += other.rolled_back;
        self.refused += other.refused;
        self.late += other.late;
        self.waited += other.waited;
        self.prepared += other.prepared;
        self.bulk += other.bulk;
        self.emptied += other.emptied;
        self.ddl += other.ddl;
        self.lost += other.lost;
        let room = SURPRISES_MAX - self.surprises.len();
        self.surprises.extend(other.surprises.into_iter().take(room));
    }
}

/// Creates what the traffic needs; the sample is there already.
pub async fn prepare(conn: &mut Conn, places: &Places) -> Result<()> {
    transfers::create(conn, &places.books).await?;
    four_tables::create(conn, &places.four).await?;
    tie(conn, places).await?;
    bulk::create(conn, &places.bulk).await?;
    mass::create(conn, &places.mass).await?;
    ddl::create(conn, &places.shapes).await
}

/// Ties rows that are written together by foreign keys. None of these rows is ever deleted, nor does its key change.
async fn tie(conn: &mut Conn, places: &Places) -> Result<()> {
    let of_a = ["b", "c", "d"].map(|table| (&places.four, table, "a"));
    let of_accounts = ["checking", "savings"].map(|parent| (&places.books, "transfer", parent));
    for (database, table, parent) in of_a.into_iter().chain(of_accounts) {
        let (database, column) = (quoted(database), format!("{parent}_id"));
        conn.query_drop(format!(
            "ALTER TABLE {database}.{table} ADD FOREIGN KEY ({column}) REFERENCES {database}.{parent} (id)"
        ))
        .await
        .context("tie tables by a foreign key")?;
    }
    Ok(())
}

/// Commits what prepared transactions were left behind, as an administrator would, so that no mark waits for them.
pub async fn finish_prepared(conn: &mut Conn) -> Result<()> {
    prepared::finish_all(conn).await
}

/// Hostile traffic under way. Dropping it stops the actors without waiting for them.
#[derive(Debug)]
pub struct Hostile {
    counters: Arc<watch::Sender<HostileCounters>>,
    stop: watch::Sender<bool>,
    actors: JoinSet<()>,
}

impl Hostile {
    /// Starts every actor. The same seed gives each of them the same choices in the same order; which rows these meet
    /// depends on how the actors are interleaved.
    pub fn start(opts: &Opts, places: &Places, seed: u64, pace: Pace) -> Hostile {
        let counters = Arc::new(watch::Sender::new(HostileCounters::default()));
        let stop = watch::Sender::new(false);
        let mut seeds = SplitMix64::new(seed);
        let mut actors = JoinSet::new();
        for (part, pauses) in cast(places, pace) {
            let cue = Cue::new(opts.clone(), pace, stop.subscribe());
            let actor = Actor::new(part, pauses, SplitMix64::new(seeds.next_u64()), cue);
            actors.spawn(actor.play(Arc::clone(&counters)));
        }
        Hostile { counters, stop, actors }
    }

    /// Returns the counters as they are now.
    pub fn counters(&self) -> HostileCounters {
        self.counters.borrow().clone()
    }

    /// Lets every actor end what it has begun, and returns the counters.
    pub async fn stop(mut self) -> Result<HostileCounters> {
        // The actors may all be gone already; then nobody needs to be told.
        let _ = self.stop.send(true);
        while let Some(ended) = self.actors.join_next().await {
            ended.context("join an actor")?;
        }
        Ok(self.counters())
    }
}

/// Shortest and longest pause between two rounds of a part, in milliseconds.
type Pauses = (u64, u64);

/// Who plays. The pauses keep the load at a few hundred rows a second, so that two servers, the traffic and what is tested
/// fit on two cores.
fn cast(places: &Places, pace: Pace) -> Vec<(Part, Pauses)> {
    let everywhere = vec![places.sample.clone(), places.shapes.clone()];
    let (rare, rarer) = match pace {
        Pace::Long => ((15_000, 40_000), (40_000, 90_000)),
        Pace::Short => ((4_000, 8_000), (9_000, 14_000)),
    };
    vec![
        (Part::everything(everywhere.clone()), (100, 400)),
        (Part::everything(everywhere.clone()), (150, 600)),
        (Part::Transfer { books: places.books.clone() }, (200, 500)),
        (Part::FourTables { database: places.four.clone() }, (1_500, 5_000)),
        (Part::late(places, everywhere.clone()), (100, 2_000)),
        (Part::late(places, everywhere.clone()), (100, 4_000)),
        (Part::locked(places, everywhere), (3_000, 9_000)),
        (Part::Prepared { books: places.books.clone() }, (2_000, 6_000)),
        (Part::Bulk { database: places.bulk.clone() }, (4_000, 12_000)),
        (Part::Mass { database: places.mass.clone() }, rarer),
        (Part::Ddl { shapes: places.shapes.clone(), sample: places.sample.clone() }, rare),
    ]
}

/// Draws a duration between two numbers of milliseconds.
fn draw_ms(random: &mut SplitMix64, (least, most): (u64, u64)) -> Duration {
    Duration::from_millis(least + random.below(most.saturating_sub(least) + 1))
}
