//! The readiness report in all its forms, from servers as they are, and the HTML in a browser as its readers see it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use serde_json::Value;

use crate::support::{Browser, Media, PASSWORD, Ran, Running, Stage, eventually};

/// A name that would run if it were not escaped.
const HOSTILE: &str = "<script>document.title='taken'</script>";

/// Prices of what no name says: the servers of a test stand in no Region.
const PRICES: &str = r#"
version = 1
date = 2026-06-01
place = { source_region = "us-east-1", target_region = "us-west-2", target_class = "db.r6g.large", target_storage_gb = 100 }
transfer = [{ from = "us-east-1", to = "us-west-2", usd_per_gb = 1024.0, source = "a test" }]
instance = [{ region = "us-west-2", class = "db.r6g.large", usd_per_hour = 0.25, source = "a test" }]
"#;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/readiness.schema.json");

/// Seeds and keeps a database, one table of which has a hostile name.
async fn keep(stage: &Stage) -> Result<Running> {
    stage
        .on_source(&format!(
            "CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, customer_id INT NOT NULL,
                 updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                 KEY (updated_at));
             INSERT INTO orders (customer_id) VALUES (1), (2), (3);
             CREATE TABLE `{HOSTILE}` (id INT PRIMARY KEY);
             INSERT INTO `{HOSTILE}` VALUES (1);"
        ))
        .await?;
    stage.seed().await?;
    let sync = stage.start_sync()?;
    stage.caught_up().await?;
    Ok(sync)
}

/// Writes the report in every form, and fails unless they agree with each other and with the published schema.
async fn report(stage: &Stage, name: &str, more: &[&str]) -> Result<(Ran, Value)> {
    let [html, json, junit] = ["html", "json", "xml"].map(|form| format!("{name}.{form}"));
    let mut arguments = vec!["readiness", "--output", "json", "--html", &html, "--json", &json, "--junit", &junit];
    arguments.extend(more);
    let ran = stage.run(&arguments).await?;
    let read = |name: &str| std::fs::read_to_string(stage.path(name)).with_context(|| format!("read {name}"));
    let verdict: Value = serde_json::from_str(&read(&json)?).context("read the JSON")?;
    ensure!(ran.json()? == verdict, "the file holds what stdout does");
    let mut schemas = boon::Schemas::new();
    let schema = boon::Compiler::new().compile(SCHEMA, &mut schemas).map_err(|error| anyhow::anyhow!("{error:#}"))?;
    schemas.validate(&verdict, schema).map_err(|error| anyhow::anyhow!("{error:#}\n{verdict:#}"))?;
    let checks = verdict["checks"].as_array().context("checks are listed")?;
    let count = |status: &str| checks.iter().filter(|check| check["status"] == status).count();
    let skipped = count("waived") + count("not_applicable");
    let (failures, errors) = (count("fail"), count("unknown"));
    let tests = checks.len();
    let counts = format!("tests=\"{tests}\" skipped=\"{skipped}\" failures=\"{failures}\" errors=\"{errors}\"");
    ensure!(read(&junit)?.contains(&counts), "{counts} is not in:\n{}", read(&junit)?);
    ensure!(!read(&html)?.contains("<script"), "the hostile name is escaped");
    Ok((ran, verdict))
}

each_kind! {
    async fn a_report_in_every_form_says_what_changed_and_can_be_read_by_anybody(kind: Kind) -> Result<()> {
        let stage = Stage::own(kind, "report").await?;
        let sync = keep(&stage).await?;
        let (_, before) = eventually("the trend has begun", async || {
            let (ran, verdict) = report(&stage, "before", &[]).await?;
            let begun = verdict["trend"]["day"].as_array().is_some_and(|points| !points.is_empty());
            Ok(begun.then_some((ran, verdict)))
        })
        .await?;
        let worst = before["trend"]["day"][0]["worst_ms"].as_u64().context("an age is measured")?;
        ensure!((1..60_000).contains(&worst), "{worst} ms is no age of a lane that cuts four times a second");
        ensure!(before["tables"].as_array().is_some_and(|tables| tables.len() == 2), "{before:#}");

        stage.policy("[[waiver]]\ncheck = \"ACC-04\"\nreason = \"administrators are known\"\nuntil = \"2027-01-31\"")?;
        stage.on_target("CREATE EVENT live ON SCHEDULE EVERY 1 DAY DO SELECT 1").await?;
        std::fs::write(stage.path("prices.toml"), PRICES)?;
        let (ran, after) = report(&stage, "after", &["--since", "before.json", "--prices", "prices.toml"]).await?;
        ran.exits(2);
        costs_what_is_known(&stage, (&before["cost"], &after["cost"])).await?;
        let moved = after["since"]["moves"].as_array().context("moves are listed")?;
        let event = moved.iter().find(|one| one["id"] == "SCH-05").context("the event is seen")?;
        ensure!(event["way"] == "worse" && event["was"] == "pass" && event["is"] == "fail", "{event:#}");
        let former = after["trend"]["verdicts"].as_array().context("former verdicts are listed")?;
        ensure!(former.iter().any(|one| one["verdict"] == before["verdict"]), "{former:#?}");
        stage.run(&["readiness", "--since", "before.json"]).await?.exits(2).says(&["Since 20", "worse: SCH-05 blocker"]);
        refuses_what_cannot_be_compared(&stage).await?;
        whoever_may_only_read_gets_the_verdict_too(&stage).await?;
        sync.stop().await?.exits(0);
        looks_right(&stage.path("after.html"), kind.slug()).await
    }
}

/// Returns an item of a report's cost.
fn item<'a>(cost: &'a Value, what: &str) -> Result<&'a Value> {
    let items = cost["items"].as_array().context("the cost has items")?;
    items.iter().find(|item| item["what"] == what).with_context(|| format!("{what} is not in {cost:#}"))
}

/// Without a price nothing costs anything that could be said; with one it follows from what was seen. What is unknown says
/// so, in every form.
async fn costs_what_is_known(stage: &Stage, (without, with): (&Value, &Value)) -> Result<()> {
    ensure!(
        without["items"].as_array().is_some_and(|items| items.iter().all(|item| item["usd"].is_null())),
        "{without:#}"
    );
    ensure!(without["month"]["usd"] == 0.0 && without["month"]["is_all"] == false, "{without:#}");
    let seed = item(without, "transfer for the seed")?["amount"].as_str().unwrap_or_default();
    ensure!(
        seed.contains("of rows, before compression, as surveyed 20") && seed.contains("price is unknown"),
        "{seed}"
    );
    let seed = item(with, "transfer for the seed")?;
    ensure!(seed["due"] == "once" && seed["usd"].as_f64().is_some_and(|usd| usd > 0.0), "{seed}");
    ensure!(item(with, "target instance")?["usd"] == 182.5, "{with:#}");
    // The servers were started by this test: what they have counted says nothing of a day.
    let day = item(with, "transfer for changes")?;
    ensure!(day["usd"].is_null() && day["amount"].as_str().is_some_and(|why| why.starts_with("unknown: ")), "{day}");
    let text = stage.run(&["readiness", "--prices", "prices.toml"]).await?;
    text.says(&[
        "Cost (at prices of 2026-06-01, us-east-1 to us-west-2):",
        "target instance: about $182.50 a month: db.r6g.large; $0.25/hour",
        "in a month: $182.50, and what is unknown above",
        "a native replica of the same class would cost",
    ]);
    Ok(())
}

async fn refuses_what_cannot_be_compared(stage: &Stage) -> Result<()> {
    let old = std::fs::read_to_string(stage.path("before.json")).context("read the former report")?;
    let mut other: Value = serde_json::from_str(&old)?;
    other["pair"]["source"]["identity"] = "another".into();
    std::fs::write(stage.path("other.json"), other.to_string())?;
    let refused = stage.run(&["readiness", "--since", "other.json", "--html", "refused.html"]).await?;
    refused.exits(3).says(&["--since: the former report is about another source (another, now"]);
    other["schema_version"] = 1.into();
    std::fs::write(stage.path("other.json"), other.to_string())?;
    let refused = stage.run(&["readiness", "--since", "other.json", "--html", "refused.html"]).await?;
    refused.exits(3).says(&["has schema_version 1"]);
    ensure!(!stage.path("refused.html").exists(), "what is refused writes nothing");
    Ok(())
}

/// The former verdicts are kept where that may be done, and nowhere asked for.
async fn whoever_may_only_read_gets_the_verdict_too(stage: &Stage) -> Result<()> {
    stage.target().create_account("watcher", PASSWORD, "SELECT").await?;
    let kept = "SELECT body FROM leeward.fact WHERE name='verdicts:report'";
    let before: String = stage.target_value(kept).await?;
    let watched = stage
        .leeward(&["readiness", "--output", "json"])
        .env("LEEWARD_TARGET_URL", &stage.target().url("watcher", PASSWORD))
        .run()
        .await?;
    ensure!(watched.json()?["verdict"].is_string(), "{}", watched.text());
    ensure!(stage.target_value::<String>(kept).await? == before, "a reader has written");
    Ok(())
}

/// Looks at a page on wide and narrow screens, light and dark, and on paper. The pictures stay for whoever wants to see them.
async fn looks_right(page: &Path, kind: &str) -> Result<()> {
    let pictures = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut browser = Browser::start().await?;
    browser.look(Media::Light, 1280).await?;
    browser.open(page).await?;
    ensure!(browser.evaluate("document.title").await?.as_str().is_some_and(|title| title.starts_with("Not ready")));
    let cost = browser.evaluate("document.querySelector('section[aria-labelledby=cost]').innerText").await?;
    let cost = cost.as_str().context("the page has a section about the cost")?;
    for part in ["target instance", "$182.50", "unknown", "native replica of the same class"] {
        ensure!(cost.contains(part), "{part} is not seen in:\n{cost}");
    }
    let mut backgrounds = Vec::new();
    for (name, media, width) in [
        ("light", Media::Light, 1280),
        ("dark", Media::Dark, 1280),
        ("phone", Media::Light, 390),
        ("phone-dark", Media::Dark, 390),
        ("print", Media::Print, 760),
    ] {
        browser.look(media, width).await?;
        browser.picture(&pictures.join(format!("report-{kind}-{name}.png"))).await?;
        let seen = browser.evaluate(include_str!("contrast.js")).await?;
        ensure!(seen["poor"].as_array().is_some_and(Vec::is_empty), "{name}: contrast below 4.5: {:#}", seen["poor"]);
        ensure!(seen["seen"].as_u64().is_some_and(|texts| texts > 100), "{name}: {} texts are seen", seen["seen"]);
        let widths = (seen["page_width"].as_u64(), seen["window_width"].as_u64());
        ensure!(
            widths == (Some(u64::from(width)), Some(u64::from(width))),
            "{name}: page and window are {widths:?} wide"
        );
        backgrounds.push(seen["background"].clone());
    }
    ensure!(backgrounds[0] != backgrounds[1] && backgrounds[2] != backgrounds[3], "both themes: {backgrounds:?}");
    ensure!(backgrounds[0] == backgrounds[4], "paper is light: {backgrounds:?}");
    browser.print(&pictures.join(format!("report-{kind}.pdf"))).await?;
    let address = format!("file://{}", page.display());
    ensure!(browser.requested() == [address], "the page asks for {:?}", browser.requested());
    ensure!(browser.complaints().is_empty(), "{:?}", browser.complaints());
    Ok(())
}
