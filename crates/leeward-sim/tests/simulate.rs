//! The short form of the simulator: fixed seeds, fresh ones, seeds that once failed, and breaks that must be found.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use leeward_sim::{Break, Coverage, Game, Hunt, Until, hunt, tell};

/// Fixed seeds run each time; a few seconds.
const SCHEDULES: u64 = 15_000;

/// How long fresh seeds are tried.
const FRESH: Duration = Duration::from_secs(3);

/// Schedules in which each break must be found. The rarest takes some ten thousand.
const SCHEDULES_TO_FIND_MAX: u64 = 400_000;

fn kept(hunt: &Hunt) {
    if let Some(failure) = &hunt.failure {
        panic!("{}", tell(failure.seed, Game::default()).unwrap_or(failure.promise.clone()));
    }
}

#[test]
fn every_promise_is_kept_through_the_fixed_seeds_and_everything_modelled_is_reached() {
    let hunt = hunt(1, Until::Schedules(SCHEDULES), Game::default());
    kept(&hunt);
    let missing: Vec<_> =
        Coverage::missing(&hunt.coverage).into_iter().filter(|words| !words.contains("clock")).collect();
    assert!(missing.is_empty(), "never reached in {SCHEDULES} schedules: {missing:?}");
}

#[test]
fn every_promise_is_kept_through_fresh_seeds() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    let hunt = hunt(now.as_nanos() as u64, Until::Elapsed(FRESH), Game::default());
    assert!(hunt.schedules > 0);
    kept(&hunt);
}

#[test]
fn seeds_that_once_broke_a_promise_keep_every_promise() {
    let lines = include_str!("../seeds.txt").lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut seeds = 0;
    for line in lines {
        let (seed, reason) = line.split_once(' ').expect("a seed and its reason");
        let seed: u64 = seed.parse().expect("a seed");
        if let Some(told) = tell(seed, Game::default()) {
            panic!("{reason}\n{told}");
        }
        seeds += 1;
    }
    assert!(seeds > 0, "the seeds are there");
}

/// Hunts with something broken; returns how long it took until a promise broke.
fn found(name: &str) -> Duration {
    let broken = Break::named(name).expect("a break of this name");
    let game = Game { broken: Some(broken), ..Game::default() };
    let hunt = hunt(1, Until::Schedules(SCHEDULES_TO_FIND_MAX), game);
    assert!(hunt.failure.is_some(), "{name} is not found in {} schedules", hunt.schedules);
    hunt.took
}

#[test]
fn an_overlap_of_five_seconds_in_place_of_the_barrier_loses_rows_within_seconds_t2() {
    assert!(found("overlap") < Duration::from_secs(10));
}

#[test]
fn the_start_of_the_oldest_transaction_in_place_of_the_barrier_loses_rows_within_seconds_t2() {
    assert!(found("oldest-transaction") < Duration::from_secs(10));
}

#[test]
fn every_way_to_break_leeward_is_found() {
    for (name, _) in Break::ALL {
        found(name);
    }
}
