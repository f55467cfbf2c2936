//! Read views on the source: a cut shows one moment to every question, a table that is altered under it costs itself
//! alone, and no view outlives its purpose.

use std::time::Duration;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::fence::Observation;
use leeward_core::name::Side;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{
    Border, ChunkReader, CutPart, CutRequest, Delta, DeltaStart, Look, Range, Source, TakePart, TakeRows,
};
use leeward_core::row::{KeyCells, KeyRange, RowBatch};
use leeward_mysql::cut::MySqlSource;
use leeward_mysql::endpoint::{Endpoint, FixedPassword};
use leeward_mysql::load::MySqlReader;
use leeward_testkit::servers::{Server, ServerOptions, pair};
use mysql_async::prelude::Queryable;

use crate::setup::{database, endpoint, open, planned, rows_in};

/// Counts rows.
#[derive(Default)]
struct Counted(usize);

#[async_trait]
impl TakePart for Counted {
    async fn take(&mut self, part: CutPart) -> Result<(), Fault> {
        if let CutPart::Rows { rows, .. } = part {
            self.0 += rows.rows();
        }
        Ok(())
    }
}

#[async_trait]
impl TakeRows for Counted {
    async fn take(&mut self, rows: RowBatch) -> Result<(), Fault> {
        self.0 += rows.rows();
        Ok(())
    }
}

/// The source as an account of this test's own, so that its transactions can be told from those of others.
async fn as_account(server: &Server, user: &str) -> Result<Endpoint> {
    server.create_account(user, "pw", "SELECT, PROCESS").await?;
    let password = std::sync::Arc::new(FixedPassword::new("pw"));
    Ok(Endpoint { side: Side::Source, user: user.to_owned(), password, ..endpoint(server) })
}

/// Pauses between looks at the transactions: InnoDB answers from a cache unless it was left alone for 100 ms.
const CACHED: Duration = Duration::from_millis(130);

/// Whether a transaction of an account is open. The answer is fresh when it holds the transaction that asks.
async fn holds_a_view(server: &Server, user: &str) -> Result<bool> {
    let mut conn = server.connect().await?;
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
    let open = "SELECT p.USER, p.ID=CONNECTION_ID() FROM information_schema.INNODB_TRX t
                JOIN information_schema.PROCESSLIST p ON p.ID=t.trx_mysql_thread_id";
    for _ in 0..100 {
        tokio::time::sleep(CACHED).await;
        let open: Vec<(String, bool)> = conn.query(open).await?;
        if open.iter().any(|(_, ours)| *ours) {
            conn.disconnect().await?;
            return Ok(open.iter().any(|(of, _)| of == user));
        }
    }
    anyhow::bail!("no fresh answer")
}

async fn fresh_look(source: &mut MySqlSource, probes: &[&PlannedTable]) -> Result<Observation> {
    for _ in 0..100 {
        tokio::time::sleep(CACHED).await;
        if let Some(seen) = source.observe(probes, Look::Threads).await? {
            return Ok(seen);
        }
    }
    anyhow::bail!("no fresh look")
}

const TABLES: [&str; 4] = [
    "CREATE TABLE a (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL)",
    "CREATE TABLE b LIKE a",
    "INSERT INTO a (n) VALUES (1),(2)",
    "INSERT INTO b (n) VALUES (1),(2)",
];

leeward_testkit::each_kind! {
    /// A head that is read later than the rows would let a mark pass rows that were not read. Heads are those of the look,
    /// which comes before the cut; and whatever is asked of a cut, be it later, is of its one moment.
    async fn a_cut_shows_one_moment_and_no_head_is_younger_t4(kind: Kind) -> Result<()> {
        let (server, name) = (&pair(kind).await?.source, "rows_one_moment");
        database(server, name, &TABLES).await?;
        let mut session = open(server, name).await?;
        let mut tables = planned(&mut session, name).await?;
        tables.values_mut().for_each(|table| table.mark_column = Some("id".to_owned()));
        let (a, b) = (&tables["a"], &tables["b"]);
        let mut writer = server.connect().await?;
        let mut write = async || {
            let both = format!("INSERT INTO {name}.a (n) VALUES (3); INSERT INTO {name}.b (n) VALUES (3)");
            writer.query_drop(both).await
        };
        let mut source = MySqlSource::connect(&as_account(server, "one_moment").await?).await?;
        let seen = fresh_look(&mut source, &[a, b]).await?;
        write().await?;
        let mut rows = Counted::default();
        let delta = Delta { table: a, column: "id", from: DeltaStart::Beginning, rows_max: 100 };
        let mut cut = source.cut(&CutRequest { deltas: vec![delta], ..CutRequest::default() }, &mut rows).await?;
        let heads: Vec<u64> = seen.heads.values().copied().collect();
        ensure!((rows.0, &heads[..]) == (3, &[2, 2]), "{} rows, heads {heads:?}", rows.0);
        write().await?;
        for table in [a, b] {
            let all = Range { table, keys: KeyRange::default() };
            let digest = cut.digests(std::slice::from_ref(&all)).await?.remove(0)?;
            ensure!(digest.rows == 3 && cut.row_hashes(&all).await?.len() == 3, "{}", table.name());
            let key = |id: &str| KeyCells(vec![id.into()]);
            ensure!(rows_in(cut.as_mut(), table, &["3", "4"].map(key)).await?.rows() == 1, "{}", table.name());
            ensure!(cut.border(&Border { table, after: None, rows: 4 }).await?.is_none(), "{}", table.name());
        }
        cut.close().await?;
        writer.disconnect().await?;
        Ok(())
    }

    /// What a process noted of threads holds for the next one as long as it is the same server: until it is started anew,
    /// and not by chance in the same second.
    async fn a_server_is_the_same_to_every_connection_until_it_is_started_anew_t2(kind: Kind) -> Result<()> {
        let mut server = Server::start(kind, ServerOptions::default()).await?;
        let endpoint = as_account(&server, "same_server").await?;
        let seen = async || -> Result<String> {
            let mut source = MySqlSource::connect(&endpoint).await?;
            Ok(fresh_look(&mut source, &[]).await?.server)
        };
        let first = seen().await?;
        // Seconds begin and end meanwhile: each look waits for more than a tenth of one.
        for _ in 0..10 {
            ensure!(seen().await? == first, "the same server counts as another one");
        }
        server.restart().await?;
        ensure!(seen().await? != first, "a server that was started anew counts as the same");
        Ok(())
    }

    /// Error 1412: what the view should show is not there in the new shape. The other tables are read on in the same view.
    async fn a_table_altered_under_a_cut_costs_itself_alone_t7_t12(kind: Kind) -> Result<()> {
        let (server, name) = (&pair(kind).await?.source, "rows_altered");
        database(server, name, &TABLES).await?;
        let tables = planned(&mut open(server, name).await?, name).await?;
        let mut source = MySqlSource::connect(&as_account(server, "altered").await?).await?;
        let mut cut = source.cut(&CutRequest::default(), &mut Counted::default()).await?;
        let mut writer = server.connect().await?;
        writer.query_drop(format!("ALTER TABLE {name}.a ADD COLUMN m INT NOT NULL FIRST, ALGORITHM=COPY")).await?;
        writer.query_drop(format!("INSERT INTO {name}.b (n) VALUES (3)")).await?;
        writer.disconnect().await?;
        let range = |table: &str| Range { table: &tables[table], keys: KeyRange::default() };
        let digests = cut.digests(&[range("a"), range("b"), range("a"), range("b")]).await?;
        for (at, digest) in digests.iter().enumerate() {
            match (at % 2, digest) {
                (0, Err(fault)) => ensure!(fault.kind == FaultKind::TableChanged && fault.table.is_some(), "{fault:?}"),
                (1, Ok(digest)) => ensure!(digest.rows == 2, "not of the cut's moment: {digest:?}"),
                (_, other) => anyhow::bail!("range {at}: {other:?}"),
            }
        }
        let fault = rows_in(cut.as_mut(), &tables["a"], &[KeyCells(vec![b"1".to_vec()])]).await.unwrap_err();
        ensure!(fault.kind == FaultKind::TableChanged, "{fault:?}");
        Ok(())
    }

    /// An old view keeps the server from clearing away what it still shows. Each chunk of a seed is read in a view of its
    /// own, and a cut's ends with it.
    async fn no_view_is_kept_longer_than_it_is_read_t13(kind: Kind) -> Result<()> {
        // Its own, so that nobody else keeps the list of transactions from being read anew.
        let (server, name) = (&Server::start(kind, ServerOptions::default()).await?, "rows_views");
        database(server, name, &TABLES).await?;
        let tables = planned(&mut open(server, name).await?, name).await?;
        let all = Range { table: &tables["a"], keys: KeyRange::default() };
        let mut writer = server.connect().await?;
        let account = as_account(server, "views").await?;
        let mut reader = MySqlReader::connect(&account).await?;
        for rows in 2..5 {
            let mut read = Counted::default();
            reader.read(&all, &mut read).await?;
            reader.border(&Border { table: &tables["a"], after: None, rows: 1 }).await?;
            ensure!(read.0 == rows, "{} rows: the view is older than {rows}", read.0);
            ensure!(!holds_a_view(server, "views").await?, "a chunk's view is still open");
            writer.query_drop(format!("INSERT INTO {name}.a (n) VALUES (3)")).await?;
        }
        let mut source = MySqlSource::connect(&account).await?;
        for rows in 5..7 {
            source.observe(&[], Look::Threads).await?;
            ensure!(!holds_a_view(server, "views").await?, "a look's view is still open");
            let mut cut = source.cut(&CutRequest::default(), &mut Counted::default()).await?;
            ensure!(holds_a_view(server, "views").await?, "the test sees no views");
            ensure!(cut.digests(std::slice::from_ref(&all)).await?.remove(0)?.rows == rows, "the view is old");
            cut.close().await?;
            ensure!(!holds_a_view(server, "views").await?, "a cut's view is still open");
            writer.query_drop(format!("INSERT INTO {name}.a (n) VALUES (3)")).await?;
        }
        writer.disconnect().await?;
        Ok(())
    }
}
