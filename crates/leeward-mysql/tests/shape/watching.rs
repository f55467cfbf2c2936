//! Definitions watched from cycle to cycle.

use std::sync::Arc;

use anyhow::{Result, ensure};
use leeward_core::fingerprint::fingerprint;
use leeward_core::name::TableName;
use leeward_core::port::Shapes;
use leeward_mysql::shape::ServerShapes;
use leeward_testkit::servers::pair;

use crate::setup::{ends, prints, script, settled, surveyed};

const TABLES: &str = "
    CREATE DATABASE watching CHARACTER SET utf8mb4; CREATE DATABASE watching2; USE watching;
    CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(9), at TIMESTAMP(6) NOT NULL DEFAULT NOW(6));
    CREATE TABLE b (id INT PRIMARY KEY, v INT, w INT GENERATED ALWAYS AS (v + 1) VIRTUAL);
    CREATE TABLE watching2.c (id INT PRIMARY KEY);
    CREATE VIEW v AS SELECT id FROM a;";

leeward_testkit::each_kind! {
    async fn only_what_can_harm_rows_moves_a_fingerprint(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        let server = &pair(kind).await?.source;
        script(server, TABLES).await?;
        let mut shapes = ServerShapes::open(&source).await?;
        let schemas = ["watching".to_owned(), "watching2".to_owned()];
        let mut last = prints(&shapes.definitions(&schemas).await?);
        ensure!(last.len() == 3, "views have no fingerprint: {last:?}");
        let survey = surveyed(&source, &["watching", "watching2"]).await?;
        for seen in &survey.tables {
            ensure!(last.get(&seen.table.name) == Some(&fingerprint(&seen.table)), "as the planner has it");
        }
        let quiet = [
            "INSERT INTO watching.a (v) VALUES ('x'), ('y')",
            "CREATE INDEX k ON watching.a (v)",
            "ALTER TABLE watching.a COMMENT 'other', ALTER COLUMN v SET DEFAULT 'd'",
            "ANALYZE TABLE watching.a",
            "DROP INDEX k ON watching.a",
        ];
        for sql in quiet {
            script(server, sql).await?;
            let now = prints(&shapes.definitions(&schemas).await?);
            ensure!(now == last, "{sql}");
        }
        let loud = [
            ("a", "ALTER TABLE watching.a ADD COLUMN n INT"),
            ("a", "ALTER TABLE watching.a MODIFY COLUMN v VARCHAR(10)"),
            ("a", "ALTER TABLE watching.a MODIFY COLUMN v VARCHAR(10) CHARACTER SET latin1"),
            ("a", "CREATE UNIQUE INDEX u ON watching.a (v)"),
            ("a", "ALTER TABLE watching.a MODIFY COLUMN at TIMESTAMP(6) NOT NULL DEFAULT NOW(6) ON UPDATE NOW(6)"),
            ("b", "ALTER TABLE watching.b MODIFY COLUMN w INT GENERATED ALWAYS AS (v + 2) VIRTUAL"),
            ("b", "DROP TABLE watching.b"),
        ];
        for (table, sql) in loud {
            script(server, sql).await?;
            let now = prints(&shapes.definitions(&schemas).await?);
            let differs = |name: &TableName| now.get(name) != last.get(name);
            let moved: Vec<&str> = last.keys().filter(|name| differs(name)).map(|name| name.table.as_str()).collect();
            ensure!(moved == [table], "{sql}: {moved:?}");
            last = now;
        }
        Ok(())
    }

    async fn a_table_that_is_gone_costs_the_others_nothing(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        let tables: String = (0..150).map(|at| format!("CREATE TABLE t{at} (id INT PRIMARY KEY);")).collect();
        let views = "CREATE VIEW v AS SELECT id FROM t1;";
        script(&pair(kind).await?.source, &format!("CREATE DATABASE watching_many; USE watching_many; {tables}{views}"))
            .await?;
        let mut shapes = ServerShapes::open(&source).await?;
        let asked: Vec<TableName> = (0..300)
            .map(|at| TableName::new("watching_many", if at == 7 { "v".to_owned() } else { format!("t{at}") }))
            .chain([TableName::new("watching_nowhere", "t")])
            .collect();
        let found = shapes.table_ddl(&asked).await?;
        ensure!(found.len() == 149, "{}", found.len());
        ensure!(found.iter().all(|(name, ddl)| ddl.starts_with(&format!("CREATE TABLE `{}`", name.table))));
        ensure!(shapes.describe(&asked).await?.len() == 149);
        ensure!(shapes.definitions(&[]).await?.is_empty());
        ensure!(shapes.definitions(&["watching_nowhere".to_owned()]).await?.is_empty());
        Ok(())
    }

    /// What a shape does not hold is told by the time of the last ALTER, and several changes of one second are told apart.
    async fn every_change_is_seen_by_the_next_look(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        let server = &pair(kind).await?.source;
        let tables = "CREATE DATABASE watching_all; USE watching_all; CREATE TABLE p (id INT PRIMARY KEY); \
                      CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9), p INT);";
        script(server, tables).await?;
        let mut shapes = ServerShapes::open(&source).await?;
        let schemas = ["watching_all".to_owned()];
        let mut last = shapes.definitions(&schemas).await?;
        for sql in [
            "ALTER TABLE watching_all.t ADD COLUMN n INT",
            "ALTER TABLE watching_all.t DROP COLUMN n",
            "ALTER TABLE watching_all.t MODIFY COLUMN v VARCHAR(10)",
            "ALTER TABLE watching_all.t MODIFY COLUMN v VARCHAR(11)",
            "ALTER TABLE watching_all.t ALTER COLUMN v SET DEFAULT 'd'",
            "CREATE INDEX k ON watching_all.t (v)",
            "ALTER TABLE watching_all.t ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES watching_all.p (id)",
            "ALTER TABLE watching_all.t DROP FOREIGN KEY f",
            "RENAME TABLE watching_all.t TO watching_all.t2",
            "RENAME TABLE watching_all.t2 TO watching_all.t",
            "CREATE TABLE watching_all.n LIKE watching_all.t",
            "DROP TABLE watching_all.n",
        ] {
            script(server, sql).await?;
            let now = shapes.definitions(&schemas).await?;
            ensure!(now != last, "{sql}");
            last = now;
        }
        for sql in ["COMMENT 'c'", "ADD CONSTRAINT c CHECK (id > 0)"] {
            let before = settled(&mut shapes, &schemas).await?;
            script(server, &format!("ALTER TABLE watching_all.t {sql}")).await?;
            let after = shapes.definitions(&schemas).await?;
            ensure!(after != before, "{sql}");
            ensure!(settled(&mut shapes, &schemas).await? != before, "{sql}");
        }
        Ok(())
    }

    async fn a_look_at_unchanged_definitions_returns_the_very_list(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        let server = &pair(kind).await?.source;
        script(server, "CREATE DATABASE watching_same; CREATE TABLE watching_same.t (id INT PRIMARY KEY);").await?;
        let mut shapes = ServerShapes::open(&source).await?;
        let schemas = ["watching_same".to_owned(), "watching_none".to_owned()];
        let first = settled(&mut shapes, &schemas).await?;
        script(server, "INSERT INTO watching_same.t VALUES (1); ANALYZE TABLE watching_same.t;").await?;
        ensure!(Arc::ptr_eq(&first, &shapes.definitions(&schemas).await?));
        Ok(())
    }
}
