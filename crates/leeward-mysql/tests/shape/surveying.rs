//! What a survey says of tables made for the purpose.

use anyhow::{Context, Result, ensure};
use leeward_core::fault::FaultKind;
use leeward_core::name::{Side, TableName};
use leeward_core::server::{Flavor, Observed};
use leeward_core::survey::ObjectKind;
use leeward_core::table::{Generated, Nullability};
use leeward_mysql::survey::UNUSED_INDEX;
use leeward_testkit::servers::{Kind, Server, ServerOptions, pair};

use crate::setup::{account, endpoint, ends, script, surveyed, table};

const TABLES: &str = "
    CREATE DATABASE surveying CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; USE surveying;
    CREATE TABLE p (id BIGINT UNSIGNED PRIMARY KEY, other INT, KEY (other));
    CREATE TABLE t (
      id INT UNSIGNED NOT NULL AUTO_INCREMENT,
      at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
      made TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
      maybe DATETIME NULL,
      name VARCHAR(20) CHARACTER SET latin1 NOT NULL,
      virt INT GENERATED ALWAYS AS (hid + 1) VIRTUAL,
      kept INT GENERATED ALWAYS AS (hid + 2) STORED,
      hid INT NOT NULL DEFAULT 4 INVISIBLE,
      pid BIGINT UNSIGNED,
      body TEXT,
      place POINT NOT NULL /*!80003 SRID 0 */,
      PRIMARY KEY (id, name(5)), UNIQUE KEY u (name, id), KEY at_index (at, id), KEY pid_index (pid),
      FULLTEXT KEY words (body), SPATIAL KEY places (place),
      CONSTRAINT fk FOREIGN KEY (pid) REFERENCES p (id) ON DELETE CASCADE ON UPDATE SET NULL
    );
    CREATE TABLE few (id INT PRIMARY KEY, seen_at DATETIME NULL, due DATETIME NULL, KEY (due));
    INSERT INTO few VALUES (1, '2020-01-01', '2020-01-01'), (2, NULL, '2999-01-01');
    CREATE TABLE many (id INT PRIMARY KEY AUTO_INCREMENT, a DATETIME NULL, b DATETIME NULL, c TIMESTAMP NOT NULL,
      KEY (b));
    INSERT INTO many (a, b, c) VALUES (NOW(), NOW(), NOW());
    CREATE TABLE none (id INT PRIMARY KEY, at DATETIME);
    CREATE TABLE parted (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2;
    CREATE TABLE isam (id INT PRIMARY KEY) ENGINE=MyISAM;
    CREATE VIEW v AS SELECT id FROM t;
    CREATE TRIGGER trg BEFORE INSERT ON t FOR EACH ROW SET NEW.name = 'é😀';
    CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM few;
    CREATE DATABASE surveying_empty;";

leeward_testkit::each_kind! {
    async fn everything_that_a_plan_rests_on_is_seen_t35_t39(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        let server = &pair(kind).await?.source;
        script(server, TABLES).await?;
        for _ in 0..11 {
            script(server, "INSERT INTO surveying.many (a, b, c) SELECT a, b, c FROM surveying.many").await?;
        }
        let survey = surveyed(&source, &["surveying", "surveying_empty", "surveying"]).await?;
        server_is_seen(&survey, kind)?;
        shape_is_seen(&survey, kind)?;
        evidence_is_seen(&survey, kind)?;
        objects_are_seen(&survey)
    }

    async fn missing_databases_are_named_all_at_once(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        let fault = surveyed(&source, &["mysql", "no_such_a", "no_such_b"]).await.unwrap_err();
        ensure!(fault.kind == FaultKind::UnknownDatabase("no_such_a, no_such_b".to_owned()), "{fault}");
        Ok(())
    }

    /// Without a list every database is surveyed but those of the server and of Leeward.
    async fn no_list_of_databases_means_all_that_are_the_users_own(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        script(&pair(kind).await?.source, "CREATE DATABASE surveyed_unasked;").await?;
        let survey = surveyed(&source, &[]).await?;
        let system = |name: &str| leeward_core::name::SYSTEM_SCHEMAS.contains(&name);
        ensure!(survey.schemas.iter().any(|schema| schema.name == "surveyed_unasked"));
        ensure!(!survey.schemas.iter().any(|schema| system(&schema.name)), "{:?}", survey.schemas);
        Ok(())
    }
}

fn server_is_seen(survey: &leeward_core::survey::Survey, kind: Kind) -> Result<()> {
    let flavor = match kind {
        Kind::MariaDb => Flavor::MariaDb,
        Kind::MySql => Flavor::MySql,
    };
    ensure!(survey.server.flavor == flavor && survey.server.identity.len() >= 32, "{:?}", survey.server);
    ensure!(survey.server.is_replica == Observed::Known(false));
    ensure!(survey.fence == Observed::Known(()));
    for name in ["lower_case_table_names", "max_allowed_packet", "time_zone", "local_infile"] {
        ensure!(survey.server.variables.contains_key(name), "{name}");
    }
    let schemas: Vec<(&str, &str)> =
        survey.schemas.iter().map(|schema| (schema.name.as_str(), schema.collation.as_str())).collect();
    ensure!(schemas[0] == ("surveying", "utf8mb4_bin") && schemas[1].0 == "surveying_empty" && schemas.len() == 2);
    let names: Vec<&str> = survey.tables.iter().map(|seen| seen.table.name.table.as_str()).collect();
    ensure!(names == ["few", "isam", "many", "none", "p", "parted", "t"], "{names:?}");
    Ok(())
}

fn shape_is_seen(survey: &leeward_core::survey::Survey, kind: Kind) -> Result<()> {
    let seen = &table(survey, "surveying", "t")?.table;
    let column = |name: &str| seen.column(name).with_context(|| name.to_owned());
    ensure!(column("id")?.auto_increment && column("id")?.column_type.ends_with("unsigned"));
    ensure!(column("at")?.on_update_now && column("at")?.fsp == 3 && column("at")?.generated.is_none(), "T39");
    ensure!(!column("made")?.on_update_now && column("made")?.fsp == 6 && column("made")?.generated.is_none());
    ensure!(column("maybe")?.nullable == Nullability::Nullable && column("at")?.nullable == Nullability::NotNull);
    ensure!(column("name")?.charset.as_deref() == Some("latin1"));
    ensure!(column("virt")?.generated == Some(Generated::Virtual));
    ensure!(column("kept")?.generated == Some(Generated::Stored));
    ensure!(column("kept")?.default.as_deref().is_some_and(|expression| expression.contains("+ 2")));
    ensure!(column("hid")?.invisible && !column("id")?.invisible);
    let key = |name: &str| seen.keys.iter().find(|key| key.name == name).with_context(|| name.to_owned());
    ensure!(seen.keys[0].name == "PRIMARY" && key("PRIMARY")?.parts[1].prefix_chars == Some(5));
    ensure!(seen.row_key_name() == Some("u"), "a prefix does not tell rows apart");
    ensure!(key("words")?.method == "FULLTEXT" && key("places")?.method == "SPATIAL");
    ensure!(key("places")?.parts[0].prefix_chars.is_none());
    let foreign = &seen.foreign_keys[0];
    ensure!(foreign.parent == TableName::new("surveying", "p") && foreign.parent_columns == ["id"], "{foreign:?}");
    ensure!((foreign.on_delete.as_str(), foreign.on_update.as_str()) == ("CASCADE", "SET NULL"));
    ensure!(table(survey, "surveying", "parted")?.table.partitioned && !seen.partitioned);
    ensure!(!table(survey, "surveying", "isam")?.table.transactional());
    ensure!(kind == Kind::MariaDb || seen.engine == "InnoDB");
    Ok(())
}

fn evidence_is_seen(survey: &leeward_core::survey::Survey, kind: Kind) -> Result<()> {
    let clock = |table_name: &str, name: &str| {
        let seen = table(survey, "surveying", table_name)?;
        seen.clocks.iter().find(|clock| clock.column == name).cloned().with_context(|| name.to_owned())
    };
    ensure!(table(survey, "surveying", "many")?.rows_at_least == 1000, "counted up to a bound");
    ensure!(table(survey, "surveying", "few")?.rows_at_least == 2);
    ensure!(table(survey, "surveying", "none")?.rows_at_least == 0);
    ensure!(clock("few", "seen_at")?.has_nulls == Observed::Known(true), "a small table is looked through");
    ensure!(clock("few", "seen_at")?.has_future == Observed::Known(false));
    ensure!(clock("few", "due")?.has_future == Observed::Known(true) && clock("few", "due")?.index.is_some());
    ensure!(matches!(clock("many", "a")?.has_nulls, Observed::Unknown(_)), "no scan of a large table");
    ensure!(matches!(clock("many", "a")?.has_future, Observed::Unknown(_)));
    ensure!(clock("many", "b")?.has_nulls == Observed::Known(false) && clock("many", "b")?.index.is_some());
    ensure!(clock("many", "c")?.has_nulls == Observed::Known(false), "NOT NULL");
    ensure!(clock("none", "at")?.has_nulls == Observed::Known(false));
    let writes = &table(survey, "surveying", "many")?.writes;
    match kind {
        // The rows were written by INSERT alone.
        Kind::MySql => {
            let counted = writes.known().context("performance_schema counts")?;
            ensure!(counted.inserts == 2048 && counted.updates == 0 && counted.deletes == 0, "{counted:?}");
            let none = table(survey, "surveying", "none")?.writes.known().context("nothing was written")?;
            ensure!((none.inserts, none.updates, none.deletes) == (0, 0, 0));
        }
        Kind::MariaDb => ensure!(matches!(writes, Observed::Unknown(why) if why.contains("userstat")), "{writes:?}"),
    }
    Ok(())
}

fn objects_are_seen(survey: &leeward_core::survey::Survey) -> Result<()> {
    let kinds: Vec<ObjectKind> = survey.objects.iter().map(|object| object.kind).collect();
    ensure!(kinds == [ObjectKind::View, ObjectKind::Trigger, ObjectKind::Event], "{:?}", survey.objects);
    for (object, word) in survey.objects.iter().zip(["VIEW `surveying`.`v`", "'é😀'", "EVERY 1 DAY"]) {
        let ddl = object.ddl.known().with_context(|| format!("{:?}", object.ddl))?;
        ensure!(ddl.contains(word) && object.definer.starts_with("root@"), "{object:?}");
    }
    ensure!(survey.objects[1].on_table == Some(TableName::new("surveying", "t")));
    ensure!(survey.objects[1].sql_mode.contains("STRICT_TRANS_TABLES") && survey.objects[2].status == "DISABLED");
    Ok(())
}

leeward_testkit::each_kind! {
    async fn an_index_that_the_optimizer_ignores_is_no_evidence(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        let unused = match kind {
            Kind::MariaDb => "IGNORED",
            Kind::MySql => "INVISIBLE",
        };
        let sql = format!(
            "CREATE DATABASE surveying_unused; USE surveying_unused;
             CREATE TABLE t (id INT PRIMARY KEY, at DATETIME NULL, KEY k (at) {unused});"
        );
        script(&pair(kind).await?.source, &sql).await?;
        let survey = surveyed(&source, &["surveying_unused"]).await?;
        let seen = table(&survey, "surveying_unused", "t")?;
        ensure!(seen.table.keys[1].method == UNUSED_INDEX && seen.clocks[0].index.is_none(), "{seen:?}");
        Ok(())
    }
}

leeward_testkit::each_kind! {
    /// Its source is nowhere; the threads that look for it are there.
    async fn a_replica_is_known_by_its_state_or_its_threads(kind: Kind) -> Result<()> {
        let server = Server::start(kind, ServerOptions::default()).await?;
        let root = endpoint(&server, Side::Source);
        ensure!(surveyed(&root, &[]).await?.server.is_replica == Observed::Known(false));
        server.create_account("watcher", "pw", "SELECT, PROCESS").await?;
        server.create_account("blind", "pw", "SELECT").await?;
        let sql = match kind {
            Kind::MariaDb => "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='u'; START SLAVE;",
            Kind::MySql => {
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=1, SOURCE_USER='u'; START REPLICA;"
            }
        };
        script(&server, sql).await?;
        for user in [None, Some("watcher")] {
            let who = user.map_or(root.clone(), |user| account(&root, user));
            ensure!(surveyed(&who, &[]).await?.server.is_replica == Observed::Known(true), "as {user:?}");
        }
        let blind = surveyed(&account(&root, "blind"), &[]).await?;
        ensure!(matches!(&blind.server.is_replica, Observed::Unknown(why) if why.contains("PROCESS")), "{blind:?}");
        Ok(())
    }
}
