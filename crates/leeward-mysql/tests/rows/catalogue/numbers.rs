//! Numbers: the ends of each range, each single bit, and neighbours by the last digit or the last bit (T8, T18, T19).

use leeward_testkit::servers::Kind;

use super::Type;

/// Returns the number types.
pub fn types() -> Vec<Type> {
    let mut types = vec![Type::new("BOOLEAN", ["0", "1", "-1", "127"])];
    for (name, bits) in [("TINYINT", 8), ("SMALLINT", 16), ("MEDIUMINT", 24), ("INT", 32), ("BIGINT", 64)] {
        types.push(Type::new(name, signed(bits)));
        types.push(Type::new(format!("{name} UNSIGNED"), unsigned(bits)));
    }
    types.push(Type::new("INT(8) ZEROFILL", ["0", "1", "10", "12345678", "4294967295"]));
    types.extend(decimals());
    types.extend(bits());
    types.extend(floats());
    types
}

fn signed(bits: u32) -> Vec<String> {
    let (min, max) = (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1);
    let powers = (0..bits - 1).map(|bit| 1i128 << bit);
    let mut values: Vec<i128> = powers.chain([0, -1, -2, min, min + 1, max, max - 1]).collect();
    values.sort_unstable();
    values.dedup();
    values.iter().map(i128::to_string).collect()
}

fn unsigned(bits: u32) -> Vec<String> {
    let max = (1i128 << bits) - 1;
    let mut values: Vec<i128> = (0..bits).map(|bit| 1i128 << bit).chain([0, max, max - 1]).collect();
    values.sort_unstable();
    values.dedup();
    values.iter().map(i128::to_string).collect()
}

fn decimals() -> Vec<Type> {
    let nines = |whole: usize, part: usize| format!("{}.{}", "9".repeat(whole), "9".repeat(part));
    let widest = nines(35, 30);
    let next = format!("{}8", &widest[..widest.len() - 1]);
    let least = format!("0.{}1", "0".repeat(29));
    vec![
        Type::new("DECIMAL(10,2)", ["0", "0.01", "-0.01", "1.1", "1.01", "11", "99999999.99", "99999999.98"])
            .same("1.1", "1.10")
            .same("0", "-0.00"),
        Type::new("DECIMAL(65,30)", ["0".to_owned(), format!("-{widest}"), widest, next, format!("-{least}"), least]),
        Type::new("DECIMAL(65,0)", ["9".repeat(65), format!("{}8", "9".repeat(64)), "1".to_owned(), "10".to_owned()]),
        Type::new("DECIMAL(5,2) UNSIGNED", ["0", "999.99", "999.98", "1.00", "0.10", "0.01"]),
    ]
}

fn bits() -> Vec<Type> {
    let flags = |bits: u32| (0..bits).map(|bit| (1u64 << bit).to_string());
    vec![
        Type::new("BIT(1)", ["0", "1"]),
        Type::new("BIT(9)", flags(9).chain(["0".to_owned(), "511".to_owned()])).same("b'1010'", "10"),
        Type::new("BIT(64)", flags(64).chain(["0".to_owned(), u64::MAX.to_string()])),
    ]
}

fn floats() -> Vec<Type> {
    // MariaDB stores a zero without its sign: there is nothing to be told apart.
    let signed_zero = |name: &str| Type::new(name, ["'-0'", "0", "1"]).on(Kind::MySql);
    let one_zero = |name: &str| Type::new(name, ["1", "-1"]).same("'-0'", "0").on(Kind::MariaDb);
    vec![
        Type::new("FLOAT", float_values()),
        Type::new("DOUBLE", double_values()),
        signed_zero("FLOAT"),
        signed_zero("DOUBLE"),
        one_zero("FLOAT"),
        one_zero("DOUBLE"),
        Type::new("DOUBLE UNSIGNED", ["0", "5e-324", "1.7976931348623157e308", "0.1", "0.10000000000000002"]),
        // Values of a fixed number of digits: only those can be stored.
        Type::new("FLOAT(9,3)", ["0", "0.001", "0.002", "1234.567", "1234.566", "-999999", "1024"]),
        Type::new("FLOAT(20,15)", scattered(15, 4)),
        Type::new("DOUBLE(20,4)", ["0", "0.0001", "0.0002", "123456789.4567", "123456789.4568", "-1e15", "1e15"]),
        Type::new("DOUBLE(30,10)", scattered(10, 19)),
    ]
}

/// Returns numbers of all sizes between a last digit and a largest power of ten, with more digits than are kept.
fn scattered(digits: i32, largest: i32) -> Vec<String> {
    // Knuth's generator: the same numbers in every run.
    let mut state = 2_026_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let sizes = (2 - digits..largest).flat_map(|size| [size, size, size]);
    sizes.map(|size| format!("{:e}", (next() * 2.0 - 1.0) * 10f64.powi(size))).collect()
}

fn float_values() -> Vec<String> {
    let base = 0x3F8A_BCDE_u32;
    // Bit 30 would make it infinite.
    let flipped = (0..32).filter(|bit| *bit != 30).map(|bit| base ^ (1 << bit));
    let (least, largest) = (1, f32::MAX.to_bits());
    let smallest_normal = f32::MIN_POSITIVE.to_bits();
    let ends = [0, least, least + 1, largest, largest - 1, smallest_normal, smallest_normal - 1, smallest_normal + 1];
    let whole = [16_777_216_f32.to_bits(), 16_777_215_f32.to_bits(), 16_777_218_f32.to_bits()];
    // What mydumper wrote for the first is the second.
    let known = [0.010_516_252_f32.to_bits(), 0.010_516_3_f32.to_bits()];
    let all = flipped.chain([base]).chain(ends).chain(whole).chain(known);
    all.map(|bits| format!("{:e}", f64::from(f32::from_bits(bits)))).collect()
}

fn double_values() -> Vec<String> {
    let base = 0x3FF1_2345_6789_ABCD_u64;
    // Bit 62 would make it infinite or nothing at all.
    let flipped = (0..64).filter(|bit| *bit != 62).map(|bit| base ^ (1 << bit));
    let (least, largest) = (1, f64::MAX.to_bits());
    let smallest_normal = f64::MIN_POSITIVE.to_bits();
    let ends = [0, least, least + 1, largest, largest - 1, smallest_normal, smallest_normal - 1, smallest_normal + 1];
    let near: Vec<u64> = [0.1, 0.3, 1e15, 1e16, 1e22, 1e23, 9_007_199_254_740_992.0, 1e-5, 1e-4, 123_456.789]
        .iter()
        .flat_map(|value: &f64| [value.to_bits() - 1, value.to_bits(), value.to_bits() + 1])
        .collect();
    let all = flipped.chain([base]).chain(ends).chain(near);
    all.map(|bits| format!("{:e}", f64::from_bits(bits))).collect()
}
