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

#[tokio::test]
async fn what_moto_leaves_out_of_rds_follows_from_what_it_keeps() {
    let moto = Moto::start().await.unwrap();
    let rds = async |operation: &str, parameters| moto.call("rds", "us-west-2", operation, parameters).await;
    let instance = json!({
        "DBInstanceIdentifier": "shop", "DBInstanceClass": "db.r6g.large", "Engine": "mysql", "EngineVersion": "8.0.40",
        "AllocatedStorage": 100, "StorageType": "gp3", "MasterUsername": "admin", "MasterUserPassword": "moto-12345678",
    });
    rds("create_db_instance", instance).await.unwrap();

    let described = rds("describe_db_instances", json!({})).await.unwrap();
    let authority = &described["DBInstances"][0]["CertificateDetails"]["CAIdentifier"];
    let authorities = rds("describe_certificates", json!({})).await.unwrap();
    let named = |one: &serde_json::Value| one["CertificateIdentifier"] == *authority;
    assert!(authorities["Certificates"].as_array().unwrap().iter().any(named), "{authority} is not in {authorities}");

    let quotas = rds("describe_account_attributes", json!({})).await.unwrap();
    let quota = |name: &str| {
        let of_name = quotas["AccountQuotas"].as_array().unwrap().iter().find(|one| one["AccountQuotaName"] == name);
        of_name.unwrap()["Used"].clone()
    };
    assert_eq!(
        (quota("DBInstances"), quota("AllocatedStorage"), quota("ManualSnapshots")),
        (1.into(), 100.into(), 0.into())
    );

    let options = json!({ "Engine": "mysql", "DBInstanceClass": "db.r6g.xlarge" });
    let offered = rds("describe_orderable_db_instance_options", options.clone()).await.unwrap();
    assert_eq!(offered["OrderableDBInstanceOptions"][0]["DBInstanceClass"], "db.r6g.xlarge");
    moto.offer(&["db.r6g.large"]).unwrap();
    let offered = rds("describe_orderable_db_instance_options", options).await.unwrap();
    assert_eq!(offered["OrderableDBInstanceOptions"], json!([]));

    let valid = json!({ "DBInstanceIdentifier": "shop" });
    let valid = rds("describe_valid_db_instance_modifications", valid).await.unwrap();
    let storage = &valid["ValidDBInstanceModificationsMessage"]["Storage"][0];
    assert_eq!((&storage["StorageType"], &storage["StorageSize"][0]["From"]), (&json!("gp3"), &json!(100)));
    let nobody = rds("describe_valid_db_instance_modifications", json!({ "DBInstanceIdentifier": "nobody" })).await;
    assert!(format!("{:#}", nobody.unwrap_err()).contains("DBInstanceNotFound"));
}
