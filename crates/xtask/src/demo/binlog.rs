//! The source's binary log as a list of transactions, in the order in which they were committed. It
//! is written by the server and owes Leeward nothing: Leeward never reads it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

/// A place in the binary log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) file: String,
    pub(super) offset: u64,
}

/// A transaction that changed rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    /// Where it ends: a replica stopped here has it and nothing after it.
    pub(super) end: Position,
    /// The tables it changed, as `database.table`; not those that only a foreign key changed.
    pub(super) tables: BTreeSet<String>,
}

/// Returns where the binary log ends now.
pub(super) async fn position(conn: &mut Conn) -> Result<Position> {
    // MySQL 8.4 took the old name away, MariaDB and MySQL 8.0 do not know the new one.
    let row: Option<Row> = match conn.query_first("SHOW BINARY LOG STATUS").await {
        Ok(row) => row,
        Err(_) => conn.query_first("SHOW MASTER STATUS").await.context("ask where the binary log stands")?,
    };
    let row = row.context("the server writes no binary log")?;
    Ok(Position { file: column(&row, "File")?, offset: column(&row, "Position")? })
}

/// Returns the transactions after a position, oldest first.
pub(super) async fn commits(conn: &mut Conn, from: &Position) -> Result<Vec<Commit>> {
    let files: Vec<Row> = conn.query("SHOW BINARY LOGS").await.context("list the binary logs")?;
    let mut commits = Vec::new();
    for file in files {
        let file: String = column(&file, "Log_name")?;
        // Files are numbered with as many digits, so their names sort by age.
        if file < from.file {
            continue;
        }
        let start = if file == from.file { format!(" FROM {}", from.offset) } else { String::new() };
        let events: Vec<Row> =
            conn.query(format!("SHOW BINLOG EVENTS IN '{file}'{start}")).await.context("read a binary log")?;
        let mut tables = BTreeSet::new();
        for event in &events {
            let (kind, info): (String, String) = (column(event, "Event_type")?, column(event, "Info")?);
            match Event::of(&kind, &info) {
                Event::Begin => tables.clear(),
                Event::Changes(table) => {
                    tables.insert(table.to_owned());
                }
                Event::Commit if !tables.is_empty() => {
                    let end = Position { file: file.clone(), offset: column(event, "End_log_pos")? };
                    commits.push(Commit { end, tables: std::mem::take(&mut tables) });
                }
                Event::Commit | Event::Other => {}
            }
        }
    }
    Ok(commits)
}

/// What an event of the log means here.
#[derive(Debug, PartialEq, Eq)]
enum Event<'a> {
    Begin,
    Changes(&'a str),
    Commit,
    Other,
}

impl Event<'_> {
    fn of<'a>(kind: &str, info: &'a str) -> Event<'a> {
        match kind {
            "Gtid" | "Anonymous_Gtid" => Event::Begin,
            // `table_id: 33 (journal.a)`, with a hint behind it on some versions.
            "Table_map" => match info.split_once('(').and_then(|(_, rest)| rest.split_once(')')) {
                Some((table, _)) => Event::Changes(table),
                None => Event::Other,
            },
            "Xid" => Event::Commit,
            "Query" if info == "COMMIT" => Event::Commit,
            _ => Event::Other,
        }
    }
}

fn column<T: mysql_async::prelude::FromValue>(row: &Row, name: &str) -> Result<T> {
    let value = row.get_opt(name).with_context(|| format!("find {name} in the server's answer"))?;
    value.ok().with_context(|| format!("read {name} in the server's answer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_both_kinds_of_server_are_understood() {
        for (kind, info, event) in [
            ("Gtid", "BEGIN GTID 0-17-4", Event::Begin),
            ("Anonymous_Gtid", "SET @@SESSION.GTID_NEXT= 'ANONYMOUS'", Event::Begin),
            ("Table_map", "table_id: 33 (journal.a)", Event::Changes("journal.a")),
            ("Table_map", "table_id: 33 (sakila.film) hint", Event::Changes("sakila.film")),
            ("Xid", "COMMIT /* xid=7 */", Event::Commit),
            ("Query", "COMMIT", Event::Commit),
            ("Query", "BEGIN", Event::Other),
            ("Write_rows_v1", "table_id: 33 flags: STMT_END_F", Event::Other),
        ] {
            assert_eq!(Event::of(kind, info), event, "{kind} {info}");
        }
    }
}
