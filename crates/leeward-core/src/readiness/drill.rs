//! The record of a drill: a small TOML file that people keep, as evidence. Its hash goes into the report, so that whoever
//! reads both later can tell that it is the same file.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::value::Datetime;

use super::cloud::{Drill, DrillKind};
use crate::policy::duration_s;

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    kind: DrillKind,
    began: Datetime,
    ended: Datetime,
    passed: bool,
    takeover: Option<String>,
    by: String,
    /// Where the rest is told; for people.
    #[serde(rename = "note")]
    _note: Option<String>,
}

impl Drill {
    /// Reads a record.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub fn parse(text: &str) -> Result<Drill, String> {
        let record: Record = toml::from_str(text).map_err(|error| error.to_string())?;
        let takeover_s = record.takeover.as_deref().map(duration_s).transpose();
        let takeover_s = takeover_s.map_err(|why| format!("takeover {why}"))?;
        let drill = Drill {
            kind: record.kind,
            began: utc("began", record.began)?,
            ended: utc("ended", record.ended)?,
            passed: record.passed,
            takeover_s,
            by: record.by,
        };
        if drill.ended < drill.began {
            return Err("it ended before it began".to_owned());
        }
        if takeover_s.is_some_and(|s| i64::try_from(s).unwrap_or(i64::MAX) > (drill.ended - drill.began).num_seconds())
        {
            return Err("taking over lasted longer than the drill".to_owned());
        }
        Ok(drill)
    }

    /// Returns the SHA-256 of a record's bytes, in hexadecimal.
    pub fn hash(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A time without its zone would be read in two ways.
fn utc(key: &str, time: Datetime) -> Result<NaiveDateTime, String> {
    let read = DateTime::parse_from_rfc3339(&time.to_string());
    let read = read.map_err(|_| format!("{key} is a time with its zone, such as 2026-11-01T09:00:00Z, not {time}"))?;
    Ok(read.with_timezone(&Utc).naive_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "kind = \"restore\"\nbegan = 2026-11-01T09:00:00Z\nended = 2026-11-01T12:10:00+02:00\n\
                          passed = true\ntakeover = \"42m\"\nby = \"the night shift\"\n";

    #[test]
    fn a_record_is_read_with_its_zones() {
        let drill = Drill::parse(RECORD).unwrap();
        assert_eq!((drill.kind, drill.takeover_s), (DrillKind::Restore, Some(2_520)));
        assert_eq!((drill.ended - drill.began).num_minutes(), 70);
        assert_eq!(Drill::hash(b"abc")[..8], *"ba7816bf");
    }

    #[test]
    fn a_record_with_a_slip_is_refused_and_the_slip_named() {
        let slips = [
            ("began = 2026-11-01T09:00:00Z", "began = 2026-11-01T09:00:00", "with its zone"),
            ("began = 2026-11-01T09:00:00Z", "began = 2026-11-02T09:00:00Z", "ended before"),
            ("takeover = \"42m\"", "takeover = \"fast\"", "takeover"),
            ("takeover = \"42m\"", "takeover = \"4h\"", "longer than the drill"),
            ("by =", "who =", "who"),
            ("\"restore\"", "\"paper\"", "tabletop"),
        ];
        for (right, wrong, word) in slips {
            let error = Drill::parse(&RECORD.replace(right, wrong)).unwrap_err();
            assert!(error.contains(word), "{wrong}: {error}");
        }
    }
}
