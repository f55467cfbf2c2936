//! Statements that close the gap between two definitions, run by the target itself under the lease: each pair must end as
//! one and the same table.

use anyhow::{Context, Result, ensure};
use leeward_core::alteration::{Alteration, Effect};
use leeward_core::fault::FaultKind;
use leeward_core::name::TableName;
use leeward_core::port::{Control, Indexes, Lease, LeaseAnswer, RowsMeanwhile, Shape, Shapes};
use leeward_core::table::Table;
use leeward_mysql::control::MySqlControl;
use leeward_mysql::endpoint::Endpoint;
use leeward_mysql::session::Session;
use leeward_mysql::shape::{ServerShapes, TargetShape};
use leeward_testkit::servers::{Kind, pair};

use crate::setup::{ends, script};

/// Each a table as it was, what is done to it on the source, and whether rows have to wait for it.
const CHANGES: &[(&str, &str, Effect)] = &[
    ("id INT PRIMARY KEY", "ADD COLUMN a INT NOT NULL DEFAULT 5 FIRST", Effect::Rows),
    ("id INT PRIMARY KEY, a INT, b INT, KEY k (a, b), KEY l (a)", "DROP COLUMN a", Effect::Rows),
    ("id INT PRIMARY KEY, a INT, KEY k (a)", "RENAME COLUMN a TO x", Effect::Rows),
    ("id INT PRIMARY KEY, a INT, b INT", "RENAME COLUMN a TO x, ADD COLUMN n VARCHAR(9) AFTER id", Effect::Rows),
    (
        "id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(9)",
        "MODIFY id BIGINT AUTO_INCREMENT, MODIFY a VARCHAR(90)",
        Effect::Rows,
    ),
    (
        "id INT PRIMARY KEY, e ENUM('a','b'), t DATETIME",
        "MODIFY e ENUM('a','b','it''s'), MODIFY t DATETIME(6)",
        Effect::Rows,
    ),
    ("id INT PRIMARY KEY, d DECIMAL(10,2) NOT NULL", "MODIFY d DECIMAL(12,4) NULL COMMENT 'é'", Effect::Rows),
    ("id INT PRIMARY KEY, a INT, UNIQUE KEY u (a)", "DROP KEY u", Effect::Rows),
    ("id INT PRIMARY KEY, a INT, b INT, UNIQUE KEY u (a)", "DROP KEY u, ADD UNIQUE KEY u (a, b)", Effect::Rows),
    ("id INT PRIMARY KEY, a INT, CHECK (a > 0)", "DROP CONSTRAINT CONSTRAINT_1", Effect::Rows),
    ("id INT PRIMARY KEY, a INT, g INT AS (a + 1) VIRTUAL", "MODIFY g INT AS (a + 2) VIRTUAL", Effect::Rows),
    ("id INT PRIMARY KEY, a INT", "ADD COLUMN g INT AS (a * 2) STORED, ADD KEY (g)", Effect::Rows),
    ("id INT PRIMARY KEY, a INT", "ADD UNIQUE KEY u (a)", Effect::Beside),
    (
        "id INT PRIMARY KEY, a TEXT, b POINT NOT NULL",
        "ADD KEY (a(9)), ADD FULLTEXT KEY (a), ADD SPATIAL KEY (b)",
        Effect::Beside,
    ),
    ("id INT PRIMARY KEY, a INT, KEY k (a), KEY l (a, id)", "DROP KEY k", Effect::Beside),
    (
        "id INT PRIMARY KEY, p INT, KEY k (p)",
        "ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE",
        Effect::Beside,
    ),
    (
        "id INT PRIMARY KEY, p INT, KEY k (p), CONSTRAINT g FOREIGN KEY (p) REFERENCES p (id)",
        "DROP FOREIGN KEY g",
        Effect::Beside,
    ),
    (
        "id INT PRIMARY KEY, a INT DEFAULT 1, b INT",
        "ALTER a SET DEFAULT 2, COMMENT 'it''s', MODIFY b INT COMMENT 'x'",
        Effect::Beside,
    ),
    ("id INT PRIMARY KEY, a INT, b INT", "MODIFY b INT AFTER id", Effect::Beside),
    ("id INT PRIMARY KEY, a VARCHAR(9)", "ADD CONSTRAINT c CHECK (a <> 'x;y')", Effect::Beside),
    ("id INT PRIMARY KEY, a VARCHAR(9)", "DEFAULT COLLATE utf8mb4_bin", Effect::Beside),
];

/// Returns the lease of a lane that belongs to one test alone.
async fn lease(target: &Endpoint, lane: &str) -> Result<Lease> {
    let mut control = MySqlControl::connect(target).await?;
    control.migrate().await?;
    match control.acquire(lane, "test", 60).await? {
        LeaseAnswer::Granted(lease) => Ok(lease),
        other => anyhow::bail!("{other:?}"),
    }
}

async fn one(shapes: &mut ServerShapes, name: &TableName) -> Result<Table> {
    shapes.describe(std::slice::from_ref(name)).await?.pop().with_context(|| format!("{name} is there"))
}

async fn ddl(shapes: &mut ServerShapes, name: &TableName) -> Result<String> {
    let mut found = shapes.table_ddl(std::slice::from_ref(name)).await?;
    Ok(found.pop().with_context(|| format!("{name} is there"))?.1)
}

leeward_testkit::each_kind! {
    async fn each_change_ends_as_the_same_table(kind: Kind) -> Result<()> {
        let (source, target) = ends(kind).await?;
        let servers = pair(kind).await?;
        let lease = lease(&target, "altering").await?;
        for server in [&servers.source, &servers.target] {
            let made = "CREATE DATABASE altering CHARACTER SET utf8mb4; CREATE TABLE altering.p (id INT PRIMARY KEY);";
            script(server, made).await?;
        }
        let (mut there, mut here) = (ServerShapes::open(&source).await?, ServerShapes::open(&target).await?);
        let mut shape = TargetShape::open(&target).await?;
        shape.guard(&lease).await?;
        for (at, (before, change, effect)) in CHANGES.iter().enumerate() {
            let name = TableName::new("altering", format!("t{at}"));
            let change = if kind == Kind::MySql { change.replace("CONSTRAINT_1", &format!("t{at}_chk_1")) } else { (*change).to_owned() };
            for server in [&servers.source, &servers.target] {
                script(server, &format!("USE altering; CREATE TABLE t{at} ({before});")).await?;
            }
            let planned = one(&mut there, &name).await?;
            script(&servers.source, &format!("USE altering; ALTER TABLE t{at} {change};")).await?;
            let alteration = Alteration::between(&planned, &one(&mut there, &name).await?, &one(&mut here, &name).await?);
            ensure!(alteration.for_a_person().is_empty(), "{change}: {alteration:?}");
            let wanted = ddl(&mut there, &name).await?;
            let statements = shape.alteration(&name, &wanted, &alteration).await?;
            let found = statements.first().with_context(|| format!("{change} needs something"))?.effect;
            ensure!(found == *effect, "{change}: {statements:?}");
            for statement in &statements {
                let ran = shape.alter(&name, statement, RowsMeanwhile::Waiting).await;
                ran.with_context(|| format!("{change}: {statement:?}"))?;
            }
            let now = ddl(&mut here, &name).await?;
            ensure!(now == wanted, "{change}:\n{wanted}\n{now}\n{statements:?}");
            let left = Alteration::between(&planned, &one(&mut there, &name).await?, &one(&mut here, &name).await?);
            ensure!(left.changes.is_empty(), "{change}: {left:?}");
            ensure!(shape.alteration(&name, &wanted, &left).await?.is_empty(), "{change}");
        }
        Ok(())
    }

    /// Between its look at the lease and the statement no process of ours can be stopped, since the target does both.
    async fn nothing_is_altered_without_the_lease(kind: Kind) -> Result<()> {
        let (_, target) = ends(kind).await?;
        script(&pair(kind).await?.target, "CREATE DATABASE altering_lease; CREATE TABLE altering_lease.t (id INT);").await?;
        let ours = lease(&target, "altering_lease").await?;
        let mut shape = TargetShape::open(&target).await?;
        shape.guard(&ours).await?;
        let name = TableName::new("altering_lease", "t");
        let wanted = "CREATE TABLE `t` (\n  `id` int DEFAULT NULL,\n  `b` int DEFAULT NULL\n) ENGINE=InnoDB";
        let statements = shape.alteration(&name, wanted, &Alteration::default()).await?;
        lease(&target, "altering_lease").await?;
        let fault = shape.alter(&name, &statements[0], RowsMeanwhile::Waiting).await.unwrap_err();
        ensure!(fault.kind == FaultKind::LeaseLost, "{fault}");
        let new = TableName::new("altering_lease", "new");
        let fault = shape.create_table(&new, wanted, Indexes::AfterRows).await.unwrap_err();
        ensure!(fault.kind == FaultKind::LeaseLost, "{fault}");
        let mut here = ServerShapes::open(&target).await?;
        ensure!(one(&mut here, &name).await?.columns.len() == 1 && here.describe(&[new]).await?.is_empty());
        Ok(())
    }

    /// A reader on the target keeps an ALTER from beginning; it gives up soon, and others wait no longer than that.
    async fn an_alter_does_not_wait_long_for_a_reader(kind: Kind) -> Result<()> {
        let (_, target) = ends(kind).await?;
        script(&pair(kind).await?.target, "CREATE DATABASE altering_wait; CREATE TABLE altering_wait.t (id INT);").await?;
        let mut shape = TargetShape::open(&target).await?;
        shape.guard(&lease(&target, "altering_wait").await?).await?;
        let mut reader = Session::open(&target, "test").await?;
        reader.run("read", "START TRANSACTION; SELECT * FROM altering_wait.t").await?;
        let name = TableName::new("altering_wait", "t");
        let wanted = "CREATE TABLE `t` (\n  `id` int DEFAULT NULL,\n  `b` int DEFAULT NULL\n) ENGINE=InnoDB";
        let statements = shape.alteration(&name, wanted, &Alteration::default()).await?;
        let fault = shape.alter(&name, &statements[0], RowsMeanwhile::Waiting).await.unwrap_err();
        ensure!(fault.kind == FaultKind::Conflict, "{fault}");
        reader.run("end", "COMMIT").await?;
        shape.alter(&name, &statements[0], RowsMeanwhile::Waiting).await?;
        Ok(())
    }

    /// What cannot be done while rows are written is refused, and not done at their cost.
    async fn rows_that_are_written_do_not_wait_for_an_alter(kind: Kind) -> Result<()> {
        let (_, target) = ends(kind).await?;
        let made = "CREATE DATABASE altering_rows; CREATE TABLE altering_rows.t (id INT PRIMARY KEY, a TEXT);";
        script(&pair(kind).await?.target, made).await?;
        let mut shape = TargetShape::open(&target).await?;
        shape.guard(&lease(&target, "altering_rows").await?).await?;
        let name = TableName::new("altering_rows", "t");
        let wanted = |keys: &str| {
            format!("CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `a` text DEFAULT NULL,\n  PRIMARY KEY (`id`){keys}\n) E")
        };
        let plain = shape.alteration(&name, &wanted(",\n  KEY `k` (`a`(9))"), &Alteration::default()).await?;
        let plain = plain.last().context("an index")?;
        shape.alter(&name, plain, RowsMeanwhile::Written).await.with_context(|| format!("{plain:?}"))?;
        let text = shape.alteration(&name, &wanted(",\n  FULLTEXT KEY `f` (`a`)"), &Alteration::default()).await?;
        let text = text.last().context("an index")?;
        let fault = shape.alter(&name, text, RowsMeanwhile::Written).await.unwrap_err();
        ensure!(matches!(fault.kind, FaultKind::Server(1845 | 1846)), "{fault}");
        shape.alter(&name, text, RowsMeanwhile::Waiting).await?;
        Ok(())
    }
}
