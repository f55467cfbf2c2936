//! The only file that quotes: identifiers, literals, and the forms in which a column's value travels.
//!
//! Three forms of a value are kept apart:
//! - *wire form*: what a row holds between the servers. Text or raw bytes under `NAMES binary`, exact for every type;
//! - *canonical form*: what the digest hashes, self-delimiting so that no two rows read alike (T15);
//! - *border form*: what ranges are cut with. The same as the wire form but for ENUM, SET and BIT, which the server
//!   orders by number while it prints names or bytes (T23).

use leeward_core::name::TableName;
use leeward_core::row::{KeyCells, KeyRange};
use leeward_core::server::Flavor;
use leeward_core::table::{Column, Generated, Nullability, Table};

/// Quotes an identifier.
pub fn ident(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Quotes a full table name.
pub fn table(name: &TableName) -> String {
    format!("{}.{}", ident(&name.schema), ident(&name.table))
}

/// Makes a UTF-8 text literal that compares as text whatever the connection's character set.
pub fn literal(text: &str) -> String {
    let mut quoted = b"_utf8mb4".to_vec();
    push_quoted(&mut quoted, text.as_bytes());
    String::from_utf8(quoted).expect("escaping adds only ASCII to valid UTF-8")
}

/// Appends bytes as a quoted string literal. Under `NAMES binary` every byte but the escaped ones stands for itself, so
/// a multi-byte character set with 0x5C as a trail byte cannot break out.
pub fn push_quoted(sql: &mut Vec<u8>, bytes: &[u8]) {
    sql.push(b'\'');
    for &byte in bytes {
        match byte {
            0 => sql.extend_from_slice(b"\\0"),
            b'\'' => sql.extend_from_slice(b"\\'"),
            b'\\' => sql.extend_from_slice(b"\\\\"),
            b'\n' => sql.extend_from_slice(b"\\n"),
            b'\r' => sql.extend_from_slice(b"\\r"),
            0x1a => sql.extend_from_slice(b"\\Z"),
            byte => sql.push(byte),
        }
    }
    sql.push(b'\'');
}

/// What a column's type means for the forms of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Integer or decimal: digits.
    Number,
    /// FLOAT: its text has six digits and loses bits, so it travels as DOUBLE (T18).
    Float,
    /// DOUBLE: its text is exact.
    Double,
    /// DATE, TIME, DATETIME, TIMESTAMP, YEAR: text in UTC with all its digits (T17, T22).
    Temporal,
    /// CHAR, VARCHAR, TEXT: raw bytes in the column's character set.
    Text,
    /// ENUM, SET: names in the column's character set.
    Named,
    /// BINARY, VARBINARY, BLOB: raw bytes.
    Bytes,
    /// BIT: raw bytes, big-endian.
    Bits,
    /// JSON on MySQL: text that only a utf8mb4 string can be turned into.
    Json,
    /// GEOMETRY and its kin, VECTOR: the server's own bytes.
    Opaque,
    /// UUID, INET4, INET6 on MariaDB: text.
    Plain,
}

/// Returns the form of a column's type.
pub fn form(column: &Column) -> Form {
    match column.data_type.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "decimal" | "numeric" => Form::Number,
        "float" => Form::Float,
        "double" | "real" => Form::Double,
        "date" | "time" | "datetime" | "timestamp" | "year" => Form::Temporal,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => Form::Text,
        "enum" | "set" => Form::Named,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Form::Bytes,
        "bit" => Form::Bits,
        "json" => Form::Json,
        "uuid" | "inet4" | "inet6" => Form::Plain,
        _ => Form::Opaque,
    }
}

/// Returns the select expression of a column's wire form.
pub fn wire(column: &Column) -> String {
    let name = ident(&column.name);
    match form(column) {
        Form::Float => format!("CAST({name} AS DOUBLE)"),
        _ => name,
    }
}

/// Returns the select list of a table's wire columns.
pub fn wire_list(table: &Table) -> String {
    table.wire_columns().into_iter().map(|column| listed(table, column)).collect::<Vec<_>>().join(",")
}

fn listed(table: &Table, column: &Column) -> String {
    let key = table.row_key().unwrap_or_default();
    let in_key = key.iter().any(|part| part.name == column.name);
    // FLOAT(M,D) prints all digits that it can hold, and only those are stored as the same bits again. In a key it is
    // compared as a DOUBLE.
    match column.data_type == "float" && column.column_type.contains(',') {
        true if !in_key => ident(&column.name),
        _ => wire(column),
    }
}

/// Bytes that a value of a column may have, where they may be many.
fn long_bytes_max(column: &Column) -> Option<u64> {
    match column.data_type.as_str() {
        "text" | "blob" => Some(1 << 16),
        "mediumtext" | "mediumblob" => Some(1 << 24),
        "longtext" | "longblob" | "json" => Some(1 << 32),
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon"
        | "geometrycollection" | "geomcollection" => Some(1 << 32),
        _ => None,
    }
}

/// Returns whether a row of a table can hold more than so many bytes in its long columns. All others together are bounded by
/// the servers' row size of 64 KiB.
pub fn may_be_wide(table: &Table, bytes_max: u64) -> bool {
    table.wire_columns().into_iter().filter_map(long_bytes_max).sum::<u64>() > bytes_max
}

/// Returns the select list of a table's wire columns, in which long values of rows that hold more than `bytes_max` bytes of
/// them are NULL, and after them how many bytes that are.
pub fn guarded_list(table: &Table, bytes_max: u64) -> String {
    let key = table.row_key().unwrap_or_default();
    let is_long = |column: &Column| long_bytes_max(column).is_some() && key.iter().all(|part| part.name != column.name);
    // The length of a JSON document is that of its text, which is what travels.
    let length = |column: &Column| format!("COALESCE(LENGTH({}),0)", ident(&column.name));
    let columns = table.wire_columns();
    let long = columns.iter().filter(|column| is_long(column));
    let bytes = long.map(|column| length(column)).collect::<Vec<_>>().join("+");
    let list = columns.iter().map(|column| match is_long(column) {
        true => format!("IF({bytes}>{bytes_max},NULL,{})", listed(table, column)),
        false => listed(table, column),
    });
    format!("{},{bytes}", list.collect::<Vec<_>>().join(","))
}

/// Returns the expression of a key's CRC32, by which keys are counted and spread over buckets.
pub fn key_crc(key: &[&Column]) -> String {
    // A float counts by its bits: inside of an expression each server cuts its text short in its own way (T18).
    let counted = |column: &Column| match form(column) {
        Form::Float | Form::Double => format!("HEX(POINT({},0))", ident(&column.name)),
        _ => wire(column),
    };
    match key {
        [only] => format!("CRC32({})", counted(only)),
        // As bytes, for parts of different character sets do not mix.
        _ => {
            let parts: Vec<String> = key.iter().map(|column| format!("CAST({} AS BINARY)", counted(column))).collect();
            format!("CRC32(CONCAT_WS(0x00,{}))", parts.join(","))
        }
    }
}

/// Returns the expression of a key column's border form.
fn border(column: &Column) -> String {
    let name = ident(&column.name);
    match form(column) {
        Form::Float => format!("CAST({name} AS DOUBLE)"),
        Form::Named | Form::Bits => format!("({name}+0)"),
        _ => name,
    }
}

/// Returns whether a key's border form is another than its wire form.
pub fn has_border_form(key: &[&Column]) -> bool {
    key.iter().any(|column| border(column) != wire(column))
}

/// Returns the expressions of a key's border form, in key order.
pub fn border_list(key: &[&Column]) -> String {
    key.iter().map(|column| border(column)).collect::<Vec<_>>().join(",")
}

/// Appends a literal that a key column is compared with, typed so that the server compares in the column's own type
/// and collation and can use the index: a bare string would turn the comparison binary or, against numbers, floating.
fn push_comparable(sql: &mut Vec<u8>, column: &Column, cell: &[u8]) {
    match form(column) {
        Form::Number | Form::Float | Form::Double if is_numeric_text(cell) => sql.extend_from_slice(cell),
        Form::Text | Form::Named => {
            sql.push(b'_');
            sql.extend_from_slice(column.charset.as_deref().unwrap_or("binary").as_bytes());
            push_quoted(sql, cell);
        }
        Form::Temporal | Form::Plain | Form::Number | Form::Float | Form::Double => {
            sql.extend_from_slice(b"_utf8mb4");
            push_quoted(sql, cell);
        }
        Form::Bytes | Form::Json | Form::Opaque => {
            sql.extend_from_slice(b"_binary");
            push_quoted(sql, cell);
        }
        Form::Bits => {
            sql.extend_from_slice(b"0x");
            cell.iter().for_each(|byte| sql.extend_from_slice(format!("{byte:02x}").as_bytes()));
        }
    }
}

fn push_border_literal(sql: &mut Vec<u8>, column: &Column, cell: &[u8]) {
    match form(column) {
        Form::Named | Form::Bits if is_numeric_text(cell) => sql.extend_from_slice(cell),
        _ => push_comparable(sql, column, cell),
    }
}

/// Returns whether a cell may stand in SQL as a bare number. The server sent it as one; this is the belt to the braces.
fn is_numeric_text(cell: &[u8]) -> bool {
    !cell.is_empty() && cell.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
}

/// Appends the condition that holds for the rows of a key range, without `WHERE`. Spelled out as
/// `a > x OR (a = x AND b > y)`, which both optimizers turn into index ranges; a row constructor they do not.
pub fn push_range(sql: &mut Vec<u8>, key: &[&Column], range: &KeyRange) {
    let mut both = false;
    for (limit, operator) in [(&range.after, Bound::After), (&range.upto, Bound::Upto)] {
        if let Some(cells) = limit {
            if both {
                sql.extend_from_slice(b" AND ");
            }
            push_bound(sql, key, cells, (operator, Compared::AsBorder));
            both = true;
        }
    }
    if !both {
        sql.extend_from_slice(b"1=1");
    }
}

/// Appends the condition that holds for the rows after a row's own key, whose cells are in wire form, in the order of
/// [`wire_order`].
pub fn push_after_wire(sql: &mut Vec<u8>, key: &[&Column], cells: &KeyCells) {
    push_bound(sql, key, cells, (Bound::After, Compared::AsWire));
}

/// Returns the expression by which rows are ordered so that [`push_after_wire`] can go on after any of them.
pub fn wire_order(column: &Column) -> String {
    Compared::AsWire.expression(column)
}

/// In which form a key is compared with borders.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compared {
    /// Border form: the order of the index.
    AsBorder,
    /// Wire form: names by their bytes, since a row holds no ordinal.
    AsWire,
}

impl Compared {
    fn expression(self, column: &Column) -> String {
        match (self, form(column)) {
            (Compared::AsWire, Form::Named) => format!("CAST({} AS BINARY)", ident(&column.name)),
            _ => border(column),
        }
    }

    fn push_literal(self, sql: &mut Vec<u8>, column: &Column, cell: &[u8]) {
        match (self, form(column)) {
            (Compared::AsWire, Form::Named) => {
                sql.extend_from_slice(b"_binary");
                push_quoted(sql, cell);
            }
            (Compared::AsWire, Form::Bits) => {
                let number = cell.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
                sql.extend_from_slice(number.to_string().as_bytes());
            }
            _ => push_border_literal(sql, column, cell),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    After,
    Upto,
}

fn push_bound(sql: &mut Vec<u8>, key: &[&Column], cells: &KeyCells, (bound, compared): (Bound, Compared)) {
    sql.push(b'(');
    for last in 0..key.len() {
        if last > 0 {
            sql.extend_from_slice(b" OR ");
        }
        sql.push(b'(');
        for (at, (column, cell)) in key.iter().zip(&cells.0).enumerate().take(last + 1) {
            if at > 0 {
                sql.extend_from_slice(b" AND ");
            }
            sql.extend_from_slice(compared.expression(column).as_bytes());
            let whole = last + 1 == key.len();
            sql.extend_from_slice(match (at == last, bound) {
                (false, _) => b"=".as_slice(),
                (true, Bound::After) => b">",
                (true, Bound::Upto) if whole => b"<=",
                (true, Bound::Upto) => b"<",
            });
            compared.push_literal(sql, column, cell);
        }
        sql.push(b')');
    }
    sql.push(b')');
}

/// Appends the condition that holds for the rows with one of these keys, without `WHERE`. `keys` must not be empty.
pub fn push_keys(sql: &mut Vec<u8>, key: &[&Column], keys: &[KeyCells]) {
    if let [column] = key {
        sql.extend_from_slice(identity(column).as_bytes());
        sql.extend_from_slice(b" IN (");
        for (at, cells) in keys.iter().enumerate() {
            if at > 0 {
                sql.push(b',');
            }
            push_comparable(sql, column, &cells.0[0]);
        }
        sql.push(b')');
        return;
    }
    for (at, cells) in keys.iter().enumerate() {
        if at > 0 {
            sql.extend_from_slice(b" OR ");
        }
        sql.push(b'(');
        for (part, (column, cell)) in key.iter().zip(&cells.0).enumerate() {
            if part > 0 {
                sql.extend_from_slice(b" AND ");
            }
            sql.extend_from_slice(identity(column).as_bytes());
            sql.push(b'=');
            push_comparable(sql, column, cell);
        }
        sql.push(b')');
    }
}

fn identity(column: &Column) -> String {
    match form(column) {
        Form::Float => format!("CAST({} AS DOUBLE)", ident(&column.name)),
        _ => ident(&column.name),
    }
}

/// Appends a cell as a value of an INSERT.
pub fn push_value(sql: &mut Vec<u8>, column: &Column, cell: Option<&[u8]>, flavor: Flavor) {
    let Some(cell) = cell else {
        sql.extend_from_slice(b"NULL");
        return;
    };
    if wants_text(column, flavor) {
        sql.extend_from_slice(b"CONVERT(");
        push_quoted(sql, cell);
        sql.extend_from_slice(b" USING utf8mb4)");
    } else {
        push_quoted(sql, cell);
    }
}

/// Returns whether a column takes its text only as text: JSON on MySQL refuses binary strings, and UUID and INET on
/// MariaDB take them for raw addresses.
pub fn wants_text(column: &Column, flavor: Flavor) -> bool {
    matches!((form(column), flavor), (Form::Json, Flavor::MySql) | (Form::Plain, Flavor::MariaDb))
}

/// Returns whether an empty cell of this column is the ENUM's error value, which is no member and has number 0. The
/// server keeps such a row from before strict mode, but takes it anew only outside of strict mode (T23).
pub fn empty_is_error(column: &Column) -> bool {
    column.data_type == "enum" && !members(&column.column_type).iter().any(String::is_empty)
}

/// Returns the members of `enum('a','it''s')`, or of a SET.
fn members(column_type: &str) -> Vec<String> {
    let (mut members, mut member) = (Vec::new(), None::<String>);
    let mut letters = column_type.chars().peekable();
    while let Some(letter) = letters.next() {
        match (&mut member, letter) {
            (None, '\'') => member = Some(String::new()),
            (None, _) => {}
            (Some(text), '\'') if letters.peek() == Some(&'\'') => {
                letters.next();
                text.push('\'');
            }
            (Some(_), '\'') => members.extend(member.take()),
            (Some(text), letter) => text.push(letter),
        }
    }
    members
}

/// Returns the start of an INSERT that takes values which strict mode refuses. Its warnings must be counted.
pub fn lenient_insert(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "SET STATEMENT sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES' FOR INSERT INTO",
        Flavor::MySql => "INSERT /*+ SET_VAR(sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES') */ INTO",
    }
}

/// The variable in which [`collect_keys`] leaves what it has found.
pub const COLLECTED_KEYS: &str = "@leeward_keys";

/// Returns the end of an INSERT that changes no row that it meets, but collects its key: cells in hex with a comma
/// between them and a semicolon after each key. Nothing for a table whose rows have no key.
///
/// A variable can only be set inside of an expression that some column takes as its value; one of the key takes its own.
pub fn collect_keys(table: &Table) -> Option<String> {
    let key = table.row_key()?;
    let written = table.written_columns();
    let taker = key.iter().find(|column| column.generated.is_none()).or(written.first())?;
    let cells = key.iter().map(|column| format!("HEX(CONCAT({}))", wire(column))).collect::<Vec<_>>().join(",',',");
    let name = ident(&taker.name);
    Some(format!(
        " ON DUPLICATE KEY UPDATE {name}=IF(({COLLECTED_KEYS}:=CONCAT({COLLECTED_KEYS},{cells},';')) IS NULL,{name},{name})"
    ))
}

/// Returns the placeholder of a cell in a prepared INSERT.
pub fn placeholder(column: &Column, flavor: Flavor) -> &'static str {
    if wants_text(column, flavor) { "CONVERT(? USING utf8mb4)" } else { "?" }
}

/// Returns the canonical form of a column, as arguments of CONCAT: NULL reads `N`, everything else is self-delimiting. Whole
/// numbers and times end at the `,` that follows, for they never hold one; floats stand as their bits inside of a point, 25
/// bytes whatever the value, since their text differs from one version to the next and can be cut short (T18); strings
/// carry their length; long ones and documents stand as their own hash, so that the row's form stays far below
/// `max_allowed_packet` (T24). NULL is asked for, not taken from the form: beyond that limit a form is NULL though the value
/// is not. A column that cannot be NULL is not asked, which saves a fifth of a digest; a NULL in it leaves the row without
/// a hash, and that is an error.
fn canonical(column: &Column) -> String {
    let name = ident(&column.name);
    let value = match form(column) {
        Form::Number | Form::Temporal | Form::Plain => format!("{name},','"),
        Form::Float | Form::Double => format!("POINT({name},0)"),
        Form::Bits => format!("{name}+0,','"),
        Form::Named if column.data_type == "set" => canonical_set(column),
        Form::Text | Form::Named | Form::Bytes if is_short(column) => {
            format!("LENGTH({name}),':',{name}")
        }
        Form::Text | Form::Named | Form::Bytes | Form::Opaque => {
            format!("LENGTH({name}),':',SHA2({name},256)")
        }
        // A DECIMAL inside a document has no text of its own: it arrives as the DOUBLE that its digits stand for, so
        // the source's document is read through the same text before it is hashed (T20). MariaDB's is text anyway. The
        // text is empty where it would be longer than `max_allowed_packet`.
        Form::Json => format!("SHA2(CAST(NULLIF(CAST({name} AS CHAR CHARACTER SET utf8mb4),'') AS JSON),256)"),
    };
    match column.nullable {
        Nullability::NotNull => value,
        Nullability::Nullable if is_short(column) => format!("IF({name} IS NULL,'N',CONCAT({AS_BYTES},{value}))"),
        Nullability::Nullable => format!("IF({name} IS NULL,'N',CONCAT({value}))"),
    }
}

/// Makes a CONCAT that begins with it one of bytes: beside a binary value that is no literal neither family converts what
/// columns hold from one character set to another. A literal is too weak for that, and a CAST of each column took a quarter
/// of the whole digest's time.
const AS_BYTES: &str = "CAST('' AS BINARY)";

/// Returns the canonical form of a SET: one digit for each member of the definition that is asked with, in the order of
/// their names, so that the order of either side's definition does not matter (T23). The length tells of members that
/// only the other side knows.
fn canonical_set(column: &Column) -> String {
    let name = ident(&column.name);
    let charset = column.charset.as_deref().unwrap_or("binary");
    let exact = if charset == "binary" { "binary".to_owned() } else { format!("{charset}_bin") };
    let mut members = members(&column.column_type);
    members.sort_unstable();
    let is_in = |member: &String| format!("FIND_IN_SET({},CONCAT({name}) COLLATE {exact})>0", literal(member));
    let digits = members.iter().map(is_in).collect::<Vec<_>>().join(",");
    format!("LENGTH({name}),':',{digits}")
}

/// Returns whether a string column's values fit into a row's canonical form as they are. 1,024 columns of at most 1,020
/// bytes stay below 4 MiB, the smallest `max_allowed_packet` that doctor accepts.
fn is_short(column: &Column) -> bool {
    let length = column.column_type.split_once('(').and_then(|(_, rest)| rest.split(')').next()?.parse::<u32>().ok());
    let declared = matches!(column.data_type.as_str(), "char" | "varchar" | "binary" | "varbinary");
    let small = matches!(column.data_type.as_str(), "tinytext" | "tinyblob" | "enum");
    small || declared && length.is_some_and(|characters| characters <= 255)
}

/// Returns the expression of a row's hash: the first 128 bits of a SHA-256 in hex, over all columns, generated ones included
/// (T23) but for those that are no value of the row. MD5 and SHA1 are gone from MySQL 9.7 (T38).
pub fn row_hash(table: &Table) -> String {
    let compared = table.columns.iter().filter(|column| !is_of_the_moment(column));
    let columns = compared.map(canonical).collect::<Vec<_>>().join(",");
    format!("LEFT(SHA2(CONCAT({AS_BYTES},{columns}),256),32)")
}

/// What MariaDB lets a virtual column ask of the moment or of who asks, as it prints it.
const OF_THE_MOMENT: [&str; 16] = [
    "now(",
    "sysdate(",
    "curdate(",
    "curtime(",
    "current_",
    "localtime",
    "utc_",
    "unix_timestamp()",
    "rand(",
    "uuid(",
    "connection_id(",
    "user(",
    "database(",
    "schema(",
    "version(",
    "@@",
];

/// Returns whether a column is computed when it is read from something that is not in the row, and so differs from one
/// reading to the next. MySQL refuses such columns.
fn is_of_the_moment(column: &Column) -> bool {
    let expression = column.default.as_deref().unwrap_or_default().to_lowercase();
    column.generated == Some(Generated::Virtual) && OF_THE_MOMENT.iter().any(|word| expression.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, data_type: &str, charset: Option<&str>) -> Column {
        Column {
            name: name.into(),
            data_type: data_type.into(),
            column_type: data_type.into(),
            charset: charset.map(Into::into),
            collation: None,
            nullable: Nullability::NotNull,
            default: None,
            fsp: 0,
            auto_increment: false,
            on_update_now: false,
            generated: None,
            invisible: false,
        }
    }

    fn cells(cells: &[&str]) -> KeyCells {
        KeyCells(cells.iter().map(|cell| cell.as_bytes().to_vec()).collect())
    }

    #[test]
    fn identifiers_and_literals_cannot_break_out() {
        assert_eq!(ident("a`b"), "`a``b`");
        assert_eq!(literal("it's \\"), "_utf8mb4'it\\'s \\\\'");
    }

    #[test]
    fn composite_ranges_are_spelled_out_for_the_optimizer() {
        let (a, b) = (column("a", "int", None), column("b", "varchar", Some("latin1")));
        let range = KeyRange { after: Some(cells(&["1", "x"])), upto: Some(cells(&["2", "y'"])) };
        let mut sql = Vec::new();
        push_range(&mut sql, &[&a, &b], &range);
        assert_eq!(
            String::from_utf8(sql).unwrap(),
            "((`a`>1) OR (`a`=1 AND `b`>_latin1'x')) AND ((`a`<2) OR (`a`=2 AND `b`<=_latin1'y\\''))"
        );
    }

    #[test]
    fn an_empty_enum_cell_is_an_error_value_unless_it_is_a_member_t23() {
        let with = |column_type: &str| Column { column_type: column_type.into(), ..column("e", "enum", None) };
        assert!(empty_is_error(&with("enum('a','it''s,','''')")));
        assert!(!empty_is_error(&with("enum('a','')")));
        assert!(!empty_is_error(&column("v", "varchar", None)));
    }

    #[test]
    fn a_set_is_one_digit_a_member_in_the_order_of_their_names_t23() {
        let with = |column_type: &str| Column { column_type: column_type.into(), ..column("s", "set", Some("latin1")) };
        assert_eq!(canonical(&with("set('b','a')")), canonical(&with("set('a','b')")));
        assert_eq!(
            canonical(&with("set('it''s')")),
            "LENGTH(`s`),':',FIND_IN_SET(_utf8mb4'it\\'s',CONCAT(`s`) COLLATE latin1_bin)>0"
        );
    }

    #[test]
    fn only_a_column_that_may_be_null_is_asked_for_null() {
        let kept = column("n", "int", None);
        assert_eq!(canonical(&kept), "`n`,','");
        assert_eq!(
            canonical(&Column { nullable: Nullability::Nullable, ..kept }),
            "IF(`n` IS NULL,'N',CONCAT(`n`,','))"
        );
    }

    #[test]
    fn enums_are_ranged_by_number_and_matched_by_name_t23() {
        let size = column("size", "enum", Some("utf8mb4"));
        let mut sql = Vec::new();
        push_range(&mut sql, &[&size], &KeyRange { after: Some(cells(&["2"])), upto: None });
        push_keys(&mut sql, &[&size], &[cells(&["small"])]);
        assert_eq!(String::from_utf8(sql).unwrap(), "(((`size`+0)>2))`size` IN (_utf8mb4'small')");
    }
}
