//! Text for a terminal: wrapped lines, sizes, durations, short lists. It knows nothing of checks.

use std::fmt::Write;

use chrono::NaiveDateTime;

/// Columns of a page: what fits beside something else on a common screen, and into a ticket.
const COLUMNS: usize = 100;
/// Names in one list before it says "and n more": enough to see the pattern, short enough to read.
const NAMES_MAX: usize = 5;

/// Wraps `text` at the page's width; the first line begins with `head`, later ones with `indent` spaces.
pub(crate) fn wrapped(head: &str, indent: usize, text: &str) -> String {
    let mut page = String::new();
    let mut line = printable(head);
    let mut empty = true;
    for word in text.split_whitespace().flat_map(|word| pieces(printable(word), COLUMNS - indent)) {
        let gap = usize::from(!empty);
        if !empty && line.chars().count() + gap + word.chars().count() > COLUMNS {
            page.push_str(line.trim_end());
            page.push('\n');
            line = " ".repeat(indent);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(&word);
        empty = false;
    }
    page.push_str(line.trim_end());
    page.push('\n');
    page
}

/// Prints a remedy below a finding, each of its lines on lines of its own.
pub(crate) fn remedy(indent: usize, text: &str) -> String {
    let head = format!("{}fix: ", " ".repeat(indent));
    text.lines().map(|line| wrapped(&head, indent + 5, line)).collect()
}

/// Cuts a word that is longer than a line.
fn pieces(word: String, columns: usize) -> Vec<String> {
    if word.chars().count() <= columns {
        return vec![word];
    }
    let chars: Vec<char> = word.chars().collect();
    chars.chunks(columns).map(|piece| piece.iter().collect()).collect()
}

/// Takes out control characters: a name may hold some, and a terminal would obey them.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Prints a size in binary units.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = count as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && size < 100.0);
    format!("{size:.digits$} {}", UNITS[unit])
}

/// Prints a duration in the unit that a person would choose.
pub fn duration(ms: i64) -> String {
    let seconds = ms as f64 / 1000.0;
    match seconds.abs() {
        s if s < 120.0 => format!("{seconds:.1} s"),
        s if s < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", seconds / 3_600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

/// Prints a UTC time.
pub fn time(at: NaiveDateTime) -> String {
    format!("{} UTC", at.format("%Y-%m-%d %H:%M:%S%.3f"))
}

/// Prints the first names of a list and how many more there are.
pub(crate) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let mut text = names.iter().take(NAMES_MAX).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_MAX {
        // Writing to a String cannot fail.
        let _ = write!(text, " and {} more", names.len() - NAMES_MAX);
    }
    text
}

/// Joins the first remedies of a list, one a line, and says where the rest is.
pub(crate) fn statements(all: &[String]) -> String {
    let mut text = all.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join("\n");
    if all.len() > NAMES_MAX {
        let _ = write!(text, "\nand {} more: run again after these", all.len() - NAMES_MAX);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_page() {
        let text = format!("{} {} end", "word ".repeat(60), "x".repeat(250));
        for line in wrapped("head: ", 6, &text).lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
        assert_eq!(wrapped("ok ", 3, "a\u{1b}[2J\nb"), "ok a?[2J b\n");
        assert_eq!(remedy(2, "GRANT a;\nGRANT b;"), "  fix: GRANT a;\n  fix: GRANT b;\n");
    }

    #[test]
    fn sizes_and_durations_are_readable() {
        assert_eq!([bytes(5), bytes(16 << 20), bytes(500 << 30)], ["5 B", "16.0 MiB", "500 GiB"]);
        assert_eq!([duration(3_400), duration(900_000), duration(8_000_000)], ["3.4 s", "15 min", "2.2 h"]);
        assert_eq!(listed(&["a", "b", "c", "d", "e", "f"]), "a, b, c, d, e and 1 more");
    }
}
