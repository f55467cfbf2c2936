//! Runs one test on every family of server, and says loudly where a family could not be had: a
//! test that did not run must never look like one that passed.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Kind, Programs};

/// Lists the families to test, comma-separated; set by `cargo x test`. Without it MariaDB is always
/// tested and MySQL wherever it can be had.
pub const KINDS_VARIABLE: &str = "LEEWARD_TEST_KINDS";

/// Names a file that gets one line per skipped test; set by `cargo x test`, which counts them,
/// because Rust's test harness knows no test that skips itself.
pub const SKIPS_VARIABLE: &str = "LEEWARD_TEST_SKIPS_FILE";

/// How long one test may take before it counts as hung.
const TEST_MAX: Duration = Duration::from_secs(300);

/// Tells whether a family is under test; the error is the reason why it is not.
///
/// A family that was asked for is under test whatever happens: its tests fail where its server
/// cannot be had.
pub fn under_test(kind: Kind) -> Result<(), String> {
    match env::var(KINDS_VARIABLE) {
        Ok(text) => match parse_kinds(&text) {
            Ok(chosen) if !chosen.contains(&kind) => Err(format!("{KINDS_VARIABLE} leaves it out")),
            // A misspelt list must not skip everything.
            Ok(_) | Err(_) => Ok(()),
        },
        Err(_) if kind == Kind::MariaDb => Ok(()),
        Err(_) => Programs::prepare(kind).map(|_| ()).map_err(|error| format!("{error:#}")),
    }
}

fn parse_kinds(text: &str) -> Result<Vec<Kind>> {
    text.split(',').map(str::parse).collect()
}

/// Runs a test on one family, or records that it was skipped. Called by [`crate::each_kind`].
pub fn run_on<F>(kind: Kind, name: &str, test: impl FnOnce(Kind) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    if let Err(reason) = under_test(kind) {
        return skip(name, kind, &reason);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start a runtime for the test")?;
    let outcome = runtime.block_on(async { tokio::time::timeout(TEST_MAX, test(kind)).await });
    // A test that hung may have left a blocking call behind, which must not hang the harness.
    runtime.shutdown_background();
    match outcome {
        Ok(result) => result,
        Err(_) => bail!("{name} on {kind}: still running after {} s", TEST_MAX.as_secs()),
    }
}

/// Records that a test, or the rest of it, did not run: on stderr, and for `cargo x test` to count.
/// A test calls it before it returns early for want of something that the machine lacks.
pub fn skip(name: &str, kind: Kind, reason: &str) -> Result<()> {
    eprintln!("SKIPPED {name} on {kind}: {reason}");
    let Ok(path) = env::var(SKIPS_VARIABLE) else { return Ok(()) };
    let mut file =
        OpenOptions::new().create(true).append(true).open(&path).context("open the list of skipped tests")?;
    let reason = reason.replace('\n', " ");
    // One write, so that lines of tests that run at once do not mix.
    file.write_all(format!("{name}\t{kind}\t{reason}\n").as_bytes()).context("record a skipped test")
}

/// Makes two tests, `name::mariadb` and `name::mysql`, of each function:
///
/// ```text
/// leeward_testkit::each_kind! {
///     /// What the test holds.
///     async fn a_seed_resumes_after_a_kill(kind: Kind) -> anyhow::Result<()> { ... }
/// }
/// ```
#[macro_export]
macro_rules! each_kind {
    ($($(#[$meta:meta])* async fn $name:ident($kind:ident: Kind) -> $output:ty $body:block)+) => {$(
        $(#[$meta])*
        async fn $name($kind: $crate::servers::Kind) -> $output $body

        mod $name {
            #[test]
            fn mariadb() -> $crate::Outcome {
                $crate::servers::run_on($crate::servers::Kind::MariaDb, module_path!(), super::$name)
            }

            #[test]
            fn mysql() -> $crate::Outcome {
                $crate::servers::run_on($crate::servers::Kind::MySql, module_path!(), super::$name)
            }
        }
    )+};
}
