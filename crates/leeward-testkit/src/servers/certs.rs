//! A private certificate authority for TLS tests: certificates for chosen names and addresses,
//! current or expired. Keys made here protect nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A certificate authority that lives in memory.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
}

/// Whether a certificate is within its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Good until long after every test.
    Current,
    /// Over since the year 2001.
    Expired,
}

/// A server's certificate, its key, and the certificate of the authority that signed it, as PEM
/// text.
#[derive(Clone)]
pub struct ServerCertificate {
    authority_pem: String,
    certificate_pem: String,
    key_pem: String,
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ServerCertificate(..)")
    }
}

impl Authority {
    /// Makes a new authority with a key of its own.
    pub fn new() -> Result<Authority> {
        Authority::valid(Validity::Current)
    }

    /// Makes a new authority whose own certificate is within its time or not.
    pub fn valid(validity: Validity) -> Result<Authority> {
        let mut params = CertificateParams::default();
        limit(&mut params, validity);
        params.distinguished_name.push(DnType::CommonName, "leeward-testkit authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().context("make the authority's key")?;
        let certificate = params.self_signed(&key).context("sign the authority's certificate")?;
        Ok(Authority { certificate_pem: certificate.pem(), issuer: Issuer::new(params, key) })
    }

    /// Returns the authority's own certificate, for a client's CA file.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Signs a server certificate for the given DNS names and IP addresses.
    pub fn issue(&self, names: &[&str], validity: Validity) -> Result<ServerCertificate> {
        let names = names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let mut params = CertificateParams::new(names).context("read the certificate's names")?;
        params.distinguished_name.push(DnType::CommonName, "leeward-testkit server");
        limit(&mut params, validity);
        let key = KeyPair::generate().context("make the server's key")?;
        let certificate = params.signed_by(&key, &self.issuer).context("sign the server's certificate")?;
        Ok(ServerCertificate {
            authority_pem: self.certificate_pem.clone(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

fn limit(params: &mut CertificateParams, validity: Validity) {
    if validity == Validity::Expired {
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    }
}

impl ServerCertificate {
    /// Writes the three PEM files a server reads.
    pub(super) fn write_into(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let files = Files::within(folder);
        fs::write(files.authority, &self.authority_pem)?;
        fs::write(files.certificate, &self.certificate_pem)?;
        fs::write(files.key, &self.key_pem)?;
        Ok(())
    }
}

/// Where the PEM files of a server lie.
pub(super) struct Files {
    pub(super) authority: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Files {
    pub(super) fn within(folder: &Path) -> Files {
        Files {
            authority: folder.join("ca.pem"),
            certificate: folder.join("server-cert.pem"),
            key: folder.join("server-key.pem"),
        }
    }
}
