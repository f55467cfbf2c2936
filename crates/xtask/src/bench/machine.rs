//! What a figure was measured on. Read from /proc; what cannot be read is said to be unknown.

use std::fs;
use std::thread::available_parallelism;

/// Describes the machine and how busy it was in the last minute, in one line.
pub(super) fn describe() -> String {
    let cores = available_parallelism().map_or("unknown".to_owned(), |cores| cores.to_string());
    format!(
        "{cores} cores ({}), {} GiB of memory, Linux {}; load over the last minute before the start: {}",
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
        memory_gib().unwrap_or_else(|| "unknown".to_owned()),
        line("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned()),
        line("/proc/loadavg").and_then(|line| Some(line.split_whitespace().next()?.to_owned())).unwrap_or_default(),
    )
}

fn memory_gib() -> Option<String> {
    let kib: u64 = field("/proc/meminfo", "MemTotal")?.split_whitespace().next()?.parse().ok()?;
    Some(format!("{:.0}", kib as f64 / f64::from(1 << 20)))
}

fn line(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
