//! Tests of the samples: they load without warnings on real servers and hold what they promise.

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

use super::{HARBOR_SCRIPTS, load_harbor_as, load_sakila, locate_sakila, renamed, statements};
use crate::servers::{Kind, pair};

#[test]
fn only_the_statements_that_name_the_database_are_renamed() {
    let all: Vec<String> = HARBOR_SCRIPTS.iter().flat_map(|(_, script)| statements(script)).collect();
    let changed = all.iter().filter(|statement| renamed((*statement).clone(), "elsewhere") != **statement);
    // One DROP, one CREATE and a USE in each of the three files.
    assert_eq!(changed.count(), 5);
    let said_otherwise = all.iter().filter(|statement| statement.contains("harbor.") || statement.contains("`harbor`"));
    assert_eq!(said_otherwise.count(), 0);
}

#[test]
fn the_committed_scripts_stay_small() {
    let bytes: usize = HARBOR_SCRIPTS.iter().map(|(_, script)| script.len()).sum();
    assert!(bytes < 200_000, "{bytes}");
}

/// Runs harbor's scripts statement by statement; returns the openings of those that warned.
async fn statements_that_warn(conn: &mut Conn, database: &str) -> Result<Vec<String>> {
    let mut warned = Vec::new();
    for (_, script) in HARBOR_SCRIPTS {
        for statement in statements(script) {
            let statement = renamed(statement, database);
            conn.query_drop(&statement).await?;
            if conn.get_warnings() > 0 {
                let levels: Vec<(String, u16, String)> = conn.query("SHOW WARNINGS").await?;
                let notable = levels.iter().any(|(level, _, _)| level != "Note");
                if notable {
                    warned.push(super::opening_words(&statement));
                }
            }
        }
    }
    Ok(warned)
}

crate::each_kind! {
    /// The only warning wanted is that of the ENUM's error value.
    async fn harbor_loads_without_warnings(kind: Kind) -> Result<()> {
        let mut conn = pair(kind).await?.source.connect().await?;
        let mut warned = statements_that_warn(&mut conn, "harbor_warnings").await?;
        // MariaDB says so when its event scheduler is off; that is the server's setting.
        warned.retain(|opening| opening != "CREATE EVENT purge_sessions");
        assert_eq!(warned, ["INSERT IGNORE INTO"]);
        conn.query_drop("DROP DATABASE harbor_warnings").await?;
        Ok(conn.disconnect().await?)
    }

    /// Views, routines and triggers work, and the values that servers like to bend are there.
    async fn harbor_holds_what_it_promises(kind: Kind) -> Result<()> {
        let mut conn = pair(kind).await?.source.connect().await?;
        load_harbor_as(&mut conn, "harbor_promises").await?;
        let tables: u64 = scalar(&mut conn, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'").await?;
        assert_eq!(tables, 36);
        let seal: u64 = scalar(&mut conn, "SELECT MAX(seal_no) FROM container_seal").await?;
        assert_eq!(seal, u64::MAX);
        let turnover: u64 = scalar(&mut conn, "SELECT COUNT(*) FROM customer_turnover").await?;
        assert!(turnover > 0);
        let zero_id: u64 = scalar(&mut conn, "SELECT COUNT(*) FROM category WHERE id = 0").await?;
        assert_eq!(zero_id, 1);
        let zero: (Value, Value) = conn
            .exec_first("SELECT t_float, t_double FROM types WHERE id = 3", ())
            .await?
            .context("read the negative zeroes")?;
        // MariaDB drops the sign of a zero that it stores, whichever way it comes.
        let keeps_sign = kind == Kind::MySql;
        assert_eq!(negative_zeroes(&zero), (keeps_sign, keeps_sign), "{zero:?}");
        let tombstones = "SELECT COUNT(*) FROM cart_tombstone";
        let before: u64 = scalar(&mut conn, tombstones).await?;
        conn.query_drop("DELETE FROM cart WHERE id = UNHEX(REPEAT('00', 16))").await?;
        assert_eq!(scalar(&mut conn, tombstones).await?, before + 1);
        conn.query_drop("CALL cancel_order(17, @cancelled_lines)").await?;
        let traced = "SELECT COUNT(*) FROM audit_trail WHERE actor = 'trigger'";
        assert_eq!(scalar(&mut conn, traced).await?, 1);
        conn.query_drop("DROP DATABASE harbor_promises").await?;
        Ok(conn.disconnect().await?)
    }

    /// Skips itself, with a word, on a checkout without sakila.
    async fn sakila_loads_where_it_is_found(kind: Kind) -> Result<()> {
        let Some(dir) = locate_sakila() else {
            eprintln!("sakila was not found: not tested");
            return Ok(());
        };
        let mut conn = pair(kind).await?.source.connect().await?;
        load_sakila(&mut conn, &dir).await?;
        for (table, rows) in [("rental", 16_044), ("payment", 16_049), ("film_text", 1_000), ("address", 603)] {
            let counted = scalar(&mut conn, &format!("SELECT COUNT(*) FROM sakila.{table}")).await?;
            assert_eq!(counted, rows, "{table}");
        }
        let programs = scalar(&mut conn, "SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'sakila'").await?;
        assert_eq!(programs, 6);
        Ok(conn.disconnect().await?)
    }
}

async fn scalar(conn: &mut Conn, query: &str) -> Result<u64> {
    conn.query_first(query).await?.context("read one number")
}

fn negative_zeroes((float, double): &(Value, Value)) -> (bool, bool) {
    let float = matches!(float, Value::Float(number) if number.to_bits() == (-0.0f32).to_bits());
    let double = matches!(double, Value::Double(number) if number.to_bits() == (-0.0f64).to_bits());
    (float, double)
}
