//! TLS modes against certificates that are right, foreign, expired, or for another name.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
use leeward_mysql::endpoint::{Endpoint, Tls, TlsMode};
use leeward_mysql::session::Session;
use leeward_testkit::servers::certs::{Authority, Validity};
use leeward_testkit::servers::{self, Kind, Server, ServerOptions};

use crate::setup::{cause, endpoint};

async fn start(kind: Kind, tls: servers::Tls) -> Result<Server> {
    Server::start(kind, ServerOptions { tls, ..ServerOptions::default() }).await
}

fn with(server: &Server, mode: TlsMode, ca_file: Option<PathBuf>, server_name: Option<&str>) -> Endpoint {
    let tls = Tls { mode, ca_file, server_name: server_name.map(str::to_owned) };
    Endpoint { tls, ..endpoint(server, Side::Source) }
}

async fn refused(endpoint: &Endpoint) -> Result<Fault> {
    match Session::open(endpoint, "test").await {
        Ok(_) => anyhow::bail!("{:?} was let in", endpoint.tls),
        Err(fault) => Ok(fault),
    }
}

async fn is_encrypted(endpoint: &Endpoint) -> Result<()> {
    let mut session = Session::open(endpoint, "test").await?;
    let row = session.row("look at the cipher", "SHOW SESSION STATUS LIKE 'Ssl_cipher'").await?;
    ensure!(row.and_then(|row| row.get::<String, _>(1)).is_some_and(|cipher| !cipher.is_empty()));
    Ok(())
}

leeward_testkit::each_kind! {
    async fn a_certificate_of_another_name_passes_verify_ca_only(kind: Kind) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (authority, other) = (Authority::new()?, Authority::new()?);
        let (ca, foreign_ca) = (folder.path().join("ca.pem"), folder.path().join("foreign.pem"));
        std::fs::write(&ca, authority.certificate_pem())?;
        std::fs::write(&foreign_ca, other.certificate_pem())?;
        let certificate = authority.issue(&["*.db.example"], Validity::Current)?;
        let server = start(kind, servers::Tls::Certificate(certificate)).await?;

        is_encrypted(&with(&server, TlsMode::Required, None, None)).await?;
        is_encrypted(&with(&server, TlsMode::VerifyCa, Some(ca.clone()), None)).await?;
        is_encrypted(&with(&server, TlsMode::VerifyIdentity, Some(ca.clone()), Some("one.db.example"))).await?;

        let fault = refused(&with(&server, TlsMode::VerifyIdentity, Some(ca.clone()), None)).await?;
        ensure!(fault.kind == FaultKind::Tls, "{fault}");
        ensure!(cause(&fault).contains("*.db.example") && cause(&fault).contains("127.0.0.1"), "{}", cause(&fault));
        let fault = refused(&with(&server, TlsMode::VerifyIdentity, Some(ca), Some("db.other"))).await?;
        ensure!(cause(&fault).contains("not for db.other"), "{}", cause(&fault));
        for mode in [TlsMode::VerifyCa, TlsMode::VerifyIdentity] {
            for ca in [Some(foreign_ca.clone()), None] {
                let fault = refused(&with(&server, mode, ca, Some("one.db.example"))).await?;
                ensure!(fault.kind == FaultKind::Tls && cause(&fault).contains("trusted CA"), "{}", cause(&fault));
            }
        }
        Ok(())
    }

    async fn an_expired_certificate_is_refused_wherever_it_is_verified(kind: Kind) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let authority = Authority::new()?;
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, authority.certificate_pem())?;
        let certificate = authority.issue(&["127.0.0.1"], Validity::Expired)?;
        let server = start(kind, servers::Tls::Certificate(certificate)).await?;
        is_encrypted(&with(&server, TlsMode::Required, None, None)).await?;
        for mode in [TlsMode::VerifyCa, TlsMode::VerifyIdentity] {
            let fault = refused(&with(&server, mode, Some(ca.clone()), None)).await?;
            ensure!(fault.kind == FaultKind::Tls && cause(&fault).contains("expired"), "{}", cause(&fault));
        }
        Ok(())
    }

    /// MySQL's self-made certificates name nobody, so not even their CA can be verified with this TLS library.
    async fn a_self_made_certificate_is_explained(kind: Kind) -> Result<()> {
        let server = start(kind, servers::Tls::ServerDefault).await?;
        let ca = server.data_dir()?.join("ca.pem");
        if !ca.exists() {
            ensure!(kind == Kind::MariaDb, "MySQL makes certificates by itself");
            return Ok(());
        }
        is_encrypted(&with(&server, TlsMode::Required, None, None)).await?;
        for mode in [TlsMode::VerifyCa, TlsMode::VerifyIdentity] {
            let fault = refused(&with(&server, mode, Some(ca.clone()), None)).await?;
            ensure!(fault.kind == FaultKind::Tls && cause(&fault).contains("no name"), "{}", cause(&fault));
        }
        Ok(())
    }

    async fn tls_that_the_server_does_not_have_is_not_done_without(kind: Kind) -> Result<()> {
        let server = start(kind, servers::Tls::Disabled).await?;
        for mode in [TlsMode::Required, TlsMode::VerifyCa, TlsMode::VerifyIdentity] {
            let fault = refused(&with(&server, mode, None, None)).await?;
            ensure!(fault.kind == FaultKind::Tls && cause(&fault).contains("offers no TLS"), "{}", cause(&fault));
        }
        Session::open(&with(&server, TlsMode::Disabled, None, None), "test").await?;
        Ok(())
    }

    async fn a_server_that_insists_on_tls_says_so(kind: Kind) -> Result<()> {
        let authority = Authority::new()?;
        let certificate = authority.issue(&["127.0.0.1"], Validity::Current)?;
        let tls = servers::Tls::Certificate(certificate);
        let extra_args = vec!["--require-secure-transport=ON".to_owned()];
        let server = Server::start(kind, ServerOptions { tls, extra_args, ..ServerOptions::default() }).await?;
        let fault = refused(&with(&server, TlsMode::Disabled, None, None)).await?;
        // MariaDB 10.11 has no code of its own for it.
        let told = fault.kind == FaultKind::Tls || (fault.kind == FaultKind::AccessDenied && kind == Kind::MariaDb);
        ensure!(told && (kind == Kind::MySql || cause(&fault).contains("has no TLS")), "{fault}: {}", cause(&fault));
        Ok(())
    }
}

#[tokio::test]
async fn a_ca_file_that_is_none_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let missing = folder.path().join("missing.pem");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "this is no certificate\n")?;
    let damaged = folder.path().join("damaged.pem");
    std::fs::write(&damaged, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n")?;
    let nonsense = folder.path().join("nonsense.pem");
    std::fs::write(&nonsense, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")?;
    for (path, words) in [(missing, "missing.pem"), (empty, "no PEM certificate"), (damaged, "damaged")] {
        let tls = Tls { mode: TlsMode::VerifyIdentity, ca_file: Some(path), server_name: None };
        let fault = refused(&Endpoint { tls, ..crate::faults::nowhere() }).await?;
        ensure!(fault.kind == FaultKind::Tls && cause(&fault).contains(words), "{}", cause(&fault));
    }
    Ok(())
}
