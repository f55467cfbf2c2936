//! Secrets Manager at the wire level: what is asked, what is made of every kind of answer, and that no answer's
//! secret text gets into an error.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_config::timeout::TimeoutConfig;

use super::*;
use crate::emulator::{Emulator, Reply, Request, config_for, keys};

/// Stands for the password in every reply; must never be seen in an error.
const PASSWORD: &str = "hunter2-Zq9";

async fn source_at(url: &str, id: &str) -> SecretSource {
    let account = AwsAccount::from_config(config_for(url), None).await.unwrap();
    SecretSource { account, id: id.to_owned() }
}

/// Fetches the secret `shop` from an emulator with this script.
async fn fetch(script: Vec<Reply>) -> (Result<Credentials, AwsError>, Vec<Request>) {
    let emulator = Emulator::start(script).await;
    let result = source_at(&emulator.url, "shop").await.fetch().await;
    (result, emulator.requests())
}

/// Fetches once, expects an error, and holds it against the promise that no secret text is shown.
async fn fetch_error(script: Vec<Reply>) -> AwsError {
    let (result, _) = fetch(script).await;
    let error = result.unwrap_err();
    assert_silent(&error);
    error
}

fn assert_silent(error: &AwsError) {
    let shown = format!("{error:?} {error} {}", full_text(error));
    assert!(!shown.contains(PASSWORD), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// Returns what an operator sees: message, causes, remedy.
fn full_text(error: &AwsError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    format!("{text}; remedy: {}", error.remedy())
}

#[tokio::test]
async fn asks_as_the_protocol_says() {
    let (result, requests) = fetch(vec![Reply::secret(PASSWORD)]).await;
    result.unwrap();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!(request.line, "POST / HTTP/1.1");
    assert_eq!(request.headers["x-amz-target"], "secretsmanager.GetSecretValue");
    assert_eq!(request.headers["content-type"], "application/x-amz-json-1.1");
    assert_eq!(request.body, r#"{"SecretId":"shop"}"#);
    assert!(request.headers["authorization"].contains("/us-east-1/secretsmanager/aws4_request"));
}

#[tokio::test]
async fn takes_user_and_password_from_the_json_that_rds_writes() {
    let text =
        format!(r#"{{"username":"leeward","password":"{PASSWORD}","engine":"mysql","host":"elsewhere","port":3306}}"#);
    let (result, _) = fetch(vec![Reply::secret(&text)]).await;
    let credentials = result.unwrap();
    assert_eq!(credentials.username.as_deref(), Some("leeward"));
    assert_eq!(credentials.password.expose(), PASSWORD);
    let shown = format!("{credentials:?}");
    assert!(shown.contains("***") && !shown.contains(PASSWORD), "{shown}");
}

#[tokio::test]
async fn takes_a_plain_text_as_the_password() {
    for text in [PASSWORD.to_owned(), format!("{PASSWORD}\n"), format!("{PASSWORD}\r\n")] {
        let (result, _) = fetch(vec![Reply::secret(&text)]).await;
        let credentials = result.unwrap();
        assert_eq!(credentials.username, None);
        assert_eq!(credentials.password.expose(), PASSWORD);
    }
    // Blanks may belong to a password; so may quotes and digits that happen to be JSON.
    for text in [" a b ", "\"quoted\"", "12345", "[x]"] {
        assert_eq!(parse(text).unwrap().password.expose(), text);
    }
}

#[tokio::test]
async fn reads_anew_every_time() {
    let emulator = Emulator::start(vec![Reply::secret("before"), Reply::secret("after")]).await;
    let source = source_at(&emulator.url, "shop").await;
    assert_eq!(source.fetch().await.unwrap().password.expose(), "before");
    assert_eq!(source.fetch().await.unwrap().password.expose(), "after");
}

#[tokio::test]
async fn uses_the_region_of_the_arn_and_not_that_of_the_settings() {
    let emulator = Emulator::start(vec![Reply::secret(PASSWORD)]).await;
    let settings =
        AwsSettings { region: Some("us-east-1".to_owned()), endpoint_url: Some(emulator.url.clone()), role_arn: None };
    let id = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-AbCdEf";
    let source = SecretSource::open(&settings, id).await.unwrap();
    // Keys of our own, so that the real configuration works without those of the machine.
    let mut held = keys("ASIATEST");
    *held.expiry_mut() = Some(SystemTime::now() + Duration::from_secs(3600));
    source.account.hold(held).await;
    source.fetch().await.unwrap();
    let requests = emulator.requests();
    assert!(requests[0].headers["authorization"].contains("/eu-west-1/secretsmanager/"));
    assert!(requests[0].headers["user-agent"].contains("app/leeward"));
    assert_eq!(requests[0].body, format!(r#"{{"SecretId":"{id}"}}"#));
}

#[tokio::test]
async fn refuses_a_binary_secret_by_name() {
    let error = fetch_error(vec![Reply::ok(r#"{"Name":"shop","SecretBinary":"aHVudGVyMi1acTk="}"#)]).await;
    assert_eq!(*error.kind(), AwsErrorKind::SecretBinary);
    assert_eq!(error.to_string(), "read secret shop in us-east-1: the secret is binary");
    assert!(error.remedy().contains("\"password\""));
}

#[tokio::test]
async fn names_the_field_that_a_malformed_secret_lacks() {
    let cases = [
        (r#"{"pass":"hunter2-Zq9"}"#, "no field \"password\""),
        (r#"{"password":"","username":"hunter2"}"#, "\"password\" is empty"),
        (r#"{"password":["hunter2"]}"#, "\"password\" is not a string"),
        (r#"{"password":"hunter2","username":7}"#, "\"username\" is not a string"),
        (r#"{"password":"hunter2-Zq9""#, "begins like a JSON object"),
        ("", "is empty"),
        ("\n", "is empty"),
    ];
    for (text, expected) in cases {
        let error = fetch_error(vec![Reply::secret(text)]).await;
        assert_eq!(*error.kind(), AwsErrorKind::SecretMalformed, "{text}");
        assert!(full_text(&error).contains(expected), "{}", full_text(&error));
        assert!(error.remedy().contains("\"username\""));
        assert!(!error.kind().is_transient());
    }
}

#[tokio::test]
async fn names_the_action_that_is_denied() {
    let error = fetch_error(vec![Reply::error(
        400,
        "AccessDeniedException",
        "User: arn:aws:sts::1:assumed-role/task/x is not authorized to perform: secretsmanager:GetSecretValue",
    )])
    .await;
    let action = "secretsmanager:GetSecretValue";
    assert_eq!(*error.kind(), AwsErrorKind::AccessDenied { action });
    let text = full_text(&error);
    assert!(text.contains("assumed-role/task/x"), "{text}");
    assert!(text.contains("[request 11111111-"), "{text}");
    assert!(
        text.contains(
            r#"{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"arn:aws:secretsmanager:us-east-1:ACCOUNT:secret:shop-??????"}"#
        ),
        "{text}"
    );
}

#[tokio::test]
async fn tells_a_denied_key_from_a_denied_secret() {
    let error = fetch_error(vec![Reply::error(400, "AccessDeniedException", "Access to KMS is not allowed")]).await;
    let action = "kms:Decrypt";
    assert_eq!(*error.kind(), AwsErrorKind::AccessDenied { action });
    assert!(error.remedy().contains("\"Action\":\"kms:Decrypt\""));
}

#[tokio::test]
async fn hints_at_the_region_when_there_is_no_such_secret() {
    let error = fetch_error(vec![Reply::error(
        400,
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )])
    .await;
    assert_eq!(*error.kind(), AwsErrorKind::SecretNotFound);
    assert!(error.to_string().starts_with("read secret shop in us-east-1"));
    assert!(error.remedy().contains("--region us-east-1"));
}

#[tokio::test]
async fn knows_the_other_refusals() {
    let cases = [
        (400, "InvalidRequestException", AwsErrorKind::SecretNotReadable, "restore-secret"),
        (400, "DecryptionFailure", AwsErrorKind::SecretNotReadable, "KMS key"),
        (400, "UnrecognizedClientException", AwsErrorKind::CredentialsRefused, "get-caller-identity"),
        (400, "InvalidSignatureException", AwsErrorKind::CredentialsRefused, "clock"),
        (418, "NewException", AwsErrorKind::UnexpectedReply, "API reference"),
    ];
    for (status, code, kind, remedy) in cases {
        let error = fetch_error(vec![Reply::error(status, code, "said so")]).await;
        assert_eq!(*error.kind(), kind, "{code}");
        assert!(error.remedy().contains(remedy), "{code}: {}", error.remedy());
        assert!(full_text(&error).contains(&format!("{code} (HTTP {status}): said so")));
    }
}

#[tokio::test]
async fn tries_three_times_when_the_service_fails() {
    let fault = || Reply::error(500, "InternalServiceError", "try again");
    let (result, requests) = fetch(vec![fault(), fault(), Reply::secret(PASSWORD)]).await;
    assert_eq!(result.unwrap().password.expose(), PASSWORD);
    assert_eq!(requests.len(), 3);

    let (result, requests) = fetch(vec![fault(), fault(), fault(), fault()]).await;
    let error = result.unwrap_err();
    assert_eq!(*error.kind(), AwsErrorKind::ServiceFailed);
    assert!(error.kind().is_transient());
    assert_eq!(requests.len(), 3);

    let busy = || Reply::error(400, "ThrottlingException", "Rate exceeded");
    let error = fetch_error(vec![busy(), busy(), busy()]).await;
    assert_eq!(*error.kind(), AwsErrorKind::Throttled);
}

#[tokio::test]
async fn an_answer_that_is_not_awss_is_named_and_not_quoted() {
    let broken = r#"{"Name":"shop","SecretString":"hunter2-Zq9"#;
    let error = fetch_error(vec![Reply::ok(broken), Reply::ok(broken), Reply::ok(broken)]).await;
    assert_eq!(*error.kind(), AwsErrorKind::UnexpectedReply);
    assert!(full_text(&error).contains("HTTP 200"), "{}", full_text(&error));

    let page = Reply::Send { status: 403, body: "<html>hunter2-Zq9 blocked by policy</html>".to_owned() };
    let error = fetch_error(vec![page]).await;
    assert_eq!(*error.kind(), AwsErrorKind::UnexpectedReply);
    assert!(full_text(&error).contains("HTTP 403 without an error code"), "{}", full_text(&error));
    assert!(error.remedy().contains("proxy"));

    let error = fetch_error(vec![Reply::ok("{}")]).await;
    assert_eq!(*error.kind(), AwsErrorKind::SecretMalformed);
}

#[tokio::test]
async fn names_an_endpoint_that_refuses_connections() {
    let emulator = Emulator::start(Vec::new()).await;
    let url = emulator.url.clone();
    drop(emulator);
    let error = source_at(&url, "shop").await.fetch().await.unwrap_err();
    assert_eq!(*error.kind(), AwsErrorKind::Unreachable);
    assert!(error.kind().is_transient());
    let text = full_text(&error);
    assert!(text.contains("onnection refused"), "{text}");
    assert!(text.contains("VPC endpoint"), "{text}");
}

#[tokio::test]
async fn does_not_wait_for_an_endpoint_that_never_answers() {
    let emulator = Emulator::start(vec![Reply::Stall, Reply::Stall, Reply::Stall]).await;
    let config = config_for(&emulator.url)
        .into_builder()
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(50)).build())
        .build();
    let source = SecretSource { account: AwsAccount::from_config(config, None).await.unwrap(), id: "shop".to_owned() };
    let error = source.fetch().await.unwrap_err();
    assert_eq!(*error.kind(), AwsErrorKind::TimedOut);
    assert_eq!(emulator.requests().len(), 3);
}

#[tokio::test]
async fn refuses_a_wrong_arn_before_any_call() {
    let id = "arn:aws:secretsmanager:eu-west-1:1:secret:shop-AbCdEf:password::";
    let error = SecretSource::open(&AwsSettings::default(), id).await.err().unwrap();
    assert_eq!(*error.kind(), AwsErrorKind::InvalidSetting);
    assert!(error.remedy().contains("without the JSON key"));
}
