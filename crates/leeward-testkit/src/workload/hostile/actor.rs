//! One actor: a part played round by round, with pauses, reconnections and an end.
//!
//! Decides when a round is played and what an error means; what a round does stands in the files beside this one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::sync::watch;
use tokio::time::timeout;

use super::everything::Everything;
use super::{HostileCounters, Pace, Pauses, Places, bulk, ddl, draw_ms, late, locked, mass, prepared};
use crate::workload::{SplitMix64, four_tables, open, transfers};

/// How long one round may take: the longest transaction (a minute), and as long again for waits.
const ROUND_MAX: Duration = Duration::from_secs(120);

/// How long a connection may take to open or close.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Pause after a lost connection: a server that restarts takes a second or more.
const LOST_PAUSE: Duration = Duration::from_millis(300);

/// Answers that hostile traffic must expect: conflicts with others, values and constraints, values that do not convert (1918),
/// cascades that reach too far (6575), definitions that have changed, a counter at its end (167, 1467), a row that is gone and
/// left a variable without a collation (1267), prepared transactions that are elsewhere (1397 to 1440).
const REFUSALS: &[u16] = &[
    167, 1020, 1048, 1050, 1051, 1054, 1060, 1061, 1062, 1072, 1091, 1118, 1136, 1146, 1205, 1210, 1213, 1264, 1265,
    1267, 1292, 1364, 1365, 1366, 1397, 1399, 1400, 1402, 1406, 1411, 1412, 1416, 1440, 1451, 1452, 1467, 1526, 1553,
    1690, 1761, 1846, 1918, 3140, 3141, 3156, 3730, 3819, 4025, 6575,
];

/// Answers of a server that goes away: shutdown (1053), statement or connection killed (1317, 1927, 4031), shutdown in
/// progress (3169, 1077, 1079).
const GOING: &[u16] = &[1053, 1077, 1079, 1317, 1927, 3169, 4031];

/// A deadlock undoes the whole transaction, where other refusals undo one statement.
const DEADLOCK: u16 = 1213;

/// What an actor plays.
#[derive(Debug)]
pub(super) enum Part {
    /// Random statements on every table of some databases.
    Everything(Everything),
    /// Money between accounts of different tables.
    Transfer { books: String },
    /// Rows of four tables in one transaction.
    FourTables { database: String },
    /// Transactions that commit long after their statements.
    Late { places: Places, everything: Everything },
    /// Statements that wait behind LOCK TABLES.
    Locked { places: Places, everything: Everything },
    /// Prepared transactions without a connection.
    Prepared { books: String },
    /// Bulk inserts side by side.
    Bulk { database: String },
    /// Tables that are emptied and filled again.
    Mass { database: String },
    /// Definitions that change.
    Ddl { shapes: String, sample: String },
}

impl Part {
    pub(super) fn everything(databases: Vec<String>) -> Part {
        Part::Everything(Everything::new(databases))
    }

    pub(super) fn late(places: &Places, databases: Vec<String>) -> Part {
        Part::Late { places: places.clone(), everything: Everything::new(databases) }
    }

    pub(super) fn locked(places: &Places, databases: Vec<String>) -> Part {
        Part::Locked { places: places.clone(), everything: Everything::new(databases) }
    }

    fn name(&self) -> &'static str {
        match self {
            Part::Everything(_) => "everything",
            Part::Transfer { .. } => "transfer",
            Part::FourTables { .. } => "four tables",
            Part::Late { .. } => "late",
            Part::Locked { .. } => "locked",
            Part::Prepared { .. } => "prepared",
            Part::Bulk { .. } => "bulk",
            Part::Mass { .. } => "mass",
            Part::Ddl { .. } => "ddl",
        }
    }

    /// Plays one round. Every choice is drawn from `random`, whatever the server answers.
    async fn round(&mut self, conn: &mut Conn, random: SplitMix64, cue: &mut Cue) -> Result<HostileCounters> {
        match self {
            Part::Everything(everything) => everything.round(conn, random).await,
            Part::Transfer { books } => {
                simple(conn, async |conn, random| transfers::write(conn, books, random).await, random).await
            }
            Part::FourTables { database } => {
                simple(conn, async |conn, random| four_tables::write(conn, database, random).await, random).await
            }
            Part::Late { places, everything } => late::round(conn, places, everything, (random, cue)).await,
            Part::Locked { places, everything } => locked::round(conn, places, everything, (random, cue)).await,
            Part::Prepared { books } => prepared::round(conn, books, random, cue).await,
            Part::Bulk { database } => bulk::round(conn, database, random, cue).await,
            Part::Mass { database } => mass::round(conn, database, random, cue).await,
            Part::Ddl { shapes, sample } => ddl::round(conn, (shapes, sample), random).await,
        }
    }
}

/// Writes and commits one transaction of the ordinary workload.
async fn simple(
    conn: &mut Conn,
    write: impl AsyncFnOnce(&mut Conn, &mut SplitMix64) -> Result<crate::workload::Rows>,
    mut random: SplitMix64,
) -> Result<HostileCounters> {
    conn.query_drop("START TRANSACTION").await?;
    let rows = write(conn, &mut random).await?;
    conn.query_drop("COMMIT").await?;
    let rows = rows.inserted + rows.updated + rows.deleted;
    Ok(HostileCounters { transactions: 1, rows, ..HostileCounters::default() })
}

/// What every part needs of the outside: other connections, time that ends when the traffic is stopped, and the pace.
#[derive(Debug)]
pub(super) struct Cue {
    opts: Opts,
    pub(super) pace: Pace,
    stopped: watch::Receiver<bool>,
}

impl Cue {
    pub(super) fn new(opts: Opts, pace: Pace, stopped: watch::Receiver<bool>) -> Cue {
        Cue { opts, pace, stopped }
    }

    /// Returns whether the traffic is to end. A handle that was dropped is a wish to end as well.
    pub(super) fn is_over(&self) -> bool {
        *self.stopped.borrow() || self.stopped.has_changed().is_err()
    }

    /// Waits, or until the traffic is stopped.
    pub(super) async fn pause(&mut self, length: Duration) {
        let _ = timeout(length, self.stopped.wait_for(|stop| *stop)).await;
    }

    /// Opens a connection with the session that hostile traffic expects: short waits for rows, since another actor may
    /// hold them for a minute.
    pub(super) async fn connect(&self) -> Result<Conn> {
        let mut conn = timeout(CONNECT_MAX, open(&self.opts)).await??;
        conn.query_drop("SET SESSION innodb_lock_wait_timeout = 2, lock_wait_timeout = 30").await?;
        Ok(conn)
    }
}

/// An actor with its part and its choices.
pub(super) struct Actor {
    part: Part,
    pauses: Pauses,
    random: SplitMix64,
    cue: Cue,
}

impl Actor {
    pub(super) fn new(part: Part, pauses: Pauses, random: SplitMix64, cue: Cue) -> Actor {
        Actor { part, pauses, random, cue }
    }

    /// Plays until the traffic is stopped.
    pub(super) async fn play(mut self, counters: Arc<watch::Sender<HostileCounters>>) {
        let mut conn = None;
        while !self.cue.is_over() {
            // Two draws a round, whatever comes of it: the same seed gives the same rounds.
            let pause = draw_ms(&mut self.random, self.pauses);
            let random = SplitMix64::new(self.random.next_u64());
            self.cue.pause(pause).await;
            let played = self.turn(&mut conn, random).await;
            counters.send_modify(|counters| counters.add(played));
        }
        if let Some(conn) = conn {
            // The server may be gone by now; a connection that cannot say good-bye is closed anyway.
            let _ = timeout(CONNECT_MAX, conn.disconnect()).await;
        }
    }

    /// Plays one round on a connection that is opened where needed, and dropped where it may be broken.
    async fn turn(&mut self, conn: &mut Option<Conn>, random: SplitMix64) -> HostileCounters {
        let mut open = match conn.take() {
            Some(open) => open,
            None => match self.cue.connect().await {
                Ok(open) => open,
                Err(_) => {
                    self.cue.pause(LOST_PAUSE).await;
                    return HostileCounters { lost: 1, ..HostileCounters::default() };
                }
            },
        };
        match timeout(ROUND_MAX, self.part.round(&mut open, random, &mut self.cue)).await {
            Ok(Ok(played)) => {
                *conn = Some(open);
                played
            }
            Ok(Err(error)) if is_refusal(&error) => {
                // What else the transaction holds is undone with the connection, if not by this.
                if open.query_drop("ROLLBACK").await.is_ok() {
                    *conn = Some(open);
                }
                HostileCounters { refused: 1, ..HostileCounters::default() }
            }
            Ok(Err(error)) => {
                self.cue.pause(LOST_PAUSE).await;
                let surprise = surprise(&error).map(|text| format!("{}: {text}", self.part.name()));
                HostileCounters { lost: 1, surprises: surprise.into_iter().collect(), ..HostileCounters::default() }
            }
            Err(_) => {
                let text = format!("{}: a round took longer than {} s", self.part.name(), ROUND_MAX.as_secs());
                HostileCounters { lost: 1, surprises: vec![text], ..HostileCounters::default() }
            }
        }
    }
}

fn server_code(error: &anyhow::Error) -> Option<u16> {
    match error.downcast_ref::<mysql_async::Error>() {
        Some(mysql_async::Error::Server(answer)) => Some(answer.code),
        _ => None,
    }
}

/// Returns whether the server refused for a reason that it may have.
pub(super) fn is_refusal(error: &anyhow::Error) -> bool {
    server_code(error).is_some_and(|code| REFUSALS.contains(&code))
}

/// Returns whether the transaction can go on after a refusal.
pub(super) fn spares_transaction(error: &anyhow::Error) -> bool {
    is_refusal(error) && server_code(error) != Some(DEADLOCK)
}

/// Returns an error that is neither a refusal nor the end of a server, as a line of text.
fn surprise(error: &anyhow::Error) -> Option<String> {
    let code = server_code(error)?;
    (!GOING.contains(&code)).then(|| format!("{error:#}"))
}
