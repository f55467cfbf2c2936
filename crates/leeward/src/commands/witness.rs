//! Keeps on the target what was last seen of the source, so that `readiness` can judge when the source is gone: its
//! facts, the DDL of its views, routines, triggers and events, and since when it does not answer. A change in those
//! objects is reported; nothing of them is changed on the target.
//!
//! It works beside the cycles, over connections of its own: whatever happens to it, no cycle waits for it or fails. It
//! takes no lease, for it only writes down what was seen.

mod objects;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{NaiveDateTime, TimeDelta};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::{Side, TableName};
use leeward_core::port::{Control, LeaseRecord};
use leeward_core::readiness::SideState;
use leeward_core::server::Observed;
use leeward_mysql::endpoint::Endpoint;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::wire::sight::{self, Scope};
use crate::{Failure, wire};

/// How often the source is looked at. A look costs it what a monitoring agent does, and readiness calls facts old after
/// a day, so a minute is fresh enough and cheap enough.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The longest that one look may take, storing included.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// Without a cycle for this much longer than cycles are apart, the source is asked whether it still answers. A cycle over
/// an ocean takes under a second; the sooner a silence is noticed, the better is known what it cost.
const QUIET: Duration = Duration::from_secs(1);

/// How long a source that was asked is left alone: a long cycle is no reason to bother it.
const KNOCK_EVERY: Duration = Duration::from_secs(3);

/// How often the loop looks around, which costs nobody anything.
const TICK: Duration = Duration::from_millis(250);

/// How long the end of a short run waits for a look under way.
const FINISH_MAX: Duration = Duration::from_secs(15);

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was stopped, or failed: nobody waits any more.
    AtOnce,
    /// Its work is done: a look under way may be finished.
    InPeace,
}

/// The task beside the cycles.
pub struct Witness {
    stop: CancellationToken,
    cycles: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Witness {
    /// Starts to watch the source. The first look is taken at once.
    ///
    /// # Errors
    /// When a side was not given, or its password cannot be had.
    pub async fn start(settings: &Settings, lane: &str) -> Result<Witness, Failure> {
        let (stop, cycles) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
        let eye = Eye::new(settings, lane).await?;
        let quiet = settings.cycle_interval + QUIET;
        let task = tokio::spawn(eye.watch(quiet, cycles.clone(), stop.clone()));
        Ok(Witness { stop, cycles, task })
    }

    /// Notes that a cycle was committed: the source has answered.
    pub fn cycle(&self) {
        self.cycles.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the watch.
    pub async fn finish(mut self, ending: Ending) {
        self.stop.cancel();
        let patience = match ending {
            Ending::AtOnce => Duration::ZERO,
            Ending::InPeace => FINISH_MAX,
        };
        if tokio::time::timeout(patience, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

/// Looks at the source once and keeps what is seen. That it cannot be done is said in the log and fails nothing.
pub async fn look_once(settings: &Settings, lane: &str) {
    match Eye::new(settings, lane).await {
        Ok(eye) => eye.try_look().await,
        Err(failure) => tracing::warn!(?failure, "what readiness needs to know of the source was not stored"),
    }
}

/// Returns the source as it was last seen, or why that is not known.
pub async fn source_state(control: &mut dyn Control, lane: &str) -> Result<SideState, String> {
    match control.facts(&facts_name(lane)).await {
        Ok(Some((_, body))) => serde_json::from_str(&body)
            .map_err(|_| "what was stored of it was written by another version of Leeward".to_owned()),
        Ok(None) => Err("nothing of it was ever stored".to_owned()),
        Err(fault) => Err(fault.to_string()),
    }
}

/// Returns since when, on the target's clock, the source is silent, as far as a running lane has noticed.
///
/// # Errors
/// Whatever keeps the control schema from being read.
pub async fn silent_since(control: &mut dyn Control, lane: &str) -> Result<Option<NaiveDateTime>, Fault> {
    let Some((stored_at, body)) = control.facts(&silence_name(lane)).await? else { return Ok(None) };
    // A document of another version is as good as none: the loss is then told from now on.
    let silence: Option<Silence> = serde_json::from_str(&body).unwrap_or_default();
    let waited = |silence: Silence| TimeDelta::try_milliseconds(i64::try_from(silence.waited_ms).ok()?);
    Ok(silence.and_then(waited).and_then(|waited| stored_at.checked_sub_signed(waited)))
}

/// Why a source counts as silent; stored as null when it answers again.
#[derive(Serialize, Deserialize)]
struct Silence {
    /// The fault, as it prints itself.
    why: String,
    /// How long an answer was waited for: it was silent from the beginning of that wait.
    waited_ms: u64,
}

fn facts_name(lane: &str) -> String {
    format!("source:{lane}")
}

fn silence_name(lane: &str) -> String {
    format!("silent:{lane}")
}

/// What the task works with.
struct Eye {
    source: Endpoint,
    target: Endpoint,
    lane: String,
}

impl Eye {
    async fn new(settings: &Settings, lane: &str) -> Result<Eye, Failure> {
        Ok(Eye {
            source: sight::impatient(wire::endpoint(settings, Side::Source).await?),
            target: wire::endpoint(settings, Side::Target).await?,
            lane: lane.to_owned(),
        })
    }

    async fn watch(self, quiet: Duration, cycles: Arc<AtomicU64>, stop: CancellationToken) {
        let (mut due, mut knock_due) = (Instant::now(), Instant::now() + quiet);
        let mut seen_cycles = 0;
        while !stop.is_cancelled() {
            if Instant::now() >= due {
                self.try_look().await;
                due = Instant::now() + LOOK_EVERY;
            }
            let now_cycles = cycles.load(Ordering::Relaxed);
            if now_cycles != seen_cycles {
                (seen_cycles, knock_due) = (now_cycles, Instant::now() + quiet);
            } else if Instant::now() >= knock_due {
                self.try_knock().await;
                knock_due = Instant::now() + KNOCK_EVERY;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    async fn try_look(&self) {
        let timed_out = || Fault::new(FaultKind::TimedOut, "look at the source for readiness").on(Side::Source);
        let looked = tokio::time::timeout(LOOK_MAX, self.look()).await;
        match looked.unwrap_or_else(|_| Err(timed_out())) {
            Ok(()) => tracing::debug!("what readiness needs to know of the source is stored"),
            Err(fault) => {
                tracing::warn!(%fault, "what readiness needs to know of the source was not stored; the last look stands");
            }
        }
    }

    /// Looks at the source and stores what was seen, unless the lane is not there or is over.
    async fn look(&self) -> Result<(), Fault> {
        let mut control = wire::control(&self.target).await?;
        let is_over = |lease: LeaseRecord| lease.promoted;
        if !control.exists().await? || control.lease_holder(&self.lane).await?.is_some_and(is_over) {
            return Ok(());
        }
        let Some(plan) = control.plan(&self.lane).await? else { return Ok(()) };
        let schemas: Vec<String> = plan.schemas.iter().map(|schema| schema.name.clone()).collect();
        let planned: Vec<TableName> = plan.tables.iter().map(|planned| planned.name().clone()).collect();
        let at = control.now().await?;
        let look = sight::look(&self.source, Scope { at, schemas: &schemas, planned: &planned }).await?;
        self.store(control.as_mut(), &facts_name(&self.lane), &look.state).await?;
        if silent_since(control.as_mut(), &self.lane).await?.is_some() {
            self.store(control.as_mut(), &silence_name(&self.lane), &None::<Silence>).await?;
        }
        self.keep_objects(control.as_mut(), &schemas, &look).await
    }

    async fn keep_objects(
        &self,
        control: &mut dyn Control,
        schemas: &[String],
        look: &sight::Look,
    ) -> Result<(), Fault> {
        let Observed::Known(seen) = &look.state.objects else { return Ok(()) };
        let mut kept = control.objects().await?;
        kept.retain(|object| schemas.contains(&object.name.schema));
        let there = |schema: &String| {
            let known = look.state.schemas.known();
            known.is_some_and(|known| known.value.iter().any(|there| there.name == *schema))
        };
        let gone: Vec<&String> = schemas.iter().filter(|schema| !there(schema)).collect();
        let fresh = objects::brought_up_to_date(&kept, &seen.value, |object| {
            gone.contains(&&object.name.schema)
                || look.hidden.iter().any(|(kind, schema)| *kind == object.kind && *schema == object.name.schema)
        });
        if objects::same(&kept, &fresh) {
            return Ok(());
        }
        let events = objects::drift(&kept, &fresh);
        for event in &events {
            tracing::warn!(kind = event.kind, "{}", event.text);
        }
        // Told before it is stored: told twice is better than never.
        control.add_events(&self.lane, &events).await?;
        control.store_objects(schemas, &fresh).await
    }

    /// Asks whether the source answers, and writes down when it was first found silent.
    async fn try_knock(&self) {
        let began = Instant::now();
        let Err(fault) = sight::knock(&self.source).await else { return };
        if !matches!(fault.kind, FaultKind::Unreachable | FaultKind::TimedOut | FaultKind::UnknownHost) {
            return;
        }
        let waited_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Err(untold) = self.store_silence(Silence { why: fault.to_string(), waited_ms }).await {
            tracing::debug!(%untold, "that the source is silent was not stored");
        }
    }

    async fn store_silence(&self, silence: Silence) -> Result<(), Fault> {
        let mut control = wire::control(&self.target).await?;
        let applied_at = control.lane(&self.lane).await?.and_then(|record| record.applied_at);
        if silent_since(control.as_mut(), &self.lane).await? > applied_at {
            // It was silent before: the first time is the one that counts.
            return Ok(());
        }
        self.store(control.as_mut(), &silence_name(&self.lane), &Some(silence)).await
    }

    async fn store(&self, control: &mut dyn Control, name: &str, document: &impl Serialize) -> Result<(), Fault> {
        let unprintable = |error| Fault::new(FaultKind::Unexpected, "print what was seen").because(error);
        let body = serde_json::to_string(document).map_err(unprintable)?;
        control.store_facts(name, &body).await
    }
}
