//! Puts figures into docs/benchmarks.md: each case has a block of its own between two marks, so that
//! one case can be measured again without touching the words around it or the other figures.

use std::fs;

use anyhow::{Context, Result};
use leeward_testkit::servers::workspace_root;

use super::figures::Section;

const PATH: &str = "docs/benchmarks.md";

/// Returns the whole document.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read() -> Result<String> {
    fs::read_to_string(workspace_root().join(PATH)).with_context(|| format!("read {PATH}"))
}

/// Replaces the block of a case.
///
/// # Errors
/// When the document has no such block or cannot be written.
pub(super) fn write(section: &Section) -> Result<()> {
    let text = read()?;
    let today = chrono::Utc::now().format("%Y-%m-%d");
    let block = format!("{today}, {}", section.text());
    let text = replaced(&text, &section.slug, &block)
        .with_context(|| format!("find the marks of the case `{}` in {PATH}", section.slug))?;
    fs::write(workspace_root().join(PATH), text).with_context(|| format!("write {PATH}"))?;
    eprintln!("bench: {PATH} now holds these figures");
    Ok(())
}

fn replaced(text: &str, slug: &str, block: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- begin {slug} -->\n"), format!("<!-- end {slug} -->"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{block}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_block_is_replaced() {
        let text = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n<!-- begin y -->\nkept\n<!-- end y -->\n";
        let new = replaced(text, "x", "new\n").unwrap();
        assert_eq!(new, text.replace("old", "new"));
        assert_eq!(replaced(text, "z", "new\n"), None);
    }

    #[test]
    fn the_document_has_a_block_for_every_case() {
        let text = read().unwrap();
        for case in super::super::Case::ALL {
            assert!(replaced(&text, case.slug(), "").is_some(), "{case:?}");
        }
    }
}
