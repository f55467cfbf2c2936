//! The file with the CAs that may sign a server's certificate: read, looked into, and suspected when nothing fits.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use leeward_core::name::Side;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::fault::Cause;

/// Where RDS keeps the current file. It gets new CAs years before old ones expire.
const RDS_BUNDLE: &str = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem";

/// Reads the file and looks into it, since the driver would take any other file for a certificate.
pub(super) async fn read(path: &Path, side: Side) -> Result<Vec<u8>, Cause> {
    let shown = path.display();
    let bytes = tokio::fs::read(path)
        .await
        .map_err(|error| Cause(format!("read the CA file {shown}: {error}; give its path with --{side}-ca-file")))?;
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        certificate.map_err(|error| Cause(format!("read the CA file {shown}: it is damaged ({error})")))?;
        found += 1;
    }
    if found == 0 {
        return Err(Cause(format!(
            "read the CA file {shown}: it holds no PEM certificate (-----BEGIN CERTIFICATE-----)"
        )));
    }
    Ok(bytes)
}

/// Says so when every CA in a file has expired. The TLS library does not ask for it, so this is no reason by itself.
pub(super) async fn all_expired(path: &Path) -> Option<String> {
    let bytes = tokio::fs::read(path).await.ok()?;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let mut last = None;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.ok()?;
        let (_, certificate) = X509Certificate::from_der(&certificate).ok()?;
        let end = certificate.validity().not_after;
        if u64::try_from(end.timestamp()).is_ok_and(|end_s| end_s >= now_s) {
            return None;
        }
        last = last.max(Some(end));
    }
    let last = last?.to_datetime().date();
    let shown = path.display();
    Some(format!("every CA in {shown} has expired, the last one on {last}: get the current file, for RDS {RDS_BUNDLE}"))
}
