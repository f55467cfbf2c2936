//! The status as text. Remedies are printed in full, never cut to a column.

use std::fmt::Write;
use std::time::Duration;

use chrono::NaiveDateTime;
use leeward_core::traffic::BothSides;

use super::status::{
    CarriedStatus, LaneStatus, LaneWord, StatusReport, TableStatus, TableWord, TrafficStatus, WorkerStatus, WorkerWord,
};
use super::text::{Paint, Tone, lines};
use super::words::{self, printable};

/// Holders of the fence that are named; the oldest ones explain the wait.
const HOLDERS_SHOWN: usize = 5;

impl StatusReport {
    /// Returns the report for people.
    pub fn text(&self, paint: Paint) -> String {
        let StatusReport { schema: _, now, lane, worker, fence, tables, left_out, traffic, events } = self;
        let mut text = headline(lane, paint);
        let _ = writeln!(text, "{}", worker_line(worker, lane.state, paint));
        if let Some(why) = &fence.unproved {
            let line = format!("marks are not proved, a window is read again instead: {why}");
            let _ = writeln!(text, "{}", paint.tone(Tone::Warning, &line));
        }
        for holder in fence.holders.iter().take(HOLDERS_SHOWN) {
            let who = holder.thread.map_or("a prepared transaction".to_owned(), |thread| format!("thread {thread}"));
            let since = holder.since.map(|since| format!(", open since {}", words::moment(since))).unwrap_or_default();
            let _ = writeln!(text, "marks wait for {who} of {} on the source{since}", printable(&holder.account));
        }
        text.push_str(&traffic_lines(traffic));
        if !tables.is_empty() {
            let _ = writeln!(text, "\n{}", table_list(tables, *now, paint));
        }
        for table in tables {
            text.push_str(&person_needed(table, paint));
        }
        for table in left_out {
            let _ = writeln!(
                text,
                "\n{} is not copied\n  what to do: {}",
                printable(&table.name),
                printable(&table.remedy)
            );
        }
        if !events.is_empty() {
            let _ = writeln!(text, "\nLast events, newest first:");
            for event in events {
                let on = event
                    .event
                    .table
                    .as_ref()
                    .map(|table| format!(" {}", printable(&table.to_string())))
                    .unwrap_or_default();
                let (at, kind) = (words::moment(event.at), &event.event.kind);
                let _ = writeln!(text, "  {at}  {kind}{on}: {}", printable(&event.event.text));
            }
        }
        text
    }
}

/// Says what has passed over the wire: bytes that leave a Region are paid for.
fn traffic_lines(TrafficStatus { seed, day }: &TrafficStatus) -> String {
    let mut text = String::new();
    let amounts = |carried: &BothSides| {
        let (read, sent) = (words::bytes(carried.source.read), words::bytes(carried.target.sent));
        format!("{read} read from the source, {sent} sent to the target")
    };
    if let Some(CarriedStatus { at, carried }) = seed {
        let _ = writeln!(text, "carried for the seed that ended {}: {}", words::moment(*at), amounts(carried));
    }
    if let Some(CarriedStatus { at, carried }) = day {
        let _ = writeln!(text, "carried by sync since {}: {}", words::moment(*at), amounts(carried));
    }
    text
}

fn headline(lane: &LaneStatus, paint: Paint) -> String {
    let name = &lane.name;
    let lag = lane.lag_ms.map(|ms| words::span(Duration::from_millis(ms)));
    let (tone, says) = match (lane.state, &lag) {
        (LaneWord::Absent, _) => (Tone::Bad, "nothing has been seeded into this target".to_owned()),
        (LaneWord::Seeding, _) => (Tone::Warning, format!("lane {name} is being seeded")),
        (LaneWord::Live, Some(lag)) => (Tone::Good, format!("lane {name} is live, {lag} behind the source")),
        (LaneWord::Live, None) => (Tone::Bad, format!("lane {name} is live, but its cut is not known")),
        (LaneWord::CatchingUp, Some(lag)) => {
            (Tone::Warning, format!("lane {name} is catching up; it was last consistent {lag} ago"))
        }
        (LaneWord::CatchingUp, None) => {
            (Tone::Warning, format!("lane {name} is catching up; its tables were never consistent with each other"))
        }
        (LaneWord::Blocked, Some(lag)) => (Tone::Bad, format!("lane {name} is blocked, {lag} behind the source")),
        (LaneWord::Blocked, None) => (Tone::Bad, format!("lane {name} is blocked")),
    };
    let mut text = paint.bold(&paint.tone(tone, &says)) + "\n";
    if let Some(reason) = &lane.reason {
        let _ = writeln!(text, "  why: {}", printable(reason));
    }
    if let Some(remedy) = &lane.remedy {
        let _ = writeln!(text, "  what to do: {}", printable(remedy));
    }
    if let Some(cut_at) = lane.cut_at {
        let _ = writeln!(
            text,
            "last consistent cut: {} by the source's clock, cycle {}",
            words::moment(cut_at),
            lane.cycle
        );
    }
    if let Some(seed) = &lane.seed {
        let (done, rows, bytes) = (words::count(seed.chunks_done), words::count(seed.rows), words::bytes(seed.bytes));
        let _ =
            writeln!(text, "copied so far: {done} of {} known chunks, {rows} rows, {bytes}", words::count(seed.chunks));
        let _ = match seed.helpers {
            0 => Ok(()),
            1 => writeln!(text, "1 other process shares the copy"),
            more => writeln!(text, "{more} other processes share the copy"),
        };
    }
    if !lane.plan_hash.is_empty() {
        let _ = writeln!(text, "plan: {}", lane.plan_hash);
    }
    text
}

fn worker_line(worker: &WorkerStatus, lane: LaneWord, paint: Paint) -> String {
    let holder = printable(worker.holder.as_deref().unwrap_or("an unnamed process"));
    let ago = words::span(Duration::from_secs(worker.renewed_s_ago.unwrap_or(0)));
    match worker.state {
        WorkerWord::Running => format!("worked on by {holder}, last heard of {ago} ago"),
        WorkerWord::Silent => {
            paint.tone(Tone::Bad, &format!("{holder} holds the lease but was last heard of {ago} ago: start it again"))
        }
        WorkerWord::Promoted => "the target was promoted: nobody may write to it any more".to_owned(),
        WorkerWord::None if lane == LaneWord::Absent => "no process is at work".to_owned(),
        WorkerWord::None => {
            let again = if lane == LaneWord::Seeding { "leeward seed" } else { "leeward sync" };
            paint.tone(Tone::Warning, &format!("no process is at work: run `{again}`"))
        }
    }
}

fn table_list(tables: &[TableStatus], now: NaiveDateTime, paint: Paint) -> String {
    let mut list =
        paint.table(&["TABLE", "STATE", "STRATEGY", "ROWS APPLIED", "AT CUT", "DELETES", "ALL ROWS COMPARED", "FOUND"]);
    let ago = |at: Option<NaiveDateTime>| match at {
        Some(at) => format!("{} ago", words::span(words::between(at, now))),
        None => "never".to_owned(),
    };
    for table in tables {
        let (tone, state) = match table.state {
            TableWord::Quarantined => (Tone::Bad, "quarantined"),
            TableWord::Planned => (Tone::Warning, "planned"),
            TableWord::Seeding => (Tone::Warning, "seeding"),
            TableWord::CatchingUp => (Tone::Warning, "catching up"),
            TableWord::Joining => (Tone::Warning, "joining"),
            TableWord::Live => (Tone::Good, "live"),
        };
        list.add_row(vec![
            paint.cell(Tone::Plain, printable(&table.name)),
            paint.cell(tone, state),
            paint.cell(Tone::Plain, table.strategy.map_or("-".to_owned(), |strategy| strategy.to_string())),
            paint.cell(Tone::Plain, words::count(table.rows_applied)),
            paint.cell(Tone::Plain, ago(table.cut_at)),
            paint.cell(Tone::Plain, ago(table.deletes_as_of)),
            paint.cell(Tone::Plain, ago(table.verified_since)),
            paint.cell(Tone::Plain, words::count(table.last_pass_differences)),
        ]);
    }
    lines(&list)
}

fn person_needed(table: &TableStatus, paint: Paint) -> String {
    let mut text = String::new();
    if table.state == TableWord::Quarantined {
        let reason = table.reason.as_deref().unwrap_or("no reason is known");
        let says = printable(&format!("{} is quarantined: {reason}", table.name));
        let _ = writeln!(text, "\n{}", paint.tone(Tone::Bad, &says));
        if let Some(remedy) = &table.remedy {
            let _ = writeln!(text, "  what to do: {}", printable(remedy));
        }
    }
    if let Some(beside) = &table.beside {
        let says = printable(&format!("{} has another definition beside its rows: {beside}", table.name));
        let _ = writeln!(text, "\n{}", paint.tone(Tone::Warning, &says));
    }
    text.push_str(&doubts(table, paint));
    text
}

/// Says where a table is less sure than it was planned to be, and why.
fn doubts(table: &TableStatus, paint: Paint) -> String {
    let mut text = String::new();
    let name = printable(&table.name);
    let class = table.class.map(|class| class.to_string()).unwrap_or_default();
    if !table.contradictions.is_empty() {
        let found: Vec<String> = table
            .contradictions
            .iter()
            .map(|shown| {
                let last = shown.last_at.map(|at| format!(", last seen {}", words::moment(at))).unwrap_or_default();
                format!("{} rows {}{last}", words::count(shown.rows), shown.what.phrase())
            })
            .collect();
        let says = format!("{name} is not as sure as planned ({class}, confidence low now): {}", found.join("; "));
        let _ = writeln!(text, "\n{}", paint.tone(Tone::Warning, &says));
        let _ = writeln!(text, "  what to do: run `leeward plan` again, which takes this into account");
    }
    if let Some(from) = table.demoted_from {
        let strategy = table.strategy.map(|strategy| strategy.to_string()).unwrap_or_default();
        let says = format!("{name} was planned as {from}, which did not hold: it is kept as {class} by {strategy}");
        let _ = writeln!(text, "\n{}", paint.tone(Tone::Warning, &says));
        let _ =
            writeln!(text, "  what to do: nothing is lost; confirm it with the next `leeward plan` and `leeward seed`");
    }
    text
}
