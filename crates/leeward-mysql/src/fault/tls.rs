//! Tells the failures of a TLS handshake apart: expired, unknown issuer, wrong name, and the rest.

use std::error::Error;
use std::io;

use mysql_async::TlsError;
use rustls::CertificateError;

/// Finds the TLS library's error inside of an I/O error.
pub(crate) fn inside(error: &io::Error) -> Option<&rustls::Error> {
    let mut next: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // An I/O error inside of another shows its inner error only through `get_ref`.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

/// Says what is wrong in the words of the person who runs the server.
pub(super) fn text(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate_text(error),
        rustls::Error::PeerIncompatible(why) => format!("the server's TLS is too old or too narrow: {why:?}"),
        rustls::Error::AlertReceived(alert) => format!("the server broke the TLS handshake off: {alert:?}"),
        other => format!("the TLS handshake failed: {other}"),
    }
}

/// Says what is wrong with the settings, before a byte was sent.
pub(super) fn setup_text(error: &TlsError) -> String {
    match error {
        TlsError::Tls(error) => text(error),
        TlsError::InvalidDnsName(_) => {
            "the host is neither a DNS name nor an IP address, so it cannot be verified".to_owned()
        }
        other => format!("the CA file cannot be used: {other}"),
    }
}

fn certificate_text(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; compare the clocks".to_owned()
        }
        // A foreign CA that has the same name as a trusted one shows as a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the server's certificate was not issued by a trusted CA; give the file with its CA".to_owned()
        }
        CertificateError::NotValidForName => "the server's certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = presented_names(presented);
            let names = if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") };
            format!("the server's certificate is for {names}, not for {}", expected.to_str())
        }
        other => format!("the server's certificate is refused: {other}"),
    }
}

/// Returns the names that the certificate carries when only its name was refused. The library checks the chain first:
/// a certificate that gets this far was issued by a trusted CA.
pub(crate) fn names_of_wrong_certificate(error: &mysql_async::Error) -> Option<Vec<String>> {
    let mysql_async::Error::Io(mysql_async::IoError::Io(error)) = error else { return None };
    match inside(error)? {
        rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }) => {
            Some(presented_names(presented))
        }
        _ => None,
    }
}

/// Takes the names out of the library's notation: `DnsName("db.example")`, `IpAddress(127.0.0.1)`.
fn presented_names(presented: &[String]) -> Vec<String> {
    let name = |text: &String| {
        let dns = text.strip_prefix("DnsName(\"").and_then(|rest| rest.strip_suffix("\")"));
        let address = || text.strip_prefix("IpAddress(").and_then(|rest| rest.strip_suffix(')'));
        dns.or_else(address).map(str::to_owned)
    };
    presented.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_at_any_depth() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let nested = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls.clone()));
        assert_eq!(inside(&nested), Some(&tls));
        assert_eq!(inside(&io::Error::other("plain")), None);
    }

    #[test]
    fn names_are_read_from_the_librarys_notation() {
        let presented = ["DnsName(\"*.db.example\")", "IpAddress(10.0.0.1)", "Unsupported(0x81)"].map(str::to_owned);
        assert_eq!(presented_names(&presented), ["*.db.example", "10.0.0.1"]);
    }

    #[test]
    fn three_ways_to_be_refused_read_differently() {
        let texts = [CertificateError::Expired, CertificateError::UnknownIssuer, CertificateError::NotValidForName]
            .map(|error| certificate_text(&error));
        assert!(texts[0].contains("expired") && texts[1].contains("CA") && texts[2].contains("name"), "{texts:?}");
    }
}
