//! Types of columns, as far as one can take the values of another.

/// What becomes of values when a column's type changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: the types are the same.
    Same,
    /// Nothing but how numbers are shown.
    Shown,
    /// Every value is kept, and more fit.
    Wider,
    /// Some values may not fit any more.
    Narrower,
    /// They are another kind of value.
    Other,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// Lowest and highest value.
    Integer(i128, i128),
    /// Digits before and after the point, and whether it can be negative.
    Decimal(u64, u64, bool),
    /// Bytes of a binary floating-point number.
    Float(u64),
    /// Text of at most so many characters, padded or not.
    Characters { most: u64, padded: bool },
    /// Text of at most so many bytes.
    Text(u64),
    /// Bytes, at most so many, padded or not.
    Bytes { most: u64, padded: bool },
    /// ENUM or SET with its members.
    Members(&'static str, Vec<String>),
    /// A time of some sort with its fractional digits.
    Time(String, u64),
    /// Bits.
    Bits(u64),
    /// Whatever else, by its own text.
    Other(String),
}

/// Compares the type of a column on the target with that on the source.
pub(super) fn step(from: &str, to: &str) -> Step {
    if from == to {
        return Step::Same;
    }
    let (from_kind, to_kind) = (kind(from), kind(to));
    if from_kind == to_kind {
        return Step::Shown;
    }
    match (&from_kind, &to_kind) {
        (Kind::Integer(low, high), Kind::Integer(lower, higher)) => wider(lower <= low && high <= higher),
        (Kind::Decimal(before, after, signed), Kind::Decimal(more_before, more_after, stays_signed)) => {
            wider(more_before >= before && more_after >= after && (!signed || *stays_signed))
        }
        (Kind::Float(bytes), Kind::Float(more)) => wider(more >= bytes),
        (Kind::Characters { most, padded }, Kind::Characters { most: more, padded: to_padded })
        | (Kind::Bytes { most, padded }, Kind::Bytes { most: more, padded: to_padded }) => {
            // What is padded when it is read has lost its own trailing blanks: the other way round is no widening.
            wider(more >= most && (*padded || !to_padded))
        }
        // A row holds at most 65,535 bytes outside of TEXT, so only TINYTEXT can be too small.
        (Kind::Characters { most, .. }, Kind::Text(bytes)) => wider(*bytes >= 65_535 || most * 4 <= *bytes),
        (Kind::Text(bytes), Kind::Text(more)) => wider(more >= bytes),
        (Kind::Text(_), Kind::Characters { .. }) => Step::Narrower,
        (Kind::Members(word, members), Kind::Members(to_word, more)) if word == to_word => {
            wider(more.starts_with(members))
        }
        (Kind::Time(word, digits), Kind::Time(to_word, more)) if word == to_word => wider(more >= digits),
        (Kind::Bits(bits), Kind::Bits(more)) => wider(more >= bits),
        _ => Step::Other,
    }
}

fn wider(is: bool) -> Step {
    if is { Step::Wider } else { Step::Narrower }
}

fn kind(column_type: &str) -> Kind {
    let (word, rest) = column_type.split_at(column_type.find(['(', ' ']).unwrap_or(column_type.len()));
    let word = word.to_lowercase();
    let signed = !rest.to_lowercase().contains("unsigned");
    let number = |at: usize| numbers(rest).get(at).copied();
    let integer = |bits: u32| match signed {
        true => Kind::Integer(-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
        false => Kind::Integer(0, (1i128 << bits) - 1),
    };
    let bytes = |most: u64, padded: bool| Kind::Bytes { most, padded };
    match word.as_str() {
        "tinyint" => integer(8),
        "smallint" => integer(16),
        "mediumint" => integer(24),
        "int" | "integer" => integer(32),
        "bigint" => integer(64),
        "decimal" | "numeric" => {
            let (digits, after) = (number(0).unwrap_or(10), number(1).unwrap_or(0));
            Kind::Decimal(digits.saturating_sub(after), after, signed)
        }
        "float" if number(0).is_none() && signed => Kind::Float(4),
        "double" if number(0).is_none() && signed => Kind::Float(8),
        "char" => Kind::Characters { most: number(0).unwrap_or(1), padded: true },
        "varchar" => Kind::Characters { most: number(0).unwrap_or(0), padded: false },
        "binary" => bytes(number(0).unwrap_or(1), true),
        "varbinary" => bytes(number(0).unwrap_or(0), false),
        "tinytext" => Kind::Text(255),
        "text" => Kind::Text(65_535),
        "mediumtext" => Kind::Text(16_777_215),
        "longtext" => Kind::Text(4_294_967_295),
        "tinyblob" => bytes(255, false),
        "blob" => bytes(65_535, false),
        "mediumblob" => bytes(16_777_215, false),
        "longblob" => bytes(4_294_967_295, false),
        "enum" => Kind::Members("enum", members(rest)),
        "set" => Kind::Members("set", members(rest)),
        "datetime" | "timestamp" | "time" => Kind::Time(word, number(0).unwrap_or(0)),
        "bit" => Kind::Bits(number(0).unwrap_or(1)),
        // Its width says nothing since MySQL 5.7.
        "year" => Kind::Other(word),
        _ => Kind::Other(column_type.split(" /*").next().unwrap_or_default().to_lowercase()),
    }
}

/// Returns the numbers in the first parentheses.
fn numbers(rest: &str) -> Vec<u64> {
    let inside = rest.strip_prefix('(').and_then(|text| text.split_once(')')).map_or("", |(inside, _)| inside);
    inside.split(',').filter_map(|number| number.trim().parse().ok()).collect()
}

/// Returns the members of an ENUM or SET as the server prints them: in quotes, a quote doubled.
fn members(rest: &str) -> Vec<String> {
    let (mut found, mut member, mut inside) = (Vec::new(), String::new(), false);
    let mut letters = rest.chars().peekable();
    while let Some(letter) = letters.next() {
        match (inside, letter) {
            (true, '\'') if letters.peek() == Some(&'\'') => {
                letters.next();
                member.push('\'');
            }
            (true, '\'') => {
                found.push(std::mem::take(&mut member));
                inside = false;
            }
            (true, letter) => member.push(letter),
            (false, '\'') => inside = true,
            (false, _) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_keeps_every_value_is_wider() {
        for (from, to) in [
            ("int(11)", "bigint(20)"),
            ("int unsigned", "bigint"),
            ("tinyint unsigned", "smallint"),
            ("decimal(10,2)", "decimal(12,2)"),
            ("decimal(10,2)", "decimal(12,4)"),
            ("decimal(5,0) unsigned", "decimal(5,0)"),
            ("float", "double"),
            ("varchar(20)", "varchar(21)"),
            ("char(5)", "varchar(5)"),
            ("varchar(60)", "tinytext"),
            ("varchar(16000)", "text"),
            ("text", "longtext"),
            ("varbinary(5)", "blob"),
            ("binary(4)", "binary(8)"),
            ("blob", "mediumblob"),
            ("enum('a','b')", "enum('a','b','c')"),
            ("set('a')", "set('a','it''s')"),
            ("datetime", "datetime(6)"),
            ("timestamp(3)", "timestamp(6)"),
            ("bit(1)", "bit(8)"),
        ] {
            assert_eq!(step(from, to), Step::Wider, "{from} to {to}");
        }
    }

    #[test]
    fn a_type_that_may_refuse_a_value_is_narrower() {
        for (from, to) in [
            ("bigint", "int"),
            ("int", "int unsigned"),
            ("bigint unsigned", "bigint"),
            ("decimal(10,2)", "decimal(10,3)"),
            ("decimal(5,0)", "decimal(6,0) unsigned"),
            ("double", "float"),
            ("varchar(21)", "varchar(20)"),
            ("varchar(5)", "char(5)"),
            ("varchar(64)", "tinytext"),
            ("text", "varchar(1000)"),
            ("varbinary(5)", "binary(5)"),
            ("longblob", "blob"),
            ("enum('a','b')", "enum('b','a')"),
            ("enum('a','b')", "enum('a')"),
            ("enum('a','b')", "enum('a','x','b')"),
            ("set('a','b')", "set('b')"),
            ("datetime(6)", "datetime"),
            ("bit(8)", "bit(1)"),
        ] {
            assert_eq!(step(from, to), Step::Narrower, "{from} to {to}");
        }
    }

    #[test]
    fn another_kind_of_value_is_another_kind() {
        for (from, to) in [
            ("int", "varchar(20)"),
            ("int", "decimal(20,0)"),
            ("datetime", "timestamp"),
            ("date", "datetime"),
            ("varchar(10)", "varbinary(10)"),
            ("text", "json"),
            ("enum('a')", "set('a')"),
            ("enum('a')", "varchar(5)"),
            ("float(7,3)", "double"),
            ("point", "geometry"),
            ("uuid", "char(36)"),
        ] {
            assert_eq!(step(from, to), Step::Other, "{from} to {to}");
        }
    }

    #[test]
    fn how_a_number_is_shown_is_no_other_type() {
        for (from, to) in [
            ("int(11)", "int"),
            ("int(5) unsigned zerofill", "int(10) unsigned"),
            ("tinyint(1)", "tinyint(4)"),
            ("year(4)", "year"),
        ] {
            assert_eq!(step(from, to), Step::Shown, "{from} to {to}");
        }
        assert_eq!(step("varchar(3)", "varchar(3)"), Step::Same);
    }
}
