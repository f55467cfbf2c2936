//! How the program talks: form of the result and of the log. Read before everything else, so that even a mistake in the
//! configuration file is reported in the form that was asked for.

use super::key::Key;
use super::mistake::{Mistakes, Origin, shown};
use super::raw::Environment;

/// Form of a result on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputForm {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Form of the log on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogForm {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether results and log may be coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// Where there is a terminal.
    #[default]
    OnTerminal,
    /// Nowhere.
    Never,
}

/// How the program talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Talk {
    /// Form of the result.
    pub output: OutputForm,
    /// Form of the log.
    pub log_form: LogForm,
    /// Least level that is logged; nothing means `info`.
    pub log_level: Option<tracing::Level>,
    /// Colour.
    pub colour: Colour,
}

/// Reads how to talk from flags and environment. `no_color` is the flag of that name.
///
/// # Errors
/// Values that are none of the choices.
pub fn resolve(flags: &[(Key, String)], no_color: bool, environment: &Environment) -> Result<Talk, Mistakes> {
    let mut mistakes = Mistakes::default();
    let mut talk = Talk::default();
    // https://no-color.org: any value but the empty one counts.
    let is_set = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
    if no_color || is_set {
        talk.colour = Colour::Never;
    }
    let written = |key: Key| {
        let flag = flags.iter().find(|(given, _)| *given == key);
        let variable = environment.get(&key.variable()).filter(|value| !value.is_empty());
        flag.map(|(_, text)| (text.clone(), Origin::Flag(key.flag())))
            .or_else(|| Some((variable?.to_string_lossy().into_owned(), Origin::Variable(key.variable()))))
    };
    if let Some((text, origin)) = written(Key::Output) {
        match output_form(&text) {
            Some(form) => talk.output = form,
            None => mistakes.at(&origin, format!("{} is unknown; write text or json", shown(&text))),
        }
    }
    if let Some((text, origin)) = written(Key::LogFormat) {
        match log_form(&text) {
            Some(form) => talk.log_form = form,
            None => mistakes.at(&origin, format!("{} is unknown; write auto, text or json", shown(&text))),
        }
    }
    if let Some((text, origin)) = written(Key::LogLevel) {
        let level = log_level(&text);
        if level.is_none() {
            let known = "error, warn, info, debug or trace";
            mistakes.at(&origin, format!("{} is unknown; write {known}", shown(&text)));
        }
        talk.log_level = level;
    }
    mistakes.or(talk)
}

fn output_form(text: &str) -> Option<OutputForm> {
    match text {
        "text" => Some(OutputForm::Text),
        "json" => Some(OutputForm::Json),
        _ => None,
    }
}

fn log_form(text: &str) -> Option<LogForm> {
    match text {
        "auto" => Some(LogForm::Auto),
        "text" => Some(LogForm::Text),
        "json" => Some(LogForm::Json),
        _ => None,
    }
}

fn log_level(text: &str) -> Option<tracing::Level> {
    match text {
        "error" => Some(tracing::Level::ERROR),
        "warn" => Some(tracing::Level::WARN),
        "info" => Some(tracing::Level::INFO),
        "debug" => Some(tracing::Level::DEBUG),
        "trace" => Some(tracing::Level::TRACE),
        _ => None,
    }
}
