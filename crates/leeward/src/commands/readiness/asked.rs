//! What `readiness` was asked for beside its answer: files, and a former report to compare with. All of it is checked before
//! any server is bothered.

use std::path::Path;

use anyhow::Context;
use leeward_core::readiness::{Former, Readiness, compare};

use crate::Failure;
use crate::cli::ReadinessArgs;
use crate::config::Mistakes;
use crate::config::mistake::Origin;
use crate::report::file;
use crate::report::readiness::Rendered;

/// Files to write, and what to compare with.
pub struct Asked<'a> {
    html: Option<&'a Path>,
    json: Option<&'a Path>,
    junit: Option<&'a Path>,
    former: Option<Former>,
}

impl<'a> Asked<'a> {
    /// Checks what was typed.
    ///
    /// # Errors
    /// Files that cannot be written where they are named, one that is named twice, and a former report that is none; all at
    /// once.
    pub fn of(args: &'a ReadinessArgs) -> Result<Asked<'a>, Mistakes> {
        let ReadinessArgs { html, json, junit, since, .. } = args;
        let mut mistakes = Mistakes::default();
        let mut taken: Vec<(&Path, &str)> = Vec::new();
        for (flag, path) in [("html", html), ("json", json), ("junit", junit)] {
            let Some(path) = path else { continue };
            let origin = Origin::Flag(flag.to_owned());
            if let Some(why) = file::unwritable(path) {
                mistakes.at(&origin, why);
            }
            match taken.iter().find(|(other, _)| *other == path) {
                Some((_, other)) => {
                    mistakes.at(&origin, format!("--{other} names the same file; each form needs its own"))
                }
                None => taken.push((path, flag)),
            }
        }
        let mut former = None;
        if let Some(path) = since {
            match read(path) {
                Ok(report) => former = Some(report),
                Err(why) => mistakes.at(&since_flag(), why),
            }
        }
        mistakes.or(Asked { html: html.as_deref(), json: json.as_deref(), junit: junit.as_deref(), former })
    }

    /// Adds the comparison with the former report, where one was named.
    ///
    /// # Errors
    /// When it is about something else.
    pub fn compared(&self, readiness: Readiness) -> Result<Readiness, Mistakes> {
        let Some(former) = &self.former else { return Ok(readiness) };
        match compare(former, &readiness) {
            Ok(comparison) => Ok(readiness.with_comparison(comparison)),
            Err(why) => {
                let mut mistakes = Mistakes::default();
                mistakes.at(&since_flag(), format!("the former report {why}"));
                Err(mistakes)
            }
        }
    }

    /// Writes the files.
    ///
    /// # Errors
    /// When one cannot be written; those before it are.
    pub fn save(&self, rendered: &Rendered) -> Result<(), Failure> {
        let Rendered { json, html, junit } = rendered;
        for (path, bytes) in [(self.html, html), (self.json, json), (self.junit, junit)] {
            let Some(path) = path else { continue };
            file::save(path, bytes).with_context(|| format!("write the report to {}", path.display()))?;
        }
        Ok(())
    }
}

fn since_flag() -> Origin {
    Origin::Flag("since".to_owned())
}

fn read(path: &Path) -> Result<Former, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Former::parse(&text).map_err(|why| format!("{} {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_come_at_once_and_before_any_work() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| Some(folder.path().join(name));
        std::fs::write(folder.path().join("old.json"), r#"{"schema_version": 1}"#).unwrap();
        let args = ReadinessArgs {
            html: path("there/is/none.html"),
            json: path("same"),
            junit: path("same"),
            since: path("old.json"),
            ..ReadinessArgs::default()
        };
        let Err(mistakes) = Asked::of(&args) else { panic!("it is taken") };
        let said: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].starts_with("--html: there is no folder") && said[1].contains("--json names the same file"));
        assert!(said[2].contains("has schema_version 1") && said[2].contains("schema_version 2 alone"), "{}", said[2]);
        let fine = ReadinessArgs { html: path("a.html"), json: path("old.json"), ..ReadinessArgs::default() };
        assert!(Asked::of(&fine).is_ok());
        let folder_named = ReadinessArgs { html: Some(folder.path().to_owned()), ..ReadinessArgs::default() };
        assert!(Asked::of(&folder_named).is_err());
    }
}
