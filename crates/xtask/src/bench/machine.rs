//! What a figure was measured on. Read from /proc; what cannot be read is said to be unknown.

use std::fs;
use std::thread::available_parallelism;

/// Load past which somebody else is at work: a machine at rest has a tenth of this.
const LOAD_AT_REST_MAX: f64 = 0.5;

/// Describes the machine and how busy it was in the last minute, in one line.
pub(super) fn describe() -> String {
    let unknown = || "unknown".to_owned();
    let cores = available_parallelism().map_or_else(|_| unknown(), |cores| cores.to_string());
    format!(
        "{cores} cores ({}), {} GiB of memory, Linux {}; {}",
        field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
        memory_gib().unwrap_or_else(unknown),
        line("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
        in_words(load()),
    )
}

fn in_words(load: Option<f64>) -> String {
    match load {
        Some(load) if load > LOAD_AT_REST_MAX => format!(
            "other work ran on the machine as well (load {load} in the minute before): times are longer than they need be"
        ),
        Some(load) => format!("nothing else of weight ran (load {load} in the minute before)"),
        None => "whether anything else ran is not known".to_owned(),
    }
}

fn load() -> Option<f64> {
    line("/proc/loadavg")?.split_whitespace().next()?.parse().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_said_to_be_one() {
        assert!(in_words(Some(3.5)).starts_with("other work ran"));
        assert!(in_words(Some(0.1)).starts_with("nothing else"));
        assert!(in_words(None).contains("not known"));
    }
}
