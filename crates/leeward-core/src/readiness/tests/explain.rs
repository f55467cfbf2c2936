//! What the catalogue says of its checks to whoever asks.

use toml::de::DeTable;

use super::super::catalogue::CATALOGUE;
use super::super::explain::{explain, iam_actions};
use super::super::outcome::EvidenceKind;
use crate::policy::DEFAULT_POLICY;

#[test]
fn every_check_says_what_warns_and_fails_and_names_keys_that_exist() {
    let policy = DeTable::parse(DEFAULT_POLICY).unwrap();
    for check in &CATALOGUE {
        let Some(explanation) = explain(check.id) else { panic!("{} is not explained", check.id) };
        let text = explanation.render_text();
        for words in [check.expected, check.warns, check.fails, check.evidence] {
            assert!(!words.is_empty() && text.replace("\n             ", " ").contains(words), "{}: {text}", check.id);
        }
        for key in check.policy {
            let (table, name) = key.split_once('.').unwrap_or(("", key));
            let in_table = policy.get_ref().get(table).and_then(|table| table.get_ref().as_table());
            let is_set = in_table.is_some_and(|table| table.contains_key(name)) || policy.get_ref().contains_key(*key);
            // Keys without a default stand in a comment.
            let is_told = DEFAULT_POLICY.contains(&format!("# {name} = "));
            assert!(is_set || is_told, "{}: the policy has no {key}", check.id);
        }
    }
    assert_eq!(explain("par-02").unwrap().id, "PAR-02");
    assert_eq!(explain("PAR-99"), None);
}

#[test]
fn what_stands_in_beside_native_replication_is_told_as_well() {
    let lag = explain("SYNC-01").unwrap();
    let other = lag.beside_replication.as_deref().expect("positions stand in for marks");
    let text = lag.render_text().replace("\n             ", " ");
    for words in ["Beside native replication", lag.evidence, other.evidence, other.passes, other.warns, other.fails] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    let one_form = explain("INS-10").unwrap();
    assert!(one_form.beside_replication.is_none() && !one_form.render_text().contains("replication,"));
}

#[test]
fn checks_of_aws_name_actions_and_the_others_none() {
    for check in CATALOGUE.iter().filter(|check| check.kind != EvidenceKind::Api) {
        assert!(!check.needs.iter().any(|need| need.contains(':')), "{}", check.id);
    }
    let actions = iam_actions();
    assert!(actions.iter().all(|action| action.split_once(':').is_some()), "{actions:?}");
    // The README's policy for the report role names every one of them and no other.
    let readme = include_str!("../../../../../README.md");
    let (_, policy) = readme.split_once("<!-- report role -->").expect("the README holds the report role's policy");
    let (policy, _) = policy.split_once("<!-- end of report role -->").expect("it ends");
    for action in &actions {
        assert!(policy.contains(&format!("\"{action}\"")), "{action} is not in the README's policy");
    }
    let granted = policy.split('"').filter(|word| {
        let is_action = |c: char| c.is_ascii_alphanumeric() || c == ':';
        word.split(':').count() == 2 && word.len() > 2 && word.chars().all(is_action)
    });
    let stray: Vec<&str> = granted.filter(|word| !actions.contains(word)).collect();
    assert!(stray.is_empty(), "the README grants what no check needs: {stray:?}");
}
