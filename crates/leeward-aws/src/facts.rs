//! What AWS says of both servers and of what stands around them: describing calls only, page by page, each bounded.
//!
//! Every answer stands alone. A call that fails makes its own answer unknown, names the IAM action, and leaves the others
//! as they are; an endpoint that cannot be reached is not knocked at a second time. Nothing is decided here: the checks of
//! `leeward-core` do that.

mod call;
mod ec2;
mod key;
mod metric;
mod offer;
mod place;
mod query;
mod region;
mod route53;
mod server;

#[cfg(test)]
mod tests;

use chrono::NaiveDateTime;
use leeward_core::readiness::cloud::{Asked, Cloud, CloudSide, Untold};

use crate::account::{AwsAccount, AwsSettings};
use crate::error::AwsError;
use call::Line;
pub use place::Place;

/// What AWS is to be asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// How AWS is reached.
    pub settings: AwsSettings,
    /// Where the source is.
    pub source: Place,
    /// Where the target is.
    pub target: Place,
    /// The class that the target must grow to; nothing for the source's own.
    pub takeover_class: Option<String>,
    /// Hosted zone and name of the record by which applications find the database.
    pub record: Option<(String, String)>,
    /// The target's clock, by which every answer is dated.
    pub at: NaiveDateTime,
}

/// Asks AWS everything. It never fails: what could not be found out says why.
pub async fn ask(question: &Question) -> Cloud {
    let at = question.at;
    let (source, target) =
        tokio::join!(Caller::open(question, &question.source), Caller::open(question, &question.target));
    // What may be offered depends on what the source is, so both servers come first.
    let mut lines = (Line::new(at), Line::new(at));
    let (source_server, target_server) = tokio::join!(
        server::ask(&source, &question.source, &mut lines.0),
        server::ask(&target, &question.target, &mut lines.1)
    );
    let wanted = question.takeover_class.clone();
    let wanted = wanted.or_else(|| source_server.value().and_then(|server| server.class.clone()));
    let source_side = CloudSide { server: source_server, ..CloudSide::untold("it is not asked of the source") };
    let target_side = CloudSide { server: target_server, ..CloudSide::untold("") };
    let (target_side, record) = tokio::join!(
        around(&target, target_side, &mut lines.1, wanted.as_deref()),
        route53::ask(&target, question.record.as_ref(), Line::new(at))
    );
    Cloud {
        source: question.source.on(source_side),
        target: question.target.on(target_side),
        record,
        secret: Asked::untold("it is not asked here"),
    }
}

/// Asks what stands around a server. The calls to one service go one after the other, because it throttles; those to
/// different services at once.
async fn around(caller: &Reach, side: CloudSide, rds: &mut Line, wanted: Option<&str>) -> CloudSide {
    let at = rds.at;
    let asked = &side.server;
    let of_rds = async {
        let subnets = offer::subnets(caller, asked, rds).await;
        let orderable = offer::orderable(caller, asked, wanted, rds).await;
        let storage_ranges = offer::storage_ranges(caller, asked, rds).await;
        let authorities = region::authorities(caller, rds).await;
        let quotas = region::quotas(caller, rds).await;
        let room = ec2::room(caller, &subnets, Line::new(at)).await;
        (subnets, orderable, storage_ranges, authorities, quotas, room)
    };
    let (of_rds, free_space, key, doors) = tokio::join!(
        of_rds,
        metric::free_space(caller, asked, Line::new(at)),
        key::ask(caller, asked, Line::new(at)),
        ec2::doors(caller, asked, Line::new(at)),
    );
    let (subnets, orderable, storage_ranges, authorities, quotas, room) = of_rds;
    CloudSide { subnets, orderable, storage_ranges, authorities, quotas, room, free_space, key, doors, ..side }
}

/// Whoever calls AWS in one Region.
pub(crate) struct Caller {
    /// Configuration with keys.
    pub config: aws_config::SdkConfig,
    /// The Region.
    pub region: String,
}

/// A caller, or why there is none.
pub(crate) type Reach = Result<Caller, Untold>;

impl Caller {
    async fn open(question: &Question, place: &Place) -> Reach {
        let open = async {
            let mut settings = question.settings.in_region(place.region.as_deref());
            settings.role_arn = place.role_arn.clone().or(settings.role_arn);
            let account = AwsAccount::load(&settings).await?;
            let config = account.signed_config().await?;
            Ok(Caller { config: call::patient(config), region: account.region().to_owned() })
        };
        open.await.map_err(|error: AwsError| call::untold(&error))
    }
}

/// Returns what one answer needs of another, which may be missing.
fn needed<T>(asked: &Asked<T>) -> Result<&T, Untold> {
    match asked {
        Asked::Told(told) => Ok(&told.value),
        Asked::Untold(untold) => Err(untold.clone()),
    }
}
