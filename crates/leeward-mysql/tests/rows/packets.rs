//! Values beyond `max_allowed_packet`, which a server stored when the limit was higher (T24). For them string functions
//! answer NULL, and NULL must not pass for a value.

use anyhow::{Context, Result, ensure};
use leeward_core::fault::FaultKind;
use leeward_core::port::Range;
use leeward_core::row::KeyRange;
use leeward_mysql::cut;
use leeward_testkit::servers::{Kind, Server, ServerOptions};
use mysql_async::prelude::Queryable;

use crate::setup::{between, database, look, open, planned_table};

/// Far below the values' 5 MiB, and what doctor accepts at least.
const LIMIT: usize = 4 * 1024 * 1024;

/// Starts a server that holds values longer than it can handle now.
async fn outgrown(kind: Kind, statements: &[&str]) -> Result<Server> {
    let server = Server::start(kind, ServerOptions::default()).await?;
    database(&server, "outgrown", statements).await?;
    let mut conn = server.connect().await?;
    conn.query_drop(format!("SET GLOBAL max_allowed_packet={LIMIT}")).await?;
    conn.disconnect().await.context("close the connection")?;
    Ok(server)
}

leeward_testkit::each_kind! {
    async fn a_value_beyond_the_limit_never_passes_for_null_t24(kind: Kind) -> Result<()> {
        let shape = |last: &str| {
            format!("ST_GeomFromText(CONCAT('MULTIPOINT(',REPEAT('1 1,',250000),'{last}'))")
        };
        let long = "CREATE TABLE long_one (id INT PRIMARY KEY, g GEOMETRY NULL, b LONGBLOB NULL)";
        let filled = format!("INSERT INTO long_one VALUES (1,{},REPEAT('x',5500000))", shape("2 2)"));
        let document = "CREATE TABLE documents (id INT PRIMARY KEY, j JSON NULL)";
        let documents = "INSERT INTO documents VALUES (1,CONCAT('[\"',REPEAT('x',5500000),'\"]'))";
        let server = outgrown(kind, &[long, &filled, document, documents]).await?;
        let mut session = open(&server, "outgrown").await?;
        ensure!(session.packet_bytes_max() == LIMIT as u64);

        let table = planned_table(&mut session, "outgrown", "long_one").await?;
        let before = look(&mut session, &table, between(0, 1)).await?;
        for change in ["g=NULL", "b=NULL"] {
            session.run("change a value", format!("UPDATE long_one SET {change}")).await?;
            before.ensure_differs(&look(&mut session, &table, between(0, 1)).await?, change)?;
            session.run("take it back", "ROLLBACK AND CHAIN").await?;
        }

        let table = planned_table(&mut session, "outgrown", "documents").await?;
        let range = Range { table: &table, keys: KeyRange::default() };
        let digest = cut::digests(&mut session, &[range]).await?.pop().context("one digest")?;
        match (kind, digest) {
            // Its JSON is text, which is hashed wherever it lies.
            (Kind::MariaDb, Ok(digest)) => ensure!(digest.rows == 1),
            (Kind::MySql, Err(fault)) => ensure!(fault.kind == FaultKind::PacketTooLarge, "{fault:?}"),
            (_, other) => anyhow::bail!("{kind}: {other:?}"),
        }
        Ok(())
    }
}
