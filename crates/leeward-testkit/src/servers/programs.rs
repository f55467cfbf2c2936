//! Finds a server's programs on this machine and knows how each must be called. It decides nothing
//! about settings; see `options`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};

use super::{Kind, apt, lock};

/// The programs of one installed server.
#[derive(Clone, Debug)]
pub struct Programs {
    kind: Kind,
    version: String,
    server: Invocation,
    client: Invocation,
    dump: Invocation,
    /// `mariadb-install-db`; MySQL's server initialises its data directory itself.
    initialiser: Option<Invocation>,
}

/// A command-line program that comes with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientProgram {
    /// `mysql` or `mariadb`: runs SQL text from its standard input.
    Shell,
    /// `mysqldump` or `mariadb-dump`.
    Dump,
}

/// A program with the words that must stand before and after its name on every call.
#[derive(Clone, Debug)]
struct Invocation {
    /// The program, behind its private loader where it has one.
    words: Vec<OsString>,
    /// Arguments that every call needs; `--no-defaults` must be the first.
    fixed: Vec<OsString>,
}

impl Invocation {
    fn plain(path: &Path) -> Invocation {
        Invocation { words: vec![path.into()], fixed: vec!["--no-defaults".into()] }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).args(&self.fixed);
        command
    }
}

impl Programs {
    /// Returns the programs of a server, installing what is missing and saying so on stderr.
    ///
    /// The answer, good or bad, is kept for the life of the process: a download that failed once
    /// is not tried again by every test.
    pub fn prepare(kind: Kind) -> Result<Programs> {
        static MARIADB: OnceLock<Result<Programs, String>> = OnceLock::new();
        static MYSQL: OnceLock<Result<Programs, String>> = OnceLock::new();
        let kept = match kind {
            Kind::MariaDb => MARIADB.get_or_init(|| prepare_mariadb().map_err(|error| format!("{error:#}"))),
            Kind::MySql => MYSQL.get_or_init(|| prepare_mysql().map_err(|error| format!("{error:#}"))),
        };
        kept.clone().map_err(|text| anyhow!(text).context(format!("get a {kind} server for tests")))
    }

    /// Returns the family these programs belong to.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the exact version, as the server program reports it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns a command that starts the server; settings are still to be added.
    pub fn server(&self) -> Command {
        self.server.command()
    }

    /// Returns a command for one of the server's own clients, reading no option file.
    pub fn client(&self, program: ClientProgram) -> Command {
        match program {
            ClientProgram::Shell => self.client.command(),
            ClientProgram::Dump => self.dump.command(),
        }
    }

    /// Returns a command that fills an empty data directory, with root's password empty.
    pub(super) fn initialiser(&self) -> Command {
        match &self.initialiser {
            Some(initialiser) => {
                let mut command = initialiser.command();
                command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
                command
            }
            None => {
                let mut command = self.server();
                command.arg("--initialize-insecure");
                command
            }
        }
    }
}

fn prepare_mariadb() -> Result<Programs> {
    found_or_installed(&apt::MARIADB_PACKAGES, find_mariadb)
}

/// Returns what is on this machine, after its packages were installed where they were missing. Of several processes one installs.
pub(crate) fn found_or_installed<T>(packages: &[&str], look: fn() -> Result<Option<T>>) -> Result<T> {
    if let Some(found) = look()? {
        return Ok(found);
    }
    let _lock = lock::exclusive(packages[0])?;
    if let Some(found) = look()? {
        return Ok(found);
    }
    apt::install(packages)?;
    look()?.with_context(|| format!("find the programs of {} after their installation", packages.join(" and ")))
}

fn find_mariadb() -> Result<Option<Programs>> {
    let (Some(server), Some(install), Some(client), Some(dump)) =
        (find("mariadbd"), find("mariadb-install-db"), find("mariadb"), find("mariadb-dump"))
    else {
        return Ok(None);
    };
    let server = Invocation::plain(&server);
    Ok(Some(Programs {
        kind: Kind::MariaDb,
        version: version_of(&server)?,
        server,
        client: Invocation::plain(&client),
        dump: Invocation::plain(&dump),
        initialiser: Some(Invocation::plain(&install)),
    }))
}

fn prepare_mysql() -> Result<Programs> {
    if let Some(programs) = find_system_mysql()? {
        return Ok(programs);
    }
    let root = apt::mysql_root()?;
    let loader = find_loader(&root)?;
    let libraries = loader.parent().context("the loader lies in a folder")?.to_path_buf();
    let invocation = |program: &str, fixed: Vec<OsString>| Invocation {
        words: vec![
            loader.clone().into(),
            "--library-path".into(),
            libraries.clone().into(),
            root.join(program).into(),
        ],
        fixed,
    };
    let setting = |name: &str, path: &str| OsString::from(format!("--{name}={}", root.join(path).display()));
    let server = invocation(
        "usr/sbin/mysqld",
        vec![
            "--no-defaults".into(),
            setting("basedir", "usr"),
            setting("lc-messages-dir", "usr/share/mysql"),
            setting("character-sets-dir", "usr/share/mysql/charsets"),
            setting("plugin-dir", "usr/lib/mysql/plugin"),
            "--secure-file-priv=NULL".into(),
        ],
    );
    let character_sets = || vec!["--no-defaults".into(), setting("character-sets-dir", "usr/share/mysql/charsets")];
    Ok(Programs {
        kind: Kind::MySql,
        version: version_of(&server)?,
        server,
        client: invocation("usr/bin/mysql", character_sets()),
        dump: invocation("usr/bin/mysqldump", character_sets()),
        initialiser: None,
    })
}

/// Finds a MySQL that the machine has by itself; MariaDB also answers to the name `mysqld`.
fn find_system_mysql() -> Result<Option<Programs>> {
    let (Some(server), Some(client), Some(dump)) = (find("mysqld"), find("mysql"), find("mysqldump")) else {
        return Ok(None);
    };
    let server = Invocation::plain(&server);
    let version = version_of(&server)?;
    if Kind::of_version(&version) == Kind::MariaDb {
        return Ok(None);
    }
    Ok(Some(Programs {
        kind: Kind::MySql,
        version,
        server,
        client: Invocation::plain(&client),
        dump: Invocation::plain(&dump),
        initialiser: None,
    }))
}

/// Finds a program on the search path and in the folders for system programs, which the search
/// path of an ordinary user lacks.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Finds the dynamic loader of a private root: its libraries are newer than the machine's.
fn find_loader(root: &Path) -> Result<PathBuf> {
    let libraries = root.join("usr/lib");
    for entry in fs::read_dir(&libraries).with_context(|| format!("read {}", libraries.display()))? {
        let folder = entry?.path();
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let candidate = entry?.path();
            let name = candidate.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("ld-linux") {
                return Ok(candidate);
            }
        }
    }
    bail!("find the dynamic loader in {}; remove that folder to have it unpacked again", root.display())
}

/// Returns the word after `Ver` of the program's `--version` line.
fn version_of(server: &Invocation) -> Result<String> {
    let output = server.command().arg("--version").output().context("ask the server program for its version")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace()
        .skip_while(|word| *word != "Ver")
        .nth(1)
        .map(str::to_string)
        .with_context(|| format!("read a version from what the server program said ({})", output.status))
}
