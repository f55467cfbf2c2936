//! Definitions that differ between the two sides where the values do not, and columns that no one names.

use anyhow::{Result, ensure};
use leeward_mysql::session::Session;
use leeward_testkit::servers::{Kind, pair};
use mysql_async::prelude::Queryable;

use crate::setup::{Seen, between, database, look, open, planned_table, writer};

/// Looks at a table with the description that the source gives of it, as a comparison of two sides does.
async fn both(kind: Kind, name: &str, there: &[&str], here: &[&str]) -> Result<(Seen, Seen)> {
    let servers = pair(kind).await?;
    database(&servers.source, name, there).await?;
    database(&servers.target, name, here).await?;
    let (mut source, mut target) = (open(&servers.source, name).await?, open(&servers.target, name).await?);
    let table = planned_table(&mut source, name, "t").await?;
    let all = between(-1, 1_000_000);
    Ok((look(&mut source, &table, all.clone()).await?, look(&mut target, &table, all).await?))
}

/// Runs a change and looks again.
async fn after(session: &mut Session, database: &str, change: &str) -> Result<(Seen, Seen)> {
    let table = planned_table(session, database, "t").await?;
    let before = look(session, &table, between(-1, 1_000_000)).await?;
    session.run("change rows", change).await?;
    let after = look(session, &table, between(-1, 1_000_000)).await?;
    session.run("take it back", "ROLLBACK AND CHAIN").await?;
    Ok((before, after))
}

leeward_testkit::each_kind! {
    /// Lists of names in another order, or with more of them, hold the same names under other numbers.
    async fn names_in_another_order_are_equal_and_other_names_are_not_t23(kind: Kind) -> Result<()> {
        let table = |members: &str| {
            format!("CREATE TABLE t (id INT PRIMARY KEY, e ENUM({members}) NULL, s SET({members}) NULL)")
        };
        let rows = "INSERT INTO t VALUES (1,'small','small'),(2,'Größe','small,Größe'),(3,'large','large,small'),\
            (4,NULL,''),(5,'large','small,large,Größe')";
        let (one, other) = (table("'small','large','Größe'"), table("'Größe','new','small','large'"));
        let (there, here) = both(kind, "rows_names", &[&one, rows], &[&other, rows]).await?;
        ensure!(there == here, "equal by name, and told apart");

        let mut target = open(&pair(kind).await?.target, "rows_names").await?;
        for change in [
            "UPDATE t SET e='small' WHERE id=2",
            "UPDATE t SET s='small' WHERE id=2",
            "UPDATE t SET s='small,large' WHERE id=1",
            "UPDATE t SET s=NULL WHERE id=4",
            // A name that the source's list does not have.
            "UPDATE t SET s=CONCAT(s,',new') WHERE id=3",
            "UPDATE t SET s='new' WHERE id=4",
            "UPDATE t SET e='new' WHERE id=4",
        ] {
            let source = open(&pair(kind).await?.source, "rows_names").await?;
            let table = planned_table(&mut { source }, "rows_names", "t").await?;
            target.run("change rows", change).await?;
            let seen = look(&mut target, &table, between(-1, 1_000_000)).await?;
            target.run("take it back", "ROLLBACK AND CHAIN").await?;
            there.ensure_differs(&seen, change)?;
        }
        Ok(())
    }

    /// Swapped numbers of swapped lists must not pass for equal: the same ordinals under other names.
    async fn equal_numbers_of_other_names_are_told_apart_t23(kind: Kind) -> Result<()> {
        let table = |members: &str| {
            format!("CREATE TABLE t (id INT PRIMARY KEY, e ENUM({members}) NULL, s SET({members}) NULL)")
        };
        let rows = "INSERT INTO t VALUES (1,1,1),(2,2,3)";
        let (there, here) =
            both(kind, "rows_numbers", &[&table("'a','b'"), rows], &[&table("'b','a'"), rows]).await?;
        there.ensure_differs(&here, "1 is 'a' there and 'b' here")
    }

    /// A digest names columns, so their order does not matter; their names' case does not either (T29).
    async fn columns_in_another_order_and_case_are_equal_t29(kind: Kind) -> Result<()> {
        let rows = "INSERT INTO t (id,orderID,note) VALUES (1,10,'x'),(2,20,NULL),(3,NULL,'')";
        let one = "CREATE TABLE t (id INT PRIMARY KEY, orderID INT NULL, note VARCHAR(20) NULL)";
        let other = "CREATE TABLE t (note VARCHAR(20) NULL, id INT PRIMARY KEY, OrderId INT NULL)";
        let (there, here) = both(kind, "rows_order", &[one, rows], &[other, rows]).await?;
        ensure!(there == here, "equal rows are told apart");
        Ok(())
    }

    /// Columns that `SELECT *` leaves out, and columns that the server computes, count like any other (T23, T39).
    async fn invisible_and_generated_columns_are_compared_t23_t39(kind: Kind) -> Result<()> {
        let source = &pair(kind).await?.source;
        let table = "CREATE TABLE t (id INT PRIMARY KEY, n INT NULL, hidden INT NULL INVISIBLE,
            doubled INT AS (n*2) STORED, halved INT AS (n DIV 2) VIRTUAL,
            stamped DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))";
        let rows = "INSERT INTO t (id,n,hidden,stamped) VALUES (1,10,NULL,'2001-01-01'),(2,11,7,'2001-01-01')";
        database(source, "rows_unnamed", &[table, rows]).await?;
        let mut session = open(source, "rows_unnamed").await?;
        for change in ["UPDATE t SET hidden=0,stamped=stamped WHERE id=1", "UPDATE t SET stamped='2001-01-01 00:00:00.000001'"] {
            let (before, after) = after(&mut session, "rows_unnamed", change).await?;
            before.ensure_differs(&after, change)?;
        }
        // The stored column differs alone: the same `n` under another expression.
        let (there, here) = both(
            kind,
            "rows_computed",
            &["CREATE TABLE t (id INT PRIMARY KEY, n INT, g INT AS (n*2) STORED)", "INSERT INTO t (id,n) VALUES (1,10)"],
            &["CREATE TABLE t (id INT PRIMARY KEY, n INT, g INT AS (n*3) STORED)", "INSERT INTO t (id,n) VALUES (1,10)"],
        )
        .await?;
        there.ensure_differs(&here, "another expression")
    }

    /// An instant is one value whatever zone it was written in, and one text of two zones is two (T22).
    async fn timestamps_are_instants_whatever_the_zone_t22(kind: Kind) -> Result<()> {
        let servers = pair(kind).await?;
        let table = "CREATE TABLE t (id INT PRIMARY KEY, at TIMESTAMP(3) NULL, d DATETIME(3) NULL)";
        database(&servers.source, "rows_zones", &[table, "INSERT INTO t VALUES (1,'2024-07-01 12:00:00.5','2024-07-01')"]).await?;
        let mut source = open(&servers.source, "rows_zones").await?;
        let described = planned_table(&mut source, "rows_zones", "t").await?;
        let there = look(&mut source, &described, between(-1, 10)).await?;
        for (text, equal) in [("2024-07-01 17:30:00.5", true), ("2024-07-01 12:00:00.5", false)] {
            database(&servers.target, "rows_zones", &[table]).await?;
            let mut conn = writer(&servers.target, "rows_zones").await?;
            conn.query_drop("SET time_zone='+05:30'").await?;
            conn.query_drop(format!("INSERT INTO t VALUES (1,'{text}','2024-07-01')")).await?;
            conn.disconnect().await?;
            let mut target = open(&servers.target, "rows_zones").await?;
            let here = look(&mut target, &described, between(-1, 10)).await?;
            match equal {
                true => ensure!(there == here, "one instant is told apart"),
                false => there.ensure_differs(&here, "one text in two zones")?,
            }
        }
        Ok(())
    }
    /// MariaDB lets a virtual column show the time of reading. No two readings of it are equal, and it is no value of the
    /// row: it is left out, and what stands beside it is not.
    async fn a_column_that_shows_the_moment_is_no_value_of_the_row_t23(kind: Kind) -> Result<()> {
        if kind == Kind::MySql {
            // It refuses such a column.
            return Ok(());
        }
        let source = &pair(kind).await?.source;
        let table = "CREATE TABLE t (id INT PRIMARY KEY, n INT NULL, seen DATETIME(6) AS (NOW(6)) VIRTUAL,
            chance DOUBLE AS (RAND()) VIRTUAL, who VARCHAR(200) AS (CURRENT_USER()) VIRTUAL, m INT AS (n+1) VIRTUAL)";
        database(source, "rows_moment", &[table, "INSERT INTO t (id,n) VALUES (1,10)"]).await?;
        let mut session = open(source, "rows_moment").await?;
        let (before, again) = after(&mut session, "rows_moment", "DO 1").await?;
        ensure!(before == again, "one row has two digests");
        let (before, changed) = after(&mut session, "rows_moment", "UPDATE t SET n=11").await?;
        before.ensure_differs(&changed, "another number")
    }
}
