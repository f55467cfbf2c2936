//! Readiness on RDS: an emulator of AWS describes a pair of instances in two Regions, with real database servers behind
//! them. What is wrong with the pair is found, and nothing else.

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::servers::Moto;
use serde_json::{Value, json};

use crate::support::{Leeward, PASSWORD, Stage};

/// Region and instance of the source.
pub(crate) const SOURCE: (&str, &str) = ("us-east-1", "shop");

/// Region and instance of the target.
pub(crate) const TARGET: (&str, &str) = ("us-west-2", "shop-dr");

/// The application's account, as its secret names it.
pub(crate) const APP: &str = "shop_app";

/// The form whose sentences are not cut at the page's width.
const JSON: [&str; 2] = ["--output", "json"];

/// A pair that RDS describes.
pub(crate) struct Pair {
    pub(crate) moto: Moto,
    pub(crate) stage: Stage,
    /// The target's security group.
    group: String,
    /// The target's key.
    key: String,
}

impl Pair {
    /// Makes two instances alike, each in two subnets behind a security group; a key, a secret and a record.
    pub(crate) async fn make(stage: Stage) -> Result<Pair> {
        let mut pair = Pair { moto: Moto::start().await?, stage, group: String::new(), key: String::new() };
        for (region, id) in [SOURCE, TARGET] {
            let (subnets, group) = pair.network(region, id).await?;
            let key = pair.moto.call("kms", region, "create_key", json!({})).await?;
            let key = key["KeyMetadata"]["Arn"].as_str().context("the key has an ARN")?.to_owned();
            let instance = json!({
                "DBInstanceIdentifier": id, "DBInstanceClass": "db.r6g.large", "Engine": "mysql",
                "EngineVersion": "8.0.40", "AllocatedStorage": 100, "StorageType": "gp3", "MultiAZ": true,
                "BackupRetentionPeriod": 7, "StorageEncrypted": true, "DeletionProtection": true,
                "PubliclyAccessible": false, "MasterUsername": "admin", "MasterUserPassword": PASSWORD, "Port": 3306,
                "DBSubnetGroupName": subnets, "VpcSecurityGroupIds": [group], "KmsKeyId": key,
            });
            pair.moto.call("rds", region, "create_db_instance", instance).await?;
            (pair.group, pair.key) = (group, key);
        }
        let secret = json!({ "username": APP, "password": PASSWORD, "host": "shop.example.com" });
        let secret = json!({ "Name": "shop/app", "SecretString": secret.to_string() });
        pair.moto.call("secretsmanager", TARGET.0, "create_secret", secret).await?;
        pair.measure(60.0).await?;
        Ok(pair)
    }

    /// Makes a subnet group over two zones, and a security group that lets the application in.
    async fn network(&self, region: &str, id: &str) -> Result<(String, String)> {
        let found = self.moto.call("ec2", region, "describe_subnets", json!({})).await?;
        let found = found["Subnets"].as_array().context("there are subnets")?;
        let ids: Vec<&Value> = found.iter().take(2).map(|subnet| &subnet["SubnetId"]).collect();
        let name = format!("{id}-subnets");
        let subnets = json!({ "DBSubnetGroupName": name, "DBSubnetGroupDescription": "two zones", "SubnetIds": ids });
        self.moto.call("rds", region, "create_db_subnet_group", subnets).await?;
        let group = json!({ "GroupName": id, "Description": "the database", "VpcId": found[0]["VpcId"] });
        let group = self.moto.call("ec2", region, "create_security_group", group).await?;
        let group = group["GroupId"].as_str().context("the group has an id")?.to_owned();
        self.admit(region, &group, "10.20.0.0/16").await?;
        Ok((name, group))
    }

    /// Lets a block in at the database's port.
    async fn admit(&self, region: &str, group: &str, block: &str) -> Result<()> {
        let permission = json!({
            "IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "IpRanges": [{ "CidrIp": block }],
        });
        let rule = json!({ "GroupId": group, "IpPermissions": [permission] });
        self.moto.call("ec2", region, "authorize_security_group_ingress", rule).await?;
        Ok(())
    }

    /// Puts the target's host into the application's secret of the target's Region.
    pub(crate) async fn name_the_target(&self) -> Result<()> {
        let text = json!({ "username": APP, "password": PASSWORD, "host": self.host(TARGET).await? }).to_string();
        let secret = json!({ "SecretId": "shop/app", "SecretString": text });
        self.moto.call("secretsmanager", TARGET.0, "put_secret_value", secret).await?;
        Ok(())
    }

    /// Returns the host name of an instance, as RDS names it.
    async fn host(&self, (region, id): (&str, &str)) -> Result<String> {
        let described = json!({ "DBInstanceIdentifier": id });
        let described = self.moto.call("rds", region, "describe_db_instances", described).await?;
        let host = described["DBInstances"][0]["Endpoint"]["Address"].as_str();
        Ok(host.with_context(|| format!("{id} has no address"))?.to_owned())
    }

    /// Makes the record by which applications find the database, and returns its zone.
    pub(crate) async fn record(&self, ttl_s: u32) -> Result<String> {
        let zone = json!({ "Name": "example.com", "CallerReference": "test" });
        let zone = self.moto.call("route53", "us-east-1", "create_hosted_zone", zone).await?;
        let zone = zone["HostedZone"]["Id"].as_str().context("the zone has an id")?.to_owned();
        let host = self.host(SOURCE).await?;
        let record = json!({
            "Name": "db.example.com", "Type": "CNAME", "TTL": ttl_s, "ResourceRecords": [{ "Value": host }],
        });
        let change = json!({ "Changes": [{ "Action": "CREATE", "ResourceRecordSet": record }] });
        let change = json!({ "HostedZoneId": zone, "ChangeBatch": change });
        self.moto.call("route53", "us-east-1", "change_resource_record_sets", change).await?;
        Ok(zone)
    }

    /// Says how many GiB are free on the target.
    async fn measure(&self, gib: f64) -> Result<()> {
        let dimension = json!([{ "Name": "DBInstanceIdentifier", "Value": TARGET.1 }]);
        let point = json!([{
            "MetricName": "FreeStorageSpace", "Dimensions": dimension, "Value": gib * f64::from(1 << 30), "Unit": "Bytes",
        }]);
        let data = json!({ "Namespace": "AWS/RDS", "MetricData": point });
        self.moto.call("cloudwatch", TARGET.0, "put_metric_data", data).await?;
        Ok(())
    }

    /// Changes something about the target's instance.
    pub(crate) async fn modify(&self, change: Value) -> Result<()> {
        let mut change = change;
        change["DBInstanceIdentifier"] = json!(TARGET.1);
        change["ApplyImmediately"] = json!(true);
        self.moto.call("rds", TARGET.0, "modify_db_instance", change).await?;
        Ok(())
    }

    pub(crate) fn readiness(&self, arguments: &[&str]) -> Leeward {
        let arguments: Vec<&str> = std::iter::once("readiness").chain(arguments.iter().copied()).collect();
        let with = |leeward: Leeward, (name, value): (&str, &str)| leeward.env(name, value);
        let names = [
            ("LEEWARD_SOURCE_REGION", SOURCE.0),
            ("LEEWARD_SOURCE_INSTANCE", SOURCE.1),
            ("LEEWARD_TARGET_REGION", TARGET.0),
            ("LEEWARD_TARGET_INSTANCE", TARGET.1),
        ];
        let leeward = names.into_iter().fold(self.stage.leeward(&arguments), with);
        self.moto.env().iter().fold(leeward, |leeward, (name, value)| leeward.env(name, value))
    }

    async fn verdict(&self) -> Result<Value> {
        self.readiness(&JSON).run().await?.json()
    }

    /// Returns how each check of AWS and of drills came out, by its name.
    async fn outcomes(&self) -> Result<Vec<(String, String)>> {
        let verdict = self.verdict().await?;
        let checks = verdict["checks"].as_array().context("the verdict lists its checks")?;
        let of_aws =
            checks.iter().filter(|check| ["api", "file"].iter().any(|kind| check["evidence"]["kind"] == *kind));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(of_aws.map(|check| (text(&check["id"]), text(&check["status"]))).collect())
    }

    /// Fails unless a change makes exactly one check come out otherwise, and so.
    async fn finds(&self, before: &[(String, String)], id: &str, status: &str) -> Result<()> {
        let after = self.outcomes().await?;
        let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
        let [(_, (found, outcome))] = changed.as_slice() else {
            anyhow::bail!("{id} should have become {status}, and nothing else should have changed: {changed:?}");
        };
        ensure!(found == id && outcome == status, "{found} became {outcome}, not {id} {status}");
        Ok(())
    }
}

/// What only the owner can know. The objective leaves room for a test that does not keep the pair in step.
pub(crate) const POLICY: &str = "[objectives]\nrpo = \"1h\"\n[cutover]\nsecret = \"shop/app\"\n\
    calls = [\"rds:us-west-2\", \"secretsmanager:us-west-2\"]\n[network]\napplication = [\"10.20.0.0/16\"]";

fn outcome<'a>(outcomes: &'a [(String, String)], id: &str) -> Result<&'a str> {
    let found = outcomes.iter().find(|(name, _)| name == id).with_context(|| format!("no {id}"))?;
    Ok(found.1.as_str())
}

each_kind! {
    async fn an_rds_pair_is_judged_by_what_aws_says_of_it(kind: Kind) -> Result<()> {
        let stage = Stage::own(kind, "on_rds").await?;
        stage.on_source("CREATE TABLE orders (id INT PRIMARY KEY); INSERT INTO orders VALUES (1);").await?;
        stage.seed().await?;
        let account = format!("CREATE USER {APP} IDENTIFIED BY '{PASSWORD}'; ALTER USER {APP} ACCOUNT LOCK");
        stage.on_target(&account).await?;
        let pair = Pair::make(stage).await?;
        pair.stage.policy_on("rds", POLICY)?;

        let ready = pair.outcomes().await?;
        for id in ["INS-01", "INS-04", "INS-05", "INS-06", "INS-08", "INS-10", "INS-11", "INS-13", "INS-14", "NET-01", "NET-02",
                   "CUT-04", "PAR-04"] {
            ensure!(outcome(&ready, id)? == "pass", "{id} of {ready:?}: {:#}", pair.verdict().await?);
        }
        // The account is locked, and its password right; its secret names another host.
        ensure!(outcome(&ready, "CUT-02")? == "warn", "{ready:?}");
        ensure!(outcome(&ready, "GOV-01")? == "unknown", "{ready:?}");
        let verdict = pair.verdict().await?;
        let status = verdict["checks"].as_array().and_then(|all| all.iter().find(|check| check["id"] == "INS-01"));
        ensure!(
            status.is_some_and(|check| check["evidence"]["calls"][0] == "rds:DescribeDBInstances shop-dr in us-west-2"),
            "{status:#?}"
        );
        ensure!(verdict["verdict"] == "READY_WITH_WARNINGS", "{:?}", blockers(&verdict));

        // One thing after another is spoilt, and mended again.
        pair.modify(json!({ "DeletionProtection": false })).await?;
        pair.finds(&ready, "INS-11", "fail").await?;
        pair.readiness(&JSON).run().await?.says(&[
            "aws rds modify-db-instance --region us-west-2 --db-instance-identifier shop-dr --deletion-protection",
        ]);
        pair.modify(json!({ "DeletionProtection": true })).await?;
        pair.modify(json!({ "MultiAZ": false })).await?;
        pair.finds(&ready, "INS-08", "fail").await?;
        pair.modify(json!({ "MultiAZ": true })).await?;
        // One that is too small can grow, until its Region has no larger one.
        pair.modify(json!({ "DBInstanceClass": "db.r6g.medium" })).await?;
        pair.finds(&ready, "INS-04", "warn").await?;
        pair.moto.offer(&["db.r6g.medium"])?;
        pair.finds(&ready, "INS-04", "fail").await?;
        pair.modify(json!({ "DBInstanceClass": "db.r6g.large" })).await?;
        pair.stage.on_target(&format!("ALTER USER {APP} IDENTIFIED BY '{PASSWORD}-new'")).await?;
        pair.finds(&ready, "CUT-02", "fail").await?;
        pair.stage.on_target(&format!("ALTER USER {APP} IDENTIFIED BY '{PASSWORD}'")).await?;
        // moto finds a key by its ARN when it describes it, and by its id alone when it changes it.
        let key = json!({ "KeyId": pair.key.rsplit('/').next() });
        pair.moto.call("kms", TARGET.0, "disable_key", key.clone()).await?;
        pair.finds(&ready, "INS-10", "fail").await?;
        pair.moto.call("kms", TARGET.0, "enable_key", key).await?;
        pair.admit(TARGET.0, &pair.group, "0.0.0.0/0").await?;
        pair.finds(&ready, "NET-01", "warn").await?;
        let zone = pair.record(60).await?;
        let named = format!("dns_record = \"db.example.com\"\nhosted_zone = \"{zone}\"\ncalls");
        pair.stage.policy_on("rds", &POLICY.replace("calls", &named))?;
        ensure!(outcome(&pair.outcomes().await?, "CUT-01")? == "pass", "{:#}", pair.verdict().await?);

        // A drill that is written down, and its hash.
        let ended = chrono::Utc::now() - chrono::TimeDelta::days(2);
        let began = ended - chrono::TimeDelta::hours(1);
        let form = "%Y-%m-%dT%H:%M:%SZ";
        let drill = format!(
            "kind = \"restore\"\nbegan = {}\nended = {}\npassed = true\ntakeover = \"42m\"\nby = \"the night shift\"\n",
            began.format(form),
            ended.format(form)
        );
        std::fs::write(pair.stage.path("drill.toml"), drill)?;
        let drilled = pair.readiness(&["--drill", "drill.toml", "--output", "json"]).run().await?.json()?;
        let checks = drilled["checks"].as_array().context("the verdict lists its checks")?;
        let passed = checks.iter().filter(|check| check["id"].as_str().is_some_and(|id| id.starts_with("GOV")));
        let evidence: Vec<&str> =
            passed.filter(|check| check["status"] == "pass").filter_map(|check| check["evidence"]["calls"][0].as_str()).collect();
        ensure!(evidence.len() == 2 && evidence[0].contains("drill.toml, SHA-256 "), "{evidence:?}");
        ensure!(drilled["rto"]["measured_s"] == 2520.0, "{}", drilled["rto"]);

        // Of the values within a minute the least counts, so this cannot be mended at once.
        pair.measure(5.0).await?;
        let verdict = pair.verdict().await?;
        ensure!(blockers(&verdict) == ["INS-06"], "{:?}", blockers(&verdict));

        // What does not answer is not known, and blocks.
        let nobody = pair.readiness(&JSON).env("LEEWARD_TARGET_INSTANCE", "nobody").run().await?;
        nobody.exits(2).says(&["neither an instance nor a cluster nobody in us-west-2", "INS-01", "INS-06"]);
        let gone = pair.readiness(&JSON).env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").run().await?;
        gone.exits(2).says(&["the endpoint cannot be reached", "open HTTPS"]);
        Ok(())
    }

    async fn without_credentials_an_rds_pair_is_not_ready(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "rds_blind").await?;
        stage.policy_on("rds", "")?;
        let blind = |leeward: Leeward| {
            leeward
                .env("AWS_CONFIG_FILE", "/dev/null")
                .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
                .env("AWS_EC2_METADATA_DISABLED", "true")
                .env("LEEWARD_TARGET_REGION", TARGET.0)
                .env("LEEWARD_TARGET_INSTANCE", TARGET.1)
        };
        let ran = blind(stage.leeward(&["readiness", "--output", "json"])).run().await?.exits(2);
        ran.says(&["NOT_READY", "INS-01", "INS-06", "no AWS credentials were found", "AWS_PROFILE"]);
        Ok(())
    }

    async fn a_check_explains_itself_without_any_server(kind: Kind) -> Result<()> {
        let stage = Stage::shared(kind, "rds_explain").await?;
        let said = Leeward::new(&["readiness", "--explain", "INS-10"], stage.folder()).run().await?.exits(0);
        said.says(&["INS-10 encryption", "kms:DescribeKey"]);
        Leeward::new(&["readiness", "--explain", "INS-99"], stage.folder()).run().await?.exits(3).says(&["PAR-01"]);
        Ok(())
    }
}

fn blockers(verdict: &Value) -> Vec<String> {
    let all = verdict["checks"].as_array().cloned().unwrap_or_default();
    let blocks = |check: &&Value| check["severity"] == "B" && ["fail", "unknown"].iter().any(|s| check["status"] == *s);
    all.iter().filter(blocks).filter_map(|check| check["id"].as_str().map(str::to_owned)).collect()
}
