//! The emulator of AWS, as the tests of Leeward use it.

use leeward_testkit::servers::Moto;
use serde_json::json;

#[tokio::test]
async fn moto_keeps_what_it_is_told_by_region_and_says_what_it_refuses() {
    let moto = Moto::start().await.unwrap();
    let secret = json!({ "Name": "shop", "SecretString": "{}" });
    moto.call("secretsmanager", "us-west-2", "create_secret", secret).await.unwrap();

    let there = moto.call("secretsmanager", "us-west-2", "list_secrets", json!({})).await.unwrap();
    let elsewhere = moto.call("secretsmanager", "us-east-1", "list_secrets", json!({})).await.unwrap();
    let missing = json!({ "SecretId": "nobody" });
    let refused = moto.call("secretsmanager", "us-west-2", "get_secret_value", missing).await.unwrap_err();

    assert_eq!(there["SecretList"][0]["Name"], "shop");
    assert_eq!(elsewhere["SecretList"], json!([]));
    assert!(format!("{refused:#}").contains("ResourceNotFoundException"), "{refused:#}");
}
