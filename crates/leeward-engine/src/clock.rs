//! The clock by which the engine measures how long something took or lies back. It is read here alone, so that a
//! simulator can put its own time in its place. It says nothing about the servers' clocks, which arrive through the ports.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    static SIMULATED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Returns this moment.
pub fn now() -> Instant {
    SIMULATED.get().unwrap_or_else(Instant::now)
}

/// Returns how long `then` lies back.
pub fn since(then: Instant) -> Duration {
    now().saturating_duration_since(then)
}

/// Waits. Simulated time moves on at once.
pub async fn pause(wait: Duration) {
    match SIMULATED.get() {
        Some(now) => SIMULATED.set(Some(now + wait)),
        None => tokio::time::sleep(wait).await,
    }
}

/// Lets this thread's engine see `now` in place of the machine's clock.
pub fn simulate(now: Instant) {
    SIMULATED.set(Some(now));
}
