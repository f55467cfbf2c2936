//! Whole samples: surveyed on one server, made on another, and found equal by their own SHOW CREATE.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use leeward_core::name::TableName;
use leeward_core::port::{DefinerKept, Indexes, Shape, Shapes, TablePart};
use leeward_core::server::Observed;
use leeward_core::survey::{ObjectKind, Survey};
use leeward_mysql::endpoint::Endpoint;
use leeward_mysql::shape::{ServerShapes, TargetShape};
use leeward_testkit::sample;
use leeward_testkit::servers::{Kind, pair, skip};

use crate::setup::{account, ends, prints, script, surveyed};

/// Tables whose history or state no SELECT shows; the planner leaves them out.
fn is_copied(engine: &str) -> bool {
    !engine.contains('(')
}

/// Makes everything that the survey saw on the target, in the order in which `seed` does, and returns whose rights the
/// objects got.
async fn make_all(source: &Endpoint, target: &Endpoint, survey: &Survey) -> Result<Vec<DefinerKept>> {
    let names: Vec<TableName> =
        survey.tables.iter().filter(|seen| is_copied(&seen.table.engine)).map(|seen| seen.table.name.clone()).collect();
    let ddl = ServerShapes::open(source).await?.table_ddl(&names).await?;
    ensure!(ddl.len() == names.len(), "{} of {} definitions came", ddl.len(), names.len());
    let mut shape = TargetShape::open(target).await?;
    shape.create_schemas(&survey.schemas).await?;
    ensure!(shape.existing(&names).await?.is_empty());
    for (at, (name, ddl)) in ddl.iter().enumerate() {
        let indexes = if at % 2 == 0 { Indexes::WithTable } else { Indexes::AfterRows };
        shape.create_table(name, ddl, indexes).await.with_context(|| format!("create {name}"))?;
    }
    let asked: Vec<(&TableName, &str)> = ddl.iter().map(|(name, ddl)| (name, ddl.as_str())).collect();
    let lacking = shape.incomplete(&asked, TablePart::Indexes).await?;
    let late: Vec<&TableName> = names.iter().skip(1).step_by(2).collect();
    ensure!(lacking.iter().all(|name| late.contains(&name)), "{lacking:?} lack indexes");
    // Twice: a seed that was killed asks again for what is there already.
    for part in [TablePart::Indexes, TablePart::Indexes, TablePart::ForeignKeys, TablePart::ForeignKeys] {
        for (name, ddl) in &ddl {
            shape.complete_table(name, ddl, part).await.with_context(|| format!("complete {name}"))?;
        }
    }
    for part in [TablePart::Indexes, TablePart::ForeignKeys] {
        ensure!(shape.incomplete(&asked, part).await?.is_empty(), "{part:?}");
    }
    ensure!(shape.existing(&names).await? == names);
    let kept = make_objects(&mut shape, survey).await?;
    shape.close().await;
    Ok(kept)
}

/// A view may need another that sorts after it, so what fails is tried again while anything succeeds.
async fn make_objects(shape: &mut TargetShape, survey: &Survey) -> Result<Vec<DefinerKept>> {
    let made = |kind| matches!(kind, ObjectKind::View | ObjectKind::Function | ObjectKind::Procedure);
    let mut waiting: Vec<_> = survey.objects.iter().filter(|object| made(object.kind)).collect();
    let mut kept = Vec::new();
    loop {
        let mut failed = Vec::new();
        let mut last = None;
        for object in &waiting {
            match shape.create_object(object).await {
                Ok(definer) => kept.push(definer),
                Err(fault) => {
                    failed.push(*object);
                    last = Some(fault);
                }
            }
        }
        match last {
            None => return Ok(kept),
            Some(fault) if failed.len() == waiting.len() => return Err(fault.into()),
            Some(_) => waiting = failed,
        }
    }
}

/// Returns a table's DDL without its counter, which rows move, and with its indexes in order: the one that a counter
/// needs is made before the others.
fn comparable(ddl: &str) -> String {
    let ddl = match ddl.split_once(" AUTO_INCREMENT=") {
        Some((before, after)) => format!("{before}{}", after.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => ddl.to_owned(),
    };
    let is_index = |line: &&str| line.starts_with("  KEY ");
    let mut indexes: Vec<&str> = ddl.lines().filter(is_index).map(|line| line.trim_end_matches(',')).collect();
    indexes.sort_unstable();
    let rest: Vec<&str> = ddl.lines().filter(|line| !is_index(line)).map(|line| line.trim_end_matches(',')).collect();
    format!("{}\n{}", rest.join("\n"), indexes.join("\n"))
}

async fn ensure_equal(source: &Endpoint, target: &Endpoint, schemas: &[&str]) -> Result<()> {
    ensure_equal_tables(source, target, schemas).await?;
    let (there, here) = (surveyed(source, schemas).await?, surveyed(target, schemas).await?);
    let made = |survey: &Survey| -> BTreeMap<(ObjectKind, TableName), Observed<String>> {
        let kinds = [ObjectKind::View, ObjectKind::Function, ObjectKind::Procedure];
        let objects = survey.objects.iter().filter(|object| kinds.contains(&object.kind));
        objects.map(|object| ((object.kind, object.name.clone()), object.ddl.clone())).collect()
    };
    ensure!(made(&there) == made(&here), "{:#?}\n{:#?}", made(&there), made(&here));
    Ok(())
}

async fn ensure_equal_tables(source: &Endpoint, target: &Endpoint, schemas: &[&str]) -> Result<()> {
    let there = surveyed(source, schemas).await?;
    let names: Vec<String> = schemas.iter().map(|name| (*name).to_owned()).collect();
    let (mut source, mut target) = (ServerShapes::open(source).await?, ServerShapes::open(target).await?);
    let tables: Vec<TableName> =
        there.tables.iter().filter(|seen| is_copied(&seen.table.engine)).map(|seen| seen.table.name.clone()).collect();
    let (ours, theirs) = (source.table_ddl(&tables).await?, target.table_ddl(&tables).await?);
    ensure!(ours.len() == tables.len());
    for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        ensure!(comparable(ours) == comparable(theirs), "{name}:\n{ours}\n{theirs}");
    }
    let fingerprints = prints(&target.definitions(&names).await?);
    for (name, fingerprint) in prints(&source.definitions(&names).await?) {
        ensure!(fingerprints.get(&name) == Some(&fingerprint) || !tables.contains(&name), "fingerprint of {name}");
    }
    let (ours, theirs) = (source.describe(&tables).await?, target.describe(&tables).await?);
    ensure!(ours.len() == tables.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        ensure!(ours == theirs, "{ours:#?}\n{theirs:#?}");
    }
    Ok(())
}

leeward_testkit::each_kind! {
    async fn the_projects_sample_is_made_as_it_was_t31(kind: Kind) -> Result<()> {
        let (source, target) = ends(kind).await?;
        let mut conn = pair(kind).await?.source.connect().await?;
        sample::load_harbor_as(&mut conn, "shape_harbor").await?;
        let survey = surveyed(&source, &["shape_harbor"]).await?;
        ensure!(survey.tables.len() > 30 && survey.objects.len() == 12, "{} objects", survey.objects.len());
        let kept = make_all(&source, &target, &survey).await?;
        ensure!(kept.iter().all(|kept| *kept == DefinerKept::Kept), "{kept:?}");
        ensure_equal(&source, &target, &["shape_harbor"]).await
    }

    async fn sakila_is_made_as_it_was_t31(kind: Kind) -> Result<()> {
        let Some(folder) = sample::locate_sakila() else {
            return skip("sakila_is_made_as_it_was_t31", kind, "sakila is not there");
        };
        let (source, target) = ends(kind).await?;
        let mut conn = pair(kind).await?.source.connect().await?;
        sample::load_sakila(&mut conn, &folder).await?;
        let survey = surveyed(&source, &[sample::SAKILA]).await?;
        ensure!(survey.tables.len() == 16, "{}", survey.tables.len());
        let kept = make_all(&source, &target, &survey).await?;
        ensure!(kept.iter().all(|kept| *kept == DefinerKept::Kept), "{kept:?}");
        ensure_equal(&source, &target, &[sample::SAKILA]).await
    }

    /// Neither side's account holds SUPER, a global lock, or the right to name root as a definer.
    async fn accounts_such_as_rds_gives_are_enough(kind: Kind) -> Result<()> {
        let (source, target) = ends(kind).await?;
        let servers = pair(kind).await?;
        let mut conn = servers.source.connect().await?;
        sample::load_harbor_as(&mut conn, "shape_rds").await?;
        servers.source.create_reader("rds_reader", "pw", &["TRIGGER", "EVENT"]).await?;
        servers.target.create_rds_like_admin("rds_admin", "pw").await?;
        let (source, target) = (account(&source, "rds_reader"), account(&target, "rds_admin"));
        let survey = surveyed(&source, &["shape_rds"]).await?;
        ensure!(survey.objects.iter().all(|object| object.ddl.known().is_some()), "{:?}", survey.objects);
        let kept = make_all(&source, &target, &survey).await?;
        // MariaDB lets only SET USER name another definer; MySQL lets nobody name one who holds SYSTEM_USER, as root does.
        ensure!(kept == [DefinerKept::Replaced; 7], "{kept:?}");
        ensure_equal_tables(&source, &target, &["shape_rds"]).await
    }

    async fn names_and_definitions_chosen_to_mislead_are_made_as_they_were(kind: Kind) -> Result<()> {
        let (source, target) = ends(kind).await?;
        script(&pair(kind).await?.source, &misleading(kind)).await?;
        let schemas = ["shape_nasty", "shape_nasty2"];
        let survey = surveyed(&source, &schemas).await?;
        let kept = make_all(&source, &target, &survey).await?;
        ensure!(kept.iter().all(|kept| *kept == DefinerKept::Kept), "{kept:?}");
        ensure_equal(&source, &target, &schemas).await
    }
}

/// Every form of definition that has misled a tool, or could.
fn misleading(kind: Kind) -> String {
    let own = match kind {
        Kind::MariaDb => include_str!("mariadb.sql"),
        Kind::MySql => include_str!("mysql.sql"),
    };
    format!("{}\n{own}", include_str!("both.sql"))
}
