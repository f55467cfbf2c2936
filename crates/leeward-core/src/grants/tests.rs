//! Lines as real servers print them, and what follows from them.

use std::collections::BTreeMap;

use super::needs::{TargetUse, account_need, routine_need, source_needs, target_needs};
use super::{Grants, Importance, Need, SchemaNames, Scope};
use crate::server::{Flavor, Observed, ServerFacts, Version};

/// The master user of RDS for MySQL 8.0.36 and later.
const RDS_MYSQL_MASTER: [&str; 3] = [
    "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, \
     CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, \
     CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, CREATE ROLE, DROP ROLE ON *.* TO `admin`@`%` WITH GRANT OPTION",
    "GRANT APPLICATION_PASSWORD_ADMIN,ROLE_ADMIN,SET_USER_ID,XA_RECOVER_ADMIN ON *.* TO `admin`@`%` WITH GRANT OPTION",
    "GRANT `rds_superuser_role`@`%` TO `admin`@`%`",
];

/// The master user of RDS for MariaDB, with the hash that MariaDB prints.
const RDS_MARIADB_MASTER: [&str; 1] =
    ["GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, \
      CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, BINLOG MONITOR, CREATE VIEW, SHOW VIEW, \
      CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, SHOW CREATE ROUTINE ON *.* TO `admin`@`%` \
      IDENTIFIED BY PASSWORD '*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9' WITH GRANT OPTION"];

fn parse(lines: &[&str]) -> Grants {
    Grants::parse(&lines.iter().map(|line| line.to_string()).collect::<Vec<_>>())
}

fn schema(name: &str) -> Scope {
    Scope::Schema(name.to_owned())
}

fn server(flavor: Flavor, version: Version) -> ServerFacts {
    ServerFacts {
        flavor,
        version,
        version_text: version.to_string(),
        identity: "one".to_owned(),
        is_replica: Observed::Known(false),
        variables: BTreeMap::new(),
    }
}

fn statements(needs: &[Need], grants: &Grants) -> Vec<String> {
    grants.missing(needs).iter().map(|need| need.grant_statement("leeward@%", SchemaNames::Patterns)).collect()
}

#[test]
fn the_master_users_of_rds_lack_nothing_that_is_required() {
    let shop = ["shop".to_owned()];
    for (lines, server) in [
        (&RDS_MYSQL_MASTER[..], server(Flavor::MySql, Version(8, 0, 40))),
        (&RDS_MARIADB_MASTER[..], server(Flavor::MariaDb, Version(11, 4, 5))),
    ] {
        let grants = parse(lines);
        assert_eq!(grants.unread(), 0);
        let mut needs = source_needs(&server, &shop);
        needs.extend(target_needs(&server, &shop, TargetUse::Keep));
        let missing = grants.missing(&needs);
        assert!(missing.iter().all(|need| need.importance == Importance::Optional), "{missing:?}");
        assert!(grants.missing(&[routine_need(&server), account_need()]).is_empty());
        assert!(grants.is_administrator() && grants.can_write("shop"));
    }
    let mariadb = server(Flavor::MariaDb, Version(11, 4, 5));
    assert_eq!(
        statements(&target_needs(&mariadb, &shop, TargetUse::Keep), &parse(&RDS_MARIADB_MASTER)),
        ["GRANT SET USER ON *.* TO `leeward`@`%`;"]
    );
}

#[test]
fn a_missing_privilege_is_named_by_the_grant_to_run() {
    let grants = parse(&[
        "GRANT USAGE ON *.* TO `leeward`@`%`",
        "GRANT SELECT, SHOW VIEW ON `shop`.* TO `leeward`@`%`",
        "GRANT SELECT ON `crm\\_eu`.* TO `leeward`@`%`",
    ]);
    let needs =
        source_needs(&server(Flavor::MySql, Version(9, 7, 4)), &["shop".into(), "crm_eu".into(), "ship".into()]);
    assert_eq!(
        statements(&needs, &grants),
        [
            "GRANT SELECT ON `ship`.* TO `leeward`@`%`;",
            "GRANT PROCESS ON *.* TO `leeward`@`%`;",
            "GRANT TRIGGER, EVENT ON `shop`.* TO `leeward`@`%`;",
            "GRANT SHOW VIEW, TRIGGER, EVENT ON `crm\\_eu`.* TO `leeward`@`%`;",
            "GRANT SHOW VIEW, TRIGGER, EVENT ON `ship`.* TO `leeward`@`%`;",
            "GRANT SHOW_ROUTINE ON *.* TO `leeward`@`%`;",
        ]
    );
    let literal = needs[1].grant_statement("lee`ward@10.%", SchemaNames::Literal);
    assert_eq!(literal, "GRANT SELECT ON `crm_eu`.* TO `lee``ward`@`10.%`;");
}

#[test]
fn routines_can_be_seen_in_more_than_one_way() {
    let cases = [
        (Flavor::MySql, Version(8, 0, 36), "GRANT SHOW_ROUTINE ON *.* TO `l`@`%`", true),
        (Flavor::MySql, Version(8, 0, 36), "GRANT SELECT ON *.* TO `l`@`%`", true),
        (Flavor::MySql, Version(8, 0, 36), "GRANT SELECT ON `shop`.* TO `l`@`%`", false),
        (Flavor::MySql, Version(8, 0, 11), "GRANT SELECT ON *.* TO `l`@`%`", true),
        (Flavor::MariaDb, Version(10, 6, 1), "GRANT SELECT ON `mysql`.`proc` TO `l`@`%`", true),
        (Flavor::MariaDb, Version(10, 6, 1), "GRANT SELECT ON `mysql`.* TO `l`@`%`", true),
        (Flavor::MariaDb, Version(10, 6, 1), "GRANT EXECUTE ON *.* TO `l`@`%`", false),
        (Flavor::MariaDb, Version(11, 4, 1), "GRANT SHOW CREATE ROUTINE ON *.* TO `l`@`%`", true),
    ];
    for (flavor, version, line, met) in cases {
        let missing = parse(&[line]).missing(&[routine_need(&server(flavor, version))]);
        assert_eq!(missing.is_empty(), met, "{flavor} {version} {line}");
    }
}

#[test]
fn patterns_cover_databases_as_the_server_reads_them() {
    let cases = [
        ("shop%", "shop_eu", true),
        ("shop%", "shop", true),
        ("shop\\_eu", "shop_eu", true),
        ("shop\\_eu", "shopXeu", false),
        ("shop_eu", "shopXeu", true),
        ("sh_p", "shp", false),
        ("%", "anything", true),
        ("Shop", "shop", false),
        ("we``ird", "we`ird", true),
    ];
    for (pattern, name, covered) in cases {
        let grants = parse(&[&format!("GRANT SELECT ON `{pattern}`.* TO `l`@`%`")]);
        assert_eq!(grants.has("SELECT", &schema(name)), covered, "{pattern} {name}");
    }
    let literal = parse(&["GRANT SELECT ON `shop_eu`.* TO `l`@`%`"]).with_schema_names(SchemaNames::Literal);
    assert!(literal.has("SELECT", &schema("shop_eu")) && !literal.has("SELECT", &schema("shopXeu")));
}

#[test]
fn only_the_most_specific_database_line_of_a_grantee_counts() {
    let grants = parse(&["GRANT SELECT ON `shop%`.* TO `l`@`%`", "GRANT INSERT ON `shop`.* TO `l`@`%`"]);
    assert!(grants.has("INSERT", &schema("shop")) && !grants.has("SELECT", &schema("shop")));
    assert!(grants.has("SELECT", &schema("shop2")));
    let by_role = parse(&["GRANT SELECT ON `shop%`.* TO `reader`@`%`", "GRANT INSERT ON `shop`.* TO `l`@`%`"]);
    assert!(by_role.has("INSERT", &schema("shop")) && by_role.has("SELECT", &schema("shop")));
}

#[test]
fn all_privileges_of_a_level_do_not_reach_above_it() {
    let grants =
        parse(&["GRANT USAGE ON *.* TO `l`@`%`", "GRANT ALL PRIVILEGES ON `shop`.* TO `l`@`%` WITH GRANT OPTION"]);
    assert!(grants.has("TRIGGER", &schema("shop")));
    assert!(!grants.has("PROCESS", &Scope::Global) && !grants.has("SELECT", &schema("other")));
    let mariadb_root = parse(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"]);
    assert!(mariadb_root.has("PROCESS", &Scope::Global) && mariadb_root.is_administrator());
}

#[test]
fn a_partial_revoke_takes_a_database_out_of_a_global_grant() {
    let grants = parse(&["GRANT SELECT, INSERT ON *.* TO `l`@`%`", "REVOKE INSERT ON `mysql`.* FROM `l`@`%`"])
        .with_schema_names(SchemaNames::Literal);
    assert!(grants.has("INSERT", &schema("shop")) && !grants.has("INSERT", &schema("mysql")));
    assert!(grants.has("SELECT", &schema("mysql")));
}

#[test]
fn tables_columns_and_routines_are_not_taken_for_a_database() {
    let grants = parse(&[
        "GRANT SELECT (`id`, `na``me, x`), INSERT (`id`) ON `shop`.`orders` TO `l`@`%`",
        "GRANT SELECT ON `shop`.`stock` TO `l`@`%`",
        "GRANT EXECUTE ON PROCEDURE `shop`.`close day` TO `l`@`%`",
    ]);
    assert_eq!(grants.unread(), 0);
    let table = |table: &str| Scope::Table { schema: "shop".into(), table: table.into() };
    assert!(grants.has("SELECT", &table("stock")) && !grants.has("SELECT", &table("orders")));
    assert!(!grants.has("SELECT", &schema("shop")));
    assert!(grants.can_write("shop") && !grants.can_write("other"));
    let words: Vec<String> = grants.privileges_on(&["shop".into()]).iter().map(|held| held.to_string()).collect();
    assert_eq!(
        words,
        [
            "INSERT (`id`) ON `shop`.`orders`",
            "SELECT (`id`) ON `shop`.`orders`",
            "SELECT (`na``me, x`) ON `shop`.`orders`",
            "SELECT ON `shop`.`stock`",
            "EXECUTE ON PROCEDURE `shop`.`close day`",
        ]
    );
}

#[test]
fn roles_proxies_and_default_roles_are_read() {
    let grants = parse(&[
        "GRANT `app`@`%`,`reader`@`%` TO `l`@`%` WITH ADMIN OPTION",
        "GRANT legacy TO 'l'@'%'",
        "GRANT PROXY ON ``@`` TO `root`@`localhost` WITH GRANT OPTION",
        "GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION",
        "SET DEFAULT ROLE `app` FOR `l`@`%`",
        "GRANT INSERT ON `shop`.* TO `app`@`%`",
    ]);
    assert_eq!(grants.unread(), 0);
    assert_eq!(grants.roles().iter().map(String::as_str).collect::<Vec<_>>(), ["app@%", "legacy", "reader@%"]);
    assert!(grants.can_write("shop"));
}

#[test]
fn a_line_that_cannot_be_read_grants_nothing_and_is_counted() {
    let grants = parse(&["GRANT SELECT ON", "ALLOW EVERYTHING", "GRANT SELECT ( ON x TO y", ""]);
    assert_eq!(grants.unread(), 4);
    assert!(!grants.can_write("x"));
}

#[test]
fn no_password_hash_is_kept() {
    let mut lines = RDS_MARIADB_MASTER.to_vec();
    lines.push("GRANT SELECT ON *.* TO 'x'@'%' IDENTIFIED VIA ed25519 USING 'ZIgUREUg5PVgQ6LskhXmO' OR unix_socket");
    let grants = parse(&lines);
    let kept = format!("{grants:?}");
    assert_eq!(grants.unread(), 0);
    assert!(!kept.contains("6BB4837E") && !kept.contains("ZIgUREUg"), "{kept}");
}

#[test]
fn privileges_of_another_account_are_held_on_the_same_or_a_wider_scope() {
    let narrow = parse(&["GRANT SELECT, INSERT (`id`) ON `shop`.`orders` TO `l`@`%` WITH GRANT OPTION"]);
    let wide = parse(&["GRANT SELECT, INSERT ON `shop`.* TO `l`@`%`"]);
    let lacking: Vec<String> = narrow
        .privileges_on(&["shop".into()])
        .into_iter()
        .filter(|wanted| !wide.holds(wanted))
        .map(|wanted| wanted.word)
        .collect();
    assert_eq!(lacking, ["GRANT OPTION"]);
}

/// As MariaDB 10.11.19 and MySQL 9.7.4 printed them for an account made to be awkward.
#[test]
fn lines_of_real_servers_are_read_whole() {
    let mariadb = [
        "GRANT `odd role` TO `app`@`%`",
        "GRANT `staff` TO `app`@`%`",
        "GRANT USAGE ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*462366917EEDD1970A48E87D8EF59EB67D2CA26F'",
        "GRANT SELECT ON `shop\\_eu`.* TO `app`@`%` WITH GRANT OPTION",
        "GRANT ALL PRIVILEGES ON `we``ird`.* TO `app`@`%`",
        "GRANT SELECT, INSERT (`a``b, (x`, `id`), UPDATE (`note`) ON `shop`.`orders` TO `app`@`%`",
        "GRANT EXECUTE, ALTER ROUTINE ON FUNCTION `shop`.`f` TO `app`@`%`",
        "GRANT USAGE ON *.* TO `staff`",
        "GRANT INSERT ON `shop`.* TO `staff`",
        "GRANT SELECT, DELETE HISTORY ON `test\\_%`.* TO PUBLIC",
        "GRANT SELECT, PROCESS ON *.* TO `o'neil`@`10.0.%` IDENTIFIED BY PASSWORD '*B690' REQUIRE SSL WITH GRANT OPTION \
         MAX_USER_CONNECTIONS 5",
        "SET DEFAULT ROLE `staff` FOR `app`@`%`",
    ];
    let mysql = [
        "GRANT USAGE ON *.* TO `app`@`%`",
        "GRANT INSERT ON `shop`.* TO `app`@`%`",
        "GRANT SELECT, INSERT (`a``b, (x`, `id`), UPDATE (`note`) ON `shop`.`orders` TO `app`@`%`",
        "GRANT EXECUTE ON PROCEDURE `shop`.`close day` TO `app`@`%`",
        "GRANT `odd role`@`%`,`staff`@`%` TO `app`@`%`",
        "GRANT SELECT ON \"shop\\_eu\".* TO \"app\"@\"%\" WITH GRANT OPTION",
        "REVOKE INSERT ON `mysql`.* FROM `leeward`@`%`",
        "GRANT PROXY ON ``@`` TO `root`@`localhost` WITH GRANT OPTION",
    ];
    for lines in [&mariadb[..], &mysql[..]] {
        let grants = parse(lines);
        assert_eq!(grants.unread(), 0);
        assert_eq!(grants.roles().len(), 2);
        assert!(grants.has("INSERT", &schema("shop")) && grants.has("SELECT", &schema("shop_eu")));
        assert!(!grants.has("SELECT", &schema("shop")) || grants.has("PROCESS", &Scope::Global));
    }
    assert!(parse(&mariadb).has("DROP", &schema("we`ird")) && parse(&mariadb).has("SELECT", &schema("test_1")));
}
