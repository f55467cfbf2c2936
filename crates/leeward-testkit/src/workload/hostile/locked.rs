//! Statements that wait behind LOCK TABLES … WRITE: their clock is read before they wait, and their transaction begins
//! after (T41).

use std::time::Duration;

use anyhow::Result;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::actor::Cue;
use super::everything::Everything;
use super::{HostileCounters, Pace, Places, draw_ms};
use crate::workload::{SplitMix64, four_tables, quoted, transfers};

/// What is locked, and what waits for it.
enum Wanted {
    Transfer(&'static str),
    FourTables(&'static str),
    Any,
}

/// Locks a table, lets another connection's statement wait for it, and lets go.
pub(super) async fn round(
    conn: &mut Conn,
    places: &Places,
    everything: &mut Everything,
    (mut random, cue): (SplitMix64, &mut Cue),
) -> Result<HostileCounters> {
    let held = draw_hold(&mut random, cue.pace);
    let lingers = draw_ms(&mut random, (0, 2_000));
    let wanted = match random.below(6) {
        0 => Wanted::Transfer("checking"),
        1 => Wanted::Transfer("savings"),
        2 => Wanted::FourTables("c"),
        3 => Wanted::FourTables("b"),
        _ => Wanted::Any,
    };
    let mut waiting = cue.connect().await?;
    everything.be_strict(&mut waiting).await?;
    let choices = SplitMix64::new(random.next_u64());
    let table = match wanted {
        Wanted::Transfer(table) => format!("{}.{table}", quoted(&places.books)),
        Wanted::FourTables(table) => format!("{}.{table}", quoted(&places.four)),
        // The same choice as the statement's own, which is made from the same numbers.
        Wanted::Any => match everything.pick(&mut choices.clone(), true) {
            Some(shape) => shape.name.clone(),
            None => return Ok(HostileCounters::default()),
        },
    };
    conn.query_drop(format!("LOCK TABLES {table} WRITE")).await?;
    let write = async {
        waiting.query_drop("START TRANSACTION").await?;
        let rows = match wanted {
            Wanted::Transfer(_) => transfers::write(&mut waiting, &places.books, &mut choices.clone()).await?.updated,
            Wanted::FourTables(_) => {
                four_tables::write(&mut waiting, &places.four, &mut choices.clone()).await?.inserted
            }
            Wanted::Any => everything.deed(&mut waiting, choices.clone(), true).await?.rows,
        };
        tokio::time::sleep(lingers).await;
        waiting.query_drop("COMMIT").await?;
        Ok::<u64, anyhow::Error>(rows)
    };
    let unlock = async {
        cue.pause(held).await;
        Ok::<(), anyhow::Error>(conn.query_drop("UNLOCK TABLES").await?)
    };
    let (rows, unlocked) = tokio::join!(write, unlock);
    unlocked?;
    let rows = rows?;
    waiting.disconnect().await?;
    Ok(HostileCounters { transactions: 1, rows, waited: 1, ..HostileCounters::default() })
}

/// Mostly below the second that a look or a cut waits; now and then past the 15 s after which a lane goes on without the
/// table.
fn draw_hold(random: &mut SplitMix64, pace: Pace) -> Duration {
    match (pace, random.below(12)) {
        (Pace::Long, 0) => draw_ms(random, (12_000, 20_000)),
        (_, 1..=3) => draw_ms(random, (1_500, 4_000)),
        _ => draw_ms(random, (200, 1_500)),
    }
}
