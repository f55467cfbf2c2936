//! Bad input: what was typed wrongly, what an account lacks, and tables that cannot be kept right. Each is named with
//! what to do about it, in one go, before anything is changed.

use anyhow::Result;
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;
use leeward_testkit::servers::{Kind, Server, ServerOptions, Tls};
use mysql_async::prelude::Queryable;

use crate::support::{Leeward, PASSWORD, ROW_VALUE, Stage};

const ONE_TABLE: &str = "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT NOT NULL); INSERT INTO t VALUES (1, 1);";

/// All mistakes of one command line, one environment and one file come out together, each with its place.
#[test]
fn all_mistakes_of_a_configuration_come_out_at_once() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let folder = tempfile::tempdir()?;
        let leeward = |arguments: &[&str]| Leeward::new(arguments, folder.path());
        leeward(&["sync", "--cycle-interval", "soon", "--source-port", "many"])
            .env("LEEWARD_SOURCE_URL", &format!("mysql://u:{PASSWORD}@x@h/"))
            .env("LEEWARD_TARGET_URL", &format!("postgres://u:{PASSWORD}@h/"))
            .env("LEEWARD_DATABASES", "a,,mysql")
            .run()
            .await?
            .exits(3)
            .says(&["LEEWARD_SOURCE_URL: ", "%40", "LEEWARD_TARGET_URL: ", "mysql://", "LEEWARD_DATABASES: "])
            .says(&["mysql belongs to the server", "--cycle-interval: ", "--source-port"]);
        std::fs::write(
            folder.path().join("leeward.toml"),
            "databases = \"x\"\ncolour = 3\n[source]\nhost = \"h\"\nport = \"many\"\npasword_file = \"x\"\n",
        )?;
        leeward(&["plan"])
            .run()
            .await?
            .exits(3)
            .says(&["leeward.toml:1 databases", "leeward.toml:2 colour", "leeward.toml:5 source.port"])
            .says(&["leeward.toml:6 source.pasword_file", "password_file"]);
        std::fs::write(folder.path().join("leeward.toml"), "[source\n")?;
        leeward(&["plan"]).run().await?.exits(3).says(&["leeward.toml:1", "TOML"]);
        std::fs::remove_file(folder.path().join("leeward.toml"))?;
        std::fs::write(
            folder.path().join("policy.toml"),
            "version = 1\nplatfrom = \"rds\"\n[scrub]\npass_interval = \"soon\"\n[[table]]\nmatch = \"a[\"\n\
             [[waiver]]\ncheck = \"SYNC-99\"\n",
        )?;
        leeward(&["plan", "--policy", "policy.toml", "--source-url", "mysql://u@127.0.0.1:1/"])
            .run()
            .await?
            .exits(3)
            .says(&["policy.toml:2", "platfrom", "policy.toml:4", "scrub.pass_interval", "policy.toml:6", "SYNC-99"]);
        leeward(&["plan", "--policy", "absent.toml", "--source-url", "mysql://u@127.0.0.1:1/"])
            .run()
            .await?
            .exits(3)
            .says(&["absent.toml"]);
        leeward(&["frobnicate"]).run().await?.exits(3);
        leeward(&["seed"]).run().await?.exits(3).says(&["LEEWARD_SOURCE_URL", "LEEWARD_TARGET_URL"]);
        for command in ["doctor", "plan", "seed", "sync", "status", "verify", "readiness"] {
            leeward(&[command, "--help"]).run().await?.exits(0).says(&["Usage"]);
        }
        Ok(())
    })
}

each_kind! {
    /// Wrong password, unknown host, refused port: told apart, with 1, a remedy, and no password.
    async fn a_server_that_cannot_be_reached_is_told_by_its_cause(kind: Kind) -> Result<()> {
        let mut stage = Stage::shared(kind, "unreachable").await?;
        stage.on_source(ONE_TABLE).await?;
        let good = stage.source_url.clone();
        let port = stage.source().port();
        for command in ["plan", "seed", "verify"] {
            stage.source_url = good.replace(PASSWORD, "Quay-wrong");
            let ran = stage.run(&[command]).await?.exits(1).says(&["user or password refused", "source"]);
            assert!(!ran.text().contains("Quay-wrong"), "{}", ran.text());
            stage.source_url = good.replace("127.0.0.1", "db.invalid") + "?tls=disabled";
            stage.run(&[command]).await?.exits(1).says(&["host name does not resolve", "db.invalid"]);
            stage.source_url = good.replace(&format!(":{port}"), ":1");
            stage.run(&[command]).await?.exits(1).says(&["127.0.0.1:1", "does not answer"]);
        }
        // A long-running process waits instead, and a single run has a limit to its patience; doctor tells at once.
        stage.source_url = good.replace(PASSWORD, "Quay-wrong");
        stage.run(&["doctor"]).await?.exits(2).says(&["FAIL  the source answers", "user or password refused"]);
        stage.run(&["plan", "--output", "json"]).await?.exits(1).json()?;
        Ok(())
    }

    /// TLS that was asked for and cannot be had is an error and never silently done without.
    async fn tls_that_is_required_and_absent_is_an_error(kind: Kind) -> Result<()> {
        let options = ServerOptions { tls: Tls::Disabled, ..ServerOptions::default() };
        let server = Server::start(kind, options).await?;
        server.create_account("reader", PASSWORD, "SELECT, PROCESS").await?;
        let folder = tempfile::tempdir()?;
        for mode in ["required", "verify-ca", "verify-identity"] {
            let url = server.url("reader", PASSWORD) + "?tls=" + mode;
            Leeward::new(&["plan"], folder.path())
                .env("LEEWARD_SOURCE_URL", &url)
                .run()
                .await?
                .exits(1)
                .says(&["TLS", "source"]);
        }
        Ok(())
    }

    /// Each missing privilege is named by the GRANT that gives it.
    async fn a_missing_privilege_is_named_by_its_grant(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "grants").await?;
        stage.on_source(ONE_TABLE).await?;
        stage.source().create_account("nothing", PASSWORD, "USAGE").await?;
        stage.source().create_account("no_process", PASSWORD, "SELECT, SHOW VIEW, TRIGGER, EVENT").await?;
        stage.target().create_account("reads", PASSWORD, "SELECT").await?;
        let (source, target) = (stage.source_url.clone(), stage.target_url.clone());
        stage.source_url = stage.source().url("nothing", PASSWORD);
        stage.run(&["doctor"]).await?.exits(2).says(&["GRANT SELECT ON `grants`.* TO", "GRANT PROCESS ON *.* TO"]);
        stage.run(&["plan"]).await?.exits(1).says(&["without any privilege on it"]);
        stage.source_url = stage.source().url("no_process", PASSWORD);
        stage.run(&["doctor"]).await?.says(&["GRANT PROCESS ON *.* TO `no_process`@`%`"]);
        stage.run(&["plan"]).await?.exits(0).says(&["PROCESS"]);
        stage.source_url = source;
        stage.target_url = stage.target().url("reads", PASSWORD);
        stage.run(&["doctor"]).await?.exits(2).says(&["GRANT", "CREATE", "`leeward`.*", "`reads`@`%`"]);
        stage.run(&["seed"]).await?.exits(1).says(&["GRANT", "ON `leeward`.* TO", "reads"]);
        stage.target_url = target;
        stage.seed().await?;
        stage.assert_equal().await
    }

    /// Without PROCESS nothing can be proved: the plan says so, a window is used, and rows arrive all the same.
    async fn a_source_without_process_is_kept_by_a_window(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "windowed").await?;
        stage.policy("[fence]\nunproven_overlap = \"20s\"\n")?;
        stage.source().create_account("no_process", PASSWORD, "SELECT, SHOW VIEW, TRIGGER, EVENT").await?;
        stage.source_url = stage.source().url("no_process", PASSWORD);
        stage
            .on_source(
                "CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
                   updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                   KEY updated (updated_at)); INSERT INTO t (n) VALUES (1);",
            )
            .await?;
        stage.run(&["plan"]).await?.exits(0).says(&["UNPROVEN", "PROCESS is not granted"]);
        stage.seed().await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        let mut late = stage.source_conn().await?;
        late.query_drop("START TRANSACTION").await?;
        late.query_drop("INSERT INTO t (n) VALUES (2)").await?;
        stage.on_source("INSERT INTO t (n) VALUES (3);").await?;
        stage.caught_up().await?;
        late.query_drop("COMMIT").await?;
        late.disconnect().await?;
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// A database that is not there, and one that is empty.
    async fn unknown_and_empty_databases_are_told_apart(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "no_tables").await?;
        for command in ["plan", "seed", "verify"] {
            let unknown = stage.leeward(&[command]).env("LEEWARD_DATABASES", "no_tables,not_there").run().await?;
            unknown.exits(1).says(&["not_there"]);
        }
        stage.run(&["plan"]).await?.exits(0).says(&["0 tables", "no_tables"]);
        Ok(())
    }

    /// The target is the source: by the same address, and through an address that looks like another's.
    async fn a_source_that_is_its_own_target_is_refused(kind: Kind) -> Result<()> {
        let mut stage = Stage::own(kind, "same").await?;
        stage.on_source(ONE_TABLE).await?;
        stage.source().create_rds_like_admin("both", PASSWORD).await?;
        stage.target_url = stage.source().url("both", PASSWORD);
        stage.run(&["seed"]).await?.exits(3).says(&["same server"]);
        stage.source_url = stage.target_url.clone();
        let _proxy = stage.source_through(Link::default()).await?;
        stage.run(&["doctor"]).await?.exits(2).says(&["same server"]);
        stage.run(&["seed"]).await?.exits(3).says(&["same server"]);
        stage.run(&["seed", "--adopt"]).await?.exits(3).says(&["same server"]);
        let there = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='leeward'";
        let mut conn = stage.source_conn().await?;
        assert_eq!(conn.query_first::<u64, _>(there).await?, Some(0), "a control schema was made on the source");
        conn.disconnect().await?;
        Ok(())
    }

    /// Clocks with NULL or future values are not trusted, a table without a key is kept while it is small, and what
    /// cannot be kept right is named with its remedy; the rest goes on.
    async fn tables_that_cannot_be_trusted_or_kept_are_named_with_a_remedy(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "odd_tables").await?;
        stage.policy("[keyless]\nrows_max = 100\n[scrub]\npass_interval = \"1s\"\nreconcile_interval = \"1s\"\n")?;
        let clock = "DATETIME(6) NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at)";
        let engine = match kind {
            Kind::MariaDb => "Aria",
            Kind::MySql => "MyISAM",
        };
        stage
            .on_source(&format!(
                "CREATE TABLE null_clock (id INT NOT NULL PRIMARY KEY, n INT NOT NULL, updated_at {clock});
                 INSERT INTO null_clock VALUES (1, 1, NULL), (2, 2, '2020-01-01');
                 CREATE TABLE future_clock (id INT NOT NULL PRIMARY KEY, n INT NOT NULL, updated_at {clock});
                 INSERT INTO future_clock VALUES (1, 1, '2099-01-01'), (2, 2, '2020-01-01');
                 CREATE TABLE small_keyless (n INT NULL, note VARCHAR(60) NULL);
                 INSERT INTO small_keyless VALUES (1, '{ROW_VALUE}'), (1, '{ROW_VALUE}'), (NULL, NULL);
                 CREATE TABLE large_keyless (n INT NULL);
                 INSERT INTO large_keyless WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 500)
                   SELECT i FROM n;
                 ANALYZE TABLE large_keyless;
                 CREATE TABLE old_engine (id INT NOT NULL PRIMARY KEY) ENGINE=MyISAM; INSERT INTO old_engine VALUES (1);
                 CREATE TABLE other_engine (id INT NOT NULL PRIMARY KEY) ENGINE={engine};"
            ))
            .await?;
        stage
            .run(&["plan"])
            .await?
            .exits(0)
            .says(&["is NULL in some rows", "lies in the future", "odd_tables.large_keyless", "odd_tables.old_engine"])
            .says(&["LEFT OUT", "ENGINE=InnoDB", "ADD `id`"]);
        stage.run(&["seed"]).await?;
        let sync = stage.start_sync()?;
        stage.caught_up().await?;
        stage
            .on_source(
                "UPDATE null_clock SET n = 10, updated_at = NULL WHERE id = 1; INSERT INTO null_clock VALUES (3, 3, NULL);
                 UPDATE future_clock SET n = 10, updated_at = '2098-01-01' WHERE id = 1; DELETE FROM small_keyless LIMIT 1;",
            )
            .await?;
        for table in ["null_clock", "future_clock", "small_keyless"] {
            stage.scrubbed(table).await?;
        }
        sync.stop().await?.exits(0);
        let report = stage.compare().await?;
        let kept = report.tables.iter().filter(|table| table.table.contains("clock") || table.table.contains("small"));
        assert!(kept.clone().count() == 3 && kept.clone().all(|table| table.is_equal()), "{report}");
        stage.run(&["readiness"]).await?.exits(2).says(&["odd_tables.large_keyless", "odd_tables.old_engine"]);
        stage.run(&["status"]).await?.says(&["odd_tables.large_keyless", "not copied"]);
        Ok(())
    }
}

each_kind! {
    /// Status and readiness of a target that Leeward has never seen: an answer, not an error, and nothing is made there.
    async fn a_target_that_leeward_never_saw_gets_an_answer(kind: Kind) -> Result<()> {
        let server = Server::start(kind, ServerOptions::default()).await?;
        server.create_rds_like_admin("writer", PASSWORD).await?;
        let folder = tempfile::tempdir()?;
        let leeward = |command: &str| {
            Leeward::new(&[command], folder.path()).env("LEEWARD_TARGET_URL", &server.url("writer", PASSWORD))
        };
        leeward("status").run().await?.exits(2).says(&["leeward seed"]);
        leeward("readiness").run().await?.exits(2).says(&["NOT_READY"]);
        let mut conn = server.connect().await?;
        let there = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='leeward'";
        assert_eq!(conn.query_first::<u64, _>(there).await?, Some(0));
        conn.disconnect().await?;
        Ok(())
    }
}
