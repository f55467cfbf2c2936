//! The whole story on emulated AWS and real servers: two RDS instances, secrets, a seed by way of S3, the service, a snapshot,
//! and a verdict for the auditor. Then one thing after another goes wrong, and exactly that is found.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::servers::Server;
use serde_json::{Value, json};

use crate::readiness_rds::{APP, POLICY, Pair, SOURCE, TARGET};
use crate::support::{Leeward, PASSWORD, READER, Running, Stage, WRITER, eventually};

const BUCKET: &str = "shop-dr";
const STORE: &str = "s3://shop-dr/lane";

/// What moto cannot answer about an instance: its certificate and the account's quotas.
const UNANSWERED: [&str; 2] = ["INS-13", "INS-14"];

const TABLES: &str = "
    CREATE TABLE orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    INSERT INTO orders (n) VALUES (1), (2), (3);
    CREATE TABLE countries (code CHAR(2) PRIMARY KEY, name VARCHAR(40) NOT NULL);
    INSERT INTO countries VALUES ('pt', 'Portugal'), ('no', 'Norway');";

/// Each check's outcome, by its name.
type Outcomes = BTreeMap<String, String>;

struct Story {
    pair: Pair,
    secrets: [String; 2],
}

impl Story {
    /// Two instances as RDS describes them, the passwords of both in Secrets Manager, a bucket, a record in the DNS.
    async fn begin(stage: Stage) -> Result<Story> {
        stage.on_source(TABLES).await?;
        let database = &stage.database;
        let application =
            format!("CREATE USER {APP} IDENTIFIED BY '{PASSWORD}'; GRANT SELECT ON {database}.* TO {APP};");
        stage.source().exec_script(&application).await?;
        let pair = Pair::make(stage).await?;
        let bucket = json!({ "Bucket": BUCKET, "CreateBucketConfiguration": { "LocationConstraint": TARGET.0 } });
        pair.moto.call("s3", TARGET.0, "create_bucket", bucket).await?;
        let source = secret(&pair, SOURCE.0, "leeward/source", READER).await?;
        let target = secret(&pair, TARGET.0, "leeward/target", WRITER).await?;
        let zone = pair.record(60).await?;
        let named = format!("dns_record = \"db.example.com\"\nhosted_zone = \"{zone}\"\ncalls");
        pair.stage.policy_on("rds", &POLICY.replace("calls", &named))?;
        Ok(Story { pair, secrets: [source, target] })
    }

    /// Prepares a command that knows addresses and secrets, and no password.
    fn command(&self, leeward: Leeward) -> Leeward {
        let stage = &self.pair.stage;
        let [source, target] = &self.secrets;
        let leeward = leeward
            .env("LEEWARD_SOURCE_URL", &address(stage.source()))
            .env("LEEWARD_TARGET_URL", &address(stage.target()))
            .env("LEEWARD_SOURCE_SECRET", source)
            .env("LEEWARD_TARGET_SECRET", target)
            .env("LEEWARD_STORE_REGION", TARGET.0);
        let env = self.pair.moto.env();
        env.iter().fold(leeward, |leeward, (name, value)| leeward.env(name, value))
    }

    fn leeward(&self, arguments: &[&str]) -> Leeward {
        self.command(self.pair.stage.leeward(arguments))
    }

    fn sync(&self) -> Result<Running> {
        self.leeward(&["sync", "--cycle-interval", "250ms", "--lease-ttl", "5s"]).start()
    }

    async fn judged(&self, more: &[&str]) -> Result<Value> {
        let arguments = [&["--drill", "drill.toml", "--output", "json"], more].concat();
        self.command(self.pair.readiness(&arguments)).run().await?.json()
    }

    async fn outcomes(&self) -> Result<Outcomes> {
        outcomes(&self.judged(&[]).await?)
    }

    /// Waits until what differs from `before` is this check alone, and so: what sync has seen of the source reaches the
    /// verdict with its next look.
    async fn finds(&self, before: &Outcomes, id: &str, status: &str) -> Result<()> {
        eventually(&format!("{id} alone is {status}"), async || {
            let after = self.outcomes().await?;
            let changed: Vec<_> = after.iter().filter(|(id, status)| before[*id] != **status).collect();
            Ok((changed.len() == 1 && changed[0].0 == id && changed[0].1 == status).then_some(()))
        })
        .await
        .with_context(|| format!("what is spoilt should show as {id} {status} and as nothing else"))
    }

    /// Writes the record of a drill that was passed so many days ago.
    fn drill(&self, days: i64) -> Result<()> {
        let ended = chrono::Utc::now() - chrono::TimeDelta::days(days);
        let form = "%Y-%m-%dT%H:%M:%SZ";
        let record = format!(
            "kind = \"restore\"\nbegan = {}\nended = {}\npassed = true\ntakeover = \"42m\"\nby = \"the night shift\"\n",
            (ended - chrono::TimeDelta::hours(1)).format(form),
            ended.format(form)
        );
        std::fs::write(self.pair.stage.path("drill.toml"), record).context("write the record of a drill")
    }
}

fn address(server: &Server) -> String {
    format!("mysql://{}:{}/", server.host(), server.port())
}

async fn secret(pair: &Pair, region: &str, name: &str, user: &str) -> Result<String> {
    let text = json!({ "username": user, "password": PASSWORD }).to_string();
    let secret = json!({ "Name": name, "SecretString": text });
    let answer = pair.moto.call("secretsmanager", region, "create_secret", secret).await?;
    Ok(answer["ARN"].as_str().context("a secret has an ARN")?.to_owned())
}

fn outcomes(verdict: &Value) -> Result<Outcomes> {
    let checks = verdict["checks"].as_array().context("the verdict lists its checks")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(checks.iter().map(|check| (text(&check["id"]), text(&check["status"]))).collect())
}

each_kind! {
    async fn two_instances_are_made_ready_and_each_fault_is_found(kind: Kind) -> Result<()> {
        let story = Story::begin(Stage::own(kind, "story").await?).await?;
        let stage = &story.pair.stage;
        story.leeward(&["seed", "--via", STORE]).run().await?.exits(0).says(&["5 rows"]);
        stage.assert_equal().await?;
        let account = format!("CREATE USER {APP} IDENTIFIED BY '{PASSWORD}'; GRANT SELECT ON {}.* TO {APP};", stage.database);
        stage.target().exec_script(&format!("{account} ALTER USER {APP} ACCOUNT LOCK;")).await?;
        story.drill(2)?;

        let sync = story.sync()?;
        stage.on_source("INSERT INTO orders (n) VALUES (4); UPDATE orders SET n = 5 WHERE id = 1;").await?;
        stage.caught_up().await?;
        stage.assert_equal().await?;
        story.leeward(&["snapshot", "--to", STORE]).run().await?.exits(0);

        // The verdict, with what there is to fall back on, kept for the auditor.
        let verdict = story.judged(&["--snapshots", STORE, "--upload", STORE]).await?;
        let good = outcomes(&verdict)?;
        let blocking: Vec<_> = good.iter().filter(|(_, status)| ["fail", "unknown"].contains(&status.as_str())).collect();
        ensure!(verdict["verdict"] == "READY_WITH_WARNINGS", "{blocking:?}: {verdict:#}");
        ensure!(blocking.iter().all(|(id, _)| UNANSWERED.contains(&id.as_str())), "{verdict:#}");
        let words = verdict["words"].to_string();
        ensure!(words.contains("to fall back on: dump ") && words.contains(STORE), "{words}");
        let listed = json!({ "Bucket": BUCKET, "Prefix": "lane/readiness/story/" });
        let kept = story.pair.moto.call("s3", TARGET.0, "list_objects_v2", listed).await?;
        ensure!(kept["KeyCount"] == 2, "{kept}");

        // One thing after another goes wrong, and is put right.
        story.pair.modify(json!({ "DBInstanceClass": "db.r6g.medium" })).await?;
        story.finds(&good, "INS-04", "fail").await?;
        story.pair.modify(json!({ "DBInstanceClass": "db.r6g.large" })).await?;
        story.pair.modify(json!({ "BackupRetentionPeriod": 0 })).await?;
        story.finds(&good, "INS-09", "fail").await?;
        story.pair.modify(json!({ "BackupRetentionPeriod": 7 })).await?;
        stage.on_target("SET GLOBAL group_concat_max_len = 4096").await?;
        story.finds(&good, "PAR-01", "fail").await?;
        stage.on_target("SET GLOBAL group_concat_max_len = DEFAULT").await?;
        stage.on_target(&format!("REVOKE SELECT ON {}.* FROM {APP}", stage.database)).await?;
        story.finds(&good, "ACC-02", "fail").await?;
        stage.on_target(&format!("GRANT SELECT ON {}.* TO {APP}", stage.database)).await?;
        stage.on_target("CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DO 0").await?;
        story.finds(&good, "SCH-05", "fail").await?;
        stage.on_target("DROP EVENT nightly").await?;
        story.drill(400)?;
        story.finds(&good, "GOV-01", "fail").await?;
        story.drill(2)?;
        ensure!(story.outcomes().await? == good, "what was put right is as it was before");

        // The process is gone: the copy grows old.
        sync.stop().await?.exits(0);
        story.pair.stage.policy_on("rds", &POLICY.replace("1h", "1s"))?;
        eventually("the copy is older than may be", async || {
            let late = outcomes(&story.judged(&[]).await?)?;
            Ok((late["SYNC-01"] == "fail" && late["SYNC-03"] == "fail").then_some(()))
        })
        .await?;
        Ok(())
    }
}
