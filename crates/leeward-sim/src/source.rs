//! The source as Leeward sees it: looks whose parts are read at different moments, in the order of
//! `leeward-mysql/src/fence.rs`, and cuts whose tables are read one after the other in one view.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::fence::{Member, Observation, Statement, Thread};
use leeward_core::name::{Side, TableName};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Cut, CutPart, CutRequest, Look, Source, TakePart};

use crate::breakage::Break;
use crate::coverage::Reached;
use crate::cut::SimCut;
use crate::database::Snapshot;
use crate::handle::Handle;
use crate::row::{self, Micros, SECOND};
use crate::shape::Kind;
use crate::style::Hazard;
use crate::trace::clock;
use crate::world::{Frailty, World};

/// How often a locked table is looked at again before it is left to the next cycle: once for each third of a second that
/// Leeward's sessions wait.
const LOCKED_LOOKS: usize = 3;

/// A line of the process list.
struct ProcessLine {
    thread: u32,
    query_id: u64,
    began: Micros,
}

/// A line of `INNODB_TRX`.
#[derive(Clone)]
struct TransactionLine {
    thread: Option<u32>,
    number: u32,
    started: Micros,
    committing: bool,
}

/// The connection that looks.
pub(crate) struct Watch {
    handle: Handle,
    /// The server that it was made to.
    pub generation: u32,
    /// What a look that is not proved fresh may show ([`Break::StaleLook`]).
    stale: Vec<TransactionLine>,
    /// The look before ([`Break::LookAfterLeftOut`]).
    pub before: Option<Observation>,
}

impl Watch {
    async fn transactions(&mut self) -> Vec<TransactionLine> {
        let now = self.handle.world().transactions();
        if !self.handle.world().is_broken(Break::StaleLook) {
            return now;
        }
        let old = std::mem::replace(&mut self.stale, now.clone());
        if self.handle.draw(1).one_in(2) { old } else { now }
    }

    async fn heads(&self, probes: &[&PlannedTable]) -> BTreeMap<TableName, u64> {
        let mut heads = BTreeMap::new();
        for probe in probes {
            if wait_for(&self.handle, probe).await.is_err() {
                // The answer ends here; what came before stands.
                break;
            }
            let world = self.handle.world();
            let rows = &world.database.tables[world.table(probe)].rows;
            heads.insert(probe.name().clone(), rows.last().map_or(0, |row| u64::from(row.id)));
        }
        heads
    }

    /// Looks: threads, then transactions, then the clock, then the highest ids, with the world going on in between.
    pub(crate) async fn look(&mut self, probes: &[&PlannedTable]) -> Result<Option<Observation>, Fault> {
        self.handle.call("look", Frailty::Connection).await?;
        alive(&self.handle, self.generation)?;
        let first = self.handle.world().is_broken(Break::TransactionsFirst);
        let early = if first { Some(self.transactions().await) } else { None };
        self.handle.pass().await;
        let processes = self.handle.world().processes();
        self.handle.pass().await;
        let transactions = match early {
            Some(early) => early,
            None => self.transactions().await,
        };
        self.handle.pass().await;
        let (now, set_back) = {
            let mut world = self.handle.world();
            world.looked_at = world.clock.wall();
            (world.looked_at, world.set_back)
        };
        let heads = self.heads(probes).await;
        alive(&self.handle, self.generation)?;
        let seen = self.seen(now, heads, (processes, transactions));
        let stale = !self.handle.world().quiet && self.handle.world().style.has(Hazard::StaleLooks);
        if stale && self.handle.draw(2).one_in(4) {
            self.handle.world().reached(Reached::StaleLook);
            self.handle.note(|| "a look that is not fresh".into());
            return Ok(None);
        }
        self.handle.note(|| describe(&seen));
        self.handle.world().set_back_seen = Some(set_back);
        self.before = Some(seen.clone());
        Ok(Some(seen))
    }

    fn seen(
        &self,
        now: Micros,
        heads: BTreeMap<TableName, u64>,
        (processes, transactions): (Vec<ProcessLine>, Vec<TransactionLine>),
    ) -> Observation {
        let world = self.handle.world();
        let mut seen = Observation {
            server: format!("{}/{}", world.server_id, self.generation),
            now: row::time(now),
            heads,
            threads: BTreeMap::new(),
            detached: BTreeMap::new(),
            committing: BTreeSet::new(),
        };
        add_processes(&mut seen, processes, &world);
        add_transactions(&mut seen, &transactions, &world);
        if world.is_broken(Break::OldestTransaction) {
            let oldest = transactions.iter().map(|line| line.started).min();
            seen.now = row::time(oldest.map_or(now, |oldest| oldest.min(now)));
        }
        seen
    }
}

fn describe(seen: &Observation) -> String {
    let heads: Vec<_> = seen.heads.iter().map(|(of, head)| format!("{} {head}", of.table)).collect();
    let threads = seen.threads.iter().map(|(id, thread)| {
        let (runs, holds) = (thread.statement.is_some(), thread.transaction.map(|at| clock(row::micros(at))));
        format!(
            "{id}{}{}",
            if runs { " running" } else { "" },
            holds.map_or(String::new(), |at| format!(" since {at}"))
        )
    });
    let threads: Vec<String> = threads.collect();
    format!(
        "looks at {}: threads [{}], prepared {:?}, committing {:?}, heads {}",
        clock(row::micros(seen.now)),
        threads.join(", "),
        seen.detached.keys().collect::<Vec<_>>(),
        seen.committing,
        heads.join(", ")
    )
}

/// The two source connections of a process.
pub(crate) struct SimSource {
    watch: Watch,
    /// What a cut may show that was opened before the look ([`Break::CutBeforeLook`]).
    early: Option<Arc<Snapshot>>,
}

impl SimSource {
    /// Connects.
    pub(crate) fn connect(handle: Handle) -> SimSource {
        let generation = {
            let mut world = handle.world();
            world.threads += 1;
            world.generation
        };
        SimSource { watch: Watch { handle, generation, stale: Vec::new(), before: None }, early: None }
    }
}

#[async_trait]
impl Source for SimSource {
    async fn observe(&mut self, probes: &[&PlannedTable], _look: Look) -> Result<Option<Observation>, Fault> {
        if self.watch.handle.world().is_broken(Break::CutBeforeLook) {
            self.early = Some(self.watch.handle.world().snapshot());
        }
        self.watch.look(probes).await
    }

    async fn cut<'s>(
        &'s mut self,
        request: &CutRequest<'_>,
        take: &mut dyn TakePart,
    ) -> Result<Box<dyn Cut + 's>, Fault> {
        let handle = self.watch.handle.clone();
        handle.call("open a cut", Frailty::Connection).await?;
        alive(&handle, self.watch.generation)?;
        let mut at = handle.world().clock.wall();
        handle.pass().await;
        let early = self.early.take();
        let snapshot = early.unwrap_or_else(|| handle.world().snapshot());
        if handle.world().is_broken(Break::ClockAfterView) {
            handle.pass().await;
            at = handle.world().clock.wall();
        }
        {
            let mut world = handle.world();
            world.views.retain(|(process, _)| *process != handle.process);
            world.views.push((handle.process, 0));
            world.judge.opened(handle.process, &snapshot);
        }
        handle.note(|| format!("opens a cut of #{} at {}", snapshot.seq, clock(at)));
        let mut cut = SimCut { handle, snapshot, watch: &mut self.watch };
        take.take(CutPart::Opened { at: row::time(at) }).await?;
        cut.answer(request, take).await?;
        Ok(Box::new(cut))
    }
}

/// Fails when the server that this connection was made to is gone.
pub(crate) fn alive(handle: &Handle, generation: u32) -> Result<(), Fault> {
    match handle.world().generation == generation {
        true => Ok(()),
        false => Err(Fault::new(FaultKind::Unreachable, "ask the source").on(Side::Source)),
    }
}

/// Waits a little for a table that is locked away.
pub(crate) async fn wait_for(handle: &Handle, planned: &PlannedTable) -> Result<usize, Fault> {
    for _ in 0..LOCKED_LOOKS {
        handle.pass().await;
        let mut world = handle.world();
        let table = world.table(planned);
        let read = world.views.iter().any(|(process, read)| *process == handle.process && read & (1 << table) != 0);
        if read || world.may_share(None, table) {
            return Ok(table);
        }
        world.reached(Reached::LockedRead);
        world.clock.pass(SECOND / LOCKED_LOOKS as Micros);
    }
    Err(Fault::new(FaultKind::Conflict, "wait for a locked table").on(Side::Source).of(planned.name()))
}

fn add_processes(seen: &mut Observation, processes: Vec<ProcessLine>, world: &World) {
    if world.is_broken(Break::StatementsUnseen) {
        return;
    }
    for line in processes {
        let passed = world.clock.wall().div_euclid(SECOND) - line.began.div_euclid(SECOND);
        let query_id = world.style.numbers_statements.then_some(line.query_id);
        let statement = Some(Statement { query_id, running_s: passed.max(0) as u64 });
        let thread = Thread { statement, transaction: None, account: String::new() };
        seen.threads.insert(u64::from(line.thread), thread);
    }
}

fn add_transactions(seen: &mut Observation, transactions: &[TransactionLine], world: &World) {
    for line in transactions {
        let started = row::time(line.started);
        let member = match line.thread {
            Some(thread) => {
                let idle = || Thread { statement: None, transaction: None, account: String::new() };
                seen.threads.entry(u64::from(thread)).or_insert_with(idle).transaction = Some(started);
                Member::Thread(u64::from(thread))
            }
            None if world.is_broken(Break::PreparedUnseen) => continue,
            None => {
                seen.detached.insert(line.number.to_string(), started);
                Member::Detached(line.number.to_string())
            }
        };
        if line.committing && !world.is_broken(Break::CommittingUnseen) {
            seen.committing.insert(member);
        }
    }
}

impl World {
    /// Returns the process list: each thread that runs a statement.
    fn processes(&self) -> Vec<ProcessLine> {
        let running = self.clients.iter().filter_map(|client| Some((client.thread?, client.statement.as_ref()?)));
        let line = |(thread, statement): (u32, &crate::client::Statement)| ProcessLine {
            thread,
            query_id: statement.query_id,
            began: statement.now,
        };
        running.map(line).collect()
    }

    /// Returns `INNODB_TRX`.
    fn transactions(&self) -> Vec<TransactionLine> {
        let open = self.clients.iter().filter_map(|client| {
            let one = client.transaction.as_ref()?;
            let committing = client.is_committing();
            Some(TransactionLine { thread: client.thread, number: one.number, started: one.started, committing })
        });
        let prepared = self.prepared.iter().map(|one| {
            let thread = one.client.and_then(|client| self.clients[client].thread);
            let (number, started) = (one.transaction.number, one.transaction.started);
            let finishes = |client: &crate::client::Client| client.is_committing() && client.finishes(number);
            TransactionLine { thread, number, started, committing: self.clients.iter().any(finishes) }
        });
        open.chain(prepared).collect()
    }

    /// Returns the index of a planned table.
    pub(crate) fn table(&self, planned: &PlannedTable) -> usize {
        let kind = Kind::of(planned);
        self.style.terms.kinds.iter().position(|own| *own == kind).expect("a table of the plan")
    }
}
