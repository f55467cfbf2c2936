//! What S3 says when it does not do something, as errors with a way out.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::Shared;
use crate::arn;
use crate::error::{AwsError, AwsErrorKind, Cause, LINKS_MAX, ServiceReply};

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Call {
    /// In the present tense, with the place.
    pub doing: String,
    /// The IAM action that it needs.
    pub action: &'static str,
}

/// Returns S3's error code.
pub fn code_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Returns the HTTP status of an error that S3 answered with.
pub fn status_of<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|reply| reply.status().as_u16())
}

/// Returns the error of an answer that lacks what S3 always sends.
pub fn not_s3(call: &Call) -> AwsError {
    let remedy = "what answers is not S3, or does not answer like it: check the endpoint URL and any proxy";
    AwsError::new(AwsErrorKind::UnexpectedReply, &call.doing, remedy)
}

impl Shared {
    /// Turns the SDK's error into ours.
    pub(super) fn failed<E>(&self, call: &Call, error: &SdkError<E, HttpResponse>) -> AwsError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(of_keys) = keys_error(error) {
            return of_keys.again(&call.doing);
        }
        let region = &self.region;
        let network = format!(
            "open HTTPS from here to S3 in {region}: a NAT gateway, or a gateway endpoint for s3 (which serves only its own \
             Region); check the endpoint URL if one is set"
        );
        match error {
            SdkError::ServiceError(reply) => {
                let headers = reply.raw().headers();
                let said = ServiceReply {
                    code: reply.err().code(),
                    message: reply.err().message(),
                    request_id: headers.get("x-amz-request-id"),
                    status: reply.raw().status().as_u16(),
                };
                let (kind, remedy) = self.kind_and_remedy(call, &said, headers.get("x-amz-bucket-region"));
                AwsError::new(kind, &call.doing, remedy).caused_by(said.cause())
            }
            SdkError::TimeoutError(_) => AwsError::new(AwsErrorKind::TimedOut, &call.doing, network),
            SdkError::DispatchFailure(failure) => {
                let kind = if failure.is_timeout() { AwsErrorKind::TimedOut } else { AwsErrorKind::Unreachable };
                let error = AwsError::new(kind, &call.doing, network);
                match failure.as_connector_error() {
                    Some(cause) => error.caused_by(Cause::chain(cause)),
                    None => error,
                }
            }
            // An answer that broke off counts as none; the parser's own words are of no use to anybody.
            SdkError::ResponseError(reply) if reply.raw().status().is_success() => {
                AwsError::new(AwsErrorKind::Unreachable, &call.doing, network)
                    .caused_by(Cause::said("the answer broke off or cannot be read"))
            }
            SdkError::ResponseError(reply) => not_s3(call)
                .caused_by(Cause::said(format!("HTTP {} with a body that is not S3's", reply.raw().status().as_u16()))),
            other => AwsError::new(
                AwsErrorKind::InvalidSetting,
                &call.doing,
                "check the bucket's name, the Region and the endpoint URL",
            )
            .caused_by(Cause::chain(other)),
        }
    }

    /// The codes are those of "Error responses" in the S3 API reference, and of KMS behind it.
    fn kind_and_remedy(
        &self,
        call: &Call,
        reply: &ServiceReply<'_>,
        elsewhere: Option<&str>,
    ) -> (AwsErrorKind, String) {
        let code = reply.code.unwrap_or_default();
        let message = reply.message.unwrap_or_default();
        let is_elsewhere =
            matches!(code, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException");
        let elsewhere = elsewhere.or_else(|| expected_region(message)).filter(|region| *region != self.region);
        if let (true, Some(region)) = (is_elsewhere || reply.status == 301, elsewhere) {
            return self.elsewhere(region);
        }
        if code.starts_with("KMS.") || message.contains("kms:") || message.contains("KMS key") {
            return self.of_key(code);
        }
        match code {
            "NoSuchBucket" => (AwsErrorKind::BucketNotFound, self.missing()),
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "InvalidPayer" => {
                (AwsErrorKind::AccessDenied { action: call.action }, self.denied(call.action))
            }
            "RequestTimeTooSkewed" => (
                AwsErrorKind::ClockSkewed,
                "set this machine's clock (chronyc makestep, or the host's): AWS refuses one that is more than 15 minutes wrong"
                    .to_owned(),
            ),
            "ExpiredToken" | "ExpiredTokenException" | "InvalidToken" | "TokenRefreshRequired" | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch" | "InvalidSecurity" | "NotSignedUp" => (
                AwsErrorKind::CredentialsRefused,
                "`aws sts get-caller-identity` shows whether the AWS credentials are valid; renew them (`aws sso login`), \
                 and start again: what was written so far stays"
                    .to_owned(),
            ),
            "InvalidObjectState" => (
                AwsErrorKind::ObjectArchived,
                "bring the object back with `aws s3api restore-object`, and keep the lifecycle rules of the bucket from \
                 archiving what may be needed in a hurry"
                    .to_owned(),
            ),
            "SlowDown" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequests" => (
                AwsErrorKind::Throttled,
                "wait, or do less at once; S3 gives a prefix 3500 writes a second, and more after a few minutes".to_owned(),
            ),
            "ConditionalRequestConflict" | "OperationAborted" => {
                (AwsErrorKind::Contended, "let one process at a time write the same object".to_owned())
            }
            // Damaged on the way here or there, or cut off: the same again is right.
            "BadDigest" | "XAmzContentChecksumMismatch" | "IncompleteBody" | "RequestTimeout" | "NoSuchUpload" => {
                (AwsErrorKind::ServiceFailed, "try again".to_owned())
            }
            _ if reply.status == 301 => (AwsErrorKind::InvalidSetting, "name the bucket's own Region".to_owned()),
            _ if reply.status == 403 => {
                (AwsErrorKind::AccessDenied { action: call.action }, self.denied(call.action))
            }
            _ if reply.status >= 500 => (
                AwsErrorKind::ServiceFailed,
                format!("wait; the state of S3 in {} is on the AWS Health Dashboard", self.region),
            ),
            _ => (
                AwsErrorKind::UnexpectedReply,
                "look the code up under \"Error responses\" in the S3 API reference; if there is none, check the endpoint \
                 URL and any proxy between here and S3"
                    .to_owned(),
            ),
        }
    }

    fn elsewhere(&self, region: &str) -> (AwsErrorKind, String) {
        let remedy = format!("name the bucket's own Region, {region}, in place of {}", self.region);
        (AwsErrorKind::BucketElsewhere { region: region.to_owned() }, remedy)
    }

    fn missing(&self) -> String {
        let (bucket, region) = (&self.settings.bucket, &self.region);
        format!(
            "check the name {bucket:?}; make it with `aws s3 mb s3://{bucket} --region {region}`, in another Region than the \
             source"
        )
    }

    /// S3 puts a key that may not be used under AccessDenied, and one that cannot be used under KMS's own code.
    fn of_key(&self, code: &str) -> (AwsErrorKind, String) {
        let key = self.settings.kms_key.as_deref().unwrap_or("ARN of the bucket's key");
        match code {
            "KMS.DisabledException"
            | "KMS.KMSInvalidStateException"
            | "KMS.NotFoundException"
            | "KMS.InvalidKeyUsageException" => {
                let remedy = format!(
                    "see `aws kms describe-key --region {} --key-id '{key}'`: enable the key, cancel its deletion, or name one \
                     of the bucket's Region; what was encrypted by it can be read again then",
                    self.region
                );
                (AwsErrorKind::KeyNotUsable, remedy)
            }
            _ => {
                let action = "kms:GenerateDataKey and kms:Decrypt";
                let remedy = format!(
                    "allow them on the key, in the policy of the role this process runs as and, from another account, also in \
                     the key's own policy: {{\"Effect\":\"Allow\",\"Action\":[\"kms:GenerateDataKey\",\"kms:Decrypt\"],\
                     \"Resource\":\"{key}\"}}"
                );
                (AwsErrorKind::AccessDenied { action }, remedy)
            }
        }
    }

    fn denied(&self, action: &str) -> String {
        let partition = arn::partition_of(&self.region);
        let BucketNames { bucket, objects } = self.names_in_policies();
        let of_owner = match &self.settings.owner {
            Some(owner) => format!("; the bucket must also belong to account {owner}, as the settings say"),
            None => String::new(),
        };
        let (resource, condition) = match action {
            "s3:ListBucket" if self.settings.prefix.is_empty() => (bucket, String::new()),
            "s3:ListBucket" => {
                let prefix = &self.settings.prefix;
                (bucket, format!(",\"Condition\":{{\"StringLike\":{{\"s3:prefix\":\"{prefix}/*\"}}}}"))
            }
            _ => (objects, String::new()),
        };
        let of_absent = match action {
            "s3:GetObject" => "; without s3:ListBucket on the bucket, S3 says the same of an object that is not there",
            _ => "",
        };
        format!(
            "allow {action} in the policy of the role this process runs as (and, from another account, also in the bucket's \
             policy): {{\"Effect\":\"Allow\",\"Action\":\"{action}\",\"Resource\":\"arn:{partition}:s3:::{resource}\"\
             {condition}}}{of_absent}{of_owner}"
        )
    }

    fn names_in_policies(&self) -> BucketNames {
        let bucket = self.settings.bucket.clone();
        BucketNames { objects: format!("{bucket}/{}", self.key_of("*")), bucket }
    }
}

/// A bucket and the objects of a store in it, as the ends of ARNs.
struct BucketNames {
    bucket: String,
    objects: String,
}

/// Returns the Region that S3 names in "the region 'us-east-1' is wrong; expecting 'eu-west-1'".
fn expected_region(message: &str) -> Option<&str> {
    let (_, behind) = message.split_once("expecting '")?;
    behind.split('\'').next().filter(|region| arn::is_region(region))
}

/// Returns the error of the keys where it was they that could not be had.
fn keys_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a AwsError> {
    let mut next = Some(error);
    for _ in 0..LINKS_MAX {
        let link = next?;
        if let Some(of_keys) = link.downcast_ref::<AwsError>() {
            return Some(of_keys);
        }
        next = link.source();
    }
    None
}
