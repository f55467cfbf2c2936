//! The bare limit of a first copy: what two servers on one machine do by themselves, through files that both can reach.
//! Nothing is surveyed, checked or compared, and one step begins when the one before it has ended.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use leeward_testkit::servers::Server;
use mysql_async::prelude::Queryable;

use super::process::Taken;
use super::rig::Rig;
use super::tables::{DATABASE, sbtest, sbtest_key};

/// Rows of one file, and so of one transaction of the target: about 20 MB.
const FILE_ROWS: u64 = 100_000;

/// Copies so many tables of so many rows each. No process but the servers takes anything.
pub(super) async fn copy(rig: &Rig, tables: u64, rows: u64) -> Result<Taken> {
    let folder = rig.scratch()?;
    let (mut create, mut write, mut load, mut index) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for number in 1..=tables {
        create.push(sbtest(number, ""));
        index.push(format!("ALTER TABLE {DATABASE}.sbtest{number} ADD {}", sbtest_key(number)));
    }
    // In turns over the tables: loads into one table wait for each other.
    for after in (0..rows).step_by(FILE_ROWS as usize) {
        for number in 1..=tables {
            let file = folder.path().join(format!("{number}-{after}"));
            let (file, last) = (file.display(), after + FILE_ROWS);
            write.push(format!(
                "SELECT id, k, c, pad FROM {DATABASE}.sbtest{number} WHERE id > {after} AND id <= {last} ORDER BY id \
                 INTO OUTFILE '{file}' CHARACTER SET binary"
            ));
            load.push(format!(
                "LOAD DATA INFILE '{file}' INTO TABLE {DATABASE}.sbtest{number} CHARACTER SET binary (id, k, c, pad)"
            ));
        }
    }
    let began = Instant::now();
    let database = format!("CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4");
    in_turns(&rig.pair.target, vec![database]).await.context("create the database")?;
    in_turns(&rig.pair.target, create).await.context("create tables")?;
    in_turns(&rig.pair.source, write).await.context("write rows into files")?;
    in_turns(&rig.pair.target, load).await.context("load files")?;
    in_turns(&rig.pair.target, index).await.context("add indexes")?;
    Ok(Taken { wall_s: began.elapsed().as_secs_f64(), ..Taken::default() })
}

/// Runs statements on four connections, each of which takes the next when it is done with one.
async fn in_turns(server: &Server, statements: Vec<String>) -> Result<()> {
    let queue = Mutex::new(statements.into_iter());
    let work = || work(server, &queue);
    tokio::try_join!(work(), work(), work(), work()).map(drop)
}

async fn work(server: &Server, queue: &Mutex<std::vec::IntoIter<String>>) -> Result<()> {
    let mut conn = server.connect().await?;
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    while let Some(statement) = next() {
        conn.query_drop(statement).await?;
    }
    conn.disconnect().await.context("close a connection")
}
