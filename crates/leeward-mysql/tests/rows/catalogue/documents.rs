//! JSON, whose numbers have several forms (T20), shapes, vectors and addresses.

use leeward_testkit::servers::Kind;

use super::Type;

/// Returns the document types and those that the server keeps in a form of its own.
pub fn types(kind: Kind) -> Vec<Type> {
    let mut types = vec![json(kind)];
    types.extend(shapes());
    types.push(vectors().on(Kind::MySql));
    types.extend(addresses().into_iter().map(|address| address.on(Kind::MariaDb)));
    types
}

/// On MariaDB a document is its text, so blanks, the order of keys and the form of a number are told apart. MySQL keeps
/// what the text means.
fn json(kind: Kind) -> Type {
    let forms = ["'[1]'", "'[10]'", "'[1.0]'", "'[true]'", "'[\"1\"]'", "'[null]'", "'null'", "'\"null\"'", "'[]'"];
    let numbers = ["'[0]'", "'[0.1]'", "'[0.10000000000000002]'", "'[5e-324]'", "'[1.7976931348623157e308]'", "'[-1]'"];
    let large =
        ["'[9007199254740992]'", "'[9007199254740993]'", "'[18446744073709551615]'", "'[18446744073709551616]'"];
    let nested =
        ["'{}'", "'{\"a\": 1}'", "'{\"A\": 1}'", "'{\"a\": null}'", "'{\"a\": \"\"}'", "'[[1], 2]'", "'[[1, 2]]'"];
    let texts = ["'\"a\"'", "'\"a \"'", "'\"A\"'", "'\"\\\\u0000\"'", "'\"🚢\"'", "'\"é\"'", "'\"e\u{301}\"'"];
    let document = Type::new("JSON", forms).and(numbers).and(large).and(nested).and(texts).differently();
    let spellings = [
        ("'[1.0]'", "'[1e0]'"),
        ("'[1, 2]'", "'[1,2]'"),
        ("'{\"a\": 1, \"bb\": 2}'", "'{\"bb\": 2, \"a\": 1}'"),
        ("'\"a\"'", "'\"\\\\u0061\"'"),
    ];
    match kind {
        Kind::MariaDb => {
            document.and(["'[-0.0]'"]).and(spellings[1..].iter().map(|(_, other)| *other)).and(["'[1e0]'"])
        }
        Kind::MySql => {
            let document = document.and(["'[-0.0]'", "'[0.0]'"]);
            // Text cannot tell these apart, so the target cannot hold them apart either.
            let document = document
                .same("JSON_ARRAY(CAST(1.10 AS DECIMAL(5,2)))", "'[1.1]'")
                .same("JSON_ARRAY(CAST('2020-01-02' AS DATE))", "'[\"2020-01-02\"]'");
            spellings.iter().fold(document, |document, (one, other)| document.same(one, other))
        }
    }
}

fn shapes() -> Vec<Type> {
    let of = |text: &str| format!("ST_GeomFromText('{text}')");
    let each = |name: &str, texts: &[&str]| Type::new(name, texts.iter().map(|text| of(text)));
    // 1.0 with single bits of its last byte, its sign and its exponent changed.
    let point = |x: u64| format!("ST_GeomFromWKB(X'0101000000{:016X}{:016X}')", x.swap_bytes(), 0);
    let one = 1f64.to_bits();
    let bits = [one, one ^ 1, one ^ 2, one ^ (1 << 63), one ^ (1 << 52), 0, 1];
    vec![
        Type::new("POINT", bits.map(point)).and([of("POINT(0 1)")]),
        each("LINESTRING", &["LINESTRING(0 0,1 1)", "LINESTRING(1 1,0 0)", "LINESTRING(0 0,1 1,1 1)"]),
        each("POLYGON", &["POLYGON((0 0,4 0,4 4,0 0))", "POLYGON((0 0,4 4,4 0,0 0))", "POLYGON((4 0,4 4,0 0,4 0))"]),
        each("MULTIPOINT", &["MULTIPOINT(0 0,1 1)", "MULTIPOINT(1 1,0 0)"]),
        each("MULTILINESTRING", &["MULTILINESTRING((0 0,1 1))", "MULTILINESTRING((0 0,1 1),(0 0,2 2))"])
            .and([of("MULTILINESTRING((1 1,0 0))")]),
        each("MULTIPOLYGON", &["MULTIPOLYGON(((0 0,4 0,4 4,0 0)))", "MULTIPOLYGON(((0 0,4 0,4 5,0 0)))"]),
        each("GEOMETRYCOLLECTION", &["GEOMETRYCOLLECTION(POINT(0 0))", "GEOMETRYCOLLECTION(POINT(0 0),POINT(0 0))"])
            .and([of("GEOMETRYCOLLECTION(POINT(0 1))")]),
        each("GEOMETRY", &["POINT(0 0)", "MULTIPOINT(0 0)", "LINESTRING(0 0,1 1)"])
            .and(["ST_GeomFromText('POINT(0 0)',3857)", "ST_GeomFromText('POINT(0 0)',4326)"]),
    ]
}

fn vectors() -> Type {
    let vector = |numbers: &str| format!("STRING_TO_VECTOR('[{numbers}]')");
    let numbers =
        ["0,0,0", "-0.0,0,0", "0,0,-0.0", "1,2,3", "1.0000001,2,3", "2,1,3", "1.18e-38,0,0", "3.4028234e38,0,0"];
    Type::new("VECTOR(3)", numbers.map(vector)).and([vector("0,0"), vector("0")])
}

fn addresses() -> Vec<Type> {
    vec![
        Type::new("UUID", ["'00000000-0000-0000-0000-000000000000'", "'00000000-0000-0000-0000-000000000001'"])
            .and(["'10000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"])
            .same("'ABCDEF00-0000-0000-0000-000000000000'", "'abcdef00-0000-0000-0000-000000000000'"),
        Type::new("INET6", ["'::'", "'::1'", "'1::'", "'::ffff:1.2.3.4'", "'::1.2.3.4'", "'::ffff:1.2.3.5'"])
            .same("'::102:304'", "'::1.2.3.4'"),
        Type::new("INET4", ["'0.0.0.0'", "'0.0.0.1'", "'1.0.0.0'", "'255.255.255.255'", "'1.2.3.4'", "'4.3.2.1'"]),
    ]
}
