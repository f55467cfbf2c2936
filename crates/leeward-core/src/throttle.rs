//! How busy the source is, and how busy it may be for a copy to go on: the limit that people set, what was seen, and the
//! verdict. Who looks, and what waits, is the engine's affair.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How busy the source may be. Without any limit nothing is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadLimit {
    /// Statements that other accounts may run at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// Length that the history list of InnoDB may have: undo records that purge has not come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<u64>,
}

/// What one look at the source has shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceLoad {
    /// Threads that run a statement, less those of Leeward's own account and of replication.
    pub threads: u64,
    /// Length of InnoDB's history list; nothing where the server does not count it.
    pub history: Option<u64>,
    /// Replicas that read the source's binary log.
    pub replicas: u64,
}

/// Whether new work may be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Below,
    /// It may not: what is too much, with the figure and its limit.
    Above(String),
    /// It may not, because what is limited cannot be seen.
    Unseen(String),
}

impl LoadLimit {
    /// Returns whether nothing is limited.
    pub fn is_off(&self) -> bool {
        *self == LoadLimit::default()
    }

    /// Judges what was seen. What is exactly at its limit is not above it.
    pub fn judge(&self, seen: &SourceLoad) -> Verdict {
        if let Some(max) = self.threads.filter(|max| seen.threads > *max) {
            let noun = if seen.threads == 1 { "thread runs" } else { "threads run" };
            return Verdict::Above(format!("{} {noun} on the source, the limit is {max}", seen.threads));
        }
        match (self.history, seen.history) {
            (Some(max), Some(length)) if length > max => {
                Verdict::Above(format!("the source's history list is {length} long, the limit is {max}"))
            }
            (Some(_), None) => Verdict::Unseen(
                "the source does not count its history list (trx_rseg_history_len in INNODB_METRICS)".to_owned(),
            ),
            _ => Verdict::Below,
        }
    }
}

impl fmt::Display for LoadLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.threads, self.history) {
            (None, None) => f.write_str("off"),
            (Some(threads), None) => write!(f, "threads={threads}"),
            (None, Some(history)) => write!(f, "history={history}"),
            (Some(threads), Some(history)) => write!(f, "threads={threads},history={history}"),
        }
    }
}

impl FromStr for LoadLimit {
    type Err = String;

    /// Reads `off`, a number of threads, or one or both of `threads=N,history=N`.
    fn from_str(text: &str) -> Result<LoadLimit, String> {
        const FORM: &str = "is off, a number of threads such as 8, or threads=8,history=1000000";
        let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse::<u64>().map_err(|_| FORM.to_owned()),
            false => Err(FORM.to_owned()),
        };
        let text = text.trim();
        if text == "off" {
            return Ok(LoadLimit::default());
        }
        if !text.contains('=') {
            return Ok(LoadLimit { threads: Some(number(text)?), history: None });
        }
        let mut limit = LoadLimit::default();
        for part in text.split(',') {
            let (name, digits) = part.split_once('=').ok_or(FORM)?;
            let place = match name.trim() {
                "threads" => &mut limit.threads,
                "history" => &mut limit.history,
                _ => return Err(FORM.to_owned()),
            };
            if place.replace(number(digits.trim())?).is_some() {
                return Err(format!("names {} twice", name.trim()));
            }
        }
        Ok(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> LoadLimit {
        text.parse().unwrap_or_else(|error| panic!("{text} {error}"))
    }

    #[test]
    fn a_limit_reads_back_as_it_was_written() {
        for text in ["off", "threads=8", "history=1000000", "threads=0,history=5"] {
            assert_eq!(limit(text).to_string(), text);
        }
        assert_eq!(limit("8"), limit("threads=8"));
        assert!(limit("off").is_off() && !limit("0").is_off());
        for text in ["", "many", "-1", "+1", "8,9", "threads", "threads=", "cpu=3", "threads=1,threads=2", "1e9"] {
            assert!(text.parse::<LoadLimit>().is_err(), "{text} is taken");
        }
    }

    #[test]
    fn what_is_above_its_limit_is_named_with_both_figures() {
        let seen = SourceLoad { threads: 9, history: Some(200), replicas: 0 };
        assert_eq!(limit("9").judge(&seen), Verdict::Below);
        assert_eq!(limit("8").judge(&seen), Verdict::Above("9 threads run on the source, the limit is 8".to_owned()));
        assert_eq!(
            limit("threads=9,history=199").judge(&seen),
            Verdict::Above("the source's history list is 200 long, the limit is 199".to_owned())
        );
        assert_eq!(limit("off").judge(&seen), Verdict::Below);
    }

    #[test]
    fn a_history_that_is_not_counted_is_not_below_its_limit() {
        let seen = SourceLoad { threads: 0, history: None, replicas: 0 };
        assert!(matches!(limit("history=5").judge(&seen), Verdict::Unseen(_)));
        assert_eq!(limit("threads=5").judge(&seen), Verdict::Below);
    }
}
