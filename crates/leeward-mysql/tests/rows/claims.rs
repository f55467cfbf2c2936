//! Chunks that several processes share: who gets which, for how long, and that a load whose claim was lost commits nothing.

use anyhow::{Context, Result, bail, ensure};
use async_trait::async_trait;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::TableName;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{
    ChunkLoader, ChunkOf, ChunkRecord, Claim, Claims, Control, Feed, Lease, LeaseAnswer, LoadMode, Member,
};
use leeward_core::row::{KeyRange, RowBatch};
use leeward_mysql::control::MySqlControl;
use leeward_mysql::control::claims::MySqlClaims;
use leeward_mysql::load::MySqlLoader;
use leeward_testkit::servers::{Server, pair};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::setup::{database, endpoint, open, planned_table};

/// One row, at once.
struct Once(Option<RowBatch>);

#[async_trait]
impl Feed for Once {
    async fn next(&mut self) -> Result<Option<RowBatch>, Fault> {
        Ok(self.0.take())
    }
}

fn one_row(id: &str) -> Box<Once> {
    let mut batch = RowBatch::new(1);
    batch.push_cell(Some(id.as_bytes()));
    Box::new(Once(Some(batch)))
}

/// A lane that is seeded by a plan called `plan`.
struct Lane {
    name: &'static str,
    table: PlannedTable,
    control: MySqlControl,
    claims: MySqlClaims,
    lease: Lease,
    conn: Conn,
}

impl Lane {
    async fn set(target: &Server, name: &'static str) -> Result<Lane> {
        database(target, name, &["CREATE TABLE t (id INT PRIMARY KEY)"]).await?;
        let mut session = open(target, name).await?;
        let table = planned_table(&mut session, name, "t").await?;
        session.run("end", "COMMIT").await?;
        let mut control = MySqlControl::connect(&endpoint(target)).await?;
        control.migrate().await?;
        let lease = take(&mut control, name, "leader").await?;
        let mut conn = target.connect().await?;
        conn.query_drop(format!("DELETE FROM leeward.chunk WHERE lane='{name}'")).await?;
        conn.query_drop(format!("DELETE FROM leeward.seed_member WHERE lane='{name}'")).await?;
        conn.query_drop(format!("DELETE FROM leeward.plan WHERE lane='{name}'")).await?;
        conn.query_drop(format!(
            "INSERT INTO leeward.plan (lane,hash,stored_at,body) VALUES ('{name}','plan',UTC_TIMESTAMP(6),'')"
        ))
        .await?;
        let mut claims = MySqlClaims::connect(&endpoint(target)).await?;
        claims.clear(&lease).await?;
        Ok(Lane { name, table, control, claims, lease, conn })
    }

    fn chunk(&self, seq: u32) -> ChunkRecord {
        let keys = KeyRange::default();
        ChunkRecord { table: self.table.name().clone(), seq, keys, last: false, done: false, rows: 0, bytes: 0 }
    }

    async fn offer(&mut self, seqs: std::ops::Range<u32>) -> Result<()> {
        for seq in seqs {
            let chunk = self.chunk(seq);
            self.claims.offer(&self.lease, "plan", &chunk).await?;
        }
        Ok(())
    }

    /// Claims a chunk; returns its number.
    async fn claim(&mut self, member: &Member) -> Result<Option<(u32, Claim)>> {
        let claimed = self.claims.claim(&self.lease, member, &[]).await?;
        Ok(claimed.map(|(chunk, claim)| (chunk.seq, claim)))
    }

    async fn claim_one(&mut self, member: &Member) -> Result<(u32, Claim)> {
        self.claim(member).await?.context("a chunk is open")
    }

    async fn load(&self, loader: &mut MySqlLoader, (seq, claim): (u32, Claim)) -> Result<(), Fault> {
        let chunk = self.chunk(seq);
        let of = ChunkOf { table: &self.table, chunk: &chunk, claim: Some(claim) };
        loader.load(&self.lease, of, LoadMode::Bulk, one_row(&seq.to_string())).await.map(|_| ())
    }

    async fn number(&mut self, sql: &str) -> Result<u64> {
        self.conn.query_first(sql.replace("LANE", self.name)).await?.context("one number")
    }

    async fn end(mut self) -> Result<()> {
        self.control.release(&self.lease).await?;
        self.conn.disconnect().await.context("close the connection")
    }
}

async fn take(control: &mut MySqlControl, lane: &str, holder: &str) -> Result<Lease> {
    match control.acquire(lane, holder, 600).await? {
        LeaseAnswer::Granted(lease) => Ok(lease),
        other => bail!("{other:?}"),
    }
}

fn member(name: &str) -> Member {
    Member { name: name.to_owned(), parallel: 2, ttl_s: 600, plan: "plan".to_owned() }
}

fn is_lost<T>(outcome: &Result<T, Fault>, kind: FaultKind) -> bool {
    outcome.as_ref().is_err_and(|fault| fault.kind == kind)
}

leeward_testkit::each_kind! {
    /// Each chunk goes to one member, in the order in which they were put up. One that somebody is just claiming is passed
    /// over and not waited for.
    async fn a_chunk_is_claimed_by_one_and_a_locked_one_is_passed_over(kind: Kind) -> Result<()> {
        let mut lane = Lane::set(&pair(kind).await?.target, "claims_order").await?;
        lane.offer(0..4).await?;
        // Put up twice, because an answer was lost, it is put up once.
        lane.offer(0..1).await?;
        let (a, b) = (member("a"), member("b"));
        ensure!(lane.claim_one(&a).await?.0 == 0 && lane.claim_one(&b).await?.0 == 1);
        let mut other = pair(kind).await?.target.connect().await?;
        other.query_drop("START TRANSACTION").await?;
        let row = "lane='claims_order' AND schema_name='claims_order' AND table_name='t' AND seq=2";
        other.query_drop(format!("SELECT * FROM leeward.chunk_claim WHERE {row} FOR UPDATE")).await?;
        ensure!(lane.claim_one(&a).await?.0 == 3);
        ensure!(lane.claim(&b).await?.is_none());
        other.query_drop("ROLLBACK").await?;
        ensure!(lane.claim_one(&b).await?.0 == 2 && lane.claim(&b).await?.is_none());
        let crew = lane.claims.crew(lane.name).await?;
        ensure!((crew.members, crew.open, crew.pending) == (0, 0, 4), "{crew:?}");
        other.disconnect().await?;
        lane.end().await
    }

    /// A claim that was not renewed in its term is anybody's. The load of whoever lost it commits nothing; that of whoever
    /// has it now is recorded once, and its row goes with it.
    async fn a_claim_that_has_run_out_goes_to_another_and_its_load_commits_nothing(kind: Kind) -> Result<()> {
        let target = &pair(kind).await?.target;
        let mut lane = Lane::set(target, "claims_lapse").await?;
        lane.offer(0..2).await?;
        let (a, b) = (member("a"), member("b"));
        let held = lane.claim_one(&a).await?;
        ensure!(held.0 == 0 && lane.claim_one(&b).await?.0 == 1);
        // Renewed for no time at all it has run out; renewed again it is ours, as long as nobody has taken it.
        let over = Member { ttl_s: 0, ..member("a") };
        lane.claims.renew(&over, &[held.1]).await?;
        lane.claims.renew(&a, &[held.1]).await?;
        ensure!(lane.claim(&b).await?.is_none());
        lane.claims.renew(&over, &[held.1]).await?;
        let taken = lane.claim_one(&b).await?;
        ensure!(taken.0 == 0 && taken.1.id == held.1.id && taken.1.epoch == held.1.epoch + 1, "{taken:?}");
        lane.claims.renew(&a, &[held.1]).await?;
        let mut loader = MySqlLoader::connect(&endpoint(target)).await?;
        let lost = lane.load(&mut loader, held).await;
        ensure!(is_lost(&lost, FaultKind::ClaimLost), "{lost:?}");
        ensure!(lane.number("SELECT COUNT(*) FROM LANE.t").await? == 0);
        lane.load(&mut loader, taken).await?;
        ensure!(lane.number("SELECT COUNT(*) FROM LANE.t").await? == 1);
        ensure!(lane.number("SELECT COUNT(*) FROM leeward.chunk_claim WHERE lane='LANE'").await? == 1);
        // Once it is loaded, neither can load it again, and it cannot be put up again.
        let again = lane.load(&mut loader, taken).await;
        ensure!(is_lost(&again, FaultKind::RowsRefused) || is_lost(&again, FaultKind::ClaimLost), "{again:?}");
        lane.offer(0..1).await?;
        ensure!(lane.claim(&b).await?.is_none());
        ensure!(lane.claims.copied(lane.name).await?.0 == 1);
        lane.end().await
    }

    /// Claims that are given back are open at once; a member that leaves is no longer counted.
    async fn what_is_given_back_is_open_at_once(kind: Kind) -> Result<()> {
        let mut lane = Lane::set(&pair(kind).await?.target, "claims_leave").await?;
        lane.offer(0..2).await?;
        let (a, b) = (member("a"), member("b"));
        lane.claims.join(&lane.lease, &a).await?;
        lane.claims.join(&lane.lease, &b).await?;
        ensure!(lane.claims.crew(lane.name).await?.members == 2);
        let (first, second) = (lane.claim_one(&a).await?, lane.claim_one(&a).await?);
        ensure!(lane.claim(&b).await?.is_none());
        lane.claims.leave(lane.name, &a, &[first.1]).await?;
        ensure!(lane.claims.crew(lane.name).await?.members == 1);
        let taken = lane.claim_one(&b).await?;
        ensure!(taken.0 == first.0 && taken.1.epoch == first.1.epoch + 1, "{taken:?}");
        // What is another's by now is not given back for it.
        lane.claims.leave(lane.name, &a, &[first.1, second.1]).await?;
        ensure!(lane.claim_one(&b).await?.0 == second.0 && lane.claim(&b).await?.is_none());
        lane.claims.withdraw(&lane.lease, &TableName::new(lane.name, "t")).await?;
        ensure!(lane.claims.crew(lane.name).await?.pending == 0);
        lane.end().await
    }

    /// Claims are good for one leader: after a take-over, with another plan, or on a promoted target, nothing is claimed and
    /// nothing that was claimed before is committed.
    async fn a_claim_ends_with_its_leader_its_plan_and_a_promotion(kind: Kind) -> Result<()> {
        let target = &pair(kind).await?.target;
        let mut lane = Lane::set(target, "claims_leader").await?;
        lane.offer(0..3).await?;
        let a = member("a");
        lane.claims.join(&lane.lease, &a).await?;
        let held = lane.claim_one(&a).await?;
        let other_plan = Member { plan: "older".to_owned(), ..a.clone() };
        ensure!(lane.claim(&other_plan).await?.is_none());
        let joined = lane.claims.join(&lane.lease, &other_plan).await;
        ensure!(is_lost(&joined, FaultKind::LeaseLost), "{joined:?}");
        let old = lane.lease.clone();
        lane.control.release(&old).await?;
        let new = take(&mut lane.control, lane.name, "next").await?;
        ensure!(lane.claim(&a).await?.is_none(), "something was claimed of a leader that is gone");
        let mut loader = MySqlLoader::connect(&endpoint(target)).await?;
        let lost = lane.load(&mut loader, held).await;
        ensure!(is_lost(&lost, FaultKind::LeaseLost), "{lost:?}");
        let joined = lane.claims.join(&old, &a).await;
        ensure!(is_lost(&joined, FaultKind::LeaseLost), "{joined:?}");
        lane.claims.clear(&new).await?;
        lane.lease = new;
        ensure!(lane.claim(&a).await?.is_none());
        let lost = lane.load(&mut loader, held).await;
        ensure!(is_lost(&lost, FaultKind::ClaimLost), "{lost:?}");
        lane.offer(0..3).await?;
        let held = lane.claim_one(&a).await?;
        lane.conn.query_drop("UPDATE leeward.lease SET promoted=1 WHERE lane='claims_leader'").await?;
        ensure!(lane.claim(&a).await?.is_none());
        let lost = lane.load(&mut loader, held).await;
        ensure!(is_lost(&lost, FaultKind::LeaseLost), "{lost:?}");
        ensure!(lane.number("SELECT COUNT(*) FROM LANE.t").await? == 0);
        lane.conn.query_drop("DELETE FROM leeward.lease WHERE lane='claims_leader'").await?;
        lane.end().await
    }
}
