//! Durations and sizes as people write them in a policy: `5m`, `16 MiB`. One number and one unit, nothing clever, so
//! that what is read is what was meant.

/// Units of a duration with their seconds.
const DURATION_UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

/// Units of a size with their bytes. Decimal units are refused: `MB` is read both ways by people.
const SIZE_UNITS: [(&str, u64); 5] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// The longest duration taken, a hundred years: whatever is longer is a slip, and arithmetic on times stays exact.
const DURATION_S_MAX: u64 = 100 * 366 * 86_400;

/// Reads a duration in seconds.
pub(crate) fn duration_s(text: &str) -> Result<u64, String> {
    let expected = || format!("is not a duration: write a whole number and s, m, h or d, such as \"5m\", not {text:?}");
    let seconds = quantity(text, &DURATION_UNITS).ok_or_else(expected)?;
    if seconds > DURATION_S_MAX {
        return Err(format!("is longer than a hundred years: {text:?}"));
    }
    Ok(seconds)
}

/// Reads a size in bytes.
///
/// # Errors
/// How a size is written.
pub fn size_bytes(text: &str) -> Result<u64, String> {
    let expected =
        || format!("is not a size: write a whole number and B, KiB, MiB, GiB or TiB, such as \"16 MiB\", not {text:?}");
    quantity(text, &SIZE_UNITS).ok_or_else(expected)
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start())?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_one_number_and_one_unit() {
        assert_eq!(duration_s("90s"), Ok(90));
        assert_eq!(duration_s("4h"), Ok(14_400));
        assert_eq!(duration_s("7 d"), Ok(604_800));
        assert_eq!(size_bytes("16 MiB"), Ok(16 << 20));
        assert_eq!(size_bytes("0B"), Ok(0));
        for slip in ["", "5", "m", "1h30m", "-5m", "1.5h", "5 minutes", "5M", "99999999999999999999d", "9999999d"] {
            assert!(duration_s(slip).is_err(), "{slip:?} is refused");
        }
        for slip in ["16", "16 MB", "16mib", "MiB", "1.5 GiB", "99999999999 TiB"] {
            assert!(size_bytes(slip).is_err(), "{slip:?} is refused");
        }
    }
}
