//! Figures: what was measured, as often as it was, and how they are shown. Pure.

use std::fmt::Write;

/// Columns of the table of figures.
const COLUMNS: usize = 7;

/// The figures of one case.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// The case's name.
    pub(super) slug: String,
    command: String,
    machine: String,
    notes: Vec<String>,
    figures: Vec<Figure>,
}

/// One thing that was measured.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    /// The server, with its version.
    server: String,
    what: String,
    unit: &'static str,
    /// One value a run; none when it could not be measured, which is shown as such.
    values: Vec<f64>,
    /// What is good enough.
    target: Option<Target>,
}

/// What is good enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// The median may be this large: a time, of which one bad run proves nothing.
    Median(f64),
    /// No run may be larger: a bound that is promised.
    EveryRun(f64),
}

impl Section {
    pub(super) fn new(slug: &str, command: &str, machine: &str) -> Section {
        Section {
            slug: slug.to_owned(),
            command: command.to_owned(),
            machine: machine.to_owned(),
            notes: Vec::new(),
            figures: Vec::new(),
        }
    }

    /// Adds a figure and shows it at once: a long benchmark should not be silent.
    pub(super) fn add(&mut self, figure: Figure) {
        eprintln!("bench:   {}: {} {}", figure.what, figure.spread(), figure.unit);
        self.figures.push(figure);
    }

    /// Adds a sentence about how the figures came about, once.
    pub(super) fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|known| known == note) {
            self.notes.push(note.to_owned());
        }
    }

    /// Returns the section as Markdown, which reads well on a terminal too.
    pub(super) fn text(&self) -> String {
        let mut text = format!("`{}`\n\n{}\n\n", self.command, self.machine);
        let head = ["server", "what", "median (min to max)", "runs", "unit", "target", "kept"].map(str::to_owned);
        let rows: Vec<[String; COLUMNS]> =
            std::iter::once(head).chain(self.figures.iter().map(Figure::cells)).collect();
        let widths: Vec<usize> =
            (0..COLUMNS).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
        for (at, row) in rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {} |", cells.join(" | "));
            if at == 0 {
                let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
                let _ = writeln!(text, "| {} |", rule.join(" | "));
            }
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }
}

impl Figure {
    /// Makes a figure without a target.
    pub(super) fn new(server: &str, what: &str, unit: &'static str, values: Vec<f64>) -> Figure {
        Figure { server: server.to_owned(), what: what.to_owned(), unit, values, target: None }
    }

    /// Says what is good enough.
    pub(super) fn within(self, target: Target) -> Figure {
        Figure { target: Some(target), ..self }
    }

    fn cells(&self) -> [String; COLUMNS] {
        let (target, kept) = match self.target {
            None => ("-".to_owned(), "-"),
            Some(Target::Median(most) | Target::EveryRun(most)) if self.values.is_empty() => {
                (format!("≤ {}", short(most)), "not measured")
            }
            Some(Target::Median(most)) => (format!("≤ {}", short(most)), kept(median(&self.values) <= most)),
            Some(Target::EveryRun(most)) => {
                (format!("≤ {} in every run", short(most)), kept(self.values.iter().all(|&value| value <= most)))
            }
        };
        [
            self.server.clone(),
            self.what.clone(),
            self.spread(),
            self.values.len().to_string(),
            self.unit.to_owned(),
            target,
            kept.to_owned(),
        ]
    }

    fn spread(&self) -> String {
        if self.values.is_empty() {
            return "not measured".to_owned();
        }
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{} ({} to {})", short(median(&self.values)), short(least), short(most))
    }
}

fn kept(is_kept: bool) -> &'static str {
    if is_kept { "yes" } else { "NO" }
}

/// Returns the median; the mean of the middle two of an even number.
pub(super) fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// Returns the value below which the given share of the values lies, between two by proportion.
pub(super) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

/// Writes a number with three digits that mean something.
fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_lie_between_their_neighbours() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(percentile(&[0.0, 10.0], 0.95), 9.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn what_was_not_measured_is_neither_kept_nor_missed() {
        for target in [Target::Median(1.0), Target::EveryRun(1.0)] {
            let cells = Figure::new("MariaDB 1", "lag", "s", Vec::new()).within(target).cells();
            assert_eq!((cells[2].as_str(), cells[6].as_str()), ("not measured", "not measured"));
        }
    }

    #[test]
    fn a_missed_target_is_shown_as_missed() {
        let mut section = Section::new("lag", "cargo x bench lag", "2 cores");
        let figure = |values: &[f64], target| Figure::new("MariaDB 1", "lag", "s", values.to_vec()).within(target);
        section.add(figure(&[0.5, 0.25, 1.75], Target::Median(1.0)));
        section.add(figure(&[1.5], Target::Median(1.0)));
        section.add(figure(&[0.5, 0.25, 1.75], Target::EveryRun(1.0)));
        section.note("a note");
        section.note("a note");
        let text = section.text();
        let line = |start: &str| text.lines().find(|line| line.contains(start)).unwrap().to_owned();
        assert!(line("≤ 1.00  ").ends_with("| yes  |"), "{text}");
        assert!(line("1.50 (1.50 to 1.50)").ends_with("| NO   |"), "{text}");
        assert!(line("in every run").ends_with("| NO   |"), "{text}");
        assert_eq!(text.matches("a note").count(), 1);
    }
}
