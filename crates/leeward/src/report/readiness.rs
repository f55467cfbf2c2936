//! The readiness report in every form but text, made from one value: JSON for programs, JUnit for the gates of a CI, and one
//! HTML file for people, auditors among them. All of them are bytes here; where they go is others' business.

mod chart;
mod finding;
mod html;
mod junit;
#[cfg(test)]
mod tests;

use anyhow::Context;
use leeward_core::readiness::Readiness;
use sha2::{Digest, Sha256};

/// A report in all its forms.
pub struct Rendered {
    /// JSON after `docs/readiness.schema.json`, as `--output json` prints it, with the line end.
    pub json: Vec<u8>,
    /// One HTML file that refers to nothing outside of itself and holds the SHA-256 of the JSON.
    pub html: Vec<u8>,
    /// JUnit XML, a test case for each check.
    pub junit: Vec<u8>,
}

impl Rendered {
    /// Renders a report.
    ///
    /// # Errors
    /// When a form cannot be printed, which no report is known to bring about.
    pub fn of(readiness: &Readiness) -> anyhow::Result<Rendered> {
        let json = serde_json::to_string_pretty(readiness).context("print the report as JSON")? + "\n";
        let digest: String = Sha256::digest(json.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Rendered {
            html: html::page(readiness, &digest).context("print the report as HTML")?.into_bytes(),
            junit: junit::document(readiness).context("print the report as JUnit XML")?.into_bytes(),
            json: json.into_bytes(),
        })
    }
}
