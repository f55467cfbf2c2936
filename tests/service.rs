//! `sync` as a service: what it tells machines, when it counts as healthy and as ready, and how it stops.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use leeward_testkit::each_kind;
use leeward_testkit::proxy::Link;
use leeward_testkit::servers::Kind;
use mysql_async::prelude::Queryable;
use prometheus_parse::{Scrape, Value as Sample};
use rustix::process::Signal;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Leeward, Running, Stage, eventually};

const TABLES: &str = "
    CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at));
    CREATE TABLE log (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL);
    INSERT INTO t (n) VALUES (1), (2), (3); INSERT INTO log (n) VALUES (1);";

/// Returns an address of this machine on which nothing listens.
async fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("find a free port")?;
    Ok(listener.local_addr()?.to_string())
}

async fn prepared(kind: Kind, name: &str) -> Result<Stage> {
    let stage = Stage::shared(kind, name).await?;
    stage.on_source(TABLES).await?;
    stage.seed().await?;
    Ok(stage)
}

/// Starts a sync that listens.
fn listening(stage: &Stage, address: &str) -> Result<Running> {
    stage.leeward(&["sync", "--cycle-interval", "250ms", "--lease-ttl", "60s", "--listen", address]).start()
}

/// Sends one request by hand, and returns the answer's code, head and body.
async fn ask(address: &str, method: &str, path: &str) -> Result<(u16, String, String)> {
    let mut stream = TcpStream::connect(address).await.context("connect")?;
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("no HTTP: {answer:?}"))?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("read the code")?;
    Ok((code, head.to_lowercase(), body.to_owned()))
}

async fn get(address: &str, path: &str) -> Result<(u16, String)> {
    let (code, _, body) = ask(address, "GET", path).await?;
    Ok((code, body))
}

async fn get_json(address: &str, path: &str) -> Result<(u16, Value)> {
    let (code, body) = get(address, path).await?;
    Ok((code, serde_json::from_str(&body).with_context(|| format!("read {path}: {body}"))?))
}

/// Waits until a path is answered with a code.
async fn answers(address: &str, path: &str, wanted: u16) -> Result<()> {
    eventually(&format!("{path} is answered with {wanted}"), async || {
        // Before it listens there is no answer.
        let Ok((code, _)) = get(address, path).await else { return Ok(None) };
        Ok((code == wanted).then_some(()))
    })
    .await
}

/// Reads the numbers as Prometheus would.
async fn metrics(address: &str) -> Result<Scrape> {
    let (code, head, body) = ask(address, "GET", "/metrics").await?;
    ensure!(code == 200 && head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    Scrape::parse(body.lines().map(|line| Ok(line.to_owned()))).context("read the metrics")
}

fn number(scrape: &Scrape, name: &str) -> Option<f64> {
    let found = scrape.samples.iter().find(|sample| sample.metric == name)?;
    match found.value {
        Sample::Counter(value) | Sample::Gauge(value) | Sample::Untyped(value) => Some(value),
        _ => None,
    }
}

fn healthcheck(stage: &Stage, address: &str) -> Leeward {
    stage.leeward(&["healthcheck"]).env("LEEWARD_LISTEN", address)
}

/// Returns the lines of CloudWatch's format in an output.
fn emf(stdout: &str) -> Vec<Value> {
    let lines = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["_aws"].is_object()).collect()
}

each_kind! {
    /// Every address is answered: signs of life, the same status as the command's, and numbers that Prometheus reads and
    /// that follow what happens.
    async fn a_running_sync_tells_machines_how_it_is(kind: Kind) -> Result<()> {
        let stage = prepared(kind, "service_tells").await?;
        let address = free_address().await?;
        let sync = listening(&stage, &address)?;
        answers(&address, "/ready", 200).await?;
        let (code, signs) = get_json(&address, "/live").await?;
        assert_eq!((code, &signs["going_on"], &signs["phase"]), (200, &true.into(), &"leading".into()), "{signs:#}");

        let (before, started) = (metrics(&address).await?, stage.source_now().await?);
        stage.on_source("INSERT INTO t (n) VALUES (4), (5); INSERT INTO log (n) VALUES (2);").await?;
        stage.caught_up().await?;
        // A table that only comparing keeps counts what it took in as repaired.
        let written = |scrape: &Scrape| -> Option<f64> {
            Some(number(scrape, "leeward_rows_applied_total")? + number(scrape, "leeward_rows_repaired_total")?)
        };
        let earlier = written(&before).context("rows are counted")?;
        eventually("three rows more are counted", async || {
            Ok((written(&metrics(&address).await?) >= Some(earlier + 3.0)).then_some(()))
        })
        .await?;
        let now = metrics(&address).await?;
        let cut = number(&now, "leeward_cut_timestamp_seconds").context("a cut is told")?;
        let began = started.and_utc().timestamp_millis() as f64 / 1e3;
        assert!(cut >= began && cut < began + 600.0, "the cut {cut} is not of now, {began}");
        assert_eq!(number(&now, "leeward_tables"), Some(2.0));
        assert_eq!(number(&now, "leeward_tables_quarantined"), Some(0.0));
        assert_eq!(number(&now, "leeward_leading"), Some(1.0));

        let (code, told) = get_json(&address, "/status.json").await?;
        let said = stage.status().await?;
        assert_eq!((code, &told["schema"], &told["lane"]["state"]), (200, &said["schema"], &said["lane"]["state"]));
        let keys = |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
        let names = |value: &Value| -> Vec<Value> {
            value["tables"].as_array().into_iter().flatten().map(|table| table["name"].clone()).collect()
        };
        assert_eq!((keys(&told), names(&told)), (keys(&said), names(&said)));

        assert_eq!(get(&address, "/nothing").await?.0, 404);
        assert_eq!(ask(&address, "POST", "/live").await?.0, 405);
        sync.stop().await?.exits(0);
        Ok(())
    }

    /// A source that is away makes the lane not ready and the process not unhealthy. A process that is frozen is.
    async fn a_health_check_outlasts_the_source_and_notices_a_frozen_process(kind: Kind) -> Result<()> {
        let mut stage = prepared(kind, "service_health").await?;
        let proxy = stage.source_through(Link::default()).await?;
        stage.source_url.push_str("?read_timeout=2s&connect_timeout=2s");
        let address = free_address().await?;
        let sync = listening(&stage, &address)?;
        answers(&address, "/ready", 200).await?;
        healthcheck(&stage, &address).run().await?.exits(0).says(&["the loop goes on"]);

        proxy.refuse().await?;
        proxy.reset_all();
        answers(&address, "/ready", 503).await?;
        // Until the fault is stored: more than ten seconds of an outage.
        eventually("the lane is blocked", async || {
            Ok((stage.status().await?["lane"]["state"] == "blocked").then_some(()))
        })
        .await?;
        healthcheck(&stage, &address).run().await?.exits(0);
        let (code, signs) = get_json(&address, "/live").await?;
        assert_eq!((code, &signs["phase"]), (200, &"enduring".into()), "{signs:#}");
        let faults = metrics(&address).await?;
        let of_source = |sample: &&prometheus_parse::Sample| {
            sample.metric == "leeward_faults_total" && sample.labels.get("side") == Some("source")
        };
        assert!(faults.samples.iter().any(|sample| of_source(&sample)), "faults of the source are counted");
        proxy.accept().await?;
        answers(&address, "/ready", 200).await?;

        sync.signal(Signal::STOP)?;
        healthcheck(&stage, &address).run().await?.exits(1).says(&["no answer within 4 s"]);
        sync.signal(Signal::CONT)?;
        answers(&address, "/ready", 200).await?;
        healthcheck(&stage, &address).run().await?.exits(0);
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// A loop that stands still, because somebody else holds a lock on the target, is unhealthy after the time that it is given,
    /// and says so itself; with the lock gone it is healthy again, and nothing is lost.
    async fn a_loop_that_stands_still_is_unhealthy_until_it_goes_on(kind: Kind) -> Result<()> {
        let stage = prepared(kind, "service_stuck").await?;
        let address = free_address().await?;
        let arguments = ["sync", "--cycle-interval", "250ms", "--step-max", "5s", "--listen", &address];
        let sync = stage.leeward(&arguments).start()?;
        answers(&address, "/ready", 200).await?;
        healthcheck(&stage, &address).run().await?.exits(0);

        // Every cycle writes its record there, whatever rows it has.
        let mut holder = stage.target().connect().await?;
        holder.query_drop("LOCK TABLES leeward.lane WRITE").await?;
        stage.on_source("INSERT INTO t (n) VALUES (6);").await?;
        answers(&address, "/live", 503).await?;
        healthcheck(&stage, &address).run().await?.exits(1).says(&["the loop is stuck", "and 5 s are allowed"]);
        let (code, signs) = get_json(&address, "/ready").await?;
        assert_eq!((code, &signs["going_on"], &signs["ready"]), (503, &false.into(), &false.into()), "{signs:#}");
        assert!(signs["stepped_ms_ago"].as_u64() > Some(5000), "{signs:#}");

        holder.query_drop("UNLOCK TABLES").await?;
        holder.disconnect().await?;
        answers(&address, "/ready", 200).await?;
        healthcheck(&stage, &address).run().await?.exits(0).says(&["the loop goes on"]);
        let epoch: u64 = stage.target_value("SELECT epoch FROM leeward.lease WHERE lane='service_stuck'").await?;
        let (_, page) = get(&address, "/metrics").await?;
        assert!(page.contains(&format!("leeward_lease_epoch {epoch}\n")), "it is another process: {page}");
        stage.caught_up().await?;
        sync.stop().await?.exits(0);
        stage.assert_equal().await
    }

    /// Who waits for the lease is healthy and not ready; it becomes ready when it takes over.
    async fn a_sync_that_waits_for_the_lease_is_healthy_and_not_ready(kind: Kind) -> Result<()> {
        let stage = prepared(kind, "service_waits").await?;
        let (first_address, second_address) = (free_address().await?, free_address().await?);
        let first = listening(&stage, &first_address)?;
        answers(&first_address, "/ready", 200).await?;
        let mut second = listening(&stage, &second_address)?;
        second.says("another Leeward holds the lease").await?;
        healthcheck(&stage, &second_address).run().await?.exits(0);
        let (code, signs) = get_json(&second_address, "/ready").await?;
        assert_eq!((code, &signs["phase"], &signs["going_on"]), (503, &"waiting".into(), &true.into()), "{signs:#}");
        assert_eq!(number(&metrics(&second_address).await?, "leeward_leading"), Some(0.0));
        first.stop().await?.exits(0);
        answers(&second_address, "/ready", 200).await?;
        second.stop().await?.exits(0);
        Ok(())
    }

    /// An address in use is refused as configuration before anything is changed: nobody has asked for the lease.
    async fn an_address_in_use_is_refused_before_anything_is_changed(kind: Kind) -> Result<()> {
        let stage = prepared(kind, "service_in_use").await?;
        let taken = TcpListener::bind("127.0.0.1:0").await?;
        let address = taken.local_addr()?.to_string();
        let epoch = "SELECT epoch FROM leeward.lease WHERE lane='service_in_use'";
        let before: u64 = stage.target_value(epoch).await?;
        let ran = stage.run(&["sync", "--listen", &address]).await?;
        ran.exits(3).says(&[&address, "another process listens there already"]);
        assert_eq!(stage.target_value::<u64>(epoch).await?, before, "the lease was taken");
        // What listens there is no sync, and never answers.
        healthcheck(&stage, &address).run().await?.exits(1).says(&["no answer within 4 s"]);
        Ok(())
    }

    /// SIGTERM ends it within seconds, whoever is connected and says nothing, and the last numbers are written.
    async fn a_sync_stops_when_asked_and_writes_its_last_numbers(kind: Kind) -> Result<()> {
        let stage = prepared(kind, "service_stops").await?;
        let address = free_address().await?;
        let arguments = ["sync", "--cycle-interval", "250ms", "--listen", &address, "--metrics", "emf"];
        let sync = stage.leeward(&arguments).start()?;
        answers(&address, "/ready", 200).await?;
        let silent = TcpStream::connect(&address).await?;
        let asked = Instant::now();
        let ran = sync.stop().await?.exits(0);
        assert!(asked.elapsed() < Duration::from_secs(15), "stopped after {} ms", asked.elapsed().as_millis());
        drop(silent);
        let lines = emf(&ran.stdout);
        let last = lines.last().with_context(|| format!("no numbers: {}", ran.stdout))?;
        assert_eq!((&last["Lane"], &last["Live"]), (&"service_stops".into(), &1.0.into()), "{last:#}");
        assert!(last["Lag"].as_f64().is_some_and(|lag| lag < 600.0) && last["Cycles"].as_f64() > Some(0.0), "{last:#}");
        let status = stage.status().await?;
        assert_eq!(status["worker"]["state"], "none", "the lease was given back: {status:#}");
        for whose in ["seed", "day"] {
            let carried = &status["traffic"][whose];
            for (side, way) in [("source", "read"), ("target", "sent")] {
                assert!(carried[side][way].as_u64() > Some(0), "{whose}: {carried:#}");
            }
        }
        stage.run(&["status"]).await?.says(&["carried for the seed that ended", "carried by sync since"]);

        let ran = stage.run(&["readiness", "--metrics", "emf"]).await?;
        let lines = emf(&ran.stdout);
        assert_eq!(lines.len(), 1, "{}", ran.stdout);
        assert_eq!(lines[0]["Ready"].as_f64() > Some(0.0), !ran.stdout.contains("NOT_READY"), "{}", ran.stdout);
        Ok(())
    }
}

/// What cannot be an address is told with the place where it was written, and nothing is connected.
#[tokio::test]
async fn addresses_that_cannot_be_are_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let leeward = |arguments: &[&str]| Leeward::new(arguments, folder.path());
    for address in ["localhost:9464", "9464x", "127.0.0.1", "0", "127.0.0.1:0"] {
        leeward(&["healthcheck", "--listen", address]).run().await?.exits(3).says(&["--listen"]);
    }
    leeward(&["healthcheck"]).run().await?.exits(3).says(&["LEEWARD_LISTEN"]);
    leeward(&["readiness", "--metrics", "statsd"]).run().await?.exits(3).says(&["neither none nor emf"]);
    let nobody = free_address().await?;
    let port = nobody.rsplit(':').next().context("a port")?;
    leeward(&["healthcheck", "--listen", port]).run().await?.exits(1).says(&["connect"]);
    let open = leeward(&["healthcheck", "--listen", &format!("0.0.0.0:{port}")]).run().await?.exits(1);
    open.says(&["without a password"]);
    Ok(())
}

/// What a process says of itself is believed: a loop that is stuck, though it answers; and whatever answers without being a
/// sync is none.
#[tokio::test]
async fn a_loop_that_says_that_it_is_stuck_is_unhealthy_and_so_is_a_stranger() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let stuck = r#"{"schema": 1, "going_on": false, "stepped_ms_ago": 400500, "step_max_ms": 400000}"#;
    for (code, body, says) in [
        ("503 Service Unavailable", stuck, "its last step was 400.5 s ago, and 400 s are allowed"),
        ("200 OK", "<html></html>", "is not from a `leeward sync`"),
        ("200 OK", "{}", "is not a `leeward sync`"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let answered = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut asked = [0; 1024];
            let read = stream.read(&mut asked).await?;
            ensure!(asked[..read].starts_with(b"GET /live HTTP/1.1\r\n"), "another question");
            let answer = format!("HTTP/1.1 {code}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.context("answer")
        });
        let ran = Leeward::new(&["healthcheck", "--listen", &address], folder.path()).run().await?;
        ran.exits(1).says(&[says]);
        answered.await??;
    }
    Ok(())
}
