//! What goes wrong at log-in and with privileges, and what is said of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
use leeward_mysql::endpoint::{
    Cleartext, Compression, Endpoint, FixedPassword, Password, PasswordAge, PasswordSource, Secret, Timeouts, Tls,
    TlsMode,
};
use leeward_mysql::session::Session;
use leeward_testkit::servers::pair;

use crate::setup::{cause, no_tls, source, target};

/// An endpoint where nobody is.
pub fn nowhere() -> Endpoint {
    Endpoint {
        side: Side::Source,
        host: "127.0.0.1".to_owned(),
        port: 1,
        user: "nobody".to_owned(),
        password: Arc::new(FixedPassword::new("hunter2")),
        tls: no_tls(),
        timeouts: Timeouts::default(),
        compression: Compression::Off,
    }
}

/// Gives the old password until it is asked for a fresh one, and counts the questions.
struct Rotated {
    asked: AtomicU32,
}

#[async_trait]
impl PasswordSource for Rotated {
    async fn password(&self, age: PasswordAge) -> Result<Password, Fault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (text, user) = match age {
            PasswordAge::Cached => ("old", None),
            PasswordAge::Fresh => ("new", Some("rotated".to_owned())),
        };
        Ok(Password { text: Secret::new(text), user, cleartext: Cleartext::Never })
    }
}

/// Gives another account each time.
struct OnceEach {
    asked: AtomicU32,
}

#[async_trait]
impl PasswordSource for OnceEach {
    async fn password(&self, _age: PasswordAge) -> Result<Password, Fault> {
        let user = format!("once_{}", self.asked.fetch_add(1, Ordering::SeqCst));
        Ok(Password { text: Secret::new(&user), user: Some(user), cleartext: Cleartext::Never })
    }
}

leeward_testkit::each_kind! {
    /// A token of IAM is good for 15 minutes, and a lane opens connections for months: none is kept for the next one.
    async fn every_connection_asks_for_a_password_of_its_own_t34(kind: Kind) -> Result<()> {
        let once = Arc::new(OnceEach { asked: AtomicU32::new(0) });
        let endpoint = Endpoint { password: once.clone(), ..source(kind).await? };
        for user in ["once_0", "once_1", "once_2"] {
            pair(kind).await?.source.create_account(user, user, "USAGE").await?;
            let mut session = Session::open(&endpoint, "test").await?;
            let row = session.row("ask who we are", "SELECT USER()").await?.context("a row")?;
            ensure!(row.get::<String, _>(0).is_some_and(|seen| seen.starts_with(user)), "{row:?}");
        }
        ensure!(once.asked.load(Ordering::SeqCst) == 3);
        Ok(())
    }

    /// After a failover the old writer answers so for as long as it is asked over an old connection.
    async fn a_server_that_takes_no_writes_is_left_at_once_t33(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        session.run("make a table", &format!("CREATE TABLE {database}.t (id INT PRIMARY KEY)")).await?;
        session.run("begin", "START TRANSACTION READ ONLY").await?;
        let fault = session.run("write", &format!("INSERT INTO {database}.t VALUES (1)")).await.unwrap_err();
        ensure!(fault.kind == FaultKind::ReadOnly && session.is_broken(), "{fault}");
        let fault = session.run("go on", "DO 0").await.unwrap_err();
        ensure!(fault.kind == FaultKind::Unreachable, "{fault}");
        Ok(())
    }

    async fn a_wrong_password_is_refused_and_not_shown(kind: Kind) -> Result<()> {
        pair(kind).await?.source.create_account("locked_out", "right", "USAGE").await?;
        let password = Arc::new(FixedPassword::new("hunter2"));
        let endpoint = Endpoint { user: "locked_out".to_owned(), password, ..source(kind).await? };
        let fault = Session::open(&endpoint, "test").await.unwrap_err();
        ensure!(fault.kind == FaultKind::AccessDenied, "{fault}");
        let printed = format!("{fault} {fault:?} {}", cause(&fault));
        ensure!(printed.contains("locked_out") && !printed.contains("hunter2"), "{printed}");
        Ok(())
    }

    async fn a_rotated_password_is_fetched_once_more(kind: Kind) -> Result<()> {
        pair(kind).await?.source.create_account("rotated", "new", "USAGE").await?;
        let rotated = Arc::new(Rotated { asked: AtomicU32::new(0) });
        let endpoint = Endpoint { user: "rotated".to_owned(), password: rotated.clone(), ..source(kind).await? };
        Session::open(&endpoint, "test").await?;
        ensure!(rotated.asked.load(Ordering::SeqCst) == 2);
        Ok(())
    }

    async fn a_missing_grant_is_spelled_out_and_helps(kind: Kind) -> Result<()> {
        let (root, database) = target(kind).await?;
        let mut admin = Session::open(&root, "test").await?;
        let table = format!("{database}.orders");
        admin.run("make a table", &format!("CREATE TABLE {table} (id INT PRIMARY KEY)")).await?;
        let user = format!("bare_{kind}").to_lowercase();
        pair(kind).await?.target.create_account(&user, "pw", "USAGE").await?;
        let bare = Endpoint { user: user.clone(), password: Arc::new(FixedPassword::new("pw")), ..root.clone() };
        let mut session = Session::open(&bare, "test").await?;
        for (sql, privilege) in [
            (format!("SELECT * FROM {table}"), "SELECT"),
            (format!("INSERT INTO {table} VALUES (1)"), "INSERT"),
            ("SHOW ENGINE INNODB STATUS".to_owned(), "PROCESS"),
            (format!("CREATE DATABASE {database}_2"), "ALL PRIVILEGES"),
        ] {
            let fault = session.run(&format!("use {table}"), &sql).await.unwrap_err();
            let FaultKind::MissingGrant(grant) = &fault.kind else { anyhow::bail!("{fault}: {}", cause(&fault)) };
            ensure!(grant.contains(privilege) && grant.contains(&user), "{sql}: {grant}");
            // The text is the exact statement: it is run as it stands, and it helps.
            admin.run("grant", grant).await?;
            drop(session);
            session = Session::open(&bare, "test").await?;
            session.run("try again", &sql).await.with_context(|| format!("after {grant}"))?;
        }
        Ok(())
    }

    async fn what_does_not_exist_is_named(kind: Kind) -> Result<()> {
        let (target, database) = target(kind).await?;
        let mut session = Session::open(&target, "test").await?;
        let fault = session.run("use a database", "USE leeward_nowhere").await.unwrap_err();
        ensure!(fault.kind == FaultKind::UnknownDatabase("leeward_nowhere".to_owned()), "{fault}");
        let fault = session.run("read", &format!("SELECT * FROM {database}.nowhere")).await.unwrap_err();
        ensure!(fault.kind == FaultKind::TableMissing, "{fault}");
        session.run("make a table", &format!("CREATE TABLE {database}.t (id INT PRIMARY KEY, m VARCHAR(9) UNIQUE)")).await?;
        let fault = session.run("read", &format!("SELECT gone FROM {database}.t")).await.unwrap_err();
        ensure!(fault.kind == FaultKind::TableChanged && cause(&fault).contains("gone"), "{}", cause(&fault));
        let insert = format!("INSERT INTO {database}.t VALUES (1,'SECRET'),(2,'SECRET')");
        let fault = session.run("write", &insert).await.unwrap_err();
        ensure!(fault.kind == FaultKind::UniqueConflict, "{fault}");
        ensure!(cause(&fault).contains('m') && !format!("{fault:?}").contains("SECRET"), "{}", cause(&fault));
        let fault = session.run("write", &format!("INSERT INTO {database}.t VALUES ('SECRET', '')")).await.unwrap_err();
        ensure!(!format!("{fault:?}").contains("SECRET") && cause(&fault).contains("id"), "{}", cause(&fault));
        let fault = session.run("write", &format!("SELEC SECRET FROM {database}.t")).await.unwrap_err();
        ensure!(!format!("{fault:?}").contains("SECRET"), "{}", cause(&fault));
        Ok(())
    }
}

#[tokio::test]
async fn an_unknown_host_and_a_refused_port_are_told_apart() -> Result<()> {
    let unknown = Endpoint { host: "no-such-host.invalid".to_owned(), ..nowhere() };
    let fault = Session::open(&unknown, "test").await.unwrap_err();
    ensure!(fault.kind == FaultKind::UnknownHost && fault.to_string().contains("no-such-host.invalid"), "{fault}");
    let fault = Session::open(&nowhere(), "test").await.unwrap_err();
    ensure!(fault.kind == FaultKind::Unreachable && cause(&fault).contains("refused"), "{}", cause(&fault));
    Ok(())
}

/// The driver would send it to anybody who asks.
#[tokio::test]
async fn a_token_is_never_sent_without_verified_tls() -> Result<()> {
    struct Token;
    #[async_trait]
    impl PasswordSource for Token {
        async fn password(&self, _age: PasswordAge) -> Result<Password, Fault> {
            Ok(Password { text: Secret::new("token"), user: None, cleartext: Cleartext::OverTlsOnly })
        }
    }
    let endpoint = Endpoint { password: Arc::new(Token), ..nowhere() };
    let fault = Session::open(&endpoint, "test").await.unwrap_err();
    ensure!(matches!(&fault.kind, FaultKind::Refused(remedy) if remedy.contains("TLS")), "{fault}");
    let with = |mode| Endpoint { tls: Tls { mode, ..no_tls() }, ..endpoint.clone() };
    let fault = Session::open(&with(TlsMode::Required), "test").await.unwrap_err();
    ensure!(matches!(&fault.kind, FaultKind::Refused(_)), "anybody could be at the other end: {fault}");
    let fault = Session::open(&with(TlsMode::VerifyIdentity), "test").await.unwrap_err();
    ensure!(fault.kind == FaultKind::Unreachable, "with verified TLS it gets as far as the port: {fault}");
    Ok(())
}
