//! Waits that end with what is waited for, and never later than their limit.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// First and longest pause between two looks: short enough not to be felt, long enough not to burden two cores.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

/// How long anything but a whole command may take: a lane's back-off (5 s) and a busy machine together stay far below.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Looks again and again until there is something to see.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + LIMIT;
    let mut pause = PAUSES.0;
    loop {
        if let Some(seen) = look().await? {
            return Ok(seen);
        }
        if Instant::now() >= deadline {
            bail!("wait until {what}: not within {} s", LIMIT.as_secs());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(PAUSES.1);
    }
}
