//! Text for people: tables, colour where it is wanted, and where results go.

use std::io::{IsTerminal, Write};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};

use crate::config::talk::{Colour, Talk};

/// Whether a text may be coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// It may.
    Coloured,
    /// It may not.
    Plain,
}

/// How good or bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// To be looked at.
    Warning,
    /// A person must act.
    Bad,
    /// Neither.
    Plain,
}

impl Paint {
    /// Returns whether stdout may be coloured.
    pub fn of_stdout(talk: Talk) -> Paint {
        match talk.colour {
            Colour::OnTerminal if std::io::stdout().is_terminal() => Paint::Coloured,
            _ => Paint::Plain,
        }
    }

    /// Returns text in the colour of a tone.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        let code = match (self, tone) {
            (Paint::Plain, _) | (_, Tone::Plain) => return text.to_owned(),
            (_, Tone::Good) => "32",
            (_, Tone::Warning) => "33",
            (_, Tone::Bad) => "31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Returns bold text.
    pub fn bold(self, text: &str) -> String {
        match self {
            Paint::Coloured => format!("\u{1b}[1m{text}\u{1b}[0m"),
            Paint::Plain => text.to_owned(),
        }
    }

    /// Returns a table's cell in the colour of a tone.
    pub fn cell(self, tone: Tone, text: impl Into<String>) -> Cell {
        let cell = Cell::new(text.into());
        match (self, tone) {
            (Paint::Plain, _) | (_, Tone::Plain) => cell,
            (_, Tone::Good) => cell.fg(Color::Green),
            (_, Tone::Warning) => cell.fg(Color::Yellow),
            (_, Tone::Bad) => cell.fg(Color::Red),
        }
    }

    /// Returns an empty table without lines. Its width is that of its content: what is cut off or folded cannot be
    /// searched for.
    pub fn table(self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let bold = |name: &&str| match self {
            Paint::Coloured => Cell::new(name).add_attribute(Attribute::Bold),
            Paint::Plain => Cell::new(name),
        };
        table.set_header(header.iter().map(bold));
        match self {
            Paint::Coloured => table.enforce_styling(),
            Paint::Plain => table.force_no_tty(),
        };
        table
    }
}

/// Returns a table's text: no blanks at line ends, none before the first column.
pub fn lines(table: &Table) -> String {
    let lines: Vec<String> =
        table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Writes a result to stdout. A reader that has seen enough and closed the pipe is no error.
///
/// # Errors
/// When stdout cannot be written for another reason: a full disk behind `> file`.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let ended = if text.ends_with('\n') { "" } else { "\n" };
    match write!(stdout, "{text}{ended}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
