//! The narrator's voice: headings, sentences and numbers for people. He only speaks.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{NaiveDateTime, TimeDelta};

/// Width of the text; fits a terminal of 100 columns.
const WIDTH: usize = 96;

/// How a text stands out, where colours are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Heading,
    Quiet,
    Good,
    Bad,
}

/// Begins the next scene.
pub(super) fn title(text: &str) {
    static SCENE: AtomicU32 = AtomicU32::new(1);
    let scene = SCENE.fetch_add(1, Ordering::Relaxed);
    let heading = format!("── {scene}. {text} ");
    let line = "─".repeat(WIDTH.saturating_sub(heading.chars().count()));
    println!("\n{}\n", painted(Tone::Heading, &format!("{heading}{line}")));
}

/// Says a paragraph, broken at the width.
pub(super) fn say(text: &str) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            println!("{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    println!("{line}");
}

/// Shows a command as somebody would type it.
pub(super) fn prompt(command: &str) {
    println!("\n{}\n", painted(Tone::Heading, &format!("$ {command}")));
}

/// Returns text in a tone, plain where stdout is no terminal or NO_COLOR is set.
pub(super) fn painted(tone: Tone, text: &str) -> String {
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if !colours {
        return text.to_owned();
    }
    let code = match tone {
        Tone::Heading => "1",
        Tone::Quiet => "2",
        Tone::Good => "32",
        Tone::Bad => "31",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Writes a count with a comma every three digits.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a count with its noun: `1 row`, `2 rows`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Writes a time of today.
pub(super) fn clock(at: NaiveDateTime) -> String {
    at.format("%H:%M:%S%.3f").to_string()
}

/// Writes a span in seconds.
pub(super) fn span(span: TimeDelta) -> String {
    format!("{:.2} s", span.num_milliseconds() as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_and_agree_with_their_noun() {
        assert_eq!([0, 999, 1000, 1234567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([counted(1, "row"), counted(2, "row")], ["1 row", "2 rows"]);
    }

    #[test]
    fn spans_are_written_in_seconds() {
        assert_eq!(span(TimeDelta::milliseconds(1234)), "1.23 s");
    }
}
