//! The tools that everybody has, copying what `leeward seed` copies, at their usual settings; each in one call.

use anyhow::Result;
use leeward_testkit::servers::{ClientProgram, Kind, Mydumper};
use tokio::process::Command;

use super::process::{self, Taken};
use super::rig::Rig;
use super::tables::DATABASE;

/// Copies the way everybody can: `mysqldump | mysql`.
pub(super) async fn mysqldump(rig: &Rig) -> Result<Taken> {
    let mut dump = rig.pair.source.client_command(ClientProgram::Dump)?;
    dump.args(["--single-transaction", "--quick"]);
    if rig.pair.source.kind() == Kind::MySql {
        // Otherwise the dump wants to set the target's GTIDs, which only an empty server allows.
        dump.arg("--set-gtid-purged=OFF");
    }
    dump.args(["--databases", DATABASE]);
    let load = rig.pair.target.client_command(ClientProgram::Shell)?;
    process::pipe(Command::from(dump), Command::from(load)).await
}

/// Copies with mydumper and then myloader, four threads each. The target's binary log stays on, as an owner of an RDS
/// instance has to leave it.
pub(super) async fn mydumper(rig: &Rig, programs: &Mydumper) -> Result<Taken> {
    let folder = rig.scratch()?;
    let mut dump = programs.dump(&rig.pair.source);
    dump.args(["--threads=4", "--database", DATABASE, "--outputdir"]).arg(folder.path());
    let mut load = programs.load(&rig.pair.target);
    load.args(["--threads=4", "--enable-binlog", "--directory"]).arg(folder.path());
    let dumped = process::run(Command::from(dump)).await?;
    Ok(dumped.then(process::run(Command::from(load)).await?))
}
