//! Chunks of the seed: read in short statements of their own, loaded as one stream, one transaction a chunk.
//!
//! `LOAD DATA LOCAL` implies IGNORE: duplicates are skipped and bad values coerced even in strict mode (T42), so the
//! statement's own counts decide before COMMIT, and a chunk that was not taken exactly is rolled back and loaded again
//! in plain statements.

mod moment;
mod together;
mod wide;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Border, ChunkLoader, ChunkOf, ChunkReader, Lease, LoadMode, Most, Range, RowFeed, TakeRows};
use leeward_core::row::{KeyCells, RowBatch};
use leeward_core::row_text;
use leeward_core::server::Flavor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::apply;
use crate::apply::triggers::Sight;
use crate::control;
use crate::cut::{self, hand_on};
use crate::digest::{self, text};
use crate::endpoint::Endpoint;
use crate::session::Session;
use crate::sql;
use crate::wire;

pub use moment::open as one_moment;

/// One source connection that reads chunks.
pub struct MySqlReader {
    /// Where it may connect again; nothing where its connection holds a view that would be lost.
    again: Option<Endpoint>,
    /// Nothing after wide rows where it may connect again: a connection keeps a buffer as large as the widest row that it has
    /// carried.
    session: Option<Session>,
}

impl MySqlReader {
    /// Connects.
    pub async fn connect(endpoint: &Endpoint) -> Result<MySqlReader, Fault> {
        let session = Session::open(endpoint, "seed").await?;
        Ok(MySqlReader { again: Some(endpoint.clone()), session: Some(session) })
    }

    /// Reads over a connection that holds a view, and over no other.
    fn of_view(session: Session) -> MySqlReader {
        MySqlReader { again: None, session: Some(session) }
    }

    async fn session(&mut self) -> Result<&mut Session, Fault> {
        match (&mut self.session, &self.again) {
            (Some(session), _) => Ok(session),
            (closed, Some(endpoint)) => Ok(closed.insert(Session::open(endpoint, "seed").await?)),
            (None, None) => Err(Fault::new(FaultKind::MomentLost, "read a chunk")),
        }
    }

    /// Lets a buffer go that wide rows have made large.
    fn let_go(&mut self) {
        if self.again.is_some() {
            self.session = None;
        }
    }
}

#[async_trait]
impl ChunkReader for MySqlReader {
    async fn read(&mut self, range: &Range<'_>, take: &mut dyn TakeRows) -> Result<(), Fault> {
        let wide_from = take.wide_from();
        let may_be_wide = sql::may_be_wide(&range.table.table, wide_from);
        let session = self.session().await?;
        let of_table = |fault: Fault| fault.of(range.table.name());
        match (may_be_wide, range.table.has_key()) {
            (false, _) => hand_on(session, &counting(read_query(range)), range.table, take).await.map_err(of_table)?,
            // Its rows cannot be asked for one by one.
            (true, false) => {
                take.room(u64::MAX).await?;
                hand_on(session, &counting(read_query(range)), range.table, take).await.map_err(of_table)?;
                self.let_go();
            }
            (true, true) => {
                let wide = wide::read_others(session, range, take).await.map_err(of_table)?;
                if !wide.keys.is_empty() {
                    wide::read(session, range.table, &wide, take).await.map_err(of_table)?;
                    session.count_now().await?;
                    self.let_go();
                }
            }
        }
        Ok(())
    }

    async fn read_together(&mut self, ranges: &[Range<'_>], most: Most) -> Result<Option<Vec<RowBatch>>, Fault> {
        together::read(self.session().await?, ranges, most).await
    }

    async fn border(&mut self, border: &Border<'_>) -> Result<Option<KeyCells>, Fault> {
        cut::find_border(self.session().await?, border).await
    }

    async fn borders(&mut self, borders: &[Border<'_>]) -> Result<Vec<Result<Option<KeyCells>, Fault>>, Fault> {
        cut::find_borders(self.session().await?, borders).await
    }
}

/// Returns a query that tells after its rows what has passed over the connection.
fn counting(mut query: Vec<u8>) -> Vec<u8> {
    query.push(b';');
    query.extend_from_slice(wire::QUERY.as_bytes());
    query
}

/// Returns the query for all rows of a range in key order.
fn read_query(range: &Range<'_>) -> Vec<u8> {
    read_list(range, &sql::wire_list(&range.table.table))
}

fn read_list(range: &Range<'_>, list: &str) -> Vec<u8> {
    let table = &range.table.table;
    let mut query = format!("SELECT {list}").into_bytes();
    digest::push_from(&mut query, range);
    if let Some(key) = table.row_key() {
        query.extend_from_slice(format!(" ORDER BY {}", sql::border_list(&key)).as_bytes());
    }
    query
}

/// One target connection that loads chunks.
pub struct MySqlLoader {
    session: Session,
    local_infile: bool,
    sight: Sight,
}

impl MySqlLoader {
    /// Connects, and asks whether the target takes `LOAD DATA LOCAL`.
    pub async fn connect(endpoint: &Endpoint) -> Result<MySqlLoader, Fault> {
        let mut session = Session::open(endpoint, "load").await?;
        session.bound_silence().await?;
        let row = session.row("ask for local_infile", "SELECT @@global.local_infile").await?;
        let local_infile = row.is_some_and(|row| matches!(text(&row, 0), Some("1" | "ON")));
        let sight = Sight::of(&mut session).await?;
        Ok(MySqlLoader { session, local_infile, sight })
    }
}

#[async_trait]
impl ChunkLoader for MySqlLoader {
    async fn load(
        &mut self,
        lease: &Lease,
        chunk: ChunkOf<'_>,
        mode: LoadMode,
        rows: RowFeed,
    ) -> Result<(u64, u64), Fault> {
        self.sight.reaches(chunk.table.name())?;
        apply::begin_on(&mut self.session, lease, &[chunk.table.name()]).await?;
        let loaded = match mode {
            LoadMode::Bulk if self.local_infile => bulk(&mut self.session, chunk.table, rows).await,
            _ => careful(&mut self.session, chunk.table, rows).await,
        };
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(fault) => {
                // Best effort: a connection that cannot roll back is broken, and the server does it by itself.
                let _ = self.session.run("roll back a chunk", "ROLLBACK").await;
                return Err(fault.of(chunk.table.name()));
            }
        };
        self.mark_done(lease, chunk, loaded).await?;
        self.session.commit("commit a chunk").await?;
        Ok(loaded)
    }

    async fn load_together(&mut self, lease: &Lease, chunks: &[ChunkOf<'_>], rows: Vec<RowBatch>) -> Result<(), Fault> {
        together::load(self, lease, chunks, rows).await
    }
}

impl MySqlLoader {
    /// Marks the chunk done, and proves that it is ours to load.
    async fn mark_done(&mut self, lease: &Lease, of: ChunkOf<'_>, loaded: (u64, u64)) -> Result<(), Fault> {
        let marked = control::mark_chunks_done(&mut self.session, &lease.lane, &[(of.chunk, loaded)]).await;
        match (marked, of.claim) {
            (Ok(()), None) => apply::prove(&mut self.session, lease).await,
            (Ok(()), Some(claim)) => control::claims::prove(&mut self.session, lease, claim).await,
            (Err(fault), Some(_)) if fault.kind == FaultKind::LeaseLost => {
                Err(Fault { kind: FaultKind::ClaimLost, ..fault })
            }
            (Err(fault), _) => Err(fault),
        }
    }
}

async fn careful(session: &mut Session, table: &PlannedTable, mut rows: RowFeed) -> Result<(u64, u64), Fault> {
    let mut loaded = (0, 0);
    while let Some(batch) = rows.next().await? {
        // Rows taken out of the way are owed nothing here: the scrub that ends the seed looks at every row.
        apply::write(session, table, &batch).await?;
        loaded.0 += batch.rows() as u64;
        loaded.1 += batch.bytes() as u64;
    }
    Ok(loaded)
}

/// What has gone into a stream, counted as it is taken.
#[derive(Default)]
struct Sent {
    rows: AtomicU64,
    bytes: AtomicU64,
}

async fn bulk(session: &mut Session, table: &PlannedTable, rows: RowFeed) -> Result<(u64, u64), Fault> {
    let sent = Arc::new(Sent::default());
    let statement = load_statement(table, session.flavor());
    let written = table.table.written_columns().len();
    let body = stream::unfold(Some((rows, sent.clone())), move |state| next_bytes(state, written));
    let outcome = session.load("load a chunk", &statement, body).await?;
    let (rows, bytes) = (sent.rows.load(Ordering::Acquire), sent.bytes.load(Ordering::Acquire));
    if outcome.info == format!("Records: {rows}  Deleted: 0  Skipped: 0  Warnings: 0") || rows == 0 {
        return Ok((rows, bytes));
    }
    Err(Fault::new(FaultKind::RowsRefused, "load a chunk").on(Side::Target))
}

type Loading = Option<(RowFeed, Arc<Sent>)>;

/// Takes the next rows and turns them into the text that LOAD DATA reads; ends the stream after an error.
async fn next_bytes(state: Loading, written: usize) -> Option<(Result<Bytes, Fault>, Loading)> {
    let (mut rows, sent) = state?;
    match rows.next().await {
        Ok(Some(batch)) => {
            sent.rows.fetch_add(batch.rows() as u64, Ordering::Release);
            sent.bytes.fetch_add(batch.bytes() as u64, Ordering::Release);
            Some((Ok(row_text::print(&batch, written).into()), Some((rows, sent))))
        }
        Ok(None) => None,
        Err(fault) => Some((Err(fault), None)),
    }
}

/// Returns the LOAD DATA statement. Columns that take their text only as text go through a variable.
fn load_statement(table: &PlannedTable, flavor: Flavor) -> String {
    let (mut columns, mut conversions) = (Vec::new(), Vec::new());
    for (at, column) in table.table.written_columns().into_iter().enumerate() {
        let name = sql::ident(&column.name);
        if sql::wants_text(column, flavor) {
            columns.push(format!("@c{at}"));
            conversions.push(format!("{name}=CONVERT(@c{at} USING utf8mb4)"));
        } else {
            columns.push(name);
        }
    }
    let set = if conversions.is_empty() { String::new() } else { format!(" SET {}", conversions.join(",")) };
    format!(
        "LOAD DATA LOCAL INFILE 'rows' INTO TABLE {} CHARACTER SET binary FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' \
         LINES TERMINATED BY '\\n' ({}){set}",
        sql::table(table.name()),
        columns.join(",")
    )
}
