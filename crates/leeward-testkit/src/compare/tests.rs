//! Tests of the comparison with differences planted on real servers.

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use super::rows::compare_rows;
use super::table::Table;
use super::{Presence, Report, RowsRead, SchemaCheck, SchemaState, Scope, Snapshot, TableReport, servers, snapshots};
use crate::sample::load_harbor_as;
use crate::servers::{Kind, Pair, Server, pair};

fn of_server(server: &Server) -> Result<Opts> {
    Opts::from_url(&server.admin_url()).context("read the server's URL")
}

/// Loads harbor on both sides under `database`; returns a connection to the target.
async fn harbor_on_both(pair: &Pair, database: &str) -> Result<Conn> {
    let mut source = pair.source.connect().await?;
    let mut target = pair.target.connect().await?;
    tokio::try_join!(load_harbor_as(&mut source, database), load_harbor_as(&mut target, database))?;
    source.disconnect().await?;
    // The tests plant what a strict server would refuse.
    target.query_drop("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'").await?;
    Ok(target)
}

async fn compared(pair: &Pair, database: &str) -> Result<Report> {
    let scope = Scope::databases([database]);
    servers(&of_server(&pair.source)?, &of_server(&pair.target)?, &scope).await
}

/// A difference in rows: the statement that plants it, the table, and what must be found there as
/// missing, extra and different.
struct Planted {
    statement: &'static str,
    table: &'static str,
    found: (u64, u64, u64),
}

const fn plant(table: &'static str, found: (u64, u64, u64), statement: &'static str) -> Planted {
    Planted { statement, table, found }
}

/// One of each kind; no table twice, so that each is seen alone.
const PLANTED: [Planted; 20] = [
    plant("audit_trail", (1, 0, 0), "DELETE FROM audit_trail WHERE id = 17"),
    plant("currency", (0, 1, 0), "INSERT INTO currency VALUES ('XXX', 'None', 0)"),
    // A microsecond, in a column that is a clock and in a plain one.
    plant(
        "stock",
        (0, 0, 1),
        "UPDATE stock SET updated_at = updated_at + INTERVAL 1 MICROSECOND WHERE warehouse_id = 1 AND product_id = 2",
    ),
    plant("document", (0, 0, 1), "UPDATE document SET created_at = created_at - INTERVAL 1 MICROSECOND WHERE id = 40"),
    // NULL and '', in either direction.
    plant(
        "customer_address",
        (0, 0, 1),
        "UPDATE customer_address SET line2 = '', updated_at = updated_at WHERE line2 IS NULL ORDER BY customer_id LIMIT 1",
    ),
    plant("session", (0, 0, 1), "UPDATE session SET payload = NULL WHERE payload = '' ORDER BY token LIMIT 1"),
    // Spaces and letters that the collation takes for equal.
    plant("warehouse", (0, 0, 1), "UPDATE warehouse SET name = CONCAT(name, ' ') WHERE id = 2"),
    plant("category", (0, 0, 1), "UPDATE category SET name = UPPER(name) WHERE id = 7"),
    plant(
        "loyalty_movement",
        (1, 1, 0),
        "UPDATE loyalty_movement SET member_code = UPPER(member_code) WHERE member_code = 'Anker 1' AND movement_no = 2",
    ),
    // The invisible column, the smallest DOUBLE, the error value of an ENUM that has '' as a member.
    plant(
        "customer",
        (0, 0, 1),
        "UPDATE customer SET risk_score = risk_score + 1, updated_at = updated_at WHERE id = 3",
    ),
    plant(
        "types",
        (0, 0, 2),
        "UPDATE types SET t_enum = IF(id = 20, 0, t_enum), t_double = IF(id = 4, 5e-324, t_double)",
    ),
    plant("texts", (0, 0, 1), "UPDATE texts SET c_gbk = _gbk X'815C815C' WHERE id = 2"),
    plant(
        "port",
        (0, 0, 1),
        "UPDATE port SET position = ST_GeomFromText('POINT(4.48 51.920000000000009)') WHERE id = 1",
    ),
    plant(
        "gate_reading",
        (0, 0, 1),
        "UPDATE gate_reading SET direction = b'11' WHERE direction = b'10' ORDER BY gate_no, read_at LIMIT 1",
    ),
    plant(
        "cart",
        (1, 1, 0),
        "UPDATE cart SET id = UNHEX(CONCAT('02', REPEAT('00', 15))), updated_at = updated_at WHERE id = UNHEX(CONCAT('01', REPEAT('00', 15)))",
    ),
    plant(
        "container_seal",
        (1, 1, 0),
        "UPDATE container_seal SET seal_no = seal_no - 1, updated_at = updated_at WHERE seal_no = 18446744073709551615",
    ),
    // No key: one copy less of a row that stands three times; a row without a code more.
    plant("dock_sign", (1, 0, 0), "DELETE FROM dock_sign WHERE BINARY wording = 'No swimming' LIMIT 1"),
    plant("voucher", (0, 1, 0), "INSERT INTO voucher VALUES (NULL, 5.00, NULL)"),
    // Many: more than are named.
    plant("meter", (0, 0, 300), "UPDATE meter SET reading = reading + 1"),
    plant("tide log", (20, 0, 0), "DELETE FROM `tide log`"),
];

crate::each_kind! {
    /// Every planted difference is found, in its table, and nothing else.
    async fn planted_rows_are_found(kind: Kind) -> Result<()> {
        let pair = pair(kind).await?;
        let mut target = harbor_on_both(pair, "compare_rows").await?;
        let before = compared(pair, "compare_rows").await?;
        assert!(before.is_equal(), "{before}");
        assert!(before.source_rows() > 45_000);
        target.query_drop("SET foreign_key_checks = 0").await?;
        for planted in &PLANTED {
            target.query_drop(planted.statement).await.with_context(|| format!("plant in {}", planted.table))?;
        }
        let report = compared(pair, "compare_rows").await?;
        assert!(!report.is_equal());
        for planted in &PLANTED {
            let table = report.table("compare_rows", planted.table).context(planted.table)?;
            let found = (table.missing.count, table.extra.count, table.different.count);
            assert_eq!(found, planted.found, "{table}");
            assert_eq!(table.schema, SchemaState::Equal, "{table}");
        }
        assert_eq!(report.unequal().count(), PLANTED.len(), "{report}");
        assert_shows_keys_alone(&report.to_string());
        drop_on_both(pair, target, "compare_rows").await
    }

    /// One bit of a FLOAT and of a DOUBLE, too small for any text form of the FLOAT.
    async fn one_bit_of_a_float_is_found(kind: Kind) -> Result<()> {
        let pair = pair(kind).await?;
        let mut target = harbor_on_both(pair, "compare_bits").await?;
        let rating: f32 = target.exec_first("SELECT rating FROM supplier WHERE id = 5", ()).await?.context("read a FLOAT")?;
        let rating = f32::from_bits(rating.to_bits() ^ 1);
        target.exec_drop("UPDATE supplier SET rating = ? WHERE id = 5", (rating,)).await?;
        let length: f64 = target.exec_first("SELECT length_mm FROM product WHERE id = 5", ()).await?.context("read a DOUBLE")?;
        let length = f64::from_bits(length.to_bits() ^ 1);
        target.exec_drop("UPDATE product SET length_mm = ?, updated_at = updated_at WHERE id = 5", (length,)).await?;
        target.exec_drop("UPDATE types SET t_float = ? WHERE id = 4", (-0.0f32,)).await?;
        let report = compared(pair, "compare_bits").await?;
        // MariaDB drops the sign of a zero that it stores, so there is nothing to find there.
        let signs = u64::from(kind == Kind::MySql);
        for (table, found) in [("supplier", 1), ("product", 1), ("types", signs)] {
            let table = report.table("compare_bits", table).context("find the table")?;
            assert_eq!(table.different.count, found, "{table}");
        }
        assert_eq!(report.unequal().count() as u64, 2 + signs, "{report}");
        drop_on_both(pair, target, "compare_bits").await
    }

    /// Definitions, tables and columns that one side lacks.
    async fn planted_schema_is_found(kind: Kind) -> Result<()> {
        let pair = pair(kind).await?;
        let mut target = harbor_on_both(pair, "compare_schema").await?;
        for statement in [
            "DROP TABLE legacy_flag",
            "CREATE TABLE stranger (id INT PRIMARY KEY)",
            "ALTER TABLE payment DROP KEY payment_created",
            "ALTER TABLE customer DROP COLUMN risk_score",
            "ALTER TABLE ledger_entry AUTO_INCREMENT = 900000",
            "ALTER TABLE audit_trail DROP KEY audit_trail_created",
            "ALTER TABLE audit_trail ADD KEY audit_trail_created (created_at)",
        ] {
            target.query_drop(statement).await?;
        }
        let report = compared(pair, "compare_schema").await?;
        let table = |name| report.table("compare_schema", name).context("find the table");
        assert_eq!(table("legacy_flag")?.presence, Presence::SourceOnly);
        assert_eq!(table("stranger")?.presence, Presence::TargetOnly);
        assert_eq!(table("payment")?.schema, SchemaState::Different);
        assert_eq!(table("payment")?.rows_read, RowsRead::Compared);
        assert_eq!(table("customer")?.rows_read, RowsRead::ColumnsDiffer);
        assert_eq!(report.unequal().count(), 4, "{report}");
        let rows_alone = Scope { schema: SchemaCheck::LeftOut, ..Scope::databases(["compare_schema"]) };
        let report = servers(&of_server(&pair.source)?, &of_server(&pair.target)?, &rows_alone).await?;
        assert_eq!(report.unequal().count(), 3, "{report}");
        drop_on_both(pair, target, "compare_schema").await
    }

    /// Many passes find what one pass finds, with and without a primary key.
    async fn passes_add_up(kind: Kind) -> Result<()> {
        let pair = pair(kind).await?;
        for (server, first) in [(&pair.source, 1), (&pair.target, 3)] {
            let ids: Vec<String> = (first..first + 50).map(|id| format!("({id})")).collect();
            let ids = ids.join(",");
            server.exec_script(&format!("CREATE DATABASE compare_passes; USE compare_passes; CREATE TABLE k (id INT PRIMARY KEY); CREATE TABLE n (id INT); INSERT INTO k VALUES {ids}; INSERT INTO n VALUES {ids},{ids};")).await?;
        }
        let mut source = Snapshot::open(&of_server(&pair.source)?).await?;
        let mut target = Snapshot::open(&of_server(&pair.target)?).await?;
        for (name, copies) in [("k", 1), ("n", 2)] {
            let name = ("compare_passes", name);
            let table = Table::read(&mut source.conn, name).await?;
            let mut report = TableReport::new(name, Presence::Both);
            compare_rows(&mut source, &mut target, &table, &mut report, 7).await?;
            let counts = [report.source_rows, report.target_rows, report.missing.count, report.extra.count];
            assert_eq!(counts, [50 * copies, 50 * copies, 2 * copies, 2 * copies], "{report}");
        }
        source.close().await?;
        target.close().await?;
        let target = pair.target.connect().await?;
        drop_on_both(pair, target, "compare_passes").await
    }

    /// A snapshot shows the moment it was taken; nothing compared is not equal, it is an error.
    async fn snapshots_stand_still_and_empty_scopes_are_refused(kind: Kind) -> Result<()> {
        let pair = pair(kind).await?;
        let scope = Scope::databases(["compare_moment"]);
        for server in [&pair.source, &pair.target] {
            server.exec_script("CREATE DATABASE compare_moment; CREATE TABLE compare_moment.t (id INT PRIMARY KEY, v INT); INSERT INTO compare_moment.t VALUES (1, 1);").await?;
        }
        let mut source = Snapshot::open(&of_server(&pair.source)?).await?;
        let mut target = Snapshot::open(&of_server(&pair.target)?).await?;
        pair.target.exec_script("UPDATE compare_moment.t SET v = 2;").await?;
        let report = snapshots(&mut source, &mut target, &scope).await?;
        assert!(report.is_equal(), "{report}");
        let report = servers(&of_server(&pair.source)?, &of_server(&pair.target)?, &scope).await?;
        assert_eq!(report.unequal().count(), 1, "{report}");
        source.close().await?;
        target.close().await?;
        assert!(compared(pair, "compare_mistyped").await.is_err());
        assert!(!Report::default().is_equal());
        let target = pair.target.connect().await?;
        drop_on_both(pair, target, "compare_moment").await
    }
}

/// The text names keys, as many as it should, and no other value.
fn assert_shows_keys_alone(text: &str) {
    assert!(
        text.contains("audit_trail: 5000 rows on the source, 4999 on the target; 1 missing on the target: (17)"),
        "{text}"
    );
    assert!(text.contains("(18446744073709551615)"), "{text}");
    assert!(text.contains(" and 280 more"), "{text}");
    for value in ["No swimming", "Rotterdam", "None"] {
        assert!(!text.contains(value), "{text}");
    }
}

async fn drop_on_both(pair: &Pair, mut target: Conn, database: &str) -> Result<()> {
    let mut source = pair.source.connect().await?;
    for conn in [&mut source, &mut target] {
        conn.query_drop(format!("DROP DATABASE {database}")).await?;
    }
    source.disconnect().await?;
    Ok(target.disconnect().await?)
}
