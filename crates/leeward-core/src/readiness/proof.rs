//! Evidence of a comparison for a target on which nothing may be written: what `leeward verify` found, table by table, as a
//! file that a person keeps and names to `readiness`. It holds no key and no value of any row.

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use crate::name::TableName;

/// Version of the file's form.
pub const PROOF_SCHEMA: u32 = 1;

/// What a comparison showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// [`PROOF_SCHEMA`].
    pub evidence_schema: u32,
    /// The version of Leeward that compared.
    pub leeward: String,
    /// The source, as it names itself ([`crate::server::ServerFacts::identity`]).
    pub source: String,
    /// The target, likewise.
    pub target: String,
    /// The source's clock in the view that was compared.
    pub source_at: NaiveDateTime,
    /// Every table that was to be compared.
    pub tables: Vec<ProofLine>,
}

/// What it showed of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofLine {
    /// Its name.
    pub name: TableName,
    /// Rows in the source's view.
    pub rows: u64,
    /// What came of it.
    pub result: ProofResult,
}

/// What came of comparing a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofResult {
    /// Both sides held the same rows.
    Equal,
    /// They did not.
    Different,
    /// Rows differed that were still on their way, or kept changing.
    Unsettled,
    /// It could not be compared.
    NotCompared,
}

impl Proof {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Proof, String> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let schema = value.get("evidence_schema").and_then(serde_json::Value::as_u64);
        match schema {
            None => return Err("`leeward verify --evidence` has not written it".to_owned()),
            Some(schema) if schema != u64::from(PROOF_SCHEMA) => {
                return Err(format!(
                    "it has evidence_schema {schema}, and this leeward reads {PROOF_SCHEMA} alone: run `leeward verify \
                     --evidence` again"
                ));
            }
            Some(_) => {}
        }
        serde_json::from_value(value).map_err(|error| format!("it is incomplete: {error}"))
    }

    /// Returns what it shows of a table; nothing where the table was not to be compared.
    pub fn of(&self, table: &TableName) -> Option<&ProofLine> {
        self.tables.iter().find(|line| line.name == *table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_as_it_was_and_any_other_is_refused_with_a_reason() {
        let proof = Proof {
            evidence_schema: PROOF_SCHEMA,
            leeward: "0.1.0".to_owned(),
            source: "a".to_owned(),
            target: "b".to_owned(),
            source_at: chrono::DateTime::UNIX_EPOCH.naive_utc(),
            tables: vec![ProofLine { name: TableName::new("shop", "t"), rows: 3, result: ProofResult::Equal }],
        };
        let text = serde_json::to_string(&proof).unwrap();
        assert_eq!(Proof::parse(&text), Ok(proof));
        for (text, why) in [
            ("", "not JSON"),
            ("{\"schema\":1}", "has not written it"),
            ("{\"evidence_schema\":2}", "evidence_schema 2"),
            ("{\"evidence_schema\":1}", "incomplete"),
        ] {
            assert!(Proof::parse(text).unwrap_err().contains(why), "{text}");
        }
    }
}
