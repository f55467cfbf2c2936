//! The record of the last drill, read from the file that was named. One that cannot be read is no reason to keep the rest
//! from being judged.

use chrono::NaiveDateTime;
use leeward_core::readiness::cloud::{Asked, Drill, Told, Untold};

use crate::commands::Desk;

/// A record is a dozen lines; a larger file is another one.
const BYTES_MAX: u64 = 64 << 10;

/// Reads the record; `at` is the target's clock.
pub fn read(desk: &Desk, at: NaiveDateTime) -> Asked<Drill> {
    let Some(path) = &desk.settings.drill else { return untold("no record of a drill is named".to_owned()) };
    let shown = path.display();
    let text = match std::fs::metadata(path).map(|facts| facts.len()) {
        Ok(bytes) if bytes > BYTES_MAX => return untold(format!("{shown} is no record of a drill: too large")),
        _ => std::fs::read_to_string(path),
    };
    let read = text.map_err(|error| error.to_string()).and_then(|text| Ok((Drill::parse(&text)?, text)));
    match read {
        Ok((drill, text)) => {
            let call = format!("{shown}, SHA-256 {}", Drill::hash(text.as_bytes()));
            Asked::Told(Told { at, call, value: drill })
        }
        Err(why) => untold(format!("{shown} is no record of a drill: {why}")),
    }
}

fn untold(why: String) -> Asked<Drill> {
    let remedy =
        "write it as docs/readiness.md (Drills) shows, and name it: --drill FILE, or drill = \"…\" in leeward.toml";
    Asked::Untold(Untold { why, remedy: Some(remedy.to_owned()) })
}
