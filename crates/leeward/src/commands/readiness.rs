//! `leeward readiness`: could the target take over now? Everything is collected here and judged in `leeward-core`. The
//! source may be gone: then what the last process saw of it stands in, with its age.

mod asked;
mod beside;
mod drill;
mod former;
mod past;
mod upload;

use anyhow::Context;
use chrono::NaiveDateTime;
use leeward_core::doctor::Unreached;
use leeward_core::fault::Fault;
use leeward_core::lane::{LaneRecord, TableRecord};
use leeward_core::name::{Side, TableName};
use leeward_core::plan::Plan;
use leeward_core::policy::{CHECKS, Policy, Settings};
use leeward_core::port::{Control, LeaseRecord};
use leeward_core::readiness::cloud::{self, Cloud};
use leeward_core::readiness::{self, Beside, Contact, Dated, Fallback, Past, ReadinessFacts, Seen, SideState};
use leeward_core::server::Observed;
use leeward_core::survey::ObjectFacts;
use leeward_core::traffic::Traffic;

use self::asked::Asked;
use super::{Desk, dump, traffic, witness};
use crate::cli::ReadinessArgs;
use crate::config::Mistakes;
use crate::config::resolve::MetricsForm;
use crate::config::store::StoreUrl;
use crate::report::readiness::Rendered;
use crate::service::emf;
use crate::wire::sight::{self, Look, Scope};
use crate::{Answer, Failure, report, wire};

/// Prints the verdict, or what a check is about. The answer is yes when the target could take over, with warnings or without.
///
/// # Errors
/// When the target was not given, or stdout cannot be written. A target that cannot be read is not ready.
pub async fn run(desk: &Desk, args: &ReadinessArgs) -> Result<Answer, Failure> {
    if let Some(id) = &args.explain {
        return explain(desk, id);
    }
    let asked = Asked::of(args)?;
    let mut seen = look(desk, args).await?;
    ask_others(desk, args, &mut seen.facts).await;
    let mut traffic = Traffic::default();
    if let Some(control) = &mut seen.control {
        former::keep_or_recall(control.as_mut(), &mut seen.facts).await;
        // Without it the cost says less, and the verdict the same.
        traffic = traffic::read(control.as_mut(), &seen.facts.lane_name).await.unwrap_or_default();
    }
    let cost = readiness::reckon(&seen.facts, &traffic, (&desk.settings.prices, wire::place(&desk.settings)));
    let verdict = asked.compared(readiness::judge(&seen.facts).with_cost(cost))?;
    let rendered = Rendered::of(&verdict)?;
    asked.save(&rendered)?;
    report::write(desk.talk, &verdict, || readiness::render_text(&verdict))?;
    if desk.settings.metrics == MetricsForm::Emf {
        let line = emf::readiness_line(&verdict, chrono::Utc::now().naive_utc());
        report::text::print(&line).context("write the numbers to stdout")?;
    }
    if let Some(control) = seen.control {
        past::store(control, &seen.facts, &verdict).await;
    }
    // Last of all: on the worst day the verdict must not wait for a bucket.
    if let Some(url) = &args.upload {
        upload::store(desk, url, &seen.facts, &rendered).await?;
    }
    Ok(if verdict.exit_code() == 0 { Answer::Yes } else { Answer::No })
}

fn explain(desk: &Desk, id: &str) -> Result<Answer, Failure> {
    let Some(explanation) = readiness::explain(id) else {
        let mut mistakes = Mistakes::default();
        mistakes.missing(format!("there is no check {id:?}; there are {}", CHECKS.join(", ")));
        return Err(Failure::Mistakes(mistakes));
    };
    report::write(desk.talk, &explanation, || explanation.render_text())?;
    Ok(Answer::Yes)
}

/// Asks AWS, reads the last drill, and looks for snapshots. What is asked is known only once it is known by which policy is judged, which may be
/// the stored plan's.
async fn ask_others(desk: &Desk, args: &ReadinessArgs, facts: &mut ReadinessFacts) {
    facts.cloud = wire::cloud(&desk.settings, &facts.settings, facts.now).await;
    facts.drill = drill::read(desk, facts.now);
    if let Some(url) = &args.snapshots {
        facts.fallback = Some(fallback(desk, url, &facts.lane_name).await);
    }
}

/// A place that cannot be looked at is no reason to keep the rest from being judged.
async fn fallback(desk: &Desk, url: &StoreUrl, lane: &str) -> Fallback {
    let looked = async { Ok::<_, Failure>(dump::archive(desk, url).await?.whole().await?) };
    let dumps = looked.await.map_err(|failure| match failure {
        Failure::Fault(fault) => fault.to_string(),
        Failure::Machine(error) => format!("{error:#}"),
        Failure::Mistakes(mistakes) => mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    });
    Fallback::of(&url.to_string(), dumps.as_deref().map_err(Clone::clone), lane)
}

/// What was seen, and the connection over which the control schema was read, if there is one.
struct Looked {
    facts: ReadinessFacts,
    control: Option<Box<dyn Control>>,
}

async fn look(desk: &Desk, args: &ReadinessArgs) -> Result<Looked, Failure> {
    let policy = &desk.settings.policy;
    let lane = &policy.settings().lane;
    let blind = |fault: &Fault| {
        let Unreached { what, remedy } = Unreached::of(fault, Side::Target);
        tracing::error!(remedy, "{what}");
        // There is no other clock to be had.
        let facts = ReadinessFacts::unseen(chrono::Utc::now().naive_utc(), lane, policy.settings().clone(), &what);
        Looked { facts, control: None }
    };
    let target = match wire::endpoint(&desk.settings, Side::Target).await {
        Ok(target) => target,
        Err(Failure::Fault(fault)) => return Ok(blind(&fault)),
        Err(failure) => return Err(failure),
    };
    let (mut written, control) = match Written::read(&target, lane).await {
        Ok(read) => read,
        Err(fault) => return Ok(blind(&fault)),
    };
    let here = (written.now, control.is_some());
    let (beside, made) = beside::look(desk, &target, here, args.evidence.as_deref()).await;
    if let Some(made) = made {
        written.plan = made.map(Some);
    }
    let plan = written.plan.as_ref().ok().and_then(Option::as_ref);
    let schemas: Vec<String> = match plan {
        Some(plan) => plan.schemas.iter().map(|schema| schema.name.clone()).collect(),
        None => desk.settings.databases.clone(),
    };
    let planned: Vec<TableName> =
        plan.iter().flat_map(|plan| &plan.tables).map(|planned| planned.name().clone()).collect();
    let scope = Scope { at: written.now, schemas: &schemas, planned: &planned };
    let (source, target) = tokio::join!(look_at_source(desk, scope), sight::look(&target, scope));
    let settings = settings(policy, plan.map(|plan| &plan.settings));
    let facts = ReadinessFacts { beside, ..written.with(lane, settings, (source, target)) };
    Ok(Looked { facts, control })
}

/// Returns by what is judged. The policy that is given now says what is wanted now; without one it is what the plan was
/// made by.
fn settings(policy: &Policy, made_by: Option<&Settings>) -> Settings {
    let given = policy.settings();
    match made_by {
        None => given.clone(),
        Some(made_by) if given == Policy::builtin().settings() => made_by.clone(),
        Some(made_by) => Settings {
            rpo_s: given.rpo_s,
            rto_s: given.rto_s,
            platform: given.platform,
            checks: given.checks.clone(),
            cloud: given.cloud.clone(),
            waivers: given.waivers.clone(),
            ..made_by.clone()
        },
    }
}

async fn look_at_source(desk: &Desk, scope: Scope<'_>) -> Result<Look, String> {
    match wire::endpoint(&desk.settings, Side::Source).await {
        Ok(source) => sight::look(&sight::impatient(source), scope).await.map_err(|fault| fault.to_string()),
        Err(Failure::Fault(fault)) => Err(fault.to_string()),
        Err(Failure::Mistakes(_)) => Err("its address is not configured here, so it was not asked".to_owned()),
        Err(Failure::Machine(error)) => Err(error.to_string()),
    }
}

/// What is written down on the target, and its clock after all of it was read: nothing in it lies in the future.
struct Written {
    now: NaiveDateTime,
    plan: Result<Option<Plan>, Fault>,
    lane: Result<Option<LaneRecord>, Fault>,
    tables: Result<Vec<TableRecord>, Fault>,
    lease: Result<Option<LeaseRecord>, Fault>,
    staged: Result<Vec<ObjectFacts>, Fault>,
    /// The source as it was last seen, or why nothing is known of that.
    source: Result<SideState, String>,
    silent_since: Option<NaiveDateTime>,
    past: Result<Past, Fault>,
}

impl Written {
    /// Reads everything, one after the other over one connection, and hands it back unless there is nothing to write to. A
    /// part that cannot be read costs no other part.
    ///
    /// # Errors
    /// When the target cannot be reached, or breaks off.
    async fn read(
        target: &leeward_mysql::endpoint::Endpoint,
        lane: &str,
    ) -> Result<(Written, Option<Box<dyn Control>>), Fault> {
        let mut control = wire::control(target).await?;
        if !control.exists().await? {
            let written = Written {
                now: control.now().await?,
                plan: Ok(None),
                lane: Ok(None),
                tables: Ok(Vec::new()),
                lease: Ok(None),
                staged: Ok(Vec::new()),
                source: Err("nothing of it was ever stored".to_owned()),
                silent_since: None,
                past: Ok(Past::default()),
            };
            return Ok((written, None));
        }
        // The lane's record comes before the tables': a cycle committed in between makes tables look newer, never the
        // lane.
        let lane_record = control.lane(lane).await;
        let tables = control.tables(lane).await;
        let lease = control.lease_holder(lane).await;
        let plan = control.plan(lane).await;
        let staged = control.objects().await;
        let source = witness::source_state(control.as_mut(), lane).await;
        let applied_at = lane_record.as_ref().ok().and_then(Option::as_ref).and_then(|record| record.applied_at);
        // A cut that was applied later shows that the source had answered again.
        let silent_since = silence(control.as_mut(), lane).await.filter(|since| Some(*since) > applied_at);
        let past = past::read(control.as_mut(), lane).await;
        let now = control.now().await?;
        let written = Written { now, plan, lane: lane_record, tables, lease, staged, source, silent_since, past };
        Ok((written, Some(control)))
    }

    fn with(
        self,
        lane: &str,
        settings: Settings,
        (source, target): (Result<Look, String>, Result<Look, Fault>),
    ) -> ReadinessFacts {
        let now = self.now;
        let target = target.map_err(|fault| fault.to_string());
        let clock_difference_ms = match (offset_ms(&source), offset_ms(&target)) {
            (Ok(source), Ok(target)) => Observed::Known(Dated { at: now, value: source.saturating_sub(target) }),
            (Err(why), _) | (_, Err(why)) => Observed::Unknown(why),
        };
        let contact = match &source {
            Ok(_) => Contact::Answers,
            Err(why) => Contact::Silent { since: self.silent_since, why: why.clone() },
        };
        let source = match (source, self.source) {
            (Ok(look), _) => look.state,
            (Err(_), Ok(stored)) => stored,
            (Err(now), Err(stored)) => SideState::unseen(&format!("{now}; {stored}")),
        };
        ReadinessFacts {
            now,
            lane_name: lane.to_owned(),
            settings,
            plan: dated(now, self.plan),
            lane: dated(now, self.lane),
            tables: dated(now, self.tables),
            lease: dated(now, self.lease),
            staged: dated(now, self.staged),
            clock_difference_ms,
            past: dated(now, self.past),
            contact,
            source,
            target: target.map_or_else(|why| SideState::unseen(&why), |look| look.state),
            cloud: Cloud::untold("it was not asked yet"),
            drill: cloud::Asked::untold("it was not read yet"),
            beside: Beside::unseen("it was not looked at yet"),
            fallback: None,
        }
    }
}

async fn silence(control: &mut dyn Control, lane: &str) -> Option<NaiveDateTime> {
    match witness::silent_since(control, lane).await {
        Ok(since) => since,
        Err(fault) => {
            // The verdict stands without it: the loss is then told from now on.
            tracing::warn!(%fault, "since when the source is silent is not known");
            None
        }
    }
}

/// Returns a server's clock less this machine's, milliseconds.
fn offset_ms(look: &Result<Look, String>) -> Result<i64, String> {
    match look {
        Err(why) => Err(why.clone()),
        Ok(look) => match &look.clock {
            Observed::Known(clock) => Ok(clock.offset_ms),
            Observed::Unknown(why) => Err(why.clone()),
        },
    }
}

fn dated<T>(at: NaiveDateTime, read: Result<T, Fault>) -> Seen<T> {
    match read {
        Ok(value) => Observed::Known(Dated { at, value }),
        Err(fault) => Observed::Unknown(fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use leeward_core::policy::Platform;

    use super::*;

    #[test]
    fn a_policy_given_now_judges_and_leaves_to_the_plan_what_the_engine_does() {
        let parse = |text| Policy::parse(text, "policy.toml").unwrap();
        let made_by = parse("version = 1\nplatform = \"self-managed\"\n[seed]\nparallel = 3");
        let made_by = made_by.settings();
        assert_eq!(&settings(&Policy::builtin(), Some(made_by)), made_by);
        let now = settings(&parse("version = 1\n[objectives]\nrpo = \"9s\"\n[seed]\nparallel = 9"), Some(made_by));
        assert_eq!((now.rpo_s, now.platform, now.seed.parallel), (9, Platform::Rds, Some(3)));
    }
}
