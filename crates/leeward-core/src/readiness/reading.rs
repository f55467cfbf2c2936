//! How a check reads what AWS said: it notes which calls its answer rests on and how old the oldest of them is, so that
//! no answer can forget to say so.

use chrono::NaiveDateTime;

use super::cloud::{Asked, Untold};
use super::outcome::{Missing, Outcome};

/// What a check has read so far.
#[derive(Default)]
pub(super) struct Reading {
    at: Option<NaiveDateTime>,
    calls: Vec<String>,
}

impl Reading {
    /// Takes in an answer of AWS.
    pub(super) fn of<'a, T>(&mut self, asked: &'a Asked<T>) -> Result<&'a T, Missing> {
        match asked {
            Asked::Told(told) => {
                self.note(told.at, &told.call);
                Ok(&told.value)
            }
            Asked::Untold(Untold { why, remedy }) => Err(Missing { why: why.clone(), remedy: remedy.clone() }),
        }
    }

    /// Takes in something that was seen at a time in a way.
    pub(super) fn note(&mut self, at: NaiveDateTime, call: &str) {
        self.at = Some(self.at.map_or(at, |known| known.min(at)));
        if !self.calls.iter().any(|known| known == call) {
            self.calls.push(call.to_owned());
        }
    }

    /// Returns what came of it. `now` stands in where nothing was read that has a time.
    pub(super) fn found(self, now: NaiveDateTime, finding: Finding) -> Outcome {
        let at = self.at.unwrap_or(now);
        let outcome = match finding {
            Finding::Pass(actual) => Outcome::pass(at, actual),
            Finding::Warn(actual, remedy) => Outcome::warn(at, actual, remedy),
            Finding::Fail(actual, remedy) => Outcome::fail(at, actual, remedy),
        };
        Outcome { calls: self.calls, ..outcome }
    }
}

/// What a check concludes: what it saw, and the remedy where there is something to be done.
pub(super) enum Finding {
    /// As it must be.
    Pass(String),
    /// Not as it should be.
    Warn(String, String),
    /// Not as it must be.
    Fail(String, String),
}

/// Returns what AWS said of one property, which it may have left out.
pub(super) fn said<T>(value: Option<T>, what: &str) -> Result<T, Missing> {
    value.ok_or_else(|| Missing::new(format!("RDS does not say its {what}")))
}
