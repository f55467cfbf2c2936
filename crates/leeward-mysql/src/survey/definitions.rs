//! Reads `SHOW CREATE TABLE` of many tables. The text is read as the server keeps it, without conversion: asked for in
//! utf8mb4, both servers replace every character beyond the basic plane in expressions by question marks.

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::TableName;
use mysql_async::Row;

use super::batch;
use super::cells::text;
use crate::session::Session;
use crate::sql;

/// Returns the DDL of those tables that exist and are tables, in the order asked for; some hundreds in each round trip.
///
/// # Errors
/// What breaks the session, and missing privileges.
pub(crate) async fn table_ddl(session: &mut Session, tables: &[TableName]) -> Result<Vec<(TableName, String)>, Fault> {
    let shows: Vec<String> = tables.iter().map(|name| format!("SHOW CREATE TABLE {}", sql::table(name))).collect();
    let answers = batch::each(session, "read the definitions of tables", &shows).await?;
    let mut found = Vec::with_capacity(tables.len());
    for (name, answer) in tables.iter().zip(answers) {
        match answer {
            Ok(rows) => found.extend(rows.first().and_then(ddl).map(|ddl| (name.clone(), ddl))),
            Err(fault) if matches!(fault.kind, FaultKind::TableMissing | FaultKind::UnknownDatabase(_)) => {}
            Err(fault) => return Err(fault.of(name)),
        }
    }
    Ok(found)
}

/// The second column is called `Create View` for a view.
fn ddl(row: &Row) -> Option<String> {
    let table = row.columns_ref().get(1).is_some_and(|column| column.name_str() == "Create Table");
    text(row, 1).filter(|_| table)
}
