//! Golden cases of the planner. A case is a folder `cases/<name>/` with `survey.json` (the short form of
//! `case_survey`), `policy.toml` and `expected.txt`: the plan as text, or all mistakes. Adding a case is adding a folder;
//! `LEEWARD_BLESS=1 cargo test -p leeward-core` writes what is then to be reviewed in the diff.

use std::fs;
use std::path::{Path, PathBuf};

use leeward_core::plan::{Plan, PlannedTable, PolicyText};
use leeward_core::plan_text;
use leeward_core::planner::{self, StaleEffect};
use leeward_core::policy::Policy;
use leeward_core::survey::Survey;

mod case_survey;

/// Returns the folders of all cases, in order.
fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(cases.len() >= 12, "the cases are there");
    cases
}

fn survey_of(case: &Path) -> Option<Survey> {
    fs::read_to_string(case.join("survey.json")).ok().map(|text| case_survey::read(&text))
}

fn policy_of(case: &Path) -> Result<Policy, String> {
    let text = fs::read_to_string(case.join("policy.toml")).expect("policy.toml of a case");
    Policy::parse(&text, "policy.toml").map_err(|mistakes| lines(&mistakes))
}

fn lines(mistakes: &[impl ToString]) -> String {
    mistakes.iter().map(|mistake| mistake.to_string() + "\n").collect()
}

/// Returns the plan of each case that has one, with what it was made from.
fn plans() -> Vec<(String, Policy, Survey, Plan)> {
    let mut plans = Vec::new();
    for case in cases() {
        let (Ok(policy), Some(survey)) = (policy_of(&case), survey_of(&case)) else { continue };
        if let Ok(plan) = planner::plan(&policy, &survey) {
            plans.push((case.file_name().unwrap().to_string_lossy().into_owned(), policy, survey, plan));
        }
    }
    plans
}

#[test]
fn each_case_gives_its_expected_text() {
    let bless = std::env::var_os("LEEWARD_BLESS").is_some();
    let mut differing = Vec::new();
    for case in cases() {
        let found = match policy_of(&case) {
            Err(mistakes) => mistakes,
            Ok(policy) => match planner::plan(&policy, &survey_of(&case).expect("survey.json of a case")) {
                Err(mistakes) => lines(&mistakes),
                Ok(plan) => plan_text::render(&plan),
            },
        };
        let path = case.join("expected.txt");
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if bless && found != expected {
            fs::write(&path, &found).expect("write expected.txt");
        } else if found != expected {
            differing.push(format!("=== {}: expected\n{expected}=== found\n{found}", case.display()));
        }
    }
    assert!(differing.is_empty(), "{}\nreview, then bless with LEEWARD_BLESS=1", differing.join("\n"));
}

#[test]
fn the_same_policy_and_survey_give_the_same_bytes_in_whatever_order_tables_are_seen() {
    for (case, policy, mut survey, first) in plans() {
        survey.tables.reverse();
        let second = planner::plan(&policy, &survey).expect("a plan");
        let json = |plan: &Plan| serde_json::to_string_pretty(plan).expect("JSON");
        assert_eq!(json(&first), json(&second), "{case}");
        assert_eq!(plan_text::render(&first), plan_text::render(&second), "{case}");
    }
}

#[test]
fn no_table_of_a_survey_is_dropped_silently() {
    for (case, _, survey, plan) in plans() {
        let mut seen: Vec<_> = survey.tables.iter().map(|seen| &seen.table.name).collect();
        let kept = plan.tables.iter().map(|planned| planned.name());
        let mut told: Vec<_> = kept.chain(plan.left_out.iter().map(|left| &left.name)).collect();
        seen.sort();
        told.sort();
        assert_eq!(seen, told, "{case}");
        for planned in &plan.tables {
            assert!(!planned.reasons.is_empty(), "{case}: {} has no reason", planned.name());
        }
    }
}

#[test]
fn a_stored_plan_reads_back_under_its_own_name() {
    for (case, _, _, plan) in plans() {
        let stored = serde_json::to_string(&plan).expect("JSON");
        let read: Plan = serde_json::from_str(&stored).expect("a plan");
        assert_eq!(read, plan, "{case}");
        assert_eq!(read.computed_hash(), plan.hash, "{case}");
    }
}

#[test]
fn a_table_that_has_grown_does_not_rename_the_plan_but_another_strategy_does() {
    for (case, policy, mut survey, plan) in plans().into_iter().filter(|(_, _, _, plan)| !plan.tables.is_empty()) {
        survey.at += chrono::Duration::days(1);
        for seen in &mut survey.tables {
            seen.rows_estimate += 1;
            seen.data_bytes += 1;
        }
        let later = planner::plan(&policy, &survey).expect("a plan");
        assert_eq!(later.hash, plan.hash, "{case}");
        let mut edited = plan.clone();
        edited.tables[0].mark_column = Some("another".into());
        assert_ne!(edited.computed_hash(), plan.hash, "{case}");
    }
}

#[test]
fn a_plan_is_not_stale_against_what_it_was_made_from() {
    for (case, _, survey, plan) in plans() {
        let mut tables: Vec<_> = survey.tables.iter().map(|seen| seen.table.clone()).collect();
        for table in &mut tables {
            table.keys.reverse();
        }
        tables.reverse();
        assert_eq!(plan.stale_against(&tables), [], "{case}");
    }
}

#[test]
fn a_stale_plan_is_told_column_by_column() {
    let (_, _, survey, plan) = plans().into_iter().find(|(case, ..)| case == "clock-columns").expect("the case");
    let mut tables: Vec<_> = survey.tables.into_iter().map(|seen| seen.table).collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    let first = tables[0].name.clone();
    let note = tables[0].columns[0].clone();
    tables[0].columns.push(leeward_core::table::Column { name: "note".into(), ..note });
    tables[1].keys.retain(|key| key.unique);
    let gone = tables.remove(2).name;
    let mut new = tables[0].clone();
    new.name.table = "zz_new".into();
    tables.push(new);

    let stale = plan.stale_against(&tables);
    let told: Vec<String> =
        stale.iter().map(|it| format!("{} {:?}: {}", it.name, it.effect, it.how.join("; "))).collect();
    assert_eq!(stale[0].name, first, "{told:?}");
    assert_eq!((stale[0].effect, stale[0].how.len()), (StaleEffect::Wrong, 1), "{told:?}");
    assert!(stale[0].how[0].starts_with("column note is new: "), "{told:?}");
    assert_eq!(stale[1].effect, StaleEffect::Outdated, "{told:?}");
    assert!(stale[1].how[0].contains("is gone"), "{told:?}");
    assert_eq!((&stale[2].name, stale[2].how[0].as_str()), (&gone, "is gone"), "{told:?}");
    assert_eq!(stale[3].how, ["is new: nothing of it is copied"], "{told:?}");
}

/// Statistics say that both tables are empty; a look into them has counted 1,000 rows of one and 60,000 of the other, which
/// is more than may be rewritten whole.
#[test]
fn a_statistic_of_no_rows_is_not_believed_t35() {
    let (_, _, survey, plan) = plans().into_iter().find(|(case, ..)| case == "without-key").expect("the case");
    for (table, counted) in [("statistics_say_zero", 1_000), ("counted_past_the_statistics", 60_000)] {
        let seen = survey.tables.iter().find(|seen| seen.table.name.table == table).expect("surveyed");
        assert_eq!((seen.rows_estimate, seen.rows_at_least), (0, counted));
    }
    let kept = plan.tables.iter().find(|kept| kept.name().table == "statistics_say_zero").expect("kept");
    assert_eq!(kept.rows_estimate, 1_000);
    assert!(plan.left_out.iter().any(|left| left.name.table == "counted_past_the_statistics"));
}

#[test]
fn a_table_admitted_later_is_planned_as_a_new_plan_would() {
    let mut admitted_some = false;
    for (case, policy, survey, plan) in plans() {
        let text = PolicyText { file: policy.file().to_owned(), text: policy.text().to_owned() };
        let early = Plan { tables: Vec::new(), left_out: Vec::new(), policy: Some(text), ..plan.clone() };
        let admitted = early.admit(&survey).unwrap_or_else(|why| panic!("{case}: {why}"));
        // Which tables hold whose tombstones is judged over all of them, so that those need a plan of their own.
        let alone = |planned: &&PlannedTable| {
            let of = plan.tables.iter().find(|table| table.name() == planned.name());
            of.is_some_and(|table| table.tombstones.is_none() && !table.holds_tombstones)
        };
        let refused: Vec<_> = plan.tables.iter().filter(|table| table.tombstones.is_some()).map(|t| t.name()).collect();
        assert_eq!(admitted.refused.iter().map(|(name, _)| name).collect::<Vec<_>>(), refused, "{case}");
        let found: Vec<_> = admitted.tables.iter().filter(alone).collect();
        assert_eq!((found, &admitted.left_out), (plan.tables.iter().filter(alone).collect(), &plan.left_out), "{case}");
        admitted_some |= !admitted.tables.is_empty();
        let silent = Plan { policy: None, ..plan };
        assert!(silent.admit(&survey).is_err(), "{case}: a plan without its policy takes nothing in");
    }
    assert!(admitted_some);
}

#[test]
fn a_plan_holds_its_policy_only_where_definitions_may_be_changed_without_a_person() {
    for (case, _, _, plan) in plans() {
        assert_eq!(plan.policy.is_some(), case == "ddl-apply", "{case}");
    }
}
