//! `leeward seed`: the first copy.

use leeward_engine::seed::{self, Found, Others, SeedOptions, SeedReport, SeedRole};

use super::{Desk, planning, witness};
use crate::cli::SeedArgs;
use crate::progress::{Show, Work};
use crate::report::words;
use crate::{Answer, Failure, report, shutdown, wire};

/// Seeds the target. The answer is no when a table was left for a person.
///
/// # Errors
/// Whatever keeps the copy from being finished; run it again to go on.
pub async fn run(desk: &Desk, args: &SeedArgs) -> Result<Answer, Failure> {
    let stop = shutdown::listen()?;
    planning::refuse_same_server(desk).await?;
    let servers = wire::servers(&desk.settings).await?;
    let (plan, survey) = match &args.plan {
        Some(path) => planning::read(desk, path).await?,
        None => {
            let survey = planning::survey(desk).await?;
            (planning::plan(desk, &survey)?, survey)
        }
    };
    let options = SeedOptions {
        claim: wire::claim(&desk.settings),
        found: if args.adopt { Found::Adopt } else { Found::Refuse },
        others: if args.join { Others::Join } else { Others::Wait },
        parallel: args.parallel.map(usize::from),
    };
    let lane = plan.settings.lane.clone();
    let bytes = plan.tables.iter().map(|table| table.data_bytes).sum();
    let show = Show::start(&desk.screen, Work::Copy, bytes);
    let report = seed::run(&servers, (plan, &survey.objects), &options, show.as_ref(), &stop).await;
    show.finish();
    let report = report?;
    if report.role == SeedRole::Led {
        witness::look_once(&desk.settings, &lane).await;
    }
    report::write(desk.talk, &report, || text(&report))?;
    Ok(if report.quarantined.is_empty() { Answer::Yes } else { Answer::No })
}

fn text(report: &SeedReport) -> String {
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
    if report.rows_elsewhere > 0 {
        lines.push(format!("{} rows were copied by other processes.", report.rows_elsewhere));
    }
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    for (name, reason, remedy) in &report.quarantined {
        lines.push(format!("! {name} was left out: {reason}"));
        lines.push(format!("  what to do: {remedy}"));
    }
    lines.push("Next: `leeward sync` keeps it in step.".to_owned());
    lines.join("\n")
}
