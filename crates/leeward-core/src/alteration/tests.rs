//! Pairs of definitions, and what is said of the way from the target's to the source's.

use super::*;
use crate::name::TableName;
use crate::table::{Column, ForeignKey, Generated, KeyPart, Nullability};

/// Reads a table from a short form: clauses between semicolons, `name type [null] [collate c] [= default] [on update]
/// [counter] [hidden] [as expression]` for a column, `KEY name (a, b)` and so on for the rest.
fn table(text: &str) -> Table {
    let mut table = Table {
        name: TableName::new("shop", "t"),
        engine: "InnoDB".into(),
        collation: "utf8mb4_bin".into(),
        columns: Vec::new(),
        keys: Vec::new(),
        foreign_keys: Vec::new(),
        partitioned: false,
    };
    for clause in text.split(';').map(str::trim).filter(|clause| !clause.is_empty()) {
        let words: Vec<&str> = clause.split(' ').collect();
        match words[0] {
            "PRIMARY" | "UNIQUE" | "KEY" => table.keys.push(key(words[0], clause)),
            "FK" => table.foreign_keys.push(foreign_key(&words)),
            "ENGINE" => table.engine = words[1].into(),
            "COLLATE" => table.collation = words[1].into(),
            "PARTITIONED" => table.partitioned = true,
            _ => table.columns.push(column(clause, &words)),
        }
    }
    table
}

fn inside(clause: &str) -> Vec<String> {
    let inside = clause.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map_or("", |(inside, _)| inside);
    inside.split(',').map(|name| name.trim().to_owned()).collect()
}

fn key(word: &str, clause: &str) -> Key {
    let name = if word == "PRIMARY" { "PRIMARY" } else { clause.split(' ').nth(1).unwrap() };
    let part = |name: String| KeyPart { column: Some(name), prefix_chars: None };
    let parts = inside(clause).into_iter().map(part).collect();
    Key { name: name.into(), unique: word != "KEY", method: "BTREE".into(), parts }
}

fn foreign_key(words: &[&str]) -> ForeignKey {
    ForeignKey {
        name: words[1].into(),
        columns: vec![words[2].into()],
        parent: TableName::new("shop", words[3]),
        parent_columns: vec!["id".into()],
        on_delete: words.get(4).unwrap_or(&"RESTRICT").to_string(),
        on_update: "RESTRICT".into(),
    }
}

fn column(clause: &str, words: &[&str]) -> Column {
    let after = |word: &str| clause.split_once(word).map(|(_, rest)| rest.trim().to_owned());
    let expression = after(" as ");
    Column {
        name: words[0].into(),
        data_type: words[1].split('(').next().unwrap().into(),
        column_type: words[1].replace('_', " "),
        charset: None,
        collation: after(" collate ").map(|rest| rest.split(' ').next().unwrap().to_owned()),
        nullable: if words.contains(&"null") { Nullability::Nullable } else { Nullability::NotNull },
        default: expression.clone().or(after(" = ").map(|rest| rest.split(' ').next().unwrap().to_owned())),
        fsp: 0,
        auto_increment: words.contains(&"counter"),
        on_update_now: clause.contains("on update"),
        generated: expression.map(|_| Generated::Virtual),
        invisible: words.contains(&"hidden"),
    }
}

/// Compares a target that is as planned with a source that has changed.
fn changed(was: &str, is: &str) -> Alteration {
    Alteration::between(&table(was), &table(is), &table(was))
}

const ID: &str = "id int; PRIMARY (id);";

/// What is said of a change to a table with an id, and no more: text, effect, whether Leeward may.
#[track_caller]
fn says(was: &str, is: &str, expected: &[(&str, Effect, bool)]) {
    let found = changed(&format!("{ID}{was}"), &format!("{ID}{is}"));
    let told: Vec<(&str, Effect, bool)> =
        found.changes.iter().map(|one| (one.what.as_str(), one.effect, one.verdict == Verdict::Safe)).collect();
    assert_eq!(told, expected, "from {was} to {is}");
}

use Effect::{Beside, Rows};

#[test]
fn equal_tables_need_nothing() {
    says("a varchar(20) null; KEY k (a)", "a varchar(20) null; KEY k (a)", &[]);
    says("a int(11)", "a int(11)", &[]);
    let found = changed("id int; PRIMARY (id)", "ID int; PRIMARY (id)");
    assert_eq!(found.changes, [], "names of columns are compared without case");
}

#[test]
fn what_goes_from_the_copy_with_a_change_is_named() {
    let found = changed("PRIMARY (id); id int; a int; b int", "PRIMARY (id); id int; b bigint; c int");
    assert_eq!(found.dropped, ["a"]);
    assert!(changed("PRIMARY (id); id int; a int", "PRIMARY (id); id int; a bigint").dropped.is_empty());
}

#[test]
fn columns_come_and_go() {
    says("", "a int null", &[("column a is added: int", Rows, true)]);
    says("a int null", "", &[("column a is dropped", Rows, true)]);
    says(
        "a int; b text",
        "b text; c int null",
        &[("column a is dropped", Rows, true), ("column c is added: int", Rows, true)],
    );
    says("a int; b int", "b int; a int", &[("columns stand in another order", Beside, true)]);
}

#[test]
fn types_widen_and_nothing_else_is_made_without_a_person() {
    says("a int", "a bigint", &[("column a: int becomes bigint", Rows, true)]);
    says("a varchar(9)", "a varchar(10)", &[("column a: varchar(9) becomes varchar(10)", Rows, true)]);
    says("a enum('x')", "a enum('x','y')", &[("column a: enum('x') becomes enum('x','y')", Rows, true)]);
    says("a datetime", "a datetime(6)", &[("column a: datetime becomes datetime(6)", Rows, true)]);
    says("a bigint", "a int", &[("column a: bigint becomes int", Rows, false)]);
    says("a int", "a varchar(9)", &[("column a: int becomes varchar(9)", Rows, false)]);
    says("a int(5)", "a int", &[("column a: int(5) becomes int", Beside, true)]);
    says("a int", "a int null", &[("column a may be NULL", Rows, true)]);
    says("a int null", "a int", &[("column a may not be NULL any more", Rows, false)]);
    says(
        "a text collate latin1_bin",
        "a text collate utf8mb4_bin",
        &[("column a: collation latin1_bin becomes utf8mb4_bin", Rows, false)],
    );
    says("a text collate utf8_bin", "a text collate utf8mb3_bin", &[]);
}

#[test]
fn a_key_column_that_widens_is_still_the_same_key() {
    let found = changed("id int counter; PRIMARY (id)", "id bigint counter; PRIMARY (id)");
    assert!(found.touches_rows() && found.for_a_person().is_empty(), "{found:?}");
}

#[test]
fn defaults_harm_no_row_unless_they_stamp_it() {
    says("a int = 1", "a int = 2", &[("column a has another default", Beside, true)]);
    says("a int", "a int hidden", &[("column a: INVISIBLE", Beside, true)]);
    let stamp = "a timestamp = current_timestamp()";
    says("a timestamp", stamp, &[("column a has another default", Rows, true)]);
    says(stamp, &format!("{stamp} on update"), &[("column a is set at updates", Rows, true)]);
    says("a int as (b + 1)", "a int as (`b`+1)", &[]);
    says("a int as (b + 1)", "a int as (b + 2)", &[("column a is computed in another way", Rows, true)]);
    says("a int", "a int as (b + 2)", &[("column a is computed now", Rows, false)]);
    says("a int as (b + 2)", "a int", &[("column a is stored now", Rows, false)]);
}

#[test]
fn indexes_are_added_beside_the_rows_and_a_unique_one_is_taken_out_of_their_way() {
    says("a int", "a int; KEY k (a)", &[("index k is added", Beside, true)]);
    says("a int; KEY k (a)", "a int", &[("index k is dropped", Beside, true)]);
    says("a int", "a int; UNIQUE u (a)", &[("unique index u is added", Beside, true)]);
    says("a int; UNIQUE u (a)", "a int", &[("index u is dropped", Rows, true)]);
    says("a int; b int; UNIQUE u (a)", "a int; b int; UNIQUE u (a, b)", &[("index u changes", Rows, true)]);
    says("a int; b int; KEY k (a)", "a int; b int; KEY k (b)", &[("index k changes", Beside, true)]);
    says("a int; KEY k (a)", "a int; UNIQUE k (a)", &[("index k changes", Rows, true)]);
    let found = changed("id int; a int; PRIMARY (id); KEY k (a); KEY l (id, a)", "id int; PRIMARY (id); KEY l (id)");
    assert_eq!(found.stale_keys, ["k", "l"]);
}

#[test]
fn another_row_key_is_for_a_person() {
    for (was, is) in [
        ("id int; a int; PRIMARY (id)", "id int; a int; PRIMARY (a)"),
        ("id int; a int; PRIMARY (id)", "id int; a int; PRIMARY (id, a)"),
        ("id int; a int; PRIMARY (id)", "id int; a int"),
        ("id int; a int", "id int; a int; PRIMARY (id)"),
    ] {
        let found = changed(was, is);
        assert!(found.touches_rows() && found.for_a_person().iter().any(|why| why.starts_with("row key")), "{found:?}");
    }
}

#[test]
fn a_renamed_column_is_told_from_one_dropped_and_one_added_by_its_place_and_type() {
    says("a int; b text", "x int; b text", &[("column a is called x", Rows, true)]);
    says(
        "a int; b text; c int",
        "n int; a2 int; b text; c int",
        &[
            ("column a is dropped", Rows, true),
            ("column n is added: int", Rows, true),
            ("column a2 is added: int", Rows, true),
        ],
    );
    says(
        "a int; b text",
        "b text; x int",
        &[("column a is dropped", Rows, true), ("column x is added: int", Rows, true)],
    );
    says(
        "a int; b text",
        "x bigint; b text",
        &[("column a is dropped", Rows, true), ("column x is added: bigint", Rows, true)],
    );
    let found = changed("id int; a int; PRIMARY (id); KEY k (a)", "no int; x int; PRIMARY (no); KEY k (x)");
    assert_eq!(found.renamed, [], "two that could each be the other are not guessed at");
    let found = changed("id int; PRIMARY (id); KEY k (id)", "no int; PRIMARY (no); KEY k (no)");
    assert_eq!(found.renamed, [("id".to_owned(), "no".to_owned())]);
    assert_eq!(found.changes.len(), 1, "keys follow the name: {found:?}");
}

#[test]
fn foreign_keys_harm_no_row() {
    says("a int", "a int; FK f a p", &[("foreign key f is added", Beside, true)]);
    says("a int; FK f a p", "a int", &[("foreign key f is dropped", Beside, true)]);
    says("a int; FK f a p", "a int; FK f a p CASCADE", &[("foreign key f changes", Beside, true)]);
    let found = changed("a int; FK f a p", "a int; FK f a p CASCADE");
    assert_eq!(found.stale_foreign_keys, ["f"]);
}

#[test]
fn what_no_alter_can_be_trusted_with_is_for_a_person() {
    for (is, effect) in [("ENGINE MyISAM", Rows), ("PARTITIONED", Beside)] {
        let found = changed(ID, &format!("{ID}{is}"));
        assert_eq!(found.changes.len(), 1, "{found:?}");
        assert_eq!(found.changes[0].effect, effect);
        assert_eq!(found.for_a_person().len(), 1);
    }
    says("", "COLLATE latin1_bin", &[("default collation utf8mb4_bin becomes latin1_bin", Beside, true)]);
}

#[test]
fn what_only_the_target_ever_had_is_not_taken_away() {
    let was = table(&format!("{ID}a int"));
    let here = |more: &str| table(&format!("{ID}a int; {more}"));
    let against = |target: &Table| Alteration::between(&was, &was, target);
    assert_eq!(against(&here("KEY report (a)")).changes, [], "an index for somebody's report");
    let column = against(&here("note text null"));
    assert!(column.touches_rows() && column.for_a_person().len() == 1, "{column:?}");
    let unique = against(&here("UNIQUE u (a)"));
    assert!(unique.touches_rows() && unique.for_a_person().len() == 1, "{unique:?}");
    assert!(column.stale_keys.is_empty() && unique.stale_keys.is_empty());
    // A column that was dropped on the target comes back.
    let lost = Alteration::between(&was, &was, &table(ID));
    assert!(lost.for_a_person().is_empty() && lost.touches_rows());
    // The target was changed first, by hand: nothing to do once the source has followed.
    let ahead = here("b int");
    assert!(!Alteration::between(&was, &was, &ahead).for_a_person().is_empty());
    assert_eq!(Alteration::between(&was, &ahead, &ahead).changes, []);
}
