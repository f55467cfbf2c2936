//! Progress of a long copy, on stderr: bars on a terminal, one plain line every few seconds elsewhere. It only shows
//! what it is told; results go to stdout and are not its business.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use leeward_core::name::TableName;
use leeward_engine::progress::{Progress, Tell};
use tokio_util::sync::CancellationToken;

use crate::report::words;
use crate::telemetry::Screen;

/// Often enough to see that something moves, seldom enough for a log that is kept.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How often bars, rates and remaining times are brought up to date while nothing arrives.
const BAR_EVERY: Duration = Duration::from_millis(250);

/// The rate is that of the last so many seconds: long enough to smooth over one slow chunk, short enough to show that
/// a link has become slow.
const RATE_WINDOW: Duration = Duration::from_secs(20);

/// More bars than fit on a screen push each other out of sight; the total is always shown.
const BARS_MAX: usize = 8;

/// What is being done with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// They are copied.
    Copy,
    /// They are compared.
    Compare,
    /// They are put into a store.
    Dump,
    /// They are taken out of a store.
    Load,
}

/// Shows the progress of one copy or comparison. News may come from any task.
pub struct Show {
    screen: Screen,
    work: Work,
    /// Ends the task that keeps rates and lines up to date.
    ended: CancellationToken,
    state: Mutex<State>,
}

struct State {
    tally: Tally,
    total_bar: Option<ProgressBar>,
    table_bars: BTreeMap<TableName, ProgressBar>,
    last_line: Instant,
}

impl Tell for Show {
    fn tell(&self, news: Progress) {
        let now = Instant::now();
        let mut state = self.lock();
        if self.screen.is_terminal() {
            self.draw(&mut state, &news);
        } else if let Some(line) = line_of(self.work, &news) {
            self.screen.progress(&line);
        }
        state.tally.take(&news, now);
        self.refresh(&mut state, now);
    }
}

impl Show {
    /// Begins to show work on about `bytes_expected` bytes in all.
    pub fn start(screen: &Screen, work: Work, bytes_expected: u64) -> Arc<Show> {
        let now = Instant::now();
        let state = State {
            tally: Tally::new(now, bytes_expected),
            total_bar: None,
            table_bars: BTreeMap::new(),
            last_line: now,
        };
        let ended = CancellationToken::new();
        let show = Arc::new(Show { screen: screen.clone(), work, ended: ended.clone(), state: Mutex::new(state) });
        tokio::spawn({
            let show = show.clone();
            async move { show.keep_fresh(ended).await }
        });
        show
    }

    /// Keeps rates and lines up to date, also while nothing arrives: work that stands still must be seen to.
    async fn keep_fresh(&self, ended: CancellationToken) {
        let mut ticks = tokio::time::interval(BAR_EVERY);
        while ended.run_until_cancelled(ticks.tick()).await.is_some() {
            self.refresh(&mut self.lock(), Instant::now());
        }
    }

    /// Ends the show and says how much was done.
    pub fn finish(&self) {
        self.ended.cancel();
        let now = Instant::now();
        let mut state = self.lock();
        for bar in std::mem::take(&mut state.table_bars).into_values() {
            bar.finish_and_clear();
        }
        if let Some(bar) = state.total_bar.take() {
            bar.finish_and_clear();
        }
        self.screen.progress(&state.tally.summary(self.work, now));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refresh(&self, state: &mut State, now: Instant) {
        if self.screen.is_terminal() {
            let line = state.tally.line(now);
            if let Some(bar) = &state.total_bar {
                bar.set_length(state.tally.bytes_expected.max(state.tally.bytes));
                bar.set_position(state.tally.bytes);
                bar.set_message(line);
            }
        } else if now.duration_since(state.last_line) >= LINE_EVERY && state.tally.has_begun() {
            state.last_line = now;
            self.screen.progress(&state.tally.line(now));
        }
    }

    fn draw(&self, state: &mut State, news: &Progress) {
        if state.total_bar.is_none() {
            let bar = self.screen.bars().add(ProgressBar::new(0).with_style(style("total {bar:30} {msg}")));
            state.total_bar = Some(bar);
        }
        match news {
            Progress::Phase(text) | Progress::Note(text) => self.screen.progress(text),
            Progress::TableStarted { name, bytes_estimate, bytes_done, .. } => {
                if state.table_bars.len() < BARS_MAX && !state.table_bars.contains_key(name) {
                    let bar = ProgressBar::new((*bytes_estimate).max(*bytes_done))
                        .with_style(style("{msg} {bar:30} {bytes}/{total_bytes}"))
                        .with_message(name.to_string())
                        .with_position(*bytes_done);
                    state.table_bars.insert(name.clone(), self.screen.bars().insert(0, bar));
                }
            }
            Progress::Rows { name, bytes, .. } => {
                if let Some(bar) = state.table_bars.get(name) {
                    bar.inc(*bytes);
                    // Estimates are estimates: a bar never says more than all.
                    bar.set_length(bar.length().unwrap_or(0).max(bar.position()));
                }
            }
            // Whose table it was is not told; the total shows it.
            Progress::Elsewhere { .. } | Progress::AtOnce { .. } => {}
            Progress::TableDone { name } => {
                if let Some(bar) = state.table_bars.remove(name) {
                    bar.finish_and_clear();
                    self.screen.bars().remove(&bar);
                }
            }
        }
    }
}

impl Work {
    fn verb(self) -> &'static str {
        match self {
            Work::Copy => "copy",
            Work::Compare => "compare",
            Work::Dump => "dump",
            Work::Load => "load",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Work::Copy => "copied",
            Work::Compare => "compared",
            Work::Dump => "dumped",
            Work::Load => "loaded",
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn line_of(work: Work, news: &Progress) -> Option<String> {
    match news {
        Progress::Phase(text) | Progress::Note(text) => Some(text.clone()),
        Progress::TableStarted { name, rows_estimate, bytes_estimate, bytes_done, .. } => {
            let (rows, bytes) = (words::count(*rows_estimate), words::bytes(*bytes_estimate));
            Some(match bytes_done {
                0 => format!("{} {name}: about {rows} rows, {bytes}", work.verb()),
                _ => format!("go on with {name}: {} of about {rows} rows, {bytes}", words::bytes(*bytes_done)),
            })
        }
        Progress::TableDone { name } => Some(format!("{} {name}", work.done())),
        Progress::Rows { .. } | Progress::Elsewhere { .. } | Progress::AtOnce { .. } => None,
    }
}

/// The numbers behind the show.
struct Tally {
    began: Instant,
    bytes_expected: u64,
    /// Rows and bytes that are on the target, those of earlier runs included.
    rows: u64,
    bytes: u64,
    /// Bytes that earlier runs have copied; they say nothing about this one's rate.
    bytes_before: u64,
    tables: BTreeMap<TableName, TableTally>,
    /// Chunks copied at once; 0 where nothing is copied.
    at_once: usize,
    /// Bytes at earlier moments within [`RATE_WINDOW`], oldest first; at most one a quarter second.
    samples: VecDeque<(Instant, u64)>,
}

#[derive(Default)]
struct TableTally {
    bytes_estimate: u64,
    bytes: u64,
    is_done: bool,
}

impl Tally {
    fn new(now: Instant, bytes_expected: u64) -> Tally {
        Tally {
            began: now,
            bytes_expected,
            rows: 0,
            bytes: 0,
            bytes_before: 0,
            tables: BTreeMap::new(),
            at_once: 0,
            samples: VecDeque::from([(now, 0)]),
        }
    }

    fn take(&mut self, news: &Progress, now: Instant) {
        match news {
            Progress::Phase(_) | Progress::Note(_) => {}
            Progress::AtOnce { chunks } => self.at_once = *chunks,
            Progress::TableStarted { name, bytes_estimate, rows_done, bytes_done, .. } => {
                let table = self.tables.entry(name.clone()).or_default();
                table.bytes_estimate = *bytes_estimate;
                table.bytes = *bytes_done;
                self.rows += rows_done;
                self.bytes += bytes_done;
                self.bytes_before += bytes_done;
            }
            Progress::Rows { name, rows, bytes } => {
                self.tables.entry(name.clone()).or_default().bytes += bytes;
                self.rows += rows;
                self.bytes += bytes;
                self.sample(now);
            }
            Progress::Elsewhere { rows, bytes } => {
                self.rows += rows;
                self.bytes += bytes;
                self.sample(now);
            }
            Progress::TableDone { name } => {
                let table = self.tables.entry(name.clone()).or_default();
                table.is_done = true;
                // What the estimate was wrong by no longer counts as still to come, or as too much.
                self.bytes_expected = (self.bytes_expected + table.bytes).saturating_sub(table.bytes_estimate);
            }
        }
    }

    fn copied(&self) -> u64 {
        self.bytes - self.bytes_before
    }

    fn sample(&mut self, now: Instant) {
        if self.samples.back().is_none_or(|(at, _)| now.duration_since(*at) >= BAR_EVERY) {
            self.samples.push_back((now, self.copied()));
        }
        while self.samples.len() > 1 && now.duration_since(self.samples[0].0) > RATE_WINDOW {
            self.samples.pop_front();
        }
    }

    fn has_begun(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Returns bytes a second over the last seconds.
    fn rate(&self, now: Instant) -> f64 {
        let Some((since, bytes)) = self.samples.front() else { return 0.0 };
        let seconds = now.duration_since(*since).as_secs_f64();
        if seconds > 0.0 { (self.copied() - bytes) as f64 / seconds } else { 0.0 }
    }

    fn line(&self, now: Instant) -> String {
        let done = self.tables.values().filter(|table| table.is_done).count();
        let rate = self.rate(now);
        let mut line = format!(
            "{done} of {} tables begun are done, {} rows, {} of about {}, {}/s",
            self.tables.len(),
            words::count(self.rows),
            words::bytes(self.bytes),
            words::bytes(self.bytes_expected.max(self.bytes)),
            words::bytes(rate as u64)
        );
        let left = self.bytes_expected.saturating_sub(self.bytes);
        if left > 0 && self.at_once > 0 {
            line.push_str(&format!(" over {} connections", self.at_once));
        }
        if left > 0 && rate >= 1.0 {
            let eta = Duration::from_secs_f64((left as f64 / rate).min(1e9));
            line.push_str(&format!(", about {} left", words::span(eta)));
        } else if left > 0 {
            line.push_str(", nothing arrives");
        }
        line
    }

    fn summary(&self, work: Work, now: Instant) -> String {
        let took = now.duration_since(self.began);
        let rate = self.copied() as f64 / took.as_secs_f64().max(0.001);
        format!(
            "{} rows, {} {} in {} ({}/s)",
            words::count(self.rows),
            words::bytes(self.copied()),
            work.done(),
            words::span(took),
            words::bytes(rate as u64)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> TableName {
        TableName::new("shop", "orders")
    }

    fn started(bytes_estimate: u64, rows_done: u64, bytes_done: u64) -> Progress {
        Progress::TableStarted { name: orders(), rows_estimate: 1_000, bytes_estimate, rows_done, bytes_done }
    }

    fn rows(rows: u64, bytes: u64) -> Progress {
        Progress::Rows { name: orders(), rows, bytes }
    }

    #[test]
    fn a_line_tells_amount_rate_and_what_is_left() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut tally = Tally::new(start, 10 << 20);
        tally.take(&started(10 << 20, 0, 0), start);
        tally.take(&rows(400, 4 << 20), at(2));
        let line = tally.line(at(2));
        assert_eq!(
            line,
            "0 of 1 tables begun are done, 400 rows, 4.0 MiB of about 10.0 MiB, 2.0 MiB/s, about 3 s left"
        );
        assert!(tally.line(at(60)).contains("KiB/s"), "a link that stands still is seen to: {}", tally.line(at(60)));
        tally.take(&Progress::TableDone { name: orders() }, at(61));
        assert_eq!(tally.bytes_expected, 4 << 20, "a wrong estimate does not leave bytes to come");
        assert_eq!(tally.summary(Work::Copy, at(64)), "400 rows, 4.0 MiB copied in 1 min 4 s (64.0 KiB/s)");
    }

    #[test]
    fn what_an_earlier_run_copied_counts_as_done_but_not_as_speed() {
        let start = Instant::now();
        let mut tally = Tally::new(start, 10 << 20);
        tally.take(&started(10 << 20, 800, 8 << 20), start);
        tally.take(&rows(100, 1 << 20), start + Duration::from_secs(1));
        let line = tally.line(start + Duration::from_secs(1));
        assert!(line.contains("900 rows, 9.0 MiB of about 10.0 MiB, 1.0 MiB/s, about 1 s left"), "{line}");
    }

    #[test]
    fn the_samples_behind_the_rate_are_bounded() {
        let start = Instant::now();
        let mut tally = Tally::new(start, 0);
        for step in 0..100_000u64 {
            tally.take(&rows(1, 1), start + Duration::from_millis(step));
        }
        assert!(tally.samples.len() as u128 <= RATE_WINDOW.as_millis() / BAR_EVERY.as_millis() + 2);
    }
}
