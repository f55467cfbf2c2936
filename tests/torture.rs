//! The short form of `cargo x torture`: each kind of fault once under hostile traffic, every commit judged.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use leeward_testkit::each_kind;
use leeward_torture::{Echo, Form, Options};

/// How long faults come at most. On an idle machine each kind of fault has come once before.
const LENGTH: Duration = Duration::from_secs(100);

each_kind! {
    /// Which fault follows which is drawn from a fixed seed; what a failure leaves behind is named in its message.
    async fn a_short_torture_breaks_no_commit_and_ends_equal(kind: Kind) -> Result<()> {
        let options = Options {
            kind,
            seed: 1917,
            length: LENGTH,
            form: Form::Short,
            binary: PathBuf::from(env!("CARGO_BIN_EXE_leeward")),
            logs: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("torture-{}", kind.slug())),
            echo: Echo::On,
        };
        let report = leeward_torture::run(&options).await?;
        assert!(report.is_good(), "{report}");
        assert!(report.fault_count() >= 5 && report.commits.live >= 10, "{report}");
        println!("{report}");
        Ok(())
    }
}
