//! What a server has spent: processor time, from /proc, and rows that it read along an index.

use std::fs;

use anyhow::{Context, Result};
use leeward_testkit::servers::Server;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// The kernel's unit of processor time in /proc: 100 a second on every architecture that these servers run on.
const TICKS_PER_S: f64 = 100.0;

/// Watches one server.
pub(super) struct Meter {
    stat: String,
    conn: Conn,
}

/// What a server had spent at one moment, since it started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) cpu_s: f64,
    /// Rows read along an index (`Handler_read_next`): digests, counts of keys and looks for borders go that way.
    pub(super) rows_read: f64,
}

impl Meter {
    pub(super) async fn start(server: &Server) -> Result<Meter> {
        // The process that was started may be a loader; the server itself writes its number down.
        let data = server.data_dir()?;
        let file = data.parent().context("the data lies in a folder of the server's own")?.join("server.pid");
        let pid = fs::read_to_string(&file).context("read the server's process number")?;
        Ok(Meter { stat: format!("/proc/{}/stat", pid.trim()), conn: server.connect().await? })
    }

    pub(super) async fn read(&mut self) -> Result<Spent> {
        let row: Option<(String, f64)> =
            self.conn.query_first("SHOW GLOBAL STATUS LIKE 'Handler_read_next'").await.context("read a counter")?;
        let rows_read = row.context("the server counts reads")?.1;
        let stat = fs::read_to_string(&self.stat).context("read the server's processor time")?;
        let cpu_s = cpu_s(&stat).context("understand the server's processor time")?;
        Ok(Spent { cpu_s, rows_read })
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.conn.disconnect().await.context("close a connection")
    }
}

/// Returns user and system time of a line of /proc/PID/stat, whose second field may hold blanks and brackets.
pub(super) fn cpu_s(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(ticks as f64 / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_past_any_name() {
        assert_eq!(cpu_s("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0"), Some(2.0));
        assert_eq!(cpu_s("7 (a"), None);
    }
}
