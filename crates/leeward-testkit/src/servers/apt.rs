//! Gets programs through the machine's own apt: MariaDB and mydumper as ordinary packages, MySQL
//! unpacked into a private root under the project's cache folder. It never adds a package source
//! to the machine and names no host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::{apt_source, lock};

/// Longest time one apt command may take; the whole MySQL download is 60 MB.
const APT_SECONDS_MAX: &str = "300";

pub(super) const MARIADB_PACKAGES: [&str; 2] = ["mariadb-server", "mariadb-client"];
const MYSQL_PACKAGES: [&str; 2] = ["mysql-server-core", "mysql-client-core"];

/// Installs packages of the machine's own distribution, as root or through sudo.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    eprintln!("leeward-testkit: installing {} with apt-get", packages.join(" and "));
    // An image often comes with no package lists at all, or with lists that are out of date.
    run(as_root("apt-get").args(["update", "-qq"])).context("read the machine's package lists")?;
    run(as_root("apt-get")
        .args(["-o", "DPkg::Lock::Timeout=120", "install", "-y", "-qq", "--no-install-recommends"])
        .args(packages))
    .with_context(|| format!("install {}", packages.join(" and ")))
}

/// Unpacks one package of the machine's own distribution into a folder, without what it depends on and without running any of
/// its scripts.
pub(super) fn unpack(package: &str, folder: &Path) -> Result<()> {
    let parent = folder.parent().context("the folder has a parent")?;
    fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    eprintln!("leeward-testkit: unpacking {package} into {}", folder.display());
    let work = tempfile::Builder::new().prefix("unpack-").tempdir_in(parent)?;
    let download = || {
        run(Command::new("timeout").args([APT_SECONDS_MAX, "apt-get", "download", "-qq", package]).current_dir(&work))
    };
    if download().is_err() {
        run(as_root("apt-get").args(["update", "-qq"])).context("read the machine's package lists")?;
        download().with_context(|| format!("download {package}"))?;
    }
    let root = work.path().join("root");
    for entry in fs::read_dir(work.path())? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg").arg("-x").arg(&file).arg(&root)).with_context(|| format!("unpack {package}"))?;
        }
    }
    // The rename comes last, so a folder that exists is complete.
    fs::rename(&root, folder).with_context(|| format!("put {package} in place"))
}

/// Returns the private root that holds MySQL, downloading and unpacking it first where it is
/// missing.
pub(super) fn mysql_root() -> Result<PathBuf> {
    let root = mysql_root_path();
    if root.is_dir() {
        return Ok(root);
    }
    let _lock = lock::exclusive("mysql")?;
    if root.is_dir() {
        return Ok(root);
    }
    let sources = machine_sources()?;
    let Some(entry) = apt_source::derive(&sources.one_line, &sources.deb822) else {
        bail!(
            "this machine has no MySQL server, and its package sources name no Debian archive to \
             take one from; install the distribution's mysql-server, or name two servers in \
             LEEWARD_TEST_SOURCE_URL and LEEWARD_TEST_TARGET_URL"
        );
    };
    eprintln!(
        "leeward-testkit: downloading {} and their libraries (60 MB) into {}, for tests only",
        MYSQL_PACKAGES.join(" and "),
        root.display()
    );
    unpack_from(&entry, &root)?;
    Ok(root)
}

/// Downloads MySQL from the suite that `entry` describes and unpacks it as `root`.
fn unpack_from(entry: &str, root: &Path) -> Result<()> {
    let parent = root.parent().context("the private root has a parent folder")?;
    fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    let work = tempfile::Builder::new().prefix("unpack-").tempdir_in(parent)?;
    let apt = PrivateApt::new(work.path(), entry)?;
    run(apt.command("apt-get").args(["update", "-qq"])).context("read the package lists that carry MySQL")?;
    let packages = apt.dependencies()?;
    let unpacked = apt.unpack(&packages)?;
    // The rename comes last, so a root that exists is complete.
    fs::rename(&unpacked, root).context("put MySQL's private root in place")
}

/// Returns where MySQL's private root lies, or would lie.
fn mysql_root_path() -> PathBuf {
    lock::cache_dir().join("mysql").join("root")
}

struct MachineSources {
    one_line: Vec<String>,
    deb822: Vec<String>,
}

fn machine_sources() -> Result<MachineSources> {
    let etc = Path::new("/etc/apt");
    let mut sources = MachineSources { one_line: Vec::new(), deb822: Vec::new() };
    if let Ok(text) = fs::read_to_string(etc.join("sources.list")) {
        sources.one_line.push(text);
    }
    let Ok(entries) = fs::read_dir(etc.join("sources.list.d")) else {
        return Ok(sources);
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("list") => sources.one_line.push(fs::read_to_string(&path)?),
            Some("sources") => sources.deb822.push(fs::read_to_string(&path)?),
            _ => {}
        }
    }
    Ok(sources)
}

/// An apt with lists, caches and package status of its own: it sees one suite, believes that
/// nothing is installed, and leaves the machine's apt as it is.
struct PrivateApt {
    work: PathBuf,
}

impl PrivateApt {
    fn new(work: &Path, entry: &str) -> Result<PrivateApt> {
        for folder in ["lists/partial", "cache", "sources", "packages", "root"] {
            fs::create_dir_all(work.join(folder))?;
        }
        fs::write(work.join("status"), "")?;
        fs::write(work.join("sources/private.sources"), entry)?;
        Ok(PrivateApt { work: work.to_path_buf() })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args([APT_SECONDS_MAX, program]);
        let folder = |name: &str| self.work.join(name).display().to_string();
        for setting in [
            "Dir::Etc::SourceList=/dev/null".to_string(),
            format!("Dir::Etc::SourceParts={}", folder("sources")),
            "Dir::Etc::Preferences=/dev/null".to_string(),
            "Dir::Etc::PreferencesParts=/dev/null".to_string(),
            format!("Dir::State::Lists={}", folder("lists")),
            format!("Dir::State::status={}", folder("status")),
            format!("Dir::Cache={}", folder("cache")),
            "Dir::Cache::pkgcache=".to_string(),
            "Dir::Cache::srcpkgcache=".to_string(),
            // The folder is ours, so apt's own user could not write there.
            "APT::Sandbox::User=root".to_string(),
            "Acquire::Languages=none".to_string(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_string(),
            "Acquire::Retries=2".to_string(),
            "Acquire::Retries::Delay::Maximum=3".to_string(),
            // Otherwise an update that reached nothing counts as a success.
            "APT::Update::Error-Mode=any".to_string(),
        ] {
            command.args(["-o", &setting]);
        }
        command.current_dir(self.work.join("packages"));
        command
    }

    fn dependencies(&self) -> Result<Vec<String>> {
        let output = self
            .command("apt-cache")
            .args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts"])
            .args(["--no-breaks", "--no-replaces", "--no-enhances"])
            .args(MYSQL_PACKAGES)
            .output()
            .context("run apt-cache")?;
        ensure!(output.status.success(), "apt-cache cannot list what MySQL depends on");
        let mut packages: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            // Package names start the line; their dependencies are indented, virtual ones in <>.
            .filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric()))
            // Only helper scripts that nobody calls here need perl, a third of the download.
            .filter(|line| !line.starts_with("perl") && !line.starts_with("libperl"))
            .map(str::to_string)
            .collect();
        packages.sort();
        packages.dedup();
        for wanted in MYSQL_PACKAGES {
            ensure!(packages.iter().any(|package| package == wanted), "the package lists do not carry {wanted}");
        }
        Ok(packages)
    }

    fn unpack(&self, packages: &[String]) -> Result<PathBuf> {
        run(self.command("apt-get").args(["download", "-qq"]).args(packages)).context("download MySQL")?;
        let root = self.work.join("root");
        for entry in fs::read_dir(self.work.join("packages"))? {
            let package = entry?.path();
            run(Command::new("dpkg").arg("-x").arg(&package).arg(&root)).context("unpack MySQL")?;
        }
        Ok(root)
    }
}

fn as_root(program: &str) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("timeout")
    } else {
        let mut command = Command::new("sudo");
        command.arg("timeout");
        command
    };
    command.args([APT_SECONDS_MAX, "env", "DEBIAN_FRONTEND=noninteractive", program]);
    command
}

/// Runs a command to its end; a failure carries the last lines it wrote.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {program}"))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("{program} ended with {}: {}", output.status, tail(&String::from_utf8_lossy(&text)));
    }
    Ok(())
}

/// Returns the last lines of a program's output, enough to see its complaint.
pub(super) fn tail(text: &str) -> String {
    const LINES_MAX: usize = 15;
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_out_of_reach_is_named_as_the_reason_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("mysql").join("root");
        // Nothing listens on the port for discarding.
        let entry = "Types: deb\nURIs: http://127.0.0.1:9/debian\nSuites: sid\nComponents: main\n";
        let error = unpack_from(entry, &root).expect_err("no mirror");
        assert!(format!("{error:#}").starts_with("read the package lists that carry MySQL"), "{error:#}");
        let left = fs::read_dir(folder.path().join("mysql")).expect("the parent").count();
        assert_eq!(left, 0);
    }
}
