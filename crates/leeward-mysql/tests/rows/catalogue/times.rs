//! Dates and times: all seven numbers of fractional digits, each with its last digit (T17), the ends of each range, and
//! zero, partly zero and impossible dates (T22).

use super::Type;

/// Returns the types of dates and times.
pub fn types() -> Vec<Type> {
    let mut types = vec![
        Type::new("YEAR", ["0", "1901", "1902", "1999", "2000", "2155"]),
        Type::new(
            "DATE",
            ["'0000-00-00'", "'1000-01-01'", "'2020-00-00'", "'2020-02-00'", "'2020-02-29'", "'2020-02-30'"],
        )
        .and(["'2020-03-01'", "'9999-12-30'", "'9999-12-31'"]),
    ];
    for digits in 0..=6 {
        types.push(Type::new(format!("TIME({digits})"), times(digits)));
        types.push(Type::new(format!("DATETIME({digits})"), datetimes(digits)));
        types.push(Type::new(format!("TIMESTAMP({digits})"), timestamps(digits)));
    }
    types
}

/// Returns a moment at its whole second and with its last digit set, if it has any.
fn by_last_digit(moment: &str, digits: usize) -> Vec<String> {
    let mut values = vec![format!("'{moment}'")];
    if digits > 0 {
        values.push(format!("'{moment}.{}1'", "0".repeat(digits - 1)));
        values.push(format!("'{moment}.{}'", "9".repeat(digits)));
    }
    values
}

fn times(digits: usize) -> Vec<String> {
    let moments = ["00:00:00", "00:00:01", "-00:00:01", "12:34:56", "-12:34:56", "838:59:58", "-838:59:58"];
    let mut values: Vec<String> = moments.iter().flat_map(|moment| by_last_digit(moment, digits)).collect();
    if digits > 0 {
        // Less than a second below zero: the sign is all that is left of it.
        values.push(format!("'-00:00:00.{}1'", "0".repeat(digits - 1)));
    }
    values
}

fn datetimes(digits: usize) -> Vec<String> {
    let moments = ["1000-01-01 00:00:00", "2020-02-29 23:59:59", "2020-03-01 00:00:00", "9999-12-31 23:59:58"];
    let odd = ["'0000-00-00 00:00:00'", "'2020-00-00 00:00:00'", "'2020-02-30 10:00:00'", "'2020-02-30 10:00:01'"];
    let even = moments.iter().flat_map(|moment| by_last_digit(moment, digits));
    even.chain(odd.iter().map(|&odd| odd.to_owned())).collect()
}

fn timestamps(digits: usize) -> Vec<String> {
    let moments = ["1970-01-01 00:00:01", "2024-10-27 00:30:00", "2024-10-27 01:30:00", "2038-01-19 03:14:06"];
    let even = moments.iter().flat_map(|moment| by_last_digit(moment, digits));
    even.chain(["'0000-00-00 00:00:00'".to_owned()]).collect()
}
