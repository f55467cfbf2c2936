//! Everything that the readiness checks may look at. Each datum carries the time at which it was seen, on the target's
//! clock, and may be unknown. All of it can be stored as JSON, so that a verdict can be given when the source is gone.

use std::collections::BTreeSet;

use chrono::{NaiveDateTime, TimeDelta};
use serde::{Deserialize, Serialize};

use super::beside::Beside;
use super::cloud::{Asked, Cloud, Drill};
use super::fallback::Fallback;
use super::outcome::Missing;
use super::trend::Past;
use crate::grants::Grants;
use crate::lane::{LaneRecord, TableRecord};
use crate::name::{Side, TableName};
use crate::plan::Plan;
use crate::policy::Settings;
use crate::port::LeaseRecord;
use crate::server::{Observed, ServerFacts};
use crate::survey::{ObjectFacts, SchemaFacts, WriteCounters};
use crate::table::Table;

/// A value and when it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dated<T> {
    /// The target's clock (UTC) when it was seen, whichever server it was seen on.
    pub at: NaiveDateTime,
    /// What was seen.
    pub value: T,
}

/// Something that was looked for: seen at a time, or not to be seen, and why.
pub type Seen<T> = Observed<Dated<T>>;

/// All that a verdict is based on.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadinessFacts {
    /// `SELECT UTC_TIMESTAMP(6)` on the target.
    pub now: NaiveDateTime,
    /// Name of the lane that is judged.
    pub lane_name: String,
    /// The plan's settings, or the policy's where there is no plan: objectives, thresholds, platform, waivers.
    pub settings: Settings,
    /// The stored plan; `None` when there is none.
    pub plan: Seen<Option<Plan>>,
    /// The lane's record; `None` when nothing was ever seeded.
    pub lane: Seen<Option<LaneRecord>>,
    /// The records of the lane's tables.
    pub tables: Seen<Vec<TableRecord>>,
    /// The lease; `None` when there is none.
    pub lease: Seen<Option<LeaseRecord>>,
    /// Objects whose DDL the control schema holds (`Control::objects`).
    pub staged: Seen<Vec<ObjectFacts>>,
    /// Source clock minus target clock, milliseconds, observed over both connections at nearly the same moment. Unknown
    /// when the source does not answer: then the lane's record tells what the last cycle saw.
    pub clock_difference_ms: Seen<i64>,
    /// What was measured and judged before.
    pub past: Seen<Past>,
    /// Whether the source answers now.
    pub contact: Contact,
    /// The source, live, or as stored by the last process that reached it.
    pub source: SideState,
    /// The target, live.
    pub target: SideState,
    /// What AWS said.
    pub cloud: Cloud,
    /// The last drill, as its record says.
    pub drill: Asked<Drill>,
    /// What the servers' own replication says, where there is any.
    pub beside: Beside,
    /// What there is beside the target; `None` where nobody named a place of snapshots.
    pub fallback: Option<Fallback>,
}

/// Whether the source answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "contact", rename_all = "snake_case")]
pub enum Contact {
    /// It has just answered.
    Answers,
    /// It does not.
    Silent {
        /// The target's clock when it was first found silent, if that is known: it may have died a little before.
        since: Option<NaiveDateTime>,
        /// The fault, as it prints itself.
        why: String,
    },
}

/// What readiness needs to know of one server. The source's is stored on the target
/// (`Control::store_facts("source", json)`) whenever a process has read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideState {
    /// `@@version`, identity, whether it is a replica, and [`super::VARIABLES`].
    pub server: Seen<ServerFacts>,
    /// `SELECT CURRENT_USER()`.
    pub account: Seen<String>,
    /// `SHOW GRANTS FOR CURRENT_USER()` with the lines of active roles.
    pub grants: Seen<Grants>,
    /// `information_schema.SCHEMATA`, without system databases and `leeward`.
    pub schemas: Seen<Vec<SchemaFacts>>,
    /// Every base table of the plan's databases. Not only the planned ones: a table that nobody planned is what
    /// SYNC-05 looks for.
    pub tables: Seen<Vec<Table>>,
    /// `SHOW CREATE TABLE` of the planned tables.
    pub ddl: Seen<Vec<(TableName, String)>>,
    /// Views, routines, triggers and events of the plan's databases, each with its `SHOW CREATE …`. Unknown as a whole
    /// when one of these kinds could not be listed; an object whose text alone could not be read says so in its `ddl`.
    pub objects: Seen<Vec<ObjectFacts>>,
    /// `information_schema.TABLES.AUTO_INCREMENT` of the plan's databases, with `information_schema_stats_expiry=0`
    /// on MySQL (T35).
    pub counters: Seen<Vec<Counter>>,
    /// `mysql.user` (MariaDB: with `mysql.global_priv`), and `SHOW GRANTS FOR` each account.
    pub accounts: Seen<Vec<AccountFacts>>,
    /// `SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'AUTHENTICATION' AND PLUGIN_STATUS =
    /// 'ACTIVE'`.
    pub auth_plugins: Seen<BTreeSet<String>>,
    /// `SELECT COLLATION_NAME FROM information_schema.COLLATIONS`.
    pub collations: Seen<BTreeSet<String>>,
    /// Row writes of the planned tables since the server was started. Asked of the source alone, and judged by nothing: what
    /// the copy costs follows from it.
    #[serde(default = "not_asked")]
    pub writes: Seen<Vec<TableWrites>>,
}

/// What a look holds that was stored before writes were asked for.
fn not_asked() -> Seen<Vec<TableWrites>> {
    unknown("they were not asked for")
}

/// What a server has counted of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableWrites {
    /// The table.
    pub table: TableName,
    /// Its writes, where the server counts them.
    pub writes: Observed<WriteCounters>,
}

/// A table's AUTO_INCREMENT counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The table.
    pub table: TableName,
    /// The value that the next row gets.
    pub next: u64,
}

/// One account or role. Nothing of its password is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFacts {
    /// User or role name.
    pub user: String,
    /// Host pattern; empty for a role on MariaDB.
    pub host: String,
    /// What it is.
    pub kind: AccountKind,
    /// `mysql.user.plugin`: the plugin's name and nothing else.
    pub plugin: String,
    /// `mysql.user.account_locked`, or `account_locked` in `mysql.global_priv`.
    pub locked: Observed<bool>,
    /// `SHOW GRANTS FOR` it.
    pub grants: Observed<Grants>,
}

/// Who can use an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// Somebody may log in with it.
    User,
    /// It can only be granted: `is_role = 'Y'` on MariaDB, a member of `mysql.role_edges.FROM_USER` on MySQL.
    Role,
}

impl AccountFacts {
    /// Returns `user@host`, or the bare name of a role without a host.
    pub fn name(&self) -> String {
        match self.host.is_empty() {
            true => self.user.clone(),
            false => format!("{}@{}", self.user, self.host),
        }
    }
}

impl SideState {
    /// Returns the state of a side of which nothing could be seen.
    pub fn unseen(why: &str) -> SideState {
        SideState {
            server: unknown(why),
            account: unknown(why),
            grants: unknown(why),
            schemas: unknown(why),
            tables: unknown(why),
            ddl: unknown(why),
            objects: unknown(why),
            counters: unknown(why),
            accounts: unknown(why),
            auth_plugins: unknown(why),
            collations: unknown(why),
            writes: unknown(why),
        }
    }
}

fn unknown<T>(why: &str) -> Seen<T> {
    Observed::Unknown(why.to_owned())
}

impl ReadinessFacts {
    /// Returns facts of which nothing could be seen, to be filled in as things are.
    pub fn unseen(now: NaiveDateTime, lane_name: &str, settings: Settings, why: &str) -> ReadinessFacts {
        ReadinessFacts {
            now,
            lane_name: lane_name.to_owned(),
            settings,
            plan: unknown(why),
            lane: unknown(why),
            tables: unknown(why),
            lease: unknown(why),
            staged: unknown(why),
            clock_difference_ms: unknown(why),
            past: unknown(why),
            contact: Contact::Silent { since: None, why: why.to_owned() },
            source: SideState::unseen(why),
            target: SideState::unseen(why),
            cloud: Cloud::untold(why),
            drill: Asked::untold(why),
            beside: Beside::unseen(why),
            fallback: None,
        }
    }

    /// Returns one side.
    pub(super) fn side(&self, side: Side) -> &SideState {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    /// Returns the plan, which nearly every check measures against.
    pub(super) fn plan(&self) -> Result<&Plan, Missing> {
        match &seen(&self.plan, "the stored plan")?.value {
            Some(plan) => Ok(plan),
            None => Err(Missing::with_remedy("there is no stored plan", "run `leeward plan`, then `leeward seed`")),
        }
    }

    /// Returns the names of the plan's databases.
    pub(super) fn schema_names(&self) -> Result<Vec<String>, Missing> {
        Ok(self.plan()?.schemas.iter().map(|schema| schema.name.clone()).collect())
    }

    /// Returns the record of a table, if there is one.
    pub(super) fn record(&self, name: &TableName) -> Result<Option<&TableRecord>, Missing> {
        Ok(seen(&self.tables, "the tables' records")?.value.iter().find(|record| record.name == *name))
    }

    /// Returns how far the source's clock is ahead of the target's: as seen now, else as the last cycle saw it. That one
    /// reads the target's clock just before the cut, so that it errs towards an older cut, never a newer one.
    pub(super) fn clocks_apart_ms(&self) -> Result<Dated<i64>, Missing> {
        let stored = || {
            let lane = self.lane.known()?.value.as_ref()?;
            Some(Dated { at: lane.applied_at?, value: lane.clock_offset_ms?.checked_neg()? })
        };
        match (&self.clock_difference_ms, stored()) {
            (Observed::Known(seen), _) => Ok(seen.clone()),
            (Observed::Unknown(_), Some(stored)) => Ok(stored),
            (Observed::Unknown(why), None) => {
                Err(Missing::new(format!("the difference of both servers' clocks could not be seen: {why}")))
            }
        }
    }

    /// Returns the source's clock now, told from the target's, and when their difference was seen.
    pub(super) fn source_now(&self) -> Result<Dated<NaiveDateTime>, Missing> {
        let apart = self.clocks_apart_ms()?;
        let now = TimeDelta::try_milliseconds(apart.value).and_then(|delta| self.now.checked_add_signed(delta));
        let now = now.ok_or_else(|| Missing::new("the difference of both servers' clocks is beyond all measure"))?;
        Ok(Dated { at: apart.at, value: now })
    }
}

/// Returns a datum that was seen, with its time.
pub(super) fn seen<'a, T>(datum: &'a Seen<T>, what: &str) -> Result<&'a Dated<T>, Missing> {
    match datum {
        Observed::Known(dated) => Ok(dated),
        Observed::Unknown(why) => Err(Missing::new(format!("{what} could not be seen: {why}"))),
    }
}
