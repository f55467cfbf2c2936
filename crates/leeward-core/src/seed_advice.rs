//! What an owner of RDS can do for the time of a seed: settings of the target that make loading cheaper and that are put back
//! before it is relied on. No gain is named, since none has been measured on RDS.

use crate::policy::Platform;

/// The page with the steps.
const PAGE: &str = "docs/operations.md, \"Before and after a seed on RDS\"";

/// Returns the advice, one thing a line; nothing where settings are people's own affair.
pub fn lines(platform: Platform) -> Vec<String> {
    if platform != Platform::Rds {
        return Vec::new();
    }
    vec![
        "for the time of the seed, on the target only, and put back afterwards (its gain on RDS has not been measured):"
            .to_owned(),
        "backup retention 0: no binary log is written; setting it back restarts the instance".to_owned(),
        "a parameter group of its own with innodb_flush_log_at_trx_commit=2 and sync_binlog=0: a commit waits for no disk"
            .to_owned(),
        "local_infile=1 in that group: rows are loaded by LOAD DATA instead of INSERT".to_owned(),
        format!("the steps, and why not on the source: {PAGE}"),
    ]
}

/// Returns the advice as text, ending in a line break; empty where there is none.
pub fn text(platform: Platform) -> String {
    let lines = lines(platform);
    let Some((head, rest)) = lines.split_first() else { return String::new() };
    let rest = rest.iter().map(|line| format!("  - {line}\n")).collect::<String>();
    format!("Advice {head}\n{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_owners_of_rds_are_advised() {
        assert!(text(Platform::SelfManaged).is_empty());
        let text = text(Platform::Rds);
        assert!(text.contains("put back") && text.contains("docs/operations.md"), "{text}");
    }
}
