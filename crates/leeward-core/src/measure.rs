//! Counts, sizes and spans of time as people read them. For texts only: nothing is ever parsed back from these.

/// Returns a count with its thousands set apart: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a count with its noun, in the plural where it is not one: `1 row`, `2 rows`, `3 indexes`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = match (number, noun.ends_with('x')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {noun}{plural}", count(number))
}

/// Returns a size in the largest binary unit that leaves one or more: `16.0 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// Returns a span of time in the largest unit that it fills at least twice, rounded down: `90 s`, `48 h`, `5 days`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", count(seconds / 86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1023, 1024, 16 << 20, 3 << 40].map(size), ["0 B", "1023 B", "1.0 KiB", "16.0 MiB", "3.0 TiB"]);
        assert_eq!([60, 120, 3_600, 7_200, 172_800].map(span), ["60 s", "2 min", "60 min", "2 h", "2 days"]);
        assert_eq!(counted(1, "row") + " " + &counted(2, "index"), "1 row 2 indexes");
    }
}
