//! Transactions that stay open: what they wrote was stamped long before it becomes visible.

use std::time::Duration;

use anyhow::Result;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::actor::Cue;
use super::everything::Everything;
use super::{HostileCounters, Pace, Places, draw_ms};
use crate::workload::{SplitMix64, four_tables, transfers};

/// One in so many is rolled back.
const ROLLED_BACK_ONE_IN: u64 = 4;

/// Writes, waits, writes more, waits, and commits or rolls back.
pub(super) async fn round(
    conn: &mut Conn,
    places: &Places,
    everything: &mut Everything,
    (mut random, cue): (SplitMix64, &mut Cue),
) -> Result<HostileCounters> {
    let open_for = draw_length(&mut random, cue.pace);
    let rolls_back = random.below(ROLLED_BACK_ONE_IN) == 0;
    let (transfer, four) = (random.below(10) < 6, random.below(10) < 3);
    let mut choices: Vec<SplitMix64> = (0..4).map(|_| SplitMix64::new(random.next_u64())).collect();
    everything.be_strict(conn).await?;
    conn.query_drop("START TRANSACTION").await?;
    let mut rows = 0;
    if four {
        rows += four_tables::write(conn, &places.four, &mut choices[0]).await?.inserted;
    }
    rows += everything.deed(conn, choices[1].clone(), true).await?.rows;
    cue.pause(open_for / 2).await;
    if transfer {
        let done = transfers::write(conn, &places.books, &mut choices[2]).await?;
        rows += done.inserted + done.updated;
    }
    rows += everything.deed(conn, choices[3].clone(), true).await?.rows;
    cue.pause(open_for / 2).await;
    let mut played = HostileCounters { late: 1, ..HostileCounters::default() };
    if rolls_back {
        conn.query_drop("ROLLBACK").await?;
        played.rolled_back = 1;
    } else {
        conn.query_drop("COMMIT").await?;
        (played.transactions, played.rows) = (1, rows);
    }
    Ok(played)
}

/// Mostly some seconds, and up to a minute.
fn draw_length(random: &mut SplitMix64, pace: Pace) -> Duration {
    match (pace, random.below(10)) {
        (Pace::Short, _) => draw_ms(random, (1_000, 6_000)),
        (Pace::Long, 0..=5) => draw_ms(random, (1_000, 5_000)),
        (Pace::Long, 6..=8) => draw_ms(random, (5_000, 15_000)),
        (Pace::Long, _) => draw_ms(random, (15_000, 60_000)),
    }
}
