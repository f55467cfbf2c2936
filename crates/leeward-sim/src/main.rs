//! `leeward-simulate`, called by `cargo x simulate`: hunts for a schedule that breaks a promise.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use leeward_sim::{Break, Game, Until, hunt, tell};

/// What was asked for.
struct Asked {
    seed: u64,
    until: Option<Until>,
    game: Game,
}

fn main() -> ExitCode {
    let outcome = ask(std::env::args().skip(1)).map(|asked| match asked.until {
        Some(until) => many(&asked, until),
        None => one(&asked),
    });
    match outcome {
        Ok((text, code)) => {
            // Whoever stops reading has read enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::from(code)
        }
        Err(mistake) => {
            eprintln!("{mistake}");
            ExitCode::from(3)
        }
    }
}

fn many(asked: &Asked, until: Until) -> (String, u8) {
    let hunt = hunt(asked.seed, until, asked.game);
    let (schedules, took_s) = (hunt.schedules, hunt.took.as_secs_f64());
    let per_s = schedules as f64 / took_s;
    let mut text = format!(
        "{schedules} schedules from seed {} in {took_s:.1} s: {per_s:.0} a second, {:.0} a minute\n",
        asked.seed,
        per_s * 60.0
    );
    hunt.coverage.lines().for_each(|(count, words)| text.push_str(&format!("{count:>12} {words}\n")));
    match hunt.failure {
        None => (text + "no promise was broken\n", 0),
        Some(failure) => (text + &tell(failure.seed, asked.game).unwrap_or(failure.promise), 2),
    }
}

fn one(asked: &Asked) -> (String, u8) {
    match tell(asked.seed, asked.game) {
        None => (format!("seed {} keeps every promise\n", asked.seed), 0),
        Some(text) => (text, 2),
    }
}

fn ask(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked { seed: 1, until: None, game: Game::default() };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{word} needs a number and not {value}"));
        match word.as_str() {
            "--seed" => asked.seed = number()?,
            "--seconds" => asked.until = Some(Until::Elapsed(Duration::from_secs(number()?))),
            "--schedules" => asked.until = Some(Until::Schedules(number()?)),
            "--break" => {
                let named = Break::named(&value);
                let names: Vec<&str> = Break::ALL.iter().map(|(name, _)| *name).collect();
                asked.game.broken = Some(named.ok_or_else(|| format!("{value} is none of {}", names.join(", ")))?);
            }
            "--without" => asked.game.hazards = asked.game.hazards.without_named(&value)?,
            _ => return Err(format!("{word} is not known")),
        }
    }
    Ok(asked)
}
