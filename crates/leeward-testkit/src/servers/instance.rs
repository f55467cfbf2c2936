//! One server for tests: started, asked for addresses, stopped in every way a server can stop.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use mysql_async::{Conn, Opts, OptsBuilder};
use rustix::process::Signal;
use tempfile::TempDir;

use super::options::{self, DataDir, Layout, ServerOptions, Tls};
use super::watchdog::{Watched, log_tail};
use super::{ClientProgram, Kind, Programs, ports, template};
use crate::proxy::Proxy;

/// How long a start may take: crash recovery on a machine that is busy with a build takes long.
const START_MAX: Duration = Duration::from_secs(120);

/// How long a graceful stop may take.
const STOP_MAX: Duration = Duration::from_secs(60);

/// How often another port is tried when somebody took the first one.
const PORT_ATTEMPTS_MAX: u32 = 5;

/// How long one connection attempt may hang; a server that starts up accepts and stays silent.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A database server for tests. Dropping it kills the server and removes its data, unless the data
/// directory was given.
pub struct Server {
    kind: Kind,
    version: String,
    home: Home,
}

enum Home {
    Private(Box<Private>),
    /// Given by URL: used as it is, never stopped.
    Given(Opts),
}

pub(super) struct Private {
    programs: Programs,
    options: ServerOptions,
    pub(super) layout: Layout,
    port: u16,
    process: Option<Watched>,
    /// Folders of the data directory with a file system of their own.
    pub(super) mounts: Vec<PathBuf>,
    /// Removes the folder; the last to be dropped.
    _temporary: Option<TempDir>,
}

impl Server {
    /// Starts a private server and waits until it answers. Installs the server where it is missing.
    ///
    /// # Errors
    /// Where the server cannot be had on this machine, ends during its start (the end of its error
    /// log is in the message), or does not answer in time.
    pub async fn start(kind: Kind, options: ServerOptions) -> Result<Server> {
        let private = tokio::task::spawn_blocking(move || Private::prepare(kind, options))
            .await
            .context("prepare a server")??;
        let mut server =
            Server { kind, version: private.programs.version().to_string(), home: Home::Private(Box::new(private)) };
        server.launch_on_free_port().await?;
        Ok(server)
    }

    /// Wraps a server that somebody else runs. The URL's user must be an administrator.
    pub async fn given(url: &str) -> Result<Server> {
        // The URL holds a password, so it is not repeated in the message.
        let opts = Opts::from_url(url).context("parse the URL of the given server")?;
        let mut conn = connect(opts.clone()).await.context("connect to the given server")?;
        let version = mysql_async::prelude::Queryable::query_first::<String, _>(&mut conn, "SELECT VERSION()")
            .await?
            .context("read the given server's version")?;
        conn.disconnect().await?;
        Ok(Server { kind: Kind::of_version(&version), version, home: Home::Given(opts) })
    }

    /// Returns the family of the server.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the exact version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the host to connect to; 127.0.0.1 for private servers.
    pub fn host(&self) -> &str {
        match &self.home {
            Home::Private(_) => "127.0.0.1",
            Home::Given(opts) => opts.ip_or_hostname(),
        }
    }

    /// Returns the TCP port, which a restart keeps.
    pub fn port(&self) -> u16 {
        match &self.home {
            Home::Private(private) => private.port,
            Home::Given(opts) => opts.tcp_port(),
        }
    }

    /// Returns `mysql://user:password@host:port/`, with user and password encoded.
    pub fn url(&self, user: &str, password: &str) -> String {
        url(user, password, self.host(), self.port())
    }

    /// Returns the URL that leads to this server through a proxy.
    pub fn url_through(&self, proxy: &Proxy, user: &str, password: &str) -> String {
        url(user, password, "127.0.0.1", proxy.address().port())
    }

    /// Returns the URL of the administrator: root without a password on private servers.
    pub fn admin_url(&self) -> String {
        match &self.home {
            Home::Private(_) => self.url("root", ""),
            Home::Given(opts) => self.url(opts.user().unwrap_or("root"), opts.pass().unwrap_or("")),
        }
    }

    /// Connects as the administrator, on private servers through the socket: that works whatever
    /// the server's TLS settings are.
    pub async fn connect(&self) -> Result<Conn> {
        connect(self.admin_opts()).await.with_context(|| format!("connect to the {} test server", self.kind))
    }

    /// Runs SQL text as the administrator through the server's own client, which knows `DELIMITER`
    /// lines and versioned comments. The text is taken as utf8mb4; it stops at the first error.
    pub async fn exec_script(&self, sql: &str) -> Result<()> {
        let mut command = self.client_command(ClientProgram::Shell)?;
        command.arg("--default-character-set=utf8mb4");
        // A file cannot fill up the way a pipe does while the client writes its own output.
        let mut script = tempfile::tempfile().context("create a file for the script")?;
        std::io::Write::write_all(&mut script, sql.as_bytes()).context("write the script")?;
        std::io::Seek::rewind(&mut script).context("rewind the script")?;
        let output = tokio::task::spawn_blocking(move || command.stdin(script).output())
            .await
            .context("run a script")?
            .context("start the server's client")?;
        ensure!(
            output.status.success(),
            "run a script on the {} test server: {}",
            self.kind,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }

    /// Returns a command for one of the server's own clients, connected as the administrator over
    /// TCP. A given server's password goes through the environment, not the argument list.
    pub fn client_command(&self, program: ClientProgram) -> Result<Command> {
        let programs = match &self.home {
            Home::Private(private) => private.programs.clone(),
            Home::Given(_) => Programs::prepare(self.kind)?,
        };
        let mut command = programs.client(program);
        match &self.home {
            Home::Private(private) => {
                command.args(["--user=root", &format!("--socket={}", private.layout.socket().display())]);
            }
            Home::Given(opts) => {
                command.args([
                    "--protocol=tcp",
                    &format!("--host={}", self.host()),
                    &format!("--port={}", self.port()),
                    &format!("--user={}", opts.user().unwrap_or("root")),
                ]);
                command.env("MYSQL_PWD", opts.pass().unwrap_or(""));
            }
        }
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// Kills the server with SIGKILL, as a crash would, and waits until it is gone.
    pub fn kill_hard(&mut self) -> Result<()> {
        self.private()?.end(Signal::KILL, STOP_MAX)
    }

    /// Shuts the server down in good order.
    pub fn stop(&mut self) -> Result<()> {
        self.private()?.end(Signal::TERM, STOP_MAX)
    }

    /// Starts the server again on the same port with the same data; stops it first if it runs.
    pub async fn restart(&mut self) -> Result<()> {
        let private = self.private()?;
        if private.process.is_some() {
            private.end(Signal::TERM, STOP_MAX)?;
        }
        private.spawn()?;
        self.wait_ready().await
    }

    /// Changes the arguments that the next [`Server::restart`] adds, such as `--read-only=ON`.
    pub fn set_extra_args(&mut self, extra_args: &[&str]) -> Result<()> {
        self.private()?.options.extra_args = extra_args.iter().map(|text| text.to_string()).collect();
        Ok(())
    }

    /// Freezes the server: connections stay open and nothing is answered.
    pub fn pause(&mut self) -> Result<()> {
        self.private()?.process()?.freeze()
    }

    /// Lets a frozen server go on.
    pub fn resume(&mut self) -> Result<()> {
        self.private()?.process()?.signal(Signal::CONT)
    }

    /// Returns the folder that holds the server's data.
    pub fn data_dir(&self) -> Result<PathBuf> {
        match &self.home {
            Home::Private(private) => Ok(private.layout.data()),
            Home::Given(_) => bail!("where a given server's data lies is not known"),
        }
    }

    /// Returns the end of the server's error log.
    pub fn log_tail(&self) -> String {
        match &self.home {
            Home::Private(private) => log_tail(&private.layout.log()),
            Home::Given(_) => String::new(),
        }
    }

    /// Returns the address that a proxy forwards to.
    pub async fn address(&self) -> Result<SocketAddr> {
        if let Home::Private(private) = &self.home {
            return Ok((Ipv4Addr::LOCALHOST, private.port).into());
        }
        tokio::net::lookup_host((self.host(), self.port()))
            .await
            .context("look up the given server's host")?
            .next()
            .context("look up the given server's host: it has no address")
    }

    pub(super) fn private(&mut self) -> Result<&mut Private> {
        match &mut self.home {
            Home::Private(private) => Ok(private),
            Home::Given(_) => bail!("a server given by URL is used as it is; it cannot be stopped or changed"),
        }
    }

    fn admin_opts(&self) -> Opts {
        match &self.home {
            Home::Private(private) => OptsBuilder::default()
                .user(Some("root"))
                .socket(Some(private.layout.socket().display().to_string()))
                .into(),
            Home::Given(opts) => opts.clone(),
        }
    }

    async fn launch_on_free_port(&mut self) -> Result<()> {
        let mut failure = anyhow!("no port was tried");
        for _ in 0..PORT_ATTEMPTS_MAX {
            let private = self.private()?;
            private.port = ports::free_port()?;
            private.spawn()?;
            match self.wait_ready().await {
                Ok(()) => return Ok(()),
                Err(error) => failure = error,
            }
            // Anything but a lost race for the port would only happen again.
            if !self.log_tail().contains("Address already in use") {
                break;
            }
        }
        Err(failure)
    }

    /// Connects through the socket, whose path is this server's alone: on TCP another server that
    /// won the race for the port would answer.
    async fn wait_ready(&mut self) -> Result<()> {
        let kind = self.kind;
        let deadline = Instant::now() + START_MAX;
        let mut pause = Duration::from_millis(10);
        loop {
            let failure = match connect(self.admin_opts()).await {
                Ok(conn) => {
                    conn.disconnect().await.context("close the first connection")?;
                    return Ok(());
                }
                Err(error) => error,
            };
            let private = self.private()?;
            let ended = match &mut private.process {
                Some(process) => process.ended()?,
                None => bail!("the {kind} server is not running"),
            };
            if let Some(status) = ended {
                private.process = None;
                bail!("the {kind} server ended during its start ({status}); its log ends:\n{}", self.log_tail());
            }
            if Instant::now() >= deadline {
                let log = self.log_tail();
                return Err(failure.context(format!(
                    "wait for the {kind} server: no answer within {} s; its log ends:\n{log}",
                    START_MAX.as_secs()
                )));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_millis(200));
        }
    }
}

impl Private {
    fn prepare(kind: Kind, options: ServerOptions) -> Result<Private> {
        let programs = Programs::prepare(kind)?;
        let (base, temporary) = match &options.data_dir {
            DataDir::Kept(path) => (std::path::absolute(path).context("resolve the data folder")?, None),
            DataDir::Temporary => {
                let folder = tempfile::Builder::new().prefix("leeward-server-").tempdir()?;
                (folder.path().to_path_buf(), Some(folder))
            }
        };
        let private = Private {
            programs,
            options,
            layout: Layout { base },
            port: 0,
            process: None,
            mounts: Vec::new(),
            _temporary: temporary,
        };
        let data = private.layout.data();
        fs::create_dir_all(private.layout.scratch()).context("create the server's folder")?;
        if let Tls::Certificate(certificate) = &private.options.tls {
            certificate.write_into(&private.layout.tls())?;
        }
        if !data.join("mysql").exists() {
            template::copy_into(&private.programs, &data)?;
        }
        Ok(private)
    }

    fn spawn(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the server runs already");
        let mut command = self.programs.server();
        command.args(options::arguments(&self.options, &self.layout, self.port));
        let orphan_dir = self._temporary.as_ref().map(TempDir::path);
        self.process = Some(Watched::spawn(&command, &self.layout.log(), orphan_dir)?);
        Ok(())
    }

    fn process(&self) -> Result<&Watched> {
        self.process.as_ref().context("the server is not running")
    }

    fn end(&mut self, signal: Signal, wait_max: Duration) -> Result<()> {
        let mut process = self.process.take().context("the server is not running")?;
        // It may have ended by itself a moment ago; then there is nothing to signal.
        if process.ended()?.is_none() {
            process.signal(signal)?;
        }
        match process.wait_ended(wait_max) {
            Ok(_) => Ok(()),
            Err(error) => {
                self.process = Some(process);
                Err(error)
            }
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // Nothing can be reported from here; the watchdog is the second line.
        if self.process.is_some() {
            let _ = self.end(Signal::KILL, STOP_MAX);
        }
        for folder in &self.mounts {
            let _ = Command::new("umount").arg(folder).output();
        }
    }
}

async fn connect(opts: Opts) -> Result<Conn> {
    match tokio::time::timeout(CONNECT_MAX, Conn::new(opts)).await {
        Ok(conn) => Ok(conn?),
        Err(_) => bail!("no answer within {} s", CONNECT_MAX.as_secs()),
    }
}

fn url(user: &str, password: &str, host: &str, port: u16) -> String {
    let user = percent_encoded(user);
    match password {
        "" => format!("mysql://{user}@{host}:{port}/"),
        password => format!("mysql://{user}:{}@{host}:{port}/", percent_encoded(password)),
    }
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
