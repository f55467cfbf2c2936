//! The short way to name a server: `mysql://user:password@host:port/database?tls=verify-identity&ca=FILE`.
//!
//! What goes wrong is said in words only. No message quotes the URL or any part of it that could belong to a password
//! whose special characters were not encoded.

use leeward_core::secret::Secret;
use url::{ParseError, Url};

use super::key::SideKey;

/// What a URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlParts {
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Port, if one was written.
    pub port: Option<u16>,
    /// User, if one was written.
    pub user: Option<String>,
    /// Password, if one was written; an empty one counts.
    pub password: Option<Secret>,
    /// The database in the path, if one was written.
    pub database: Option<String>,
    /// Everything behind the question mark.
    pub options: Vec<(SideKey, String)>,
}

/// Keys that may stand behind the question mark. A password source is not among them: a URL has its own place for one.
const OPTIONS: [(&str, SideKey); 7] = [
    ("tls", SideKey::Tls),
    ("ca", SideKey::CaFile),
    ("ca_file", SideKey::CaFile),
    ("server_name", SideKey::ServerName),
    ("connect_timeout", SideKey::ConnectTimeout),
    ("read_timeout", SideKey::ReadTimeout),
    ("compression", SideKey::Compression),
];

const FORM: &str = "write mysql://user:password@host:port/";
const ENCODE: &str = "in a user or password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25";

/// Reads a URL.
///
/// # Errors
/// Every mistake in it, as sentences that never quote it.
pub fn parse(text: &str) -> Result<UrlParts, Vec<String>> {
    // The parser drops control characters silently, and a password without them is another password.
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(vec![format!("there is a control character in the URL; {ENCODE}")]);
    }
    // Parsers differ in what they make of an "@" behind the host, and it nearly always is the end of a password.
    let behind_scheme = text.split_once("://").map_or("", |(_, rest)| rest);
    let authority_end = behind_scheme.find(['/', '?', '#']).unwrap_or(behind_scheme.len());
    if behind_scheme[authority_end..].contains('@') {
        return Err(vec![format!("an @ stands behind the host; {ENCODE}")]);
    }
    if behind_scheme[..authority_end].matches('@').count() > 1 {
        return Err(vec![format!("there is more than one @ before the host; {ENCODE}")]);
    }
    let url = Url::parse(text).map_err(|error| vec![why(error)])?;
    let mut mistakes = Vec::new();
    if !matches!(url.scheme(), "mysql" | "mariadb") {
        mistakes.push(format!("the URL must begin with mysql:// or mariadb://; {FORM}"));
    }
    if url.fragment().is_some() {
        mistakes.push(format!("a # ends the URL; {ENCODE}"));
    }
    let parts = UrlParts {
        host: host(&url, &mut mistakes),
        port: url.port(),
        user: Some(decode(url.username(), "user", &mut mistakes)).filter(|user| !user.is_empty()),
        password: url.password().map(|password| Secret::new(decode(password, "password", &mut mistakes))),
        database: database(&url, &mut mistakes),
        options: options(&url, &mut mistakes),
    };
    if parts.port == Some(0) {
        mistakes.push("the port is 0; write 1 to 65535".to_owned());
    }
    if mistakes.is_empty() { Ok(parts) } else { Err(mistakes) }
}

fn why(error: ParseError) -> String {
    match error {
        ParseError::InvalidPort => format!("the port is not a number from 1 to 65535; {ENCODE}"),
        ParseError::EmptyHost => format!("the host is missing; {FORM}"),
        ParseError::RelativeUrlWithoutBase => format!("this is not a URL; {FORM}"),
        ParseError::InvalidIpv4Address | ParseError::InvalidIpv6Address | ParseError::InvalidDomainCharacter => {
            format!("the host cannot be read; {FORM}, an IPv6 address in brackets; {ENCODE}")
        }
        _ => format!("the URL cannot be read; {FORM}; {ENCODE}"),
    }
}

fn host(url: &Url, mistakes: &mut Vec<String>) -> String {
    let host = url.host_str().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if bare.is_empty() {
        mistakes.push(format!("the host is missing; {FORM}"));
    } else if !is_host(bare) {
        mistakes.push(format!("the host holds a character that no host name has; {ENCODE}"));
    }
    bare.to_owned()
}

/// Returns whether this can be a host name or address.
pub fn is_host(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_name = !text.is_empty() && text.chars().all(allowed);
    is_name || text.parse::<std::net::Ipv6Addr>().is_ok()
}

fn database(url: &Url, mistakes: &mut Vec<String>) -> Option<String> {
    let path = url.path().strip_prefix('/').unwrap_or(url.path());
    if path.is_empty() {
        return None;
    }
    if path.contains('/') {
        mistakes.push("the path holds more than one name; write one database there, or none".to_owned());
        return None;
    }
    Some(decode(path, "database", mistakes))
}

fn options(url: &Url, mistakes: &mut Vec<String>) -> Vec<(SideKey, String)> {
    let mut found: Vec<(SideKey, String)> = Vec::new();
    for pair in url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let spelled = name.replace('-', "_");
        let Some((_, key)) = OPTIONS.iter().find(|(option, _)| *option == spelled) else {
            let is_word = name.len() <= 20 && name.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '-' | '_'));
            let what = if is_word { format!("the option {name}") } else { "an option".to_owned() };
            mistakes.push(format!(
                "{what} behind the ? is unknown; known are tls, ca, server_name, connect_timeout, read_timeout and \
                 compression"
            ));
            continue;
        };
        if found.iter().any(|(known, _)| known == key) {
            mistakes.push(format!("the option {spelled} is written twice"));
        }
        found.push((*key, decode(value, "option", mistakes)));
    }
    found
}

/// Undoes percent-encoding, strictly: what a lone % meant cannot be known.
fn decode(text: &str, what: &str, mistakes: &mut Vec<String>) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = behind;
            continue;
        }
        let digits = behind.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let Some(byte) = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
        else {
            mistakes.push(format!("a % in the {what} is not followed by two hexadecimal digits; write it as %25"));
            return String::new();
        };
        bytes.push(byte);
        rest = &behind[2..];
    }
    String::from_utf8(bytes).unwrap_or_else(|_| {
        mistakes.push(format!("the {what} is not UTF-8 once its %-codes are undone"));
        String::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_url_is_read() {
        let parts =
            parse("mysql://app:p@db.example.com:3307/shop?tls=verify-ca&ca=/etc/ca.pem&read-timeout=9s").unwrap();
        assert_eq!((parts.host.as_str(), parts.port), ("db.example.com", Some(3307)));
        assert_eq!((parts.user.as_deref(), parts.database.as_deref()), (Some("app"), Some("shop")));
        let options = [("verify-ca", SideKey::Tls), ("/etc/ca.pem", SideKey::CaFile), ("9s", SideKey::ReadTimeout)];
        assert_eq!(parts.options, options.map(|(value, key)| (key, value.to_owned())));
        let bare = parse("mariadb://[::1]").unwrap();
        assert_eq!((bare.host.as_str(), bare.port, bare.user, bare.password), ("::1", None, None, None));
    }

    #[test]
    fn special_characters_of_a_password_arrive_as_they_were_meant() {
        for (written, meant) in [
            ("p%40ss", "p@ss"),
            ("a%3Ab%2Fc%3Fd%23e%25f", "a:b/c?d#e%f"),
            ("%20%22%27%5C", " \"'\\"),
            ("gr%C3%BC%C3%9Fe", "grüße"),
            ("grüße", "grüße"),
            ("a:b", "a:b"),
            ("a+b&c=d", "a+b&c=d"),
            ("", ""),
        ] {
            let parts = parse(&format!("mysql://u:{written}@h/")).unwrap();
            assert_eq!(parts.password.as_ref().map(Secret::expose), (!meant.is_empty()).then_some(meant), "{written}");
            assert!(meant.is_empty() || !format!("{parts:?}").contains(meant));
        }
    }

    #[test]
    fn no_mistake_quotes_the_url() {
        for text in [
            "mysql://u:hunter2/x@h",
            "mysql://u:hunter2?x@h",
            "mysql://u:hunter2#x@h",
            "mysql://u:hunter2@x@h",
            "mysql://u:hunter2%@h",
            "mysql://u:%zzhunter2@h",
            "mysql://u:%ffhunter2@h",
            "mysql://u:hunter2@h:port",
            "mysql://u:hunter2@h:0",
            "mysql://u:hunter2@",
            "mysql://u:hunter2@/db",
            "mysql://u:hunter2@h/a/b",
            "mysql://u:hunter2@h/?hunter2=1",
            "mysql://u:hunter2@h/?tls=a&tls=b",
            "mysql://u:hunter2@h/#x",
            "mysql://u:hunter2@h h/",
            "mysql://u:hunter2@[::1/",
            "postgres://u:hunter2@h",
            "u:hunter2@h",
            "hunter2",
            "mysql:hunter2",
            "mysql://u:hunter2\t@h",
            "",
        ] {
            let mistakes = parse(text).expect_err(text).join("\n");
            assert!(!mistakes.contains("hunter2"), "{text}: {mistakes}");
            assert!(!mistakes.is_empty());
        }
    }

    #[test]
    fn an_unknown_option_is_named() {
        let mistakes = parse("mysql://u:p@h/?ssl=1&timeout=5").unwrap_err();
        assert_eq!(mistakes.len(), 2);
        assert!(mistakes[0].contains("option ssl") && mistakes[1].contains("option timeout"), "{mistakes:?}");
    }
}
