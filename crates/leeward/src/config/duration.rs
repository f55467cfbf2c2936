//! Durations as people write them: `500ms`, `5s`, `2m`, `1h`. A number without a unit is refused, because half of all
//! readers take it for the other unit.

use std::time::Duration;

/// Reads a duration.
///
/// # Errors
/// A sentence that says how to write one; it does not quote the text.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let ms = unit_ms.and_then(|unit_ms: u64| number.parse::<u64>().ok()?.checked_mul(unit_ms));
    ms.map(Duration::from_millis).ok_or_else(|| "write a whole number and its unit: 500ms, 5s, 2m or 1h".to_owned())
}

/// Writes a duration as [`parse`] reads it, in the largest unit that keeps it whole.
pub fn format(duration: Duration) -> String {
    let ms = duration.as_millis();
    match [(3_600_000, "h"), (60_000, "m"), (1_000, "s")]
        .iter()
        .find(|(unit_ms, _)| ms > 0 && ms.is_multiple_of(*unit_ms))
    {
        Some((unit_ms, unit)) => format!("{}{unit}", ms / unit_ms),
        None => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_survive_a_round_trip() {
        for (text, ms) in [("500ms", 500), ("5s", 5_000), ("2m", 120_000), ("1h", 3_600_000), ("0ms", 0)] {
            let duration = parse(text).unwrap();
            assert_eq!(duration, Duration::from_millis(ms), "{text}");
            assert_eq!(format(duration), text);
        }
        for text in ["", "5", "s", "5 s", "-5s", "1.5s", "5S", "99999999999999999999s", "18446744073709551615h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
