//! LOAD DATA LOCAL with a body made while it is sent, and COMMIT.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use leeward_core::fault::{Fault, FaultKind};
use leeward_mysql::endpoint::{Endpoint, Timeouts};
use leeward_mysql::session::Session;
use leeward_testkit::proxy::{Direction, Link, Proxy};
use leeward_testkit::servers::pair;

use crate::setup::{SOON, cause, count, target, through};

/// Pieces of 1,000 rows each.
fn pieces(count: u32) -> Vec<Result<Bytes, Fault>> {
    let piece = |piece: u32| -> String { (0..1000).map(|row| format!("{}\tvalue\n", piece * 1000 + row)).collect() };
    (0..count).map(|number| Ok(Bytes::from(piece(number)))).collect()
}

async fn table(session: &mut Session, database: &str) -> Result<(String, String)> {
    let table = format!("{database}.t");
    session.run("make a table", &format!("CREATE TABLE {table} (id INT PRIMARY KEY, v VARCHAR(20))")).await?;
    let sql = format!("LOAD DATA LOCAL INFILE 'rows' INTO TABLE {table} CHARACTER SET binary (id, v)");
    Ok((table, sql))
}

leeward_testkit::each_kind! {
    async fn rows_arrive_and_are_counted_t42(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        let (table, sql) = table(&mut session, &database).await?;
        session.run("begin", "START TRANSACTION").await?;
        let outcome = session.load("load", &sql, stream::iter(pieces(20))).await?;
        ensure!(outcome.info.starts_with("Records: 20000  Deleted: 0  Skipped: 0"), "{outcome:?}");
        let again = session.load("load again", &sql, stream::iter(pieces(1))).await?;
        ensure!(again.info.contains("Skipped: 1000"), "duplicates are counted, not refused (T42): {again:?}");
        let empty = session.load("load nothing", &sql, stream::empty()).await?;
        ensure!(empty.info.starts_with("Records: 0"), "{empty:?}");
        session.commit("commit").await?;
        ensure!(count(&mut session, &table).await? == 20_000);
        Ok(())
    }

    async fn a_row_beyond_any_packet_is_loaded(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        let table = format!("{database}.t");
        session.run("make a table", &format!("CREATE TABLE {table} (id INT PRIMARY KEY, v LONGBLOB)")).await?;
        session.run("begin", "START TRANSACTION").await?;
        let sql = format!("LOAD DATA LOCAL INFILE 'rows' INTO TABLE {table} CHARACTER SET binary (id, v)");
        let row = Bytes::from(format!("1\t{}\n", "x".repeat(20 << 20)));
        let outcome = session.load("load", &sql, stream::iter([Ok(row)])).await?;
        ensure!(outcome.info.contains("Records: 1 ") && outcome.warnings == 0, "{outcome:?}");
        let length = session.row("look", &format!("SELECT LENGTH(v) FROM {table}")).await?;
        ensure!(length.and_then(|row| row.get(0)) == Some(20u64 << 20));
        Ok(())
    }

    /// T42: the server would keep what it got, had it been told that this was the end.
    async fn a_body_that_fails_leaves_nothing_behind_t42(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        let (table, sql) = table(&mut session, &database).await?;
        let fault = session.load("load", &sql, stream::iter(pieces(1))).await.unwrap_err();
        ensure!(fault.kind == FaultKind::Unexpected && !session.is_broken(), "not in autocommit: {fault}");
        session.run("begin", "START TRANSACTION").await?;
        let failing = stream::iter(pieces(20)).chain(stream::iter([Err(Fault::new(FaultKind::Stopped, "read rows"))]));
        let fault = session.load("load", &sql, failing).await.unwrap_err();
        ensure!(fault.kind == FaultKind::Stopped && fault.doing == "read rows", "the body's own fault: {fault}");
        ensure!(session.is_broken());
        let mut session = Session::open(&target, "test").await?;
        // A locking read waits for the rollback.
        let rows = session.rows("look", &format!("SELECT id FROM {table} FOR UPDATE")).await?;
        ensure!(rows.is_empty(), "{} rows were kept", rows.len());
        Ok(())
    }

    /// Even where a transaction was ended behind the session's back.
    async fn a_body_that_fails_in_autocommit_leaves_nothing_either_t42(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        let (table, sql) = table(&mut session, &database).await?;
        // After an error the session does not know whether a transaction is open.
        session.run("fail", "SELECT nothing").await.unwrap_err();
        ensure!(session.in_transaction().is_none());
        let failing = stream::iter(pieces(20)).chain(stream::iter([Err(Fault::new(FaultKind::Stopped, "read rows"))]));
        session.load("load", &sql, failing).await.unwrap_err();
        let mut session = Session::open(&target, "test").await?;
        let rows = session.rows("look", &format!("SELECT id FROM {table} FOR UPDATE")).await?;
        ensure!(rows.is_empty(), "{} rows were kept", rows.len());
        Ok(())
    }

    async fn a_load_that_the_server_refuses_lets_go_of_its_body(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        session.run("begin", "START TRANSACTION").await?;
        let sql = format!("LOAD DATA LOCAL INFILE 'rows' INTO TABLE {database}.nowhere (id, v)");
        let dropped = Arc::new(AtomicBool::new(false));
        struct Flag(Arc<AtomicBool>);
        impl Drop for Flag {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let flag = Flag(dropped.clone());
        let body = stream::iter(pieces(1)).map(move |piece| {
            let _ = &flag;
            piece
        });
        let fault = session.load("load", &sql, body).await.unwrap_err();
        ensure!(fault.kind == FaultKind::TableMissing, "{fault}: {}", cause(&fault));
        ensure!(dropped.load(Ordering::SeqCst) && !session.is_broken());
        ensure!(session.rows("go on", "SELECT 1").await?.len() == 1);
        Ok(())
    }

    async fn a_load_over_a_link_that_goes_dead_times_out(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let proxy = Proxy::start(pair(kind).await?.target.address().await?, Link::default()).await?;
        let timeouts = Timeouts { read: Duration::from_secs(2), ..Timeouts::default() };
        let slow = Endpoint { timeouts, ..through(&proxy, &target) };
        let mut session = Session::open(&slow, "test").await?;
        let (_, sql) = table(&mut session, &database).await?;
        session.run("begin", "START TRANSACTION").await?;
        let sent = pieces(3);
        let stalling = async_stall(proxy, sent);
        let fault = tokio::time::timeout(SOON, session.load("load", &sql, stalling)).await?.unwrap_err();
        ensure!(fault.kind == FaultKind::TimedOut && session.is_broken(), "{fault}");
        Ok(())
    }

    async fn a_commit_whose_answer_is_lost_is_of_unknown_outcome(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let proxy = Proxy::start(pair(kind).await?.target.address().await?, Link::default()).await?;
        let mut look = Session::open(&target, "test").await?;
        let (table, _) = table(&mut look, &database).await?;
        for (id, happened) in [(1, true), (2, false)] {
            let mut session = Session::open(&through(&proxy, &target), "test").await?;
            session.run("begin", &format!("START TRANSACTION; INSERT INTO {table} VALUES ({id},'x')")).await?;
            match happened {
                true => proxy.cut_before_answer("COMMIT"),
                false => proxy.cut_before_request("COMMIT"),
            }
            let fault = session.commit("commit").await.unwrap_err();
            ensure!(fault.kind == FaultKind::OutcomeUnknown && session.is_broken(), "{fault}");
            let fault = session.commit("commit again").await.unwrap_err();
            ensure!(fault.kind == FaultKind::Unreachable, "nothing was sent: {fault}");
            let rows = look.rows("look", &format!("SELECT id FROM {table} WHERE id={id} FOR UPDATE")).await?;
            ensure!(rows.is_empty() != happened);
        }
        // Silence instead of a reset.
        let timeouts = Timeouts { read: Duration::from_secs(1), ..Timeouts::default() };
        let mut session = Session::open(&Endpoint { timeouts, ..through(&proxy, &target) }, "test").await?;
        session.run("begin", &format!("START TRANSACTION; INSERT INTO {table} VALUES (3,'x')")).await?;
        proxy.stall_one_way(Direction::ToClient);
        let fault = session.commit("commit").await.unwrap_err();
        ensure!(fault.kind == FaultKind::OutcomeUnknown, "{fault}");
        Ok(())
    }
}

/// A body that stops the link after its pieces and then goes on for as long as anybody asks.
fn async_stall(
    proxy: Proxy,
    sent: Vec<Result<Bytes, Fault>>,
) -> impl futures_util::Stream<Item = Result<Bytes, Fault>> + Send {
    let endless = stream::repeat_with(move || {
        proxy.stall();
        Ok(Bytes::from(vec![b'\n'; 64 * 1024]))
    });
    stream::iter(sent).chain(endless)
}
