//! Names for plans. A name is the SHA-256 of a canonical JSON form: the fields of a struct are written in their declared
//! order, and every list is sorted first. What tells one table's shape from another's is [`crate::fingerprint`].

use chrono::NaiveDate;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::class::{Class, Strategy};
use crate::name::TableName;
use crate::plan::{Fallback, FenceMode, LeftOutReason, Plan, PlannedTable, PolicyText, SoftDelete, Tombstones};
use crate::policy::{OnDdl, Settings};
use crate::server::Flavor;
use crate::survey::SchemaFacts;
use crate::table::Table;

/// What the engine obeys. Evidence is left out (time and identity of the survey, estimates, reasons, confidence), so a
/// second survey of an unchanged database leads to a plan of the same name.
#[derive(Serialize)]
struct Decisions<'a> {
    format: u32,
    flavor: Flavor,
    schemas: &'a [SchemaFacts],
    tables: Vec<Line<'a>>,
    left_out: Vec<(&'a TableName, &'a LeftOutReason)>,
    /// The window in seconds, or nothing where marks are proved.
    window_s: Option<u64>,
    settings: &'a Settings,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a PolicyText>,
}

#[derive(Serialize)]
struct Line<'a> {
    table: Table,
    class: Class,
    strategy: Strategy,
    mark_column: Option<&'a str>,
    overlap_s: u64,
    /// Left out where it is not said, so that the names of plans from before the key keep.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    may_be_empty: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<&'a Fallback>,
    #[serde(skip_serializing_if = "Option::is_none")]
    soft_delete: Option<&'a SoftDelete>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tombstones: Option<&'a Tombstones>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forgiven_until: Option<NaiveDate>,
    #[serde(skip_serializing_if = "OnDdl::is_report")]
    ddl: OnDdl,
}

impl Plan {
    /// Returns the SHA-256 (hex) of all that the engine obeys: the tables with their shapes, classes, strategies and
    /// marks, what is left out, how marks are made safe, and the settings. Evidence is not in it.
    pub fn computed_hash(&self) -> String {
        let mut tables: Vec<Line<'_>> = self.tables.iter().map(Line::of).collect();
        tables.sort_by(|a, b| a.table.name.cmp(&b.table.name));
        let mut left_out: Vec<(&TableName, &LeftOutReason)> =
            self.left_out.iter().map(|left| (&left.name, &left.reason)).collect();
        left_out.sort_by_key(|(name, _)| *name);
        let window_s = match self.fence {
            FenceMode::Proved => None,
            FenceMode::Window { overlap_s, .. } => Some(overlap_s),
        };
        hex_digest(&Decisions {
            format: self.format,
            flavor: self.flavor,
            schemas: &self.schemas,
            tables,
            left_out,
            window_s,
            settings: &self.settings,
            policy: self.policy.as_ref(),
        })
    }
}

impl<'a> Line<'a> {
    fn of(planned: &'a PlannedTable) -> Line<'a> {
        Line {
            table: canonical(&planned.table),
            class: planned.class,
            strategy: planned.strategy,
            mark_column: planned.mark_column.as_deref(),
            overlap_s: planned.overlap_s,
            may_be_empty: planned.may_be_empty,
            fallback: planned.fallback.as_deref(),
            soft_delete: planned.soft_delete.as_ref(),
            tombstones: planned.tombstones.as_ref(),
            forgiven_until: planned.forgiven_until,
            ddl: planned.ddl,
        }
    }
}

/// Returns a table with its keys in the order of their names: servers list them as they please.
fn canonical(table: &Table) -> Table {
    let mut table = table.clone();
    table.keys.sort_by(|a, b| a.name.cmp(&b.name));
    table.foreign_keys.sort_by(|a, b| a.name.cmp(&b.name));
    table
}

fn hex_digest(value: &impl Serialize) -> String {
    // Plain structs with text keys always have a JSON form.
    let json = serde_json::to_vec(value).expect("a plan has a JSON form");
    Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
}
