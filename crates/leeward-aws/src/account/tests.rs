//! Settings, the numbers of the real configuration, and where the keys come from: none, a role, a role's keys kept.

use super::*;
use crate::emulator::{Emulator, Reply, config_for, keys};

const ROLE: &str = "arn:aws:iam::210987654321:role/leeward";

fn settings() -> AwsSettings {
    AwsSettings {
        region: Some("us-west-2".to_owned()),
        endpoint_url: Some("http://127.0.0.1:9".to_owned()),
        role_arn: None,
    }
}

fn sts_reply(key_id: &str) -> Reply {
    Reply::ok(format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>k</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleResponse>"
    ))
}

async fn key_id(account: &AwsAccount) -> Result<String, AwsError> {
    let config = account.signed_config().await?;
    let provider = config.credentials_provider().unwrap();
    let keys = provider.provide_credentials().await.unwrap();
    Ok(keys.access_key_id().to_owned())
}

#[tokio::test]
async fn loads_the_settings_and_the_time_outs() {
    let account = AwsAccount::load(&settings()).await.unwrap();
    assert_eq!(account.region(), "us-west-2");
    assert_eq!(account.config.endpoint_url(), Some("http://127.0.0.1:9"));
    let timeouts = account.config.timeout_config().unwrap();
    assert_eq!(timeouts.connect_timeout(), Some(Duration::from_secs(5)));
    assert_eq!(timeouts.operation_attempt_timeout(), Some(Duration::from_secs(6)));
    assert_eq!(timeouts.operation_timeout(), Some(Duration::from_secs(20)));
    assert_eq!(account.config.retry_config().unwrap().max_attempts(), 3);
    assert!(account.config.time_source().is_some());
}

#[test]
fn three_attempts_fit_into_an_operation() {
    // The standard pauses are drawn below 1 s and below 2 s.
    let pauses_mean = Duration::from_millis(1500);
    assert!(ATTEMPT_TIMEOUT * ATTEMPTS_MAX + pauses_mean < OPERATION_TIMEOUT);
    assert!(CONNECT_TIMEOUT < ATTEMPT_TIMEOUT);
}

#[tokio::test]
async fn refuses_settings_that_cannot_be_meant() {
    let wrong = [
        AwsSettings { region: Some("US West 2".to_owned()), ..settings() },
        AwsSettings { endpoint_url: Some("localhost:4566".to_owned()), ..settings() },
        AwsSettings { endpoint_url: Some("http://user:hunter2@localhost:4566".to_owned()), ..settings() },
        AwsSettings { role_arn: Some("leeward".to_owned()), ..settings() },
    ];
    for settings in wrong {
        let error = AwsAccount::load(&settings).await.err().unwrap();
        assert_eq!(*error.kind(), AwsErrorKind::InvalidSetting, "{settings:?}");
        assert!(error.remedy().starts_with("write"), "{settings:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn says_when_no_region_is_known() {
    let config = SdkConfig::builder().build();
    let error = AwsAccount::from_config(config, None).await.err().unwrap();
    assert_eq!(*error.kind(), AwsErrorKind::NoRegion);
    assert!(error.remedy().contains("AWS_REGION"));
}

#[tokio::test]
async fn says_when_there_are_no_credentials() {
    let without = SdkConfig::builder().region(Region::new("us-east-1")).build();
    let profile = aws_config::profile::ProfileFileCredentialsProvider::builder()
        .profile_name("leeward-test-that-does-not-exist")
        .build();
    let failing = without.to_builder().credentials_provider(SharedCredentialsProvider::new(profile)).build();
    for config in [without, failing] {
        let account = AwsAccount::from_config(config, None).await.unwrap();
        let error = account.signed_config().await.unwrap_err();
        assert_eq!(*error.kind(), AwsErrorKind::NoCredentials);
        assert!(!error.kind().is_transient());
        assert!(error.remedy().contains("taskRoleArn"));
    }
}

#[tokio::test]
async fn assumes_a_role_once_and_keeps_its_keys() {
    let emulator = Emulator::start(vec![sts_reply("ASIAROLE"), sts_reply("ASIASECOND")]).await;
    let account = AwsAccount::from_config(config_for(&emulator.url), Some(ROLE)).await.unwrap();
    assert_eq!(key_id(&account).await.unwrap(), "ASIAROLE");
    assert_eq!(key_id(&account).await.unwrap(), "ASIAROLE");
    let requests = emulator.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].body.contains("Action=AssumeRole"));
    assert!(requests[0].body.contains("RoleSessionName=leeward"));
    assert!(requests[0].headers["authorization"].contains("AKIDBASE"));
}

#[tokio::test]
async fn renews_keys_before_their_end_and_lives_on_the_old_ones_meanwhile() {
    let denied = || Reply::Send {
        status: 403,
        body: "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
               <Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>"
            .to_owned(),
    };
    let emulator = Emulator::start(vec![denied(), sts_reply("ASIANEW")]).await;
    let account = AwsAccount::from_config(config_for(&emulator.url), Some(ROLE)).await.unwrap();
    let mut old = keys("ASIAOLD");
    *old.expiry_mut() = Some(SystemTime::now() + Duration::from_secs(60));
    account.hold(old).await;
    assert_eq!(key_id(&account).await.unwrap(), "ASIAOLD");
    assert_eq!(key_id(&account).await.unwrap(), "ASIANEW");
}

#[tokio::test]
async fn says_on_which_side_a_role_must_be_allowed() {
    let denied = Reply::Send {
        status: 403,
        body: "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
               <Message>User arn:x is not authorized to perform: sts:AssumeRole</Message></Error>\
               <RequestId>r</RequestId></ErrorResponse>"
            .to_owned(),
    };
    let emulator = Emulator::start(vec![denied]).await;
    let account = AwsAccount::from_config(config_for(&emulator.url), Some(ROLE)).await.unwrap();
    let error = account.signed_config().await.unwrap_err();
    assert_eq!(*error.kind(), AwsErrorKind::RoleNotAssumed);
    assert!(error.to_string().contains(ROLE));
    assert!(error.remedy().contains("trust policy"));
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("AccessDenied"), "{cause}");
}

#[tokio::test]
async fn tells_an_unreachable_sts_from_a_denied_role() {
    let emulator = Emulator::start(Vec::new()).await;
    let url = emulator.url.clone();
    drop(emulator);
    let account = AwsAccount::from_config(config_for(&url), Some(ROLE)).await.unwrap();
    let error = account.signed_config().await.unwrap_err();
    assert_eq!(*error.kind(), AwsErrorKind::Unreachable, "{error:?}");
    assert!(error.kind().is_transient());
    assert!(error.remedy().contains("VPC endpoint for sts"));
}
