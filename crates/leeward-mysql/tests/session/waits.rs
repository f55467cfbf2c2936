//! Time-outs, cancelled calls and lost connections.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use leeward_core::fault::FaultKind;
use leeward_core::port::{BinaryLog, Replica};
use leeward_mysql::endpoint::{Endpoint, Timeouts};
use leeward_mysql::replication::{MySqlBinaryLog, MySqlReplica};
use leeward_mysql::session::Session;
use leeward_testkit::proxy::{Link, Proxy};
use leeward_testkit::servers::{Kind, pair};
use tokio::net::TcpListener;

use crate::setup::{SOON, cause, source, target, through, wait_until_idle};

fn short() -> Timeouts {
    Timeouts { connect: Duration::from_secs(2), read: Duration::from_secs(2), ..Timeouts::default() }
}

leeward_testkit::each_kind! {
    async fn a_peer_that_vanishes_is_noticed_by_the_read_time_out(kind: Kind) -> Result<()> {
        let source = Endpoint { timeouts: short(), ..source(kind).await? };
        let proxy = Proxy::start(pair(kind).await?.source.address().await?, Link::default()).await?;
        let mut session = Session::open(&through(&proxy, &source), "test").await?;
        proxy.stall();
        let started = Instant::now();
        let fault = session.rows("read", "SELECT 1").await.unwrap_err();
        ensure!(fault.kind == FaultKind::TimedOut && session.is_broken(), "{fault}");
        ensure!(started.elapsed() >= short().read && started.elapsed() < SOON);
        let fault = session.rows("read again", "SELECT 1").await.unwrap_err();
        ensure!(fault.kind == FaultKind::Unreachable && started.elapsed() < SOON, "{fault}");
        // In the middle of a handshake.
        let fault = Session::open(&through(&proxy, &source), "test").await.unwrap_err();
        ensure!(fault.kind == FaultKind::TimedOut, "{fault}");
        Ok(())
    }

    async fn a_statement_that_may_take_long_is_waited_for(kind: Kind) -> Result<()> {
        let source = Endpoint { timeouts: Timeouts { read: Duration::from_secs(1), ..short() }, ..source(kind).await? };
        let mut session = Session::open(&source, "test").await?;
        session.run_patiently("build an index", "DO SLEEP(1.5)").await?;
        let fault = session.run("be quick", "DO SLEEP(1.5)").await.unwrap_err();
        ensure!(fault.kind == FaultKind::TimedOut && session.is_broken(), "{fault}");
        Ok(())
    }

    async fn a_connection_that_is_reset_or_refused_is_told(kind: Kind) -> Result<()> {
        let source = source(kind).await?;
        let proxy = Proxy::start(pair(kind).await?.source.address().await?, Link::default()).await?;
        let mut session = Session::open(&through(&proxy, &source), "test").await?;
        proxy.reset_all();
        let fault = session.rows("read", "SELECT 1").await.unwrap_err();
        ensure!(fault.kind == FaultKind::Unreachable && session.is_broken(), "{fault}");
        proxy.refuse().await?;
        let fault = Session::open(&through(&proxy, &source), "test").await.unwrap_err();
        ensure!(fault.kind == FaultKind::Unreachable, "{fault}");
        ensure!(cause(&fault).contains("refused"), "{}", cause(&fault));
        Ok(())
    }

    /// T32: an answer that nobody waited for must not be taken for the next statement's.
    async fn a_cancelled_call_breaks_the_session_and_its_statement_can_be_stopped_t32_t43(kind: Kind) -> Result<()> {
        let source = source(kind).await?;
        let mut session = Session::open(&source, "test").await?;
        let thread_id = session.thread_id();
        let sleeping = session.rows("sleep", "SELECT SLEEP(250)");
        ensure!(tokio::time::timeout(Duration::from_millis(300), sleeping).await.is_err());
        ensure!(session.is_broken());
        let fault = session.rows("go on", "SELECT 1").await.unwrap_err();
        ensure!(fault.kind == FaultKind::Unreachable, "{fault}");
        Session::kill_statement(&source, thread_id).await?;
        wait_until_idle(&source, thread_id).await?;
        // It has gone by now, and so has a number that no server reaches.
        Session::kill_statement(&source, thread_id).await?;
        Session::kill_statement(&source, 4_000_000_000).await?;
        Ok(())
    }

    async fn a_cancellation_at_any_moment_never_mixes_answers_t32(kind: Kind) -> Result<()> {
        let source = source(kind).await?;
        for micros in (0..60).map(|step| step * 40) {
            let mut session = Session::open(&source, "test").await?;
            let call = session.sets("read", "SELECT 1; SELECT 2; SELECT 3");
            let cancelled = tokio::time::timeout(Duration::from_micros(micros), call).await.is_err();
            match session.rows("read on", "SELECT 42").await {
                Ok(rows) => {
                    ensure!(!cancelled, "a cancelled session was used again after {micros} us");
                    ensure!(rows.first().and_then(|row| row.get(0)) == Some(42u64));
                }
                Err(fault) => ensure!(cancelled && fault.kind == FaultKind::Unreachable, "{fault}"),
            }
        }
        Ok(())
    }

    async fn a_killed_connection_is_told(kind: Kind) -> Result<()> {
        let source = source(kind).await?;
        let mut session = Session::open(&source, "test").await?;
        let mut killer = Session::open(&source, "test").await?;
        killer.run("kill", &format!("KILL {}", session.thread_id())).await?;
        let fault = session.rows("read", "SELECT 1").await.unwrap_err();
        ensure!(fault.kind == FaultKind::Unreachable && session.is_broken(), "{fault}: {}", cause(&fault));
        Ok(())
    }

    /// A comparison can take hours, between two questions to the ends of a replication.
    async fn a_line_to_replication_that_was_cut_while_idle_is_opened_anew(kind: Kind) -> Result<()> {
        let servers = pair(kind).await?;
        let proxy = Proxy::start(servers.source.address().await?, Link::default()).await?;
        let end = through(&proxy, &source(kind).await?);
        let (mut log, mut replica) = (MySqlBinaryLog::connect(&end).await?, MySqlReplica::connect(&end).await?);
        let writer = log.writer().await?;
        proxy.reset_all();
        ensure!(log.writer().await? == writer && replica.channels().await?.is_empty());
        // Another server's positions are of another log.
        proxy.lead_to(servers.target.address().await?).await?;
        proxy.reset_all();
        let fault = log.writer().await.unwrap_err();
        ensure!(fault.to_string().contains("another server answers"), "{fault}");
        proxy.refuse().await?;
        proxy.reset_all();
        let fault = replica.channels().await.unwrap_err();
        ensure!(fault.kind == FaultKind::Unreachable, "{fault}");
        Ok(())
    }

    async fn a_lock_that_is_not_to_be_had_is_a_conflict_before_it_is_a_time_out(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let target = Endpoint { timeouts: Timeouts { read: Duration::from_secs(4), ..short() }, ..target };
        let mut holder = Session::open(&target, "test").await?;
        let table = format!("{database}.t");
        let make = format!("CREATE TABLE {table} (id INT PRIMARY KEY); INSERT INTO {table} VALUES (1); \
                            START TRANSACTION; SELECT * FROM {table} FOR UPDATE");
        holder.run("hold a row", &make).await?;
        let mut session = Session::open(&target, "test").await?;
        let fault = session.run("want the row", &format!("DELETE FROM {table}")).await.unwrap_err();
        ensure!(fault.kind == FaultKind::Conflict && !session.is_broken(), "{fault}");
        let fault = session.run("want the table", &format!("DROP TABLE {table}")).await.unwrap_err();
        ensure!(fault.kind == FaultKind::Conflict && !session.is_broken(), "{fault}");
        Ok(())
    }

    async fn opening_costs_as_few_round_trips_as_the_protocol_allows(kind: Kind) -> Result<()> {
        let source = source(kind).await?;
        let proxy = Proxy::start(pair(kind).await?.source.address().await?, Link::default()).await?;
        let mut session = Session::open(&through(&proxy, &source), "test").await?;
        let opened = proxy.counters().round_trips;
        // Log-in and settings. TCP and the greeting come before the first request and are not counted here.
        let log_in = if kind == Kind::MySql { 1..=2 } else { 1..=1 };
        ensure!(log_in.contains(&(opened - 1)), "{opened} round trips");
        session.sets("read", "SELECT 1; SET @x=1; SELECT 2").await?;
        ensure!(proxy.counters().round_trips == opened + 1);
        Ok(())
    }
}

#[tokio::test]
async fn a_listener_that_never_speaks_is_given_up() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let mut endpoint = crate::faults::nowhere();
    (endpoint.port, endpoint.timeouts) = (port, short());
    let started = Instant::now();
    let fault = Session::open(&endpoint, "test").await.unwrap_err();
    ensure!(fault.kind == FaultKind::TimedOut && started.elapsed() < SOON, "{fault}");
    ensure!(fault.cause.context("a cause")?.to_string().contains("2 s"));
    silent.abort();
    Ok(())
}
