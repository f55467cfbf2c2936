//! How often a survey and a look at the definitions wait for the wire: the source is 70 ms away.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use leeward_core::port::Shapes;
use leeward_mysql::endpoint::Endpoint;
use leeward_mysql::facts::{Scope, look};
use leeward_mysql::shape::ServerShapes;
use leeward_mysql::survey::survey;
use leeward_testkit::proxy::{Link, Proxy};
use leeward_testkit::servers::pair;

use crate::setup::{ends, script, settled};

/// Tables of the quiet cycle that design §3 speaks of.
const TABLES: usize = 300;

leeward_testkit::each_kind! {
    async fn hundreds_of_tables_cost_a_few_round_trips(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        let server = &pair(kind).await?.source;
        let tables: String = (0..TABLES)
            .map(|at| {
                format!(
                    "CREATE TABLE t{at} (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(50), b INT, c DECIMAL(9,2), \
                     d TEXT, e BLOB, f DATETIME(6), g TIMESTAMP(6) NOT NULL DEFAULT NOW(6) ON UPDATE NOW(6), \
                     UNIQUE KEY (a), KEY (b), KEY (g));"
                )
            })
            .collect();
        script(server, &format!("CREATE DATABASE round_trips; USE round_trips; {tables}")).await?;
        let proxy = Proxy::start(server.address().await?, Link::with_round_trip(Duration::from_millis(2))).await?;
        let slow = Endpoint { host: "127.0.0.1".to_owned(), port: proxy.address().port(), ..source };
        let schemas = ["round_trips".to_owned()];

        let before = proxy.counters().round_trips;
        let started = Instant::now();
        let seen = survey(&slow, &schemas).await?;
        let (trips, took) = (proxy.counters().round_trips - before, started.elapsed());
        println!("{kind}: survey of {TABLES} tables: {trips} round trips, {took:?}");
        // Of three connections that work at once, the log-in of each included.
        ensure!(seen.tables.len() == TABLES && trips <= 16, "{trips} round trips");

        let mut shapes = ServerShapes::open(&slow).await?;
        settled(&mut shapes, &schemas).await?;
        let (before, bytes) = (proxy.counters().round_trips, proxy.counters().bytes_to_client);
        let started = Instant::now();
        ensure!(shapes.definitions(&schemas).await?.len() == TABLES);
        let (trips, took) = (proxy.counters().round_trips - before, started.elapsed());
        let bytes = proxy.counters().bytes_to_client - bytes;
        println!("{kind}: unchanged definitions of {TABLES} tables: {trips} round trips, {bytes} bytes, {took:?}");
        ensure!(trips == 1 && bytes < 1024, "{trips} round trips, {bytes} bytes");

        let before = proxy.counters().round_trips;
        let names: Vec<_> = seen.tables.iter().map(|seen| seen.table.name.clone()).collect();
        ensure!(shapes.table_ddl(&names).await?.len() == TABLES);
        let trips = proxy.counters().round_trips - before;
        ensure!(trips <= 4, "{trips} round trips for {TABLES} definitions");

        let before = proxy.counters().round_trips;
        let started = Instant::now();
        let scope = Scope { at: seen.at, schemas: &schemas, planned: &names };
        let looked = look(&slow, scope).await?;
        let (trips, took) = (proxy.counters().round_trips - before, started.elapsed());
        println!("{kind}: look for readiness at {TABLES} tables: {trips} round trips, {took:?}");
        ensure!(looked.state.ddl.known().is_some_and(|ddl| ddl.value.len() == TABLES), "{:?}", looked.state.ddl);
        ensure!(trips <= 26, "{trips} round trips, log-in included");
        Ok(())
    }
}
