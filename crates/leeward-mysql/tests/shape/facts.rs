//! What is collected for the preflight and for readiness.

use anyhow::{Context, Result, ensure};
use leeward_core::doctor::{Route, SideFacts, SideSeen};
use leeward_core::name::TableName;
use leeward_core::port::{Control, Event};
use leeward_core::readiness::{AccountKind, Dated};
use leeward_core::server::Observed;
use leeward_core::survey::{ObjectFacts, ObjectKind};
use leeward_mysql::control::MySqlControl;
use leeward_mysql::endpoint::Endpoint;
use leeward_mysql::facts::{Scope, look, preflight};
use leeward_testkit::servers::pair;

use crate::setup::{account, ends, script};

async fn reached(endpoint: &Endpoint, schemas: &[&str]) -> Result<Box<SideFacts>> {
    let schemas: Vec<String> = schemas.iter().map(|name| (*name).to_owned()).collect();
    match preflight(endpoint, &schemas).await {
        SideSeen::Reached(facts) => Ok(facts),
        SideSeen::Unreached(unreached) => anyhow::bail!("{unreached:?}"),
    }
}

fn value<T>(seen: &Observed<Dated<T>>) -> Result<&T> {
    match seen {
        Observed::Known(dated) => Ok(&dated.value),
        Observed::Unknown(why) => anyhow::bail!("{why}"),
    }
}

const TABLES: &str = "
    CREATE DATABASE facts CHARACTER SET latin1 COLLATE latin1_german1_ci; USE facts;
    CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)
      AUTO_INCREMENT=41;
    CREATE TABLE unplanned (id INT PRIMARY KEY);
    CREATE VIEW v AS SELECT id FROM t;";

leeward_testkit::each_kind! {
    async fn the_preflight_sees_a_server_as_it_is(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        script(&pair(kind).await?.source, &TABLES.replace("facts", "facts_doctor")).await?;
        let facts = reached(&source, &["facts_doctor", "facts_nowhere"]).await?;
        ensure!(facts.account.starts_with("root@") && facts.tls.route == Route::Loopback && facts.tls.cipher.is_none());
        let clock = facts.clock.known().context("the clock was read")?;
        ensure!(clock.offset_ms.unsigned_abs() <= clock.uncertainty_ms + 1, "it is this machine's clock: {clock:?}");
        ensure!(facts.data_bytes.known().is_some_and(|bytes| *bytes >= 16384), "{:?}", facts.data_bytes);
        let used = facts.collations_used.known().context("collations are in use")?;
        ensure!(used.contains("latin1_german1_ci") && used.contains("utf8mb4_bin"), "{used:?}");
        let known = facts.collations_known.known().context("collations are known")?;
        ensure!(used.is_subset(known) && known.len() > 100);
        let schemas = facts.schemas.known().context("databases were listed")?;
        ensure!(schemas.iter().any(|schema| schema.name == "facts_doctor"));
        ensure!(!schemas.iter().any(|schema| ["mysql", "sys"].contains(&schema.name.as_str())), "{schemas:?}");
        let why = match &facts.free_bytes {
            Observed::Unknown(why) => why.clone(),
            Observed::Known(_) => String::new(),
        };
        ensure!(why.contains("FreeStorageSpace"), "no SQL tells it here: {why}");
        Ok(())
    }

    async fn a_side_that_does_not_let_us_in_is_a_finding_and_no_error(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        let SideSeen::Unreached(unreached) = preflight(&account(&source, "nobody_here"), &[]).await else {
            anyhow::bail!("nobody was let in");
        };
        ensure!(unreached.remedy.contains("--source-url"), "{unreached:?}");
        Ok(())
    }

    async fn readiness_sees_tables_definitions_counters_and_accounts(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        let server = &pair(kind).await?.source;
        script(server, &TABLES.replace("facts", "facts_ready")).await?;
        let accounts = "CREATE USER facts_locked IDENTIFIED BY 'hunter2' ACCOUNT LOCK; CREATE ROLE facts_role;
            GRANT SELECT ON facts_ready.* TO facts_role; GRANT facts_role TO facts_locked;";
        script(server, accounts).await?;
        let at = chrono::DateTime::UNIX_EPOCH.naive_utc();
        let planned = [TableName::new("facts_ready", "t"), TableName::new("facts_ready", "gone")];
        let schemas = ["facts_ready".to_owned(), "facts_nowhere".to_owned()];
        let seen = look(&source, Scope { at, schemas: &schemas, planned: &planned }).await?;
        ensure!(seen.hidden.is_empty() && seen.clock.known().is_some(), "{seen:?}");
        let state = seen.state;
        ensure!(value(&state.tables)?.len() == 2 && value(&state.objects)?.len() == 1);
        ensure!(value(&state.ddl)?.len() == 1 && value(&state.ddl)?[0].1.starts_with("CREATE TABLE"));
        ensure!(value(&state.counters)?[0].next == 41, "{:?}", state.counters);
        ensure!(value(&state.collations)?.contains("utf8mb4_bin") && !value(&state.auth_plugins)?.is_empty());
        ensure!(value(&state.schemas)?.iter().any(|schema| schema.name == "facts_ready"));
        let find = |user: &str| {
            let all = value(&state.accounts)?.iter();
            all.clone().find(|account| account.user == user).cloned().with_context(|| user.to_owned())
        };
        let (locked, role) = (find("facts_locked")?, find("facts_role")?);
        ensure!(locked.kind == AccountKind::User && locked.locked == Observed::Known(true) && !locked.plugin.is_empty());
        ensure!(role.kind == AccountKind::Role, "{role:?}");
        ensure!(role.grants.known().is_some_and(|grants| grants.unread() == 0) && locked.grants.known().is_some());
        let stored = serde_json::to_string(&state)?;
        ensure!(!stored.contains("IDENTIFIED") && !stored.contains("hunter2") && !stored.contains("$A$"), "no hash is kept");
        Ok(())
    }

    async fn what_may_not_be_read_is_unknown(kind: Kind) -> Result<()> {
        let (source, _) = ends(kind).await?;
        let server = &pair(kind).await?.source;
        script(server, &TABLES.replace("facts", "facts_few")).await?;
        server.create_account("facts_few", "pw", "USAGE").await?;
        script(server, "GRANT SELECT ON facts_few.* TO facts_few").await?;
        let few = account(&source, "facts_few");
        let at = chrono::DateTime::UNIX_EPOCH.naive_utc();
        let seen = look(&few, Scope { at, schemas: &["facts_few".to_owned()], planned: &[] }).await?;
        ensure!(seen.hidden.iter().any(|(kind, _)| *kind == ObjectKind::Trigger), "{:?}", seen.hidden);
        let state = seen.state;
        ensure!(matches!(&state.accounts, Observed::Unknown(why) if why.contains("GRANT")), "{:?}", state.accounts);
        ensure!(value(&state.tables)?.len() == 2, "what can be read is");
        let facts = reached(&few, &["facts_few"]).await?;
        ensure!(facts.data_bytes.known().is_some() && facts.grants.known().is_some());
        Ok(())
    }

    async fn what_is_kept_of_one_lane_leaves_other_lanes_alone(kind: Kind) -> Result<()> {
        let (_, target) = ends(kind).await?;
        let mut control = MySqlControl::connect(&target).await?;
        control.migrate().await?;
        let view = |schema: &str, ddl: &str| ObjectFacts {
            kind: ObjectKind::View,
            name: TableName::new(schema, "v"),
            definer: String::new(),
            on_table: None,
            ddl: Observed::Known(ddl.to_owned()),
            sql_mode: String::new(),
            status: String::new(),
        };
        let (one, other) = (["kept_one".to_owned()], ["kept_other".to_owned()]);
        control.store_objects(&one, &[view("kept_one", "1")]).await?;
        control.store_objects(&other, &[view("kept_other", "1")]).await?;
        control.store_objects(&one, &[view("kept_one", "2")]).await?;
        control.store_objects(&[], &[]).await?;
        let mut kept = control.objects().await?;
        kept.retain(|object| object.name.schema.starts_with("kept_"));
        ensure!(kept == [view("kept_one", "2"), view("kept_other", "1")], "{kept:?}");

        // A lane's name alone may fill the column in which facts are named.
        let (long, longer) = (format!("source:{}", "a".repeat(64)), format!("source:{}b", "a".repeat(63)));
        control.store_facts(&long, "1").await?;
        control.store_facts(&longer, "2").await?;
        let body = |stored: Option<(chrono::NaiveDateTime, String)>| stored.map(|(_, body)| body);
        ensure!(body(control.facts(&long).await?).as_deref() == Some("1"));
        ensure!(body(control.facts(&longer).await?).as_deref() == Some("2"));

        let event = Event { kind: "object_drift".to_owned(), table: None, text: "it's new".to_owned() };
        control.add_events("facts", std::slice::from_ref(&event)).await?;
        control.add_events("facts", &[]).await?;
        let told: Vec<Event> = control.events("facts", 9).await?.into_iter().map(|(_, event)| event).collect();
        ensure!(told == [event], "{told:?}");
        Ok(())
    }
}
