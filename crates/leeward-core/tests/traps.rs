//! Holds `docs/traps.md` to the tests that it names, and the reasons that it gives to what they rest on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The traps that are known: T1 to this one.
const TRAPS: u32 = 44;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// A row of the page.
struct Row {
    /// Files and functions in the last cell.
    tests: Vec<(String, String)>,
    /// The last cell.
    held_by: String,
}

/// Reads the rows of the page's table: `| T1 | the trap | what is done | held by |`.
fn rows() -> BTreeMap<u32, Row> {
    let page = fs::read_to_string(root().join("docs/traps.md")).expect("docs/traps.md");
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| T")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, trap, done, held_by] = cells[..] else { panic!("not four cells: {line}") };
        assert!(!trap.is_empty() && !done.is_empty() && !held_by.is_empty(), "an empty cell: {line}");
        let number: u32 = number[1..].parse().expect("a trap's number");
        let quoted = held_by.split('`').skip(1).step_by(2);
        let tests = quoted.filter_map(|quoted| quoted.split_once("::"));
        let tests = tests.map(|(file, test)| (file.to_owned(), test.to_owned())).collect();
        assert!(rows.insert(number, Row { tests, held_by: held_by.to_owned() }).is_none(), "T{number} twice");
    }
    rows
}

/// Returns the traps that a test's name names: `…_t9_t14_to_t17` names T9 and T14 to T17.
fn named(test: &str) -> BTreeSet<u32> {
    let number = |word: &str| word.strip_prefix('t').and_then(|digits| digits.parse::<u32>().ok());
    let words: Vec<&str> = test.split('_').collect();
    let mut traps: BTreeSet<u32> = words.iter().filter_map(|word| number(word)).collect();
    for range in words.windows(3).filter(|range| range[1] == "to") {
        if let (Some(from), Some(to)) = (number(range[0]), number(range[2])) {
            traps.extend(from..=to);
        }
    }
    traps
}

/// Returns all files below a folder that hold Rust.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true if path.ends_with("target") => {}
            true => found.extend(sources(&path)),
            false => found.extend(path.extension().is_some_and(|extension| extension == "rs").then_some(path)),
        }
    }
    found
}

/// Returns the functions of a file.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    let name = |rest: &str| rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    text.split("fn ").skip(1).map(move |rest| &rest[..name(rest)])
}

#[test]
fn every_trap_is_listed_with_a_test_that_names_it_or_a_reason() {
    let rows = rows();
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), (1..=TRAPS).collect::<Vec<_>>());
    for (trap, row) in &rows {
        let holds = row.tests.iter().any(|(_, test)| named(test).contains(trap));
        assert!(holds || row.held_by.starts_with("cannot reach Leeward: "), "T{trap}: no test names it");
    }
}

#[test]
fn every_test_that_the_page_names_is_there() {
    for (trap, row) in rows() {
        for (file, test) in row.tests {
            let text =
                fs::read_to_string(root().join(&file)).unwrap_or_else(|_| panic!("T{trap}: {file} is not there"));
            assert!(functions(&text).any(|function| function == test), "T{trap}: {test} is not in {file}");
        }
    }
}

#[test]
fn every_test_that_names_a_trap_is_on_the_page() {
    let rows = rows();
    let root = root();
    for path in sources(&root.join("crates")).into_iter().chain(sources(&root.join("tests"))) {
        let text = fs::read_to_string(&path).expect("a source file");
        let file = path.strip_prefix(&root).expect("below the workspace").to_string_lossy().into_owned();
        for test in functions(&text) {
            for trap in named(test) {
                let row = rows.get(&trap).unwrap_or_else(|| panic!("{test} in {file} names a trap that is not known"));
                let listed = row.tests.iter().any(|(there, name)| (there, name.as_str()) == (&file, test));
                assert!(listed, "T{trap}: {file}::{test} is not listed");
            }
        }
    }
}

/// What Leeward is made of: its crates without those for tests and development.
fn product() -> Vec<PathBuf> {
    let crates = ["leeward", "leeward-aws", "leeward-core", "leeward-engine", "leeward-mysql"];
    crates.iter().flat_map(|name| sources(&root().join("crates").join(name).join("src"))).collect()
}

/// Fails if the product's text holds one of these words in any case, unless the line only speaks of it.
fn assert_never_said(words: &[&str]) {
    assert_never_said_but_in(&[], words);
}

/// The same, with files in which they may stand.
fn assert_never_said_but_in(allowed: &[&str], words: &[&str]) {
    for path in product().into_iter().filter(|path| !allowed.iter().any(|allowed| path.ends_with(allowed))) {
        let text = fs::read_to_string(&path).expect("a source file").to_lowercase();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let said = words.iter().find(|word| line.contains(**word));
            assert!(said.is_none(), "{} says {said:?}: {line}", path.display());
        }
    }
}

/// The driver's part that reads a binlog is not even compiled in. Where the servers replicate by themselves the end of the
/// source's log is read and handed to the replica's own wait (ADR 0040): a position that comes before its commit makes that
/// wait longer, and nothing is read by it. No cycle knows of it.
#[test]
fn no_binlog_and_no_position_of_one_is_read_t1_t44() {
    assert_never_said_but_in(&["leeward-mysql/src/replication.rs"], &["show binary log", "show master"]);
    let who_may_ask = [
        "leeward-core/src/port/replication.rs",
        "leeward-engine/src/verify/follow.rs",
        "leeward/src/commands/beside.rs",
        "leeward/src/wire.rs",
    ];
    assert_never_said_but_in(&who_may_ask, &["dyn binarylog", "trait binarylog"]);
    assert_never_said(&[
        "show binlog",
        "gtid_executed",
        "gtid_binlog_pos",
        "gtid_current_pos",
        "binlog_stream",
        "binlogstream",
        "com_binlog",
    ]);
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let driver = manifest.lines().find(|line| line.starts_with("mysql_async")).expect("the driver");
    assert!(driver.contains("default-features = false") && !driver.contains("\"binlog\""), "{driver}");
    assert!(!driver.contains("\"default\""), "{driver}");
}

/// CHECKSUM TABLE is wrong for JSON on some servers, and MD5 and SHA1 are gone from others.
#[test]
fn no_other_checksum_than_sha2_and_crc32_is_asked_for_t20_t38() {
    assert_never_said(&["checksum table", "md5(", "sha1(", "sha("]);
}

/// The default differs from server to server.
#[test]
fn an_optimizer_is_asked_for_its_plan_by_the_name_of_the_format_t40() {
    assert_never_said(&["describe select", "analyze format"]);
    let text: String = product().iter().map(|path| fs::read_to_string(path).expect("a source file")).collect();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let asked: Vec<&str> = code.filter(|line| line.contains("EXPLAIN ")).collect();
    assert!(!asked.is_empty() && asked.iter().all(|line| line.contains("EXPLAIN FORMAT=TRADITIONAL ")), "{asked:?}");
}
