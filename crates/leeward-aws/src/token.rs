//! An RDS IAM authentication token: a signed URL that RDS takes as a password for 15 minutes.
//!
//! Making one needs AWS keys but no call to RDS, so a missing permission shows only when the database refuses it
//! with 1045; [`TokenSource::remedy_when_refused`] is the text for that moment. The token is sent in clear by
//! `mysql_clear_password`: the caller must refuse to use one without verified TLS. Making one token per connection is
//! the caller's task too.

use aws_config::{Region, SdkConfig};
use aws_sdk_rds::auth_token::{AuthTokenGenerator, Config};

use crate::account::{AwsAccount, AwsSettings};
use crate::arn;
use crate::error::{AwsError, AwsErrorKind, Cause};
use crate::password::Secret;

/// The longest life that RDS allows, in seconds. A token is checked only when a connection is opened, so it need not
/// live longer than a connect time-out; the full life forgives a clock that is minutes wrong.
const TOKEN_LIFE_S: u64 = 900;

/// The database account that a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUser {
    /// The RDS host name. A CNAME of one's own does not work: the name is part of the signature.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The database user.
    pub user: String,
}

/// Makes authentication tokens for one database account.
pub struct TokenSource {
    account: AwsAccount,
    user: TokenUser,
    /// The user's name as it stands in the URL that is signed.
    user_encoded: String,
}

impl TokenSource {
    /// Loads the AWS configuration for one database account. The Region in an RDS host name wins over the settings:
    /// source and target lie in two Regions, while `AWS_REGION` is the one of the task.
    ///
    /// # Errors
    /// [`AwsErrorKind::InvalidSetting`], [`AwsErrorKind::NoRegion`].
    pub async fn open(settings: &AwsSettings, user: TokenUser) -> Result<Self, AwsError> {
        let settings = settings.in_region(arn::region_of_rds_host(&user.host));
        Self::new(AwsAccount::load(&settings).await?, user)
    }

    fn new(account: AwsAccount, mut user: TokenUser) -> Result<Self, AwsError> {
        // The generator signs the name as it is given but prints it in lower case: the two must agree.
        user.host.make_ascii_lowercase();
        check(&user)?;
        let user_encoded = percent_encode(&user.user);
        Ok(Self { account, user, user_encoded })
    }

    /// Returns a fresh token, to be used as the password of one connection within 15 minutes.
    ///
    /// # Errors
    /// [`AwsErrorKind::NoCredentials`], [`AwsErrorKind::RoleNotAssumed`], [`AwsErrorKind::Unreachable`],
    /// [`AwsErrorKind::TimedOut`].
    pub async fn token(&self) -> Result<Secret, AwsError> {
        let config = self.account.signed_config().await?;
        self.sign(&config).await
    }

    async fn sign(&self, config: &SdkConfig) -> Result<Secret, AwsError> {
        let signed = async {
            let request = Config::builder()
                .hostname(&self.user.host)
                .port(u64::from(self.user.port))
                .username(&self.user_encoded)
                .region(Region::new(self.account.region().to_owned()))
                .expires_in(TOKEN_LIFE_S)
                .build()?;
            AuthTokenGenerator::new(request).auth_token(config).await
        };
        match signed.await {
            Ok(token) => Ok(Secret::new(token.as_str())),
            Err(error) => Err(AwsError::new(
                AwsErrorKind::UnexpectedReply,
                format!("sign an IAM token for {}", self.account_name()),
                "report this as a fault of Leeward, with the cause",
            )
            .caused_by(Cause::chain(error.as_ref()))),
        }
    }

    /// Returns what to do when the database answers 1045 (access denied) to a token.
    pub fn remedy_when_refused(&self) -> String {
        let region = self.account.region();
        let TokenUser { host, user, .. } = &self.user;
        let partition = arn::partition_of(region);
        let mut remedy = format!(
            "allow rds-db:connect in the IAM policy of the role this process runs as: \
             {{\"Effect\":\"Allow\",\"Action\":\"rds-db:connect\",\
             \"Resource\":\"arn:{partition}:rds-db:{region}:ACCOUNT:dbuser:DBI_RESOURCE_ID/{user}\"}}; \
             in the database, CREATE USER '{user}'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'; \
             and switch on IAM database authentication for {host}"
        );
        if arn::region_of_rds_host(host).is_none() {
            remedy
                .push_str("; connect by the database's own RDS host name, because tokens for other names are refused");
        }
        remedy
    }

    fn account_name(&self) -> String {
        let TokenUser { host, port, user } = &self.user;
        format!("{user} at {host}:{port}")
    }
}

/// Refuses what the SDK's generator would panic on or sign wrongly.
fn check(user: &TokenUser) -> Result<(), AwsError> {
    let is_host = !user.host.is_empty()
        && user.host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let remedy = if !is_host {
        "write the RDS host name alone, without a scheme or a port"
    } else if user.user.is_empty() {
        "name the database user that the token is for; a token does not hold one"
    } else {
        return Ok(());
    };
    Err(AwsError::new(
        AwsErrorKind::InvalidSetting,
        format!("prepare IAM tokens for user {:?} at {:?}", user.user, user.host),
        remedy,
    ))
}

/// Percent-encodes all but RFC 3986's unreserved characters. The SDK's generator (aws-sdk-rds 1.159) pastes the name
/// into its URL as it is and panics, or signs another name, when it holds a space, `&` or `#`.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
