//! One call: what it is named in a policy, what came of it, and what is said where nothing did.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rds::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use chrono::{DateTime, NaiveDateTime};
use leeward_core::readiness::cloud::{Asked, Told, Untold};

use crate::arn;
use crate::error::{AwsError, AwsErrorKind, Cause, LINKS_MAX, ServiceReply};

/// RDS throttles its describing calls for a whole account, and a page that is refused is worth waiting for: four attempts
/// pause for up to 2.8 s in all, and a service that fails keeps a person waiting no longer than that for each of its calls.
const ATTEMPTS_MAX: u32 = 4;

/// How long the SDK pauses before the second attempt; it doubles from there.
const BACKOFF: Duration = Duration::from_millis(400);

/// Pages that one call reads at most. A Region offers some 3000 classes of an engine's version, 100 to a page, and a call
/// here names one; more pages are an answer that goes round in circles.
pub(super) const PAGES_MAX: usize = 50;

/// Makes a configuration more patient than a password's: nothing waits for a fact but a person.
pub(super) fn patient(config: SdkConfig) -> SdkConfig {
    let retry = RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX).with_initial_backoff(BACKOFF);
    config.into_builder().retry_config(retry).build()
}

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The IAM action.
    pub action: &'static str,
    /// What it asks about, for people; may be empty.
    pub about: String,
    /// The Region.
    pub region: String,
    /// What a policy's statement must name as its resource.
    pub resource: String,
}

impl Call {
    /// Makes a call about something that a policy's statement cannot name.
    pub fn anything(action: &'static str, region: &str) -> Call {
        Call { action, about: String::new(), region: region.to_owned(), resource: "*".to_owned() }
    }

    /// Makes a call about something of RDS: `db:shop`.
    pub fn rds(action: &'static str, region: &str, kind: &str, id: &str) -> Call {
        let partition = arn::partition_of(region);
        Call {
            action,
            about: id.to_owned(),
            region: region.to_owned(),
            resource: format!("arn:{partition}:rds:{region}:*:{kind}:{id}"),
        }
    }

    fn name(&self) -> String {
        let about = if self.about.is_empty() { String::new() } else { format!(" {}", self.about) };
        format!("{}{about} in {}", self.action, self.region)
    }

    fn service(&self) -> &str {
        self.action.split(':').next().unwrap_or(self.action)
    }
}

/// Why a call gave no answer.
pub(super) struct Failed {
    /// By which the line decides whether to call again.
    pub kind: AwsErrorKind,
    /// What is said of it.
    pub untold: Untold,
}

/// The connection to one service. One that is out of reach, or refuses the keys, is not tried again: each attempt would
/// cost a person its time-outs and say the same.
pub(super) struct Line {
    /// The target's clock, by which answers are dated.
    pub at: NaiveDateTime,
    down: Option<Untold>,
}

impl Line {
    pub fn new(at: NaiveDateTime) -> Line {
        Line { at, down: None }
    }

    /// Makes a call unless the service is known to be out of reach.
    pub async fn ask<T>(&mut self, call: &Call, calling: impl Future<Output = Result<T, Failed>>) -> Asked<T> {
        match self.try_ask(calling).await {
            Ok(value) => Asked::Told(Told { at: self.at, call: call.name(), value }),
            Err(failed) => Asked::Untold(failed.untold),
        }
    }

    /// The same for a call whose failure the caller looks at.
    pub async fn try_ask<T>(&mut self, calling: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
        if let Some(untold) = &self.down {
            return Err(Failed { kind: AwsErrorKind::Unreachable, untold: untold.clone() });
        }
        let answer = calling.await;
        if let Err(Failed { kind, untold }) = &answer
            && matches!(kind, AwsErrorKind::Unreachable | AwsErrorKind::TimedOut | AwsErrorKind::CredentialsRefused)
        {
            self.down = Some(untold.clone());
        }
        answer
    }
}

/// Tells an error of ours as a missing answer.
pub(super) fn untold(error: &AwsError) -> Untold {
    let mut why = error.to_string();
    let mut next = error.source();
    for _ in 0..LINKS_MAX {
        let Some(cause) = next else { break };
        why = format!("{why}: {cause}");
        next = cause.source();
    }
    Untold { why, remedy: Some(error.remedy().to_owned()) }
}

/// Tells a failure of an SDK. Its own error object is dropped: it may hold the raw reply.
pub(super) fn failed<E>(call: &Call, error: &SdkError<E, HttpResponse>) -> Failed
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(reply) => refused(
            call,
            &ServiceReply {
                code: reply.err().code(),
                message: reply.err().message(),
                request_id: reply.err().meta().request_id(),
                status: reply.raw().status().as_u16(),
            },
        ),
        other => unanswered(call, other),
    }
}

/// Tells that no answer of the service came.
pub(super) fn unanswered<E>(call: &Call, error: &SdkError<E, HttpResponse>) -> Failed
where
    E: Error + 'static,
{
    let network = format!(
        "open HTTPS from here to {} in {}: a NAT gateway, or a VPC endpoint there; check the endpoint URL if one is set",
        call.service(),
        call.region
    );
    match error {
        SdkError::TimeoutError(_) => tell(call, AwsErrorKind::TimedOut, network, None),
        SdkError::DispatchFailure(failure) => {
            let kind = if failure.is_timeout() { AwsErrorKind::TimedOut } else { AwsErrorKind::Unreachable };
            tell(call, kind, network, failure.as_connector_error().map(|cause| Cause::chain(cause)))
        }
        SdkError::ResponseError(reply) => tell(
            call,
            AwsErrorKind::UnexpectedReply,
            "something between here and AWS answers in its place: check the endpoint URL and any proxy".to_owned(),
            Some(Cause::said(format!("HTTP {} with a body that is not the service's", reply.raw().status().as_u16()))),
        ),
        other => tell(
            call,
            AwsErrorKind::InvalidSetting,
            "check the Region and the endpoint URL".to_owned(),
            Some(Cause::chain(other)),
        ),
    }
}

/// Tells that the service refused. The codes are those of the services' "Common Errors" pages and of EC2's list.
pub(super) fn refused(call: &Call, reply: &ServiceReply<'_>) -> Failed {
    let action = call.action;
    let (kind, remedy) = match reply.code.unwrap_or_default() {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized" => (
            AwsErrorKind::AccessDenied { action },
            format!(
                "allow it in the policy of the role that this process runs as: \
                 {{\"Effect\":\"Allow\",\"Action\":\"{action}\",\"Resource\":\"{}\"}}",
                call.resource
            ),
        ),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "RequestExpired"
        | "AuthFailure"
        | "IncompleteSignature"
        | "MissingAuthenticationTokenException"
        | "OptInRequired" => (
            AwsErrorKind::CredentialsRefused,
            "`aws sts get-caller-identity` shows whether the AWS credentials are valid; renew them (`aws sso login`), and \
             check this machine's clock: AWS refuses one that is more than 5 minutes wrong"
                .to_owned(),
        ),
        code if is_throttling(code) => (
            AwsErrorKind::Throttled,
            "run it again in a minute; if it stays, look in CloudTrail for who else calls this in the account".to_owned(),
        ),
        _ if reply.status >= 500 => {
            (AwsErrorKind::ServiceFailed, "run it again; the AWS Health Dashboard shows the Region's state".to_owned())
        }
        _ => (
            AwsErrorKind::UnexpectedReply,
            "look the code up in the service's API reference; if there is none, check the endpoint URL and any proxy"
                .to_owned(),
        ),
    };
    tell(call, kind, remedy, Some(reply.cause()))
}

/// Returns whether a code asks to slow down.
pub(super) fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "PriorRequestNotComplete"
            | "SlowDown"
    )
}

/// Tells that an answer was not what the call's contract says.
pub(super) fn misunderstood(call: &Call, what: impl Into<String>) -> Failed {
    tell(
        call,
        AwsErrorKind::UnexpectedReply,
        "run it again; if it stays, report it as a fault of Leeward, with this text".to_owned(),
        Some(Cause::said(what)),
    )
}

/// Tells that there is no such thing.
pub(super) fn absent(why: String, remedy: String) -> Failed {
    Failed { kind: AwsErrorKind::UnexpectedReply, untold: Untold { why, remedy: Some(remedy) } }
}

fn tell(call: &Call, kind: AwsErrorKind, remedy: String, cause: Option<Cause>) -> Failed {
    let error = AwsError::new(kind.clone(), call.name(), remedy);
    let error = match cause {
        Some(cause) => error.caused_by(cause),
        None => error,
    };
    Failed { kind, untold: untold(&error) }
}

/// Turns a time of AWS into UTC.
pub(super) fn utc(time: &aws_sdk_rds::primitives::DateTime) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos()).map(|time| time.naive_utc())
}

/// Turns a count of AWS, which is never negative, into one of ours.
pub(super) fn count(number: Option<i32>) -> Option<u64> {
    u64::try_from(number?).ok()
}
