//! Passwords from AWS in the form in which `leeward-mysql` asks for them. Neither crate knows the other.

use async_trait::async_trait;
use leeward_aws::{AwsError, AwsSettings, Bucket, BucketSettings, SecretSource, TokenSource, TokenUser};
use leeward_core::fault::Fault;
use leeward_core::name::Side;
use leeward_core::secret::{Cleartext, Password, PasswordAge, PasswordSource, Secret};
use tokio::sync::Mutex;

use crate::config::SideSettings;
use crate::config::resolve::AwsPlace;
use crate::config::store::StorePlace;

/// A password in Secrets Manager. It is kept until the server refuses it: a new connection must not cost a call to AWS,
/// nor fail because AWS does not answer.
pub struct SecretPassword {
    source: SecretSource,
    side: Side,
    id: String,
    kept: Mutex<Option<Password>>,
}

impl SecretPassword {
    /// Loads the AWS configuration. Nothing is read yet.
    pub async fn open(aws: &AwsPlace, side: &SideSettings, id: &str) -> Result<SecretPassword, Fault> {
        let opened = SecretSource::open(&settings_of(aws, side), id).await;
        let (source, side) = (opened.map_err(|error| fault(error, side.side))?, side.side);
        Ok(SecretPassword { source, side, id: id.to_owned(), kept: Mutex::new(None) })
    }
}

#[async_trait]
impl PasswordSource for SecretPassword {
    async fn password(&self, age: PasswordAge) -> Result<Password, Fault> {
        let mut kept = self.kept.lock().await;
        if let (Some(password), PasswordAge::Cached) = (kept.as_ref(), age) {
            return Ok(password.clone());
        }
        let found = self.source.fetch().await.map_err(|error| fault(error, self.side))?;
        let text = Secret::new(found.password.expose());
        let password = Password { text, user: found.username, cleartext: Cleartext::Never };
        Ok(kept.insert(password).clone())
    }

    fn remedy_when_refused(&self) -> Option<String> {
        let (id, side) = (&self.id, self.side);
        Some(format!(
            "secret {id} was read anew and does not hold the {side}'s password either: a rotation may be half done, else set \
             the secret to the account's password"
        ))
    }
}

/// An IAM token, signed anew for every connection (T34).
pub struct TokenPassword {
    source: TokenSource,
    side: Side,
}

impl TokenPassword {
    /// Loads the AWS configuration. Nothing is signed yet.
    pub async fn open(aws: &AwsPlace, side: &SideSettings) -> Result<TokenPassword, Fault> {
        let user = TokenUser { host: side.host.clone(), port: side.port, user: side.user.clone().unwrap_or_default() };
        let source = TokenSource::open(&settings_of(aws, side), user).await.map_err(|error| fault(error, side.side))?;
        Ok(TokenPassword { source, side: side.side })
    }
}

#[async_trait]
impl PasswordSource for TokenPassword {
    async fn password(&self, _age: PasswordAge) -> Result<Password, Fault> {
        let token = self.source.token().await.map_err(|error| fault(error, self.side))?;
        Ok(Password { text: Secret::new(token.expose()), user: None, cleartext: Cleartext::OverTlsOnly })
    }

    fn remedy_when_refused(&self) -> Option<String> {
        Some(self.source.remedy_when_refused())
    }
}

/// Opens the bucket that holds dumps.
pub async fn bucket(place: &StorePlace, bucket: &str, prefix: &str) -> Result<Bucket, Fault> {
    let StorePlace { aws, region, kms_key, bucket_owner } = place.clone();
    let wanted =
        BucketSettings { bucket: bucket.to_owned(), prefix: prefix.to_owned(), region, kms_key, owner: bucket_owner };
    Bucket::open(&settings(&aws), wanted).await
}

/// A side's own role wins over that of both.
fn settings_of(aws: &AwsPlace, side: &SideSettings) -> AwsSettings {
    let own = settings(aws);
    AwsSettings { role_arn: side.role_arn.clone().or(own.role_arn), ..own }
}

pub(super) fn settings(aws: &AwsPlace) -> AwsSettings {
    let AwsPlace { region, endpoint_url, role_arn } = aws.clone();
    AwsSettings { region, endpoint_url, role_arn }
}

/// AWS's own words and remedy, since they say more than ours would.
fn fault(error: AwsError, side: Side) -> Fault {
    let mut fault = error.into_fault().on(side);
    fault.doing.push_str(" for the password");
    fault
}
