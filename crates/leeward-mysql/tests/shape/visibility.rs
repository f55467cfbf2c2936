//! What a survey says when privileges are missing: never that there is nothing.

use anyhow::{Context, Result, ensure};
use leeward_core::fault::FaultKind;
use leeward_core::server::Observed;
use leeward_core::survey::{ObjectKind, Survey};
use leeward_mysql::survey::HIDDEN;
use leeward_testkit::servers::{Kind, pair};

use crate::setup::{account, ends, script, surveyed, table};

/// Returns the reason why something of this kind and name is unknown.
fn unknown<'a>(survey: &'a Survey, kind: ObjectKind, name: &str) -> Option<&'a str> {
    let object = survey.objects.iter().find(|object| object.kind == kind && object.name.table == name)?;
    match &object.ddl {
        Observed::Known(_) => None,
        Observed::Unknown(why) => Some(why),
    }
}

async fn make(kind: Kind, database: &str) -> Result<()> {
    let sql = format!(
        "CREATE DATABASE {database}; USE {database};
         CREATE TABLE p (id INT PRIMARY KEY);
         CREATE TABLE t (id INT PRIMARY KEY, p INT, CONSTRAINT fk FOREIGN KEY (p) REFERENCES p (id)
           ON DELETE SET NULL ON UPDATE CASCADE);
         CREATE VIEW v AS SELECT id FROM t;
         CREATE TRIGGER trg BEFORE INSERT ON t FOR EACH ROW SET @x = 1;
         CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1;
         CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM t;"
    );
    script(&pair(kind).await?.source, &sql).await
}

leeward_testkit::each_kind! {
    /// The account of the README: SELECT and PROCESS, nothing else.
    async fn select_and_process_are_enough_for_tables_and_the_fence(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        make(kind, "visible_some").await?;
        pair(kind).await?.source.create_account("sees_some", "pw", "SELECT, PROCESS").await?;
        let survey = surveyed(&account(&source, "sees_some"), &["visible_some"]).await?;
        ensure!(survey.fence == Observed::Known(()) && survey.server.is_replica == Observed::Known(false));
        let keys = &table(&survey, "visible_some", "t")?.table.foreign_keys;
        ensure!(keys[0].on_delete == "SET NULL" && keys[0].on_update == "CASCADE", "hidden on MariaDB: {keys:?}");
        ensure!(unknown(&survey, ObjectKind::View, "v").is_some_and(|why| why.contains("SHOW VIEW")));
        ensure!(unknown(&survey, ObjectKind::Trigger, HIDDEN).is_some_and(|why| why.contains("TRIGGER")));
        ensure!(unknown(&survey, ObjectKind::Event, HIDDEN).is_some_and(|why| why.contains("EVENT")));
        // SELECT on everything shows routines on both.
        ensure!(survey.objects.iter().any(|object| object.name.table == "f" && object.ddl.known().is_some()));
        ensure!(unknown(&survey, ObjectKind::Function, HIDDEN).is_none());
        Ok(())
    }

    async fn whatever_is_hidden_is_unknown(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        make(kind, "visible_few").await?;
        pair(kind).await?.source.create_account("sees_few", "pw", "USAGE").await?;
        script(&pair(kind).await?.source, "GRANT SELECT ON visible_few.* TO sees_few").await?;
        let few = account(&source, "sees_few");
        let survey = surveyed(&few, &["visible_few"]).await?;
        let why = |observed: &Observed<()>| match observed {
            Observed::Unknown(why) => why.clone(),
            Observed::Known(()) => String::new(),
        };
        ensure!(why(&survey.fence).contains("PROCESS"), "{:?}", survey.fence);
        ensure!(matches!(survey.server.is_replica, Observed::Unknown(_)));
        ensure!(survey.tables.iter().all(|seen| matches!(seen.writes, Observed::Unknown(_))));
        for kind in [ObjectKind::Function, ObjectKind::Procedure, ObjectKind::Trigger, ObjectKind::Event] {
            unknown(&survey, kind, HIDDEN).with_context(|| format!("{kind:?}"))?;
        }
        let fault = surveyed(&few, &["visible_few", "visible_some_other"]).await.unwrap_err();
        ensure!(fault.kind == FaultKind::UnknownDatabase("visible_some_other".to_owned()), "{fault}");
        Ok(())
    }

    async fn a_table_that_may_not_be_read_whole_is_an_error(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        make(kind, "visible_part").await?;
        pair(kind).await?.source.create_account("sees_part", "pw", "USAGE").await?;
        let grant = "GRANT SELECT ON visible_part.p TO sees_part; GRANT INSERT ON visible_part.t TO sees_part";
        script(&pair(kind).await?.source, grant).await?;
        let fault = surveyed(&account(&source, "sees_part"), &["visible_part"]).await.unwrap_err();
        let FaultKind::MissingGrant(grant) = &fault.kind else { anyhow::bail!("{fault}") };
        ensure!(grant.contains("SELECT") && fault.table.as_ref().is_some_and(|name| name.table == "t"), "{fault}");
        Ok(())
    }
}
