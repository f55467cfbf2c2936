//! A chart of how long Leeward takes beside what it is compared with, drawn from the tables of docs/benchmarks.md: what is not
//! written there is not in it, and a test holds the two together.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};
use leeward_testkit::servers::workspace_root;

use super::document;

const PATH: &str = "docs/benchmarks.svg";

/// Sizes in pixels.
const WIDTH: f64 = 860.0;
const LABEL_WIDTH: f64 = 430.0;
const BAR_HEIGHT: f64 = 11.0;
const GROUP_GAP: f64 = 12.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 34.0;

/// The axis ends here; a longer bar is cut off and its number tells.
const AXIS_END: f64 = 1.5;
const AXIS_WIDTH: f64 = WIDTH - LABEL_WIDTH - 60.0;

/// Colours by kind of server that stand out on white and on black alike.
const KINDS: [(&str, &str); 2] = [("MariaDB", "#2f81c7"), ("MySQL", "#d9822b")];

/// Leeward's time over another's.
#[derive(Clone, Debug, PartialEq)]
struct Ratio {
    /// Place in [`KINDS`].
    kind: usize,
    what: String,
    median: f64,
    most: f64,
}

/// Draws the chart of what the document holds now.
pub(super) fn draw() -> Result<()> {
    let path = workspace_root().join(PATH);
    fs::write(&path, svg(&ratios(&document::read()?))).with_context(|| format!("write {PATH}"))?;
    eprintln!("bench: {PATH} shows these figures");
    Ok(())
}

/// Finds the ratios with a target in the tables of the document, in their order.
fn ratios(document: &str) -> Vec<Ratio> {
    document.lines().filter_map(ratio).collect()
}

fn ratio(line: &str) -> Option<Ratio> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [_, server, what, median, _runs, "times", target, _kept, _] = cells[..] else { return None };
    let (_, other) = what.strip_prefix("leeward")?.split_once(" / ")?;
    Some(Ratio {
        kind: KINDS.iter().position(|(kind, _)| server.starts_with(kind))?,
        what: format!("{} / {}", what.split_once(" / ")?.0, other.trim_end_matches(", run by run")),
        median: median.split_whitespace().next()?.parse().ok()?,
        most: target.strip_prefix("≤ ")?.split_whitespace().next()?.parse().ok()?,
    })
}

fn svg(ratios: &[Ratio]) -> String {
    let mut groups: Vec<(&str, Vec<&Ratio>)> = Vec::new();
    for ratio in ratios {
        match groups.iter_mut().find(|(what, _)| *what == ratio.what) {
            Some((_, group)) => group.push(ratio),
            None => groups.push((&ratio.what, vec![ratio])),
        }
    }
    let mut body = String::new();
    let mut top = TOP;
    for (what, group) in &groups {
        top = draw_group(&mut body, top, what, group);
    }
    format!("{}{}{body}</svg>\n", head(top + BOTTOM), axis(top))
}

/// Draws the bars of one comparison and returns where the next one begins.
fn draw_group(body: &mut String, top: f64, what: &str, group: &[&Ratio]) -> f64 {
    let height = BAR_HEIGHT * group.len() as f64;
    let middle = top + height / 2.0 + 4.0;
    // Writing to a String cannot fail.
    let _ = writeln!(body, r#"<text class="label" x="{}" y="{middle}">{what}</text>"#, LABEL_WIDTH - 10.0);
    for (at, ratio) in group.iter().enumerate() {
        let y = top + BAR_HEIGHT * at as f64;
        let width = ratio.median.min(AXIS_END) / AXIS_END * AXIS_WIDTH;
        let (kind, colour) = KINDS[ratio.kind];
        let _ = writeln!(
            body,
            "<rect x=\"{LABEL_WIDTH}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{colour}\"><title>{kind}: {} \
             (target {})</title></rect>",
            BAR_HEIGHT - 1.0,
            ratio.median,
            ratio.most
        );
        let _ = writeln!(
            body,
            r#"<text class="value" x="{:.1}" y="{}">{}</text>"#,
            LABEL_WIDTH + AXIS_WIDTH + 10.0,
            y + BAR_HEIGHT - 2.0,
            ratio.median
        );
    }
    if let Some(ratio) = group.first() {
        let x = LABEL_WIDTH + ratio.most.min(AXIS_END) / AXIS_END * AXIS_WIDTH;
        let _ = writeln!(
            body,
            r#"<line class="target" x1="{x:.1}" x2="{x:.1}" y1="{}" y2="{}"/>"#,
            top - 3.0,
            top + height + 2.0
        );
    }
    top + height + GROUP_GAP
}

fn head(height: f64) -> String {
    let legend: String = KINDS
        .iter()
        .enumerate()
        .map(|(at, (kind, colour))| {
            let x = LABEL_WIDTH + 90.0 * at as f64;
            format!(
                "<rect x=\"{x}\" y=\"34\" width=\"10\" height=\"10\" fill=\"{colour}\"/><text class=\"key\" x=\"{}\" \
                 y=\"43\">{kind}</text>\n",
                x + 15.0
            )
        })
        .collect();
    let target = LABEL_WIDTH + 180.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"Leeward's time divided by the other's, by kind of server\">\n<style>\
         text{{font:12px system-ui,sans-serif;fill:#24292f}}.label{{text-anchor:end}}.title{{font-size:15px;font-weight:600}}\
         .value{{font-size:10px}}.tick{{text-anchor:middle;font-size:10px}}.grid{{stroke:#8c959f;stroke-opacity:.4}}\
         .target{{stroke:#24292f;stroke-width:2}}\
         @media (prefers-color-scheme:dark){{text{{fill:#e6edf3}}.target{{stroke:#e6edf3}}}}</style>\n\
         <text class=\"title\" x=\"10\" y=\"22\">Leeward's time divided by the other's (1 = as long; shorter is better)</text>\n\
         {legend}<line class=\"target\" x1=\"{target}\" x2=\"{target}\" y1=\"33\" y2=\"45\"/>\
         <text class=\"key\" x=\"{}\" y=\"43\">target: no longer than this</text>\n",
        target + 6.0
    )
}

fn axis(bottom: f64) -> String {
    let tick = |at: f64| {
        let x = LABEL_WIDTH + at / AXIS_END * AXIS_WIDTH;
        format!(
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{bottom}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{}\">{at}</text>\n",
            TOP - 8.0,
            bottom + 14.0
        )
    };
    [0.0, 0.5, 1.0, AXIS_END].into_iter().map(tick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_with_a_target_are_found() {
        let text = "| server | what | median (min to max) | runs | unit | target | kept |\n\
                    | MySQL 9.7.4 | leeward seed / mysqldump into mysql, run by run | 0.41 (0.4 to 0.5) | 3 | times | ≤ 0.40 | NO |\n\
                    | MySQL 9.7.4 | leeward seed / nothing | not measured | 0 | times | ≤ 0.40 | not measured |\n\
                    | MySQL 9.7.4 | leeward seed / a thing | 0.41 (0.4 to 0.5) | 3 | times | - | - |\n\
                    | MySQL 9.7.4 | rows read, end / beginning | 0.41 (0.4 to 0.5) | 3 | times | ≤ 0.40 | NO |\n";
        let what = "leeward seed / mysqldump into mysql".to_owned();
        assert_eq!(ratios(text), [Ratio { kind: 1, what, median: 0.41, most: 0.4 }]);
    }

    #[test]
    fn a_bar_is_as_long_as_its_ratio_and_no_longer_than_the_axis() {
        let ratio = |median| Ratio { kind: 0, what: "a / b".to_owned(), median, most: 1.0 };
        let drawn = svg(&[ratio(0.75), ratio(9.0)]);
        assert!(drawn.contains(&format!("width=\"{:.1}\"", AXIS_WIDTH / 2.0)), "{drawn}");
        assert!(drawn.contains(&format!("width=\"{AXIS_WIDTH:.1}\"")) && drawn.contains(">9</text>"), "{drawn}");
    }

    /// `cargo x bench CASE --write` draws it anew. After other changes: run the test with `LEEWARD_GOLDEN=write`.
    #[test]
    fn the_chart_shows_what_the_document_holds() {
        if std::env::var_os("LEEWARD_GOLDEN").is_some_and(|what| what == "write") {
            draw().unwrap();
        }
        let kept = fs::read_to_string(workspace_root().join(PATH)).unwrap();
        assert!(kept == svg(&ratios(&document::read().unwrap())), "{PATH} is not what docs/benchmarks.md holds");
    }
}
