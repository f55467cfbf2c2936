//! What statements return.

use anyhow::{Context, Result, ensure};
use leeward_core::fault::FaultKind;
use leeward_core::server::{Flavor, Version};
use leeward_mysql::endpoint::{Compression, Endpoint};
use leeward_mysql::session::{RowEvent, Rows, Session};
use leeward_testkit::proxy::{Link, Proxy};
use leeward_testkit::servers::{Kind, pair};
use mysql_async::Value;

use crate::setup::{cause, count, source, target, through, wait_until_idle};

/// Spells events out: the first cell of a row, `;` for the end of a set, `.` for the end.
async fn spell(rows: &mut Rows<'_>) -> Result<String> {
    let mut text = String::new();
    loop {
        match rows.next().await? {
            RowEvent::Row(row) => text.push_str(&row.get::<String, _>(0).context("a first cell")?),
            RowEvent::EndOfSet => text.push(';'),
            RowEvent::EndOfAll => return Ok(text + "."),
        }
    }
}

leeward_testkit::each_kind! {
    async fn a_session_knows_its_server_and_has_its_settings_t22_t35(kind: Kind) -> Result<()> {
        let (target, _) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        let expected = if kind == Kind::MariaDb { Flavor::MariaDb } else { Flavor::MySql };
        ensure!(session.flavor() == expected, "{session:?}");
        ensure!(session.version() >= Version(8, 0, 0), "{session:?}");
        let sql = "SELECT CONNECTION_ID(), @@time_zone, @@character_set_results, @@character_set_client, \
                   @@autocommit, @@foreign_key_checks, @@unique_checks, @@sql_mode, @@innodb_lock_wait_timeout";
        let row = session.row("read the settings", sql).await?.context("a row")?;
        let values: (u64, String, String, String, u8, u8, u8, String, u64) = mysql_async::from_row(row);
        ensure!(values.0 == session.thread_id());
        ensure!((values.1.as_str(), values.2.as_str(), values.3.as_str()) == ("+00:00", "binary", "binary"));
        ensure!((values.4, values.5, values.6, values.8) == (1, 0, 1, 20), "{values:?}");
        ensure!(values.7.contains("STRICT_ALL_TABLES") && !values.7.contains("NO_ZERO"), "{}", values.7);
        if kind == Kind::MySql {
            let row = session.row("read a setting", "SELECT @@information_schema_stats_expiry").await?;
            ensure!(row.and_then(|row| row.get(0)) == Some(0u64));
        }
        Ok(())
    }

    async fn the_source_cannot_be_written(kind: Kind) -> Result<()> {
        let mut session = Session::open(&source(kind).await?, "test").await?;
        for begin in ["DO 0", "START TRANSACTION", "START TRANSACTION WITH CONSISTENT SNAPSHOT",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"] {
            session.run("begin", begin).await?;
            let fault = session.run("write", "CREATE DATABASE leeward_must_not").await.unwrap_err();
            ensure!(fault.kind == FaultKind::Unexpected, "{begin}: {fault}: {}", cause(&fault));
            session.run("roll back", "ROLLBACK").await?;
        }
        let rows = session.rows("look", "SHOW DATABASES LIKE 'leeward_must_not'").await?;
        ensure!(rows.is_empty());
        // A read view as the engine opens it.
        let sql = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY; SELECT @@transaction_isolation; COMMIT";
        let sql = if session.flavor() == Flavor::MariaDb { sql.replace("transaction_iso", "tx_iso") } else { sql.into() };
        let row = session.row("open a cut", &sql).await?.context("a row")?;
        ensure!(row.get::<String, _>(0).as_deref() == Some("REPEATABLE-READ"));
        Ok(())
    }

    async fn every_result_set_ends_and_statements_without_one_are_silent(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        session.run("make a table", &format!("CREATE TABLE {database}.t (id INT PRIMARY KEY)")).await?;
        let cases = [
            ("START TRANSACTION; SELECT 1 FROM DUAL WHERE 0; SELECT 2; COMMIT", ";2;."),
            ("SELECT 1", "1;."),
            ("SELECT 1 FROM DUAL WHERE 0", ";."),
            ("DO 0", "."),
            ("DO 0; DO 0", "."),
            ("SELECT 1 FROM DUAL WHERE 0; SELECT 1 FROM DUAL WHERE 0", ";;."),
            ("SELECT 1 UNION SELECT 2; SET @x=1; SELECT 3", "12;3;."),
            ("INSERT INTO DB.t VALUES (1),(2); SELECT id FROM DB.t ORDER BY id; DELETE FROM DB.t", "12;."),
        ];
        for (sql, expected) in cases {
            let sql = sql.replace("DB", &database);
            let mut rows = session.stream("read", &sql).await?;
            let spelled = spell(&mut rows).await?;
            ensure!(spelled == expected, "{sql}: {spelled} instead of {expected}");
            ensure!(rows.next().await? == RowEvent::EndOfAll, "the end repeats itself");
            drop(rows);
            ensure!(!session.is_broken(), "{sql}");
            let sets = session.sets("read", &sql).await?.len();
            ensure!(sets == expected.matches(';').count(), "{sql}: {sets} sets");
        }
        Ok(())
    }

    async fn an_error_in_the_middle_comes_once_and_the_session_goes_on(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        let sql = format!("SET @x=1; SELECT 1; SELECT 2; SELECT * FROM {database}.nowhere; SELECT 3");
        let mut rows = session.stream("read several", &sql).await?;
        let mut seen = String::new();
        let fault = loop {
            match rows.next().await {
                Ok(RowEvent::Row(row)) => seen.push_str(&row.get::<String, _>(0).context("a cell")?),
                Ok(RowEvent::EndOfSet) => seen.push(';'),
                Ok(RowEvent::EndOfAll) => anyhow::bail!("the error was swallowed after {seen}"),
                Err(fault) => break fault,
            }
        };
        ensure!(seen == "1;2;" && fault.kind == FaultKind::TableMissing, "{seen} {fault}");
        ensure!(cause(&fault).contains("nowhere"), "{}", cause(&fault));
        ensure!(rows.next().await? == RowEvent::EndOfAll);
        drop(rows);
        for form in ["run", "sets"] {
            let fault = match form {
                "run" => session.run("run several", &sql).await.map(|_| ()),
                _ => session.sets("read several", &sql).await.map(|_| ()),
            };
            ensure!(fault.unwrap_err().kind == FaultKind::TableMissing, "{form}");
        }
        ensure!(!session.is_broken());
        ensure!(session.row("go on", "SELECT 4").await?.and_then(|row| row.get(0)) == Some(4u64));
        // The same in the first statement: it is told where the others are, so that it is handled as they are (T7).
        let mut rows = session.stream("read", "SELECT * FROM nowhere.at_all; SELECT 1").await?;
        ensure!(rows.next().await.is_err_and(|fault| fault.kind == FaultKind::TableMissing || cause(&fault).contains("1049")));
        ensure!(rows.next().await? == RowEvent::EndOfAll);
        drop(rows);
        // And while rows flow.
        let failing = "SELECT 1 UNION ALL SELECT (SELECT 1 UNION SELECT 2)";
        let fault = session.rows("read a failing row", failing).await.unwrap_err();
        ensure!(fault.kind == FaultKind::Server(1242), "{fault}");
        ensure!(session.row("go on", "SELECT 5").await?.and_then(|row| row.get(0)) == Some(5u64));
        Ok(())
    }

    async fn an_outcome_is_the_last_statements(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        let table = format!("{database}.t");
        session.run("make a table", &format!("CREATE TABLE {table} (id INT PRIMARY KEY, v INT)")).await?;
        let outcome = session.run("insert", &format!("INSERT INTO {table} VALUES (1,1),(2,2),(3,3)")).await?;
        ensure!(outcome.affected == 3 && outcome.info.contains("Records: 3"), "{outcome:?}");
        let outcome = session.run("insert", &format!("INSERT IGNORE INTO {table} VALUES (1,1),(4,4)")).await?;
        ensure!((outcome.affected, outcome.warnings) == (1, 1), "{outcome:?}");
        let several = format!("UPDATE {table} SET v=9; DELETE FROM {table} WHERE id=1");
        ensure!(session.run("change", &several).await?.affected == 1);
        let fault = session.rows("read two", "SELECT 1; SELECT 2").await.unwrap_err();
        ensure!(fault.kind == FaultKind::Unexpected && !session.is_broken(), "{fault}");
        Ok(())
    }

    async fn transactions_are_told(kind: Kind) -> Result<()> {
        let (target, _) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        ensure!(session.in_transaction() == Some(false));
        session.run("begin", "START TRANSACTION").await?;
        ensure!(session.in_transaction() == Some(true));
        session.commit("commit").await?;
        ensure!(session.in_transaction() == Some(false));
        session.close().await;
        Ok(())
    }

    /// T43: what is left is not read, and the server notices that nobody listens.
    async fn a_stream_dropped_half_read_is_not_drained_t43(kind: Kind) -> Result<()> {
        let source = source(kind).await?;
        let proxy = Proxy::start(pair(kind).await?.source.address().await?, Link::default()).await?;
        let mut session = Session::open(&through(&proxy, &source), "test").await?;
        let thread_id = session.thread_id();
        // Some gigabytes.
        let sql = "SELECT REPEAT('x', 4000) FROM information_schema.COLUMNS a, information_schema.COLUMNS b";
        let mut rows = session.stream("read a lot", sql).await?;
        for _ in 0..3 {
            ensure!(matches!(rows.next().await?, RowEvent::Row(_)));
        }
        drop(rows);
        ensure!(session.is_broken());
        let fault = session.run("go on", "DO 0").await.unwrap_err();
        ensure!(fault.kind == FaultKind::Unreachable, "{fault}");
        let received = proxy.counters().bytes_to_client;
        drop(session);
        wait_until_idle(&source, thread_id).await?;
        // What lies in buffers on the way may still have come; the rest did not.
        let received_after = proxy.counters().bytes_to_client;
        ensure!(received_after < received + 64 * 1024 * 1024, "{received} then {received_after}");
        Ok(())
    }

    async fn a_value_beyond_one_packet_is_written_in_pieces(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        let table = format!("{database}.t");
        session.run("make a table", &format!("CREATE TABLE {table} (id INT PRIMARY KEY, v LONGBLOB)")).await?;
        let value: Vec<u8> = (0..20u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let insert = format!("INSERT INTO {table} VALUES (?, ?)");
        session.run("begin", "START TRANSACTION").await?;
        let outcome = session.insert_long("write a row", &insert, vec![Value::Int(1), Value::Bytes(value.clone())]).await?;
        ensure!(outcome.affected == 1);
        session.commit("commit").await?;
        let row = session.row("read it", &format!("SELECT v FROM {table}")).await?.context("the row")?;
        ensure!(row.get::<Vec<u8>, _>(0).as_deref() == Some(value.as_slice()));
        // The test servers take 64 MiB.
        let huge = vec![Value::Int(2), Value::Bytes(vec![b'x'; 65 << 20])];
        let fault = session.insert_long("write a row", &insert, huge).await.unwrap_err();
        ensure!(fault.kind == FaultKind::PacketTooLarge, "{fault}: {}", cause(&fault));
        Ok(())
    }

    async fn a_statement_beyond_the_packet_limit_is_named_as_such(kind: Kind) -> Result<()> {
        let (target, _) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        let sql = format!("SELECT LENGTH('{}')", "x".repeat(65 << 20));
        let fault = session.rows("send a lot", &sql).await.unwrap_err();
        ensure!(fault.kind == FaultKind::PacketTooLarge && !session.is_broken(), "{fault}: {}", cause(&fault));
        let most = usize::try_from(session.packet_bytes_max())? - (64 << 10);
        let sql = format!("SELECT LENGTH('{}')", "x".repeat(most));
        ensure!(session.row("send less", &sql).await?.and_then(|row| row.get(0)) == Some(most));
        // A result beyond the limit, made on the server.
        let long = format!("SELECT LENGTH(CONCAT(REPEAT('x', {most}), REPEAT('x', {most})))");
        let refused = session.row("make a lot", &long).await;
        ensure!(match &refused {
            Ok(row) => row.as_ref().is_some_and(|row| row.get::<Option<u64>, _>(0) == Some(None)),
            Err(fault) => fault.kind == FaultKind::PacketTooLarge,
        }, "{refused:?}");
        Ok(())
    }

    async fn compression_changes_nothing_but_the_bytes(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let proxy = Proxy::start(pair(kind).await?.target.address().await?, Link::default()).await?;
        let compressed = Endpoint { compression: Compression::Zlib, ..through(&proxy, &target) };
        let mut session = Session::open(&compressed, "test").await?;
        let table = format!("{database}.t");
        session.run("make a table", &format!("CREATE TABLE {table} (id INT PRIMARY KEY, v LONGTEXT)")).await?;
        let long = "leeward ".repeat(1 << 19);
        session.run("insert", &format!("INSERT INTO {table} VALUES (1,'{long}')")).await?;
        ensure!(count(&mut session, &table).await? == 1);
        let row = session.row("read", &format!("SELECT v FROM {table}")).await?.context("the row")?;
        ensure!(row.get::<String, _>(0).as_deref() == Some(long.as_str()));
        let counters = proxy.counters();
        ensure!(counters.bytes_to_server + counters.bytes_to_client < long.len() as u64, "{counters:?}");
        Ok(())
    }
}
