//! Single steps of making: what is refused, whose rights an object gets, and the ALTER that is printed for a person.

use anyhow::{Context, Result, ensure};
use leeward_core::alteration::Alteration;
use leeward_core::fault::FaultKind;
use leeward_core::name::TableName;
use leeward_core::port::{DefinerKept, Indexes, Shape, Shapes, TablePart};
use leeward_core::server::Observed;
use leeward_core::survey::{ObjectFacts, ObjectKind, SchemaFacts};
use leeward_mysql::session::Session;
use leeward_mysql::shape::{ServerShapes, TargetShape};
use leeward_testkit::servers::{Kind, pair};

use crate::setup::{account, ends, prints, script};

/// A function as SHOW CREATE FUNCTION prints it.
fn function(database: &str, definer: &str, body: &str) -> ObjectFacts {
    ObjectFacts {
        kind: ObjectKind::Function,
        name: TableName::new(database, "f"),
        definer: definer.replace('`', ""),
        on_table: None,
        ddl: Observed::Known(format!(
            "CREATE DEFINER={definer} FUNCTION `f`() RETURNS int\n    DETERMINISTIC\nRETURN {body}"
        )),
        sql_mode: "PIPES_AS_CONCAT".to_owned(),
        status: String::new(),
    }
}

leeward_testkit::each_kind! {
    async fn a_table_that_is_there_is_never_made_again(kind: Kind) -> Result<()> {
        let (_, target) = ends(kind).await?;
        script(&pair(kind).await?.target, "CREATE DATABASE making_twice; CREATE TABLE making_twice.t (a INT);").await?;
        let mut shape = TargetShape::open(&target).await?;
        let name = TableName::new("making_twice", "t");
        let gone = TableName::new("making_twice", "gone");
        ensure!(shape.existing(&[gone.clone(), name.clone()]).await? == std::slice::from_ref(&name));
        let ddl = "CREATE TABLE `t` (\n  `a` int DEFAULT NULL\n) ENGINE=InnoDB";
        let fault = shape.create_table(&name, ddl, Indexes::AfterRows).await.unwrap_err();
        ensure!(fault.kind == FaultKind::Server(1050) && fault.table == Some(name), "{fault}");
        let fault = shape.complete_table(&gone, ddl, TablePart::Indexes).await.unwrap_err();
        ensure!(fault.kind == FaultKind::TableMissing, "{fault}");
        let versioned = "CREATE TABLE `v` (\n  `a` int\n) ENGINE=InnoDB WITH SYSTEM VERSIONING";
        let fault = shape.create_table(&gone, versioned, Indexes::AfterRows).await.unwrap_err();
        ensure!(matches!(&fault.kind, FaultKind::Refused(why) if why.contains("system versioning")), "{fault}");
        Ok(())
    }

    async fn databases_get_the_sources_collation_t31(kind: Kind) -> Result<()> {
        let (_, target) = ends(kind).await?;
        let mut shape = TargetShape::open(&target).await?;
        let schema = SchemaFacts { name: "making `db".to_owned(), collation: "latin1_german1_ci".to_owned() };
        for _ in 0..2 {
            shape.create_schemas(std::slice::from_ref(&schema)).await?;
        }
        let mut session = Session::open(&target, "test").await?;
        let query = "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='making `db'";
        let row = session.row("look", query).await?.context("the database was made")?;
        ensure!(row.get::<String, _>(0).as_deref() == Some("latin1_german1_ci"));
        Ok(())
    }

    /// A foreign definer needs more than an RDS master user of MariaDB holds (`rds.md` §1.1).
    async fn a_definer_is_replaced_only_where_it_is_refused_t31(kind: Kind) -> Result<()> {
        let (_, target) = ends(kind).await?;
        let server = &pair(kind).await?.target;
        script(server, "CREATE DATABASE making_definer;").await?;
        server.create_account("plain_maker", "pw", "ALL PRIVILEGES").await?;
        let mut admin = Session::open(&target, "test").await?;
        let strip = match kind {
            Kind::MariaDb => "REVOKE SUPER, SET USER ON *.* FROM plain_maker",
            Kind::MySql => "REVOKE SUPER, SET_ANY_DEFINER, ALLOW_NONEXISTENT_DEFINER ON *.* FROM plain_maker",
        };
        admin.run("strip", strip).await?;
        let foreign = function("making_definer", "`some``body`@`%`", "1");
        let mut plain = TargetShape::open(&account(&target, "plain_maker")).await?;
        ensure!(plain.create_object(&foreign).await? == DefinerKept::Replaced);
        ensure!(plain.create_object(&foreign).await? == DefinerKept::Replaced, "the same is not made again");
        let mut shape = TargetShape::open(&target).await?;
        let changed = function("making_definer", "`some``body`@`%`", "2");
        ensure!(shape.create_object(&changed).await? == DefinerKept::Kept);
        ensure!(shape.create_object(&changed).await? == DefinerKept::Kept, "the same is not made again");
        let query = "SELECT DEFINER,SQL_MODE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA='making_definer'";
        let row = admin.row("look", query).await?.context("the function is there")?;
        ensure!(row.get::<String, _>(0).as_deref() == Some("some`body@%"));
        ensure!(row.get::<String, _>(1).as_deref() == Some("PIPES_AS_CONCAT"));
        let row = admin.row("call", "SELECT making_definer.f()").await;
        ensure!(row.is_err(), "its definer does not exist on this server");
        Ok(())
    }

    async fn what_cannot_be_read_is_not_made_up(kind: Kind) -> Result<()> {
        let (_, target) = ends(kind).await?;
        let mut shape = TargetShape::open(&target).await?;
        let hidden = ObjectFacts {
            ddl: Observed::Unknown("its body is not shown".to_owned()),
            ..function("making_hidden", "`a`@`b`", "1")
        };
        let fault = shape.create_object(&hidden).await.unwrap_err();
        ensure!(matches!(&fault.kind, FaultKind::Refused(why) if why.contains("not shown")), "{fault}");
        Ok(())
    }

    async fn the_alter_that_is_printed_helps(kind: Kind) -> Result<()> {
        let (source, target) = ends(kind).await?;
        let servers = pair(kind).await?;
        let old = "CREATE DATABASE making_alter; USE making_alter; CREATE TABLE p (id INT PRIMARY KEY);\
                   CREATE TABLE t (id INT PRIMARY KEY, gone INT, v INT, KEY g (gone));";
        let new = "CREATE DATABASE making_alter; USE making_alter; CREATE TABLE p (id INT PRIMARY KEY);\
                   CREATE TABLE t (first INT, id INT, v BIGINT NOT NULL DEFAULT 3, w VARCHAR(9) CHARACTER SET latin1 \
                   DEFAULT 'é', p INT, PRIMARY KEY (id, v), UNIQUE KEY u (w), KEY k (v), FULLTEXT KEY f (w), \
                   CONSTRAINT fk FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL);";
        script(&servers.source, new).await?;
        script(&servers.target, old).await?;
        let name = TableName::new("making_alter", "t");
        let mut there = ServerShapes::open(&source).await?;
        let mut here = ServerShapes::open(&target).await?;
        let mut shape = TargetShape::open(&target).await?;
        let ddl = there.table_ddl(std::slice::from_ref(&name)).await?.remove(0).1;
        let schemas = ["making_alter".to_owned()];
        ensure!(prints(&there.definitions(&schemas).await?) != prints(&here.definitions(&schemas).await?));
        let none = Alteration::default();
        let statements = shape.alteration(&name, &ddl, &none).await?;
        ensure!(statements[0].sql.contains("DROP COLUMN `gone`") && statements.len() >= 3, "{statements:?}");
        // A person pastes them into a client that speaks utf8mb4.
        let mut session = Session::open(&target, "test").await?;
        session.run("speak utf8mb4", "SET NAMES utf8mb4").await?;
        for statement in &statements {
            session.run("alter", &statement.sql).await.with_context(|| statement.sql.clone())?;
        }
        let left = shape.alteration(&name, &ddl, &none).await?;
        ensure!(left.is_empty(), "{left:?}");
        ensure!(prints(&there.definitions(&schemas).await?) == prints(&here.definitions(&schemas).await?));
        ensure!(here.table_ddl(std::slice::from_ref(&name)).await?[0].1 == ddl);
        let unmade = TableName::new("making_alter", "unmade");
        let statements = shape.alteration(&unmade, &ddl, &none).await?;
        ensure!(statements[0].sql.starts_with("CREATE TABLE `making_alter`.`unmade`"), "{statements:?}");
        Ok(())
    }
}
