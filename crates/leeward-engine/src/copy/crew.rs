//! Several processes that share one copy. The leader, who holds the lane's lease, hands chunks to its own workers first and
//! puts up what they have no room for; members claim it for a term and renew their claims while they copy. A claim is
//! proved in the transaction that loads the chunk, so whoever has lost it commits nothing. Alone, the leader only looks
//! once a second whether somebody has come.

use std::time::Duration;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::lane::LaneState;
use leeward_core::name::TableName;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{ChunkRecord, Claim, Claims, Control, Crew, Member};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::walk::tell_started;
use super::{Copy, Job, Shared, Work};
use crate::patience::Patience;
use crate::progress::Progress;

/// How often the leader looks who helps, and how often whoever helps looks for work when there is none.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Chunks put up that nobody has claimed: more than members take until the leader looks again (at 20 MB each, 2.5 GB in a
/// second), and few enough that hardly a border is found before its time.
const OPEN_MAX: u64 = 128;

/// How long the leader waits for what others are copying before it looks again: the seed stands still meanwhile.
const WAIT: Duration = Duration::from_millis(250);

/// The leader's side.
pub(super) struct Sharing<'c> {
    copy: &'c Copy<'c>,
    claims: Option<Box<dyn Claims>>,
    crew: Crew,
    look_at: Instant,
    /// Whether anything was put up.
    has_offered: bool,
    /// Failed tables whose chunks were taken back.
    withdrawn: Vec<TableName>,
    elsewhere: Elsewhere,
}

/// What the leader does next, once all chunks are handed out or put up.
enum Turn {
    Copy(ChunkRecord, Claim),
    Wait,
    End { rows: u64 },
}

impl<'c> Sharing<'c> {
    pub(super) fn new(copy: &'c Copy<'c>, known: &[ChunkRecord]) -> Sharing<'c> {
        Sharing {
            copy,
            claims: None,
            crew: Crew::default(),
            look_at: Instant::now() + LOOK_EVERY,
            has_offered: false,
            withdrawn: Vec::new(),
            elsewhere: Elsewhere::after(known),
        }
    }

    /// Returns whether there are members, with too little to choose from.
    pub(super) fn wants_more(&self) -> bool {
        self.crew.members > 0 && self.crew.open < OPEN_MAX
    }

    /// Ends when it is time for the next look.
    pub(super) async fn time_to_look(&mut self) {
        match self.copy.member {
            Some(_) => tokio::time::sleep_until(self.look_at).await,
            None => std::future::pending().await,
        }
    }

    /// Looks who helps, if it is time. What cannot be seen is not there: the leader copies by itself.
    pub(super) async fn look(&mut self, shared: &Shared<'_>) {
        if self.copy.member.is_none() || Instant::now() < self.look_at {
            return;
        }
        let before = self.crew.members;
        let seen = self.crew_now().await;
        self.look_at = Instant::now() + LOOK_EVERY;
        let Ok((crew, copied)) = seen else {
            (self.claims, self.crew) = (None, Crew::default());
            return;
        };
        self.crew = crew;
        self.elsewhere.tell(self.copy, shared, copied);
        if crew.members != before {
            let text = match crew.members {
                0 => "no other process shares the copy any more".to_owned(),
                1 => "1 other process shares the copy".to_owned(),
                more => format!("{more} other processes share the copy"),
            };
            self.copy.tell.tell(Progress::Note(text));
        }
    }

    async fn crew_now(&mut self) -> Result<(Crew, Option<(u64, u64)>), Fault> {
        let lane = &self.copy.lease.lane;
        let claims = open(&mut self.claims, self.copy).await?;
        let crew = claims.crew(lane).await?;
        let copied = if crew.members > 0 { Some(claims.copied(lane).await?) } else { None };
        Ok((crew, copied))
    }

    /// Puts a chunk up.
    pub(super) async fn offer(&mut self, chunk: &ChunkRecord) -> Result<(), Fault> {
        let Some(member) = self.copy.member else { return Ok(()) };
        self.has_offered = true;
        self.crew.open += 1;
        let mut patience = Patience::new(self.copy.tell, self.copy.stop);
        loop {
            let offered = match open(&mut self.claims, self.copy).await {
                Ok(claims) => claims.offer(self.copy.lease, &member.plan, chunk).await,
                Err(fault) => Err(fault),
            };
            let Err(fault) = offered else { return Ok(()) };
            self.claims = None;
            patience.wait(fault).await?;
        }
    }

    /// Takes part in what was put up, until all of it is copied. Members renew their claims or lose them, so it ends. Returns
    /// how many rows have been copied since this process began, if it was not alone.
    pub(super) async fn gather<'a>(
        &mut self,
        tables: &[&'a PlannedTable],
        send: &mpsc::Sender<Job<'a>>,
        shared: &Shared<'a>,
    ) -> Result<Option<u64>, Fault> {
        let Some(member) = self.copy.member.filter(|_| self.has_offered) else { return Ok(None) };
        loop {
            let Some(room) = room(send, shared).await else { return Ok(None) };
            match self.turn(member, shared).await? {
                Turn::Copy(chunk, claim) => hand_out(room, tables, shared, (chunk, claim)),
                Turn::Wait => {
                    drop(room);
                    self.look(shared).await;
                    pause(shared, WAIT).await;
                }
                Turn::End { rows } => return Ok(Some(rows.saturating_sub(self.elsewhere.before.0))),
            }
        }
    }

    async fn turn(&mut self, member: &Member, shared: &Shared<'_>) -> Result<Turn, Fault> {
        let mut patience = Patience::new(self.copy.tell, self.copy.stop);
        loop {
            match self.try_turn(member, &shared.failed()).await {
                Ok(turn) => return Ok(turn),
                // A claim whose answer was lost is not renewed, and comes back.
                Err(fault) => patience.wait(fault).await?,
            }
            self.claims = None;
        }
    }

    async fn try_turn(&mut self, member: &Member, failed: &[TableName]) -> Result<Turn, Fault> {
        let lease = self.copy.lease;
        let claims = open(&mut self.claims, self.copy).await?;
        for table in failed {
            if !self.withdrawn.contains(table) {
                claims.withdraw(lease, table).await?;
                self.withdrawn.push(table.clone());
            }
        }
        if let Some((chunk, claim)) = claims.claim(lease, member, &[]).await? {
            return Ok(Turn::Copy(chunk, claim));
        }
        match claims.crew(&lease.lane).await?.pending {
            0 => Ok(Turn::End { rows: claims.copied(&lease.lane).await?.0 }),
            _ => Ok(Turn::Wait),
        }
    }
}

async fn open<'s>(claims: &'s mut Option<Box<dyn Claims>>, copy: &Copy<'_>) -> Result<&'s mut dyn Claims, Fault> {
    if claims.is_none() {
        *claims = Some(copy.servers.claims().await?);
    }
    match claims {
        Some(claims) => Ok(claims.as_mut()),
        None => Err(Fault::new(FaultKind::Unexpected, "share a copy")),
    }
}

/// Waits for room for one more chunk; nothing when the copy is being halted.
async fn room<'s, 'a>(send: &'s mpsc::Sender<Job<'a>>, shared: &Shared<'_>) -> Option<mpsc::Permit<'s, Job<'a>>> {
    tokio::select! {
        room = send.reserve() => room.ok(),
        () = shared.halt.cancelled() => None,
    }
}

async fn pause(shared: &Shared<'_>, time: Duration) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = shared.halt.cancelled() => {}
    }
}

/// Hands a claimed chunk to a worker. One of a table that is not copied is left to lapse.
fn hand_out<'a>(
    room: mpsc::Permit<'_, Job<'a>>,
    tables: &[&'a PlannedTable],
    shared: &Shared<'a>,
    (chunk, claim): (ChunkRecord, Claim),
) {
    if let Some(table) = tables.iter().find(|table| *table.name() == chunk.table) {
        shared.hold(claim);
        room.send(vec![Work { table, chunk, claim: Some(claim) }]);
    }
}

/// Renews the claims on what is waiting or being copied, three times in their term, until `ended`; for a member its
/// presence too.
pub(super) async fn keep(
    copy: &Copy<'_>,
    role: Role,
    shared: &Shared<'_>,
    ended: &CancellationToken,
) -> Result<(), Fault> {
    let Some(member) = copy.member else { return Ok(()) };
    let beat = Duration::from_millis(member.ttl_s * 1_000 / 3).max(Duration::from_millis(200));
    let mut claims = None;
    loop {
        let pause = match renew(copy, (member, role), &shared.held(), &mut claims).await {
            Err(fault) if fault.kind == FaultKind::LeaseLost => {
                shared.halt.cancel();
                return Err(fault);
            }
            // The target is away, or has ended the connection for its silence. What runs out meanwhile is found out when it
            // is loaded.
            Err(_) => {
                claims = None;
                beat.min(LOOK_EVERY)
            }
            Ok(()) => beat,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = ended.cancelled() => return Ok(()),
        }
    }
}

/// What a process is in a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It holds the lane's lease.
    Leader,
    /// It helps.
    Member,
}

async fn renew(
    copy: &Copy<'_>,
    (member, role): (&Member, Role),
    held: &[Claim],
    claims: &mut Option<Box<dyn Claims>>,
) -> Result<(), Fault> {
    if !held.is_empty() {
        open(claims, copy).await?.renew(member, held).await?;
    }
    match role {
        Role::Leader => Ok(()),
        Role::Member => open(claims, copy).await?.join(copy.lease, member).await,
    }
}

/// Helps the lane's leader: claims chunks and copies them until there are none and the leader says so, or is gone. Adds what
/// this process has copied to `copied`, however it ends. Returns the tables that could not be copied here. `LeaseLost` when
/// the lane has another leader.
pub async fn help(
    copy: &Copy<'_>,
    tables: &[&PlannedTable],
    known: &[ChunkRecord],
    copied: &mut (u64, u64),
) -> Result<Vec<(TableName, Fault)>, Fault> {
    let Some(member) = copy.member else { return Ok(Vec::new()) };
    // One chunk waits while the others are copied: claiming takes no worker's time, and little waits in vain at the end.
    let (send, receive) = mpsc::channel(1);
    let shared = Shared::new(copy, receive);
    let ended = CancellationToken::new();
    for table in tables {
        tell_started(copy.tell, table, known);
    }
    let copying = async {
        let find = async {
            let found = draw(copy, member, (tables, known), send, &shared).await;
            if found.is_err() {
                shared.halt.cancel();
            }
            found
        };
        let (found, worked) = tokio::join!(find, super::workers(copy, &shared));
        ended.cancel();
        found.and(worked)
    };
    let (ended_as, kept, ()) =
        tokio::join!(copying, keep(copy, Role::Member, &shared, &ended), shared.level.seek(copy, &ended));
    if let Ok(mut claims) = copy.servers.claims().await {
        // Best effort: what is not given back runs out.
        let _ = claims.leave(&copy.lease.lane, member, &shared.held()).await;
    }
    let result = shared.result.into_inner().unwrap_or_default();
    *copied = (copied.0 + result.rows, copied.1 + result.bytes);
    kept.and(ended_as)?;
    if copy.stop.is_cancelled() {
        return Err(Fault::new(FaultKind::Stopped, "copy rows"));
    }
    Ok(result.failed)
}

/// Claims chunks as there is room for them.
async fn draw<'a>(
    copy: &Copy<'_>,
    member: &Member,
    (tables, known): (&[&'a PlannedTable], &[ChunkRecord]),
    send: mpsc::Sender<Job<'a>>,
    shared: &Shared<'a>,
) -> Result<(), Fault> {
    let (mut claims, mut control) = (None, None);
    let mut elsewhere = Elsewhere::after(known);
    let mut patience = Patience::new(copy.tell, copy.stop);
    loop {
        let Some(room) = room(&send, shared).await else { return Ok(()) };
        // A table that failed here is left to the leader, who finds out whether it fails for everybody.
        let asked = async {
            let claims = open(&mut claims, copy).await?;
            let found = claims.claim(copy.lease, member, &shared.failed()).await?;
            let is_over = found.is_none() && is_over(copy, &mut control).await?;
            if found.is_none() {
                elsewhere.tell(copy, shared, Some(claims.copied(&copy.lease.lane).await?));
            }
            Ok((found, is_over))
        };
        match asked.await {
            Ok((Some(found), _)) => hand_out(room, tables, shared, found),
            Ok((None, true)) => return Ok(()),
            Ok((None, false)) => {
                drop(room);
                pause(shared, LOOK_EVERY).await;
            }
            Err(fault) => {
                drop(room);
                (claims, control) = (None, None);
                patience.wait(fault).await?;
                continue;
            }
        }
        patience = Patience::new(copy.tell, copy.stop);
    }
}

/// Returns whether the copy is over for whoever helps: rows are no longer copied, or this leader is gone.
async fn is_over(copy: &Copy<'_>, control: &mut Option<Box<dyn Control>>) -> Result<bool, Fault> {
    let control = match control {
        Some(control) => control,
        None => control.insert(copy.servers.control().await?),
    };
    let lease = control.lease_holder(&copy.lease.lane).await?;
    let is_led = lease.is_some_and(|lease| lease.is_held() && lease.epoch == copy.lease.epoch);
    let lane = control.lane(&copy.lease.lane).await?;
    Ok(!is_led || lane.is_none_or(|lane| lane.state != LaneState::Seeding))
}

/// What other processes have copied, for whoever waits at this one.
struct Elsewhere {
    /// Rows and bytes that were there before this process began.
    before: (u64, u64),
    told: (u64, u64),
}

impl Elsewhere {
    fn after(known: &[ChunkRecord]) -> Elsewhere {
        let done = known.iter().filter(|chunk| chunk.done);
        Elsewhere { before: done.fold((0, 0), |sum, chunk| (sum.0 + chunk.rows, sum.1 + chunk.bytes)), told: (0, 0) }
    }

    /// Tells what has come since the last time. A chunk of ours that is committed but not counted yet may be told twice;
    /// the next telling is less by as much.
    fn tell(&mut self, copy: &Copy<'_>, shared: &Shared<'_>, copied: Option<(u64, u64)>) {
        let Some((rows, bytes)) = copied else { return };
        let ours = {
            let result = shared.result.lock().expect("no panic while held");
            (result.rows, result.bytes)
        };
        let rows = rows.saturating_sub(self.before.0 + ours.0 + self.told.0);
        let bytes = bytes.saturating_sub(self.before.1 + ours.1 + self.told.1);
        if rows > 0 || bytes > 0 {
            self.told = (self.told.0 + rows, self.told.1 + bytes);
            copy.tell.tell(Progress::Elsewhere { rows, bytes });
        }
    }
}
