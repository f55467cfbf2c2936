//! A bucket against the contract of a store, at an emulator that knows S3; and against scripted answers, for what that never
//! says: throttling, broken connections, damage, refusals.

use std::time::Duration;

use leeward_core::fault::Decision;
use leeward_store::contract;
use leeward_testkit::proxy::{Direction, Link, Proxy};
use leeward_testkit::servers::Moto;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::*;
use crate::emulator::{Emulator, ObjectReply, Reply, config_for};

const BUCKET: &str = "dumps-here";

/// One emulator for all tests of this file: its start takes longer than any of them.
static MOTO: OnceCell<Moto> = OnceCell::const_new();

async fn moto() -> &'static Moto {
    let start = || async {
        let moto = Moto::start().await.unwrap();
        moto.call("s3", "us-east-1", "create_bucket", json!({ "Bucket": BUCKET })).await.unwrap();
        moto
    };
    MOTO.get_or_init(start).await
}

async fn at(url: &str, prefix: &str) -> Bucket {
    let account = AwsAccount::from_config(config_for(url), None).await.unwrap();
    let settings = BucketSettings { bucket: BUCKET.to_owned(), prefix: prefix.to_owned(), ..BucketSettings::default() };
    Bucket::over(account, settings)
}

/// Returns the uploads in parts that S3 still holds under a prefix.
async fn begun(prefix: &str) -> Vec<Value> {
    let asked = json!({ "Bucket": BUCKET });
    let answer = moto().await.call("s3", "us-east-1", "list_multipart_uploads", asked).await.unwrap();
    let uploads = answer["Uploads"].as_array().cloned().unwrap_or_default();
    let own = format!("{prefix}/");
    uploads.into_iter().filter(|upload| upload["Key"].as_str().is_some_and(|key| key.starts_with(&own))).collect()
}

/// Waits until no parts are left, which a dropped upload takes away beside its owner.
async fn nothing_begun(prefix: &str) {
    let empty = async {
        while !begun(prefix).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), empty).await.expect("parts are left behind");
}

macro_rules! keeps {
    ($($promise:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $promise() {
            let prefix = stringify!($promise);
            let bucket = at(&moto().await.url(), prefix).await;
            bucket.probe().await.unwrap();
            contract::$promise(&bucket).await;
            nothing_begun(prefix).await;
        }
    )+};
}

keeps!(
    an_object_comes_back_as_it_was_put,
    what_is_not_there_is_no_fault,
    conditions_are_kept,
    a_large_object_is_not_read_whole,
    an_upload_is_seen_when_it_is_finished,
    an_upload_that_is_not_finished_leaves_nothing,
    a_list_comes_by_pages,
);

#[tokio::test]
async fn a_key_of_its_own_encrypts_both_kinds_of_write() {
    let key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555";
    let mut bucket = at(&moto().await.url(), "encrypted").await;
    Arc::get_mut(&mut bucket.shared).unwrap().settings.kms_key = Some(key.to_owned());
    let _ = bucket.put(&name("small"), "x".into(), &Condition::Always).await.unwrap();
    let mut upload = bucket.begin(&name("large")).await.unwrap();
    upload.write(vec![7; 9 << 20].into()).await.unwrap();
    let _ = upload.finish(&Condition::Always).await.unwrap();
    for object in ["small", "large"] {
        let asked = json!({ "Bucket": BUCKET, "Key": format!("encrypted/{object}") });
        let facts = moto().await.call("s3", "us-east-1", "head_object", asked).await.unwrap();
        assert_eq!(
            (&facts["ServerSideEncryption"], &facts["SSEKMSKeyId"]),
            (&json!("aws:kms"), &json!(key)),
            "{object}"
        );
    }
}

/// A bucket behind a link that can break.
async fn behind_a_link(prefix: &str) -> (Proxy, Bucket) {
    let proxy = Proxy::start(moto().await.address(), Link::default()).await.unwrap();
    let bucket = at(&format!("http://{}", proxy.address()), prefix).await;
    (proxy, bucket)
}

/// Bytes of which no two parts are alike.
fn sample(bytes: usize) -> Bytes {
    (0..bytes).map(|at| (at % 251) as u8 ^ (at / 65_537) as u8).collect()
}

async fn read_whole(bucket: &Bucket, text: &str) -> Bytes {
    bucket.get(&name(text), 1 << 30).await.unwrap().expect("the object").content
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_of_a_part_costs_nothing_but_time() {
    let (proxy, bucket) = behind_a_link("broken_part").await;
    let content = sample(20_000_003);
    let mut upload = bucket.begin(&name("chunk")).await.unwrap();
    proxy.cut_after_bytes(Direction::ToServer, 12 << 20);
    upload.write(content.clone()).await.unwrap();
    let stored = upload.finish(&Condition::IfAbsent).await.unwrap();
    assert!(matches!(stored, Stored::Written(_)) && proxy.cuts() == 1);
    assert!(read_whole(&bucket, "chunk").await == content, "the object is another one");
    nothing_begun("broken_part").await;
}

#[tokio::test]
async fn a_write_that_was_done_without_an_answer_is_known_to_be_done() {
    let (proxy, bucket) = behind_a_link("lost_answer").await;
    proxy.cut_before_answer("PUT /");
    let stored = bucket.put(&name("lock"), "mine".into(), &Condition::IfAbsent).await.unwrap();
    assert!(matches!(stored, Stored::Written(_)) && proxy.cuts() == 1);

    let mut upload = bucket.begin(&name("chunk")).await.unwrap();
    upload.write(sample(9 << 20)).await.unwrap();
    proxy.cut_before_answer("<CompleteMultipartUpload");
    let stored = upload.finish(&Condition::IfAbsent).await.unwrap();
    assert!(matches!(stored, Stored::Written(_)) && proxy.cuts() == 2);
    nothing_begun("lost_answer").await;
}

#[tokio::test]
async fn an_object_whose_connection_breaks_is_read_again_if_it_is_small_and_else_a_fault() {
    let (proxy, bucket) = behind_a_link("broken_read").await;
    let content = sample(3 << 20);
    let _ = bucket.put(&name("a"), content.clone(), &Condition::Always).await.unwrap();
    proxy.cut_after_bytes(Direction::ToClient, 1 << 20);
    assert!(read_whole(&bucket, "a").await == content, "the object is another one");
    assert_eq!(proxy.cuts(), 1);

    let mut reading = bucket.read(&name("a")).await.unwrap().unwrap();
    proxy.cut_after_bytes(Direction::ToClient, 1 << 20);
    let mut received = 0;
    let fault = loop {
        match reading.next().await {
            Ok(piece) => received += piece.expect("a broken object was taken for whole").len(),
            Err(fault) => break fault,
        }
    };
    assert!(received < content.len() && fault.decision() == Decision::Retry, "{}", said(&fault));
}

fn name(text: &str) -> ObjectName {
    ObjectName::new(text).unwrap()
}

fn said(fault: &Fault) -> String {
    let cause = fault.cause.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{fault}: {cause}")
}

/// An emulator that answers like S3, and a bucket there.
async fn scripted(script: Vec<Reply>) -> (Emulator, Bucket) {
    let emulator = Emulator::start(script).await;
    let bucket = at(&emulator.url, "shop").await;
    (emulator, bucket)
}

fn slow_down() -> Reply {
    Reply::Object(Reply::refusal(503, "SlowDown", "Please reduce your request rate."))
}

#[tokio::test]
async fn slowing_down_is_waited_out() {
    let written = Reply::Object(Reply::object(""));
    let (emulator, bucket) = scripted(vec![slow_down(), slow_down(), slow_down(), written]).await;
    let stored = bucket.put(&name("a"), "x".into(), &Condition::Always).await.unwrap();
    assert_eq!(stored, Stored::Written(Etag::new("\"tag\"")));
    assert_eq!(emulator.requests().len(), 4);
}

#[tokio::test]
async fn slowing_down_for_ever_ends_after_six_attempts_as_something_to_try_again() {
    let script = (0..20).map(|_| slow_down()).collect();
    let (emulator, bucket) = scripted(script).await;
    let fault = bucket.put(&name("a"), "x".into(), &Condition::Always).await.unwrap_err();
    assert_eq!((emulator.requests().len(), fault.decision()), (6, Decision::Retry));
    let said = said(&fault);
    assert!(said.contains("write a to s3://dumps-here/shop") && said.contains("throttles"), "{said}");
}

#[tokio::test]
async fn an_object_that_breaks_off_is_read_again_and_never_taken_for_whole() {
    let broken = || Reply::Object(ObjectReply { cut_at: Some(4), ..Reply::object("0123456789") });
    let whole = Reply::Object(Reply::object("0123456789"));
    let (_emulator, bucket) = scripted(vec![broken(), broken(), whole]).await;
    let object = bucket.get(&name("a"), 100).await.unwrap().unwrap();
    assert_eq!(&object.content[..], b"0123456789");

    let (_emulator, bucket) = scripted(vec![broken(), broken(), broken()]).await;
    let fault = bucket.get(&name("a"), 100).await.unwrap_err();
    assert_eq!(fault.decision(), Decision::Retry, "{}", said(&fault));

    let (_emulator, bucket) = scripted(vec![broken()]).await;
    let mut reading = bucket.read(&name("a")).await.unwrap().unwrap();
    let fault = loop {
        match reading.next().await {
            Ok(piece) => assert!(piece.is_some(), "a broken object was taken for whole"),
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault.decision(), Decision::Retry, "{}", said(&fault));
}

#[tokio::test]
async fn an_object_with_another_checksum_is_damaged() {
    let mut damaged = Reply::object("0123456789");
    damaged.headers.push(("x-amz-checksum-crc32", "AAAAAA==".to_owned()));
    damaged.headers.push(("x-amz-checksum-type", "FULL_OBJECT".to_owned()));
    let (emulator, bucket) = scripted(vec![Reply::Object(damaged)]).await;
    let fault = bucket.get(&name("a"), 100).await.unwrap_err();
    assert!(
        matches!(&fault.kind, FaultKind::Refused(why) if why.contains("does not hold what was written")),
        "{fault}"
    );
    assert_eq!(emulator.requests()[0].headers["x-amz-checksum-mode"], "ENABLED");
}

/// Answers a look at an object by the mark of the first request.
fn marked_as_first(requests: &[crate::emulator::Request]) -> ObjectReply {
    let mark = requests[0].headers["x-amz-meta-leeward-write"].clone();
    let mut facts = Reply::object("");
    facts.headers.push(("x-amz-meta-leeward-write", mark));
    facts
}

fn precondition_failed() -> Reply {
    Reply::Object(Reply::refusal(412, "PreconditionFailed", "At least one of the pre-conditions did not hold"))
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_knows_itself_again() {
    let (emulator, bucket) =
        scripted(vec![Reply::Break, precondition_failed(), Reply::After(Box::new(marked_as_first))]).await;
    let stored = bucket.put(&name("lock"), "x".into(), &Condition::IfAbsent).await.unwrap();
    assert_eq!(stored, Stored::Written(Etag::new("\"tag\"")));
    let requests = emulator.requests();
    assert_eq!(requests[0].headers["if-none-match"], "*");
    assert!(requests[2].line.starts_with("HEAD /dumps-here/shop/lock"), "{}", requests[2].line);
}

#[tokio::test]
async fn a_write_of_somebody_else_is_not_taken_for_its_own() {
    let mut others = Reply::object("");
    others.headers.push(("x-amz-meta-leeward-write", "another".to_owned()));
    let (_emulator, bucket) = scripted(vec![Reply::Break, precondition_failed(), Reply::Object(others)]).await;
    let stored = bucket.put(&name("lock"), "x".into(), &Condition::IfAbsent).await.unwrap();
    assert_eq!(stored, Stored::ConditionNotMet);
}

#[tokio::test]
async fn two_writes_at_one_moment_are_sent_again() {
    let conflict = || Reply::Object(Reply::refusal(409, "ConditionalRequestConflict", "Conflict"));
    let (_emulator, bucket) = scripted(vec![conflict(), Reply::Object(Reply::object(""))]).await;
    let stored = bucket.put(&name("lock"), "x".into(), &Condition::IfAbsent).await.unwrap();
    assert!(matches!(stored, Stored::Written(_)));
}

fn started() -> Reply {
    let body = "<InitiateMultipartUploadResult><UploadId>the-upload</UploadId></InitiateMultipartUploadResult>";
    Reply::Object(ObjectReply { status: 200, body: body.into(), ..ObjectReply::default() })
}

fn completed() -> Reply {
    let body = "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>";
    Reply::Object(ObjectReply { status: 200, body: body.into(), ..ObjectReply::default() })
}

fn taken_back() -> Reply {
    Reply::Object(ObjectReply { status: 204, ..ObjectReply::default() })
}

fn part() -> Reply {
    Reply::Object(Reply::object(""))
}

/// Two full parts and a bit.
fn three_parts() -> Bytes {
    vec![7; 17 << 20].into()
}

#[tokio::test]
async fn a_part_whose_connection_breaks_is_sent_again() {
    let (emulator, bucket) =
        scripted(vec![started(), part(), Reply::Break, part(), slow_down(), part(), completed()]).await;
    let mut upload = bucket.begin(&name("chunk")).await.unwrap();
    upload.write(three_parts()).await.unwrap();
    let stored = upload.finish(&Condition::IfAbsent).await.unwrap();
    assert_eq!(stored, Stored::Written(Etag::new("\"whole\"")));
    let requests = emulator.requests();
    let asked: Vec<&str> =
        requests.iter().map(|request| request.line.split("partNumber=").nth(1).unwrap_or("")).collect();
    let numbers: Vec<&str> = asked.iter().map(|rest| rest.split('&').next().unwrap()).collect();
    assert_eq!(numbers, ["", "1", "2", "2", "3", "3", ""]);
    assert!(requests[6].headers["if-none-match"] == "*" && requests[6].body.contains("<PartNumber>3</PartNumber>"));
}

#[tokio::test]
async fn an_upload_that_fails_takes_its_parts_back_and_says_why() {
    let expired = Reply::Object(Reply::refusal(400, "ExpiredToken", "The provided token has expired."));
    let (emulator, bucket) = scripted(vec![started(), part(), expired, taken_back()]).await;
    let mut upload = bucket.begin(&name("chunk")).await.unwrap();
    // The first to be told is whoever writes or finishes after it.
    let written = upload.write(three_parts()).await;
    let fault = match written {
        Err(fault) => fault,
        Ok(()) => upload.finish(&Condition::Always).await.unwrap_err(),
    };
    let text = said(&fault);
    assert!(text.contains("does not accept the credentials") && text.contains("aws sso login"), "{text}");
    let last = emulator.requests().pop().unwrap();
    assert!(last.line.starts_with("DELETE /dumps-here/shop/chunk") && last.line.contains("uploadId=the-upload"));
}

#[tokio::test]
async fn a_finish_whose_answer_was_lost_knows_itself_again() {
    let gone = Reply::Object(Reply::refusal(404, "NoSuchUpload", "The specified upload does not exist."));
    let (_emulator, bucket) =
        scripted(vec![started(), part(), part(), Reply::Break, gone, Reply::After(Box::new(marked_as_first))]).await;
    let mut upload = bucket.begin(&name("chunk")).await.unwrap();
    upload.write(vec![7; 9 << 20].into()).await.unwrap();
    let stored = upload.finish(&Condition::Always).await.unwrap();
    assert!(matches!(stored, Stored::Written(_)));
}

/// What S3 answers to a list, and words that the fault must hold.
const REFUSALS: [(u16, &str, &str, &[&str]); 10] = [
    (
        404,
        "NoSuchBucket",
        "The specified bucket does not exist",
        &["there is no such bucket", "aws s3 mb s3://dumps-here"],
    ),
    (
        403,
        "AccessDenied",
        "User: arn:aws:sts::1:assumed-role/task is not authorized",
        &[
            "s3:ListBucket is not allowed",
            "\"Resource\":\"arn:aws:s3:::dumps-here\"",
            "\"s3:prefix\":\"shop/*\"",
            "task",
        ],
    ),
    (
        400,
        "AuthorizationHeaderMalformed",
        "the region 'us-east-1' is wrong; expecting 'eu-west-1'",
        &["the bucket is in eu-west-1", "in place of us-east-1"],
    ),
    (403, "ExpiredToken", "The provided token has expired.", &["does not accept the credentials", "aws sso login"]),
    (403, "InvalidAccessKeyId", "does not exist in our records", &["does not accept the credentials"]),
    (403, "SignatureDoesNotMatch", "The request signature we calculated", &["does not accept the credentials"]),
    (403, "RequestTimeTooSkewed", "The difference is too large.", &["the time of this machine", "clock"]),
    (
        400,
        "KMS.DisabledException",
        "arn:aws:kms:us-east-1:1:key/1 is disabled.",
        &["KMS key cannot be used", "enable the key"],
    ),
    (
        403,
        "AccessDenied",
        "task is not authorized to perform: kms:GenerateDataKey on this resource",
        &["kms:GenerateDataKey and kms:Decrypt is not allowed", "\"Action\":[\"kms:GenerateDataKey\",\"kms:Decrypt\"]"],
    ),
    (418, "Teapot", "I am one", &["the answer is not understood", "Teapot (HTTP 418): I am one", "proxy"]),
];

#[tokio::test]
async fn a_refusal_says_what_it_means_and_what_to_do_and_is_not_tried_again() {
    for (status, code, message, words) in REFUSALS {
        let refused = || Reply::Object(Reply::refusal(status, code, message));
        let (emulator, bucket) = scripted(vec![refused(), refused()]).await;
        let fault = bucket.list(&Prefix::default(), None).await.unwrap_err();
        let text = said(&fault);
        for word in words {
            assert!(text.contains(word), "{code}: {text}");
        }
        assert!(matches!(fault.decision(), Decision::Halt { .. }), "{code}");
        assert_eq!(emulator.requests().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_write_that_is_denied_names_the_objects_it_needs() {
    let denied = Reply::Object(Reply::refusal(403, "AccessDenied", "Access Denied"));
    let (_emulator, bucket) = scripted(vec![denied]).await;
    let fault = bucket.put(&name("a"), "x".into(), &Condition::Always).await.unwrap_err();
    let text = said(&fault);
    assert!(text.contains("\"Action\":\"s3:PutObject\",\"Resource\":\"arn:aws:s3:::dumps-here/shop/*\""), "{text}");
}

#[tokio::test]
async fn a_bucket_in_another_region_is_told_by_its_header() {
    let mut moved = Reply::refusal(301, "PermanentRedirect", "Use the specified endpoint");
    moved.headers.push(("x-amz-bucket-region", "us-west-2".to_owned()));
    let (_emulator, bucket) = scripted(vec![Reply::Object(moved)]).await;
    let error = bucket.probe().await.unwrap_err();
    assert_eq!(*error.kind(), AwsErrorKind::BucketElsewhere { region: "us-west-2".to_owned() });
}

#[tokio::test]
async fn an_endpoint_that_nobody_answers_at_is_named_with_a_way_out() {
    let bucket = at("http://127.0.0.1:9", "shop").await;
    let fault = bucket.get(&name("a"), 10).await.unwrap_err();
    let text = said(&fault);
    assert!(text.contains("cannot be reached") && text.contains("open HTTPS from here to S3 in us-east-1"), "{text}");
    assert_eq!(fault.decision(), Decision::Retry);
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_told_as_such() {
    let mut config = config_for("http://127.0.0.1:9").into_builder();
    config.set_credentials_provider(None);
    let account = AwsAccount::from_config(config.build(), None).await.unwrap();
    let settings = BucketSettings { bucket: BUCKET.to_owned(), ..BucketSettings::default() };
    let fault = Bucket::over(account, settings).get(&name("a"), 10).await.unwrap_err();
    let text = said(&fault);
    assert!(text.contains("read a in s3://dumps-here") && text.contains("taskRoleArn"), "{text}");
}
