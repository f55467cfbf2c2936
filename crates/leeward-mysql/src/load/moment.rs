//! Several connections whose read views show one moment. MySQL and MariaDB cannot hand a read view from one connection to
//! another, so commits are kept off while the views are opened: by a lock of the whole server, or else of the tables. A lock
//! that is not had within seconds is given up, since writers wait behind whoever waits for it; where none is to be had,
//! everything is read over one connection, which is always one moment.

use std::time::Duration;

use chrono::NaiveDateTime;
use futures_util::future::{join_all, try_join_all};
use leeward_core::dump::MomentBy;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::TableName;
use leeward_core::port::{ChunkReader, Locks, OneMoment};

use super::MySqlReader;
use crate::endpoint::Endpoint;
use crate::fence;
use crate::session::Session;
use crate::sql;

/// How long the source's writers may have to wait behind our wait for a lock, in seconds, at each try. A statement of the
/// application that runs longer keeps the lock from being had at all.
const LOCK_WAIT_S: u32 = 2;

/// Tries for each kind of lock.
const TRIES_MAX: u32 = 3;

/// Between two tries the writers that have waited get their turn.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// How long a view may be silent, in seconds, before the server ends its connection: a reader may wait for others for hours.
const SILENCE_S: u32 = 7 * 86_400;

const OPENING: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

/// Opens the views.
///
/// # Errors
/// Those of a connection. A lock that is not to be had is none.
pub async fn open(
    endpoint: &Endpoint,
    readers: usize,
    tables: &[&TableName],
    locks: Locks,
) -> Result<OneMoment, Fault> {
    let mut notes = Vec::new();
    if readers > 1 && locks == Locks::Brief {
        for by in [MomentBy::GlobalLock, MomentBy::TableLocks] {
            match under_lock(endpoint, readers, tables, by).await? {
                Ok((at, sessions)) => return Ok(OneMoment { at, by, readers: boxed(sessions), notes }),
                Err(why) => notes.push(why),
            }
        }
    }
    let first = format!("SET SESSION wait_timeout={SILENCE_S};SET @leeward_at=NOW(6);{OPENING};SELECT @leeward_at");
    let (session, sets) = Session::open_with(endpoint, "dump", &first).await?;
    let at = sets.first().and_then(|rows| fence::time(rows.first()?, 0));
    let at = at.ok_or_else(|| Fault::new(FaultKind::Unexpected, "open a read view").on(endpoint.side))?;
    Ok(OneMoment { at, by: MomentBy::OneView, readers: boxed(vec![session]), notes })
}

fn boxed(sessions: Vec<Session>) -> Vec<Box<dyn ChunkReader>> {
    sessions.into_iter().map(|session| Box::new(MySqlReader::of_view(session)) as Box<dyn ChunkReader>).collect()
}

/// The source's clock and the views, or why the lock was not to be had.
type Opened = Result<(NaiveDateTime, Vec<Session>), String>;

/// Opens the views while a lock is held. The lock goes with its connection, however this ends.
async fn under_lock(endpoint: &Endpoint, readers: usize, tables: &[&TableName], by: MomentBy) -> Result<Opened, Fault> {
    const DOING: &str = "open read views";
    let hurry = format!("SET SESSION lock_wait_timeout={LOCK_WAIT_S}");
    let (mut locker, _) = Session::open_with(endpoint, "dump lock", &hurry).await?;
    // Connections are made before the lock is asked for: it is held for a round trip or two.
    let keep = format!("SET SESSION wait_timeout={SILENCE_S}");
    let mut sessions: Vec<Session> =
        try_join_all((0..readers).map(|_| async { Ok(Session::open_with(endpoint, "dump", &keep).await?.0) })).await?;
    let (statement, unlock) = statements(by, tables);
    if let Err(fault) = lock(&mut locker, &statement).await {
        let closing = sessions.into_iter().chain([locker]).map(Session::close);
        join_all(closing).await;
        return Ok(Err(refusal(by, &fault)));
    }
    let opened = try_join_all(sessions.iter_mut().map(|session| session.run(DOING, OPENING))).await;
    let at = locker.row(DOING, "SELECT NOW(6)").await;
    let unlocked = locker.run("release the lock", unlock).await;
    opened?;
    let at = at?.and_then(|row| fence::time(&row, 0));
    // A lock that was lost meanwhile, with its connection, has kept nothing off.
    unlocked?;
    locker.close().await;
    let at = at.ok_or_else(|| Fault::new(FaultKind::Unexpected, DOING).on(endpoint.side))?;
    Ok(Ok((at, sessions)))
}

fn statements(by: MomentBy, tables: &[&TableName]) -> (String, &'static str) {
    match by {
        MomentBy::TableLocks => {
            let tables: Vec<String> = tables.iter().map(|name| format!("{} READ", sql::table(name))).collect();
            (format!("LOCK TABLES {}", tables.join(",")), "UNLOCK TABLES")
        }
        MomentBy::GlobalLock | MomentBy::OneView => ("FLUSH TABLES WITH READ LOCK".to_owned(), "UNLOCK TABLES"),
    }
}

async fn lock(locker: &mut Session, statement: &str) -> Result<(), Fault> {
    let mut tries = 1;
    loop {
        match locker.run("lock for a moment", statement).await {
            Ok(_) => return Ok(()),
            Err(fault) if fault.kind != FaultKind::Conflict || tries == TRIES_MAX => return Err(fault),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

fn refusal(by: MomentBy, fault: &Fault) -> String {
    let (lock, privilege) = match by {
        MomentBy::TableLocks => ("LOCK TABLES", "LOCK TABLES on the databases"),
        MomentBy::GlobalLock | MomentBy::OneView => {
            ("FLUSH TABLES WITH READ LOCK", "RELOAD, which RDS does not give for it")
        }
    };
    match &fault.kind {
        FaultKind::Conflict => {
            format!(
                "{lock} was not had within {LOCK_WAIT_S} s in {TRIES_MAX} tries: long transactions or statements run"
            )
        }
        FaultKind::MissingGrant(_) | FaultKind::AccessDenied => format!("{lock} takes {privilege}"),
        other => format!("{lock} was refused: {other}"),
    }
}
