//! A headless Chromium without a network, led over the DevTools protocol. Its pipe form needs no port and no socket: requests
//! go in by file descriptor 3, answers and events come out by 4, each ended by a zero byte.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long one request may take: the first one includes the browser's start on a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// The browser's standard input and output become the descriptors that it reads and writes.
const START: &str = r#"exec 3<&0 4>&1 </dev/null >/dev/null 2>&1; exec "$@""#;

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Media {
    /// On a light screen.
    Light,
    /// On a dark screen.
    Dark,
    /// On paper.
    Print,
}

/// A browser with one page. It ends with its owner.
pub struct Browser {
    _process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    last_id: u64,
    session: Option<String>,
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts one with an empty profile. No name can be resolved in it, no address reached.
    pub async fn start() -> Result<Browser> {
        let program =
            tokio::task::spawn_blocking(leeward_testkit::browser::program).await.context("find a browser")??;
        let profile = tempfile::tempdir().context("create a folder for the browser")?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", START, "browser"]).arg(program);
        command.arg(format!("--user-data-dir={}", profile.path().display())).args([
            "--headless=new",
            // Its own sandbox cannot be had by root or in a container; it opens nothing but the test's own file.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--proxy-server=127.0.0.1:9",
            "--remote-debugging-pipe",
        ]);
        command.env("HOME", profile.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().context("start the browser")?;
        let requests = process.stdin.take().context("lead the browser")?;
        let answers = BufReader::new(process.stdout.take().context("hear the browser")?);
        let (last_id, session, events) = (0, None, Vec::new());
        let mut browser = Browser { _process: process, requests, answers, last_id, session, events, _profile: profile };
        let page = browser.ask("Target.createTarget", json!({"url": "about:blank"})).await?;
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let attached = browser.ask("Target.attachToTarget", attach).await?;
        browser.session = Some(attached["sessionId"].as_str().context("the browser opens a page")?.to_owned());
        for domain in ["Page", "Network", "Runtime", "Log"] {
            browser.ask(&format!("{domain}.enable"), json!({})).await?;
        }
        Ok(browser)
    }

    /// Opens a file and waits until it is loaded.
    pub async fn open(&mut self, path: &Path) -> Result<()> {
        self.events.clear();
        let url = format!("file://{}", path.display());
        let answer = self.ask("Page.navigate", json!({"url": url})).await?;
        ensure!(answer["errorText"].is_null(), "open {url}: {}", answer["errorText"]);
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.hear().await?;
            self.events.push(event);
        }
        Ok(())
    }

    /// Looks at the page in another way.
    pub async fn look(&mut self, media: Media, width_px: u32) -> Result<()> {
        let (medium, scheme) = match media {
            Media::Light => ("screen", "light"),
            Media::Dark => ("screen", "dark"),
            Media::Print => ("print", "light"),
        };
        let scheme = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.ask("Emulation.setEmulatedMedia", json!({"media": medium, "features": scheme})).await?;
        let is_phone = width_px < 500;
        let size = json!({"width": width_px, "height": 844, "deviceScaleFactor": 1, "mobile": is_phone});
        self.ask("Emulation.setDeviceMetricsOverride", size).await?;
        Ok(())
    }

    /// Returns the value of an expression in the page.
    pub async fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let asked = json!({"expression": expression, "returnByValue": true});
        let answer = self.ask("Runtime.evaluate", asked).await?;
        ensure!(answer["exceptionDetails"].is_null(), "evaluate: {}", answer["exceptionDetails"]);
        Ok(answer["result"]["value"].clone())
    }

    /// Takes a picture of the whole page.
    pub async fn picture(&mut self, path: &Path) -> Result<()> {
        let asked = json!({"format": "png", "captureBeyondViewport": true});
        let answer = self.ask("Page.captureScreenshot", asked).await?;
        save(path, &answer["data"])
    }

    /// Prints the page as PDF.
    pub async fn print(&mut self, path: &Path) -> Result<()> {
        let answer = self.ask("Page.printToPDF", json!({"preferCSSPageSize": true, "printBackground": false})).await?;
        save(path, &answer["data"])
    }

    /// Returns the addresses that the page has asked for since it was opened, its own included.
    pub fn requested(&self) -> Vec<String> {
        let sent = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        sent.filter_map(|event| Some(event["params"]["request"]["url"].as_str()?.to_owned())).collect()
    }

    /// Returns what the browser has complained of since the page was opened.
    pub fn complaints(&self) -> Vec<String> {
        let complains = |event: &&Value| {
            let method = event["method"].as_str().unwrap_or_default();
            ["Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"].contains(&method)
        };
        self.events.iter().filter(complains).map(|event| event["params"].to_string()).collect()
    }

    async fn ask(&mut self, method: &str, params: Value) -> Result<Value> {
        self.last_id += 1;
        let mut request = json!({"id": self.last_id, "method": method, "params": params});
        if let Some(session) = &self.session {
            request["sessionId"] = session.as_str().into();
        }
        let mut bytes = request.to_string().into_bytes();
        bytes.push(0);
        self.requests.write_all(&bytes).await.with_context(|| format!("ask the browser for {method}"))?;
        loop {
            let message = self.hear().await.with_context(|| format!("wait for {method}"))?;
            if message["id"] == self.last_id {
                ensure!(message["error"].is_null(), "{method}: {}", message["error"]);
                return Ok(message["result"].clone());
            }
            self.events.push(message);
        }
    }

    async fn hear(&mut self) -> Result<Value> {
        let mut bytes = Vec::new();
        let heard = tokio::time::timeout(ANSWER_MAX, self.answers.read_until(0, &mut bytes)).await;
        if heard.context("the browser does not answer")?.context("hear the browser")? == 0 {
            bail!("the browser has ended");
        }
        serde_json::from_slice(bytes.strip_suffix(&[0]).unwrap_or(&bytes)).context("read what the browser says")
    }
}

fn save(path: &Path, data: &Value) -> Result<()> {
    let data = data.as_str().context("the browser returns a file")?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).context("read the browser's file")?;
    std::fs::write(path, bytes).with_context(|| format!("write {}", path.display()))
}
