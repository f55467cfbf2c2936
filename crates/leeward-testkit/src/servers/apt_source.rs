//! Reads the machine's own package sources and derives from them an entry for another suite, so
//! that no host name has to be written anywhere. Pure text in, text out; runs nothing.

/// Debian's suite that carries MySQL; the stable suites have only MariaDB.
const SUITE_WITH_MYSQL: &str = "sid";

/// Derives a deb822 sources file for the suite that carries MySQL from the texts of the machine's
/// `.list` files and `.sources` files.
///
/// The entry to copy is the first enabled binary one whose address ends in `/debian`: others
/// (security, third parties) do not carry that suite. Returns `None` where there is no such entry,
/// as on a distribution that is not Debian.
pub(super) fn derive(one_line_texts: &[String], deb822_texts: &[String]) -> Option<String> {
    deb822_texts
        .iter()
        .find_map(|text| derive_from_deb822(text))
        .or_else(|| one_line_texts.iter().find_map(|text| derive_from_one_line(text)))
}

fn derive_from_deb822(text: &str) -> Option<String> {
    let mut stanza: Vec<(String, String)> = Vec::new();
    // The extra empty line closes the last stanza.
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            if let Some(entry) = entry_of_stanza(&stanza) {
                return Some(entry);
            }
            stanza.clear();
        } else if line.starts_with([' ', '\t']) {
            // A continuation; an embedded key (Signed-By) is many such lines.
            if let Some((_, value)) = stanza.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            stanza.push((name.to_ascii_lowercase(), value.trim().to_string()));
        }
    }
    None
}

fn entry_of_stanza(stanza: &[(String, String)]) -> Option<String> {
    let field = |name: &str| stanza.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if field("enabled").is_some_and(|value| value.eq_ignore_ascii_case("no")) {
        return None;
    }
    if !field("types")?.split_whitespace().any(|kind| kind == "deb") {
        return None;
    }
    let address = field("uris")?.split_whitespace().find(|address| is_debian_archive(address))?;
    Some(entry(address, field("signed-by")))
}

fn derive_from_one_line(text: &str) -> Option<String> {
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix("deb ") else { continue };
        let rest = rest.trim();
        let (options, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((options, rest)) => (options, rest.trim()),
            None => ("", rest),
        };
        let Some(address) = rest.split_whitespace().next().filter(|address| is_debian_archive(address)) else {
            continue;
        };
        let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
        return Some(entry(address, signed_by));
    }
    None
}

fn is_debian_archive(address: &str) -> bool {
    address.trim_end_matches('/').ends_with("/debian")
}

fn entry(address: &str, signed_by: Option<&str>) -> String {
    let mut text = format!("Types: deb\nURIs: {address}\nSuites: {SUITE_WITH_MYSQL}\nComponents: main\n");
    if let Some(signed_by) = signed_by {
        text.push_str(&format!("Signed-By: {signed_by}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        vec![text.to_string()]
    }

    #[test]
    fn a_deb822_entry_keeps_its_address_and_key() {
        let machine = "Types: deb\n# a comment\nURIs: http://mirror.invalid/debian-security\nSuites: x\n\n\
                       Types: deb deb-src\nURIs: http://mirror.invalid/debian/\nSuites: stable stable-updates\n\
                       Components: main\nSigned-By: /usr/share/keyrings/key.gpg\n";
        let derived = derive(&[], &texts(machine)).expect("an entry is derived");
        assert_eq!(
            derived,
            "Types: deb\nURIs: http://mirror.invalid/debian/\nSuites: sid\nComponents: main\n\
             Signed-By: /usr/share/keyrings/key.gpg\n"
        );
    }

    #[test]
    fn a_one_line_entry_keeps_its_address_and_key() {
        let machine = "# deb http://old.invalid/debian stable main\n\
                       deb-src http://mirror.invalid/debian stable main\n\
                       deb http://mirror.invalid/debian-security stable main\n\
                       deb [arch=amd64 signed-by=/k.gpg] http://mirror.invalid/debian stable main contrib\n";
        let derived = derive(&texts(machine), &[]).expect("an entry is derived");
        assert_eq!(
            derived,
            "Types: deb\nURIs: http://mirror.invalid/debian\nSuites: sid\nComponents: main\nSigned-By: /k.gpg\n"
        );
    }

    #[test]
    fn an_embedded_key_is_carried_over_whole() {
        let machine = "Types: deb\nURIs: http://mirror.invalid/debian\nSuites: stable\nComponents: main\n\
                       Signed-By:\n -----BEGIN-----\n .\n abc\n -----END-----\n";
        let derived = derive(&[], &texts(machine)).expect("an entry is derived");
        assert!(derived.ends_with("Signed-By: \n -----BEGIN-----\n .\n abc\n -----END-----\n"), "{derived}");
    }

    #[test]
    fn a_disabled_or_foreign_source_gives_nothing() {
        let disabled = "Types: deb\nEnabled: no\nURIs: http://mirror.invalid/debian\nSuites: stable\n";
        assert_eq!(derive(&[], &texts(disabled)), None);
        let foreign = "deb http://archive.invalid/ubuntu noble main\n";
        assert_eq!(derive(&texts(foreign), &[]), None);
        assert_eq!(derive(&[], &[]), None);
    }
}
