//! A database password in Secrets Manager: read anew each time it is asked for.
//!
//! It reads `AWSCURRENT` only, and neither writes nor rotates. The other fields of an RDS secret (host, port,
//! engine) are never connected to, on purpose: a secret replicated into another Region still names its source's host.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::RequestId;
use aws_sdk_secretsmanager::operation::get_secret_value::{GetSecretValueError, GetSecretValueOutput};
use serde_json::{Map, Value};

use crate::account::{AwsAccount, AwsSettings};
use crate::arn;
use crate::error::{AwsError, AwsErrorKind, Cause, ServiceReply};
use crate::password::{Credentials, Secret};

/// Said to everyone whose secret cannot be used.
const FORM_REMEDY: &str = "store the secret as JSON with a string field \"password\" and, if wanted, a string field \
     \"username\", as RDS does: {\"username\":\"leeward\",\"password\":\"...\"}; or as plain text that is the password";

/// One secret, and the account and Region it is read with.
pub struct SecretSource {
    account: AwsAccount,
    id: String,
}

impl SecretSource {
    /// Loads the AWS configuration for a secret, given by ARN or by name. An ARN's Region wins over the settings.
    /// Nothing is read yet.
    ///
    /// # Errors
    /// [`AwsErrorKind::InvalidSetting`], [`AwsErrorKind::NoRegion`].
    pub async fn open(settings: &AwsSettings, id: &str) -> Result<Self, AwsError> {
        let region = region_of(id)?;
        let account = AwsAccount::load(&settings.in_region(region)).await?;
        Ok(Self { account, id: id.to_owned() })
    }

    /// Reads the secret's current value. Ask again after the database has answered 1045 (access denied): the secret
    /// may have been rotated since.
    ///
    /// # Errors
    /// Every kind but [`AwsErrorKind::NoRegion`] and [`AwsErrorKind::InvalidSetting`].
    pub async fn fetch(&self) -> Result<Credentials, AwsError> {
        let config = self.account.signed_config().await?;
        let reply = read(&config, &self.id).await.map_err(|error| self.failed(&error))?;
        let Some(text) = reply.secret_string() else {
            return Err(self.unusable(reply.secret_binary().is_some()));
        };
        parse(text).map_err(|what| {
            AwsError::new(AwsErrorKind::SecretMalformed, self.doing(), FORM_REMEDY).caused_by(Cause::said(what))
        })
    }

    fn doing(&self) -> String {
        format!("read secret {} in {}", self.id, self.account.region())
    }

    fn unusable(&self, is_binary: bool) -> AwsError {
        let kind = if is_binary { AwsErrorKind::SecretBinary } else { AwsErrorKind::SecretMalformed };
        AwsError::new(kind, self.doing(), FORM_REMEDY)
    }

    /// Turns the SDK's error into ours. The SDK's own object is dropped: see the head of `error.rs`.
    fn failed(&self, error: &SdkError<GetSecretValueError>) -> AwsError {
        let region = self.account.region();
        let network = format!(
            "open HTTPS from here to Secrets Manager in {region}: a NAT gateway, or a VPC endpoint for \
             secretsmanager (which serves only its own Region); check the endpoint URL if one is set"
        );
        match error {
            SdkError::ServiceError(reply) => {
                let status = reply.raw().status().as_u16();
                self.refused(&ServiceReply {
                    code: reply.err().code(),
                    message: reply.err().message(),
                    request_id: reply.err().request_id(),
                    status,
                })
            }
            SdkError::TimeoutError(_) => AwsError::new(AwsErrorKind::TimedOut, self.doing(), network),
            SdkError::DispatchFailure(failure) => {
                let kind = if failure.is_timeout() { AwsErrorKind::TimedOut } else { AwsErrorKind::Unreachable };
                let error = AwsError::new(kind, self.doing(), network);
                match failure.as_connector_error() {
                    Some(cause) => error.caused_by(Cause::chain(cause)),
                    None => error,
                }
            }
            SdkError::ResponseError(reply) => AwsError::new(
                AwsErrorKind::UnexpectedReply,
                self.doing(),
                "something between here and AWS answers in its place: check the endpoint URL and any proxy",
            )
            .caused_by(Cause::said(format!(
                "HTTP {} with a body that is not Secrets Manager's",
                reply.raw().status().as_u16()
            ))),
            other => AwsError::new(AwsErrorKind::InvalidSetting, self.doing(), "check the Region and the endpoint URL")
                .caused_by(Cause::chain(other)),
        }
    }

    fn refused(&self, reply: &ServiceReply<'_>) -> AwsError {
        let (kind, remedy) = self.kind_and_remedy(reply);
        AwsError::new(kind, self.doing(), remedy).caused_by(reply.cause())
    }

    /// The codes are those of the GetSecretValue page of the API reference and of its "Common Errors".
    fn kind_and_remedy(&self, reply: &ServiceReply<'_>) -> (AwsErrorKind, String) {
        let region = self.account.region();
        match reply.code.unwrap_or_default() {
            "AccessDeniedException" | "AccessDenied" | "NotAuthorized" => {
                self.denied(reply.message.unwrap_or_default())
            }
            "ResourceNotFoundException" => (
                AwsErrorKind::SecretNotFound,
                format!(
                    "a secret lives in one Region: see `aws secretsmanager list-secrets --region {region}`, or give \
                     the full ARN, whose Region is then used; a secret of another account needs its full ARN"
                ),
            ),
            "InvalidRequestException" | "InvalidParameterException" => (
                AwsErrorKind::SecretNotReadable,
                format!(
                    "see `aws secretsmanager describe-secret --region {region} --secret-id '{}'`; if it is marked \
                     for deletion, `aws secretsmanager restore-secret` brings it back",
                    self.id
                ),
            ),
            "DecryptionFailure" => {
                (AwsErrorKind::SecretNotReadable, "enable the KMS key of the secret, or cancel its deletion".to_owned())
            }
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "IncompleteSignature"
            | "MissingAuthenticationTokenException" => (
                AwsErrorKind::CredentialsRefused,
                "`aws sts get-caller-identity` shows whether the AWS credentials are valid; renew them (`aws sso \
                 login`), and check this machine's clock: AWS refuses one that is more than 5 minutes wrong"
                    .to_owned(),
            ),
            "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => (
                AwsErrorKind::Throttled,
                "wait; if it stays, look in CloudTrail for who else reads secrets in this account".to_owned(),
            ),
            _ if reply.status >= 500 => (
                AwsErrorKind::ServiceFailed,
                format!("wait; the state of Secrets Manager in {region} is on the AWS Health Dashboard"),
            ),
            _ => (
                AwsErrorKind::UnexpectedReply,
                "look the code up in the Secrets Manager API reference; if there is none, check the endpoint URL and \
                 any proxy between here and AWS"
                    .to_owned(),
            ),
        }
    }

    /// A key that may not be used is reported under the same code as a secret that may not be read; only the message
    /// ("Access to KMS is not allowed") tells them apart.
    fn denied(&self, message: &str) -> (AwsErrorKind, String) {
        if message.contains("KMS") || message.contains("kms:") {
            let action = "kms:Decrypt";
            let remedy = format!(
                "allow {action} on the secret's KMS key, in the policy of the role this process runs as and, from \
                 another account, also in the key's own policy: \
                 {{\"Effect\":\"Allow\",\"Action\":\"{action}\",\"Resource\":\"ARN of the key\"}}"
            );
            return (AwsErrorKind::AccessDenied { action }, remedy);
        }
        let action = "secretsmanager:GetSecretValue";
        let remedy = format!(
            "allow {action} in the policy of the role this process runs as (and, from another account, also in the \
             secret's resource policy): {{\"Effect\":\"Allow\",\"Action\":\"{action}\",\"Resource\":\"{}\"}}",
            self.resource()
        );
        (AwsErrorKind::AccessDenied { action }, remedy)
    }

    /// Returns the secret as a policy's Resource; AWS adds six random characters to a name.
    fn resource(&self) -> String {
        if self.id.starts_with("arn:") {
            return self.id.clone();
        }
        let region = self.account.region();
        let partition = arn::partition_of(region);
        format!("arn:{partition}:secretsmanager:{region}:ACCOUNT:secret:{}-??????", self.id)
    }
}

fn region_of(id: &str) -> Result<Option<&str>, AwsError> {
    arn::region_of_secret(id)
        .map_err(|advice| AwsError::new(AwsErrorKind::InvalidSetting, format!("use secret {id:?}"), advice))
}

async fn read(config: &SdkConfig, id: &str) -> Result<GetSecretValueOutput, SdkError<GetSecretValueError>> {
    // A secret is read at the start and after 1045, so a kept client would only keep idle connections.
    Client::new(config).get_secret_value().secret_id(id).send().await
}

/// Takes the account out of a secret's text. The parser's own error is not used: it quotes values.
///
/// # Errors
/// A sentence that names the field and holds no part of the text.
fn parse(text: &str) -> Result<Credentials, &'static str> {
    if text.trim_start().starts_with('{') {
        let fields = serde_json::from_str::<Map<String, Value>>(text)
            .map_err(|_| "the text begins like a JSON object but is not one")?;
        return parse_fields(&fields);
    }
    // Secrets made from a file end with the editor's line break, which is never meant.
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err("the text is empty");
    }
    Ok(Credentials { username: None, password: Secret::new(line), host: None })
}

fn parse_fields(fields: &Map<String, Value>) -> Result<Credentials, &'static str> {
    let password = match fields.get("password") {
        Some(Value::String(password)) if !password.is_empty() => Secret::new(password),
        Some(Value::String(_)) => return Err("the JSON field \"password\" is empty"),
        Some(_) => return Err("the JSON field \"password\" is not a string"),
        None => return Err("the JSON object has no field \"password\""),
    };
    let username = match fields.get("username") {
        None => None,
        Some(Value::String(name)) if !name.is_empty() => Some(name.clone()),
        Some(_) => return Err("the JSON field \"username\" is not a string with content"),
    };
    let host = fields.get("host").and_then(Value::as_str).map(str::to_owned);
    Ok(Credentials { username, password, host })
}

#[cfg(test)]
mod tests;
