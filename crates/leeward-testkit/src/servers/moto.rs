//! moto, an emulator of AWS: a private server with the APIs of RDS, S3, Secrets Manager, KMS, CloudWatch, IAM and STS, for
//! every Region and account at one address. It keeps everything in memory and forgets it with its end.
//!
//! Its behaviour is approximate. What it leaves out of RDS and Leeward asks for (quotas, certificates, orderable classes, sizes
//! of storage) is added to it by `moto/gaps.py`, inside of its own process: there its own model of the API prints the answers,
//! and its own state is what they follow from. So there is one address for everything, and no second reader of the protocol.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::ports::free_port;
use super::python;
use super::watchdog::{Watched, log_tail};

/// The version whose gaps the tests know.
const PACKAGES: [&str; 1] = ["moto[server]==5.2.5"];

/// Starts it with what it leaves out.
const WITH_GAPS_FILLED: &str = include_str!("moto/gaps.py");

/// The classes that RDS offers at first, in every Region: some of a family that has no smaller one than `large`.
const OFFERED: [&str; 3] = ["db.r6g.large", "db.r6g.xlarge", "db.r6g.2xlarge"];

/// How long its start may take: Python loads hundreds of modules, on a machine that is busy with a build.
const START_MAX: Duration = Duration::from_secs(120);

/// How long its end may take after SIGKILL.
const END_MAX: Duration = Duration::from_secs(10);

/// How often another port is tried when somebody took the first one.
const PORT_ATTEMPTS_MAX: u32 = 5;

/// Calls one operation of boto3, which comes with moto: service, Region, operation and address are its arguments, the
/// parameters come as JSON on standard input, the answer goes as JSON to standard output.
const CALL: &str = "\
import boto3, json, sys
service, region, operation, url = sys.argv[1:]
client = boto3.client(service, region_name=region, endpoint_url=url)
answer = getattr(client, operation)(**json.load(sys.stdin))
answer.pop('ResponseMetadata', None)
print(json.dumps(answer, default=str))
";

/// A running emulator; it ends when dropped.
pub struct Moto {
    programs: PathBuf,
    address: SocketAddr,
    process: Watched,
    /// Log and offer; removed with it.
    folder: TempDir,
}

impl Moto {
    /// Starts an empty emulator and waits until it listens. Installs it where it is missing.
    ///
    /// # Errors
    /// Where this machine has no Python with `venv`, the package cannot be had, or the server does not start.
    pub async fn start() -> Result<Moto> {
        tokio::task::spawn_blocking(Moto::launch).await.context("start moto")?
    }

    /// Returns the address of every service, as `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns where it listens, for a proxy.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the environment of a program that is to call this emulator and nothing else: keys that are accepted, no
    /// profile of whoever runs the test, no metadata service.
    pub fn env(&self) -> [(&'static str, String); 6] {
        [
            ("AWS_ACCESS_KEY_ID", "testing".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "testing".to_owned()),
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Calls an operation by the names of boto3, such as `("rds", "us-east-1", "create_db_instance", json!({…}))`, and
    /// returns the answer; times are texts in it.
    ///
    /// # Errors
    /// What the emulator answers to a call that it refuses.
    pub async fn call(&self, service: &str, region: &str, operation: &str, parameters: Value) -> Result<Value> {
        self.call_with(Vec::new(), (service, region, operation), parameters).await
    }

    /// Calls like [`Moto::call`] as a role of another account, which the emulator keeps apart from its own.
    ///
    /// # Errors
    /// Those of [`Moto::call`].
    pub async fn call_as(&self, role_arn: &str, call: (&str, &str, &str), parameters: Value) -> Result<Value> {
        let role = serde_json::json!({ "RoleArn": role_arn, "RoleSessionName": "test" });
        let answer = self.call("sts", call.1, "assume_role", role).await?;
        let key = |name: &str| answer["Credentials"][name].as_str().unwrap_or_default().to_owned();
        let keys = vec![
            ("AWS_ACCESS_KEY_ID", key("AccessKeyId")),
            ("AWS_SECRET_ACCESS_KEY", key("SecretAccessKey")),
            ("AWS_SESSION_TOKEN", key("SessionToken")),
        ];
        self.call_with(keys, call, parameters).await
    }

    async fn call_with(
        &self,
        keys: Vec<(&'static str, String)>,
        (service, region, operation): (&str, &str, &str),
        parameters: Value,
    ) -> Result<Value> {
        let mut python = Command::new(self.programs.join("python"));
        python.args(["-c", CALL, service, region, operation, &self.url()]).envs(self.env()).envs(keys);
        python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let answer = tokio::task::spawn_blocking(move || -> Result<Value> {
            let mut child = python.spawn().context("start Python")?;
            // It is dropped at once, so that Python sees the end.
            child.stdin.take().context("write to Python")?.write_all(parameters.to_string().as_bytes())?;
            let output = child.wait_with_output()?;
            let error = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.success(),
                "{}",
                error.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no word why")
            );
            Ok(serde_json::from_slice(&output.stdout)?)
        });
        answer.await?.with_context(|| format!("call {operation} of {service} at moto"))
    }

    /// Says which classes RDS offers from now on, in every Region, for MySQL and MariaDB.
    pub fn offer(&self, classes: &[&str]) -> Result<()> {
        offer(self.folder.path(), classes)
    }

    /// Freezes it: connections stay open and nothing is answered.
    pub fn pause(&self) -> Result<()> {
        self.process.freeze()
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    fn launch() -> Result<Moto> {
        let programs = python::programs("moto", &PACKAGES, "moto_server")?;
        let folder = tempfile::Builder::new().prefix("leeward-moto-").tempdir()?;
        let log = folder.path().join("log");
        offer(folder.path(), &OFFERED)?;
        for _ in 0..PORT_ATTEMPTS_MAX {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
            let mut command = Command::new(programs.join("python"));
            command.args(["-c", WITH_GAPS_FILLED]).arg(folder.path().join(OFFER));
            command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
            let mut process = Watched::spawn(&command, &log, Some(folder.path()))?;
            if wait_ready(&mut process, address)? {
                return Ok(Moto { programs, address, process, folder });
            }
        }
        bail!("start moto: it does not stay up; its log ends:\n{}", log_tail(&log))
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // Nothing can be reported from here; the watchdog is the second line.
        let _ = self.process.signal(Signal::KILL);
        let _ = self.process.wait_ended(END_MAX);
    }
}

/// Where the classes stand that RDS offers, in the emulator's folder.
const OFFER: &str = "offer.json";

/// Writes the classes that RDS offers; the emulator reads the old file or the new one, never half of one.
fn offer(folder: &Path, classes: &[&str]) -> Result<()> {
    let (new, kept) = (folder.join("offer.new"), folder.join(OFFER));
    std::fs::write(&new, serde_json::to_vec(classes)?).context("write what RDS offers")?;
    std::fs::rename(new, kept).context("put what RDS offers in its place")
}

/// Returns whether it listens; false when it has ended, as it does when somebody else took its port.
fn wait_ready(process: &mut Watched, address: SocketAddr) -> Result<bool> {
    let deadline = Instant::now() + START_MAX;
    while Instant::now() < deadline {
        if process.ended()?.is_some() {
            return Ok(false);
        }
        if TcpStream::connect(address).is_ok() {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("start moto: it does not listen after {} s", START_MAX.as_secs())
}
