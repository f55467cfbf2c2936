//! The tables of the model and their plan.

use std::cell::RefCell;

use leeward_core::brake::Brake;
use leeward_core::class::{Class, Confidence, Strategy};
use leeward_core::name::TableName;
use leeward_core::plan::{FenceMode, PLAN_FORMAT, Plan, PlannedTable};
use leeward_core::policy::{OnContradiction, Settings};
use leeward_core::server::{Flavor, Version};
use leeward_core::survey::SchemaFacts;
use leeward_core::table::{Column, Key, KeyPart, Nullability, Table};
use serde_json::json;

use crate::row::{Micros, SECOND};

/// The lane.
pub(crate) const LANE: &str = "main";

/// How a table of the model is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By its AUTO_INCREMENT id.
    Append,
    /// By a clock with microseconds.
    Merge,
    /// By a clock of whole seconds.
    MergeSeconds,
    /// Not at all: it does not change.
    Watch,
    /// By comparing alone.
    Reconcile,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Kind; 5] = [Kind::Append, Kind::Merge, Kind::MergeSeconds, Kind::Watch, Kind::Reconcile];

    /// Returns the table's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Append => "append",
            Kind::Merge => "merge",
            Kind::MergeSeconds => "merge_seconds",
            Kind::Watch => "watch",
            Kind::Reconcile => "reconcile",
        }
    }

    /// Returns the kind of a planned table.
    pub(crate) fn of(table: &PlannedTable) -> Kind {
        let named = Kind::ALL.into_iter().find(|kind| kind.name() == table.name().table);
        named.expect("a table of the model")
    }

    /// Returns what a column of this table keeps of a time.
    pub(crate) fn stamp(self, now: Micros) -> Micros {
        match self {
            Kind::MergeSeconds => now / SECOND * SECOND,
            _ => now,
        }
    }

    /// Returns whether its clock shows its changes.
    pub(crate) fn is_merge(self) -> bool {
        matches!(self, Kind::Merge | Kind::MergeSeconds)
    }
}

/// What varies between the plans of two schedules.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// The tables.
    pub kinds: Vec<Kind>,
    /// How marks are made safe.
    pub fence: FenceMode,
    /// Rows of one table that one cycle reads.
    pub batch_rows_max: u64,
    /// Rows of one table that one pass may delete or overwrite.
    pub brake_rows: u64,
    /// Seconds between two passes over a table.
    pub pass_interval_s: u64,
    /// Seconds between two counts of a table's keys.
    pub keys_interval_s: u64,
}

/// Makes a plan.
pub(crate) fn plan(terms: &Terms) -> Plan {
    thread_local! {
        // Making it anew, with the default policy, takes longer than a whole schedule.
        static WHOLE: RefCell<Option<Plan>> = const { RefCell::new(None) };
    }
    let whole = WHOLE.with_borrow_mut(|plan| plan.get_or_insert_with(whole).clone());
    let tables = whole.tables.into_iter().filter(|table| terms.kinds.contains(&Kind::of(table))).collect();
    let mut plan = Plan { tables, fence: terms.fence.clone(), ..whole };
    let settings = &mut plan.settings;
    settings.batch.rows_max = terms.batch_rows_max;
    settings.brake = Brake { rows_max: terms.brake_rows, share_max: 0.0 };
    settings.scrub.pass_interval_s = terms.pass_interval_s;
    settings.scrub.reconcile_interval_s = 0;
    settings.scrub.keys_interval_s = terms.keys_interval_s;
    plan
}

/// Returns the plan of all tables. It is read from its stored form, so that fields that older plans lack need not be known
/// here.
fn whole() -> Plan {
    let settings = Settings { lane: LANE.into(), on_contradiction: OnContradiction::Repair, ..Settings::default() };
    let plan = json!({
        "format": PLAN_FORMAT,
        "hash": "simulated",
        "surveyed_at": crate::row::time(0),
        "flavor": Flavor::MariaDb,
        "version": Version(10, 11, 0),
        "source_identity": "simulated",
        "schemas": [SchemaFacts { name: "sim".into(), collation: "utf8mb4_bin".into() }],
        "tables": Kind::ALL.map(planned),
        "left_out": [],
        "fence": FenceMode::Proved,
        "settings": settings,
        "warnings": [],
    });
    serde_json::from_value(plan).expect("a plan in its stored form")
}

fn planned(kind: Kind) -> serde_json::Value {
    let (class, strategy, mark_column) = match kind {
        Kind::Append => (Class::InsertOnly, Strategy::Append, Some("id")),
        Kind::Merge | Kind::MergeSeconds => (Class::UpdDel, Strategy::Merge, Some("updated_at")),
        Kind::Watch => (Class::Static, Strategy::Watch, None),
        Kind::Reconcile => (Class::UpdDel, Strategy::Reconcile, None),
    };
    json!({
        "table": table(kind),
        "class": class,
        "strategy": strategy,
        "mark_column": mark_column,
        "confidence": Confidence::High,
        "reasons": [],
        "advice": [],
        "rows_estimate": 10,
        "data_bytes": 400,
    })
}

fn table(kind: Kind) -> Table {
    let fsp = if kind == Kind::MergeSeconds { 0 } else { 6 };
    let column = |name: &str, data_type: &str, nullable| Column {
        name: name.into(),
        data_type: data_type.into(),
        column_type: data_type.into(),
        charset: None,
        collation: None,
        nullable,
        default: None,
        fsp: if name == "updated_at" { fsp } else { 0 },
        auto_increment: name == "id",
        on_update_now: name == "updated_at",
        generated: None,
        invisible: false,
    };
    let key = |name: &str, column: &str, unique| Key {
        name: name.into(),
        unique,
        method: "BTREE".into(),
        parts: vec![KeyPart { column: Some(column.into()), prefix_chars: None }],
    };
    Table {
        name: TableName::new("sim", kind.name()),
        engine: "InnoDB".into(),
        collation: "utf8mb4_bin".into(),
        columns: vec![
            column("id", "bigint", Nullability::NotNull),
            column("u", "int", Nullability::Nullable),
            column("payload", "bigint", Nullability::NotNull),
            column("updated_at", "datetime", Nullability::NotNull),
        ],
        keys: vec![key("PRIMARY", "id", true), key("u", "u", true), key("updated_at", "updated_at", false)],
        foreign_keys: Vec::new(),
        partitioned: false,
    }
}
