//! Which faults come, in which order and how long: all of it drawn from the seed, none of it from what happens. Pure.

use std::time::Duration;

use leeward_testkit::proxy::Direction;
use leeward_testkit::workload::SplitMix64;

use crate::Form;

/// One of the two servers, or the link to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Target,
}

/// What can happen to a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkFault {
    /// Every connection is reset.
    Reset,
    /// Connections are reset, and new ones refused for a while.
    Refuse(Duration),
    /// Nothing passes for a while, and no socket closes.
    Stall(Duration),
    /// Nothing passes in one direction for a while.
    HalfOpen(Direction, Duration),
    /// The link is cut in mid-stream, after so many more bytes in one direction.
    CutAfter(Direction, u64),
    /// The connection is reset before the server sees the text.
    CutBeforeRequest(&'static str),
    /// The server acts on the text, and its answer is lost.
    CutBeforeAnswer(&'static str),
}

/// What can happen to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerFault {
    /// It is killed, as by a crash, and recovers.
    Crash,
    /// It is shut down in good order.
    Stop,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The working process is killed (SIGKILL), and another is started at once.
    Kill,
    /// A second process is started beside the first; a while later the first is killed.
    Two(Duration),
    /// The working process is frozen (SIGSTOP) until another has taken over, and then wakes.
    Pause,
    Link(Side, LinkFault),
    Server(Side, ServerFault, Duration),
    /// The target takes no writes for a while.
    ReadOnly(Duration),
    /// The target's disk is full for a while.
    DiskFull(Duration),
}

impl Fault {
    /// Returns the name under which it is counted.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Fault::Kill => "process killed",
            Fault::Two(_) => "two processes",
            Fault::Pause => "process frozen",
            Fault::Link(Side::Source, fault) => match fault {
                LinkFault::Reset => "source link reset",
                LinkFault::Refuse(_) => "source link refused",
                LinkFault::Stall(_) => "source link silent",
                LinkFault::HalfOpen(..) => "source link half-open",
                LinkFault::CutAfter(..) => "source link cut in mid-stream",
                LinkFault::CutBeforeRequest(_) => "source link cut before a request",
                LinkFault::CutBeforeAnswer(_) => "source link cut before an answer",
            },
            Fault::Link(Side::Target, fault) => match fault {
                LinkFault::Reset => "target link reset",
                LinkFault::Refuse(_) => "target link refused",
                LinkFault::Stall(_) => "target link silent",
                LinkFault::HalfOpen(..) => "target link half-open",
                LinkFault::CutAfter(..) => "target link cut in mid-stream",
                LinkFault::CutBeforeRequest(_) => "target link cut before COMMIT",
                LinkFault::CutBeforeAnswer(_) => "target link cut before COMMIT's answer",
            },
            Fault::Server(Side::Source, ServerFault::Crash, _) => "source crashed",
            Fault::Server(Side::Source, ServerFault::Stop, _) => "source restarted",
            Fault::Server(Side::Target, ServerFault::Crash, _) => "target crashed",
            Fault::Server(Side::Target, ServerFault::Stop, _) => "target restarted",
            Fault::ReadOnly(_) => "target read-only",
            Fault::DiskFull(_) => "target disk full",
        }
    }
}

/// What the driver does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Time in which nothing is broken.
    pub(crate) calm: Duration,
    pub(crate) fault: Fault,
    /// Whether the lane is given the time to get live again; otherwise the next fault comes on top.
    pub(crate) recovers: bool,
    /// One-way delays of both links from now on.
    pub(crate) delays: (Duration, Duration),
}

/// One-way delay of the source's link at most: half of a round trip between two coasts.
const SOURCE_DELAY_MS_MAX: u64 = 35;

/// The same of the target's link: Leeward stands beside the target, and each table that changed costs a cycle several round
/// trips to it.
const TARGET_DELAY_MS_MAX: u64 = 4;

/// Of so many faults, the next one comes on top of one.
const ON_TOP_ONE_IN: u64 = 3;

/// An endless sequence of turns.
#[derive(Debug)]
pub(crate) struct Script {
    random: SplitMix64,
    /// Faults of a short run that have not come yet.
    left: Vec<Fault>,
    is_short: bool,
}

impl Script {
    pub(crate) fn new(seed: u64, form: Form) -> Script {
        let mut random = SplitMix64::new(seed ^ 0x5C41_97AD_0F0F_2B11);
        let mut left = Vec::new();
        if form == Form::Short {
            left = one_of_each(&mut random);
            // Fisher and Yates: in another order with every seed.
            for at in (1..left.len()).rev() {
                left.swap(at, random.below(at as u64 + 1) as usize);
            }
        }
        Script { random, left, is_short: form == Form::Short }
    }

    /// Returns the next turn; nothing when a short run has had each of its faults.
    pub(crate) fn next(&mut self) -> Option<Turn> {
        let random = &mut self.random;
        let fault = if self.is_short { self.left.pop()? } else { draw(random) };
        let delay = |random: &mut SplitMix64, most| Duration::from_millis(random.below(most + 1));
        let calm_ms = if self.is_short { 200 } else { 200 + random.below(2_000) };
        Some(Turn {
            calm: Duration::from_millis(calm_ms),
            recovers: random.below(ON_TOP_ONE_IN) > 0,
            delays: (delay(random, SOURCE_DELAY_MS_MAX), delay(random, TARGET_DELAY_MS_MAX)),
            fault,
        })
    }
}

fn draw(random: &mut SplitMix64) -> Fault {
    match random.below(100) {
        0..=38 => Fault::Kill,
        39..=42 => Fault::Two(between(random, 500, 3_000)),
        43..=45 => Fault::Pause,
        46..=88 => draw_link(random),
        89..=91 => Fault::Server(Side::Source, draw_server(random), between(random, 0, 2_000)),
        92..=94 => Fault::Server(Side::Target, draw_server(random), between(random, 0, 2_000)),
        95..=97 => Fault::ReadOnly(between(random, 500, 4_000)),
        _ => Fault::DiskFull(between(random, 3_000, 8_000)),
    }
}

fn draw_server(random: &mut SplitMix64) -> ServerFault {
    if random.below(3) < 2 { ServerFault::Crash } else { ServerFault::Stop }
}

fn draw_link(random: &mut SplitMix64) -> Fault {
    let side = if random.below(2) == 0 { Side::Source } else { Side::Target };
    let direction = if random.below(2) == 0 { Direction::ToServer } else { Direction::ToClient };
    let fault = match random.below(16) {
        0..=2 => LinkFault::Reset,
        3 | 4 => LinkFault::Refuse(between(random, 200, 3_000)),
        5 => LinkFault::Stall(between(random, 1_000, 7_000)),
        6 => LinkFault::HalfOpen(direction, between(random, 1_000, 7_000)),
        7..=9 => LinkFault::CutAfter(direction, 1 + random.below(60_000)),
        10..=12 => LinkFault::CutBeforeRequest(request_on(side)),
        _ => LinkFault::CutBeforeAnswer(request_on(side)),
    };
    Fault::Link(side, fault)
}

/// Returns a text that every cycle sends to a server.
fn request_on(side: Side) -> &'static str {
    match side {
        Side::Source => "START TRANSACTION WITH CONSISTENT SNAPSHOT",
        Side::Target => "COMMIT",
    }
}

fn between(random: &mut SplitMix64, least_ms: u64, most_ms: u64) -> Duration {
    Duration::from_millis(least_ms + random.below(most_ms - least_ms + 1))
}

/// Each kind of fault once, on one of the sides where there are two.
fn one_of_each(random: &mut SplitMix64) -> Vec<Fault> {
    let mut side = || if random.below(2) == 0 { Side::Source } else { Side::Target };
    let ms = Duration::from_millis;
    vec![
        Fault::Kill,
        Fault::Two(ms(500)),
        Fault::Pause,
        Fault::Link(side(), LinkFault::Reset),
        Fault::Link(side(), LinkFault::Refuse(ms(500))),
        Fault::Link(side(), LinkFault::Stall(ms(1_500))),
        Fault::Link(side(), LinkFault::HalfOpen(Direction::ToClient, ms(1_000))),
        Fault::Link(side(), LinkFault::CutAfter(Direction::ToServer, 9_000)),
        Fault::Link(Side::Source, LinkFault::CutBeforeAnswer(request_on(Side::Source))),
        Fault::Link(Side::Target, LinkFault::CutBeforeRequest(request_on(Side::Target))),
        Fault::Link(Side::Target, LinkFault::CutBeforeAnswer(request_on(Side::Target))),
        Fault::Server(side(), ServerFault::Crash, ms(0)),
        Fault::ReadOnly(ms(1_000)),
        Fault::DiskFull(ms(2_000)),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn turns(seed: u64, form: Form, count: usize) -> Vec<Turn> {
        let mut script = Script::new(seed, form);
        (0..count).map_while(|_| script.next()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_faults_and_another_seed_gives_others() {
        assert_eq!(turns(7, Form::Long, 200), turns(7, Form::Long, 200));
        assert_ne!(turns(7, Form::Long, 200), turns(8, Form::Long, 200));
    }

    #[test]
    fn an_hour_of_faults_holds_two_hundred_kills_and_two_hundred_of_the_links() {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        // One fault in seven seconds, as seen in runs.
        for turn in turns(1, Form::Long, 3_600 / 7) {
            *counts.entry(turn.fault.name()).or_default() += 1;
        }
        let of =
            |part: &str| counts.iter().filter(|(name, _)| name.contains(part)).map(|(_, count)| count).sum::<usize>();
        assert!(of("killed") + of("two") >= 200 && of("link") >= 190, "{counts:?}");
        assert_eq!(counts.len(), 23, "{counts:?}");
    }

    #[test]
    fn a_short_run_meets_each_kind_of_fault_once() {
        let names: Vec<&str> = turns(3, Form::Short, 100).iter().map(|turn| turn.fault.name()).collect();
        assert_eq!(names.len(), 14);
        let different: std::collections::BTreeSet<&&str> = names.iter().collect();
        assert_eq!(different.len(), 14, "{names:?}");
    }
}
