//! The cargo that runs this program, called again from the root of the project.

use std::env;
use std::process::Command;

use leeward_testkit::servers::workspace_root;

/// Returns a call of cargo with the given arguments.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace_root());
    command
}
