//! Sharing the copy of a seed: its leader puts chunks up, and whoever has joined claims them, one at a time and for a term.

use async_trait::async_trait;

use super::{ChunkRecord, Lease};
use crate::fault::Fault;
use crate::name::TableName;

/// A process that copies chunks of a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// As it describes itself; no two are alike.
    pub name: String,
    /// Chunks that it copies at once.
    pub parallel: usize,
    /// Seconds without renewal, by the target's clock, after which its claims are anybody's.
    pub ttl_s: u64,
    /// The hash of the plan that it copies by. Chunks that were put up by another plan are not for it.
    pub plan: String,
}

/// A claim on a chunk: the row that was put up, and the number that it got when it was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The row.
    pub id: u64,
    /// Grows by one whenever the row is claimed; ours must be the stored one.
    pub epoch: u64,
}

/// What the leader sees of those who help.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Crew {
    /// Processes beside the leader.
    pub members: u64,
    /// Chunks put up that nobody has claimed, or whose claim has run out.
    pub open: u64,
    /// Chunks put up that have not been loaded, claimed or not.
    pub pending: u64,
}

/// The chunks that several processes share, in the control schema. The leader is who holds the lane's lease; claims are
/// good for its epoch alone.
#[async_trait]
pub trait Claims: Send {
    /// Takes back everything that earlier leaders have put up. After that, no claim of theirs can be committed.
    async fn clear(&mut self, lease: &Lease) -> Result<(), Fault>;

    /// Writes a chunk down, unless it is, and puts it up by a plan unless it is loaded. Done twice, it is done once.
    async fn offer(&mut self, lease: &Lease, plan: &str, chunk: &ChunkRecord) -> Result<(), Fault>;

    /// Takes the chunks of one table back.
    async fn withdraw(&mut self, lease: &Lease, table: &TableName) -> Result<(), Fault>;

    /// Looks who helps, and what is still to be done of what was put up.
    async fn crew(&mut self, lane: &str) -> Result<Crew, Fault>;

    /// Returns the rows and bytes of all chunks that have been loaded.
    async fn copied(&mut self, lane: &str) -> Result<(u64, u64), Fault>;

    /// Claims the chunk that was put up first, except those of some tables; nothing when there is none.
    async fn claim(
        &mut self,
        lease: &Lease,
        member: &Member,
        except: &[TableName],
    ) -> Result<Option<(ChunkRecord, Claim)>, Fault>;

    /// Makes a member's presence known for its term. [`crate::fault::FaultKind::LeaseLost`] when the lane has another leader,
    /// or this one has stored another plan.
    async fn join(&mut self, lease: &Lease, member: &Member) -> Result<(), Fault>;

    /// Renews a member's claims. One that was lost stays lost, which its load will find out.
    async fn renew(&mut self, member: &Member, claims: &[Claim]) -> Result<(), Fault>;

    /// Ends a member's presence and gives claims back, so that nobody need wait for them.
    async fn leave(&mut self, lane: &str, member: &Member, claims: &[Claim]) -> Result<(), Fault>;
}
