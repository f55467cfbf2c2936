//! One schedule: the world, the processes of Leeward that live in it one after the other, and the judgement at the end.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use leeward_core::fault::Fault;
use leeward_core::lane::{LaneState, ScrubRecord, TableState};
use leeward_core::mark::Mark;
use leeward_core::port::{Event, LeaseAnswer, Servers};
use leeward_engine::brake::Braking;
use leeward_engine::cycle::{self, Hands};
use leeward_engine::lane::Lane;
use leeward_engine::pace::ScrubPace;
use leeward_engine::sync::{self, Service, Until};

use crate::breakage::Break;
use crate::control::SimServers;
use crate::coverage::{Coverage, Reached};
use crate::database::Change;
use crate::handle::Handle;
use crate::judge;
use crate::row::{SECOND, time};
use crate::shape::{Kind, LANE};
use crate::style::{Hazard, Hazards};
use crate::world::{Halt, World};

/// What all schedules of a hunt have in common.
#[derive(Debug, Clone, Copy)]
pub struct Game {
    /// What is broken on purpose.
    pub broken: Option<Break>,
    /// Hazards that schedules may have.
    pub hazards: Hazards,
}

impl Default for Game {
    fn default() -> Self {
        Game { broken: None, hazards: Hazards::ALL }
    }
}

/// What is to be run.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// The seed, from which everything follows.
    pub seed: u64,
    /// What is broken on purpose.
    pub broken: Option<Break>,
    /// Hazards that the schedule may have.
    pub hazards: Hazards,
    /// Steps that the world takes at most.
    pub steps_max: u32,
    /// Steps and moments that are left out.
    pub left_out: Arc<BTreeSet<u32>>,
    /// Whether the schedule is told.
    pub told: bool,
}

impl Order {
    /// Orders a seed's whole schedule.
    pub(crate) fn new(seed: u64, game: Game) -> Order {
        let Game { broken, hazards } = game;
        Order { seed, broken, hazards, steps_max: u32::MAX, left_out: Arc::default(), told: false }
    }

    /// Returns whether a step or moment is left out.
    pub(crate) fn leaves_out(&self, one: u32) -> bool {
        !self.left_out.is_empty() && self.left_out.contains(&one)
    }
}

/// What came of a schedule.
#[must_use]
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The promise that was broken first.
    pub broken_promise: Option<String>,
    /// What was reached.
    pub coverage: Coverage,
    /// What happened, if it was to be told.
    pub trace: Vec<String>,
}

/// Cycles in which both sides must come to rest. Three looks for the fence, a pass, and some sixty rows of a table read one
/// by one, twice where the first reading began without a proof. More than that is a lane that does not settle.
const CYCLES_TO_REST_MAX: u32 = 150;

/// Runs a schedule.
pub(crate) fn run(order: &Order) -> Outcome {
    let world = Arc::new(Mutex::new(World::new(order)));
    let first = Handle::new(world.clone(), 0);
    let turns = first.world().style.turns;
    let mut play = Play { world, processes: 0, turns_left: turns };
    while play.turns_left > 0 && first.world().broken_promise.is_none() {
        play.run_process(u32::MAX);
    }
    if first.world().broken_promise.is_none() {
        first.world().come_to_rest();
        play.rest();
    }
    let mut world = first.world();
    Outcome {
        broken_promise: world.broken_promise.take(),
        coverage: std::mem::take(&mut world.coverage),
        trace: world.trace.take().unwrap_or_default(),
    }
}

struct Play {
    world: Arc<Mutex<World>>,
    processes: u32,
    turns_left: u32,
}

impl Play {
    /// Runs one process to its end, its crash, or for some turns. While it stands still, another takes over.
    fn run_process(&mut self, turns: u32) {
        self.processes += 1;
        let handle = Handle::new(self.world.clone(), self.processes);
        let turns = turns.min(self.turns_left);
        // A process that never gets to its first turn costs one as well, so that a schedule ends.
        self.turns_left -= 1;
        let left = Arc::new(Mutex::new(turns));
        let mut life = Box::pin(live(handle.clone(), left.clone()));
        loop {
            if poll(life.as_mut()).is_ready() {
                break;
            }
            let halt = handle.world().halts.iter().find(|(of, _)| *of == handle.process).map(|(_, halt)| *halt);
            let stopped = halt == Some(Halt::Stopped) && handle.world().broken_promise.is_none();
            if !stopped {
                break;
            }
            if self.turns_left > 0 {
                self.run_process(2);
            }
            let process = handle.process;
            handle.world().halts.retain(|(of, _)| *of != process);
            handle.note(|| "wakes up".into());
        }
        drop(life);
        let left = left.lock().map_or(0, |left| *left);
        self.turns_left = self.turns_left.saturating_sub((turns - left).saturating_sub(1));
        let process = handle.process;
        handle.world().halts.retain(|(of, _)| *of != process);
    }

    /// Lets a last process, to which nothing happens any more, make both sides equal.
    fn rest(&mut self) {
        self.processes += 1;
        let handle = Handle::new(self.world.clone(), self.processes);
        let done = poll(Box::pin(settle(handle.clone())).as_mut());
        if handle.world().broken_promise.is_some() {
            return;
        }
        match done {
            Poll::Ready(Ok(true)) => judge::at_rest(&mut handle.world()),
            Poll::Ready(Ok(false)) => handle.world().breaks(format!("not at rest after {CYCLES_TO_REST_MAX} cycles")),
            Poll::Ready(Err(fault)) => handle.world().breaks(format!("at rest a cycle fails: {fault}")),
            Poll::Pending => handle.world().breaks("at rest a process stands still".into()),
        }
    }
}

/// Polls once. Every port answers at once, so a process that is not done stands still.
fn poll<T>(life: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    life.poll(&mut Context::from_waker(Waker::noop()))
}

/// One process of Leeward, as `leeward sync` runs it.
async fn live(handle: Handle, left: Arc<Mutex<u32>>) -> Result<(), Fault> {
    let servers = SimServers(handle.clone());
    let mut control = servers.control().await?;
    let LeaseAnswer::Granted(lease) = control.acquire(LANE, "simulated", 30).await? else { return Ok(()) };
    let lane = sync::load(control.as_mut(), LANE).await?;
    drop(control);
    let chunk_rows = handle.world().style.chunk_rows;
    let pace = || ScrubPace::budget(chunk_rows, 1.0, Duration::from_secs(1));
    let mut service = Service::new(&servers, &lease, lane, pace());
    loop {
        match left.lock() {
            Ok(mut left) if *left > 0 => *left -= 1,
            _ => return Ok(()),
        }
        handle.world().rest();
        // A pace that has learned would compare whole tables: they are small.
        service.pace = pace();
        service.pace.key_rows_max = chunk_rows;
        service.lane.resting_pays_rows = handle.world().style.resting_pays_rows;
        match service.turn().await {
            Ok(_) if service.lane.is_behind() => handle.world().reached(Reached::BehindCycle),
            Ok(_) => {}
            Err(fault) => {
                handle.note(|| format!("a turn fails: {fault}"));
                let wait = service.endure(fault, Until::Stopped).await?;
                handle.world().clock.pass(wait.as_micros() as i64);
            }
        }
    }
}

/// Does what a person and an undisturbed process do at the end: tables that wait for a person are let back in with the
/// brake released, and everything is compared whole. Returns whether all is live and compared since.
async fn settle(handle: Handle) -> Result<bool, Fault> {
    let servers = SimServers(handle.clone());
    let mut control = servers.control().await?;
    let LeaseAnswer::Granted(lease) = control.acquire(LANE, "simulated", 30).await? else { return Ok(false) };
    let mut lane = sync::load(control.as_mut(), LANE).await?;
    let events = readmit(&mut lane);
    let records: Vec<_> = lane.tables.iter().map(|table| &table.record).collect();
    control.record(&lease, &lane.record, &records, &events).await?;
    let (mut source, mut target) = (servers.source().await?, servers.target().await?);
    let since = handle.world().database.seq;
    for _ in 0..CYCLES_TO_REST_MAX {
        handle.world().clock.pass(4 * SECOND);
        let mut pace = ScrubPace::budget(1_000, 1.0, Duration::from_secs(1));
        let mut hands = Hands {
            source: source.as_mut(),
            target: target.as_mut(),
            lease: &lease,
            pace: &mut pace,
            braking: Braking::Off,
        };
        let report = cycle::run(&mut lane, &mut hands).await?;
        if report.state == LaneState::Live && handle.world().judge.compared_since(since) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn readmit(lane: &mut Lane) -> Vec<Event> {
    let mut events = Vec::new();
    for at in 0..lane.tables.len() {
        if matches!(lane.tables[at].record.state, TableState::Quarantined { .. }) {
            let planned = lane.tables[at].planned.clone();
            events.push(lane.readmit(at, planned));
        }
    }
    events
}

impl World {
    /// Fills both sides with what is there when the schedule begins: some rows on the source, and on the target the same
    /// or nothing.
    pub(crate) fn fill(&mut self) {
        for kind in self.style.terms.kinds.clone() {
            self.database.add_table(kind);
        }
        let start = self.clock.wall() - 100 * SECOND;
        let mut transaction = self.database.begin(start);
        for table in 0..self.database.tables.len() {
            for at in 0..self.style.rows {
                let (id, shown) = self.database.take_id(table);
                let unique = (self.style.has(Hazard::Unique) && at < 3).then_some(at as u8);
                let at = start + i64::from(at) * SECOND / 2;
                self.database.write(&mut transaction, Change { table, id, unique, at, shown });
            }
        }
        self.database.commit(&mut transaction, start + 50 * SECOND);
        self.database.end(&transaction);
        self.fill_target();
    }

    fn fill_target(&mut self) {
        let mut random = self.random.clone();
        let settled = time(self.clock.wall() - SECOND);
        let live = self.style.copied && random.one_in(2);
        if self.style.copied {
            self.judge.copied(self.database.seq);
        }
        for (table, data) in self.database.tables.iter().enumerate() {
            let record = &mut self.target.records[table];
            record.state = if live { TableState::Live } else { TableState::CatchingUp };
            if live {
                let (verified_since, pass_ended) = (Some(settled), Some(settled));
                record.scrub = ScrubRecord { verified_since, pass_ended, ..ScrubRecord::default() };
            }
            if !self.style.copied {
                continue;
            }
            self.target.tables[table] = data.rows.as_ref().clone();
            record.mark = match data.kind {
                Kind::Append => Mark::Id { settled: u64::from(data.visible_max) },
                Kind::Merge | Kind::MergeSeconds => Mark::Clock { settled },
                Kind::Watch | Kind::Reconcile => Mark::None,
            };
        }
        let lane = Lane::new(self.target.plan.clone(), None, self.target.records.clone());
        self.target.lane = Some(leeward_core::lane::LaneRecord { state: LaneState::CatchingUp, ..lane.record });
    }
}
