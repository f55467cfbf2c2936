//! Turns typed values into bytes that are equal exactly when the values are.
//!
//! Nothing is normalised but the width of integers: -0.0 is not 0.0, NULL is not '', 'a ' is not 'a'.

use mysql_async::Value;
use sha2::{Digest, Sha256};

/// The first half of a SHA-256, the identity of a row or of a key: two of a billion rows share one
/// with a chance of 10^-21, and a map of them takes half the memory.
pub(super) type Hash = [u8; 16];

/// Hashes a sequence of values.
pub(super) fn hash<'a>(values: impl IntoIterator<Item = &'a Value>) -> Hash {
    let mut encoded = Vec::new();
    for value in values {
        encode(value, &mut encoded);
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(&Sha256::digest(&encoded)[..16]);
    hash
}

/// Appends a tag and a form of known length, so that no two sequences of values share an encoding.
fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::NULL => out.push(0),
        Value::Bytes(bytes) => {
            out.push(1);
            out.extend((bytes.len() as u64).to_le_bytes());
            out.extend(bytes);
        }
        // The sign of a column's type is part of the definition, not of the row.
        Value::Int(number) => encode_integer(i128::from(*number), out),
        Value::UInt(number) => encode_integer(i128::from(*number), out),
        Value::Float(number) => {
            out.push(3);
            out.extend(number.to_bits().to_le_bytes());
        }
        Value::Double(number) => {
            out.push(4);
            out.extend(number.to_bits().to_le_bytes());
        }
        Value::Date(year, month, day, hour, minute, second, micros) => {
            out.push(5);
            out.extend(year.to_le_bytes());
            out.extend([*month, *day, *hour, *minute, *second]);
            out.extend(micros.to_le_bytes());
        }
        Value::Time(negative, days, hours, minutes, seconds, micros) => {
            out.push(6);
            out.push(u8::from(*negative));
            out.extend(days.to_le_bytes());
            out.extend([*hours, *minutes, *seconds]);
            out.extend(micros.to_le_bytes());
        }
    }
}

fn encode_integer(number: i128, out: &mut Vec<u8>) {
    out.push(2);
    out.extend(number.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use mysql_async::Value;

    use super::hash;

    #[test]
    fn values_that_look_alike_have_different_hashes() {
        let text = |text: &str| Value::Bytes(text.into());
        let alike = [
            vec![Value::NULL],
            vec![text("")],
            vec![text("a")],
            vec![text("a ")],
            vec![text("A")],
            vec![text("0")],
            vec![Value::Int(0)],
            vec![Value::Float(0.0)],
            vec![Value::Float(-0.0)],
            vec![Value::Double(0.0)],
            vec![Value::Double(-0.0)],
            vec![Value::Double(f64::from_bits(1))],
            vec![Value::Date(0, 0, 0, 0, 0, 0, 0)],
            vec![Value::Date(0, 0, 0, 0, 0, 0, 1)],
            vec![Value::Time(false, 0, 0, 0, 0, 0)],
            vec![Value::Time(true, 0, 0, 0, 0, 0)],
            vec![Value::NULL, Value::NULL],
            vec![text("x0"), text("y")],
            vec![text("x"), text("0y")],
            vec![text("x"), Value::NULL],
        ];
        for (index, left) in alike.iter().enumerate() {
            for right in &alike[index + 1..] {
                assert_ne!(hash(left), hash(right), "{left:?} {right:?}");
            }
        }
        assert_eq!(hash(&[Value::Int(7)]), hash(&[Value::UInt(7)]));
    }
}
