//! The log on stderr: text on a terminal, one JSON object a line elsewhere.
//!
//! The driver never logs: at every level, errors included, its events quote what the server said, and servers quote row
//! values (`Duplicate entry 'x'`) and statements. Its errors reach the log as faults, without those texts.

use std::io::{IsTerminal, Write};

use indicatif::MultiProgress;
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::talk::{Colour, LogForm, Talk};

/// Where the program talks: stderr, shared between the log and the progress bars so that neither overwrites the other.
#[derive(Clone)]
pub struct Screen {
    bars: MultiProgress,
    is_terminal: bool,
    is_coloured: bool,
    log_form: LogForm,
}

impl Screen {
    /// Looks at stderr.
    pub fn new(talk: Talk) -> Screen {
        let is_terminal = std::io::stderr().is_terminal();
        let is_coloured = is_terminal && talk.colour == Colour::OnTerminal;
        Screen { bars: MultiProgress::new(), is_terminal, is_coloured, log_form: talk.log_form }
    }

    /// Returns whether a person looks at it.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Returns the progress bars.
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Says something about the progress of long work: as a plain line, or as an event of the log where JSON was asked
    /// for by name, so that every line can be parsed.
    pub fn progress(&self, text: &str) {
        match self.log_form {
            LogForm::Json => tracing::info!("{text}"),
            LogForm::Auto | LogForm::Text => self.line(text),
        }
    }

    /// Writes a line, above the progress bars where there are some. Nobody may be listening any more: that is no reason
    /// to fail.
    pub fn line(&self, text: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(std::io::stderr(), "{text}");
        });
    }
}

/// The form that the log takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Returns the form that the log takes on this screen.
pub fn form(talk: Talk, screen: &Screen) -> Form {
    match talk.log_form {
        LogForm::Text => Form::Text,
        LogForm::Json => Form::Json,
        LogForm::Auto if screen.is_terminal => Form::Text,
        LogForm::Auto => Form::Json,
    }
}

/// Starts the log.
pub fn start(talk: Talk, screen: &Screen) {
    let registry = tracing_subscriber::registry().with(levels(talk.log_level.unwrap_or(Level::INFO)));
    let layer = tracing_subscriber::fmt::layer().with_writer(ScreenWriter(screen.clone()));
    match form(talk, screen) {
        Form::Text => registry.with(layer.with_ansi(screen.is_coloured).with_target(false)).init(),
        Form::Json => registry.with(layer.json().flatten_event(true).with_current_span(false)).init(),
    }
}

/// Our own crates at the level asked for; others only when something is wrong, and the driver never. The SDK warns of each
/// place where it finds no Region or credentials, with the whole answer; that none was found is an error of ours.
fn levels(ours: Level) -> Targets {
    Targets::new()
        .with_default(LevelFilter::from_level(ours.min(Level::WARN)))
        .with_target("leeward", ours)
        .with_target("aws_config", LevelFilter::ERROR)
        .with_target("mysql_async", LevelFilter::OFF)
        .with_target("mysql_common", LevelFilter::OFF)
}

struct ScreenWriter(Screen);

impl<'a> MakeWriter<'a> for ScreenWriter {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { screen: &self.0, line: Vec::new() }
    }
}

/// Gathers one event and writes it as one line when it is dropped.
struct LineWriter<'a> {
    screen: &'a Screen,
    line: Vec<u8>,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter<'_> {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        self.screen.line(text.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_never_logs_and_others_only_what_is_wrong() {
        let all = levels(Level::TRACE);
        assert!(all.would_enable("leeward", &Level::TRACE));
        assert!(all.would_enable("leeward_engine::cycle", &Level::TRACE));
        assert!(all.would_enable("rustls", &Level::WARN) && !all.would_enable("rustls", &Level::INFO));
        assert!(!all.would_enable("mysql_async", &Level::ERROR));
        assert!(!all.would_enable("mysql_async::conn::routines", &Level::ERROR));
        let few = levels(Level::ERROR);
        assert!(!few.would_enable("leeward", &Level::WARN) && !few.would_enable("aws_config", &Level::WARN));
    }
}
