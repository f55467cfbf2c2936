//! The token's content, and the names that the SDK's generator cannot take.

use super::*;
use crate::emulator::{config_for, keys};
use aws_sdk_rds::config::SharedCredentialsProvider;

const HOST: &str = "Shop.c1x2.us-west-2.rds.amazonaws.com";

async fn source_for(config: SdkConfig, host: &str, user: &str) -> Result<TokenSource, AwsError> {
    let account = AwsAccount::from_config(config, None).await?;
    let user = TokenUser { host: host.to_owned(), port: 3306, user: user.to_owned() };
    TokenSource::new(account, user)
}

/// A configuration without a clock, on which the SDK's generator alone fails.
fn clockless() -> SdkConfig {
    let config = SdkConfig::builder()
        .region(Region::new("us-west-2"))
        .credentials_provider(SharedCredentialsProvider::new(keys("AKIDBASE")))
        .build();
    assert!(config.time_source().is_none());
    config
}

#[tokio::test]
async fn signs_host_port_and_user_for_fifteen_minutes() {
    let source = source_for(clockless(), HOST, "leeward").await.unwrap();
    let secret = source.token().await.unwrap();
    let token = secret.expose();
    assert!(token.starts_with("shop.c1x2.us-west-2.rds.amazonaws.com:3306/?Action=connect&DBUser=leeward&"), "{token}");
    for part in [
        "X-Amz-Expires=900",
        "X-Amz-Credential=AKIDBASE%2F",
        "%2Fus-west-2%2Frds-db%2Faws4_request",
        "X-Amz-Signature=",
    ] {
        assert!(token.contains(part), "{part}: {token}");
    }
    assert_eq!(format!("{secret:?}"), "***");
}

#[tokio::test]
async fn every_token_is_signed_with_the_keys_of_its_moment_t34() {
    let source = source_for(clockless(), HOST, "leeward").await.unwrap();
    for key in ["AKIDFIRST", "AKIDSECOND"] {
        source.account.hold(keys(key)).await;
        let token = source.token().await.unwrap();
        assert!(token.expose().contains(&format!("X-Amz-Credential={key}%2F")), "a token was kept");
    }
}

#[tokio::test]
async fn the_region_of_the_host_wins_over_the_settings() {
    let settings = AwsSettings { region: Some("eu-west-1".to_owned()), ..AwsSettings::default() };
    for (host, region) in [(HOST, "us-west-2"), ("db.shop.internal", "eu-west-1")] {
        let user = TokenUser { host: host.to_owned(), port: 3306, user: "leeward".to_owned() };
        let source = TokenSource::open(&settings, user).await.unwrap();
        assert_eq!(source.account.region(), region);
    }
}

#[tokio::test]
async fn encodes_a_user_name_that_would_break_the_url() {
    let source = source_for(clockless(), HOST, "a b&c#d@é").await.unwrap();
    let secret = source.token().await.unwrap();
    let token = secret.expose();
    assert!(token.contains("&DBUser=a%20b%26c%23d%40%C3%A9&X-Amz-"), "{token}");
}

#[tokio::test]
async fn refuses_names_that_cannot_be_signed() {
    for (host, user) in [("", "u"), ("http://db", "u"), ("db:3306", "u"), ("db", "")] {
        let error = source_for(clockless(), host, user).await.err().unwrap();
        assert_eq!(*error.kind(), AwsErrorKind::InvalidSetting, "{host} {user}");
    }
}

#[tokio::test]
async fn a_missing_key_is_said_and_not_signed_around() {
    let config = config_for("http://127.0.0.1:9")
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(
            aws_config::profile::ProfileFileCredentialsProvider::builder()
                .profile_name("leeward-test-that-does-not-exist")
                .build(),
        ))
        .build();
    let source = source_for(config, HOST, "leeward").await.unwrap();
    let error = source.token().await.unwrap_err();
    assert_eq!(*error.kind(), AwsErrorKind::NoCredentials);
}

#[tokio::test]
async fn a_refused_token_has_a_remedy() {
    let source = source_for(clockless(), HOST, "leeward").await.unwrap();
    let remedy = source.remedy_when_refused();
    assert!(remedy.contains("arn:aws:rds-db:us-west-2:ACCOUNT:dbuser:DBI_RESOURCE_ID/leeward"));
    assert!(remedy.contains("AWSAuthenticationPlugin"));
    assert!(!remedy.contains("own RDS host name"));

    let source = source_for(clockless(), "db.shop.internal", "leeward").await.unwrap();
    assert!(source.remedy_when_refused().contains("own RDS host name"));
}
