//! The control schema `leeward` on the target: everything that outlives a process. Records are stored whole as JSON, with
//! the columns that people and locks need beside them.

mod chunks;
pub mod claims;
mod samples;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use leeward_core::brake::Acceptance;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::history::{Grain, Sample};
use leeward_core::lane::{LaneRecord, LaneState, TableRecord};
use leeward_core::name::{Side, TableName};
use leeward_core::plan::{PLAN_FORMAT, Plan, PlannedTable};
use leeward_core::port::{ChunkRecord, Control, Event, Lease, LeaseAnswer, LeaseRecord, Records};
use leeward_core::survey::ObjectFacts;
use mysql_async::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::apply;
use crate::digest::text;
use crate::endpoint::Endpoint;
use crate::fence::{print_time, time};
use crate::migrate;
use crate::session::Session;
use crate::sql::literal;
pub use chunks::mark_chunks_done;

/// Events kept per lane. At one a second that is more than a day; older ones are history that logs keep better.
const EVENTS_KEPT: u32 = 100_000;

/// Records written by one statement.
const RECORDS_PER_STATEMENT: usize = 200;

/// A connection to the target that reads and writes the control schema between apply transactions. The server ends it when
/// it has been silent for long: whoever vanishes in the middle of a transaction holds the records that the next one needs.
pub struct MySqlControl {
    session: Session,
}

impl MySqlControl {
    /// Connects.
    pub async fn connect(endpoint: &Endpoint) -> Result<MySqlControl, Fault> {
        let mut session = Session::open(endpoint, "control").await?;
        session.bound_silence().await?;
        Ok(MySqlControl { session })
    }

    async fn under(&mut self, lease: &Lease, work: &str) -> Result<(), Fault> {
        under(&mut self.session, lease, work).await
    }
}

/// Runs `work` as one transaction under the lease.
async fn under(session: &mut Session, lease: &Lease, work: &str) -> Result<(), Fault> {
    apply::begin(session, lease).await?;
    let done = match session.run("write the control schema", work).await {
        Ok(_) => apply::prove(session, lease).await,
        Err(fault) => Err(fault),
    };
    if let Err(fault) = done {
        let _ = session.run("roll back", "ROLLBACK").await;
        return Err(fault);
    }
    session.commit("commit the control schema").await
}

#[async_trait]
impl Control for MySqlControl {
    async fn migrate(&mut self) -> Result<(), Fault> {
        migrate::run(&mut self.session).await
    }

    async fn exists(&mut self) -> Result<bool, Fault> {
        // A database alone is not enough: it may be there while no migration has finished.
        let query = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA='leeward' AND TABLE_NAME='fact'";
        let row = self.session.row("look for the control schema", query).await?;
        Ok(row.is_some_and(|row| text(&row, 0) == Some("1")))
    }

    async fn now(&mut self) -> Result<NaiveDateTime, Fault> {
        const DOING: &str = "read the target's clock";
        let row = self.session.row(DOING, "SELECT UTC_TIMESTAMP(6)").await?;
        row.and_then(|row| time(&row, 0)).ok_or_else(|| Fault::new(FaultKind::Unexpected, DOING).on(Side::Target))
    }

    async fn acquire(&mut self, lane: &str, holder: &str, ttl_s: u64) -> Result<LeaseAnswer, Fault> {
        const DOING: &str = "ask for the lease";
        let name = literal(lane);
        let query = format!(
            "INSERT IGNORE INTO leeward.lease (lane,epoch,holder,renewed_at,ttl_s) \
             VALUES ({name},0,'',UTC_TIMESTAMP(6),{ttl_s});START TRANSACTION;\
             SELECT epoch,holder,GREATEST(0,CAST(ttl_s AS SIGNED)-TIMESTAMPDIFF(SECOND,renewed_at,UTC_TIMESTAMP(6))),\
             promoted FROM leeward.lease WHERE lane={name} FOR UPDATE"
        );
        let sets = self.session.sets(DOING, &query).await?;
        let row = sets.iter().find_map(|rows| rows.first());
        let row = row.ok_or_else(|| Fault::new(FaultKind::Unexpected, DOING).on(Side::Target))?;
        let held_by = text(row, 1).unwrap_or_default().to_owned();
        let lapses_in_s = number(row, 2);
        let epoch = number(row, 0) + 1;
        let refused = match (text(row, 3), held_by.is_empty() || held_by == holder || lapses_in_s == 0) {
            (Some("0"), true) => None,
            (Some("0"), false) => Some(LeaseAnswer::HeldBy { holder: held_by, lapses_in_s }),
            _ => Some(LeaseAnswer::Promoted),
        };
        if let Some(answer) = refused {
            self.session.run(DOING, "ROLLBACK").await?;
            return Ok(answer);
        }
        let take = format!(
            "UPDATE leeward.lease SET epoch={epoch},holder={},renewed_at=UTC_TIMESTAMP(6),ttl_s={ttl_s} WHERE lane={name}",
            literal(holder)
        );
        self.session.run(DOING, &take).await?;
        self.session.commit(DOING).await?;
        Ok(LeaseAnswer::Granted(Lease { lane: lane.to_owned(), epoch }))
    }

    async fn renew(&mut self, lease: &Lease) -> Result<(), Fault> {
        self.under(lease, "SELECT 1").await
    }

    async fn release(&mut self, lease: &Lease) -> Result<(), Fault> {
        let name = literal(&lease.lane);
        let query = format!("UPDATE leeward.lease SET holder='' WHERE lane={name} AND epoch={}", lease.epoch);
        self.session.run("release the lease", &query).await.map(|_| ())
    }

    async fn store_plan(&mut self, lease: &Lease, plan: &Plan, records: Option<Records<'_>>) -> Result<(), Fault> {
        let lane = literal(&plan.settings.lane);
        let mut query = format!(
            "INSERT INTO leeward.plan (lane,hash,stored_at,body) VALUES ({lane},{},UTC_TIMESTAMP(6),{})",
            literal(&plan.hash),
            literal(&json(plan)?)
        );
        for some in plan.tables.chunks(RECORDS_PER_STATEMENT) {
            let fresh = some.iter().map(|table| TableRecord::planned(table.name().clone())).collect::<Vec<_>>();
            let fresh: Vec<&TableRecord> = fresh.iter().collect();
            query.push_str(
                ";INSERT IGNORE INTO leeward.table_state (lane,schema_name,table_name,state,cut_at,record) VALUES ",
            );
            query.push_str(&table_rows(&plan.settings.lane, &fresh)?);
        }
        // What left the plan is not Leeward's any more; a record would ask for a person for ever.
        let names =
            |table: &PlannedTable| format!("({},{})", literal(&table.name().schema), literal(&table.name().table));
        let kept: Vec<String> = plan.tables.iter().map(names).collect();
        for from in ["table_state", "chunk", "chunk_claim", "acceptance"] {
            query.push_str(&format!(";DELETE FROM leeward.{from} WHERE lane={lane}"));
            if !kept.is_empty() {
                query.push_str(&format!(" AND (schema_name,table_name) NOT IN ({})", kept.join(",")));
            }
        }
        if let Some(records) = records {
            query.push(';');
            query.push_str(&records_query(&lease.lane, records)?);
        }
        self.under(lease, &query).await
    }

    async fn plan(&mut self, lane: &str) -> Result<Option<Plan>, Fault> {
        const DOING: &str = "read the stored plan";
        let query = format!("SELECT body FROM leeward.plan WHERE lane={} ORDER BY id DESC LIMIT 1", literal(lane));
        let Some(row) = self.session.row(DOING, &query).await? else { return Ok(None) };
        let format = text(&row, 0).and_then(|body| serde_json::from_str::<serde_json::Value>(body).ok());
        let format = format.and_then(|plan| plan.get("format").and_then(serde_json::Value::as_u64));
        if format != Some(u64::from(PLAN_FORMAT)) {
            let why = "it was made by another version of Leeward".to_owned();
            return Err(Fault::new(FaultKind::StalePlan(why), DOING).on(Side::Target));
        }
        parse(&row, 0, DOING).map(Some)
    }

    async fn lane(&mut self, lane: &str) -> Result<Option<LaneRecord>, Fault> {
        const DOING: &str = "read the lane's record";
        let query = format!("SELECT record FROM leeward.lane WHERE lane={}", literal(lane));
        let row = self.session.row(DOING, &query).await?;
        row.map(|row| parse(&row, 0, DOING)).transpose()
    }

    async fn tables(&mut self, lane: &str) -> Result<Vec<TableRecord>, Fault> {
        const DOING: &str = "read the tables' records";
        let query = format!(
            "SELECT record FROM leeward.table_state WHERE lane={} ORDER BY schema_name,table_name",
            literal(lane)
        );
        let rows = self.session.rows(DOING, &query).await?;
        rows.iter().map(|row| parse(row, 0, DOING)).collect()
    }

    async fn record(
        &mut self,
        lease: &Lease,
        lane: &LaneRecord,
        tables: &[&TableRecord],
        events: &[Event],
    ) -> Result<(), Fault> {
        let query = records_query(&lease.lane, (lane, tables, events))?;
        self.under(lease, &query).await
    }

    async fn accept(&mut self, lane: &str, acceptance: &Acceptance) -> Result<bool, Fault> {
        let (lane, schema, table) =
            (literal(lane), literal(&acceptance.table.schema), literal(&acceptance.table.table));
        let query = format!(
            "INSERT INTO leeward.acceptance (lane,schema_name,table_name,evidence,accepted_at,record) \
             SELECT lane,schema_name,table_name,{0},UTC_TIMESTAMP(6),{1} FROM leeward.table_state \
             WHERE lane={lane} AND schema_name={schema} AND table_name={table} AND state='quarantined' \
             AND JSON_EXTRACT(record,{2})={0} \
             ON DUPLICATE KEY UPDATE evidence=VALUES(evidence),accepted_at=VALUES(accepted_at),record=VALUES(record)",
            acceptance.cycle,
            literal(&json(acceptance)?),
            // A bare literal is binary on this connection, which MySQL takes for no path.
            literal("$.brake.cycle")
        );
        Ok(self.session.run("store what was agreed to", &query).await?.affected > 0)
    }

    async fn acceptances(&mut self, lane: &str) -> Result<Vec<(NaiveDateTime, Acceptance)>, Fault> {
        const DOING: &str = "read what was agreed to";
        let query = format!("SELECT accepted_at,record FROM leeward.acceptance WHERE lane={}", literal(lane));
        let rows = self.session.rows(DOING, &query).await?;
        let unreadable = || Fault::new(FaultKind::Unexpected, DOING).on(Side::Target);
        rows.iter().map(|row| Ok((time(row, 0).ok_or_else(unreadable)?, parse(row, 1, DOING)?))).collect()
    }

    async fn store_objects(&mut self, schemas: &[String], objects: &[ObjectFacts]) -> Result<(), Fault> {
        if schemas.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = schemas.iter().map(|schema| literal(schema)).collect();
        let mut query =
            format!("START TRANSACTION;DELETE FROM leeward.object WHERE schema_name IN ({})", names.join(","));
        for some in objects.chunks(RECORDS_PER_STATEMENT) {
            let rows: Result<Vec<String>, Fault> = some.iter().map(object_row).collect();
            query.push_str(";INSERT INTO leeward.object (kind,schema_name,object_name,record) VALUES ");
            query.push_str(&rows?.join(","));
        }
        self.session.run("store views, routines, triggers and events", &query).await?;
        self.session.commit("store views, routines, triggers and events").await
    }

    async fn objects(&mut self) -> Result<Vec<ObjectFacts>, Fault> {
        const DOING: &str = "read stored views, routines, triggers and events";
        let query = "SELECT record FROM leeward.object ORDER BY kind,schema_name,object_name";
        let rows = self.session.rows(DOING, query).await?;
        rows.iter().map(|row| parse(row, 0, DOING)).collect()
    }

    async fn store_facts(&mut self, name: &str, body: &str) -> Result<(), Fault> {
        let query = format!(
            "INSERT INTO leeward.fact (name,stored_at,body) VALUES ({},UTC_TIMESTAMP(6),{}) \
             ON DUPLICATE KEY UPDATE stored_at=VALUES(stored_at),body=VALUES(body)",
            fact_key(name),
            literal(body)
        );
        self.session.run("store observed facts", &query).await.map(|_| ())
    }

    async fn facts(&mut self, name: &str) -> Result<Option<(NaiveDateTime, String)>, Fault> {
        let query = format!("SELECT stored_at,body FROM leeward.fact WHERE name={}", fact_key(name));
        let row = self.session.row("read stored facts", &query).await?;
        Ok(row.and_then(|row| Some((time(&row, 0)?, text(&row, 1)?.to_owned()))))
    }

    async fn samples(&mut self, lane: &str) -> Result<Vec<(Grain, Sample)>, Fault> {
        let rows = self.session.rows("read how old cuts have become", &samples::select_query(lane)).await?;
        Ok(rows.iter().filter_map(samples::read).collect())
    }

    async fn add_events(&mut self, lane: &str, events: &[Event]) -> Result<(), Fault> {
        if events.is_empty() {
            return Ok(());
        }
        self.session.run("write events", &events_query(lane, events)).await.map(|_| ())
    }

    async fn events(&mut self, lane: &str, rows_max: u32) -> Result<Vec<(NaiveDateTime, Event)>, Fault> {
        let query = format!(
            "SELECT at,kind,schema_name,table_name,text FROM leeward.event WHERE lane={} ORDER BY id DESC LIMIT {rows_max}",
            literal(lane)
        );
        let rows = self.session.rows("read events", &query).await?;
        Ok(rows.iter().filter_map(read_event).collect())
    }

    async fn lease_holder(&mut self, lane: &str) -> Result<Option<LeaseRecord>, Fault> {
        let query = format!(
            "SELECT epoch,holder,GREATEST(0,TIMESTAMPDIFF(SECOND,renewed_at,UTC_TIMESTAMP(6))),ttl_s,promoted \
             FROM leeward.lease WHERE lane={}",
            literal(lane)
        );
        let row = self.session.row("read the lease", &query).await?;
        Ok(row.map(|row| LeaseRecord {
            epoch: number(&row, 0),
            holder: text(&row, 1).unwrap_or_default().to_owned(),
            age_s: number(&row, 2),
            ttl_s: number(&row, 3),
            promoted: text(&row, 4) != Some("0"),
        }))
    }

    async fn chunks(&mut self, lane: &str) -> Result<Vec<ChunkRecord>, Fault> {
        const DOING: &str = "read the seed's chunks";
        let query = format!(
            "SELECT {} FROM leeward.chunk c WHERE lane={} ORDER BY schema_name,table_name,seq",
            chunks::COLUMNS,
            literal(lane)
        );
        let rows = self.session.rows(DOING, &query).await?;
        rows.iter().map(|row| chunks::read(row, DOING)).collect()
    }

    async fn forget(&mut self, lease: &Lease) -> Result<(), Fault> {
        let lane = literal(&lease.lane);
        let of_lane = ["plan", "lane", "table_state", "chunk", "chunk_claim", "acceptance", "event"];
        let forget: Vec<String> = of_lane.map(|table| format!("DELETE FROM leeward.{table} WHERE lane={lane}")).into();
        self.under(lease, &forget.join(";")).await
    }

    async fn add_chunks(&mut self, lease: &Lease, chunks: &[ChunkRecord]) -> Result<(), Fault> {
        if chunks.is_empty() {
            return Ok(());
        }
        self.under(lease, &chunks::add_query(&lease.lane, chunks)).await
    }
}

/// Returns the statements that write records.
pub(crate) fn records_query(lane: &str, (record, tables, events): Records<'_>) -> Result<String, Fault> {
    let mut query = format!(
        "INSERT INTO leeward.lane (lane,state,cycle,cut_at,applied_at,record) VALUES ({},'{}',{},{},{},{}) \
         ON DUPLICATE KEY UPDATE state=VALUES(state),cycle=VALUES(cycle),cut_at=VALUES(cut_at),\
         applied_at=VALUES(applied_at),record=VALUES(record)",
        literal(lane),
        lane_state(&record.state),
        record.cycle,
        time_or_null(record.cut_at),
        time_or_null(record.applied_at),
        literal(&json(record)?)
    );
    if let Some((applied_at, worst_ms)) = record.applied_at.zip(record.exposed_ms) {
        query.push(';');
        query.push_str(&samples::add_query(lane, applied_at, worst_ms));
    }
    for some in tables.chunks(RECORDS_PER_STATEMENT) {
        query.push_str(";INSERT INTO leeward.table_state (lane,schema_name,table_name,state,cut_at,record) VALUES ");
        query.push_str(&table_rows(lane, some)?);
        query.push_str(" ON DUPLICATE KEY UPDATE state=VALUES(state),cut_at=VALUES(cut_at),record=VALUES(record)");
    }
    if !events.is_empty() {
        query.push(';');
        query.push_str(&events_query(lane, events));
    }
    Ok(query)
}

fn events_query(lane: &str, events: &[Event]) -> String {
    let rows: Vec<String> = events.iter().map(|event| event_row(lane, event)).collect();
    format!(
        "INSERT INTO leeward.event (lane,at,kind,schema_name,table_name,text) VALUES {};\
         DELETE FROM leeward.event WHERE lane={1} AND id<(SELECT * FROM \
         (SELECT COALESCE(MAX(id),0) FROM leeward.event WHERE lane={1}) newest)-{EVENTS_KEPT}",
        rows.join(","),
        literal(lane)
    )
}

/// Facts go by names that hold the lane's, which alone may fill the column; a longer name is stored as its hash.
fn fact_key(name: &str) -> String {
    format!("IF(CHAR_LENGTH({0})>64,SHA2({0},256),{0})", literal(name))
}

fn table_rows(lane: &str, records: &[&TableRecord]) -> Result<String, Fault> {
    let row = |record: &&TableRecord| {
        Ok(format!(
            "({},{},{},'{}',{},{})",
            literal(lane),
            literal(&record.name.schema),
            literal(&record.name.table),
            record.state.word(),
            time_or_null(record.cut_at),
            literal(&json(record)?)
        ))
    };
    let rows: Result<Vec<String>, Fault> = records.iter().map(row).collect();
    Ok(rows?.join(","))
}

fn object_row(object: &ObjectFacts) -> Result<String, Fault> {
    let kind = serde_json::to_value(object.kind).ok();
    let kind = kind.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
    Ok(format!(
        "('{kind}',{},{},{})",
        literal(&object.name.schema),
        literal(&object.name.table),
        literal(&json(object)?)
    ))
}

fn event_row(lane: &str, event: &Event) -> String {
    let name =
        |part: fn(&TableName) -> &str| event.table.as_ref().map_or("NULL".to_owned(), |table| literal(part(table)));
    format!(
        "({},UTC_TIMESTAMP(6),{},{},{},{})",
        literal(lane),
        literal(&event.kind),
        name(|table| &table.schema),
        name(|table| &table.table),
        literal(&event.text)
    )
}

fn read_event(row: &Row) -> Option<(NaiveDateTime, Event)> {
    let table = text(row, 2).zip(text(row, 3)).map(|(schema, table)| TableName::new(schema, table));
    Some((time(row, 0)?, Event { kind: text(row, 1)?.to_owned(), table, text: text(row, 4)?.to_owned() }))
}

fn lane_state(state: &LaneState) -> &'static str {
    match state {
        LaneState::Seeding => "seeding",
        LaneState::CatchingUp => "catching_up",
        LaneState::Live => "live",
        LaneState::Blocked { .. } => "blocked",
    }
}

fn time_or_null(at: Option<NaiveDateTime>) -> String {
    at.map_or("NULL".to_owned(), |at| format!("'{}'", print_time(at)))
}

fn number(row: &Row, at: usize) -> u64 {
    text(row, at).and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

fn json(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::new(FaultKind::Unexpected, "print a record").because(error))
}

fn parse<T: DeserializeOwned>(row: &Row, at: usize, doing: &str) -> Result<T, Fault> {
    let unreadable = || Fault::new(FaultKind::Unexpected, doing).on(Side::Target);
    serde_json::from_str(text(row, at).ok_or_else(unreadable)?).map_err(|error| unreadable().because(error))
}
