//! How a table changes, and how it is kept in step.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a table changes on the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Rows do not change.
    Static,
    /// Rows are only added.
    InsertOnly,
    /// Rows are added, changed and deleted.
    UpdDel,
}

/// How a table is kept in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// No delta; only the scrub looks.
    Watch,
    /// Rows past the settled AUTO_INCREMENT id.
    Append,
    /// Rows at or past the settled clock value.
    Merge,
    /// No usable clock: the whole table is compared, pass after pass.
    Reconcile,
}

/// How sure the plan is that the strategy's delta sees every new row without the scrub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Nothing but the scrub can be relied on.
    Low,
    /// Likely, with a weakness that the reasons name.
    Medium,
    /// The server itself keeps the mark column.
    High,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Class::Static => "static",
            Class::InsertOnly => "insert_only",
            Class::UpdDel => "upd_del",
        })
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Strategy::Watch => "watch",
            Strategy::Append => "append",
            Strategy::Merge => "merge",
            Strategy::Reconcile => "reconcile",
        })
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        })
    }
}
