//! What can go wrong between Leeward and AWS, said once: what was being done, what happened, and the way out.
//!
//! The SDK's own error objects are never attached: their `Debug` form holds the raw reply, and the reply of
//! `GetSecretValue` holds the password. Only the service's error code, message and request id are kept.

use std::error::Error;
use std::fmt;

use leeward_core::fault::{Fault, FaultKind};

/// A failed step, for an operator. `Display` says what was being done and what happened; the cause is attached as
/// [`Error::source`] and the way out is [`AwsError::remedy`].
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {kind}")]
pub struct AwsError {
    kind: AwsErrorKind,
    doing: String,
    remedy: String,
    #[source]
    cause: Option<Cause>,
}

impl AwsError {
    /// Builds an error without a cause; `doing` is in the present tense ("read secret shop in us-east-1").
    pub(crate) fn new(kind: AwsErrorKind, doing: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind, doing: doing.into(), remedy: remedy.into(), cause: None }
    }

    /// Attaches what the service or the network said.
    pub(crate) fn caused_by(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Says the same of something else that was being done.
    pub(crate) fn again(&self, doing: &str) -> Self {
        let (kind, remedy) = (self.kind.clone(), self.remedy.clone());
        Self { kind, doing: doing.to_owned(), remedy, cause: Some(Cause::chain(self)) }
    }

    /// Returns it as a fault: an AWS that does not answer is waited for like a server; everything else needs a person.
    pub fn into_fault(self) -> Fault {
        let said = match &self.cause {
            Some(cause) => format!("{}: {cause}", self.kind),
            None => self.kind.to_string(),
        };
        let (kind, said) = match self.kind {
            AwsErrorKind::TimedOut => (FaultKind::TimedOut, format!("{said}; {}", self.remedy)),
            kind if kind.is_transient() => (FaultKind::Unreachable, format!("{said}; {}", self.remedy)),
            _ => (FaultKind::Refused(self.remedy), said),
        };
        Fault::new(kind, self.doing).because(Cause(said))
    }

    /// Returns the kind, by which a caller decides between trying again and stopping.
    pub fn kind(&self) -> &AwsErrorKind {
        &self.kind
    }

    /// Returns what an operator can do about it, in one or a few sentences.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

/// The kinds of failure. Only [`AwsErrorKind::is_transient`] ones can go away by themselves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AwsErrorKind {
    /// A setting cannot be used as it is written.
    #[error("the setting is not usable")]
    InvalidSetting,
    /// Neither a setting, the environment, a profile nor the instance says which Region is meant.
    #[error("no AWS Region is known")]
    NoRegion,
    /// The standard chain (environment, profile, container, instance) gave no credentials.
    #[error("no AWS credentials were found")]
    NoCredentials,
    /// STS did not hand out the role's credentials.
    #[error("the role cannot be assumed")]
    RoleNotAssumed,
    /// AWS knows no such key, or its token has expired, or the signature is not accepted.
    #[error("AWS does not accept the credentials")]
    CredentialsRefused,
    /// The credentials are good, but this is not allowed to them.
    #[error("access denied, {action} is not allowed")]
    AccessDenied {
        /// The IAM action that is missing, such as `secretsmanager:GetSecretValue`.
        action: &'static str,
    },
    /// There is no such secret in that Region.
    #[error("there is no such secret")]
    SecretNotFound,
    /// The secret exists but gives no value now: marked for deletion, without a current version, key disabled.
    #[error("the secret cannot be read in its present state")]
    SecretNotReadable,
    /// The secret holds bytes instead of text.
    #[error("the secret is binary")]
    SecretBinary,
    /// The secret is text, but no password can be taken from it.
    #[error("the secret has no usable password")]
    SecretMalformed,
    /// There is no such bucket.
    #[error("there is no such bucket")]
    BucketNotFound,
    /// The bucket is in another Region than the one that was asked.
    #[error("the bucket is in {region}")]
    BucketElsewhere {
        /// The bucket's own Region.
        region: String,
    },
    /// The KMS key is disabled, marked for deletion or not there.
    #[error("the KMS key cannot be used in its present state")]
    KeyNotUsable,
    /// The object was moved to an archive, from which it is not read at once.
    #[error("the object is archived")]
    ObjectArchived,
    /// The object has more parts than S3 takes.
    #[error("the object is too large")]
    ObjectTooLarge,
    /// This machine's clock is too far from AWS's.
    #[error("AWS does not accept the time of this machine")]
    ClockSkewed,
    /// Somebody else writes the same object at this moment.
    #[error("another write of the same object is going on")]
    Contended,
    /// No connection to the endpoint.
    #[error("the endpoint cannot be reached")]
    Unreachable,
    /// A connection, but no answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// AWS asks to slow down, also after the retries.
    #[error("AWS throttles the requests")]
    Throttled,
    /// The service says that the fault is on its side (HTTP 5xx), also after the retries.
    #[error("the service failed")]
    ServiceFailed,
    /// An error that Leeward does not know, or an answer that is not the service's.
    #[error("the answer is not understood")]
    UnexpectedReply,
}

impl AwsErrorKind {
    /// Returns whether the same call can succeed later without anybody changing a setting or a permission.
    ///
    /// Keep this list narrow: what is retried is not shown to a person.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable | Self::TimedOut | Self::Throttled | Self::ServiceFailed | Self::Contended)
    }
}

/// How far a chain of causes is followed. Those of the SDK have six links; more would be a cycle.
pub(crate) const LINKS_MAX: usize = 12;

/// What the other side said, as text that is known to hold no secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Cause(String);

impl Cause {
    /// Takes a sentence of our own.
    pub fn said(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Takes the `Display` texts of an error and its sources. Only for errors that cannot hold a reply's body:
    /// connections, credential providers.
    pub fn chain(error: &(dyn Error + 'static)) -> Self {
        let mut texts: Vec<String> = Vec::new();
        let mut next = Some(error);
        while let Some(link) = next
            && texts.len() < LINKS_MAX
        {
            let text = link.to_string();
            if texts.last().is_none_or(|last| !last.contains(&text)) {
                texts.push(text);
            }
            next = link.source();
        }
        Self(texts.join(": "))
    }
}

/// The parts of a service's error reply that are safe to show.
pub(crate) struct ServiceReply<'a> {
    /// The error code, such as `ResourceNotFoundException`; absent when a proxy answered instead of AWS.
    pub code: Option<&'a str>,
    /// The service's sentence.
    pub message: Option<&'a str>,
    /// What AWS support asks for.
    pub request_id: Option<&'a str>,
    /// The HTTP status.
    pub status: u16,
}

impl ServiceReply<'_> {
    /// Returns the reply as a cause.
    pub fn cause(&self) -> Cause {
        Cause(self.to_string())
    }
}

impl fmt::Display for ServiceReply<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(formatter, "{code} (HTTP {})", self.status)?,
            None => write!(formatter, "HTTP {} without an error code", self.status)?,
        }
        if let Some(message) = self.message {
            write!(formatter, ": {message}")?;
        }
        if let Some(id) = self.request_id {
            write!(formatter, " [request {id}]")?;
        }
        Ok(())
    }
}
