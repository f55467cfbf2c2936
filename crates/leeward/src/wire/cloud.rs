//! What AWS says for readiness: the settings become a question, and the application's secret is tried on the target.

use std::sync::Arc;

use chrono::NaiveDateTime;
use leeward_aws::facts::{self, Place, Question};
use leeward_aws::{Credentials, SecretSource};
use leeward_core::fault::Fault;
use leeward_core::name::Side;
use leeward_core::policy;
use leeward_core::readiness::cloud::{Asked, Cloud, Login, SecretLogin, Told, Untold};
use leeward_mysql::endpoint::{Compression, Endpoint, FixedPassword};
use leeward_mysql::session::{LogIn, log_in};

use super::aws::settings as aws_settings;
use super::sight::impatient;
use crate::config::resolve::RdsName;
use crate::config::{PasswordFrom, Settings, SideSettings};

/// Asks AWS about both servers. What is wanted of them is the policy's that judges.
pub async fn look(settings: &Settings, wanted: &policy::Settings, at: NaiveDateTime) -> Cloud {
    let cloud = &wanted.cloud;
    let question = Question {
        settings: aws_settings(&settings.aws),
        source: place("source", settings.source.as_ref(), &settings.rds.source),
        target: place("target", settings.target.as_ref(), &settings.rds.target),
        takeover_class: cloud.takeover_class.clone(),
        record: cloud.hosted_zone.clone().zip(cloud.dns_record.clone()),
        at,
    };
    let (told, secret) = tokio::join!(facts::ask(&question), secret(settings, &question, cloud.secret.as_deref()));
    let host = told.target.server.value().and_then(|server| server.host.clone());
    Cloud { secret: addressed(secret, host), ..told }
}

fn place(key: &'static str, side: Option<&SideSettings>, name: &RdsName) -> Place {
    let host = side.map(|side| side.host.as_str()).unwrap_or_default();
    let secret = match side.map(|side| &side.password) {
        Some(PasswordFrom::AwsSecret(id)) => Some(id.as_str()),
        _ => None,
    };
    let place = Place::of(key, host, (name.region.as_deref(), name.instance.as_deref()), secret);
    Place { role_arn: side.and_then(|side| side.role_arn.clone()), ..place }
}

/// Reads the application's secret in the target's Region and logs in to the target with it.
async fn secret(settings: &Settings, question: &Question, id: Option<&str>) -> Asked<SecretLogin> {
    let Some(id) = id else { return Asked::untold("the policy names no secret") };
    let Some(target) = &settings.target else { return Asked::untold("the target's address is not known") };
    let mut aws = question.settings.clone();
    aws.region = question.target.region.clone().or(aws.region);
    aws.role_arn = question.target.role_arn.clone().or(aws.role_arn);
    let read = async { SecretSource::open(&aws, id).await?.fetch().await };
    let Credentials { username, password, host } = match read.await {
        Ok(credentials) => credentials,
        Err(error) => return Asked::Untold(Untold { why: told(&error), remedy: Some(error.remedy().to_owned()) }),
    };
    let Some(user) = username else {
        return Asked::untold(format!("{id} names no user, so that nobody can log in with it"));
    };
    let endpoint = impatient(Endpoint {
        side: Side::Target,
        host: target.host.clone(),
        port: target.port,
        user,
        password: Arc::new(FixedPassword::new(password.expose())),
        tls: target.tls.clone(),
        timeouts: target.timeouts,
        compression: Compression::Off,
        wire: Arc::default(),
    });
    let login = match log_in(&endpoint).await {
        Ok(LogIn::Accepted) => Login::Accepted,
        Ok(LogIn::Locked) => Login::Locked,
        Ok(LogIn::Refused(why)) => Login::Refused(why),
        Err(fault) => return Asked::untold(Fault::to_string(&fault)),
    };
    let call = format!("secretsmanager:GetSecretValue {id}, and a login to {} with it", target.address());
    let value = SecretLogin { secret: id.to_owned(), host, tried: target.host.clone(), login };
    Asked::Told(Told { at: question.at, call, value })
}

/// The host that a secret must name is the one of RDS, where it is known: we may have come through a tunnel.
fn addressed(secret: Asked<SecretLogin>, host: Option<String>) -> Asked<SecretLogin> {
    match (secret, host) {
        (Asked::Told(mut told), Some(host)) => {
            told.value.tried = host;
            Asked::Told(told)
        }
        (secret, _) => secret,
    }
}

fn told(error: &(dyn std::error::Error + 'static)) -> String {
    match error.source() {
        // Ours has one cause, whose text is the whole chain.
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
