//! Terraform's own word on `infra/`: its formatting, and whether its examples name what the provider has. Neither Terraform nor
//! the provider (700 MB) is fetched: a machine that has them checks, any other says in one line that it does not. Nothing is
//! planned or applied, and no state or lock file is left in the project.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use leeward_testkit::servers::{find, workspace_root};

use crate::linters::Linted;

/// Names the folder in which providers lie unpacked, as `terraform init -plugin-dir` takes it.
const PLUGINS: &str = "LEEWARD_TERRAFORM_PLUGINS";

/// Terraform's own variable. It is only believed where it names a file that has a mirror: without one, `init` asks the network.
const CONFIG: &str = "TF_CLI_CONFIG_FILE";

const FORMATTING: &str = "Terraform's formatting";
const VALIDITY: &str = "Terraform's examples";

/// Runs what this machine can run.
pub(crate) fn run(linted: &mut Linted) -> Result<()> {
    let Some(program) = find("terraform") else {
        linted.skipped.push((FORMATTING, "terraform is not on the PATH".to_owned()));
        linted.skipped.push((VALIDITY, "terraform is not on the PATH".to_owned()));
        return Ok(());
    };
    let terraform = Terraform { program, has_config: has_file(CONFIG) };
    println!("check: {FORMATTING} (terraform fmt -check -recursive infra)");
    let status = terraform.at(&workspace_root(), &["fmt", "-check", "-diff", "-recursive", "infra"]).status();
    linted.note(FORMATTING, status.context("start terraform")?.success());
    match provider() {
        Some(provider) => {
            println!("check: {VALIDITY} (terraform validate, in a copy)");
            linted.note(VALIDITY, terraform.validates_examples(&provider)?);
        }
        None => {
            let why = format!("no provider without the network: name a folder of unpacked ones in {PLUGINS}");
            linted.skipped.push((VALIDITY, why));
        }
    }
    Ok(())
}

/// Where the provider is to be had from.
enum Provider {
    /// A folder, named to `init`.
    Folder(OsString),
    /// The mirror of Terraform's own configuration.
    Mirror,
}

fn provider() -> Option<Provider> {
    if let Some(folder) = std::env::var_os(PLUGINS).filter(|folder| !folder.is_empty()) {
        return Some(Provider::Folder(folder));
    }
    let config = fs::read_to_string(std::env::var_os(CONFIG)?).ok()?;
    config.contains("filesystem_mirror").then_some(Provider::Mirror)
}

fn has_file(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|path| Path::new(&path).is_file())
}

struct Terraform {
    program: PathBuf,
    has_config: bool,
}

impl Terraform {
    /// Returns a call that asks no person and no update server.
    fn at(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(folder).stdin(Stdio::null());
        command.envs([("CHECKPOINT_DISABLE", "1"), ("TF_IN_AUTOMATION", "1"), ("TF_INPUT", "0")]);
        if !self.has_config {
            // It would warn of a file that is not there, with every call.
            command.env_remove(CONFIG);
        }
        command
    }

    /// Returns whether every example is valid, in a copy: `init` writes beside what it reads.
    fn validates_examples(&self, provider: &Provider) -> Result<bool> {
        let copy = tempfile::Builder::new().prefix("leeward-terraform-").tempdir()?;
        let infra = copy.path().join("infra");
        copy_terraform(&workspace_root().join("infra"), &infra)?;
        let mut are_valid = true;
        for entry in fs::read_dir(infra.join("examples"))? {
            let example = entry?.path();
            println!("check:   {}", example.file_name().unwrap_or_default().to_string_lossy());
            are_valid &= self.is_valid(&example, provider)?;
        }
        Ok(are_valid)
    }

    fn is_valid(&self, example: &Path, provider: &Provider) -> Result<bool> {
        let mut init = self.at(example, &["init", "-backend=false", "-no-color"]);
        if let Provider::Folder(folder) = provider {
            let mut argument = OsString::from("-plugin-dir=");
            argument.push(workspace_root().join(folder));
            init.arg(argument);
        }
        let output = init.output().context("start terraform")?;
        if !output.status.success() {
            // It says much, and all of it is noise unless it fails.
            println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            return Ok(false);
        }
        Ok(self.at(example, &["validate", "-no-color"]).status().context("start terraform")?.success())
    }
}

/// Copies Terraform's files, and nothing that an earlier `init` has left beside them.
fn copy_terraform(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let (path, target) = {
            let entry = entry?;
            (entry.path(), to.join(entry.file_name()))
        };
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !is_hidden {
            copy_terraform(&path, &target)?;
        } else if path.extension().is_some_and(|extension| extension == "tf") {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
