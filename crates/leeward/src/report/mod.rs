//! What a person or a program gets to see: text and JSON from the same values. Nothing here decides or connects.

pub mod accept;
pub mod fault;
pub mod file;
pub mod readiness;
pub mod status;
mod status_text;
pub mod sync;
pub mod text;
pub mod transfer;
pub mod verify;
pub mod words;

use anyhow::Context;
use serde::Serialize;

use crate::Failure;
use crate::config::{OutputForm, Talk};

/// Writes a result to stdout in the form that was asked for.
///
/// # Errors
/// When stdout cannot be written.
pub fn write(talk: Talk, report: &impl Serialize, as_text: impl FnOnce() -> String) -> Result<(), Failure> {
    let text = match talk.output {
        OutputForm::Text => as_text(),
        OutputForm::Json => serde_json::to_string_pretty(report).context("write the result as JSON")?,
    };
    Ok(text::print(&text).context("write the result to stdout")?)
}
