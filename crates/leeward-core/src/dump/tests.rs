use super::*;
use crate::class::{Class, Strategy};
use crate::plan::{FenceMode, PLAN_FORMAT, PlannedTable};
use crate::policy::Policy;
use crate::server::{Flavor, Version};
use crate::survey::SchemaFacts;
use crate::table::{Column, Table};

fn noon() -> NaiveDateTime {
    chrono::NaiveDate::from_ymd_opt(2026, 11, 28).unwrap().and_hms_opt(12, 0, 0).unwrap()
}

fn planned(name: &str) -> PlannedTable {
    let table = Table {
        name: TableName::new("shop", name),
        engine: "InnoDB".into(),
        collation: "utf8mb4_bin".into(),
        columns: vec![Column::plain("id", "int"), Column::plain("note", "int")],
        keys: Vec::new(),
        foreign_keys: Vec::new(),
        partitioned: false,
    };
    PlannedTable::plain(table, Class::UpdDel, Strategy::Reconcile)
}

fn chunk(seq: u32, after: Option<&str>, upto: Option<&str>) -> DumpedChunk {
    let border = |key: Option<&str>| key.map(|key| vec![key.to_owned()]);
    DumpedChunk {
        seq,
        object: format!("chunks/x/{seq}.zst"),
        sha256: "ab".repeat(32),
        stored_bytes: 10,
        rows: 2,
        bytes: 30,
        after: border(after),
        upto: border(upto),
    }
}

fn manifest() -> Manifest {
    let tables = vec![planned("customers"), planned("orders")];
    let dumped = |planned: &PlannedTable| {
        let chunks = vec![chunk(1, Some("07"), None), chunk(0, None, Some("07"))];
        DumpedTable::of(planned, "CREATE TABLE".into(), chunks).unwrap()
    };
    let plan = Plan {
        format: PLAN_FORMAT,
        hash: String::new(),
        surveyed_at: noon(),
        flavor: Flavor::MariaDb,
        version: Version(10, 11, 0),
        source_identity: "one".into(),
        schemas: vec![SchemaFacts { name: "shop".into(), collation: "utf8mb4_bin".into() }],
        tables,
        left_out: Vec::new(),
        fence: FenceMode::Proved,
        settings: Policy::builtin().settings().clone(),
        warnings: Vec::new(),
        policy: None,
    };
    Manifest {
        format: DUMP_FORMAT,
        hash: String::new(),
        id: DumpId::new(noon(), "host/1"),
        kind: DumpKind::Dump,
        leeward: "0.1.0".into(),
        server: "10.11.0-MariaDB".into(),
        moment: Moment::One { at: noon(), by: MomentBy::OneView, readers: 1 },
        ended_at: noon(),
        tables: plan.tables.iter().map(dumped).collect(),
        plan,
        objects: Vec::new(),
    }
    .sealed()
}

#[test]
fn ids_sort_by_time_and_tell_processes_apart() {
    let id = DumpId::new(noon(), "host/1");
    assert_eq!(id.as_str().parse::<DumpId>(), Ok(id.clone()));
    assert!(id.as_str().starts_with("20261128T120000.000Z-"), "{id}");
    assert_eq!(id.began_at(), noon());
    assert_ne!(id, DumpId::new(noon(), "host/2"));
    for bad in [
        "",
        "20261128T120000.000Z",
        "20261128T120000.000Z-",
        "20261128T120000.000Z-../x",
        "2026-11-28-0a1b2c3d",
        "x-0a1b2c3d",
    ] {
        assert!(bad.parse::<DumpId>().is_err(), "{bad}");
    }
    assert_eq!(names::id_in(&names::manifest(&id).unwrap()), Some(id.clone()));
    assert_eq!(names::id_in(&names::begun(&id).unwrap()), Some(id));
}

#[test]
fn objects_of_any_table_have_names_that_differ() {
    let id = DumpId::new(noon(), "host/1");
    let long = "ü".repeat(64);
    let name = |number, table: &str| names::chunk(&id, (number, &TableName::new("a/b", table)), 3, "x1").unwrap();
    assert_ne!(name(0, "é"), name(1, "è"));
    assert!(name(0, &long).as_str().starts_with(names::chunks(&id).unwrap().as_str()));
    assert_eq!(name(7, "orders").as_str(), format!("chunks/{id}/00007-a_b.orders/000003-x1.zst"));
}

#[test]
fn a_manifest_says_of_itself_whether_it_is_whole() {
    let whole = manifest();
    assert_eq!(whole.check(), Ok(()));
    let text = serde_json::to_string(&whole).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), whole);
    assert_eq!(whole.totals(), (8, 120, 40));
    let spoilt = |spoil: fn(&mut Manifest)| {
        let mut spoilt = manifest();
        spoil(&mut spoilt);
        spoilt.sealed().check().unwrap_err()
    };
    let changed = Manifest { server: "other".into(), ..manifest() };
    assert!(changed.check().unwrap_err().contains("changed"));
    assert!(spoilt(|spoilt| drop(spoilt.tables.pop())).contains("tables"));
    assert!(spoilt(|spoilt| drop(spoilt.tables[0].chunks.pop())).contains("to its end"));
    assert!(spoilt(|spoilt| spoilt.tables[0].chunks.clear()).contains("no chunk"));
    assert!(spoilt(|spoilt| spoilt.tables[0].chunks[1].after = Some(vec!["08".into()])).contains("gap"));
    assert!(spoilt(|spoilt| spoilt.tables[0].rows += 1).contains("sums"));
    assert!(spoilt(|spoilt| spoilt.tables[0].chunks[0].object = "../x".into()).contains("cannot be read"));
}

#[test]
fn one_table_is_taken_out_under_another_name() {
    let other = TableName::new("attic", "orders_restored");
    let one = manifest().only(&TableName::new("shop", "orders"), &other).unwrap();
    assert_eq!(one.check(), Ok(()));
    assert_eq!((one.tables.len(), one.plan.tables.len()), (1, 1));
    assert_eq!(one.plan.schemas[0].name, "attic");
    assert_eq!(one.tables[0].chunks, manifest().tables[1].chunks);
    assert!(manifest().only(&TableName::new("shop", "nothing"), &other).is_none());
}
