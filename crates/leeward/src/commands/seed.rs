//! `leeward seed`: the first copy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leeward_core::dump::DumpKind;
use leeward_core::fault::Fault;
use leeward_core::plan::Plan;
use leeward_core::port::Servers;
use leeward_core::survey::Survey;
use leeward_engine::budget::Budget;
use leeward_engine::dump::{self as engine_dump, Archive, Begin, DumpOptions, Shows};
use leeward_engine::load::{FromDump, TheSource};
use leeward_engine::progress::{Progress, Tell};
use leeward_engine::seed::{self, COMPARING, COPYING, Found, Others, SeedOptions, SeedReport, SeedRole, Until};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::traffic::Ledger;
use super::{Desk, dump, planning, witness};
use crate::cli::SeedArgs;
use crate::config::store::StoreUrl;
use crate::progress::{Show, Work};
use crate::report::transfer::Transfer;
use crate::report::words;
use crate::{Answer, Failure, report, shutdown, wire};

/// Age from which on the look at the source that was taken beside the copy is taken again at the end: the second one is then
/// a small part of the whole.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Seeds the target. The answer is no when a table was left for a person.
///
/// # Errors
/// Whatever keeps the copy from being finished; run it again to go on.
pub async fn run(desk: &Desk, args: &SeedArgs) -> Result<Answer, Failure> {
    let stop = shutdown::listen()?;
    let planned = async {
        match &args.plan {
            Some(path) => planning::read(desk, path).await,
            None => {
                let survey = planning::survey(desk).await?;
                Ok((planning::plan(desk, &survey)?, survey))
            }
        }
    };
    // The way to the source is measured meanwhile.
    let (servers, (), (plan, survey)) =
        tokio::try_join!(wire::servers_for_rows(&desk.settings), planning::refuse_same_server(desk), planned)?;
    let options = SeedOptions {
        claim: wire::claim(&desk.settings),
        found: if args.adopt { Found::Adopt } else { Found::Refuse },
        others: if args.join { Others::Join } else { Others::Wait },
        parallel: args.parallel.map(usize::from),
        max_source_load: args.max_source_load,
        budget: Budget::new(desk.settings.memory_bytes),
        until: Until::Live,
    };
    let lane = plan.settings.lane.clone();
    let bytes = plan.tables.iter().map(|table| table.data_bytes).sum();
    let show = Show::start(&desk.screen, Work::Copy, bytes);
    let heard = Heard { show: show.as_ref(), copies: CancellationToken::new() };
    let unneeded = CancellationToken::new();
    let via = match &args.via {
        Some(url) => Some(Via::open(desk, url, args).await?),
        None => None,
    };
    let seeding = async {
        let report = match &via {
            Some(via) => via.seed(&servers, (plan, &survey), &options, (&heard, &stop)).await,
            None => seed::run(&servers, (plan, &survey.objects), &options, &heard, &stop).await,
        };
        match &report {
            Ok(report) if report.role == SeedRole::Led => heard.copies.cancel(),
            _ => unneeded.cancel(),
        }
        report
    };
    let looking = async {
        heard.copies.cancelled().await;
        let began = Instant::now();
        witness::look_once(&desk.settings, &lane).await;
        began
    };
    let (report, looked_at) = tokio::join!(seeding, unneeded.run_until_cancelled(looking));
    show.finish();
    let report = report?;
    if looked_at.is_some_and(|at| at.elapsed() > LOOK_AGAIN_AFTER) {
        witness::look_once(&desk.settings, &lane).await;
    }
    if report.role == SeedRole::Led {
        Ledger::new(&desk.settings, &lane, servers.clone()).await?.end_seed().await;
    }
    let transfer = Transfer::of(servers.as_ref(), (&wire::place(&desk.settings), &desk.settings.prices));
    let outcome = SeedOutcome { report, transfer };
    report::write(desk.talk, &outcome, || text(&outcome))?;
    Ok(if outcome.report.quarantined.is_empty() { Answer::Yes } else { Answer::No })
}

/// A store by whose way rows come.
struct Via {
    archive: Archive,
    options: DumpOptions,
}

impl Via {
    async fn open(desk: &Desk, url: &StoreUrl, args: &SeedArgs) -> Result<Via, Failure> {
        let options = DumpOptions {
            kind: DumpKind::Seed,
            shows: Shows::Spread(Begin::Anew),
            parallel: args.parallel.map(usize::from),
            max_source_load: args.max_source_load,
            budget: Budget::new(desk.settings.memory_bytes),
            maker: dump::maker(desk, ""),
        };
        Ok(Via { archive: dump::archive(desk, url).await?, options })
    }

    /// Dumps, seeds from the dump, and takes the dump away.
    async fn seed(
        &self,
        servers: &Arc<dyn Servers>,
        (plan, survey): (Plan, &Survey),
        options: &SeedOptions,
        (tell, stop): (&dyn Tell, &CancellationToken),
    ) -> Result<SeedReport, Fault> {
        seed::refuse(servers.as_ref(), &plan, options).await?;
        let mut dumping = self.options.clone();
        dumping.maker.server.clone_from(&survey.server.version_text);
        let objects = survey.objects.as_slice();
        let manifest =
            engine_dump::for_seed(servers.as_ref(), &self.archive, (&plan, objects), dumping, (tell, stop)).await?;
        let id = manifest.id.clone();
        let from: Arc<dyn Servers> =
            Arc::new(FromDump::new(servers.clone(), self.archive.clone(), manifest, TheSource::There));
        let report = seed::run(&from, (plan, objects), options, tell, stop).await?;
        self.archive.remove(&id).await?;
        Ok(report)
    }
}

/// Passes on what a seed tells, and hears when its copy begins, or its comparison where nothing is copied.
struct Heard<'a> {
    show: &'a dyn Tell,
    copies: CancellationToken,
}

impl Tell for Heard<'_> {
    fn tell(&self, progress: Progress) {
        if matches!(&progress, Progress::Phase(text) if text == COPYING || text == COMPARING) {
            self.copies.cancel();
        }
        self.show.tell(progress);
    }
}

/// What a seed did, and what has passed over the wire for it.
#[derive(Debug, Serialize)]
struct SeedOutcome {
    #[serde(flatten)]
    report: SeedReport,
    transfer: Option<Transfer>,
}

fn text(SeedOutcome { report, transfer }: &SeedOutcome) -> String {
    let mut lines = vec![match report.role {
        SeedRole::Led => format!(
            "Seeded {} tables: {} rows ({}) copied, {} rows compared, {} of them brought up to date.",
            report.tables,
            report.rows,
            words::bytes(report.bytes),
            report.rows_compared,
            report.rows_repaired
        ),
        SeedRole::Helped => format!(
            "Helped to seed {} tables: {} rows ({}) copied here; another process has compared every row.",
            report.tables,
            report.rows,
            words::bytes(report.bytes)
        ),
    }];
    lines.extend(transfer.as_ref().map(|transfer| transfer.line(Some(report.bytes))));
    if report.rows_elsewhere > 0 {
        lines.push(format!("{} rows were copied by other processes.", report.rows_elsewhere));
    }
    if report.waited_s > 0 {
        lines.push(format!("{} s were spent waiting for the source to be less busy.", report.waited_s));
    }
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    for (name, reason, remedy) in &report.quarantined {
        lines.push(format!("! {name} was left out: {reason}"));
        lines.push(format!("  what to do: {remedy}"));
    }
    lines.push("Next: `leeward sync` keeps it in step.".to_owned());
    lines.join("\n")
}
