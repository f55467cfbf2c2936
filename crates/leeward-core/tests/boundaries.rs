//! Holds the fences between the crates: what `cargo metadata` says of their dependencies is what ARCHITECTURE.md says.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// What each crate may depend on inside the workspace, outside of tests.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("leeward-core", &[]),
    ("leeward-engine", &["leeward-core"]),
    ("leeward-mysql", &["leeward-core"]),
    ("leeward-aws", &["leeward-core"]),
    ("leeward-store", &["leeward-core"]),
    ("leeward-testkit", &[]),
    ("leeward-sim", &["leeward-core", "leeward-engine"]),
    ("leeward", &["leeward-core", "leeward-engine", "leeward-mysql", "leeward-aws", "leeward-store"]),
    ("leeward-torture", &["leeward-testkit"]),
    ("xtask", &["leeward-testkit", "leeward-torture"]),
];

/// Crates that only some may use: the driver and the SDK each behind one fence, and nothing that waits in the core.
const GUARDED: [(&str, &[&str]); 8] = [
    ("mysql_async", &["leeward-mysql", "leeward-testkit", "leeward-torture", "xtask"]),
    ("aws-config", &["leeward-aws"]),
    ("aws-credential-types", &["leeward-aws"]),
    ("aws-sdk-rds", &["leeward-aws"]),
    ("aws-sdk-s3", &["leeward-aws"]),
    ("aws-sdk-secretsmanager", &["leeward-aws"]),
    (
        "tokio",
        &[
            "leeward-engine",
            "leeward-mysql",
            "leeward-aws",
            "leeward-store",
            "leeward-testkit",
            "leeward-torture",
            "leeward",
            "xtask",
        ],
    ),
    ("clap", &["leeward", "xtask"]),
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("run cargo metadata");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("read cargo metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let read = |package: &serde_json::Value| {
        let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
        let normal = dependencies.filter(|dependency| dependency["kind"].is_null());
        let names = normal.filter_map(|dependency| dependency["name"].as_str().map(str::to_owned));
        (package["name"].as_str().expect("name").to_owned(), names.collect())
    };
    packages.iter().map(read).collect()
}

#[test]
fn crates_depend_on_each_other_as_the_architecture_says() {
    let dependencies = dependencies();
    let members: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(members, dependencies.keys().map(String::as_str).collect(), "a crate is missing from this test");
    for (name, allowed) in ALLOWED {
        let inside = dependencies[name].iter().filter(|dependency| members.contains(dependency.as_str()));
        let stray: Vec<&String> = inside.filter(|dependency| !allowed.contains(&dependency.as_str())).collect();
        assert!(stray.is_empty(), "{name} must not depend on {stray:?}");
    }
}

#[test]
fn drivers_and_sdks_stay_behind_their_fence() {
    for (name, dependencies) in dependencies() {
        for (guarded, may) in GUARDED {
            let strays = dependencies.contains(guarded) && !may.contains(&name.as_str());
            assert!(!strays, "{name} must not depend on {guarded}");
        }
    }
}
