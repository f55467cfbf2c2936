//! Disks that fill up on demand. Only the tables of one database get a file system of limited size:
//! without room for its binary log MariaDB waits for ever and MySQL ends itself, and without room
//! for a rollback MariaDB aborts, so that no test would ever see the error of a full disk.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use mysql_async::prelude::Queryable;

use super::Server;

impl Server {
    /// Creates an empty database whose tables share so many MiB; the server answers a write that
    /// does not fit with error 1114. The limit survives restarts.
    ///
    /// # Errors
    /// Where this process may not mount file systems: the message holds "the right to mount".
    pub async fn create_limited_database(&mut self, database: &str, limit_mib: u32) -> Result<()> {
        let folder = self.database_dir(database)?;
        let mut conn = self.connect().await?;
        conn.query_drop(format!("CREATE DATABASE {database}")).await.context("create a database")?;
        conn.disconnect().await.context("close the connection")?;
        // MariaDB keeps the database's character set in a file, which the mount would hide.
        let options = std::fs::read(folder.join("db.opt")).ok();
        mount_memory(&folder, &format!("size={limit_mib}m"))
            .context("mount a file system of limited size, which needs root and the right to mount")?;
        self.private()?.mounts.push(folder.clone());
        if let Some(options) = options {
            std::fs::write(folder.join("db.opt"), options).context("keep the database's options")?;
        }
        Ok(())
    }

    /// Changes the limit of a database made by [`Server::create_limited_database`]: more room ends
    /// a full disk. Less than what is used is refused.
    pub fn set_database_limit_mib(&mut self, database: &str, limit_mib: u32) -> Result<()> {
        let folder = self.database_dir(database)?;
        ensure!(self.private()?.mounts.contains(&folder), "the database has no limit");
        mount_memory(&folder, &format!("remount,size={limit_mib}m"))
    }

    fn database_dir(&self, database: &str) -> Result<PathBuf> {
        let plain = database.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        ensure!(plain && !database.is_empty(), "the name of a limited database is of letters, digits and _");
        Ok(self.data_dir()?.join(database))
    }
}

fn mount_memory(folder: &Path, mount_options: &str) -> Result<()> {
    let output = Command::new("mount")
        .args(["-t", "tmpfs", "-o", mount_options, "tmpfs"])
        .arg(folder)
        .output()
        .context("start mount")?;
    ensure!(output.status.success(), "mount: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
