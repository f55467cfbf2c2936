//! The `leeward` binary: reads what was typed, does it, and says how it went. This file is a table of contents; the exit
//! code is decided here and nowhere else.

mod cli;
mod commands;
mod config;
mod progress;
mod report;
mod service;
mod shutdown;
mod telemetry;
mod wire;

use std::process::ExitCode;

use leeward_core::fault::{Fault, FaultKind};

use cli::Refusal;
use config::{Mistakes, OutputForm, Talk};
use report::fault::FailureReport;
use telemetry::{Form, Screen};

/// What came of a command that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Done, or yes.
    Yes,
    /// The answer is no: differences, not ready, blocked.
    No,
}

/// Why a command could not do its work.
#[derive(Debug)]
pub enum Failure {
    /// Something was typed or configured wrongly.
    Mistakes(Mistakes),
    /// Something went wrong between Leeward and a server.
    Fault(Fault),
    /// Something went wrong on this machine: a file, stdout, the runtime.
    Machine(anyhow::Error),
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Self {
        Failure::Mistakes(mistakes)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Failure::Fault(fault)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Machine(error)
    }
}

const EXIT_YES: u8 = 0;
const EXIT_COULD_NOT: u8 = 1;
const EXIT_NO: u8 = 2;
const EXIT_USAGE: u8 = 3;

/// Returns the exit code: 0 done or yes, 1 could not, 2 the answer is no, 3 usage or configuration.
fn exit_code(outcome: &Result<Answer, Failure>) -> u8 {
    match outcome {
        Ok(Answer::Yes) => EXIT_YES,
        Ok(Answer::No) => EXIT_NO,
        Err(Failure::Mistakes(_)) => EXIT_USAGE,
        Err(Failure::Machine(_)) => EXIT_COULD_NOT,
        Err(Failure::Fault(fault)) => match fault.kind {
            // Stopped as asked, with everything rolled back or committed.
            FaultKind::Stopped => EXIT_YES,
            // What was asked for does not fit what is there; nothing was touched.
            FaultKind::Refused(_) | FaultKind::StalePlan(_) => EXIT_USAGE,
            _ => EXIT_COULD_NOT,
        },
    }
}

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Refusal::Help(text)) => {
            // Help that nobody can read is no reason to fail.
            let _ = report::text::print(&text);
            return ExitCode::from(EXIT_YES);
        }
        Err(Refusal::Usage(text)) => {
            eprintln!("{}", text.trim_end());
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let environment = wire::environment();
    let talk = match config::talk::resolve(&cli.flags(), cli.no_color, &environment) {
        Ok(talk) => talk,
        Err(mistakes) => {
            eprintln!("{}", say_mistakes(&mistakes));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let screen = Screen::new(talk);
    telemetry::start(talk, &screen);
    let outcome = commands::run(&cli, talk, &screen, &environment);
    if let Err(failure) = &outcome {
        say(failure, talk, &screen);
    }
    ExitCode::from(exit_code(&outcome))
}

/// Says why a command could not do its work: on stderr always, and on stdout too where a program waits for JSON.
fn say(failure: &Failure, talk: Talk, screen: &Screen) {
    let report = match failure {
        Failure::Mistakes(mistakes) => {
            screen.line(&say_mistakes(mistakes));
            FailureReport { schema: 1, error: mistakes.to_string(), remedy: None, table: None }
        }
        Failure::Fault(fault) if fault.kind == FaultKind::Stopped => return,
        Failure::Fault(fault) => FailureReport::of(fault),
        Failure::Machine(error) => FailureReport::of_error(error.as_ref()),
    };
    if !matches!(failure, Failure::Mistakes(_)) {
        match telemetry::form(talk, screen) {
            Form::Text => screen.line(&report.text()),
            Form::Json => {
                let remedy = report.remedy.as_deref().unwrap_or_default();
                tracing::error!(remedy, table = report.table, "{}", report.error);
            }
        }
    }
    if talk.output == OutputForm::Json
        && let Ok(json) = serde_json::to_string_pretty(&report)
    {
        // What could not be printed has been said on stderr.
        let _ = report::text::print(&json);
    }
}

fn say_mistakes(mistakes: &Mistakes) -> String {
    let lines: Vec<String> = mistakes.iter().map(|mistake| format!("error: {mistake}")).collect();
    format!("{}\nSee `leeward --help`.", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_follows_from_the_outcome_alone() {
        let fault = |kind| Err(Failure::Fault(Fault::new(kind, "do something")));
        let cases = [
            (Ok(Answer::Yes), 0),
            (Ok(Answer::No), 2),
            (Err(Failure::Mistakes(Mistakes::default())), 3),
            (Err(Failure::Machine(anyhow::anyhow!("disk"))), 1),
            (fault(FaultKind::Stopped), 0),
            (fault(FaultKind::Unreachable), 1),
            (fault(FaultKind::AccessDenied), 1),
            (fault(FaultKind::LeaseLost), 1),
            (fault(FaultKind::Refused("give --adopt".to_owned())), 3),
            (fault(FaultKind::StalePlan("shop.orders".to_owned())), 3),
        ];
        for (outcome, code) in cases {
            assert_eq!(exit_code(&outcome), code, "{outcome:?}");
        }
    }
}
