//! Beside native replication: a real replica, made and kept by the servers themselves, with nothing of Leeward's on either
//! side. `verify` proves the rows, `readiness` judges by replication status. Each on servers of its own, since replication
//! is a server's.

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::servers::{Kind, Server};
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use serde_json::Value;

use crate::support::{PASSWORD, ROW_VALUE, Ran, Stage, eventually};

/// Logs in on both sides: what the source's accounts are, the replica's are too.
const ONLOOKER: &str = "onlooker";
const REPLICATOR: &str = "replicator";

const SCHEMA: &str = "
    CREATE TABLE orders (id INT NOT NULL PRIMARY KEY, note VARCHAR(60) NOT NULL, n INT NOT NULL DEFAULT 0);
    CREATE TABLE paired (part VARCHAR(10) NOT NULL, no INT NOT NULL, x DOUBLE NULL, PRIMARY KEY (part, no));
    CREATE TABLE keyless (n INT NULL, note VARCHAR(60) NULL);
    CREATE VIEW noted AS SELECT id FROM orders;
    CREATE TRIGGER counted BEFORE UPDATE ON orders FOR EACH ROW SET NEW.n = OLD.n + 1;
    CREATE EVENT sweep ON SCHEDULE EVERY 1 DAY DO DELETE FROM orders WHERE id < 0;";

fn rows() -> String {
    format!(
        "INSERT INTO orders (id, note) VALUES (1, '{ROW_VALUE}'), (2, '{ROW_VALUE}'), (3, '{ROW_VALUE}');
         INSERT INTO paired VALUES ('a', 1, 0.1), ('B', 2, NULL);
         INSERT INTO keyless VALUES (1, NULL), (1, NULL), (2, '{ROW_VALUE}');"
    )
}

/// How one family spells its replication.
struct Words {
    log: &'static str,
    start: &'static str,
    stop_applier: &'static str,
    status: &'static str,
    applier_error: &'static str,
    grants: &'static str,
}

fn words(kind: Kind) -> Words {
    match kind {
        Kind::MariaDb => Words {
            log: "SHOW MASTER STATUS",
            start: "START SLAVE;",
            stop_applier: "STOP SLAVE SQL_THREAD;",
            status: "SHOW ALL SLAVES STATUS",
            applier_error: "Last_SQL_Errno",
            grants: "SELECT, PROCESS, SHOW VIEW, TRIGGER, EVENT, BINLOG MONITOR, SLAVE MONITOR",
        },
        Kind::MySql => Words {
            log: "SHOW BINARY LOG STATUS",
            start: "START REPLICA;",
            stop_applier: "STOP REPLICA SQL_THREAD;",
            status: "SHOW REPLICA STATUS",
            applier_error: "Last_SQL_Errno",
            grants: "SELECT, PROCESS, SHOW VIEW, TRIGGER, EVENT, SHOW_ROUTINE, REPLICATION CLIENT",
        },
    }
}

async fn row(server: &Server, sql: &str) -> Result<Row> {
    let mut conn = server.connect().await?;
    let row: Option<Row> = conn.query_first(sql).await.with_context(|| format!("run {sql}"))?;
    conn.disconnect().await?;
    row.with_context(|| format!("no row for {sql}"))
}

/// Sets up the servers' own replication from source to target, and loads some tables. The accounts come over as well.
async fn replicated(kind: Kind, name: &str) -> Result<Stage> {
    let mut stage = Stage::own(kind, name).await?;
    let words = words(kind);
    // Accounts that one side alone has would be findings of their own.
    for server in [stage.source(), stage.target()] {
        server.exec_script("DROP USER IF EXISTS leeward_reader@'%', leeward_writer@'%';").await?;
    }
    stage.target().exec_script(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4;")).await?;
    let end = row(stage.source(), words.log).await?;
    let (file, offset): (String, u64) = (end.get(0).context("a file")?, end.get(1).context("an offset")?);
    stage.source().create_account(REPLICATOR, PASSWORD, "REPLICATION SLAVE").await?;
    stage.source().create_account(ONLOOKER, PASSWORD, words.grants).await?;
    let port = stage.source().port();
    let change = match kind {
        Kind::MariaDb => format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='{REPLICATOR}', \
             MASTER_PASSWORD='{PASSWORD}', MASTER_LOG_FILE='{file}', MASTER_LOG_POS={offset};"
        ),
        Kind::MySql => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, SOURCE_USER='{REPLICATOR}', \
             SOURCE_PASSWORD='{PASSWORD}', SOURCE_LOG_FILE='{file}', SOURCE_LOG_POS={offset}, SOURCE_AUTO_POSITION=0, \
             GET_SOURCE_PUBLIC_KEY=1;"
        ),
    };
    stage.target().exec_script(&format!("SET GLOBAL read_only=1; {change} {}", words.start)).await?;
    stage.on_source(&format!("{SCHEMA}{}", rows())).await?;
    stage.source_url = stage.source().url(ONLOOKER, PASSWORD);
    stage.target_url = stage.target().url(ONLOOKER, PASSWORD);
    eventually("the replica has the rows", async || {
        let mut conn = stage.target().connect().await?;
        // The table is not there at first.
        let rows: Option<u64> = conn.query_first(format!("SELECT COUNT(*) FROM {name}.keyless")).await.unwrap_or(None);
        Ok((rows == Some(3)).then_some(()))
    })
    .await?;
    Ok(stage)
}

/// Runs statements on the replica that its source does not know of.
async fn secretly(stage: &Stage, sql: &str) -> Result<()> {
    stage.on_target(&format!("SET SESSION sql_log_bin=0; {sql}")).await
}

async fn assert_nothing_of_leewards(stage: &Stage) -> Result<()> {
    for server in [stage.source(), stage.target()] {
        let found = row(server, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='leeward'").await?;
        ensure!(found.get::<u64, _>(0) == Some(0), "a control schema was made");
    }
    Ok(())
}

async fn verify(stage: &Stage) -> Result<Ran> {
    stage.run(&["verify", "--output", "json", "--evidence", "verify.json"]).await
}

async fn readiness(stage: &Stage) -> Result<Value> {
    stage.run(&["readiness", "--output", "json", "--evidence", "verify.json"]).await?.json()
}

fn check<'a>(verdict: &'a Value, id: &str) -> Result<&'a Value> {
    let all = verdict["checks"].as_array().context("the verdict lists its checks")?;
    all.iter().find(|check| check["id"] == id).with_context(|| format!("the verdict holds no {id}"))
}

/// Fails unless a check came out so, and says so.
fn is(verdict: &Value, id: &str, status: &str, word: &str) -> Result<()> {
    let check = check(verdict, id)?;
    let says = format!("{} {}", check["actual"], check["remedy"]);
    ensure!(check["status"] == status && says.contains(word), "{id} is not {status} with {word:?}: {check:#}");
    Ok(())
}

fn outcome(found: &Value, table: &str) -> Result<String> {
    let tables = found["tables"].as_array().context("tables")?;
    let line =
        tables.iter().find(|line| line["name"].to_string().contains(table)).context("the table is not listed")?;
    Ok(line["outcome"]["outcome"].as_str().unwrap_or_default().to_owned())
}

each_kind! {
    async fn a_native_replica_is_proved_equal_and_ready_without_a_trace(kind: Kind) -> Result<()> {
        let stage = replicated(kind, "beside_equal").await?;
        let found = verify(&stage).await?.exits(0).json()?;
        assert_eq!(found["kept"]["by"], "replication", "{found:#}");
        stage.run(&["verify"]).await?.exits(0).says(&["equal: 3 tables", "the servers keep the target themselves"]);
        let seen = readiness(&stage).await?;
        for id in ["SYNC-01", "SYNC-02", "SYNC-03", "SYNC-04", "SYNC-05", "DATA-01", "DATA-02", "SCH-01", "SCH-04",
                   "SCH-05", "ACC-05"] {
            is(&seen, id, "pass", "")?;
        }
        is(&seen, "SYNC-01", "pass", "at most")?;
        is(&seen, "SYNC-06", "not_applicable", "")?;
        is(&seen, "SYNC-07", "warn", "keyless")?;
        is(&seen, "ACC-04", "warn", "root@")?;
        ensure!(check(&seen, "DATA-01")?["evidence"]["calls"][0].to_string().contains("SHA-256"), "{seen:#}");
        ensure!(seen["verdict"] == "READY_WITH_WARNINGS", "{seen:#}");
        stage.run(&["readiness", "--evidence", "verify.json"]).await?.exits(0).says(&["RESET REPLICA ALL"]);
        // Without the evidence nobody knows whether the rows are equal.
        let blind = stage.run(&["readiness", "--output", "json"]).await?.exits(2).json()?;
        is(&blind, "DATA-01", "unknown", "leeward verify --evidence FILE")?;
        assert_nothing_of_leewards(&stage).await
    }

    /// Replication says that all is well, and it is not: only a comparison finds that.
    async fn a_row_written_on_the_replica_is_found(kind: Kind) -> Result<()> {
        let stage = replicated(kind, "beside_silent").await?;
        secretly(&stage, &format!("UPDATE orders SET note = 'other {ROW_VALUE}' WHERE id = 2; DELETE FROM keyless WHERE n = 2;"))
            .await?;
        let found = verify(&stage).await?.exits(2).json()?;
        assert_eq!(found["tables"].to_string().matches("\"2\"").count(), 1, "{found:#}");
        assert_eq!(outcome(&found, "orders")?, "different");
        assert_eq!(outcome(&found, "keyless")?, "different_counts");
        assert_eq!(outcome(&found, "paired")?, "equal");
        stage.run(&["verify"]).await?.exits(2).says(&["make it anew"]);
        let seen = readiness(&stage).await?;
        is(&seen, "SYNC-01", "pass", "")?;
        is(&seen, "SYNC-04", "pass", "")?;
        is(&seen, "DATA-01", "fail", "beside_silent.orders")?;
        ensure!(seen["verdict"] == "NOT_READY", "{seen:#}");
        assert_nothing_of_leewards(&stage).await
    }

    /// What has not arrived yet is waited for, and never told as a difference.
    async fn lag_of_a_replica_is_no_difference(kind: Kind) -> Result<()> {
        let stage = replicated(kind, "beside_lag").await?;
        let words = words(kind);
        stage.target().exec_script(words.stop_applier).await?;
        stage.on_source("UPDATE orders SET note = 'later' WHERE id = 1; INSERT INTO keyless VALUES (9, NULL);").await?;
        let found = verify(&stage).await?.exits(2).json()?;
        assert_eq!(outcome(&found, "orders")?, "unsettled", "{found:#}");
        assert_eq!(outcome(&found, "keyless")?, "unsettled", "{found:#}");
        assert_eq!(outcome(&found, "paired")?, "equal", "{found:#}");
        let seen = readiness(&stage).await?;
        is(&seen, "SYNC-01", "fail", "applies nothing")?;
        is(&seen, "SYNC-02", "fail", "applies nothing")?;
        is(&seen, "SYNC-03", "fail", "applier is stopped")?;
        is(&seen, "SYNC-04", "pass", "")?;
        is(&seen, "DATA-01", "unknown", "caught up")?;
        // Delayed longer than the looks at rows of a target that is not followed: the wait is what settles it.
        let delay = match kind {
            Kind::MariaDb => "STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=8; START SLAVE;",
            Kind::MySql => "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_DELAY=8; START REPLICA;",
        };
        stage.target().exec_script(delay).await?;
        stage.on_source("UPDATE orders SET note = 'last' WHERE id = 1; INSERT INTO keyless VALUES (10, NULL);").await?;
        let found = verify(&stage).await?.exits(0).json()?;
        ensure!(found["is_equal"] == true, "{found:#}");
        stage.assert_equal().await
    }

    /// A replica that cannot apply a change stays broken until a person looks; the finding names the error, no row's value.
    async fn a_broken_replica_is_named_with_its_error(kind: Kind) -> Result<()> {
        let stage = replicated(kind, "beside_broken").await?;
        let words = words(kind);
        secretly(&stage, "DELETE FROM orders WHERE id = 3;").await?;
        stage.on_source("UPDATE orders SET note = 'gone there' WHERE id = 3;").await?;
        let error: u64 = eventually("replication has stopped", async || {
            let status = row(stage.target(), words.status).await?;
            Ok(status.get::<u64, _>(words.applier_error).filter(|number| *number != 0))
        })
        .await?;
        let found = verify(&stage).await?.exits(2).json()?;
        assert_eq!(outcome(&found, "orders")?, "unsettled", "{found:#}");
        let ran = stage.run(&["readiness", "--evidence", "verify.json"]).await?.exits(2);
        ran.says(&["SYNC-04", &format!("error {error}"), "Do not skip"]);
        let seen = readiness(&stage).await?;
        is(&seen, "SYNC-04", "fail", &format!("error {error}"))?;
        is(&seen, "SYNC-03", "fail", "applier is stopped")?;
        is(&seen, "SYNC-01", "fail", "applies nothing")?;
        assert_nothing_of_leewards(&stage).await
    }

    /// Who keeps the target is told and never guessed: neither, both, and what the account may not see.
    async fn what_keeps_a_target_is_never_guessed(kind: Kind) -> Result<()> {
        let mut stage = replicated(kind, "beside_who").await?;
        verify(&stage).await?.exits(0);
        // An account that may not see replication: unknown, with the statement to run where it replicates from.
        stage.source().create_account("blind", PASSWORD, "SELECT, SHOW VIEW, TRIGGER, EVENT").await?;
        eventually("the account has come over", async || {
            let sql = "SELECT COUNT(*) FROM mysql.user WHERE User='blind'";
            Ok((row(stage.target(), sql).await?.get::<u64, _>(0) == Some(1)).then_some(()))
        })
        .await?;
        let blind = stage.target().url("blind", PASSWORD);
        let seeing = std::mem::replace(&mut stage.target_url, blind);
        let seen = readiness(&stage).await?;
        let monitor = match kind {
            Kind::MariaDb => "GRANT SLAVE MONITOR ON *.* TO ",
            Kind::MySql => "GRANT REPLICATION CLIENT ON *.* TO ",
        };
        is(&seen, "SYNC-01", "unknown", monitor)?;
        ensure!(seen["verdict"] == "NOT_READY", "{seen:#}");
        stage.run(&["verify"]).await?.exits(0).says(&["could not be seen", monitor]);
        stage.target_url = seeing;
        // Both: whatever Leeward keeps on a target is there, and so is replication.
        secretly(&stage, "CREATE DATABASE leeward; CREATE TABLE leeward.fact (lane INT);").await?;
        let seen = readiness(&stage).await?;
        is(&seen, "SYNC-04", "fail", "two writers")?;
        secretly(&stage, "DROP DATABASE leeward;").await?;
        // Neither.
        let forget = match kind {
            Kind::MariaDb => "STOP SLAVE; RESET SLAVE ALL;",
            Kind::MySql => "STOP REPLICA; RESET REPLICA ALL;",
        };
        stage.target().exec_script(forget).await?;
        let seen = readiness(&stage).await?;
        is(&seen, "SYNC-01", "fail", "nothing keeps the target")?;
        ensure!(seen["verdict"] == "NOT_READY", "{seen:#}");
        stage.run(&["verify"]).await?.exits(0).says(&["it is no replica"]);
        Ok(())
    }
}
