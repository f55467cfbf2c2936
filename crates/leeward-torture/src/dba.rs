//! The person who does what `leeward status` asks for: runs the ALTER that it prints, agrees to a mass delete that the
//! brake has held, has new tables taken in and dropped ones forgotten. Nothing is done that Leeward does not ask for.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::fleet::Fleet;
use crate::news::News;
use crate::script::Side;
use crate::stage::{LANE, Stage};

/// How often the person looks. Tables that come back are caught up and compared whole, and the lane is not live meanwhile.
const VISIT_EVERY: Duration = Duration::from_secs(25);

/// How often the lane is planned and seeded again for tables that are new or gone: it stands still for most of a minute,
/// because the whole lane is compared.
const REPLAN_EVERY: Duration = Duration::from_secs(240);

/// Last lines of a failed command that are kept.
const SAID_LINES: usize = 6;

/// How a remedy that is a statement begins.
const STATEMENT: &str = "run on the target: ";

/// How such an event ends, where the difference does not keep rows from being written.
const ALSO: &str = "; run on the target: ";

/// How long a table whose rows were refused may take to be seen to have another definition: the looks at definitions come
/// every two seconds.
const REFUSED_MAX: Duration = Duration::from_secs(20);

/// A table that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    database: String,
    table: String,
    cause: String,
    reason: String,
}

impl Waiting {
    fn name(&self) -> String {
        format!("{}.{}", self.database, self.table)
    }
}

/// What the person has done so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dba {
    visited: Option<Instant>,
    planned: Option<Instant>,
    /// The last event that was read.
    read: u64,
    /// Statements of a remedy run on the target.
    pub(crate) altered: u64,
    /// Tables let past the brake.
    pub(crate) agreed: u64,
    /// Times that the lane was planned and seeded again for new or dropped tables.
    pub(crate) replanned: u64,
}

impl Dba {
    /// Begins with a lane that has just been seeded.
    pub(crate) fn new() -> Dba {
        Dba { planned: Some(Instant::now()), ..Dba::default() }
    }

    /// Visits the lane when it is time. Returns whether the lane had to stand still for it.
    pub(crate) async fn serve(&mut self, stage: &Stage, fleet: &mut Fleet, news: &News) -> Result<bool> {
        if self.visited.is_some_and(|visited| visited.elapsed() < VISIT_EVERY) {
            return Ok(false);
        }
        self.visited = Some(Instant::now());
        Ok(self.visit(stage, fleet, (news, Patience::Some)).await?.stood_still)
    }

    /// Does everything that is asked for now.
    pub(crate) async fn visit(
        &mut self,
        stage: &Stage,
        fleet: &mut Fleet,
        (news, patience): (&News, Patience),
    ) -> Result<Visit> {
        let planned = planned(stage).await?;
        let mut waiting = waiting(stage).await?;
        waiting.retain(|one| planned.contains(&one.name()));
        let unknown = unplanned(stage, &planned).await?;
        let mut visit = Visit { asked: waiting.len() + unknown.len(), stood_still: false };
        let with = |cause: &str| waiting.iter().filter(|one| one.cause == cause).cloned().collect::<Vec<_>>();
        if !with("definition_drift").is_empty() {
            self.alter(stage, news).await?;
        }
        visit.asked += self.alter_beside(stage, news).await?;
        let (braked, dropped) = (with("brake"), with("dropped"));
        let odd = |one: &&Waiting| !["definition_drift", "brake", "dropped"].contains(&one.cause.as_str());
        for one in waiting.iter().filter(odd) {
            if stays(stage, one).await? {
                news.broken(&format!("{} is quarantined: {}: {}", one.name(), one.cause, one.reason));
            }
        }
        if !braked.is_empty() {
            self.agree(stage, &braked, news).await?;
        }
        let waits = self.planned.is_some_and(|planned| planned.elapsed() < REPLAN_EVERY) && patience == Patience::Some;
        if !waits && (!dropped.is_empty() || !unknown.is_empty()) {
            self.planned = Some(Instant::now());
            visit.stood_still = true;
            news.disturb();
            fleet.stop().await?;
            self.replan(stage, &dropped, news).await?;
            fleet.start(stage)?;
        }
        Ok(visit)
    }

    /// Runs on the target what status says of tables whose definitions differ. What another lock or a later change keeps
    /// from working is asked for again.
    async fn alter(&mut self, stage: &Stage, news: &News) -> Result<()> {
        let status = stage.binary.ask(&["status"]).await?;
        let tables = status["tables"].as_array().context("read status: it lists no tables")?;
        for table in tables {
            let Some(statements) = remedy(table).and_then(|remedy| remedy.strip_prefix(STATEMENT)) else { continue };
            self.run(stage, (table["name"].as_str().unwrap_or_default(), statements), news).await;
        }
        Ok(())
    }

    /// The same for what events ask for beside the rows. Returns how many there were since the last time.
    async fn alter_beside(&mut self, stage: &Stage, news: &News) -> Result<usize> {
        let sql = format!(
            "SELECT id, CONCAT(schema_name, '.', table_name), text FROM leeward.event \
             WHERE lane = '{LANE}' AND id > {} AND kind = 'drift' AND text LIKE '%{ALSO}%' ORDER BY id",
            self.read
        );
        let events: Vec<(u64, String, String)> = stage.query(Side::Target, &sql).await?;
        for (id, table, text) in &events {
            self.read = *id;
            let statements = text.split_once(ALSO).map_or("", |(_, statements)| statements);
            self.run(stage, (table, statements), news).await;
        }
        Ok(events.len())
    }

    async fn run(&mut self, stage: &Stage, (table, statements): (&str, &str), news: &News) {
        let (database, _) = table.split_once('.').unwrap_or_default();
        let script = format!("SET lock_wait_timeout = 5;\nUSE {database};\n{statements};");
        let ran = stage.server(Side::Target).exec_script(&script).await;
        self.altered += u64::from(ran.is_ok());
        news.say(&format!("  the DBA alters {table}: {}", if ran.is_ok() { "done" } else { "not now" }));
    }

    /// Agrees to what the brake has stopped. Rows that change meanwhile may stop it again, and are agreed to again.
    async fn agree(&mut self, stage: &Stage, braked: &[Waiting], news: &News) -> Result<()> {
        let names: Vec<String> = braked.iter().map(Waiting::name).collect();
        let arguments: Vec<&str> = std::iter::once("accept").chain(names.iter().map(String::as_str)).collect();
        let (code, _, said) = stage.binary.run(&arguments).await?;
        self.agreed += if code == 0 { braked.len() as u64 } else { 0 };
        news.say(&format!("  the DBA accepts {}: exit code {code}", names.join(", ")));
        if code != 0 {
            news.say(&format!("    {}", said.trim().lines().last().unwrap_or_default()));
        }
        Ok(())
    }

    /// Drops on the target what is gone on the source, and plans and seeds again.
    async fn replan(&mut self, stage: &Stage, dropped: &[Waiting], news: &News) -> Result<()> {
        for one in dropped {
            let sql = format!("DROP TABLE IF EXISTS `{}`.`{}`;", one.database, one.table);
            stage.server(Side::Target).exec_script(&sql).await?;
        }
        let (code, _, said) = stage.binary.run(&["seed"]).await?;
        // 2: done, and some table still waits for a person.
        self.replanned += u64::from(code == 0 || code == 2);
        news.say(&format!("  the DBA plans and seeds again: exit code {code}"));
        if code != 0 {
            said.lines().rev().take(SAID_LINES).collect::<Vec<_>>().iter().rev().for_each(|line| news.say(line));
        }
        Ok(())
    }
}

/// Whether work that makes the lane stand still may be put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// For some minutes.
    Some,
    /// Not at all: the run is at its end.
    None,
}

/// What a visit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visit {
    /// Tables that waited.
    pub(crate) asked: usize,
    /// Whether the lane had to stand still.
    pub(crate) stood_still: bool,
}

/// Returns whether a table stays quarantined for a cause of which nobody knows what to do.
async fn stays(stage: &Stage, one: &Waiting) -> Result<bool> {
    let began = Instant::now();
    while waiting(stage).await?.contains(one) {
        if began.elapsed() > REFUSED_MAX {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(false)
}

fn remedy(table: &Value) -> Option<&str> {
    (table["state"] == "quarantined").then(|| table["remedy"].as_str()).flatten()
}

async fn waiting(stage: &Stage) -> Result<Vec<Waiting>> {
    let sql = format!(
        "SELECT schema_name, table_name, record FROM leeward.table_state WHERE lane = '{LANE}' AND state = 'quarantined'"
    );
    let rows: Vec<(String, String, String)> = stage.query(Side::Target, &sql).await?;
    let read = |(database, table, record): (String, String, String)| {
        let record: Value = serde_json::from_str(&record).context("read a table's record")?;
        let of_state = |field: &str| record["state"][field].as_str().unwrap_or_default().to_owned();
        Ok(Waiting { database, table, cause: of_state("cause"), reason: of_state("reason") })
    };
    rows.into_iter().map(read).collect()
}

/// Returns the tables of the source, as `database.table`.
async fn tables_of_source(stage: &Stage) -> Result<Vec<String>> {
    let databases: Vec<String> = stage.databases().iter().map(|name| format!("'{name}'")).collect();
    let sql = format!(
        "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES \
         WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA IN ({})",
        databases.join(",")
    );
    stage.query(Side::Source, &sql).await
}

/// Returns the tables of the lane's plan, as `database.table`. What is kept of a table that has left it is history.
pub(crate) async fn planned(stage: &Stage) -> Result<Vec<String>> {
    let sql = format!("SELECT body FROM leeward.plan WHERE lane = '{LANE}' ORDER BY id DESC LIMIT 1");
    let plan: Vec<String> = stage.query(Side::Target, &sql).await?;
    let plan: Value = serde_json::from_str(plan.first().context("the lane has a plan")?).context("read the plan")?;
    let tables = plan["tables"].as_array().context("read the plan: it lists no tables")?;
    let name = |table: &Value| {
        let name = &table["table"]["name"];
        Some(format!("{}.{}", name["schema"].as_str()?, name["table"].as_str()?))
    };
    tables.iter().map(|table| name(table).context("read a planned table's name")).collect()
}

/// Returns the tables of the source that the plan does not know.
async fn unplanned(stage: &Stage, planned: &[String]) -> Result<Vec<String>> {
    let there = tables_of_source(stage).await?;
    Ok(there.into_iter().filter(|name| !planned.contains(name)).collect())
}
