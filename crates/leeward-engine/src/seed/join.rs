//! Joining a seed: many processes, started with the same command. Whoever gets the lane's lease leads; the others help with
//! the rows, wait for the end, and one of them leads on if the leader is gone.

use std::time::Duration;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::lane::{LaneState, TableState};
use leeward_core::name::Side;
use leeward_core::plan::{Plan, PlannedTable};
use leeward_core::port::{Control, Lease, LeaseRecord, Servers};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{SeedOptions, SeedReport, SeedRole, same_shapes};
use crate::copy::{self, Book, Copy, Readers};
use crate::lease::{self, Asked};
use crate::patience::Patience;
use crate::progress::{Progress, Tell};
use crate::throttle::Throttle;

/// How often the lane is looked at while there is nothing to help with.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks at a seed that follows another plan before it is taken for what it seems: a leader that has just taken the lease
/// stores its plan within moments, so half a minute is ample.
const FOREIGN_LOOKS_MAX: u32 = 30;

/// A process that helps, or waits to.
struct Join<'a> {
    servers: &'a dyn Servers,
    plan: &'a Plan,
    options: &'a SeedOptions,
    tell: &'a dyn Tell,
    stop: &'a CancellationToken,
    throttle: &'a Throttle,
    control: Option<Box<dyn Control>>,
    /// Whether a seed of our tables was seen under way, whose end is ours.
    has_joined: bool,
    /// The leader's epoch in which a lane past its copy was looked at.
    joined_in: u64,
    foreign_looks: u32,
    told: String,
}

/// What comes next.
enum Step {
    /// Nothing yet.
    Wait,
    /// The lease is ours.
    Lead(Lease),
    /// The seed is done.
    End,
}

/// Helps until the lease is ours, which is returned, or the seed is done.
pub(super) async fn until_ours(
    servers: &dyn Servers,
    (plan, options): (&Plan, &SeedOptions),
    (tell, stop, throttle): (&dyn Tell, &CancellationToken, &Throttle),
    report: &mut SeedReport,
) -> Result<Option<Lease>, Fault> {
    let mut join = Join {
        servers,
        plan,
        options,
        tell,
        stop,
        throttle,
        control: None,
        has_joined: false,
        joined_in: 0,
        foreign_looks: 0,
        told: String::new(),
    };
    let mut patience = Patience::new(tell, stop);
    loop {
        match join.step(report).await {
            Ok(Step::Wait) => patience = Patience::new(tell, stop),
            Ok(Step::Lead(lease)) => return Ok(Some(lease)),
            Ok(Step::End) => return Ok(None),
            // Another process leads now; what was being copied for the old leader is left to it.
            Err(fault) if fault.kind == FaultKind::LeaseLost => join.say("the seed has another leader".to_owned()),
            Err(fault) => {
                join.control = None;
                patience.wait(fault).await?;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => return Err(Fault::new(FaultKind::Stopped, "wait for the seed")),
        }
    }
}

impl Join<'_> {
    async fn step(&mut self, report: &mut SeedReport) -> Result<Step, Fault> {
        let name = &self.plan.settings.lane;
        let control = match &mut self.control {
            Some(control) => control,
            None => self.control.insert(self.servers.control().await?),
        };
        let state = control.lane(name).await?.map(|lane| lane.state);
        if self.has_joined && state == Some(LaneState::Live) {
            finish(control.as_mut(), name, report).await?;
            return Ok(Step::End);
        }
        let Some(held) = control.lease_holder(name).await?.filter(LeaseRecord::is_held) else {
            return match lease::ask(control.as_mut(), name, &self.options.claim).await? {
                Asked::Ours(lease) => Ok(Step::Lead(lease)),
                Asked::HeldBy { .. } => Ok(Step::Wait),
            };
        };
        let is_seeding = state == Some(LaneState::Seeding);
        let is_closing = state == Some(LaneState::CatchingUp) && self.joined_in != held.epoch;
        if !is_seeding && !is_closing {
            self.say(format!("waiting for {}, who works on the lane", held.holder));
            return Ok(Step::Wait);
        }
        let stored = control.plan(name).await?;
        match stored.filter(|stored| stored.hash == self.plan.hash || same_shapes(stored, self.plan)) {
            Some(stored) if is_seeding => self.help(&stored, held, report).await,
            None if is_seeding => self.foreign(&held),
            ours => {
                self.joined_in = held.epoch;
                self.has_joined |= ours.is_some();
                Ok(Step::Wait)
            }
        }
    }

    /// Helps the leader as long as rows are copied.
    async fn help(&mut self, stored: &Plan, held: LeaseRecord, report: &mut SeedReport) -> Result<Step, Fault> {
        (self.has_joined, self.foreign_looks) = (true, 0);
        info!(lane = stored.settings.lane, epoch = held.epoch, leader = held.holder, "seed joined");
        self.say(format!("helping {}, who leads the seed", held.holder));
        let lease = Lease { lane: stored.settings.lane.clone(), epoch: held.epoch };
        // Helping may take hours, in which this connection would be silent.
        let known = match self.control.take() {
            Some(mut control) => control.chunks(&lease.lane).await?,
            None => Vec::new(),
        };
        let settings = &stored.settings.seed;
        let member = self.options.member(stored);
        let copy = Copy {
            servers: self.servers,
            lease: &lease,
            parallel: self.options.fixed(stored),
            chunk_bytes: settings.chunk_bytes,
            chunk_rows: settings.chunk_rows,
            tell: self.tell,
            stop: self.stop,
            member: Some(&member),
            throttle: self.throttle,
            budget: &self.options.budget,
            book: Book::Control,
            readers: Readers::default(),
        };
        let tables: Vec<&PlannedTable> = stored.tables.iter().collect();
        let mut copied = (0, 0);
        let helped = copy::help(&copy, &tables, &known, &mut copied).await;
        report.rows += copied.0;
        report.bytes += copied.1;
        for (name, fault) in helped? {
            self.tell.tell(Progress::Note(format!("{name} was left to the leader: {fault}")));
        }
        Ok(Step::Wait)
    }

    fn foreign(&mut self, held: &LeaseRecord) -> Result<Step, Fault> {
        self.foreign_looks += 1;
        if self.foreign_looks < FOREIGN_LOOKS_MAX {
            return Ok(Step::Wait);
        }
        let why = format!(
            "{} seeds this lane by another plan, whose tables differ from those of this process. Give all processes the \
             same plan file, or wait until it is done",
            held.holder
        );
        Err(Fault::new(FaultKind::Refused(why), "join the seed").on(Side::Target))
    }

    /// Says something unless it was said last.
    fn say(&mut self, text: String) {
        if self.told != text {
            self.tell.tell(Progress::Note(text.clone()));
            self.told = text;
        }
    }
}

/// Reports a seed that another process has brought to its end.
async fn finish(control: &mut dyn Control, lane: &str, report: &mut SeedReport) -> Result<(), Fault> {
    report.role = SeedRole::Helped;
    for record in control.tables(lane).await? {
        match record.state {
            TableState::Quarantined { reason, remedy, .. } => {
                report.quarantined.push((record.name.to_string(), reason, remedy));
            }
            _ => report.tables += 1,
        }
    }
    Ok(())
}
