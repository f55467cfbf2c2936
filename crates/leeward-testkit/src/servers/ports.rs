//! Picks TCP ports of the loopback interface for servers and proxies.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

/// Below the range from which systems take the ports of outgoing connections (32768 and up on
/// Linux), so that a port stays free while its server is down and can be used again by a restart.
const PORT_MIN: u16 = 12_000;
const PORT_COUNT: u16 = 20_000;

/// How many ports are tried; far more than the servers of all tests that run at once.
const ATTEMPTS_MAX: u16 = 500;

/// Returns a port on 127.0.0.1 that nothing listens on now.
///
/// Another process can take it before it is used, so whoever binds it must be ready to ask again.
pub(crate) fn free_port() -> Result<u16> {
    // Every process starts elsewhere and never hands out a port twice in a row.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.subsec_nanos());
    let start = (clock ^ std::process::id().wrapping_mul(2_654_435_761)) % u32::from(PORT_COUNT);
    for _ in 0..ATTEMPTS_MAX {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = u16::try_from((start + step) % u32::from(PORT_COUNT))?;
        let port = PORT_MIN + offset;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("find a free port on 127.0.0.1 among {ATTEMPTS_MAX} tried")
}
