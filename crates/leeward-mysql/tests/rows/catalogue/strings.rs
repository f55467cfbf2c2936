//! Strings in many character sets and collations, padded and not (T9, T21), raw bytes bit by bit, and lists of names
//! (T23). What a collation holds for equal, such as case, accents and trailing spaces, is told apart all the same.

use leeward_testkit::servers::Kind;

use super::Type;

/// Texts that every character set can hold.
const PLAIN: [&str; 16] = [
    "''", "'a'", "'A'", "'b'", "' a'", "'aa'", "'ab'", "'ba'", "'a\\0'", "'\\0a'", "'\\0'", "'N'", "'1:a'", "'0:'",
    "'a,b'", "'\\\\N'",
];

/// Trailing blanks, which CHAR drops and every other type keeps.
const PADDED: [&str; 4] = ["'a '", "'a  '", "' '", "'a\\t'"];

/// Texts beyond ASCII, which only some can hold.
const ACCENTED: [&str; 4] = ["'é'", "'É'", "'e'", "'ß'"];

/// The last two are one word in two spellings of its accent.
const WIDE: [&str; 6] = ["'🚢'", "'⚓'", "'中'", "'ss'", "'e\u{301}x'", "'\u{e9}x'"];

/// A character set's collations, and what it can hold beyond ASCII.
const COLLATIONS: [(&str, &str, Beyond, Option<Kind>); 23] = [
    ("latin1", "latin1_swedish_ci", Beyond::Accents, None),
    ("latin1", "latin1_bin", Beyond::Accents, None),
    ("ascii", "ascii_general_ci", Beyond::Nothing, None),
    ("utf8mb3", "utf8mb3_general_ci", Beyond::Accents, None),
    ("utf8mb4", "utf8mb4_general_ci", Beyond::All, None),
    ("utf8mb4", "utf8mb4_unicode_ci", Beyond::All, None),
    ("utf8mb4", "utf8mb4_bin", Beyond::All, None),
    ("utf16", "utf16_general_ci", Beyond::All, None),
    ("utf16le", "utf16le_bin", Beyond::All, None),
    ("utf32", "utf32_unicode_ci", Beyond::All, None),
    ("ucs2", "ucs2_general_ci", Beyond::Accents, None),
    ("latin2", "latin2_general_ci", Beyond::Nothing, None),
    ("cp1251", "cp1251_general_ci", Beyond::Nothing, None),
    ("sjis", "sjis_japanese_ci", Beyond::Nothing, None),
    ("gbk", "gbk_chinese_ci", Beyond::Nothing, None),
    ("big5", "big5_bin", Beyond::Nothing, None),
    ("euckr", "euckr_korean_ci", Beyond::Nothing, None),
    ("utf8mb4", "utf8mb4_0900_ai_ci", Beyond::All, Some(Kind::MySql)),
    ("utf8mb4", "utf8mb4_0900_bin", Beyond::All, Some(Kind::MySql)),
    ("gb18030", "gb18030_chinese_ci", Beyond::All, Some(Kind::MySql)),
    ("utf8mb4", "utf8mb4_unicode_nopad_ci", Beyond::All, Some(Kind::MariaDb)),
    ("utf8mb4", "utf8mb4_nopad_bin", Beyond::All, Some(Kind::MariaDb)),
    ("utf8mb4", "utf8mb4_uca1400_ai_ci", Beyond::All, Some(Kind::MariaDb)),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Beyond {
    Nothing,
    Accents,
    All,
}

/// Returns the string types.
pub fn types() -> Vec<Type> {
    let mut types = Vec::new();
    for (charset, collation, beyond, only) in COLLATIONS {
        let of = |declared: &str| format!("{declared} CHARACTER SET {charset} COLLATE {collation}");
        let mut texts = vec![
            Type::new(of("VARCHAR(40)"), PLAIN).and(PADDED),
            Type::new(of("CHAR(12)"), PLAIN).same("'a'", "'a  '"),
        ];
        for text in &mut texts {
            if beyond != Beyond::Nothing {
                text.values.extend(ACCENTED.map(str::to_owned));
            }
            if beyond == Beyond::All {
                text.values.extend(WIDE.map(str::to_owned));
            }
        }
        types.extend(texts.into_iter().map(|text| match only {
            Some(kind) => text.on(kind),
            None => text,
        }));
    }
    types.extend(long_texts());
    types.extend(bytes());
    types.extend(names());
    types.push(Type::new("VARCHAR(60) COMPRESSED", PLAIN).and(PADDED).on(Kind::MariaDb));
    types.push(Type::new("BLOB COMPRESSED", long("'x'", 60_000)).on(Kind::MariaDb));
    types
}

/// Returns values of one length that differ at either end, and one that is longer by a blank.
fn long(letter: &str, length: usize) -> Vec<String> {
    let all = format!("REPEAT({letter},{length})");
    vec![
        format!("CONCAT('a',{all},'a')"),
        format!("CONCAT('b',{all},'a')"),
        format!("CONCAT('a',{all},'b')"),
        format!("CONCAT('A',{all},'a')"),
        format!("CONCAT('a',{all},'a ')"),
        format!("CONCAT('a',{all},'a\\0')"),
    ]
}

fn long_texts() -> Vec<Type> {
    let sized = [("TINYTEXT", 250), ("TEXT", 60_000), ("MEDIUMTEXT", 70_000), ("LONGTEXT", 400_000)];
    let mut types: Vec<Type> =
        sized.map(|(name, length)| Type::new(name, PLAIN).and(PADDED).and(long("'x'", length))).into();
    // 255 characters are short, 256 are not: on both sides of that border.
    types.push(Type::new("VARCHAR(255)", long("'é'", 250)));
    types.push(Type::new("VARCHAR(256)", long("'é'", 250)).and(PLAIN).and(PADDED));
    types.push(Type::new("TEXT CHARACTER SET utf16 COLLATE utf16_bin", long("'é'", 10_000)).and(WIDE));
    types
}

fn bytes() -> Vec<Type> {
    let flips = |base: &[u8]| {
        let bits = 0..base.len() * 8;
        let flip = |bit: usize| {
            let mut flipped = base.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            hex(&flipped)
        };
        bits.map(flip).chain([hex(base)]).collect::<Vec<_>>()
    };
    let zeros = ["X''", "X'00'", "X'0000'", "X'61'", "X'6100'", "X'610000'", "X'20'", "X'6120'", "X'0061'"];
    let base = [0x5c, 0x27, 0x00, 0x0a, 0xff, 0x1a, 0x61, 0x20];
    let mut types = vec![
        Type::new("BINARY(8)", flips(&base)).same("X'61'", "X'6100000000000000'"),
        Type::new("BINARY(1)", ["X'00'", "X'01'", "X'20'", "X'FF'"]),
        Type::new("VARBINARY(8)", flips(&base)).and(zeros),
        Type::new("VARBINARY(300)", flips(&base)).and(zeros),
    ];
    for (name, length) in [("TINYBLOB", 250), ("BLOB", 60_000), ("MEDIUMBLOB", 70_000), ("LONGBLOB", 400_000)] {
        types.push(Type::new(name, zeros).and(long("X'00'", length)).and(long("X'FF'", length)));
    }
    types
}

fn names() -> Vec<Type> {
    let flags: Vec<String> = (0..64).map(|member| format!("m{member}")).collect();
    let many: Vec<String> = (0..300).map(|member| format!("'e{member}'")).collect();
    let whole = format!("'{}'", flags.join(","));
    let quoted: Vec<String> = flags.iter().map(|flag| format!("'{flag}'")).collect();
    vec![
        Type::new("ENUM('a','b','A b','Größe','it''s','')", ["'a'", "'b'", "'A b'", "'Größe'", "'it''s'", "''"]),
        Type::new("ENUM('a','A','á') COLLATE utf8mb4_bin", ["'a'", "'A'", "'á'"]),
        Type::new("ENUM('x','Größe','Grüße') CHARACTER SET latin1", ["'x'", "'Größe'", "'Grüße'"]),
        // Past 255 members a value takes two bytes.
        Type::new(format!("ENUM({})", many.join(",")), ["'e0'", "'e1'", "'e254'", "'e255'", "'e256'", "'e299'"]),
        Type::new(
            "SET('a','b','a b','Größe','it''s')",
            ["''", "'a'", "'b'", "'a,b'", "'a b'", "'Größe'", "'a,Größe'", "'it''s'", "'a,b,a b,Größe,it''s'"],
        )
        .same("'a,b'", "'b,a,b'"),
        Type::new(format!("SET({})", quoted.join(",")), quoted).and([whole, "''".to_owned()]),
    ]
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("X'{digits}'")
}
