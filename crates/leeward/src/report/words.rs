//! Numbers, sizes and times in words.

use std::time::Duration;

use chrono::NaiveDateTime;

/// Writes a count with commas between thousands.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a number of bytes in the unit that leaves one to four digits before the point.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Writes a length of time in its two largest units; below ten seconds with a tenth.
pub fn span(span: Duration) -> String {
    let s = span.as_secs();
    match s {
        0..10 if span.subsec_millis() >= 50 => format!("{:.1} s", span.as_secs_f64()),
        0..60 => format!("{s} s"),
        60..3_600 => two(s / 60, "min", s % 60, "s"),
        3_600..86_400 => two(s / 3_600, "h", s % 3_600 / 60, "min"),
        _ => two(s / 86_400, "d", s % 86_400 / 3_600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// Returns the time from `earlier` to `later`, none if they are in the other order: two servers' clocks differ.
pub fn between(earlier: NaiveDateTime, later: NaiveDateTime) -> Duration {
    later.signed_duration_since(earlier).to_std().unwrap_or(Duration::ZERO)
}

/// Writes a moment of a server's clock, to the millisecond.
pub fn moment(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}

/// Takes out control characters: a table's name may hold some, and a terminal would obey them.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let counts = [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")];
        for (number, text) in counts {
            assert_eq!(count(number), text);
        }
        for (number, text) in [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (u64::MAX, "16384.0 PiB")] {
            assert_eq!(bytes(number), text);
        }
        let spans = [
            (0, "0 s"),
            (900, "0.9 s"),
            (5_000, "5 s"),
            (9_960, "10.0 s"),
            (61_000, "1 min 1 s"),
            (7_200_000, "2 h"),
            (90_000_000, "1 d 1 h"),
        ];
        for (ms, text) in spans {
            assert_eq!(span(Duration::from_millis(ms)), text);
        }
    }
}
