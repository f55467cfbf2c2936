//! The one place where ports are connected with what answers them: settings become endpoints, endpoints connections.
//! No other module of the binary names a driver or an SDK.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "aws")]
mod cloud;
pub mod sight;
pub mod store;

use std::sync::Arc;

use chrono::NaiveDateTime;
use leeward_core::cost::Place;
use leeward_core::fault::Fault;
use leeward_core::name::Side;
use leeward_core::policy::{self, Platform};
use leeward_core::port::{BinaryLog, Claims, Control, Replica, Servers};
use leeward_core::readiness::cloud::Cloud;
use leeward_core::survey::Survey;
use leeward_engine::lease::Claim;
use leeward_mysql::control::MySqlControl;
use leeward_mysql::control::claims::MySqlClaims;
use leeward_mysql::endpoint::{Compression, Endpoint, FixedPassword, PasswordFile, PasswordSource};
use leeward_mysql::link::Link;
use leeward_mysql::replication::{MySqlBinaryLog, MySqlReplica};
use leeward_mysql::servers::MySqlServers;
use leeward_mysql::session::Session;
use leeward_mysql::survey;

use crate::Failure;
use crate::config::raw::Environment;
use crate::config::{Compressed, PasswordFrom, Settings, SideSettings};
use crate::report::words;

/// Returns the process's environment. A name that is not UTF-8 cannot be one of ours.
pub fn environment() -> Environment {
    let named = |(name, value): (std::ffi::OsString, _)| Some((name.into_string().ok()?, value));
    std::env::vars_os().filter_map(named).collect()
}

/// Returns the working directory, in which `leeward.toml` is looked for.
///
/// # Errors
/// When it was deleted or may not be read.
pub fn directory() -> Result<std::path::PathBuf, Failure> {
    use anyhow::Context;

    Ok(std::env::current_dir().context("find the working directory")?)
}

/// Returns how one side is reached. Nothing is connected yet; an AWS configuration is loaded where it is needed.
///
/// # Errors
/// When the side was not given, or AWS cannot be asked.
pub async fn endpoint(settings: &Settings, side: Side) -> Result<Endpoint, Failure> {
    let given = settings.side(side)?;
    Ok(Endpoint {
        side,
        host: given.host.clone(),
        port: given.port,
        user: given.user.clone().unwrap_or_default(),
        password: password(settings, given).await?,
        tls: given.tls.clone(),
        timeouts: given.timeouts,
        // What is asked over it is short, unless it is measured: see `servers_for_rows`.
        compression: match given.compression {
            Compressed::Fixed(compression) => compression,
            Compressed::AsMeasured => Compression::Off,
        },
        wire: Arc::default(),
    })
}

#[cfg_attr(not(feature = "aws"), expect(unused_variables, reason = "only AWS needs more than the side's settings"))]
async fn password(settings: &Settings, side: &SideSettings) -> Result<Arc<dyn PasswordSource>, Failure> {
    match &side.password {
        PasswordFrom::Given(password) => Ok(Arc::new(FixedPassword::new(password.expose()))),
        PasswordFrom::File(path) => Ok(Arc::new(PasswordFile::new(path))),
        #[cfg(feature = "aws")]
        PasswordFrom::AwsSecret(id) => Ok(Arc::new(aws::SecretPassword::open(&settings.aws, side, id).await?)),
        #[cfg(feature = "aws")]
        PasswordFrom::IamToken => Ok(Arc::new(aws::TokenPassword::open(&settings.aws, side).await?)),
        #[cfg(not(feature = "aws"))]
        PasswordFrom::AwsSecret(_) | PasswordFrom::IamToken => {
            let side = side.side;
            Err(Failure::Machine(anyhow::anyhow!(
                "the {side}'s password is in AWS, and this leeward was built without it"
            )))
        }
    }
}

/// Connects to the control schema on the target.
///
/// # Errors
/// Whatever keeps a connection from being made.
pub async fn control(target: &Endpoint) -> Result<Box<dyn Control>, Fault> {
    Ok(Box::new(MySqlControl::connect(target).await?))
}

/// Connects to the source's end of its own replication.
///
/// # Errors
/// Whatever keeps a connection from being made.
pub async fn binary_log(source: &Endpoint) -> Result<Box<dyn BinaryLog>, Fault> {
    Ok(Box::new(MySqlBinaryLog::connect(source).await?))
}

/// Connects to the target's end of its own replication.
///
/// # Errors
/// Whatever keeps a connection from being made.
pub async fn replica(target: &Endpoint) -> Result<Box<dyn Replica>, Fault> {
    Ok(Box::new(MySqlReplica::connect(target).await?))
}

/// Connects to what the processes of a seed share.
///
/// # Errors
/// Whatever keeps a connection from being made.
pub async fn claims(target: &Endpoint) -> Result<Box<dyn Claims>, Fault> {
    Ok(Box::new(MySqlClaims::connect(target).await?))
}

/// Returns both servers for the engine, which opens its connections itself.
///
/// # Errors
/// When a side was not given, or AWS cannot be asked.
pub async fn servers(settings: &Settings) -> Result<Arc<dyn Servers>, Failure> {
    let source = endpoint(settings, Side::Source).await?;
    let target = endpoint(settings, Side::Target).await?;
    Ok(Arc::new(MySqlServers { source, target }))
}

/// Returns both servers for work that reads rows of the source. Whether the way to it is compressed is measured where nobody
/// has said it, and told.
///
/// # Errors
/// Those of [`servers`], and what keeps the source from being reached.
pub async fn servers_for_rows(settings: &Settings) -> Result<Arc<dyn Servers>, Failure> {
    let source = source_for_rows(settings).await?;
    let target = endpoint(settings, Side::Target).await?;
    Ok(Arc::new(MySqlServers { source, target }))
}

async fn source_for_rows(settings: &Settings) -> Result<Endpoint, Failure> {
    let mut source = endpoint(settings, Side::Source).await?;
    if settings.side(Side::Source)?.compression == Compressed::AsMeasured {
        let link = Link::measure(&source).await?;
        source.compression = link.compression();
        let is = match source.compression {
            Compression::Zlib => "is compressed",
            Compression::Off => "is not compressed",
        };
        let (round_trip_ms, carries) = (link.round_trip.as_secs_f64() * 1_000.0, words::bytes(link.bytes_per_s as u64));
        tracing::info!("the source leg {is}: round trip {round_trip_ms:.1} ms, one connection carries {carries}/s");
    }
    Ok(source)
}

/// Returns where the servers are, as far as their names or the prices say.
pub fn place(settings: &Settings) -> Place {
    let region = |side: Side| settings.side(side).ok().and_then(|side| region_of(&side.host));
    let seen = Place { source_region: region(Side::Source), target_region: region(Side::Target), ..Place::default() };
    settings.prices.place.clone().or(seen)
}

#[cfg(feature = "aws")]
fn region_of(host: &str) -> Option<String> {
    leeward_aws::region_of_rds_host(host).map(str::to_owned)
}

#[cfg(not(feature = "aws"))]
fn region_of(_host: &str) -> Option<String> {
    None
}

/// Returns the source for work that reads its rows and needs no target. Where a target would be reached stands the source, on
/// which every session is read-only.
///
/// # Errors
/// Those of [`servers_for_rows`].
pub async fn source_alone(settings: &Settings) -> Result<Arc<dyn Servers>, Failure> {
    let source = source_for_rows(settings).await?;
    Ok(Arc::new(MySqlServers { target: source.clone(), source }))
}

/// Returns the target for work that needs no source.
///
/// # Errors
/// When the target was not given, or AWS cannot be asked.
pub async fn target_alone(settings: &Settings) -> Result<Arc<dyn Servers>, Failure> {
    let target = endpoint(settings, Side::Target).await?;
    Ok(Arc::new(MySqlServers { source: target.clone(), target }))
}

/// Surveys the source.
///
/// # Errors
/// Whatever keeps it from being seen; a missing privilege names its GRANT.
pub async fn survey(source: &Endpoint, databases: &[String]) -> Result<Survey, Fault> {
    survey::survey(source, databases).await
}

/// Reads what tells one server from another.
///
/// # Errors
/// Whatever keeps it from being asked.
pub async fn identity(endpoint: &Endpoint) -> Result<String, Fault> {
    let mut session = Session::open(endpoint, "identity").await?;
    let identity = survey::identity(&mut session).await;
    session.close().await;
    identity
}

/// Asks AWS about both servers, where they run there.
pub async fn cloud(settings: &Settings, wanted: &policy::Settings, at: NaiveDateTime) -> Cloud {
    if wanted.platform == Platform::SelfManaged {
        return Cloud::untold("the servers are self-managed");
    }
    #[cfg(feature = "aws")]
    return cloud::look(settings, wanted, at).await;
    #[cfg(not(feature = "aws"))]
    {
        let _ = (settings, at);
        Cloud::untold("this leeward was built without AWS")
    }
}

/// Returns how this process names itself when it asks for the lease.
pub fn claim(settings: &Settings) -> Claim {
    let started_ms = chrono::Utc::now().timestamp_millis();
    let holder = format!("{}/{}/{started_ms}", hostname(), std::process::id());
    Claim { holder, ttl_s: settings.lease_ttl.as_secs() }
}

/// Returns who is at the keyboard, as far as the machine knows: whoever agrees to something is written down.
pub fn person(settings: &Settings) -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|user| !user.is_empty());
    let user = named("USER").or_else(|| named("LOGNAME")).unwrap_or_else(|| "somebody".to_owned());
    let account = settings.target.as_ref().and_then(|side| side.user.clone()).unwrap_or_default();
    format!("{user}@{} as {account}", hostname())
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
