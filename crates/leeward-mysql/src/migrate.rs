//! Brings the control schema up to date with the files in `migrations/`, run by `refinery` over our own session.
//!
//! DDL commits by itself on both servers, so each file holds one statement that can be repeated. refinery takes no lock:
//! two processes that start together are kept apart by `GET_LOCK`.

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::{CONTROL_SCHEMA, Side};
use refinery::Migration;
use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::digest::text;
use crate::session::Session;
use crate::sql;

refinery::embed_migrations!("../../migrations");

/// How long one process waits for another's migrations, which take well under a second.
const LOCK_WAIT_S: u32 = 60;

/// Creates the control schema where it is missing and applies the migrations that it lacks.
pub async fn run(session: &mut Session) -> Result<(), Fault> {
    const DOING: &str = "migrate the control schema";
    let failed = |error: refinery::Error| Fault::new(FaultKind::Unexpected, DOING).on(Side::Target).because(error);
    let create =
        format!("CREATE DATABASE IF NOT EXISTS {0} CHARACTER SET utf8mb4; USE {0}", sql::ident(CONTROL_SCHEMA));
    session.run(DOING, &create).await?;
    let lock = session.row(DOING, &format!("SELECT GET_LOCK('leeward_migrate',{LOCK_WAIT_S})")).await?;
    if lock.as_ref().and_then(|row| text(row, 0)) != Some("1") {
        return Err(Fault::new(FaultKind::Conflict, DOING).on(Side::Target));
    }
    let applied = migrations::runner().run_async(&mut Applier { session: &mut *session }).await.map_err(failed);
    session.run(DOING, "DO RELEASE_LOCK('leeward_migrate')").await?;
    applied.map(|_| ())
}

/// What refinery needs of a session.
struct Applier<'s> {
    session: &'s mut Session,
}

impl AsyncTransaction for Applier<'_> {
    type Error = Fault;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(&'a mut self, queries: T) -> Result<usize, Fault> {
        let mut count = 0;
        for query in queries {
            self.session.run("apply a migration", query).await?;
            count += 1;
        }
        Ok(count)
    }
}

impl AsyncQuery<Vec<Migration>> for Applier<'_> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, Fault> {
        const DOING: &str = "read which migrations were applied";
        let rows = self.session.rows(DOING, query).await?;
        let read = |row: &mysql_async::Row| {
            let applied_on = OffsetDateTime::parse(text(row, 2)?, &Rfc3339).ok()?;
            let (version, checksum) = (text(row, 0)?.parse().ok()?, text(row, 3)?.parse().ok()?);
            Some(Migration::applied(version, text(row, 1)?.to_owned(), applied_on, checksum))
        };
        let all: Option<Vec<Migration>> = rows.iter().map(read).collect();
        all.ok_or_else(|| Fault::new(FaultKind::Unexpected, DOING).on(Side::Target))
    }
}

impl AsyncMigrate for Applier<'_> {}
