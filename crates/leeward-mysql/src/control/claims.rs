//! The chunks that several processes share, in the control schema.
//!
//! Whoever locks rows here takes them in one order, so that nobody waits in a circle: chunks, then claims, then the lease.
//! Claiming is one round trip with its COMMIT in it: a process that stands still in the middle holds no lock.

use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::{Side, TableName};
use leeward_core::port::{ChunkRecord, Claim, Claims, Crew, Lease, Member};
use mysql_async::Row;

use super::{chunks, number, under};
use crate::apply;
use crate::endpoint::Endpoint;
use crate::session::Session;
use crate::sql::literal;

/// A connection to the target that shares chunks. The server ends it when it has been silent for long, as it does with
/// whatever else holds rows of the control schema.
pub struct MySqlClaims {
    session: Session,
}

impl MySqlClaims {
    /// Connects.
    pub async fn connect(endpoint: &Endpoint) -> Result<MySqlClaims, Fault> {
        let mut session = Session::open(endpoint, "claims").await?;
        session.bound_silence().await?;
        Ok(MySqlClaims { session })
    }
}

#[async_trait]
impl Claims for MySqlClaims {
    async fn clear(&mut self, lease: &Lease) -> Result<(), Fault> {
        let lane = literal(&lease.lane);
        let query = format!(
            "DELETE FROM leeward.chunk_claim WHERE lane={lane};\
             DELETE FROM leeward.seed_member WHERE lane={lane} AND expires_at<UTC_TIMESTAMP(6)"
        );
        under(&mut self.session, lease, &query).await
    }

    async fn offer(&mut self, lease: &Lease, plan: &str, chunk: &ChunkRecord) -> Result<(), Fault> {
        let add = chunks::add_query(&lease.lane, std::slice::from_ref(chunk));
        let query = format!(
            "{add};INSERT INTO leeward.chunk_claim (lane,schema_name,table_name,seq,lease_epoch,plan_hash) \
             SELECT lane,schema_name,table_name,seq,{},{} FROM leeward.chunk WHERE {} AND done=0 \
             ON DUPLICATE KEY UPDATE lease_epoch=VALUES(lease_epoch)",
            lease.epoch,
            literal(plan),
            chunks::is_chunk(&lease.lane, chunk)
        );
        under(&mut self.session, lease, &query).await
    }

    async fn withdraw(&mut self, lease: &Lease, table: &TableName) -> Result<(), Fault> {
        let query = format!("DELETE FROM leeward.chunk_claim WHERE {}", chunks::is_table(&lease.lane, table));
        under(&mut self.session, lease, &query).await
    }

    async fn crew(&mut self, lane: &str) -> Result<Crew, Fault> {
        let lane = literal(lane);
        let query = format!(
            "SELECT (SELECT COUNT(*) FROM leeward.seed_member WHERE lane={lane} AND expires_at>=UTC_TIMESTAMP(6)),\
             COALESCE(SUM(member='' OR expires_at<UTC_TIMESTAMP(6)),0),COUNT(*) \
             FROM leeward.chunk_claim WHERE lane={lane}"
        );
        let row = self.session.row("look who shares the copy", &query).await?;
        Ok(row.map_or_else(Crew::default, |row| Crew {
            members: number(&row, 0),
            open: number(&row, 1),
            pending: number(&row, 2),
        }))
    }

    async fn copied(&mut self, lane: &str) -> Result<(u64, u64), Fault> {
        let query = format!(
            "SELECT COALESCE(SUM(row_count),0),COALESCE(SUM(byte_count),0) FROM leeward.chunk WHERE lane={} AND done=1",
            literal(lane)
        );
        let row = self.session.row("count what was copied", &query).await?;
        Ok(row.map_or((0, 0), |row| (number(&row, 0), number(&row, 1))))
    }

    async fn claim(
        &mut self,
        lease: &Lease,
        member: &Member,
        except: &[TableName],
    ) -> Result<Option<(ChunkRecord, Claim)>, Fault> {
        const DOING: &str = "claim a chunk";
        let (lane, epoch, name) = (literal(&lease.lane), lease.epoch, literal(&member.name));
        let names = except.iter().map(|name| format!("({},{})", literal(&name.schema), literal(&name.table)));
        let names: Vec<String> = names.collect();
        let others = match names.is_empty() {
            true => String::new(),
            false => format!(" AND (schema_name,table_name) NOT IN ({})", names.join(",")),
        };
        // Of a lane that has gone to another leader, or of a promoted target, nothing is claimed.
        let query = format!(
            "ROLLBACK;SET @leeward_claim=NULL;START TRANSACTION;\
             SELECT id INTO @leeward_claim FROM leeward.chunk_claim FORCE INDEX (by_order) \
             WHERE lane={lane} AND lease_epoch={epoch} AND plan_hash={} AND (member='' OR expires_at<UTC_TIMESTAMP(6)){others} AND EXISTS \
             (SELECT 1 FROM leeward.lease WHERE lane={lane} AND epoch={epoch} AND promoted=0) \
             ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;\
             UPDATE leeward.chunk_claim SET epoch=epoch+1,member={name},\
             expires_at=UTC_TIMESTAMP(6)+INTERVAL {} SECOND WHERE id=@leeward_claim;COMMIT;\
             SELECT {},m.id,m.epoch FROM leeward.chunk_claim m JOIN leeward.chunk c USING (lane,schema_name,table_name,seq) \
             WHERE m.id=@leeward_claim AND m.member={name}",
            literal(&member.plan),
            member.ttl_s,
            chunks::COLUMNS
        );
        let row = self.session.row(DOING, &query).await?;
        let read = |row: Row| {
            let claim = Claim { id: number(&row, 9), epoch: number(&row, 10) };
            Ok((chunks::read(&row, DOING)?, claim))
        };
        row.map(read).transpose()
    }

    async fn join(&mut self, lease: &Lease, member: &Member) -> Result<(), Fault> {
        const DOING: &str = "join the seed";
        let query = format!(
            "INSERT INTO leeward.seed_member (lane,member,parallel,expires_at) \
             SELECT lane,{0},{1},UTC_TIMESTAMP(6)+INTERVAL {2} SECOND FROM leeward.lease \
             WHERE lane={4} AND epoch={5} AND promoted=0 \
             AND (SELECT hash FROM leeward.plan WHERE lane={4} ORDER BY id DESC LIMIT 1)={3} \
             ON DUPLICATE KEY UPDATE parallel=VALUES(parallel),expires_at=VALUES(expires_at)",
            literal(&member.name),
            member.parallel,
            member.ttl_s,
            literal(&member.plan),
            literal(&lease.lane),
            lease.epoch
        );
        match self.session.run(DOING, &query).await?.affected {
            0 => Err(Fault::new(FaultKind::LeaseLost, DOING).on(Side::Target)),
            _ => Ok(()),
        }
    }

    async fn renew(&mut self, member: &Member, claims: &[Claim]) -> Result<(), Fault> {
        let Some(ours) = are(claims) else { return Ok(()) };
        let query = format!(
            "UPDATE leeward.chunk_claim SET expires_at=UTC_TIMESTAMP(6)+INTERVAL {} SECOND \
             WHERE member={} AND {ours}",
            member.ttl_s,
            literal(&member.name)
        );
        self.session.run("renew the claims", &query).await.map(|_| ())
    }

    async fn leave(&mut self, lane: &str, member: &Member, claims: &[Claim]) -> Result<(), Fault> {
        let name = literal(&member.name);
        let mut query = String::new();
        if let Some(ours) = are(claims) {
            query = format!("UPDATE leeward.chunk_claim SET member='',expires_at=NULL WHERE member={name} AND {ours};");
        }
        query.push_str(&format!("DELETE FROM leeward.seed_member WHERE lane={} AND member={name}", literal(lane)));
        self.session.run("give claims back", &query).await.map(|_| ())
    }
}

/// Returns the condition that picks claims; the numbers alone make both servers go by the key.
fn are(claims: &[Claim]) -> Option<String> {
    let ids: Vec<String> = claims.iter().map(|claim| claim.id.to_string()).collect();
    let pairs: Vec<String> = claims.iter().map(|claim| format!("({},{})", claim.id, claim.epoch)).collect();
    (!pairs.is_empty()).then(|| format!("id IN ({}) AND (id,epoch) IN ({})", ids.join(","), pairs.join(",")))
}

/// Proves as the last step before COMMIT, under locks, that a claim is still ours and that the lane has no other leader.
/// The claim's row goes with the commit. The lease is locked shared: it is the leader's to renew.
pub(crate) async fn prove(session: &mut Session, lease: &Lease, claim: Claim) -> Result<(), Fault> {
    const DOING: &str = "prove the claim before COMMIT";
    let query = format!(
        "SELECT epoch FROM leeward.chunk_claim WHERE id={0} FOR UPDATE;\
         SELECT epoch,promoted FROM leeward.lease WHERE lane={1} LOCK IN SHARE MODE;\
         DELETE FROM leeward.chunk_claim WHERE id={0} AND epoch={2}",
        claim.id,
        literal(&lease.lane),
        claim.epoch
    );
    let sets = session.sets(DOING, &query).await?;
    apply::check(session, sets.get(1).and_then(|rows| rows.first()), lease, DOING).await?;
    if sets.first().and_then(|rows| rows.first()).is_some_and(|row| number(row, 0) == claim.epoch) {
        return Ok(());
    }
    session.run("roll back", "ROLLBACK").await?;
    Err(Fault::new(FaultKind::ClaimLost, DOING).on(Side::Target))
}
