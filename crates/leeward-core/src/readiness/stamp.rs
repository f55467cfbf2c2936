//! UTC times in JSON, written so that a reader cannot take them for local time. For `#[serde(with = …)]`.

use chrono::NaiveDateTime;
use serde::{Deserialize, Deserializer, Serializer, de};

const FORM: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

pub(super) fn serialize<S: Serializer>(at: &NaiveDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.format(FORM).to_string())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveDateTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.fZ").map_err(de::Error::custom)
}

/// The same where there may be none.
pub(super) mod or_none {
    use chrono::NaiveDateTime;
    use serde::Serializer;

    pub(in crate::readiness) fn serialize<S: Serializer>(
        at: &Option<NaiveDateTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }
}
