//! A bucket of S3, or of a service that answers like it, as a store of dumps and snapshots.
//!
//! An object is sent with the SDK's checksums (CRC-32), large ones in parts; nobody sees one before its last request is
//! answered, and S3 decides the condition in that same request. An answer that was lost is settled by a mark that every write
//! carries: who finds it on the object has written it.
//!
//! It makes no bucket, changes no policy, and reads only the current version of an object.

mod reading;
mod refusal;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ServerSideEncryption};
use bytes::Bytes;
use chrono::DateTime;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::port::store::{
    Condition, Entry, Etag, Object, ObjectName, ObjectStore, PAGE_MAX, Page, Prefix, Reading, Stored, Upload, hold_to,
};

use crate::account::{AccountKeys, AwsAccount, AwsSettings};
use crate::error::{AwsError, AwsErrorKind};
use reading::BucketReading;
use refusal::{Call, code_of, status_of};
use upload::BucketUpload;

/// The metadata by which a write is known again.
const WRITE_MARK: &str = "leeward-write";

/// S3 asks for fewer requests while it spreads a busy prefix over more servers, which takes minutes; with the SDK's pauses, which
/// double, six attempts wait about half a minute. After that the caller decides.
const ATTEMPTS_MAX: u32 = 6;

/// An answer without a body comes within milliseconds, and after a long list within seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(120);

/// A part of 8 MiB takes 70 s at one megabit a second, which is less than any dump is made over. One that does not move is given
/// up by the SDK after 20 s.
const SENDING_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);
const SENDING_TIMEOUT: Duration = Duration::from_secs(600);

/// How often a small object is read again whose body broke off, and a write is sent again that met another at the same moment.
const ROUNDS_MAX: u32 = 3;

/// Where a bucket is asked for that nothing says the Region of.
const REGION_TO_ASK: &str = "us-east-1";

/// Pages of names that Leeward did not write, after which a list is given up.
const STRANGE_PAGES_MAX: u32 = 100;

/// Which bucket, and how objects in it are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketSettings {
    /// The bucket's name.
    pub bucket: String,
    /// What the keys begin with, without slashes at its ends; may be empty.
    pub prefix: String,
    /// The Region that the bucket must be in; nothing takes it where it is.
    pub region: Option<String>,
    /// The KMS key by which objects are encrypted; nothing leaves that to the bucket.
    pub kms_key: Option<String>,
    /// The account that the bucket must belong to.
    pub owner: Option<String>,
}

/// A bucket with objects in it.
#[derive(Debug, Clone)]
pub struct Bucket {
    shared: Arc<Shared>,
}

/// What an upload shares with its bucket.
#[derive(Debug)]
struct Shared {
    client: Client,
    settings: BucketSettings,
    region: String,
    place: String,
}

impl Bucket {
    /// Opens a bucket and asks it for a name, so that whatever is wrong with bucket, Region or credentials is found out before
    /// anything is read or written. The Region in `aws` is where it is asked first.
    ///
    /// # Errors
    /// [`FaultKind::Refused`] with the way out; [`FaultKind::Unreachable`] and [`FaultKind::TimedOut`] for what can go away.
    pub async fn open(aws: &AwsSettings, settings: BucketSettings) -> Result<Bucket, Fault> {
        let load = async |region: Option<&str>| AwsAccount::load(&aws.in_region(region)).await;
        Bucket::find(load, settings).await.map_err(AwsError::into_fault)
    }

    /// Asks the bucket where it is said to be, and then where it says itself.
    async fn find(
        load: impl AsyncFn(Option<&str>) -> Result<AwsAccount, AwsError>,
        settings: BucketSettings,
    ) -> Result<Bucket, AwsError> {
        let account = match load(settings.region.as_deref()).await {
            // Whoever is asked there says which Region a bucket is in.
            Err(error) if *error.kind() == AwsErrorKind::NoRegion && settings.region.is_none() => {
                load(Some(REGION_TO_ASK)).await?
            }
            loaded => loaded?,
        };
        let first = Bucket::over(account, settings.clone());
        let error = match first.probe().await {
            Ok(()) => return Ok(first),
            Err(error) => error,
        };
        match error.kind() {
            AwsErrorKind::BucketElsewhere { region } if settings.region.is_none() => {
                let second = Bucket::over(load(Some(region)).await?, settings);
                second.probe().await.map(|()| second)
            }
            _ => Err(error),
        }
    }

    /// Takes an account that is already loaded. Nothing is asked yet.
    fn over(account: AwsAccount, settings: BucketSettings) -> Bucket {
        let place = match settings.prefix.is_empty() {
            true => format!("s3://{}", settings.bucket),
            false => format!("s3://{}/{}", settings.bucket, settings.prefix),
        };
        let region = account.region().to_owned();
        let client = client(account);
        Bucket { shared: Arc::new(Shared { client, settings, region, place }) }
    }

    async fn probe(&self) -> Result<(), AwsError> {
        let call = Call { doing: format!("open {}", self.shared.place), action: "s3:ListBucket" };
        self.shared.names(&Prefix::default(), None, 1, &call).await.map(|_| ())
    }
}

/// Makes a client whose connections are kept: a dump is thousands of requests.
fn client(account: AwsAccount) -> Client {
    let config = account.config();
    let is_emulator = config.endpoint_url().is_some();
    let retries = config.retry_config().cloned().unwrap_or_else(RetryConfig::standard).with_max_attempts(ATTEMPTS_MAX);
    let waits = timeouts(config, ATTEMPT_TIMEOUT, OPERATION_TIMEOUT);
    let config = aws_sdk_s3::config::Builder::from(config)
        .retry_config(retries)
        .timeout_config(waits)
        // Hosts of emulators and of VPC endpoints do not begin with the bucket's name.
        .force_path_style(is_emulator)
        .identity_cache(IdentityCache::no_cache())
        .credentials_provider(SharedCredentialsProvider::new(AccountKeys::new(account)))
        .build();
    Client::from_conf(config)
}

fn timeouts(config: &SdkConfig, attempt: Duration, operation: Duration) -> TimeoutConfig {
    let given = config.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
    given.operation_attempt_timeout(attempt).operation_timeout(operation).build()
}

/// The time-outs of a request that sends much, or whose answer has to wait for S3 to put parts together.
fn patient() -> aws_sdk_s3::config::Builder {
    let waits = TimeoutConfig::builder()
        .operation_attempt_timeout(SENDING_ATTEMPT_TIMEOUT)
        .operation_timeout(SENDING_TIMEOUT)
        .build();
    aws_sdk_s3::config::Builder::new().timeout_config(waits)
}

#[async_trait]
impl ObjectStore for Bucket {
    fn place(&self) -> &str {
        &self.shared.place
    }

    async fn put(&self, name: &ObjectName, content: Bytes, condition: &Condition) -> Result<Stored, Fault> {
        self.shared.put(name, content, condition).await
    }

    async fn get(&self, name: &ObjectName, bytes_max: u64) -> Result<Option<Object>, Fault> {
        let mut round = 1;
        loop {
            match self.shared.get(name, bytes_max).await {
                Err(fault) if fault.kind == FaultKind::Unreachable && round < ROUNDS_MAX => round += 1,
                answer => return answer,
            }
        }
    }

    async fn read(&self, name: &ObjectName) -> Result<Option<Box<dyn Reading>>, Fault> {
        let opened = self.shared.open_object(name).await.map_err(AwsError::into_fault)?;
        Ok(opened.map(|(reading, _)| Box::new(reading) as Box<dyn Reading>))
    }

    async fn list(&self, under: &Prefix, after: Option<&ObjectName>) -> Result<Page, Fault> {
        self.shared.list(under, after).await.map_err(AwsError::into_fault)
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), Fault> {
        let shared = &self.shared;
        let request = shared.client.delete_object().bucket(&shared.settings.bucket).key(shared.key(name));
        let request = request.set_expected_bucket_owner(shared.settings.owner.clone());
        let call = Call { doing: format!("delete {name} in {}", shared.place), action: "s3:DeleteObject" };
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if code_of(&error) == Some("NoSuchKey") => Ok(()),
            Err(error) => Err(shared.failed(&call, &error).into_fault()),
        }
    }

    async fn begin(&self, name: &ObjectName) -> Result<Box<dyn Upload>, Fault> {
        Ok(Box::new(BucketUpload::begin(Arc::clone(&self.shared), name.clone())))
    }
}

impl Shared {
    fn key(&self, name: &ObjectName) -> String {
        self.key_of(name.as_str())
    }

    fn key_of(&self, name: &str) -> String {
        match self.settings.prefix.is_empty() {
            true => name.to_owned(),
            false => format!("{}/{name}", self.settings.prefix),
        }
    }

    fn writing(&self, name: &ObjectName) -> Call {
        Call { doing: format!("write {name} to {}", self.place), action: "s3:PutObject" }
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.settings.kms_key.as_ref().map(|_| ServerSideEncryption::AwsKms)
    }

    async fn put(&self, name: &ObjectName, content: Bytes, condition: &Condition) -> Result<Stored, Fault> {
        let mark = draw_mark();
        let (absent, matching) = headers(condition);
        let call = self.writing(name);
        let mut round = 1;
        loop {
            let request = self.client.put_object().bucket(&self.settings.bucket).key(self.key(name));
            let request = request
                .body(ByteStream::from(content.clone()))
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .metadata(WRITE_MARK, &mark)
                .set_if_none_match(absent.clone())
                .set_if_match(matching.clone())
                .set_server_side_encryption(self.encryption())
                .set_ssekms_key_id(self.settings.kms_key.clone())
                .set_expected_bucket_owner(self.settings.owner.clone());
            let error = match request.customize().config_override(patient()).send().await {
                Ok(reply) => return tagged(&call, reply.e_tag()).map_err(AwsError::into_fault),
                Err(error) => error,
            };
            let is_unmet = is_unmet(status_of(&error), code_of(&error), condition);
            let error = self.failed(&call, &error);
            if *error.kind() == AwsErrorKind::Contended && round < ROUNDS_MAX {
                round += 1;
                continue;
            }
            let was_lost = is_unmet || (error.kind().is_transient() && *condition != Condition::Always);
            return match was_lost {
                true => self.settle(name, &mark, is_unmet, error).await,
                false => Err(error.into_fault()),
            };
        }
    }

    /// Finds out what became of a write whose answer does not say it: a request that was sent twice can have met its own first
    /// attempt, and one without an answer can have arrived.
    async fn settle(&self, name: &ObjectName, mark: &str, is_unmet: bool, error: AwsError) -> Result<Stored, Fault> {
        let request = self.client.head_object().bucket(&self.settings.bucket).key(self.key(name));
        let found = request.set_expected_bucket_owner(self.settings.owner.clone()).send().await;
        match found {
            Ok(facts) if facts.metadata().and_then(|texts| texts.get(WRITE_MARK)).is_some_and(|held| held == mark) => {
                tagged(&self.writing(name), facts.e_tag()).map_err(AwsError::into_fault)
            }
            Err(refused) if is_unmet => {
                let call = Call { doing: format!("look at {name} in {}", self.place), action: "s3:GetObject" };
                let refused = self.failed(&call, &refused);
                // Whoever may write and not read has S3's word alone; it is wrong only if this was a second attempt.
                match refused.kind().is_transient() {
                    true => Err(refused.into_fault()),
                    false => Ok(Stored::ConditionNotMet),
                }
            }
            _ if is_unmet => Ok(Stored::ConditionNotMet),
            _ => Err(error.into_fault()),
        }
    }

    async fn get(&self, name: &ObjectName, bytes_max: u64) -> Result<Option<Object>, Fault> {
        let Some((mut reading, etag)) = self.open_object(name).await.map_err(AwsError::into_fault)? else {
            return Ok(None);
        };
        hold_to(reading.bytes(), bytes_max, &format!("read {name} in {}", self.place))?;
        let mut content = Vec::new();
        while let Some(piece) = reading.next().await? {
            content.extend_from_slice(&piece);
        }
        Ok(Some(Object { content: content.into(), etag }))
    }

    async fn open_object(&self, name: &ObjectName) -> Result<Option<(BucketReading, Etag)>, AwsError> {
        let call = Call { doing: format!("read {name} in {}", self.place), action: "s3:GetObject" };
        let request = self.client.get_object().bucket(&self.settings.bucket).key(self.key(name));
        let request =
            request.checksum_mode(ChecksumMode::Enabled).set_expected_bucket_owner(self.settings.owner.clone());
        match request.send().await {
            Ok(reply) => {
                let etag = reply.e_tag().map(Etag::new);
                let length = reply.content_length().and_then(|bytes| u64::try_from(bytes).ok());
                let (Some(etag), Some(bytes)) = (etag, length) else { return Err(refusal::not_s3(&call)) };
                Ok(Some((BucketReading::new(reply.body, bytes, call.doing), etag)))
            }
            Err(error) if code_of(&error) == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(self.failed(&call, &error)),
        }
    }

    async fn list(&self, under: &Prefix, after: Option<&ObjectName>) -> Result<Page, AwsError> {
        let call = Call { doing: format!("list {} in {}", under.as_str(), self.place), action: "s3:ListBucket" };
        let mut after = after.map(|name| self.key(name));
        for _ in 0..STRANGE_PAGES_MAX {
            let page = self.names(under, after, PAGE_MAX, &call).await?;
            let entries: Vec<Entry> = page.contents().iter().filter_map(|found| self.entry(found)).collect();
            if page.is_truncated() != Some(true) {
                return Ok(Page { entries, next: None });
            }
            if let Some(last) = entries.last() {
                let next = Some(last.name.clone());
                return Ok(Page { entries, next });
            }
            // Nothing here has a name that Leeward would give: go on behind the last one.
            after = page.contents().last().and_then(|found| found.key()).map(str::to_owned);
        }
        let remedy = "the bucket is full of objects that Leeward did not write: give it a prefix of its own";
        Err(AwsError::new(AwsErrorKind::InvalidSetting, call.doing, remedy))
    }

    fn entry(&self, found: &aws_sdk_s3::types::Object) -> Option<Entry> {
        let own = self.key_of("");
        let name = ObjectName::new(found.key()?.strip_prefix(&own)?).ok()?;
        let written_at = found.last_modified().and_then(|at| DateTime::from_timestamp(at.secs(), at.subsec_nanos()));
        let bytes = u64::try_from(found.size().unwrap_or_default()).ok()?;
        Some(Entry { name, bytes, written_at: written_at.map(|at| at.naive_utc()) })
    }

    async fn names(
        &self,
        under: &Prefix,
        after: Option<String>,
        most: usize,
        call: &Call,
    ) -> Result<ListObjectsV2Output, AwsError> {
        let request = self.client.list_objects_v2().bucket(&self.settings.bucket);
        let request = request
            .prefix(self.key_of(under.as_str()))
            .set_start_after(after)
            .max_keys(i32::try_from(most).unwrap_or(i32::MAX))
            .set_expected_bucket_owner(self.settings.owner.clone());
        request.send().await.map_err(|error| self.failed(call, &error))
    }
}

/// Returns the two headers of a condition: If-None-Match and If-Match.
fn headers(condition: &Condition) -> (Option<String>, Option<String>) {
    match condition {
        Condition::Always => (None, None),
        Condition::IfAbsent => (Some("*".to_owned()), None),
        Condition::IfMatch(etag) => (None, Some(etag.as_str().to_owned())),
    }
}

/// Whether S3 says that a condition is not met: 412, or for If-Match that the object is not there at all.
fn is_unmet(status: Option<u16>, code: Option<&str>, condition: &Condition) -> bool {
    let is_gone = matches!(condition, Condition::IfMatch(_)) && code == Some("NoSuchKey");
    *condition != Condition::Always && (status == Some(412) || is_gone)
}

fn tagged(call: &Call, etag: Option<&str>) -> Result<Stored, AwsError> {
    etag.map(|etag| Stored::Written(Etag::new(etag))).ok_or_else(|| refusal::not_s3(call))
}

/// Draws a text that no other write has.
fn draw_mark() -> String {
    use std::hash::{BuildHasher, Hasher};

    let draw = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", draw(), draw())
}

#[cfg(test)]
mod tests;
