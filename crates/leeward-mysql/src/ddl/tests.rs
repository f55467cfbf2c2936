//! Real outputs of MariaDB 10.11 and MySQL 9.7, chosen to mislead a reader of lines.

use super::*;
use leeward_core::alteration::{Alteration, Change, Effect, Verdict};

const MARIADB: &str = r#"CREATE TABLE `t``1 (KEY` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `PRIMARY KEY (` varchar(20) DEFAULT NULL COMMENT 'x), \n KEY `a` (`b`) '' ; CONSTRAINT',
  `KEY` int(11) NOT NULL DEFAULT 5,
  `e` varchar(30) DEFAULT concat('a,b',')'),
  `g` int(11) GENERATED ALWAYS AS (`id2` + 1) VIRTUAL COMMENT ', CHECK (',
  `s` varchar(40) GENERATED ALWAYS AS (concat(`KEY`,'),\\\' ,')) STORED,
  `id2` int(11) NOT NULL,
  `hid` int(11) INVISIBLE DEFAULT 7,
  `c1` int(11) DEFAULT NULL CHECK (`c1` > 0),
  `en` enum('a,b','c''d','KEY (','\\') CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci DEFAULT NULL,
  `txt` text DEFAULT NULL,
  `txt2` text /*M!100301 COMPRESSED*/ DEFAULT NULL,
  PRIMARY KEY (`id2`,`KEY`),
  UNIQUE KEY `u``q` (`PRIMARY KEY (`(5),`id2`) COMMENT 'uq, KEY',
  KEY `auto` (`id`),
  KEY `k1` (`txt`(10)) COMMENT 'FULLTEXT KEY',
  KEY `k2` (`d` DESC,`e`(3)),
  FULLTEXT KEY `f1` (`txt`),
  FULLTEXT KEY `f2` (`txt2`),
  CONSTRAINT `f``k1` FOREIGN KEY (`id2`) REFERENCES `nasty2`.`par``ent` (`id`) ON DELETE CASCADE,
  CONSTRAINT `c2` FOREIGN KEY (`KEY`) REFERENCES `other` (`id`),
  CONSTRAINT `CHECK (` CHECK (`id2` > 0 and `KEY` <> ')')
) ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci COMMENT='tail ) , KEY `x` (`y`)\n) ENGINE=Foo'"#;

const MYSQL: &str = r#"CREATE TABLE `func` (
  `id` int NOT NULL,
  `j` json DEFAULT NULL,
  `n` varchar(50) DEFAULT NULL /*!80023 INVISIBLE */,
  `i` int DEFAULT NULL,
  `g` point NOT NULL /*!80003 SRID 4326 */,
  PRIMARY KEY (`id`),
  UNIQUE KEY `u1` (((`i` + 1))),
  KEY `inv` (`n`) /*!80000 INVISIBLE */,
  SPATIAL KEY `sp` (`g`),
  KEY `fk` ((lower(`n`)),`id`),
  KEY `mv` ((cast(json_extract(`j`,_utf8mb4'$.a') as unsigned array))),
  CONSTRAINT `ne` CHECK ((`i` < 5)) /*!80016 NOT ENFORCED */
) ENGINE=InnoDB AUTO_INCREMENT=77 DEFAULT CHARSET=latin1
/*!50100 PARTITION BY RANGE (year(`y`))
(PARTITION p0 VALUES LESS THAN (2000) COMMENT = 'a)b' ENGINE = InnoDB,
 PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB) */"#;

fn name() -> TableName {
    TableName::new("nasty", "t`1 (KEY")
}

/// The same table as it stands between the rows and [`TableDdl::missing_indexes`].
fn as_created(ddl: &str) -> TableDdl {
    let statement = split(ddl).unwrap().create_statement(&name(), Indexes::AfterRows);
    split(&statement.replace("`nasty`.", "")).unwrap()
}

#[test]
fn parts_are_found_whatever_names_and_comments_say() {
    let ddl = split(MARIADB).unwrap();
    assert_eq!(ddl.name, "t`1 (KEY");
    assert_eq!(ddl.columns.len(), 12);
    assert_eq!(ddl.columns[1].name, "PRIMARY KEY (");
    let keys: Vec<&str> = ddl.keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(keys, ["PRIMARY", "u`q", "auto", "k1", "k2", "f1", "f2"]);
    assert_eq!(ddl.foreign_keys.len(), 2);
    assert_eq!(ddl.rules, ["CONSTRAINT `CHECK (` CHECK (`id2` > 0 and `KEY` <> ')')"]);
    assert!(ddl.tail.starts_with("ENGINE=InnoDB") && ddl.tail.ends_with("ENGINE=Foo'"), "{}", ddl.tail);
}

#[test]
fn a_table_is_made_without_what_comes_after_the_rows() {
    let made = as_created(MARIADB);
    let keys: Vec<&str> = made.keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(keys, ["PRIMARY", "u`q", "auto"], "`auto` is what the AUTO_INCREMENT column needs");
    assert!(made.foreign_keys.is_empty());
    assert_eq!(made.columns, split(MARIADB).unwrap().columns);
    assert_eq!(made.rules.len(), 1);
}

#[test]
fn what_is_missing_is_added_and_nothing_twice() {
    let (whole, made) = (split(MARIADB).unwrap(), as_created(MARIADB));
    assert_eq!(
        whole.missing_indexes(&name(), &made),
        [
            "ALTER TABLE `nasty`.`t``1 (KEY` ADD FULLTEXT KEY `f1` (`txt`)",
            "ALTER TABLE `nasty`.`t``1 (KEY` ADD FULLTEXT KEY `f2` (`txt2`)",
            "ALTER TABLE `nasty`.`t``1 (KEY` ADD KEY `k1` (`txt`(10)) COMMENT 'FULLTEXT KEY', \
             ADD KEY `k2` (`d` DESC,`e`(3))"
        ]
    );
    assert_eq!(
        whole.missing_foreign_keys(&name(), &made).unwrap(),
        "ALTER TABLE `nasty`.`t``1 (KEY` \
         ADD CONSTRAINT `f``k1` FOREIGN KEY (`id2`) REFERENCES `nasty2`.`par``ent` (`id`) ON DELETE CASCADE, \
         ADD CONSTRAINT `c2` FOREIGN KEY (`KEY`) REFERENCES `nasty`.`other` (`id`)"
    );
    assert!(whole.missing_indexes(&name(), &whole).is_empty());
    assert_eq!(whole.missing_foreign_keys(&name(), &whole), None);
}

#[test]
fn an_inherited_collation_stays_inherited() {
    let table = |column: &str| {
        let text =
            format!("CREATE TABLE `t` (\n  {column}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin");
        split(&text).unwrap()
    };
    let inherited = table("`a` enum('COLLATE utf8mb4_bin') COLLATE utf8mb4_bin NOT NULL");
    assert_eq!(inherited.columns[0].clause, "`a` enum('COLLATE utf8mb4_bin') NOT NULL");
    let explicit = table("`a` enum('COLLATE utf8mb4_bin') CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL");
    assert!(explicit.columns[0].clause.contains("CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"));
    assert_eq!(statements(&explicit, &inherited, &name(), &Alteration::default()), [], "it is the same column");
    let other = table("`a` varchar(9) COLLATE utf8mb4_general_ci DEFAULT (`b` collate utf8mb4_bin)");
    assert_eq!(other.columns[0].clause, "`a` varchar(9) COLLATE utf8mb4_general_ci DEFAULT (`b` collate utf8mb4_bin)");
    let expression = table("`a` varchar(9) GENERATED ALWAYS AS ((`b` collate utf8mb4_bin)) VIRTUAL");
    assert!(expression.columns[0].clause.contains("collate"));
}

#[test]
fn under_another_name_foreign_keys_have_names_of_their_own_and_still_refer_to_where_they_did() {
    let was = TableName::new("nasty", "other");
    let long = TableName::new("elsewhere", "\u{e4}".repeat(64));
    let beside = split(MARIADB).unwrap().foreign_keys_beside(&long, &was);
    let stem = "\u{e4}".repeat(56);
    let first = KeyBeside {
        was: "f`k1".to_owned(),
        parent: TableName::new("nasty2", "par`ent"),
        now: Some(format!("{stem}_fk_1")),
    };
    assert_eq!(beside[0].0, first);
    assert_eq!(
        beside[1].1,
        format!(
            "ALTER TABLE `elsewhere`.`{0}` ADD CONSTRAINT `{stem}_fk_2` FOREIGN KEY (`KEY`) \
             REFERENCES `elsewhere`.`{0}` (`id`)",
            long.table
        ),
        "a table that refers to itself does so under its new name"
    );
}

#[test]
fn rules_of_foreign_keys_are_read() {
    let rules = "CREATE TABLE `t` (\n  `a` int,\n  CONSTRAINT `on update` FOREIGN KEY (`a`) REFERENCES `p` (`on delete`) \
                 ON DELETE CASCADE ON UPDATE SET NULL,\n  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`a`)\n) E";
    let rules = split(rules).unwrap();
    assert_eq!(rules.foreign_key_rules("On Update"), Some(("CASCADE".to_owned(), "SET NULL".to_owned())));
    assert_eq!(rules.foreign_key_rules("f"), Some(("RESTRICT".to_owned(), "RESTRICT".to_owned())));
    assert_eq!(rules.foreign_key_rules("g"), None);
}

#[test]
fn expressions_version_comments_and_partitions_survive() {
    let (whole, made) = (split(MYSQL).unwrap(), as_created(MYSQL));
    let kinds: Vec<KeyKind> = whole.keys.iter().map(|key| key.kind).collect();
    use KeyKind::{Plain, Special, Unique};
    assert_eq!(kinds, [Unique, Unique, Plain, Plain, Special, Special]);
    assert_eq!(made.keys.len(), 2);
    assert_eq!(made.rules, ["CONSTRAINT `ne` CHECK ((`i` < 5)) /*!80016 NOT ENFORCED */"]);
    assert_eq!(made.tail, whole.tail);
    assert!(whole.tail.contains("AUTO_INCREMENT=77") && whole.tail.ends_with("*/"));
    assert_eq!(
        whole.missing_indexes(&name(), &made).last().unwrap(),
        "ALTER TABLE `nasty`.`t``1 (KEY` ADD KEY `inv` (`n`) /*!80000 INVISIBLE */, ADD SPATIAL KEY `sp` (`g`)"
    );
}

#[test]
fn places_of_files_are_left_behind() {
    let ddl = "CREATE TABLE `t` (\n  `id` int NOT NULL\n) /*!50100 TABLESPACE `fast` */ ENGINE=InnoDB \
               DATA DIRECTORY='/disk2/it''s' COMMENT='DATA DIRECTORY=''x'''\n/*!50100 PARTITION BY HASH (`id`)\n\
               (PARTITION p0 DATA DIRECTORY = '/a' ENGINE = InnoDB) */";
    let tail = split(&ddl.replace("it''s", "its")).unwrap().tail;
    assert_eq!(
        tail,
        "/*!50100 */ ENGINE=InnoDB COMMENT='DATA DIRECTORY=''x'''\n/*!50100 PARTITION BY HASH (`id`)\n\
         (PARTITION p0 ENGINE = InnoDB) */"
    );
}

#[test]
fn periods_are_kept_and_system_versioning_is_refused() {
    let period = "CREATE TABLE `a` (\n  `id` int(11) DEFAULT NULL,\n  `s` date NOT NULL,\n  `e` date NOT NULL,\n  \
                  PERIOD FOR `p` (`s`, `e`),\n  UNIQUE KEY `id` (`id`,`p` WITHOUT OVERLAPS)\n) ENGINE=InnoDB";
    let made = as_created(period);
    assert_eq!(made.rules, ["PERIOD FOR `p` (`s`, `e`)"]);
    assert_eq!(made.keys.len(), 1);
    let versioned = "CREATE TABLE `v` (\n  `id` int(11) NOT NULL\n) ENGINE=InnoDB WITH SYSTEM VERSIONING";
    assert_eq!(split(versioned), Err(Unreadable("system versioning")));
}

#[test]
fn strange_text_is_refused() {
    for text in
        ["", "CREATE TABLE `t`", "CREATE TABLE `t` (", "CREATE VIEW `v` AS select 1", "CREATE TABLE `t` (\n  X\n) E"]
    {
        assert!(split(text).is_err(), "{text}");
    }
}

fn altered(before: &str, after: &str, alteration: &Alteration) -> Vec<(String, Effect)> {
    let table = |text: &str| split(&format!("CREATE TABLE `t` (\n  {text}")).unwrap();
    let found = statements(&table(after), &table(before), &TableName::new("s", "t"), alteration);
    found.into_iter().map(|one| (one.sql.replace("ALTER TABLE `s`.`t` ", ""), one.effect)).collect()
}

fn says(found: &[(String, Effect)], expected: &[(&str, Effect)]) {
    let found: Vec<(&str, Effect)> = found.iter().map(|(sql, effect)| (sql.as_str(), *effect)).collect();
    assert_eq!(found, expected);
}

fn rows_change() -> Alteration {
    let change = Change { what: "columns".into(), effect: Effect::Rows, verdict: Verdict::Safe };
    Alteration { changes: vec![change], ..Alteration::default() }
}

#[test]
fn the_alter_for_a_changed_source_is_spelled_out() {
    let before = "`id` int NOT NULL,\n  `gone` int DEFAULT NULL,\n  `v` int DEFAULT NULL,\n  PRIMARY KEY (`id`)\n) E=1";
    let after = "`id` int NOT NULL,\n  `v` bigint DEFAULT NULL,\n  `new` varchar(9) NOT NULL,\n  \
                 PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`v`),\n  KEY `k` (`new`)\n) E=1";
    says(
        &altered(before, after, &rows_change()),
        &[
            (
                "DROP COLUMN `gone`, MODIFY COLUMN `v` bigint DEFAULT NULL AFTER `id`, \
                 ADD COLUMN `new` varchar(9) NOT NULL AFTER `v`",
                Effect::Rows,
            ),
            ("ADD KEY `k` (`new`)", Effect::Beside),
            ("ADD UNIQUE KEY `u` (`v`)", Effect::Beside),
        ],
    );
    assert_eq!(altered(after, after, &Alteration::default()), []);
}

#[test]
fn a_new_name_comes_first_and_nothing_else_follows_from_it() {
    let before = "`a` int NOT NULL,\n  `b` int NOT NULL,\n  PRIMARY KEY (`a`),\n  KEY `k` (`a`)\n) E";
    let after = "`x` int NOT NULL,\n  `b` int NOT NULL,\n  PRIMARY KEY (`x`),\n  KEY `k` (`x`)\n) E";
    let alteration = Alteration { renamed: vec![("a".into(), "x".into())], ..rows_change() };
    says(&altered(before, after, &alteration), &[("RENAME COLUMN `a` TO `x`", Effect::Rows)]);
    assert_eq!(altered(after, after, &alteration), [], "run again, it is done already");
}

#[test]
fn columns_are_moved_to_their_place() {
    let before = "`a` int,\n  `b` int,\n  `c` int\n) E";
    let after = "`c` int,\n  `a` int,\n  `n` int,\n  `b` int\n) E";
    says(
        &altered(before, after, &rows_change()),
        &[("MODIFY COLUMN `c` int FIRST, ADD COLUMN `n` int AFTER `a`", Effect::Rows)],
    );
}

#[test]
fn an_index_that_goes_and_the_one_that_takes_its_place_share_a_statement() {
    let before = "`a` int,\n  `b` int,\n  KEY `k` (`a`),\n  KEY `mine` (`b`),\n  \
                  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`id`)\n) E";
    let after = "`a` int,\n  `b` int,\n  KEY `k` (`a`,`b`),\n  FULLTEXT KEY `ft` (`b`),\n  \
                 CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`id`) ON DELETE CASCADE\n) E";
    let alteration =
        Alteration { stale_keys: vec!["K".into()], stale_foreign_keys: vec!["f".into()], ..Alteration::default() };
    says(
        &altered(before, after, &alteration),
        &[
            ("DROP FOREIGN KEY `f`", Effect::Beside),
            ("DROP KEY `k`, ADD KEY `k` (`a`,`b`)", Effect::Beside),
            ("ADD FULLTEXT KEY `ft` (`b`)", Effect::Beside),
            ("ADD CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `s`.`p` (`id`) ON DELETE CASCADE", Effect::Beside),
        ],
    );
}

#[test]
fn a_check_that_goes_is_taken_out_of_the_rows_way() {
    let before = "`a` int,\n  CONSTRAINT `c` CHECK (`a` > 0)\n) E COMMENT='it''s' COLLATE=utf8mb4_bin";
    let after = "`a` int,\n  CONSTRAINT `c` CHECK (`a` > 1)\n) E";
    says(
        &altered(before, after, &Alteration::default()),
        &[("DROP CONSTRAINT `c`, ADD CONSTRAINT `c` CHECK (`a` > 1), COMMENT=''", Effect::Rows)],
    );
    says(
        &altered("`a` int\n) E", "`a` int COMMENT 'x'\n) E COMMENT='it''s'", &Alteration::default()),
        &[("MODIFY COLUMN `a` int COMMENT 'x' FIRST, COMMENT='it''s'", Effect::Beside)],
    );
}

#[test]
fn a_row_key_and_what_a_counter_needs_come_with_the_columns() {
    let after = "`id` int NOT NULL AUTO_INCREMENT,\n  `a` int,\n  PRIMARY KEY (`id`)\n) E AUTO_INCREMENT=7";
    says(
        &altered("`a` int,\n  PRIMARY KEY (`a`)\n) E", after, &rows_change()),
        &[(
            "ADD COLUMN `id` int NOT NULL AUTO_INCREMENT FIRST, DROP PRIMARY KEY, ADD PRIMARY KEY (`id`)",
            Effect::Rows,
        )],
    );
    let after = "`id` int NOT NULL AUTO_INCREMENT,\n  `a` int,\n  KEY `k` (`id`)\n) E";
    let found = altered("`id` int NOT NULL,\n  `a` int\n) E", after, &Alteration::default());
    says(&found, &[("MODIFY COLUMN `id` int NOT NULL AUTO_INCREMENT FIRST, ADD KEY `k` (`id`)", Effect::Beside)]);
}

#[test]
fn partitions_are_printed_for_a_person() {
    let table = |text: &str| split(&format!("CREATE TABLE `t` (\n  `a` int\n) {text}")).unwrap();
    let ranges =
        "ENGINE=InnoDB\n/*!50100 PARTITION BY RANGE (`a`)\n(PARTITION p0 VALUES LESS THAN (9) ENGINE = InnoDB) */";
    let (one, other) = (table("ENGINE=InnoDB"), table(ranges));
    let name = TableName::new("s", "t");
    let sql = |wanted: &TableDdl, existing: &TableDdl| {
        let found = statements(wanted, existing, &name, &Alteration::default());
        assert!(found.iter().all(|one| matches!(one.verdict, Verdict::Person(_))));
        found.into_iter().map(|one| one.sql).collect::<Vec<_>>()
    };
    assert_eq!(
        sql(&other, &one),
        ["ALTER TABLE `s`.`t` PARTITION BY RANGE (`a`)\n(PARTITION p0 VALUES LESS THAN (9) ENGINE = InnoDB)"]
    );
    assert_eq!(sql(&one, &other), ["ALTER TABLE `s`.`t` REMOVE PARTITIONING"]);
    assert!(sql(&other, &other).is_empty());
}
