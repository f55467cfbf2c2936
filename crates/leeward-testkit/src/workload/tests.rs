//! Tests of the workloads against real servers: rates, invariants, and an end without a panic.

use anyhow::{Context, Result};
use mysql_async::Opts;
use mysql_async::prelude::Queryable;

use super::{Counters, Traffic, Workload, books, four_tables_rows, start};
use crate::sample::{load_harbor_as, load_sakila, locate_sakila};
use crate::servers::{Server, ServerOptions, pair};

/// A fast workload of one or more kinds over three connections.
fn workload(traffic: &[Traffic]) -> Workload {
    Workload { traffic: traffic.to_vec(), transactions_per_s: 2_000, connections: 3, seed: 42 }
}

fn of_server(server: &Server) -> Result<Opts> {
    Opts::from_url(&server.admin_url()).context("read the server's URL")
}

/// Writes until `enough`, then stops; fails when a writer ended early.
async fn run_until(server: &Server, workload: Workload, enough: impl Fn(&Counters) -> bool) -> Result<Counters> {
    let mut conn = server.connect().await?;
    for traffic in &workload.traffic {
        traffic.prepare(&mut conn).await?;
    }
    conn.disconnect().await?;
    let running = start(of_server(server)?, workload).await?;
    running.until(enough).await?;
    let counters = running.stop().await?;
    assert_eq!(counters.failures, Vec::<String>::new());
    Ok(counters)
}

crate::each_kind! {
    /// The counters tell exactly what stands in the tables, and the ratios hold.
    async fn four_tables_keep_their_ratios(kind: Kind) -> Result<()> {
        let server = &pair(kind).await?.source;
        let database = "workload_four".to_owned();
        let traffic = Traffic::FourTables { database: database.clone() };
        let counters = run_until(server, workload(&[traffic]), |counters| counters.transactions >= 30).await?;
        let mut conn = server.connect().await?;
        let rows = four_tables_rows(&mut conn, &database).await?;
        assert!(rows.is_whole(), "{rows:?}");
        assert_eq!(rows.a, counters.transactions);
        assert_eq!(counters.rows_inserted, counters.transactions * 201);
        conn.query_drop("SET time_zone = '+00:00'").await?;
        let newest = conn.query_first(format!("SELECT MAX(created_at) FROM {database}.b")).await?;
        assert!(counters.last_commit >= newest, "{:?} {newest:?}", counters.last_commit);
        conn.query_drop(format!("DROP DATABASE {database}")).await?;
        Ok(conn.disconnect().await?)
    }

    /// Every read view shows balanced books while the transfers run.
    async fn transfers_keep_the_sum(kind: Kind) -> Result<()> {
        let server = &pair(kind).await?.source;
        let database = "workload_bank".to_owned();
        let traffic = Traffic::Transfers { database: database.clone() };
        let mut conn = server.connect().await?;
        traffic.prepare(&mut conn).await?;
        let running = start(of_server(server)?, workload(&[traffic])).await?;
        for seen in 1..=20 {
            running.until(|counters| counters.transactions >= seen * 10).await?;
            let books = books(&mut conn, &database).await?;
            assert!(books.is_balanced(), "{books:?}");
        }
        let counters = running.stop().await?;
        assert_eq!(counters.failures, Vec::<String>::new());
        assert_eq!(counters.rows_updated, 2 * counters.transactions);
        assert_eq!(counters.rows_inserted, counters.transactions);
        conn.query_drop(format!("DROP DATABASE {database}")).await?;
        Ok(conn.disconnect().await?)
    }

    /// All events of the sample's traffic run, and most of them meet no conflict.
    async fn harbor_traffic_inserts_updates_and_deletes(kind: Kind) -> Result<()> {
        let server = &pair(kind).await?.source;
        let database = "workload_harbor".to_owned();
        let mut conn = server.connect().await?;
        load_harbor_as(&mut conn, &database).await?;
        let traffic = Traffic::Harbor { database };
        let counters = run_until(server, workload(&[traffic]), |counters| counters.transactions >= 600).await?;
        assert_all_moved(&counters);
        conn.query_drop("DROP DATABASE workload_harbor").await?;
        Ok(conn.disconnect().await?)
    }

    /// The same on sakila, on a server of its own: the database has a fixed name.
    async fn sakila_traffic_inserts_updates_and_deletes(kind: Kind) -> Result<()> {
        let Some(dir) = locate_sakila() else {
            eprintln!("sakila was not found: not tested");
            return Ok(());
        };
        let server = Server::start(kind, ServerOptions::default()).await?;
        let mut conn = server.connect().await?;
        assert_eq!(Traffic::of_loaded_sample(&mut conn).await?, None);
        load_sakila(&mut conn, &dir).await?;
        let traffic = Traffic::of_loaded_sample(&mut conn).await?.context("find sakila")?;
        assert_eq!(traffic, Traffic::Sakila);
        conn.disconnect().await?;
        let counters = run_until(&server, workload(&[traffic]), |counters| counters.transactions >= 300).await?;
        assert_all_moved(&counters);
        Ok(())
    }

    /// A server that dies ends every writer with a reason; the counters survive.
    async fn a_killed_server_ends_the_workload(kind: Kind) -> Result<()> {
        let mut server = Server::start(kind, ServerOptions::default()).await?;
        let traffic = Traffic::FourTables { database: "demo".to_owned() };
        let mut conn = server.connect().await?;
        traffic.prepare(&mut conn).await?;
        conn.disconnect().await?;
        let mut running = start(of_server(&server)?, workload(&[traffic])).await?;
        running.until(|counters| counters.transactions >= 10).await?;
        server.kill_hard()?;
        let counters = running.until_ended().await?;
        assert_eq!(counters.failures.len(), 3, "{:?}", counters.failures);
        assert!(counters.last_commit.is_some() && counters.transactions >= 10);
        assert!(running.until(|counters| counters.transactions > 1_000_000).await.is_err());
        Ok(())
    }
}

fn assert_all_moved(counters: &Counters) {
    let moved = [counters.rows_inserted, counters.rows_updated, counters.rows_deleted];
    assert!(moved.iter().all(|rows| *rows > 20), "{counters:?}");
    assert!(counters.conflicts < counters.transactions / 5, "{counters:?}");
}
