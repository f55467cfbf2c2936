//! What a test may choose about a private server, and the settings every one of them gets. The
//! fixed settings follow RDS where RDS fixes them.

use std::path::{Path, PathBuf};

use super::certs::ServerCertificate;

/// What a test may choose about a private server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Size of the InnoDB buffer pool, in MiB.
    pub buffer_pool_mib: u32,
    /// Whether events run.
    pub event_scheduler: EventScheduler,
    /// Whether the server speaks TLS, and with which certificate.
    pub tls: Tls,
    /// Where the data lies.
    pub data_dir: DataDir,
    /// Further arguments; they come last and win over the fixed ones.
    pub extra_args: Vec<String>,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            // The server's own default. Test data is small, and a pair of servers per test binary
            // must fit beside a build.
            buffer_pool_mib: 128,
            event_scheduler: EventScheduler::Off,
            tls: Tls::ServerDefault,
            data_dir: DataDir::Temporary,
            extra_args: Vec::new(),
        }
    }
}

/// Whether a server runs its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventScheduler {
    /// Events run.
    On,
    /// Events are kept and do not run.
    Off,
}

/// How a server speaks TLS.
#[derive(Clone, Debug)]
pub enum Tls {
    /// As the server comes: MySQL and MariaDB from 11.4 make a certificate by themselves, earlier
    /// MariaDB has no TLS.
    ServerDefault,
    /// With a certificate made by [`super::certs::Authority`].
    Certificate(ServerCertificate),
    /// Not at all.
    Disabled,
}

/// Where a server's data lies.
#[derive(Clone, Debug)]
pub enum DataDir {
    /// In a folder of its own that goes with the server.
    Temporary,
    /// In the given folder, which stays; one that already holds a server's data is used as it is.
    Kept(PathBuf),
}

/// Relative to the data directory. Clients that prefer sockets ask the server for its socket's path
/// and move over to it, around any proxy they had come through; this path leads them nowhere.
const SOCKET_NAME: &str = "sock";

/// The files and folders of one server.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) base: PathBuf,
}

impl Layout {
    pub(super) fn data(&self) -> PathBuf {
        self.base.join("data")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.data().join(SOCKET_NAME)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.base.join("error.log")
    }

    pub(super) fn tls(&self) -> PathBuf {
        self.base.join("tls")
    }

    pub(super) fn scratch(&self) -> PathBuf {
        self.base.join("tmp")
    }
}

/// Returns the arguments of a server on the given port, without the program's own fixed ones.
pub(super) fn arguments(options: &ServerOptions, layout: &Layout, port: u16) -> Vec<String> {
    let path = |name: &str, path: &Path| format!("--{name}={}", path.display());
    let mut arguments = vec![
        path("datadir", &layout.data()),
        format!("--socket={SOCKET_NAME}"),
        path("log-error", &layout.log()),
        path("tmpdir", &layout.scratch()),
        path("pid-file", &layout.base.join("server.pid")),
        "--bind-address=127.0.0.1".to_string(),
        format!("--port={port}"),
        // Unique among the servers of this machine, as ports are.
        format!("--server-id={port}"),
        "--skip-name-resolve".to_string(),
        format!("--innodb-buffer-pool-size={}M", options.buffer_pool_mib),
        "--innodb-buffer-pool-load-at-startup=OFF".to_string(),
        "--innodb-buffer-pool-dump-at-shutdown=OFF".to_string(),
        "--max-allowed-packet=64M".to_string(),
        "--local-infile=ON".to_string(),
        // As on RDS: the binary log is on while backups are, times are UTC, a commit is durable.
        "--log-bin=binlog".to_string(),
        "--default-time-zone=+00:00".to_string(),
        "--innodb-flush-log-at-trx-commit=1".to_string(),
        "--sync-binlog=1".to_string(),
        // What an owner of triggers must set on RDS, whose users have no SUPER.
        "--log-bin-trust-function-creators=ON".to_string(),
        // The coming versions of MySQL know no other format and no variable for it.
        "--loose-binlog-format=ROW".to_string(),
        // The X protocol would claim a second, well-known port.
        "--loose-mysqlx=OFF".to_string(),
    ];
    arguments.push(match options.event_scheduler {
        EventScheduler::On => "--event-scheduler=ON".to_string(),
        EventScheduler::Off => "--event-scheduler=OFF".to_string(),
    });
    match &options.tls {
        Tls::ServerDefault => {}
        Tls::Certificate(_) => {
            let files = super::certs::Files::within(&layout.tls());
            arguments.push(path("ssl-ca", &files.authority));
            arguments.push(path("ssl-cert", &files.certificate));
            arguments.push(path("ssl-key", &files.key));
        }
        // Each family knows only one of these.
        Tls::Disabled => {
            arguments.push("--loose-skip-ssl".to_string());
            arguments.push("--loose-tls-version=".to_string());
        }
    }
    if rustix::process::geteuid().is_root() {
        arguments.push("--user=root".to_string());
    }
    arguments.extend(options.extra_args.iter().cloned());
    arguments
}
