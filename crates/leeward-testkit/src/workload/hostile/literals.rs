//! A random value of any column type, as an SQL expression: ordinary ones, the extremes of the type, and texts that look
//! like something else.

use super::column::Column;
use crate::workload::SplitMix64;

/// How large a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// Some hundred bytes, for statements that write many rows.
    Small,
    /// Now and then up to some MiB.
    Any,
}

/// Of so many values that may be large, one is.
const LARGE_ONE_IN: u64 = 40;

/// Largest value: with two such in one row, still far below the 16 MiB of a batch and the 64 MiB of a packet.
const LARGE_BYTES: u64 = 3 << 20;

/// Of so many values of a column that takes NULL, one is NULL.
const NULL_ONE_IN: u64 = 8;

/// Texts that have been mangled on their way before: blanks at the end, escapes, NULL as text, quotes, a zero byte,
/// letters that fold or expand, letters outside of the first plane.
const TEXTS: [&str; 20] = [
    "",
    " ",
    "a",
    "A ",
    "a\\0",
    "\\\\N",
    "NULL",
    "0",
    "-1",
    "tab\\there\\r\\n",
    "back\\\\slash\\\\",
    "it''s \"quoted\"",
    "%_",
    "ß",
    "SS",
    "é",
    "É ",
    "日本",
    "🚢⚓",
    "\\Z--;#/*",
];

/// JSON in forms that two servers may write differently: numbers, escapes, order of keys, depth.
const DOCUMENTS: [&str; 12] = [
    "null",
    "true",
    "[]",
    "{}",
    "-0.0",
    "1e308",
    "12345678901234567890",
    "0.1",
    "\"text \\\\u00e9 \\\\\\\\ \\\\\" 🚢\"",
    "{\"b\": 1.0, \"a\": [1, 2, {\"c\": null}], \"\": \"\"}",
    "{\"colour\": \"blå\", \"sizes\": [1, 2.5, -3]}",
    "[[[[[[0]]]]], {\"k\": {\"k\": {\"k\": []}}}]",
];

/// Returns a value for a column.
pub(super) fn value(column: &Column, random: &mut SplitMix64, size: Size) -> String {
    if column.is_nullable && random.below(NULL_ONE_IN) == 0 {
        return "NULL".to_owned();
    }
    match column.data_type.as_str() {
        "tinyint" => integer(8, column, random),
        "smallint" => integer(16, column, random),
        "mediumint" => integer(24, column, random),
        "int" => integer(32, column, random),
        "bigint" => integer(64, column, random),
        "decimal" => decimal(column.digits, random),
        "float" => float(&["3.4e38", "-3.4e38", "1.17549435e-38"], random),
        "double" => float(&["1.7976931348623157e308", "-1.7976931348623157e308", "5e-324"], random),
        "bit" => format!("b'{:b}'", random.next_u64() >> (64 - column.length.clamp(1, 64))),
        "date" | "datetime" | "timestamp" | "time" | "year" => moment(column, random),
        "enum" => (1 + random.below(column.members())).to_string(),
        "set" => random.below(1 << column.members().min(20)).to_string(),
        "json" => format!("'{}'", DOCUMENTS[pick(DOCUMENTS.len(), random)]),
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => bytes(column, random, size),
        "inet6" => ["'::'", "'::1'", "'::ffff:192.0.2.1'", "'2001:db8::ff00:42:8329'"][pick(4, random)].to_owned(),
        "inet4" => ["'0.0.0.0'", "'192.0.2.1'", "'255.255.255.255'"][pick(3, random)].to_owned(),
        "uuid" => format!("'{:08x}-e89b-12d3-a456-{:012x}'", random.next_u64() as u32, random.next_u64() >> 16),
        "vector" => format!("STRING_TO_VECTOR('[{}, -0.0, 1e-30]')", random.below(1000)),
        "point" | "linestring" | "polygon" | "geometry" | "geometrycollection" | "geomcollection" => {
            shape(&column.data_type, random)
        }
        _ => text(column, random, size),
    }
}

fn pick(choices: usize, random: &mut SplitMix64) -> usize {
    random.below(choices as u64) as usize
}

/// An integer: small ones mostly, for columns add and multiply them, and the first and last of the type.
fn integer(bits: u32, column: &Column, random: &mut SplitMix64) -> String {
    let unsigned_max = u64::MAX >> (64 - bits);
    let (least, most) = if column.is_unsigned() {
        (0, i128::from(unsigned_max))
    } else {
        (-i128::from(unsigned_max >> 1) - 1, i128::from(unsigned_max >> 1))
    };
    let drawn = i128::from(random.next_u64());
    let value = match random.below(16) {
        0 => least,
        1 => most,
        2 => least + 1 + drawn % (most - least),
        3 => -1,
        4 => 0,
        5..=9 => drawn % 50,
        _ => drawn % 100_000,
    };
    value.clamp(least, most).to_string()
}

fn decimal((whole, behind): (u64, u64), random: &mut SplitMix64) -> String {
    let digits = |count: u64, random: &mut SplitMix64| -> String {
        (0..count).map(|_| char::from(b'0' + random.below(10) as u8)).collect()
    };
    let sign = if random.below(3) == 0 { "-" } else { "" };
    match random.below(8) {
        0 => "0".to_owned(),
        1 => format!("{sign}{}.{}", "9".repeat(whole.max(1) as usize), "9".repeat(behind.max(1) as usize)),
        2 => format!("{sign}0.{}1", "0".repeat(behind.saturating_sub(1) as usize)),
        _ => format!("{sign}{}.{}", digits(whole.clamp(1, 5), random), digits(behind.max(1), random)),
    }
}

/// A number in binary, as text: a literal would be taken for a decimal and lose the sign of a zero.
fn float(extremes: &[&str; 3], random: &mut SplitMix64) -> String {
    match random.below(8) {
        0 => "'0'".to_owned(),
        1 => "'-0'".to_owned(),
        2 => format!("'{}'", extremes[pick(3, random)]),
        3 => format!("'{}e{}'", random.below(1_000), random.below(60) as i64 - 30),
        _ => format!("{} / 7", random.below(1_000_000) as i64 - 500_000),
    }
}

fn moment(column: &Column, random: &mut SplitMix64) -> String {
    let fraction = match column.fsp {
        0 => String::new(),
        fsp => format!(".{:0width$}", random.below(10u64.pow(fsp as u32)), width = fsp as usize),
    };
    let (year, month, day) = (1901 + random.below(200), random.one_to(12), random.one_to(28));
    let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
    let extreme = random.below(12);
    match (column.data_type.as_str(), extreme) {
        ("date", 0) => "'1000-01-01'".to_owned(),
        ("date", 1) => "'9999-12-31'".to_owned(),
        ("date", 2) => "'2024-02-29'".to_owned(),
        ("date", _) => format!("'{year}-{month:02}-{day:02}'"),
        ("time", 0) => "'-838:59:59'".to_owned(),
        ("time", 1) => "'838:59:59'".to_owned(),
        ("time", _) => {
            let sign = if extreme.is_multiple_of(2) { "-" } else { "" };
            format!("'{sign}{:02}:{minute:02}:{second:02}{fraction}'", random.below(800))
        }
        ("year", _) => (1901 + random.below(255)).to_string(),
        ("timestamp", 0) => "'1970-01-01 00:00:01'".to_owned(),
        ("timestamp", 1) => "'2038-01-19 03:14:07'".to_owned(),
        ("timestamp", _) => {
            format!("'{}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}'", 1971 + random.below(66))
        }
        (_, 0) => "'1000-01-01 00:00:00'".to_owned(),
        (_, 1) => format!("'9999-12-31 23:59:59{}'", fraction.replace(|char: char| char.is_ascii_digit(), "9")),
        _ => format!("'{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}'"),
    }
}

/// Returns how often to repeat a piece, so that the value has the wanted length.
fn repeats(column: &Column, piece_bytes: u64, random: &mut SplitMix64, size: Size) -> u64 {
    // Drawn whether it is used or not.
    let (large, length) = (random.below(LARGE_ONE_IN) == 0, random.next_u64());
    let room = (column.length / piece_bytes).max(1);
    let most = if large && size == Size::Any { LARGE_BYTES / piece_bytes } else { 40 };
    1 + length % most.min(room)
}

fn bytes(column: &Column, random: &mut SplitMix64, size: Size) -> String {
    let hex = format!("{:016x}{:016x}", random.next_u64(), random.next_u64());
    let length = (random.below(17) as usize).min(column.length as usize);
    let repeats = repeats(column, 16, random, size);
    if column.length < 16 || random.below(3) == 0 {
        return format!("X'{}'", &hex[..2 * length]);
    }
    format!("REPEAT(X'{hex}', {repeats})")
}

fn text(column: &Column, random: &mut SplitMix64, size: Size) -> String {
    let chosen = TEXTS[pick(TEXTS.len(), random)];
    let number = random.next_u64();
    let repeats = repeats(column, 8, random, size);
    match random.below(4) {
        // Any unit of length: what is longer than the column is refused or cut, as an application's would be.
        0 => format!("'{chosen}'"),
        1 => format!("LEFT(CONCAT('{chosen}', '{number:x}'), {})", column.length),
        2 => format!("LEFT('{number:016x}', {})", column.length),
        _ => format!("LEFT(REPEAT('{:07x}ö', {repeats}), {})", number >> 36, column.length),
    }
}

fn shape(data_type: &str, random: &mut SplitMix64) -> String {
    let (x, y) = (random.below(360) as i64 - 180, random.below(180) as i64 - 90);
    let point = format!("POINT({x}.5 {y}e-1)");
    let line = format!("LINESTRING({x} {y}, {} {y}, 0 0)", x + 1);
    let area = format!("POLYGON(({x} {y}, {} {y}, {} {}, {x} {y}))", x + 2, x + 2, y + 3);
    let form = match data_type {
        "point" => point,
        "linestring" => line,
        "polygon" => area,
        "geometry" => [point, line, area][pick(3, random)].clone(),
        _ => format!("GEOMETRYCOLLECTION({point}, {line})"),
    };
    format!("ST_GeomFromText('{form}')")
}
