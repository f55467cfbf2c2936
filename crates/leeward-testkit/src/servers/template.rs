//! Keeps one freshly initialised data directory per server version in the cache folder. Starting a
//! server copies it, which takes a fraction of the time that initialising takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{Kind, Programs, lock};

/// Raised whenever what is in a template changes, so that older ones are no longer used.
const REVISION: u32 = 1;

/// Fills `data` with a fresh data directory.
pub(super) fn copy_into(programs: &Programs, data: &Path) -> Result<()> {
    let template = template(programs)?;
    fs::create_dir_all(data).with_context(|| format!("create {}", data.display()))?;
    let output = Command::new("cp")
        .args(["-a", "--reflink=auto"])
        .arg(template.join("."))
        .arg(data)
        .output()
        .context("start cp")?;
    if !output.status.success() {
        bail!("copy a fresh data directory: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn template(programs: &Programs) -> Result<PathBuf> {
    let name = format!("{}-{}-r{REVISION}", programs.kind().slug(), programs.version());
    let templates = lock::cache_dir().join("templates");
    let path = templates.join(&name);
    if path.is_dir() {
        return Ok(path);
    }
    let _lock = lock::exclusive(&format!("template-{}", programs.kind().slug()))?;
    if path.is_dir() {
        return Ok(path);
    }
    fs::create_dir_all(&templates)?;
    let work = tempfile::Builder::new().prefix("build-").tempdir_in(&templates)?;
    let data = work.path().join("data");
    build(programs, &data).with_context(|| format!("make a data directory for {name}"))?;
    // The rename comes last, so a template that exists is complete.
    fs::rename(&data, &path).context("put the template in place")?;
    Ok(path)
}

/// What makes root usable over TCP, where hosts are compared by address, and keeps MariaDB's
/// anonymous accounts from shadowing those that tests create.
const MARIADB_ACCOUNTS: &str = "\
    DELETE FROM mysql.global_priv WHERE User = '';\n\
    FLUSH PRIVILEGES;\n\
    CREATE USER 'root'@'%';\n\
    GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;\n";
const MYSQL_ACCOUNTS: &str = "\
    CREATE USER 'root'@'%';\n\
    GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;\n";

/// The smallest redo logs the servers take: they are copied by every start, and a running server
/// makes its own of the right size.
const MARIADB_REDO: &str = "--innodb-log-file-size=4M";
const MYSQL_REDO: &str = "--loose-innodb-redo-log-capacity=8M";

fn build(programs: &Programs, data: &Path) -> Result<()> {
    let accounts = data.with_file_name("accounts.sql");
    match programs.kind() {
        Kind::MariaDb => {
            // Its initialiser wants the folder to exist; MySQL's makes it.
            fs::create_dir_all(data)?;
            run(with_data(programs.initialiser(), data).arg(MARIADB_REDO))?;
            fs::write(&accounts, MARIADB_ACCOUNTS)?;
            run(with_data(programs.server(), data)
                .args(["--bootstrap", MARIADB_REDO])
                .stdin(fs::File::open(&accounts)?))
        }
        Kind::MySql => {
            fs::write(&accounts, MYSQL_ACCOUNTS)?;
            run(with_data(programs.initialiser(), data)
                .arg(MYSQL_REDO)
                .arg(format!("--init-file={}", accounts.display())))?;
            // It holds the server's identity; each copy must make its own.
            fs::remove_file(data.join("auto.cnf")).context("remove the server's identity")
        }
    }
}

fn with_data(mut command: Command, data: &Path) -> Command {
    command.stdin(Stdio::null()).arg(format!("--datadir={}", data.display()));
    if rustix::process::geteuid().is_root() {
        command.arg("--user=root");
    }
    command
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().context("start the initialisation")?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("{}: {}", output.status, super::apt::tail(&String::from_utf8_lossy(&text)));
    }
    Ok(())
}
