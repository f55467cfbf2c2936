//! The whole story on emulated AWS and real servers: two RDS instances, secrets, a seed by way of S3, the service, a snapshot,
//! and a verdict for the auditor. Then one thing after another goes wrong, and exactly that is found.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::proxy::{Link, Proxy};
use leeward_testkit::servers::Server;
use serde_json::{Value, json};

use crate::readiness_rds::{APP, POLICY, Pair, SOURCE, TARGET};
use crate::support::{Leeward, PASSWORD, READER, Running, Stage, WRITER, eventually};

const BUCKET: &str = "shop-dr";
const STORE: &str = "s3://shop-dr/lane";

/// The servers of a test have administrators that RDS keeps for itself; their owner names them.
const ADMINISTRATORS: &str =
    "[checks]\nwriters_on_target = [\"root@*\", \"mysql@localhost\", \"*.sys@localhost\", \"mysql.*@localhost\"]";

/// Prices that hold all that AWS says of the pair.
const PRICES: &str = r#"
version = 1
date = 2026-06-01
transfer = [{ from = "us-east-1", to = "us-west-2", usd_per_gb = 0.02, source = "a test" }]
storage = [{ region = "us-west-2", usd_per_gb_month = 0.10, source = "a test" }]
instance = [{ region = "us-west-2", class = "db.r6g.large", usd_per_hour = 0.25, source = "a test" }]
task = [{ region = "us-west-2", usd_per_vcpu_hour = 0.04, usd_per_gb_hour = 0.004, source = "a test" }]
"#;

const TABLES: &str = "
    CREATE TABLE orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    INSERT INTO orders (n) VALUES (1), (2), (3);
    CREATE TABLE countries (code CHAR(2) PRIMARY KEY, name VARCHAR(40) NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    INSERT INTO countries (code, name) VALUES ('pt', 'Portugal'), ('no', 'Norway');";

/// Each check's outcome, by its name.
type Outcomes = BTreeMap<String, String>;

/// What a verdict says when something is spoilt: checks with their outcomes.
type Findings<'a> = &'a [(&'a str, &'a str)];

struct Story {
    pair: Pair,
    secrets: [String; 2],
    /// The way of the service to the source; whoever judges has another.
    way: Proxy,
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
        pair.name_the_target().await?;
        let zone = pair.record(60).await?;
        let named = format!("dns_record = \"db.example.com\"\nhosted_zone = \"{zone}\"\ncalls");
        let policy = POLICY.replace("calls =", &format!("{named} =")).replace("1h", "10s");
        pair.stage.policy_on("rds", &format!("{ADMINISTRATORS}\n{policy}"))?;
        std::fs::write(pair.stage.path("prices.toml"), PRICES).context("write the prices")?;
        let way = Proxy::start(pair.stage.source().address().await?, Link::default()).await?;
        Ok(Story { pair, secrets: [source, target], way })
    }

    /// Prepares a command that knows addresses and secrets, and no password.
    fn command(&self, leeward: Leeward) -> Leeward {
        let stage = &self.pair.stage;
        let [source, target] = &self.secrets;
        let leeward = leeward
            .env("LEEWARD_SOURCE_URL", &address(stage.source(), stage.source().port()))
            .env("LEEWARD_TARGET_URL", &address(stage.target(), stage.target().port()))
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
        let through = address(self.pair.stage.source(), self.way.address().port());
        let sync = self.leeward(&["sync", "--cycle-interval", "250ms", "--lease-ttl", "5s"]);
        sync.env("LEEWARD_SOURCE_URL", &through).start()
    }

    async fn judged(&self, more: &[&str]) -> Result<Value> {
        let arguments = [&["--drill", "drill.toml", "--prices", "prices.toml", "--output", "json"], more].concat();
        self.command(self.pair.readiness(&arguments)).run().await?.json()
    }

    /// Waits until what differs from `good` is this and nothing else: what sync has seen of the source reaches the verdict
    /// with its next look. Fails also when the verdict is not what follows from it.
    async fn finds(&self, good: &Outcomes, findings: Findings<'_>) -> Result<()> {
        let mut last = None;
        let found = eventually("exactly what was spoilt is found", async || {
            let verdict = self.judged(&[]).await?;
            let differs = differing(good, &outcomes(&verdict)?);
            let is_all = differs == findings.iter().map(|(id, is)| (id.to_string(), is.to_string())).collect();
            last = Some(differs);
            Ok(is_all.then_some(verdict))
        });
        let verdict = found.await.with_context(|| format!("{findings:?} should be found, and is: {last:?}"))?;
        ensure!(verdict["verdict"] != "READY", "{findings:?} and READY");
        Ok(())
    }

    /// Waits until everything is as it was.
    async fn is_ready(&self, good: &Outcomes) -> Result<()> {
        let mut last = None;
        let ready = eventually("it is ready again", async || {
            let verdict = self.judged(&[]).await?;
            let differs = differing(good, &outcomes(&verdict)?);
            let is_ready = verdict["verdict"] == "READY" && differs.is_empty();
            last = Some(differs);
            Ok(is_ready.then_some(()))
        });
        ready.await.with_context(|| format!("what was mended differs still: {last:?}"))
    }

    /// Changes something about the target's instance, which must show as `finding`, and takes it back.
    async fn spoils_the_instance(&self, good: &Outcomes, (change, back): (Value, Value), finding: &str) -> Result<()> {
        self.pair.modify(change).await?;
        self.finds(good, &[(finding, "fail")]).await?;
        self.pair.modify(back).await?;
        self.is_ready(good).await
    }

    /// Runs a statement on the target, which must show as `finding`, and takes it back by another.
    async fn spoils_the_server(&self, good: &Outcomes, (change, back): (&str, &str), finding: &str) -> Result<()> {
        self.pair.stage.on_target(change).await?;
        self.finds(good, &[(finding, "fail")]).await?;
        self.pair.stage.on_target(back).await?;
        self.is_ready(good).await
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

fn address(server: &Server, port: u16) -> String {
    format!("mysql://{}:{port}/", server.host())
}

/// Returns the checks that came out otherwise, and how.
fn differing(good: &Outcomes, now: &Outcomes) -> Outcomes {
    now.iter().filter(|(id, status)| good.get(*id) != Some(status)).map(|(id, is)| (id.clone(), is.clone())).collect()
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

        // The verdict, with what there is to fall back on and what it costs, kept for the auditor.
        let verdict = story.judged(&["--snapshots", STORE, "--upload", STORE]).await?;
        let good = outcomes(&verdict)?;
        let open: Vec<_> = good.iter().filter(|(_, is)| !["pass", "not_applicable"].contains(&is.as_str())).collect();
        ensure!(verdict["verdict"] == "READY" && open.is_empty(), "{open:?}: {verdict:#}");
        ensure!(verdict["waivers"] == json!([]), "nothing is waived: {}", verdict["waivers"]);
        let words = verdict["words"].to_string();
        ensure!(words.contains("to fall back on: dump ") && words.contains(STORE), "{words}");
        costs_what_aws_describes(&verdict["cost"])?;
        let listed = json!({ "Bucket": BUCKET, "Prefix": "lane/readiness/story/" });
        let kept = story.pair.moto.call("s3", TARGET.0, "list_objects_v2", listed).await?;
        ensure!(kept["KeyCount"] == 2, "{kept}");

        // One thing after another goes wrong, exactly that is found, and it is put right.
        let class = |class: &str| json!({ "DBInstanceClass": class });
        story.pair.modify(class("db.r6g.medium")).await?;
        story.finds(&good, &[("INS-04", "warn")]).await?;
        story.pair.moto.offer(&[])?;
        story.finds(&good, &[("INS-04", "fail")]).await?;
        story.pair.moto.offer(&["db.r6g.large"])?;
        story.pair.modify(class("db.r6g.large")).await?;
        story.is_ready(&good).await?;
        let days = |days: u32| json!({ "BackupRetentionPeriod": days });
        story.spoils_the_instance(&good, (days(0), days(7)), "INS-09").await?;
        let length = "SET GLOBAL group_concat_max_len";
        let (longer, back) = (format!("{length} = 4096"), format!("{length} = DEFAULT"));
        story.spoils_the_server(&good, (&longer, &back), "PAR-01").await?;
        let database = &stage.database;
        let (revoke, grant) =
            (format!("REVOKE SELECT ON {database}.* FROM {APP}"), format!("GRANT SELECT ON {database}.* TO {APP}"));
        story.spoils_the_server(&good, (&revoke, &grant), "ACC-02").await?;
        let event = "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DO 0";
        story.spoils_the_server(&good, (event, "DROP EVENT nightly"), "SCH-05").await?;
        story.drill(400)?;
        story.finds(&good, &[("GOV-01", "fail")]).await?;
        story.drill(2)?;
        story.is_ready(&good).await?;
        // The service hears nothing of the source any more: the copy and its tables grow old, and it goes on trying.
        story.way.stall();
        story.finds(&good, &[("SYNC-01", "fail"), ("SYNC-02", "fail")]).await?;
        story.way.resume();
        story.is_ready(&good).await?;

        // The process is gone.
        sync.stop().await?.exits(0);
        story.finds(&good, &[("SYNC-01", "fail"), ("SYNC-02", "fail"), ("SYNC-03", "fail")]).await?;

        // Whoever judges from the target's Region alone knows of the source what was kept of it, with its age.
        let alone = story.pair.readiness(&["--output", "json", "--prices", "prices.toml"]);
        let alone = story.command(alone).env("LEEWARD_SOURCE_URL", "mysql://127.0.0.1:1/");
        let verdict = alone.env("LEEWARD_SOURCE_INSTANCE", "").run().await?.exits(2).json()?;
        let checks = verdict["checks"].as_array().context("the verdict lists its checks")?;
        let class = checks.iter().find(|check| check["id"] == "INS-04").context("there is INS-04")?;
        ensure!(class["status"] == "pass", "{class:#}");
        let calls = class["evidence"]["calls"].to_string();
        ensure!(calls.contains("rds:DescribeDBInstances shop in us-east-1, as it was answered then"), "{class:#}");
        costs_what_aws_describes(&verdict["cost"])
    }
}

/// The Regions, the class, the disk and the standby are as AWS describes them; each figure follows from the test's prices.
fn costs_what_aws_describes(cost: &Value) -> Result<()> {
    ensure!(cost["from"] == SOURCE.0 && cost["to"] == TARGET.0, "{cost:#}");
    let item = |what: &str| {
        let items = cost["items"].as_array().context("the cost has items")?;
        items.iter().find(|item| item["what"] == what).with_context(|| format!("{what} is not in {cost:#}"))
    };
    let instance = item("target instance")?;
    ensure!(instance["usd"] == 365.0, "an instance and its standby at $0.25 for 730 hours: {instance}");
    ensure!(instance["amount"] == "db.r6g.large, twice (Multi-AZ); $0.25/hour", "{instance}");
    ensure!(item("target storage")?["usd"] == 20.0, "{cost:#}");
    ensure!(item("transfer for the seed")?["usd"].as_f64().is_some_and(|usd| usd > 0.0 && usd < 0.01), "{cost:#}");
    // The servers have been up for minutes, which says nothing of a day.
    let changes = item("transfer for changes")?;
    ensure!(
        changes["usd"].is_null() && changes["amount"].as_str().is_some_and(|why| why.starts_with("unknown: ")),
        "{changes}"
    );
    ensure!(cost["month"]["is_all"] == false, "{cost:#}");
    ensure!(cost["replica"].as_str().is_some_and(|text| text.contains("native replica")), "{cost:#}");
    Ok(())
}
