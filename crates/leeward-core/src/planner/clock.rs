//! Judges the columns that might say when a row last changed.
//!
//! What is safe? `merge` reads `clock >= mark`, where the mark is a time on the source's own clock up to which
//! everything is known to be committed. So a row is missed, until the scrub finds it, when its stamp lies *below* the
//! mark although it was written after it. From that follows:
//!
//! - NULL lies below every mark. A column in which NULLs were seen, or which inserts leave NULL, is no clock at all.
//! - A stamp in the future lies above every mark: the row is read again in each cycle, which costs but loses nothing.
//!   But the server never stamps so, hence someone else writes the column, who may as well stamp the past. Where the
//!   server keeps the column otherwise it stays a clock of low confidence; where the application does, it is not a
//!   time of change at all (a due date, say).
//! - A stamp taken by the application is older than the statement that carries it, by as much as the application's
//!   clock is off and its transaction lasts. No look at the source's threads bounds that, so a window below the mark is
//!   read again (`overlap_s`) even where the fence is proved.
//! - `DATETIME` stamps are in the time zone of the session that wrote them; marks are in UTC. West of Greenwich every
//!   stamp lies hours below the mark. `TIMESTAMP` does not have this fault.
//! - InnoDB's cascades and an UPDATE that names the column leave a stamp behind (T5).

use crate::class::Confidence;
use crate::mark::Contradiction;
use crate::planner::advice;
use crate::planner::subject::{Extent, Subject, TriggerHint, same};
use crate::server::Observed;
use crate::survey::ClockEvidence;
use crate::table::{Column, Nullability};

/// A temporal column with a judgement on it.
pub(super) struct Clock<'a> {
    pub(super) column: &'a Column,
    pub(super) keeper: Keeper,
    /// An index that begins with the column.
    pub(super) index: Option<&'a str>,
    pub(super) confidence: Confidence,
    /// Why it is believed, then what weakens it.
    pub(super) reasons: Vec<String>,
    pub(super) advice: Vec<String>,
    /// Why it cannot be relied on, if so.
    pub(super) unusable: Option<String>,
    /// What another definition could do for it.
    remedy: Remedy<'a>,
}

/// What another definition of a column could do for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Remedy<'a> {
    /// Nothing is wrong with it.
    NotNeeded,
    /// Let the server keep it, as a column of this type.
    ServerKept(&'a str),
    /// It means something else and must stay as it is.
    Impossible,
}

/// Whether a column is looked at for its own sake or because the policy names it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// It is a clock only if it looks like one.
    ByNobody,
    /// It is one, whatever its name.
    ByPolicy,
}

/// Who sets the column.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Keeper {
    /// The server at insert; nobody at update. A clock only where rows are not updated.
    ServerAtInsert,
    /// The application, as far as the column's name tells.
    Application,
    /// The server at update, the application at insert.
    ServerAtUpdate,
    /// The server, always.
    Server,
}

/// Parts of names that people give to times of change.
const CHANGE_WORDS: [&str; 7] = ["updat", "modif", "chang", "last_write", "mtime", "touched", "edited"];

/// Returns all columns that could be clocks, the best first: usable before unusable, then by confidence, then the more
/// precise, then the one that stands first.
pub(super) fn clocks<'a>(subject: &Subject<'a>) -> Vec<Clock<'a>> {
    let mut found: Vec<Clock<'a>> =
        subject.seen.table.columns.iter().filter_map(|column| assess(subject, column, Named::ByNobody)).collect();
    // The sort is stable, so columns that are equal in all this stay in the table's order.
    found.sort_by_key(|clock| {
        let rank = (clock.unusable.is_none(), clock.keeper, clock.confidence, clock.index.is_some(), clock.column.fsp);
        std::cmp::Reverse(rank)
    });
    found
}

/// Judges a column as a clock; nothing if it cannot be one. A column that the policy names is one whatever its name.
pub(super) fn assess<'a>(subject: &Subject<'a>, column: &'a Column, named: Named) -> Option<Clock<'a>> {
    if !is_temporal(column) {
        return None;
    }
    let keeper = match (keeper(column), named) {
        (Some(keeper), _) => keeper,
        (None, Named::ByPolicy) => Keeper::Application,
        (None, Named::ByNobody) => return None,
    };
    let mut clock = Clock {
        column,
        keeper,
        index: subject.index_on(column),
        confidence: Confidence::High,
        reasons: vec![belief(column, keeper)],
        advice: Vec::new(),
        unusable: None,
        remedy: Remedy::NotNeeded,
    };
    let evidence = subject.seen.clocks.iter().find(|seen| same(&seen.column, &column.name));
    clock.weigh_keeper(subject);
    clock.weigh_nulls(subject, evidence);
    clock.weigh_future(evidence);
    clock.weigh_time_zone(subject);
    clock.weigh_precision();
    clock.weigh_silent_changes(subject);
    clock.advise(subject);
    Some(clock)
}

/// Returns whether a column can hold a clock's stamps: a stored date with a time of day.
pub(super) fn is_temporal(column: &Column) -> bool {
    ["datetime", "timestamp"].contains(&column.data_type.as_str()) && column.generated.is_none()
}

/// Returns whether only inserts stamp the column.
pub(super) fn stamped_at_insert_only(column: &Column) -> bool {
    keeper(column) == Some(Keeper::ServerAtInsert)
}

fn keeper(column: &Column) -> Option<Keeper> {
    let name = column.name.to_ascii_lowercase();
    match (column.on_update_now, stamped_by_default(column)) {
        (true, true) => Some(Keeper::Server),
        (true, false) => Some(Keeper::ServerAtUpdate),
        (false, _) if CHANGE_WORDS.iter().any(|word| name.contains(word)) => Some(Keeper::Application),
        (false, true) => Some(Keeper::ServerAtInsert),
        (false, false) => None,
    }
}

/// Returns whether an INSERT that leaves the column out stamps it with the server's clock.
fn stamped_by_default(column: &Column) -> bool {
    let default = column.default.as_deref().unwrap_or_default().trim_start_matches('(').to_ascii_lowercase();
    ["current_timestamp", "now(", "localtime"].iter().any(|now| default.starts_with(now))
}

/// Returns whether an INSERT that leaves the column out stamps it with a constant. MariaDB prints no default as `NULL`.
fn stamped_by_constant(column: &Column) -> bool {
    let default = column.default.as_deref().unwrap_or("NULL");
    !default.eq_ignore_ascii_case("NULL") && !stamped_by_default(column)
}

fn belief(column: &Column, keeper: Keeper) -> String {
    let name = &column.name;
    match keeper {
        Keeper::Server => format!("the server keeps {name}: DEFAULT and ON UPDATE CURRENT_TIMESTAMP"),
        Keeper::ServerAtUpdate => {
            format!("the server keeps {name} at updates (ON UPDATE CURRENT_TIMESTAMP), the application at inserts")
        }
        Keeper::Application => format!("{name} is written by the application: the fence cannot prove it"),
        Keeper::ServerAtInsert => format!("the server stamps {name} at inserts; no update moves it"),
    }
}

impl<'a> Clock<'a> {
    /// Returns whether the application has a hand in the stamps, so that a window is read again.
    pub(super) fn needs_overlap(&self) -> bool {
        matches!(self.keeper, Keeper::Application | Keeper::ServerAtUpdate)
    }

    /// Returns whether asking it in every cycle burdens the source.
    pub(super) fn costly(&self, subject: &Subject<'_>) -> bool {
        self.index.is_none() && subject.extent() == Extent::Large
    }

    fn weaken(&mut self, to_at_most: Confidence, because: String) {
        self.confidence = self.confidence.min(to_at_most);
        self.reasons.push(because);
    }

    fn weigh_keeper(&mut self, subject: &Subject<'_>) {
        let name = self.column.name.clone();
        match self.keeper {
            Keeper::Server => {}
            Keeper::ServerAtInsert => self.confidence = Confidence::Medium,
            Keeper::Application | Keeper::ServerAtUpdate => {
                self.confidence = Confidence::Medium;
                self.remedy = Remedy::ServerKept(&self.column.data_type);
            }
        }
        match subject.trigger_on(self.column) {
            Some(TriggerHint::Names(trigger)) => {
                self.weaken(Confidence::Medium, format!("trigger {trigger} names {name} and may write it"));
            }
            Some(TriggerHint::Unread(trigger)) => {
                let text = format!("trigger {trigger} may write {name}: its text could not be read");
                self.weaken(Confidence::Medium, text);
            }
            None => {}
        }
    }

    fn weigh_nulls(&mut self, subject: &Subject<'_>, evidence: Option<&ClockEvidence>) {
        let name = &self.column.name;
        if stamped_by_constant(self.column) && self.keeper != Keeper::Application {
            self.unusable = Some(format!("inserts stamp {name} with a constant, which no mark reaches"));
        }
        if self.column.nullable == Nullability::NotNull {
            return;
        }
        // That an empty table holds no NULL says nothing of the rows to come.
        let seen = evidence.map(|evidence| &evidence.has_nulls).filter(|_| subject.seen.rows_at_least > 0);
        match seen {
            Some(Observed::Known(true)) => {
                self.unusable = Some(format!("{name} is NULL in some rows, which no mark ever reaches"));
            }
            Some(Observed::Known(false)) => {
                let text =
                    format!("{name} allows NULL; no row holds one now, but one that did would wait for the scrub");
                self.weaken(Confidence::Medium, text);
            }
            Some(Observed::Unknown(_)) | None if stamped_by_default(self.column) => {
                let text = format!("{name} allows NULL, and whether rows hold one is not known");
                self.weaken(Confidence::Low, text);
            }
            Some(Observed::Unknown(_)) | None => {
                self.unusable = Some(format!("inserts may leave {name} NULL, which no mark ever reaches"));
            }
        }
        self.remedy = Remedy::ServerKept(&self.column.data_type);
    }

    fn weigh_future(&mut self, evidence: Option<&ClockEvidence>) {
        let name = &self.column.name;
        match evidence.map(|evidence| &evidence.has_future) {
            Some(Observed::Known(false)) => {}
            Some(Observed::Known(true)) if self.keeper == Keeper::Application => {
                self.unusable = Some(format!("{name} lies in the future in some rows, so it is no time of change"));
                self.remedy = Remedy::Impossible;
            }
            Some(Observed::Known(true)) => {
                let text = format!(
                    "{name} lies in the future in some rows: they are read again in every cycle, and whoever wrote \
                     them may stamp the past as well"
                );
                self.weaken(Confidence::Low, text);
            }
            Some(Observed::Unknown(_)) | None => {
                let text = format!("whether {name} lies in the future in some rows is not known");
                self.weaken(Confidence::Medium, text);
            }
        }
    }

    fn weigh_time_zone(&mut self, subject: &Subject<'_>) {
        if self.column.data_type != "datetime" {
            return;
        }
        let name = &self.column.name;
        let zone = source_zone(subject);
        if !matches!(zone, Zone::Utc) && self.remedy != Remedy::Impossible {
            self.remedy = Remedy::ServerKept("timestamp");
        }
        if self.keeper == Keeper::Application {
            let text = format!("{name} is a DATETIME: the application must write it in UTC, which cannot be seen");
            return self.weaken(Confidence::Low, text);
        }
        match zone {
            Zone::Utc => {}
            Zone::Other(zone) => {
                let text = format!("{name} is a DATETIME stamped in the server's time zone {zone}, not in UTC");
                self.unusable = Some(text);
            }
            Zone::Unknown => {
                let text = format!("{name} is a DATETIME, and whether the server's time zone is UTC is not known");
                self.weaken(Confidence::Low, text);
            }
        }
    }

    fn weigh_precision(&mut self) {
        if self.column.fsp == 0 {
            let text = format!("{} counts whole seconds, so two changes within one look alike", self.column.name);
            self.weaken(Confidence::Medium, text);
            if self.remedy == Remedy::NotNeeded {
                self.remedy = Remedy::ServerKept(&self.column.data_type);
            }
        }
    }

    fn weigh_silent_changes(&mut self, subject: &Subject<'_>) {
        let name = &self.column.name;
        if let Some((key, rule)) = subject.silent_cascade() {
            let text = format!("foreign key {key} ({rule}) changes rows without moving {name}; the scrub finds them");
            self.weaken(Confidence::Medium, text);
        }
        if subject.shown(&[Contradiction::ChangedBehindClock]) {
            if self.keeper == Keeper::ServerAtInsert {
                self.unusable = Some(format!("comparisons have found rows changed, which {name} does not tell"));
            }
            let rows = subject.found_rows(&[Contradiction::ChangedBehindClock]);
            self.weaken(Confidence::Low, format!("comparisons have found {rows} changed without {name} moving"));
        }
        if subject.shown(&[Contradiction::AddedBehindMark]) {
            let name = &self.column.name;
            let rows = subject.found_rows(&[Contradiction::AddedBehindMark]);
            self.weaken(Confidence::Low, format!("comparisons have found {rows} added with {name} below the mark"));
        }
    }

    /// Collects the advice last, so that one definition mends NULLs, precision and time zone at once.
    fn advise(&mut self, subject: &Subject<'_>) {
        if self.remedy == Remedy::Impossible {
            return;
        }
        if self.index.is_none() {
            self.advice.push(advice::index(&subject.seen.table, self.column));
        }
        if let Remedy::ServerKept(data_type) = self.remedy
            && self.keeper != Keeper::ServerAtInsert
        {
            self.advice.push(advice::server_kept_clock(&subject.seen.table.name, &self.column.name, data_type));
        }
    }
}

enum Zone<'a> {
    Utc,
    Other(&'a str),
    Unknown,
}

/// Returns the time zone in which the source stamps DATETIME columns, unless a session asks for another.
fn source_zone<'a>(subject: &Subject<'a>) -> Zone<'a> {
    const UTC: [&str; 8] = ["UTC", "+00:00", "-00:00", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Universal"];
    let variable = |name: &str| subject.survey.server.variables.get(name).map(String::as_str);
    let zone = match variable("time_zone") {
        Some(zone) if zone.eq_ignore_ascii_case("SYSTEM") => variable("system_time_zone"),
        zone => zone,
    };
    match zone {
        None | Some("") => Zone::Unknown,
        Some(zone) if UTC.iter().any(|utc| zone.eq_ignore_ascii_case(utc)) => Zone::Utc,
        Some(zone) => Zone::Other(zone),
    }
}
