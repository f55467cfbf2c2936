//! Whose AWS account is called, where, and how patiently: configuration, credentials, time-outs.
//!
//! Credentials come from the SDK's standard chain (environment, profile, SSO, container, instance); Leeward has no
//! setting for an access key, so that none ends up in `leeward.toml`.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as ProvidingKeys;
use aws_sdk_rds::config::{Credentials as AwsKeys, ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_rds::error::ConnectorError;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::arn;
use crate::error::{AwsError, AwsErrorKind, Cause, LINKS_MAX};

/// Three round trips over the worst links between Regions take under a second. Whoever has not accepted after 5 s is
/// a security group or a missing VPC endpoint that drops packets, and the operator should hear so soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A whole attempt, connection included. Short enough that three attempts and the pauses between them (1.5 s on
/// average) fit into [`OPERATION_TIMEOUT`]; an attempt as long as the operation would never be repeated.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(6);

/// A whole call with its retries. A database password is needed while a lane waits for its connection, and a lane's
/// lag is promised in seconds: better an error that names the endpoint than a silent minute.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(20);

/// The SDK's own standard: one call and two retries, only after throttling, 5xx and network faults. Longer outages
/// belong to the caller, who knows how long a lane may wait and shows it in the status.
const ATTEMPTS_MAX: u32 = 3;

/// Temporary keys are renewed this long before they expire, so that a token or a request signed with them does not
/// expire on its way. AWS hands out a container's or an instance's new keys at least five minutes before the end.
const KEYS_LIFE_MIN: Duration = Duration::from_secs(300);

/// Where AWS is and who calls it. Everything is optional; what is missing comes from the SDK's standard chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsSettings {
    /// The Region, when it cannot be read from a secret's ARN or a database's host name.
    pub region: Option<String>,
    /// The base URL of every AWS service, for emulators and tests.
    pub endpoint_url: Option<String>,
    /// The ARN of a role to assume before anything else, for a database in another account.
    pub role_arn: Option<String>,
}

impl AwsSettings {
    /// Returns the settings for one Region.
    pub(crate) fn in_region(&self, region: Option<&str>) -> Self {
        let mut settings = self.clone();
        if let Some(region) = region {
            settings.region = Some(region.to_owned());
        }
        settings
    }
}

/// Loaded AWS configuration, with the keys that it leads to. Neither prints a secret.
#[derive(Debug)]
pub(crate) struct AwsAccount {
    config: SdkConfig,
    region: String,
    role: Option<AssumedRole>,
    /// Temporary keys that are still good. The token generator asks for keys on every connection and the SDK does not
    /// remember them there, so without this every new connection would call STS or the container's endpoint.
    keys: Mutex<Option<AwsKeys>>,
}

/// An account as a client's own source of keys, for clients that are kept longer than keys are.
#[derive(Debug)]
pub(crate) struct AccountKeys(AwsAccount);

impl AccountKeys {
    pub fn new(account: AwsAccount) -> Self {
        Self(account)
    }
}

impl ProvideCredentials for AccountKeys {
    fn provide_credentials<'a>(&'a self) -> ProvidingKeys<'a>
    where
        Self: 'a,
    {
        ProvidingKeys::new(async move { self.0.keys().await.map_err(CredentialsError::provider_error) })
    }
}

#[derive(Debug)]
struct AssumedRole {
    arn: String,
    provider: AssumeRoleProvider,
}

impl AwsAccount {
    /// Loads the configuration. Looks for a Region on the network only when no setting names one.
    ///
    /// # Errors
    /// [`AwsErrorKind::InvalidSetting`], [`AwsErrorKind::NoRegion`].
    pub async fn load(settings: &AwsSettings) -> Result<Self, AwsError> {
        check(settings)?;
        let loading = loader(settings).load();
        let config = timeout(OPERATION_TIMEOUT, loading).await.map_err(|_| {
            AwsError::new(
                AwsErrorKind::TimedOut,
                "load the AWS configuration",
                "name the Region in the settings or in AWS_REGION, so that the instance need not be asked for it",
            )
        })?;
        Self::from_config(config, settings.role_arn.as_deref()).await
    }

    /// Takes a configuration that is already loaded.
    ///
    /// # Errors
    /// [`AwsErrorKind::NoRegion`].
    pub async fn from_config(config: SdkConfig, role_arn: Option<&str>) -> Result<Self, AwsError> {
        let Some(region) = config.region().map(ToString::to_string).filter(|name| !name.is_empty()) else {
            return Err(AwsError::new(
                AwsErrorKind::NoRegion,
                "load the AWS configuration",
                "give the secret's full ARN or the database's own RDS host name, which hold the Region, or name the \
                 Region in the settings or in AWS_REGION",
            ));
        };
        // A configuration made by hand may have no clock; signing needs one.
        let clock = config.time_source().unwrap_or_default();
        let config = config.into_builder().time_source(clock).build();
        warn_of_cleartext(&config);
        let role = match role_arn {
            Some(arn) => Some(AssumedRole {
                arn: arn.to_owned(),
                provider: AssumeRoleProvider::builder(arn).session_name("leeward").configure(&config).build().await,
            }),
            None => None,
        };
        Ok(Self { config, region, role, keys: Mutex::new(None) })
    }

    /// Returns the Region that calls go to.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns the configuration, whose keys are those before a role is assumed.
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Returns the configuration with keys that are good for the next minutes.
    ///
    /// # Errors
    /// [`AwsErrorKind::NoCredentials`], [`AwsErrorKind::RoleNotAssumed`], [`AwsErrorKind::Unreachable`],
    /// [`AwsErrorKind::TimedOut`].
    pub async fn signed_config(&self) -> Result<SdkConfig, AwsError> {
        let keys = self.keys().await?;
        Ok(self
            .config
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(keys))
            // The SDK's cache would keep one more entry for every set of keys that it is given.
            .identity_cache(IdentityCache::no_cache())
            .build())
    }

    /// Puts keys in place of those that would be looked for.
    #[cfg(test)]
    pub async fn hold(&self, keys: AwsKeys) {
        *self.keys.lock().await = Some(keys);
    }

    async fn keys(&self) -> Result<AwsKeys, AwsError> {
        let mut held = self.keys.lock().await;
        if let Some(keys) = held.as_ref()
            && life_left(keys) > KEYS_LIFE_MIN
        {
            return Ok(keys.clone());
        }
        match self.fresh_keys().await {
            Ok(keys) => {
                // Keys without an end are read again every time: a person may replace them in the profile.
                *held = keys.expiry().map(|_| keys.clone());
                Ok(keys)
            }
            Err(error) => match held.as_ref() {
                Some(keys) if !life_left(keys).is_zero() => {
                    tracing::warn!(%error, "AWS credentials cannot be renewed; the present ones still hold");
                    Ok(keys.clone())
                }
                _ => Err(error),
            },
        }
    }

    async fn fresh_keys(&self) -> Result<AwsKeys, AwsError> {
        // A role's provider asks the standard chain itself, but its error would hide which of the two steps failed.
        let base = self.base_keys().await?;
        let Some(role) = &self.role else {
            return Ok(base);
        };
        let doing = format!("assume role {} in {}", role.arn, self.region);
        match timeout(OPERATION_TIMEOUT, role.provider.provide_credentials()).await {
            Ok(Ok(keys)) => Ok(keys),
            Ok(Err(error)) => {
                let (kind, remedy) = if never_reached(&error) {
                    (AwsErrorKind::Unreachable, STS_REMEDY.to_owned())
                } else {
                    (AwsErrorKind::RoleNotAssumed, role_remedy(&role.arn))
                };
                Err(AwsError::new(kind, doing, remedy).caused_by(Cause::chain(&error)))
            }
            Err(_) => Err(AwsError::new(AwsErrorKind::TimedOut, doing, STS_REMEDY)),
        }
    }

    async fn base_keys(&self) -> Result<AwsKeys, AwsError> {
        const DOING: &str = "look for AWS credentials";
        let missing = || AwsError::new(AwsErrorKind::NoCredentials, DOING, CREDENTIALS_REMEDY);
        let provider = self.config.credentials_provider().ok_or_else(missing)?;
        match timeout(OPERATION_TIMEOUT, provider.provide_credentials()).await {
            Ok(Ok(keys)) => Ok(keys),
            Ok(Err(error)) => Err(missing().caused_by(Cause::chain(&error))),
            Err(_) => Err(AwsError::new(AwsErrorKind::TimedOut, DOING, CREDENTIALS_REMEDY)),
        }
    }
}

const CREDENTIALS_REMEDY: &str = "on ECS, give the task definition a taskRoleArn; on EC2, attach an instance profile; \
     elsewhere set AWS_PROFILE (after `aws sso login` if it is an SSO profile) or AWS_ACCESS_KEY_ID and \
     AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` shows what is found";

const STS_REMEDY: &str = "open HTTPS from here to STS in this Region (a NAT gateway or a VPC endpoint for sts)";

/// Whether the SDK failed before it had an answer: then the same call can succeed later.
fn never_reached(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    for _ in 0..LINKS_MAX {
        let Some(link) = next else {
            return false;
        };
        if link.is::<ConnectorError>() {
            return true;
        }
        next = link.source();
    }
    false
}

fn role_remedy(arn: &str) -> String {
    format!(
        "allow it on both sides: in the policy of the role that this process runs as, \
         {{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Resource\":\"{arn}\"}}, and in the trust policy of \
         {arn} that role as Principal"
    )
}

/// Returns how long keys are still valid; keys without an end never become old.
fn life_left(keys: &AwsKeys) -> Duration {
    match keys.expiry() {
        Some(end) => end.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO),
        None => Duration::MAX,
    }
}

fn loader(settings: &AwsSettings) -> ConfigLoader {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        )
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX));
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    // CloudTrail then shows who read the secret.
    if let Ok(name) = AppName::new("leeward") {
        loader = loader.app_name(name);
    }
    loader
}

fn check(settings: &AwsSettings) -> Result<(), AwsError> {
    let wrong = |doing: String, remedy: &str| Err(AwsError::new(AwsErrorKind::InvalidSetting, doing, remedy));
    if let Some(region) = &settings.region
        && !arn::is_region(region)
    {
        return wrong(format!("use AWS Region {region:?}"), "write the Region as AWS does, such as us-west-2");
    }
    if let Some(url) = &settings.endpoint_url
        && endpoint_host(url).is_none()
    {
        return wrong(
            "use the AWS endpoint URL".to_owned(),
            "write it as https://HOST or http://HOST:PORT, or leave it out to reach AWS itself",
        );
    }
    if let Some(role) = &settings.role_arn
        && !arn::is_role(role)
    {
        return wrong(format!("use role {role:?}"), "write the role's ARN, arn:aws:iam::ACCOUNT:role/NAME");
    }
    Ok(())
}

/// Returns the host of an endpoint's URL, or `None` for anything that is not `http(s)://HOST…`.
fn endpoint_host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        Some(ipv6) => ipv6.split(']').next().unwrap_or(ipv6),
        None => authority.split(':').next().unwrap_or(authority),
    };
    // A user and password in the URL would be shown wherever the URL is.
    let is_usable = !host.is_empty() && !authority.contains(['@', ' ']);
    is_usable.then_some(host)
}

/// An emulator in a neighbouring container is a fair use, so a clear-text endpoint is not refused, only named.
fn warn_of_cleartext(config: &SdkConfig) {
    let Some(url) = config.endpoint_url() else {
        return;
    };
    let host = endpoint_host(url).unwrap_or_default();
    let is_loopback = host == "localhost" || host == "::1" || host.starts_with("127.");
    if url.starts_with("http://") && !is_loopback {
        tracing::warn!(host, "passwords from AWS pass over an unencrypted endpoint; use it only for an emulator");
    }
}

#[cfg(test)]
mod tests;
