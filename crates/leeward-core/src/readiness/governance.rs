//! GOV-01 and 02: has anybody tried it, and how long did it take? Answered by the record of a drill that people keep.

use super::cloud::{Drill, DrillKind};
use super::facts::ReadinessFacts;
use super::outcome::{Answer, Missing};
use super::page::{duration, time};
use super::reading::{Finding, Reading};

const HOW: &str = "try it, write down what was measured (docs/readiness.md, Drills) and name the file: --drill FILE, or \
                   drill = \"…\" in leeward.toml";

fn drill<'a>(facts: &'a ReadinessFacts, reading: &mut Reading) -> Result<&'a Drill, Missing> {
    let drill = reading.of(&facts.drill)?;
    if drill.ended > facts.now {
        let why = format!("the drill's record says that it ended at {}, which is to come", time(drill.ended));
        return Err(Missing::with_remedy(why, "correct its times: they are UTC"));
    }
    Ok(drill)
}

/// GOV-01: the last drill passed, not long ago. Going through the runbook with a finger shows less than doing it.
pub(super) fn last_drill(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let found = drill(facts, &mut reading)?;
    let checks = &facts.settings.checks;
    let age_s = u64::try_from((facts.now - found.ended).num_seconds()).unwrap_or(0);
    let ago = duration(i64::try_from(age_s.saturating_mul(1000)).unwrap_or(i64::MAX));
    let actual = format!("{} by {}, ended {} ({ago} ago)", kind(found.kind), found.by, time(found.ended));
    let finding = if !found.passed {
        Finding::Fail(format!("{actual}: failed"), "mend what it showed, and repeat it".to_owned())
    } else if age_s > checks.drill_age_fail_s {
        Finding::Fail(actual, HOW.to_owned())
    } else if age_s > checks.drill_age_warn_s || found.kind == DrillKind::Tabletop {
        Finding::Warn(actual, HOW.to_owned())
    } else {
        Finding::Pass(format!("{actual}: passed"))
    };
    Ok(reading.found(facts.now, finding))
}

/// GOV-02: taking over lasted no longer than the objective when it was last tried.
pub(super) fn measured_rto(facts: &ReadinessFacts) -> Answer {
    let mut reading = Reading::default();
    let found = drill(facts, &mut reading)?;
    let wanted_s = facts.settings.rto_s;
    let shown = |seconds: u64| duration(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX));
    let Some(took_s) = found.takeover_s else {
        let actual = format!("the last drill ({}) measured no duration", kind(found.kind));
        return Ok(reading.found(facts.now, Finding::Fail(actual, HOW.to_owned())));
    };
    let actual = format!("{} in the drill of {}, {} wanted", shown(took_s), found.began.date(), shown(wanted_s));
    let factor = took_s as f64 / wanted_s.max(1) as f64;
    let shorten = "take steps out of the runbook, automate the longest, or set objectives.rto to what is true";
    let finding = if factor <= 1.0 {
        Finding::Pass(actual)
    } else if factor <= facts.settings.checks.rto_warn_factor {
        Finding::Warn(actual, shorten.to_owned())
    } else {
        Finding::Fail(actual, shorten.to_owned())
    };
    Ok(reading.found(facts.now, finding))
}

fn kind(kind: DrillKind) -> &'static str {
    match kind {
        DrillKind::Tabletop => "tabletop drill",
        DrillKind::Restore => "restore drill",
        DrillKind::Switch => "switch drill",
    }
}
