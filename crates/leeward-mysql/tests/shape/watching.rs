//! Definitions watched from cycle to cycle.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use leeward_core::fingerprint::fingerprint;
use leeward_core::name::TableName;
use leeward_core::port::Shapes;
use leeward_mysql::shape::ServerShapes;
use leeward_testkit::servers::pair;

use crate::setup::{ends, script, surveyed};

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
        let mut last: BTreeMap<TableName, String> = shapes.fingerprints(&schemas).await?.into_iter().collect();
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
            let now: BTreeMap<TableName, String> = shapes.fingerprints(&schemas).await?.into_iter().collect();
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
            let now: BTreeMap<TableName, String> = shapes.fingerprints(&schemas).await?.into_iter().collect();
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
        ensure!(shapes.fingerprints(&[]).await?.is_empty());
        ensure!(shapes.fingerprints(&["watching_nowhere".to_owned()]).await?.is_empty());
        Ok(())
    }
}
