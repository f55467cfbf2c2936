//! Keeps what a comparison found as a file, for a target on which nothing may be written. It names tables and nothing of
//! their rows.

use std::path::Path;

use anyhow::Context;
use leeward_core::name::Side;
use leeward_core::readiness::{PROOF_SCHEMA, Proof, ProofLine, ProofResult};
use leeward_engine::verify::{Outcome, VerifyReport};

use crate::commands::Desk;
use crate::report::file;
use crate::{Failure, wire};

/// Writes the file whole, or leaves what was there.
///
/// # Errors
/// When a server cannot be asked who it is, or the file not be written.
pub async fn save(desk: &Desk, path: &Path, found: &VerifyReport) -> Result<(), Failure> {
    let source = wire::identity(&wire::endpoint(&desk.settings, Side::Source).await?).await?;
    let target = wire::identity(&wire::endpoint(&desk.settings, Side::Target).await?).await?;
    let tables = found.tables.iter().map(|table| ProofLine {
        name: table.name.clone(),
        rows: table.rows,
        result: match &table.outcome {
            Outcome::Equal => ProofResult::Equal,
            Outcome::Different(_) | Outcome::DifferentCounts { .. } => ProofResult::Different,
            Outcome::Moving { .. } | Outcome::Unsettled { .. } => ProofResult::Unsettled,
            Outcome::Failed { .. } => ProofResult::NotCompared,
        },
    });
    let proof = Proof {
        evidence_schema: PROOF_SCHEMA,
        leeward: env!("CARGO_PKG_VERSION").to_owned(),
        source,
        target,
        source_at: found.source_at,
        tables: tables.collect(),
    };
    let mut text = serde_json::to_vec_pretty(&proof).context("print the evidence")?;
    text.push(b'\n');
    file::save(path, &text).with_context(|| format!("write the evidence to {}", path.display()))?;
    Ok(())
}
