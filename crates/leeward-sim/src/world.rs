//! The world of one schedule: a source with its clients, a target with the control schema, one clock, and the seed that
//! decides what happens when. Every port call is a *moment*: the world goes on before it is answered, and it may break.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leeward_core::fault::FaultKind;
use leeward_engine::clock;

use crate::breakage::Break;
use crate::client::{Client, Prepared};
use crate::coverage::{Coverage, Reached};
use crate::database::{Database, Shown};
use crate::judge::Judge;
use crate::random::{Random, Stream};
use crate::row::{Micros, SECOND};
use crate::schedule::Order;
use crate::style::{Hazard, Style};
use crate::target::TargetServer;

/// One o'clock, so that a clock that steps back stays on its day.
const START: Micros = 3_600 * SECOND;

/// The source's clock and Leeward's, which goes on whatever the source's says.
#[derive(Debug)]
pub(crate) struct Clock {
    base: Instant,
    real: Micros,
    offset: Micros,
}

impl Clock {
    fn new() -> Clock {
        let clock = Clock { base: Instant::now(), real: 0, offset: 0 };
        clock.show();
        clock
    }

    /// Returns the source's NOW(6).
    pub(crate) fn wall(&self) -> Micros {
        START + self.real + self.offset
    }

    /// Returns the target's UTC_TIMESTAMP(6).
    pub(crate) fn target(&self) -> Micros {
        START + self.real
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, micros: Micros) {
        self.real += micros;
        self.show();
    }

    /// Takes in that Leeward has waited.
    fn catch_up(&mut self) {
        let waited = clock::now().saturating_duration_since(self.base).as_micros() as Micros;
        self.real = self.real.max(waited);
    }

    fn show(&self) {
        clock::simulate(self.base + Duration::from_micros(self.real as u64));
    }
}

/// Why a process stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// It is gone.
    Crashed,
    /// It is stopped, and may be woken.
    Stopped,
}

/// What a moment comes to.
#[derive(Debug)]
pub(crate) enum Then {
    /// The call is answered.
    Go,
    /// It fails.
    Fail(FaultKind),
    /// Whoever called stands still.
    Stand,
}

/// What may break a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frailty {
    /// Nothing: it is a moment inside of a call.
    None,
    /// Its connection to either server may break.
    Connection,
    /// It may end in a deadlock as well.
    Write,
}

/// Everything.
pub(crate) struct World {
    /// What is to be run.
    pub order: Order,
    /// The kind of schedule.
    pub style: Style,
    /// The random numbers of the step under way.
    pub random: Random,
    /// The clocks.
    pub clock: Clock,
    /// The source's data.
    pub database: Database,
    /// The application's clients.
    pub clients: Vec<Client>,
    /// Prepared transactions.
    pub prepared: Vec<Prepared>,
    /// The client that holds each table locked, or waits for that.
    pub lockers: Vec<Option<usize>>,
    /// Tables that Leeward's open views have read, by process, one bit each.
    pub views: Vec<(u32, u8)>,
    /// The last thread id given.
    pub threads: u32,
    /// The last statement's number.
    pub query_id: u64,
    /// Counts restarts: connections made before are broken.
    pub generation: u32,
    /// `server_id`.
    pub server_id: u32,
    /// The clock at Leeward's latest look.
    pub looked_at: Micros,
    /// Whether the source's clock has ever stepped.
    pub clock_stepped: bool,
    /// How often it was set back.
    pub set_back: u32,
    /// The same at the last look that was fresh.
    pub set_back_seen: Option<u32>,
    /// The target.
    pub target: TargetServer,
    /// What has been promised so far.
    pub judge: Judge,
    /// What was reached.
    pub coverage: Coverage,
    /// Why a process stands still.
    pub halts: Vec<(u32, Halt)>,
    /// The broken promise that ends the schedule.
    pub broken_promise: Option<String>,
    /// What happened, if it is to be told.
    pub trace: Option<Vec<String>>,
    /// Whether the world has come to its end: nothing happens by itself any more, and nothing breaks.
    pub quiet: bool,
    step: u32,
    moment: u32,
}

impl World {
    /// Makes the world of a schedule.
    pub(crate) fn new(order: &Order) -> World {
        let style = Style::draw(order.seed, order.hazards, order.broken);
        let tables = style.terms.kinds.len();
        let mut world = World {
            order: order.clone(),
            random: Random::new(order.seed, Stream::Style, 1),
            clock: Clock::new(),
            database: Database::default(),
            clients: (0..style.clients).map(|_| Client::default()).collect(),
            prepared: Vec::new(),
            lockers: vec![None; tables],
            views: Vec::new(),
            threads: 10,
            query_id: 0,
            generation: 0,
            server_id: 1,
            looked_at: 0,
            clock_stepped: false,
            set_back: 0,
            set_back_seen: None,
            target: TargetServer::new(&style),
            judge: Judge::new(tables),
            coverage: Coverage::default(),
            halts: Vec::new(),
            broken_promise: None,
            trace: order.told.then(Vec::new),
            quiet: false,
            step: 0,
            moment: 0,
            style,
        };
        world.fill();
        let text = world.style.text();
        world.note(|| text);
        world
    }

    /// Returns whether a break is in force.
    pub(crate) fn is_broken(&self, broken: Break) -> bool {
        self.order.broken == Some(broken)
    }

    /// Counts something that was reached.
    pub(crate) fn reached(&mut self, reached: Reached) {
        self.coverage.count(reached);
    }

    /// Tells something, if anybody listens.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(text());
        }
    }

    /// Notes a broken promise; the first one counts.
    pub(crate) fn breaks(&mut self, promise: String) {
        self.note(|| format!("BROKEN: {promise}"));
        self.broken_promise.get_or_insert(promise);
    }

    /// Lets the world go on for a while, and says what becomes of the call.
    pub(crate) fn moment(&mut self, process: u32, call: &'static str, frailty: Frailty) -> Then {
        self.clock.catch_up();
        if self.broken_promise.is_some() || self.halts.iter().any(|(of, _)| *of == process) {
            return Then::Stand;
        }
        if self.quiet {
            return Then::Go;
        }
        self.moment += 1;
        let mut random = Random::new(self.order.seed, Stream::Moment, u64::from(self.moment));
        let calm = if frailty == Frailty::None { self.style.calm_inside } else { self.style.calm };
        if random.one_in(calm) {
            for _ in 0..1 + random.below(3) {
                self.step();
            }
        }
        if frailty == Frailty::None || self.order.leaves_out(MOMENT | self.moment) {
            return Then::Go;
        }
        self.break_something(&mut random, (process, call), frailty)
    }

    fn break_something(&mut self, random: &mut Random, (process, call): (u32, &str), frailty: Frailty) -> Then {
        let moment = self.moment;
        let draw = random.below(120);
        let stops = self.style.has(Hazard::TakeOver) && self.halts.is_empty();
        match draw {
            0 | 1 if self.style.has(Hazard::Crash) => {
                self.note(|| format!("[m{moment}] Leeward {process} crashes at: {call}"));
                self.reached(Reached::Crash);
                self.halts.push((process, Halt::Crashed));
                Then::Stand
            }
            2 | 3 if stops => {
                self.note(|| format!("[m{moment}] Leeward {process} is stopped at: {call}"));
                self.reached(Reached::TakeOver);
                self.halts.push((process, Halt::Stopped));
                Then::Stand
            }
            4 | 5 if self.style.has(Hazard::Faults) => {
                self.note(|| format!("[m{moment}] the connection breaks at: {call}"));
                self.reached(Reached::Fault);
                Then::Fail(FaultKind::Unreachable)
            }
            6 if self.style.has(Hazard::Faults) && frailty == Frailty::Write => {
                self.note(|| format!("[m{moment}] a deadlock at: {call}"));
                self.reached(Reached::Conflict);
                Then::Fail(FaultKind::Conflict)
            }
            _ => Then::Go,
        }
    }

    /// Takes one step of the world, while there are any left.
    pub(crate) fn step(&mut self) {
        if self.quiet || self.step >= self.order.steps_max.min(self.style.steps_max) {
            return;
        }
        self.step += 1;
        self.random = Random::new(self.order.seed, Stream::Step, u64::from(self.step));
        let passes = self.pause();
        self.clock.pass(passes);
        if self.order.leaves_out(self.step) {
            return;
        }
        let (step, now) = (self.step, self.clock.wall());
        let before = self.trace.as_ref().map_or(0, Vec::len);
        self.happen();
        if let Some(trace) = &mut self.trace {
            for line in &mut trace[before..] {
                line.insert_str(0, &format!("  [s{step} {}] ", crate::trace::clock(now)));
            }
        }
    }

    fn pause(&mut self) -> Micros {
        match self.random.below(20) {
            0..6 => 0,
            6..11 => self.random.between(1, 1_000),
            11..18 => self.random.between(1_000, 200_000),
            18 if self.style.has(Hazard::Long) => self.random.between(1, 9) * SECOND,
            _ => self.random.between(200_000, 1_500_000),
        }
    }

    fn happen(&mut self) {
        match self.random.below(60) {
            0 if self.style.has(Hazard::Restart) => self.restart(),
            1 | 2 if self.style.has(Hazard::ClockSteps) => self.step_clock(),
            _ => {
                let at = self.random.below(self.clients.len() as u32) as usize;
                self.act(at);
            }
        }
    }

    /// Sets the source's clock, once somebody has looked at it. One that was set back is not set forward before somebody has
    /// looked again: back and forth between two looks is noticed by nobody, nor is less than lies between two looks.
    fn step_clock(&mut self) {
        let by = match self.random.below(3) {
            0 => self.random.between(-90_000, 90_000),
            _ => self.random.between(-8, 8) * SECOND / 2,
        };
        if self.set_back_seen.is_none_or(|seen| by > 0 && self.set_back > seen) {
            return;
        }
        self.clock_stepped = true;
        self.set_back += u32::from(by < 0);
        self.clock.offset += by;
        self.reached(if by < 0 { Reached::ClockBack } else { Reached::ClockForward });
        let now = self.clock.wall();
        self.note(|| format!("the source's clock steps by {by} µs to {}", crate::trace::clock(now)));
    }

    /// Restarts the source, or lets another server take its place. What was prepared stays; all else that was open is gone.
    fn restart(&mut self) {
        for at in 0..self.clients.len() {
            self.disconnect(at);
        }
        // What others have seen is committed, though its thread did not come to the end.
        for prepared in self.prepared.extract_if(.., |one| one.transaction.visible.is_some()) {
            self.database.end(&prepared.transaction);
        }
        self.generation += 1;
        // A fresh server counts its threads from the start, so that ids mean others than before.
        self.threads = 10;
        if self.random.one_in(2) {
            self.server_id += 1;
            self.reached(Reached::Failover);
        }
        self.reached(Reached::Restart);
        if self.random.one_in(3) {
            self.database.lose_counters(self.prepared.iter().map(|one| &one.transaction));
            self.reached(Reached::CountersLost);
        }
        let server = self.server_id;
        self.note(|| format!("the source restarts as server {server}"));
    }

    /// Lets everything that is open on the source come to an end, and nothing new begin.
    pub(crate) fn come_to_rest(&mut self) {
        self.quiet = true;
        self.halts.clear();
        self.random = Random::new(self.order.seed, Stream::End, 0);
        self.note(|| "the application comes to rest".into());
        let now = self.clock.wall();
        for at in 0..self.clients.len() {
            self.clients[at].statement = None;
            if self.random.one_in(2)
                && let Some(transaction) = &mut self.clients[at].transaction
                && transaction.visible.is_none()
            {
                self.database.commit(transaction, now);
            }
            self.disconnect(at);
        }
        for mut prepared in std::mem::take(&mut self.prepared) {
            if self.random.one_in(2) && prepared.transaction.visible.is_none() {
                self.database.commit(&mut prepared.transaction, now);
            }
            self.database.end(&prepared.transaction);
        }
        self.views.clear();
    }

    /// Returns whether a statement may open a table: nobody has it for his own, or waits for that.
    pub(crate) fn may_share(&self, client: Option<usize>, table: usize) -> bool {
        self.lockers[table].is_none_or(|locker| Some(locker) == client)
    }

    /// Asks for a table of one's own. While it is not granted, nobody else may open the table (the queue is fair).
    pub(crate) fn get_exclusive(&mut self, client: usize, table: usize) -> bool {
        if !self.may_share(Some(client), table) {
            return false;
        }
        let bit = 1 << table;
        let transactions = self.clients.iter().filter_map(|client| client.transaction.as_ref());
        let transactions = transactions.chain(self.prepared.iter().map(|one| &one.transaction));
        let in_use = transactions.map(|one| one.touched).chain(self.views.iter().map(|(_, read)| *read));
        self.lockers[table] = Some(client);
        in_use.fold(0, |all, one| all | one) & bit == 0
    }

    /// Takes note of a commit on the source.
    pub(crate) fn saw_commit(&mut self) {
        let (seq, looked_at) = (self.database.seq, self.looked_at);
        let late = |version: &crate::database::Version| {
            version.committed == seq && version.shown == Shown::ByMark && version.row.at < looked_at
        };
        if self.database.versions.iter().rev().take(16).any(late) {
            self.reached(Reached::LateCommit);
        }
    }

    /// Lets time pass between two turns, in which the world goes on.
    pub(crate) fn rest(&mut self) {
        self.moment += 1;
        let mut random = Random::new(self.order.seed, Stream::Moment, u64::from(self.moment));
        if !self.quiet {
            for _ in 0..random.below(4) {
                self.step();
            }
            if random.one_in(3) {
                self.target.accept();
            }
        }
        let longest = if self.style.has(Hazard::Long) { 3 * SECOND } else { SECOND };
        self.clock.pass(random.between(0, longest));
    }

    /// Returns how many moments have passed.
    pub(crate) fn moments(&self) -> u32 {
        self.moment
    }

    /// Opens a read view of the source.
    pub(crate) fn snapshot(&self) -> Arc<crate::database::Snapshot> {
        self.database.snapshot()
    }
}

/// Tells moments from steps among what a schedule may leave out.
pub(crate) const MOMENT: u32 = 1 << 31;
