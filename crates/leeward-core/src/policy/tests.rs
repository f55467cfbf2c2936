//! What a policy text means, and what is said about a bad one.

use super::*;
use crate::class::{Class, Strategy};

fn parse(text: &str) -> Policy {
    Policy::parse(text, "policy.toml").unwrap_or_else(|mistakes| panic!("a good policy: {mistakes:?}"))
}

fn mistakes(text: &str) -> Vec<String> {
    Policy::parse(text, "p.toml").expect_err("a bad policy").iter().map(ToString::to_string).collect()
}

#[test]
fn the_embedded_policy_gives_every_key_and_passes_its_own_rules() {
    let alone = Policy::builtin();
    let over_itself = parse(DEFAULT_POLICY);
    assert_eq!(alone.settings(), over_itself.settings());
    assert_eq!(alone.classify(), over_itself.classify());
    assert_eq!((alone.settings().rpo_s, alone.settings().rto_s), (60, 14_400));
    assert_eq!(alone.platform(), Platform::Rds);
    assert_eq!(alone.checks().autoinc_fail, 0.85);
    assert_eq!(Settings::default(), *alone.settings());
}

#[test]
fn every_key_of_the_embedded_policy_stands_below_a_comment() {
    let mut previous_is_comment_or_key = false;
    for line in DEFAULT_POLICY.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(previous_is_comment_or_key, "undocumented: {line}");
        }
        previous_is_comment_or_key = !line.trim().is_empty() && !line.starts_with('[');
    }
}

#[test]
fn a_policy_is_laid_over_the_default_key_by_key() {
    let policy = parse("version = 1\n[scrub]\nchunk_rows = 1_000\n[objectives]\nrpo = \"5m\"\n");
    let default = Policy::builtin();
    assert_eq!(policy.settings().scrub.chunk_rows, 1000);
    assert_eq!(policy.settings().rpo_s, 300);
    assert_eq!(policy.settings().scrub.pass_interval_s, default.settings().scrub.pass_interval_s);
    assert_eq!(policy.settings().checks, default.settings().checks);
}

#[test]
fn the_examples_are_good_policies() {
    parse(include_str!("../../../../policies/webshop.toml"));
    parse(include_str!("../../../../policies/ledger.toml"));
}

#[test]
fn the_first_rule_that_matches_decides_alone() {
    let policy = parse(
        "version = 1\n[[table]]\nmatch = \"shop.order_items\"\nclass = \"upd_del\"\n[[table]]\nmatch = \"shop.order_*\"\nclass = \"insert_only\"\nstrategy = \"append\"\n",
    );
    let wish = |table| policy.rule_for(&TableName::new("shop", table)).map(|rule| rule.wish.clone());
    let upd_del = Wish::Keep { class: Some(Class::UpdDel), strategy: None, mark_column: None };
    let append = Wish::Keep { class: Some(Class::InsertOnly), strategy: Some(Strategy::Append), mark_column: None };
    assert_eq!(wish("order_items"), Some(upd_del));
    assert_eq!(wish("order_lines"), Some(append));
    assert_eq!(wish("Order_lines"), None, "case counts (T29)");
    assert_eq!(wish("customer"), None);
}

#[test]
fn what_is_not_toml_is_told_with_its_line_and_the_rest_is_still_read() {
    let found = mistakes("version = 1\nplatform = \"rds\nlane = 3\n[scrub]\nchunk_rows = \"many\"\n");
    assert!(found[0].starts_with("p.toml:2: not TOML: "), "{found:?}");
    assert!(found.iter().any(|text| text.starts_with("p.toml:5: scrub.chunk_rows is a whole number")), "{found:?}");
}

#[test]
fn a_policy_without_a_version_is_refused() {
    assert_eq!(mistakes(""), ["p.toml:1: version is missing: write version = 1"]);
    assert_eq!(mistakes("version = 2"), ["p.toml:1: version lies between 1 and 1, not 2"]);
}

#[test]
fn a_waiver_holds_through_its_last_day() {
    let policy = parse("version = 1\n[[waiver]]\ncheck = \"PAR-02\"\nreason = \"small\"\nuntil = 2027-01-31\n");
    let day = |d| chrono::NaiveDate::from_ymd_opt(2027, 1, d).unwrap();
    assert!(policy.waivers()[0].holds_on(day(31)));
    assert!(!policy.waivers()[0].holds_on(day(31) + chrono::Days::new(1)));
}
