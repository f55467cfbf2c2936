//! The private servers: they start, survive what is done to them, keep what was committed, and
//! leave nothing behind.

use std::io::BufRead;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::proxy::{Link, Proxy};
use leeward_testkit::servers::certs::{Authority, Validity};
use leeward_testkit::servers::{ClientProgram, DataDir, Kind, Server, ServerOptions, Tls, pair, skip, workspace_root};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, SslOpts};

/// Tells a test program that it was started by itself.
const CHILD_VARIABLE: &str = "LEEWARD_TESTKIT_CHILD";

async fn number(server: &Server, query: &str) -> Result<u64> {
    let mut conn = server.connect().await?;
    let value = conn.query_first(query).await?.context("one row")?;
    conn.disconnect().await?;
    Ok(value)
}

each_kind! {
    /// The settings that tests rely on, and the time a start takes.
    async fn a_server_starts_with_settings_like_those_of_rds(kind: Kind) -> Result<()> {
        let started = Instant::now();
        let server = Server::start(kind, ServerOptions::default()).await?;
        println!("{kind} {} answered after {} ms", server.version(), started.elapsed().as_millis());
        let mut conn = Conn::from_url(server.admin_url()).await?;
        let settings: (String, u8, u8, u8, u8, u64, String) = conn
            .query_first(
                "SELECT VERSION(), @@log_bin, @@sync_binlog, @@innodb_flush_log_at_trx_commit, \
                 @@local_infile, @@max_allowed_packet, @@time_zone",
            )
            .await?
            .context("one row")?;
        assert!(settings.0.contains(server.version().split('-').next().unwrap_or_default()), "{settings:?}");
        assert_eq!(
            (settings.1, settings.2, settings.3, settings.4, settings.5, settings.6.as_str()),
            (1, 1, 1, 1, 64 << 20, "+00:00")
        );
        let format: (String, String) =
            conn.query_first("SHOW VARIABLES LIKE 'binlog_format'").await?.unwrap_or_default();
        assert!(format.1.is_empty() || format.1 == "ROW", "{format:?}");
        conn.disconnect().await?;
        Ok(())
    }

    /// The two servers of the shared pair are two: each has its own identity, as replication and
    /// Leeward's own check for "the same server" demand.
    async fn source_and_target_are_different_servers(kind: Kind) -> Result<()> {
        let pair = pair(kind).await?;
        let ask = "SELECT @@server_id";
        assert_ne!(number(&pair.source, ask).await?, number(&pair.target, ask).await?);
        if kind == Kind::MySql {
            let mut uuids = Vec::new();
            for server in [&pair.source, &pair.target] {
                let mut conn = server.connect().await?;
                uuids.push(conn.query_first::<String, _>("SELECT @@server_uuid").await?);
                conn.disconnect().await?;
            }
            assert_ne!(uuids[0], uuids[1]);
        }
        Ok(())
    }

    /// A crash loses nothing committed, an orderly stop neither, and the port stays.
    async fn committed_rows_survive_a_kill_and_a_restart(kind: Kind) -> Result<()> {
        let mut server = Server::start(kind, ServerOptions::default()).await?;
        let port = server.port();
        server
            .exec_script("CREATE DATABASE kept; CREATE TABLE kept.t (id INT PRIMARY KEY) ENGINE=InnoDB; \
                          INSERT INTO kept.t VALUES (1), (2);")
            .await?;
        server.kill_hard()?;
        assert!(server.connect().await.is_err(), "a killed server answers");
        server.restart().await?;
        assert_eq!(number(&server, "SELECT COUNT(*) FROM kept.t").await?, 2);
        server.exec_script("INSERT INTO kept.t VALUES (3);").await?;
        server.stop()?;
        server.set_extra_args(&["--read-only=ON"])?;
        server.restart().await?;
        assert_eq!(number(&server, "SELECT COUNT(*) FROM kept.t").await?, 3);
        assert_eq!(number(&server, "SELECT @@read_only").await?, 1);
        assert_eq!(server.port(), port);
        Ok(())
    }

    /// A folder that was given stays, and a later server finds its data there.
    async fn data_in_a_given_folder_outlives_its_server(kind: Kind) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let options = || ServerOptions {
            data_dir: DataDir::Kept(folder.path().join("disk")),
            ..ServerOptions::default()
        };
        let server = Server::start(kind, options()).await?;
        server.exec_script("CREATE DATABASE kept; CREATE TABLE kept.t (id INT PRIMARY KEY);").await?;
        server.exec_script("INSERT INTO kept.t VALUES (1);").await?;
        drop(server);
        let server = Server::start(kind, options()).await?;
        assert_eq!(number(&server, "SELECT COUNT(*) FROM kept.t").await?, 1);
        Ok(())
    }

    /// What `cargo test` leaves behind when it is killed: nothing. The test starts itself again in
    /// a process of its own and kills that.
    async fn a_server_ends_with_the_process_that_started_it(kind: Kind) -> Result<()> {
        if std::env::var_os(CHILD_VARIABLE).is_some() {
            let server = Server::start(kind, ServerOptions::default()).await?;
            println!("{CHILD_VARIABLE}={}", server.data_dir()?.display());
            std::future::pending::<()>().await;
        }
        let name = format!("a_server_ends_with_the_process_that_started_it::{}", kind.slug());
        let mut child = std::process::Command::new(std::env::current_exe()?)
            .args(["--exact", &name, "--nocapture"])
            .env(CHILD_VARIABLE, "1")
            .stdout(std::process::Stdio::piped())
            .spawn()?;
        let output = std::io::BufReader::new(child.stdout.take().context("the child's output")?);
        let data_dir = output
            .lines()
            .map_while(|line| line.ok())
            .find_map(|line| line.split_once(&format!("{CHILD_VARIABLE}=")).map(|(_, path)| PathBuf::from(path)))
            .context("the child names its server's folder")?;
        assert!(data_dir.join("sock").exists(), "the server runs");
        child.kill()?;
        child.wait()?;
        let deadline = Instant::now() + Duration::from_secs(60);
        while data_dir.exists() {
            ensure!(Instant::now() < deadline, "{} is still there", data_dir.display());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// A frozen server keeps its connections and answers once it is let go.
    async fn a_paused_server_is_silent_until_it_goes_on(kind: Kind) -> Result<()> {
        let mut server = Server::start(kind, ServerOptions::default()).await?;
        let mut conn = server.connect().await?;
        server.pause()?;
        let silence = Duration::from_millis(200);
        let mut answer = Box::pin(conn.query_first::<u64, _>("SELECT 1"));
        ensure!(tokio::time::timeout(silence, &mut answer).await.is_err(), "a frozen server answered");
        server.resume()?;
        assert_eq!(answer.await?, Some(1));
        Ok(())
    }

    /// The account of an RDS owner: enough to load a schema, no global lock.
    async fn an_rds_like_admin_creates_schemas_and_takes_no_global_lock(kind: Kind) -> Result<()> {
        let server = &pair(kind).await?.target;
        server.create_rds_like_admin("owner", "pass'\\word @:/").await?;
        let mut conn = Conn::from_url(server.url("owner", "pass'\\word @:/")).await?;
        conn.query_drop("CREATE DATABASE owned").await?;
        conn.query_drop("CREATE TABLE owned.t (id INT PRIMARY KEY)").await?;
        conn.query_drop("CREATE TRIGGER owned.b BEFORE INSERT ON owned.t FOR EACH ROW SET @x = 1").await?;
        let refused = conn.query_drop("FLUSH TABLES WITH READ LOCK").await;
        assert!(matches!(refused, Err(mysql_async::Error::Server(_))), "{refused:?}");
        let refused = conn.query_drop("SET GLOBAL max_connections = 10").await;
        assert!(matches!(refused, Err(mysql_async::Error::Server(_))), "{refused:?}");
        conn.disconnect().await?;
        Ok(())
    }

    /// The account Leeward asks for on a source: reads, and sees what runs; writes nothing.
    async fn a_reader_reads_and_writes_nothing(kind: Kind) -> Result<()> {
        let server = &pair(kind).await?.source;
        server.create_reader("reader", "secret", &["TRIGGER"]).await?;
        server.exec_script("CREATE DATABASE for_reader; CREATE TABLE for_reader.t (id INT PRIMARY KEY);").await?;
        let mut conn = Conn::from_url(server.url("reader", "secret")).await?;
        conn.query_drop("SELECT * FROM for_reader.t").await?;
        conn.query_drop("SELECT COUNT(*) FROM information_schema.INNODB_TRX").await?;
        assert!(conn.query_drop("INSERT INTO for_reader.t VALUES (1)").await.is_err());
        conn.disconnect().await?;
        Ok(())
    }

    /// Scripts pass through the server's own client: routines with DELIMITER lines, versioned
    /// comments, four-byte characters; and a mistake is an error that names it.
    async fn a_script_runs_to_its_end_or_says_where_it_failed(kind: Kind) -> Result<()> {
        let server = &pair(kind).await?.source;
        server
            .exec_script(
                "CREATE DATABASE scripted CHARACTER SET utf8mb4; USE scripted;\n\
                 CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20));\n\
                 DELIMITER ;;\n\
                 CREATE PROCEDURE fill() BEGIN INSERT INTO t VALUES (1, '🌀'); INSERT INTO t VALUES (2, 'b'); END;;\n\
                 DELIMITER ;\n\
                 CALL fill();\n",
            )
            .await?;
        assert_eq!(number(server, "SELECT COUNT(*) FROM scripted.t WHERE CHAR_LENGTH(name) = 1").await?, 2);
        let error = server.exec_script("SELECT 1; SELECT * FROM scripted.absent;").await.expect_err("a mistake");
        assert!(format!("{error:#}").contains("scripted.absent"), "{error:#}");
        Ok(())
    }

    /// The public sample database, wherever it lies beside the project.
    async fn sakila_loads_where_it_is_found(kind: Kind) -> Result<()> {
        let folder = workspace_root().join("../shared/data/sakila");
        let Ok(schema) = std::fs::read_to_string(folder.join("schema.sql")) else {
            return skip("sakila_loads_where_it_is_found", kind, "sakila does not lie beside the project");
        };
        let data = std::fs::read_to_string(folder.join("data.sql"))?;
        let server = Server::start(kind, ServerOptions::default()).await?;
        server.exec_script(&schema).await?;
        server.exec_script(&data).await?;
        assert_eq!(number(&server, "SELECT COUNT(*) FROM sakila.rental").await?, 16_044);
        let dump = server
            .client_command(ClientProgram::Dump)?
            .args(["--single-transaction", "--no-data", "sakila"])
            .output()?;
        ensure!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        assert!(String::from_utf8_lossy(&dump.stdout).contains("CREATE TABLE `film`"));
        Ok(())
    }

    /// A server's certificate is checked by name, and an expired or absent one is refused.
    async fn tls_is_what_the_test_asked_for(kind: Kind) -> Result<()> {
        let authority = Authority::new()?;
        let folder = tempfile::tempdir()?;
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, authority.certificate_pem())?;
        let tls = |name: &str| SslOpts::default()
            .with_root_certs(vec![PathBuf::from(&ca_file).into()])
            .with_disable_built_in_roots(true)
            .with_danger_tls_hostname_override(Some(name.to_string()));
        let connect = |server: &Server, ssl: SslOpts| Conn::new(
            OptsBuilder::default()
                .ip_or_hostname("127.0.0.1")
                .tcp_port(server.port())
                .prefer_socket(Some(false))
                .user(Some("root"))
                .ssl_opts(Some(ssl)),
        );

        let certificate = authority.issue(&["db.test", "127.0.0.1"], Validity::Current)?;
        let options = ServerOptions { tls: Tls::Certificate(certificate), ..ServerOptions::default() };
        let good = Server::start(kind, options).await?;
        connect(&good, tls("db.test")).await?.disconnect().await?;
        connect(&good, tls("127.0.0.1")).await?.disconnect().await?;
        assert!(connect(&good, tls("other.test")).await.is_err(), "a wrong name was taken");

        let certificate = authority.issue(&["db.test"], Validity::Expired)?;
        let options = ServerOptions { tls: Tls::Certificate(certificate), ..ServerOptions::default() };
        let expired = Server::start(kind, options).await?;
        assert!(connect(&expired, tls("db.test")).await.is_err(), "an expired certificate was taken");

        let options = ServerOptions { tls: Tls::Disabled, ..ServerOptions::default() };
        let plain = Server::start(kind, options).await?;
        assert!(connect(&plain, tls("db.test")).await.is_err(), "a server without TLS spoke TLS");
        Conn::from_url(plain.admin_url()).await?.disconnect().await?;
        Ok(())
    }

    /// A full disk is met as an error of the statement, and is over when there is room again.
    async fn a_limited_database_fills_up_and_can_grow(kind: Kind) -> Result<()> {
        let mut server = Server::start(kind, ServerOptions::default()).await?;
        if let Err(error) = server.create_limited_database("tight", 16).await {
            let reason = format!("{error:#}");
            ensure!(reason.contains("the right to mount"), "{reason}");
            return skip("a_limited_database_fills_up_and_can_grow", kind, &reason);
        }
        let mut conn = server.connect().await?;
        conn.query_drop("CREATE TABLE tight.t (id INT AUTO_INCREMENT PRIMARY KEY, b VARBINARY(4000)) ENGINE=InnoDB")
            .await?;
        // Four MiB in a thousand rows, so the fourth time cannot fit. MariaDB ends itself where the
        // rollback of one large value finds no room, which is not what is meant here.
        let fill = "INSERT INTO tight.t (b) WITH RECURSIVE n AS \
                    (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
                    SELECT REPEAT('x', 4000) FROM n";
        let mut refusal = None;
        for _ in 0..4 {
            if let Err(error) = conn.query_drop(fill).await {
                refusal = Some(error);
                break;
            }
        }
        let full = matches!(&refusal, Some(mysql_async::Error::Server(error)) if error.code == 1114);
        assert!(full, "{refusal:?}: {}", server.log_tail());
        server.set_database_limit_mib("tight", 64)?;
        conn.query_drop(fill).await?;
        conn.disconnect().await?;
        server.kill_hard()?;
        server.restart().await?;
        assert!(number(&server, "SELECT COUNT(*) FROM tight.t").await? >= 1000);
        Ok(())
    }

    /// The driver through the proxy: a query on an open connection is one round trip.
    async fn a_query_through_the_proxy_is_one_round_trip(kind: Kind) -> Result<()> {
        let server = &pair(kind).await?.source;
        let delay = Duration::from_millis(20);
        let proxy = Proxy::start(server.address().await?, Link { delay, bytes_per_s_max: None }).await?;
        let mut conn = Conn::from_url(server.url_through(&proxy, "root", "")).await?;
        let before = proxy.counters().round_trips;
        let started = Instant::now();
        assert_eq!(conn.query_first::<u64, _>("SELECT 7").await?, Some(7));
        assert!(started.elapsed() >= delay * 2);
        assert_eq!(proxy.counters().round_trips, before + 1);
        conn.disconnect().await?;
        Ok(())
    }

    /// The two halves of a lost connection at COMMIT: either the server never saw it, or it has
    /// done it and only the answer is lost.
    async fn a_commit_is_lost_before_or_after_the_server_has_done_it(kind: Kind) -> Result<()> {
        let server = &pair(kind).await?.source;
        server
            .exec_script("CREATE DATABASE cut; CREATE TABLE cut.t (id INT PRIMARY KEY) ENGINE=InnoDB;")
            .await?;
        let proxy = Proxy::start(server.address().await?, Link::default()).await?;
        let url = server.url_through(&proxy, "root", "");

        let mut conn = Conn::from_url(&url).await?;
        proxy.cut_before_request("COMMIT");
        assert!(conn.query_drop("BEGIN; INSERT INTO cut.t VALUES (1); COMMIT").await.is_err());
        proxy.wait_for_cuts(1).await;
        drop(conn);
        assert_eq!(number(server, "SELECT COUNT(*) FROM cut.t").await?, 0);

        let mut conn = Conn::from_url(&url).await?;
        proxy.cut_before_answer("COMMIT");
        assert!(conn.query_drop("BEGIN; INSERT INTO cut.t VALUES (2); COMMIT").await.is_err());
        proxy.wait_for_cuts(2).await;
        assert_eq!(number(server, "SELECT COUNT(*) FROM cut.t").await?, 1);
        Ok(())
    }
}
