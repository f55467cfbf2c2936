//! Lines of worst ages over time, as geometry for an SVG and as the same numbers in a grid. The scale is logarithmic: what is
//! wanted, what is usual and what an outage brings lie decades apart, and all three must be legible.

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use leeward_core::measure;
use leeward_core::readiness::{Point, duration};

/// Below this, an age is drawn as if it were this: nobody wants an RPO of less, and the scale needs a floor.
const FLOOR_MS: f64 = 100.0;

/// Width and height of the plot's own coordinates; the page stretches them.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 150.0;

/// Ages that may be marked beside the plot.
const MARKS: [(f64, &str); 9] = [
    (100.0, "0.1 s"),
    (1_000.0, "1 s"),
    (10_000.0, "10 s"),
    (60_000.0, "1 min"),
    (600_000.0, "10 min"),
    (3_600_000.0, "1 h"),
    (21_600_000.0, "6 h"),
    (86_400_000.0, "1 day"),
    (864_000_000.0, "10 days"),
];

/// Least distance of two marks, in the plot's height of [`HEIGHT`], at which their labels do not touch.
const MARK_GAP: f64 = 16.0;

/// A scale for ages, shared by everything that is measured against one objective.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    top_ms: f64,
    objective_ms: f64,
}

impl Scale {
    /// Returns a scale that holds the objective and all ages.
    pub fn new(objective_s: u64, ages_ms: impl Iterator<Item = f64>) -> Scale {
        let objective_ms = (objective_s as f64 * 1000.0).max(FLOOR_MS);
        let top_ms = ages_ms.fold(objective_ms, f64::max) * 2.0;
        Scale { top_ms: top_ms.max(10_000.0), objective_ms }
    }

    /// Returns where an age lies between nothing (0) and the top (1).
    pub fn share(self, age_ms: f64) -> f64 {
        let span = (self.top_ms / FLOOR_MS).ln();
        ((age_ms.max(FLOOR_MS) / FLOOR_MS).ln() / span).clamp(0.0, 1.0)
    }

    /// Returns where the objective lies.
    pub fn objective(self) -> f64 {
        self.share(self.objective_ms)
    }

    fn y(self, age_ms: f64) -> f64 {
        HEIGHT * (1.0 - self.share(age_ms))
    }
}

/// A mark on an axis.
pub struct Tick {
    /// Where, in the plot's height or in hundredths of its width.
    pub at: String,
    /// What is written beside it.
    pub label: String,
    /// Which part of the text stands there, as SVG names it: at the right border a text must not leave the page.
    pub anchor: &'static str,
}

/// A line over time.
pub struct Chart {
    /// For references inside the page.
    pub id: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// The same in words, with the numbers that matter.
    pub summary: String,
    /// The line, as SVG path data.
    pub line: String,
    /// The area below it.
    pub area: String,
    /// The parts of the line that lie beyond the objective.
    pub beyond: String,
    /// Height of the objective.
    pub objective_y: String,
    /// Where the objective's label stands.
    pub objective_label_y: String,
    /// Marks of age.
    pub ages: Vec<Tick>,
    /// Marks of time.
    pub times: Vec<Tick>,
    /// The same numbers.
    pub grid: Grid,
}

/// Numbers as a table.
pub struct Grid {
    /// What the table holds.
    pub caption: &'static str,
    /// Heads of its columns, that of the first one included.
    pub heads: Vec<&'static str>,
    /// Its rows, each with a head.
    pub rows: Vec<(String, Vec<Cell>)>,
}

/// One number of a grid.
#[derive(Clone, Default)]
pub struct Cell {
    /// What is printed; empty where nothing was measured.
    pub text: String,
    /// Whether it lies beyond the objective.
    pub is_beyond: bool,
}

/// The window of a chart and how finely it is drawn.
struct Window {
    from: NaiveDateTime,
    point_s: i64,
    seconds: f64,
}

impl Window {
    fn x(&self, at: NaiveDateTime) -> f64 {
        let share = (at - self.from).num_milliseconds() as f64 / 1000.0 / self.seconds;
        (share * WIDTH).clamp(0.0, WIDTH)
    }
}

/// Draws the last day.
pub fn day(points: &[Point], now: NaiveDateTime, scale: Scale) -> Chart {
    let window = Window { from: now - TimeDelta::days(1), point_s: 900, seconds: 86_400.0 };
    let hour = now.date().and_hms_opt(now.hour() / 4 * 4, 0, 0).unwrap_or(now);
    // A sixth mark just inside the left border would run into the next.
    let marks = (0..6).map(|back| hour - TimeDelta::hours(4 * back)).filter(|at| window.x(*at) > WIDTH / 20.0);
    let times = marks.map(|at| tick(&window, at, "%H:%M")).rev().collect();
    let heads = vec!["Hour (UTC)", ":00", ":15", ":30", ":45"];
    let cell_of = |at: NaiveDateTime| {
        (at.format("%Y-%m-%d %H:00").to_string(), usize::try_from(at.minute() / 15).unwrap_or_default())
    };
    let caption = "Oldest age of the last consistent cut in each quarter of an hour";
    let grid = Grid { caption, heads, rows: rows(points, scale, 4, cell_of) };
    chart(("rpo-day", "Last 24 hours"), points, &window, scale, (times, grid))
}

/// Draws the last ninety days.
pub fn quarter(points: &[Point], now: NaiveDateTime, scale: Scale) -> Chart {
    let from = (now - TimeDelta::days(90)).date().and_hms_opt(0, 0, 0).unwrap_or(now);
    let window = Window { from, point_s: 86_400, seconds: 91.0 * 86_400.0 };
    let marks = (0..6).map(|step| from + TimeDelta::days(8 + 15 * step));
    let times = marks.map(|at| tick(&window, at, "%b %-d")).collect();
    let heads = vec!["Week from", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let cell_of = |at: NaiveDateTime| {
        let weekday = at.weekday().num_days_from_monday();
        let monday: NaiveDate = at.date() - TimeDelta::days(i64::from(weekday));
        (monday.to_string(), usize::try_from(weekday).unwrap_or_default())
    };
    let caption = "Oldest age of the last consistent cut on each day (UTC)";
    let grid = Grid { caption, heads, rows: rows(points, scale, 7, cell_of) };
    chart(("rpo-quarter", "Last 90 days"), points, &window, scale, (times, grid))
}

fn chart(
    (id, title): (&'static str, &'static str),
    points: &[Point],
    window: &Window,
    scale: Scale,
    (times, grid): (Vec<Tick>, Grid),
) -> Chart {
    let (mut line, mut area, mut beyond) = (String::new(), String::new(), String::new());
    let mut before: Option<NaiveDateTime> = None;
    for point in points {
        let end = point.at + TimeDelta::seconds(window.point_s);
        let (left, right, y) = (window.x(point.at), window.x(end), scale.y(point.worst_ms as f64));
        // A gap stays one: nothing was applied then, and its cost shows in the point that ends it.
        let joins = before == Some(point.at);
        line.push_str(&if joins { format!("V{y:.1}H{right:.1}") } else { format!("M{left:.1} {y:.1}H{right:.1}") });
        area.push_str(&format!("M{left:.1} {HEIGHT}V{y:.1}H{right:.1}V{HEIGHT}Z"));
        if point.worst_ms as f64 > scale.objective_ms {
            beyond.push_str(&format!("M{left:.1} {y:.1}H{right:.1}"));
        }
        before = Some(end);
    }
    let objective_y = scale.y(scale.objective_ms);
    Chart {
        id,
        title,
        summary: summary(points, scale),
        line,
        area,
        beyond,
        objective_y: format!("{objective_y:.1}"),
        // Above its line, unless that would leave the plot.
        objective_label_y: format!("{:.1}", if objective_y > 16.0 { objective_y - 5.0 } else { objective_y + 14.0 }),
        ages: ages(scale),
        times,
        grid,
    }
}

fn summary(points: &[Point], scale: Scale) -> String {
    let Some(worst) = points.iter().max_by_key(|point| point.worst_ms) else {
        return "Nothing was measured in this time.".to_owned();
    };
    let mut all: Vec<u64> = points.iter().map(|point| point.worst_ms).collect();
    all.sort_unstable();
    let beyond = points.iter().filter(|point| point.worst_ms as f64 > scale.objective_ms).count();
    let text = |ms: u64| duration(i64::try_from(ms).unwrap_or(i64::MAX));
    let told = match beyond {
        0 => "none of them beyond the objective".to_owned(),
        some => format!("{some} of them beyond the objective"),
    };
    format!(
        "{}, {told}. Half of them at most {}; the worst {}, from {} UTC.",
        measure::counted(points.len() as u64, "point"),
        text(all[all.len() / 2]),
        text(worst.worst_ms),
        worst.at.format("%Y-%m-%d %H:%M")
    )
}

/// Chooses marks that fit, from the bottom up.
fn ages(scale: Scale) -> Vec<Tick> {
    let mut ticks = Vec::new();
    let mut last = f64::INFINITY;
    for (age_ms, label) in MARKS.iter().filter(|(age_ms, _)| *age_ms <= scale.top_ms) {
        let y = scale.y(*age_ms);
        if last - y >= MARK_GAP {
            ticks.push(Tick { at: format!("{y:.1}"), label: (*label).to_owned(), anchor: "end" });
            last = y;
        }
    }
    ticks
}

fn tick(window: &Window, at: NaiveDateTime, form: &str) -> Tick {
    let hundredths = window.x(at) * 100.0 / WIDTH;
    let anchor = if hundredths > 95.0 { "end" } else { "middle" };
    Tick { at: format!("{hundredths:.2}"), label: at.format(form).to_string(), anchor }
}

/// Arranges points in rows; a row without any is left out.
fn rows(
    points: &[Point],
    scale: Scale,
    columns: usize,
    cell_of: impl Fn(NaiveDateTime) -> (String, usize),
) -> Vec<(String, Vec<Cell>)> {
    let mut rows: Vec<(String, Vec<Cell>)> = Vec::new();
    for point in points {
        let (head, column) = cell_of(point.at);
        if rows.last().is_none_or(|(last, _)| *last != head) {
            rows.push((head, vec![Cell::default(); columns]));
        }
        if let Some(cell) = rows.last_mut().and_then(|(_, cells)| cells.get_mut(column)) {
            cell.text = duration(i64::try_from(point.worst_ms).unwrap_or(i64::MAX));
            cell.is_beyond = point.worst_ms as f64 > scale.objective_ms;
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
    }

    fn point(text: &str, worst_ms: u64) -> Point {
        Point { at: at(text), worst_ms }
    }

    #[test]
    fn a_line_breaks_where_nothing_was_applied_and_marks_what_is_beyond() {
        let now = at("2026-11-20 12:07:00");
        let points = [
            point("2026-11-20 09:00:00", 900),
            point("2026-11-20 09:15:00", 1_400),
            point("2026-11-20 11:00:00", 4_500_000),
        ];
        let scale = Scale::new(60, points.iter().map(|point| point.worst_ms as f64));
        let chart = day(&points, now, scale);
        assert_eq!(chart.line.matches('M').count(), 2, "{}", chart.line);
        assert_eq!(chart.beyond.matches('M').count(), 1, "{}", chart.beyond);
        assert!(chart.summary.contains("1 of them beyond the objective"), "{}", chart.summary);
        assert!(chart.summary.contains("the worst 75 min, from 2026-11-20 11:00 UTC"), "{}", chart.summary);
        let rows: Vec<&str> = chart.grid.rows.iter().map(|(head, _)| head.as_str()).collect();
        assert_eq!(rows, ["2026-11-20 09:00", "2026-11-20 11:00"]);
        assert_eq!(chart.grid.rows[0].1[1].text, "1.4 s");
        assert!(chart.grid.rows[1].1[0].is_beyond && chart.grid.rows[1].1[1].text.is_empty());
    }

    #[test]
    fn every_age_lies_within_the_plot() {
        let scale = Scale::new(60, [3e9].into_iter());
        for age_ms in [0.0, 1.0, 60_000.0, 3e9, 9e12] {
            assert!((0.0..=1.0).contains(&scale.share(age_ms)), "{age_ms}");
        }
        assert!(scale.share(61_000.0) > scale.objective());
        let heights: Vec<f64> = ages(scale).iter().map(|tick| tick.at.parse().unwrap()).collect();
        assert!(heights.windows(2).all(|pair| pair[0] - pair[1] >= MARK_GAP - 0.1), "{heights:?}");
    }

    #[test]
    fn weeks_begin_on_monday() {
        let chart =
            quarter(&[point("2026-11-18 00:00:00", 5)], at("2026-11-20 12:00:00"), Scale::new(60, [].into_iter()));
        assert_eq!(chart.grid.rows[0].0, "2026-11-16");
        assert_eq!(chart.grid.rows[0].1[2].text, "0.0 s");
    }
}
