//! Where the time of a seed goes, by the moments at which it says what it begins with. Pure.

use super::process::Line;

/// What a seed says when it begins with each of its phases, in their order.
const PHASES: [&str; 6] = [
    "noting where the copy starts",
    "creating databases and tables",
    "copying rows",
    "building secondary indexes",
    "adding foreign keys",
    "catching up and comparing every row",
];

/// What comes before the first.
const BEFORE: &str = "surveying and planning";

/// The length of each phase of one seed, in seconds.
pub(super) type Spans = Vec<(&'static str, f64)>;

/// Returns the length of each phase that was heard of; the last one lasts until the end.
pub(super) fn spans(said: &[Line], wall_s: f64) -> Spans {
    let begin = |phase: &'static str| Some((phase, said.iter().find(|line| line.text.trim_end() == phase)?.at_s));
    let begins: Spans = std::iter::once((BEFORE, 0.0)).chain(PHASES.into_iter().filter_map(begin)).collect();
    let ends = begins.iter().skip(1).map(|(_, at_s)| *at_s).chain([wall_s]);
    begins.iter().zip(ends).map(|((phase, begin_s), end_s)| (*phase, end_s - begin_s)).collect()
}

/// Returns the lengths of each phase, run by run.
pub(super) fn columns(runs: &[Spans]) -> Vec<(&'static str, Vec<f64>)> {
    let of = |phase| runs.iter().flatten().filter(|(name, _)| *name == phase).map(|(_, span_s)| *span_s).collect();
    std::iter::once(BEFORE).chain(PHASES).map(|phase| (phase, of(phase))).collect()
}

/// Returns the phases of one seed in a line.
pub(super) fn text(spans: &Spans) -> String {
    spans.iter().map(|(phase, span_s)| format!("{phase} {span_s:.1}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use leeward_testkit::servers::workspace_root;

    use super::*;

    #[test]
    fn phases_follow_each_other_without_a_gap() {
        let said = [(0.5, PHASES[0]), (0.75, "copy a.b"), (1.0, PHASES[2]), (4.0, PHASES[5])];
        let said = said.map(|(at_s, text)| Line { at_s, text: text.to_owned() });
        let spans = spans(&said, 6.0);
        assert_eq!(spans, [(BEFORE, 0.5), (PHASES[0], 0.5), (PHASES[2], 3.0), (PHASES[5], 2.0)]);
        assert_eq!(columns(&[spans])[1..3], [(PHASES[0], vec![0.5]), (PHASES[1], vec![])]);
    }

    #[test]
    fn the_phases_are_called_what_a_seed_calls_them() {
        let read =
            |file| std::fs::read_to_string(workspace_root().join("crates/leeward-engine/src").join(file)).unwrap();
        let text = ["seed.rs", "seed/tables.rs", "seed/closing.rs"].map(read).concat();
        for phase in PHASES {
            assert!(text.contains(&format!("\"{phase}\"")), "{phase}");
        }
    }
}
