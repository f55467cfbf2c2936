//! The source as the cycle sees it: one connection looks at threads, one holds the cut.
//!
//! One connection is one read view: no lock, no SUPER, no FLUSH privilege. Everything a cut is asked for goes out as one
//! multi-statement query. When one statement fails, the server drops the rest, so the rest is asked for again inside
//! the same read view: a broken table costs one round trip and never another table's rows (T7).

mod answer;
mod held;
mod question;
mod sweep;

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use leeward_core::digest::{Digest, KeyDigest, RowHash};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::fence::Observation;
use leeward_core::name::{Side, TableName};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{
    Ask, Border, Buckets, Cut, CutPart, CutRequest, Look, Range, Source, TakePart, TakeRows, TakeTold,
};
use leeward_core::row::{KeyCells, RowBatch};
use leeward_core::table::Table;
use mysql_async::Row;

use self::answer::{Answer, of_table_alone};
use self::held::{Held, Open};
pub(crate) use self::question::rows_from;
use self::question::{Asked, OPENING, What, border_query, by_schema, read_shapes, shape_queries, statements};
pub(crate) use self::sweep::rows_query;
use crate::digest::{self, bytes};
use crate::endpoint::Endpoint;
use crate::fence::{self, Watch};
use crate::session::{RowEvent, Rows, Session};
use crate::sql;
use crate::survey;
use crate::wire;

/// Bytes of rows handed on at once. Small enough that a dozen in flight stay below a few MiB, large enough that the
/// target gets statements worth its parse.
pub const BATCH_BYTES: usize = 256 * 1024;

/// Keys in one fetch by key; keeps the statement below 64 KiB for usual keys and the optimizer's range memory small.
pub(crate) const KEYS_PER_FETCH: usize = 500;

/// How long a look or a cut waits for a table that is locked away: the shortest that servers offer. The table is left
/// to the next cycle; the others must not wait with it.
const LOCKED_TABLE_WAIT_S: u32 = 1;

/// How much longer than others a view waits for an answer. A range is cut for a second's work, but where the other side
/// lacks rows that were to be its border it may hold the whole table: 10 min are 200 million rows and more.
const VIEW_PATIENCE: u32 = 10;

/// Text of digests that one query holds at most: far below any `max_allowed_packet`, and hundreds of ranges of usual
/// tables. A table of a thousand columns has digests of 60 KiB each.
const DIGEST_BYTES_MAX: usize = 1 << 20;

/// The source connections of a running lane, or the one of a mere view. Made anew when one of them breaks.
pub struct MySqlSource {
    watch: Option<Watch>,
    cut: Held,
    /// The source's clock where the connection has come with its first view open.
    opened: Option<NaiveDateTime>,
}

impl MySqlSource {
    /// Connects.
    pub async fn connect(endpoint: &Endpoint) -> Result<MySqlSource, Fault> {
        let hurry = format!("SET SESSION lock_wait_timeout={LOCKED_TABLE_WAIT_S}");
        let watching = async { Watch::new(Session::open(endpoint, "fence").await?, &hurry).await };
        let (watch, (cut, _)) = tokio::try_join!(watching, Session::open_with(endpoint, "cut", &hurry))?;
        Ok(MySqlSource { watch: Some(watch), cut: Held::new(cut), opened: None })
    }

    /// Connects for a view alone, without a look at threads. It waits for a locked table as long as any session does, and
    /// longer than others for an answer. The first view is opened by the round trip that sets the session up.
    pub async fn connect_view(endpoint: &Endpoint) -> Result<MySqlSource, Fault> {
        let mut patient = endpoint.clone();
        patient.timeouts.read *= VIEW_PATIENCE;
        let (cut, sets) = Session::open_with(&patient, "view", OPENING).await?;
        let opened = sets.first().and_then(|rows| fence::time(rows.first()?, 0));
        Ok(MySqlSource { watch: None, cut: Held::new(cut), opened })
    }
}

#[async_trait]
impl Source for MySqlSource {
    async fn observe(&mut self, probes: &[&PlannedTable], look: Look) -> Result<Option<Observation>, Fault> {
        let ours = self.cut.thread_id();
        observe(self.watch.as_mut(), ours, probes, look).await
    }

    async fn cut<'s>(
        &'s mut self,
        request: &CutRequest<'_>,
        take: &mut dyn TakePart,
    ) -> Result<Box<dyn Cut + 's>, Fault> {
        let mut cut = MySqlCut { session: self.cut.free().await?, watch: self.watch.as_mut(), shape_sets: Vec::new() };
        match self.opened.take() {
            Some(at) => {
                take.take(CutPart::Opened { at }).await?;
                cut.read(request, take).await?;
            }
            None => cut.open(request, take).await?,
        }
        Ok(Box::new(cut))
    }
}

/// Looks at the threads of the source, less `ours`, which holds the cut.
async fn observe(
    watch: Option<&mut Watch>,
    ours: u64,
    probes: &[&PlannedTable],
    look: Look,
) -> Result<Option<Observation>, Fault> {
    match (watch, look) {
        (None, _) => Ok(None),
        (Some(watch), Look::Threads) => watch.look(&[ours], probes).await,
        (Some(watch), Look::ClockOnly) => watch.look_at_clock(probes).await.map(Some),
    }
}

/// One open read view.
pub struct MySqlCut<'s> {
    session: Open<'s>,
    watch: Option<&'s mut Watch>,
    /// What the server said of the tables to be described, one set after the other.
    shape_sets: Vec<Vec<Row>>,
}

impl MySqlCut<'_> {
    /// Opens the read view and hands the request's answer to `take`.
    async fn open(&mut self, request: &CutRequest<'_>, take: &mut dyn TakePart) -> Result<(), Fault> {
        let opening = Asked { sql: OPENING.as_bytes().to_vec(), what: What::Clock };
        self.ask(std::iter::once(opening).chain(statements(request)).collect(), &request.described, take).await
    }

    /// Sends statements and takes in all their answers, then what is to be told of some tables: last, so that the cut
    /// holds every table that it has read (see [`Cut::describe`]).
    async fn ask(
        &mut self,
        mut asked: Vec<Asked<'_>>,
        described: &[&TableName],
        take: &mut dyn TakePart,
    ) -> Result<(), Fault> {
        let schemas = by_schema(described);
        let shapes = shape_queries(&schemas, self.session.flavor());
        asked.extend(shapes.into_iter().map(|sql| Asked { sql: sql.into_bytes(), what: What::Shape }));
        let mut done = 0;
        // Each turn finishes at least one statement, so the loop is bounded by their number.
        while done < asked.len() {
            let mut sql = Vec::new();
            asked[done..].iter().for_each(|statement| {
                sql.extend_from_slice(&statement.sql);
                sql.push(b';');
            });
            sql.pop();
            done += self.send(&sql, &asked[done..], take).await?;
        }
        if !schemas.is_empty() {
            let tables = read_shapes(&schemas, &std::mem::take(&mut self.shape_sets))?;
            take.take(CutPart::Described(tables)).await?;
        }
        Ok(())
    }

    /// Sends statements and takes in their answers, up to the end or past the first that fails. Returns how many are
    /// settled.
    async fn send(&mut self, sql: &[u8], asked: &[Asked<'_>], take: &mut dyn TakePart) -> Result<usize, Fault> {
        let mut rows = self.session.stream("read a cut", sql).await?;
        for (settled, statement) in asked.iter().enumerate() {
            let mut answer = Answer::new(statement.what);
            loop {
                match rows.next().await {
                    Ok(RowEvent::Row(row)) => answer.add(row, take).await?,
                    Ok(RowEvent::EndOfSet) => break,
                    Ok(RowEvent::EndOfAll) => {
                        return Err(Fault::new(FaultKind::Unexpected, "read a cut").on(Side::Source));
                    }
                    Err(fault) => {
                        answer.failed(fault, take).await?;
                        return Ok(settled + 1);
                    }
                }
            }
            self.shape_sets.extend(answer.end(take).await?);
        }
        read_to_end(&mut rows).await?;
        Ok(asked.len())
    }
}

/// Finds a border on a connection, in its present transaction.
pub async fn find_border(session: &mut Session, border: &Border<'_>) -> Result<Option<KeyCells>, Fault> {
    let row = session.row("find a range's border", &border_query(border)).await;
    Ok(row.map_err(|fault| fault.of(border.table.name()))?.map(|row| cells(&row)))
}

/// Finds borders of many tables, some hundreds in each round trip.
pub async fn find_borders(
    session: &mut Session,
    borders: &[Border<'_>],
) -> Result<Vec<Result<Option<KeyCells>, Fault>>, Fault> {
    let queries: Vec<Vec<u8>> = borders.iter().map(border_query).collect();
    let answers = survey::each(session, "find the borders of ranges", &queries).await?;
    let read = |(answer, border): (Result<Vec<Row>, Fault>, &Border<'_>)| {
        answer.map(|rows| rows.first().map(cells)).map_err(|fault| fault.of(border.table.name()))
    };
    Ok(answers.into_iter().zip(borders).map(read).collect())
}

/// Appends a text-protocol row to a batch.
pub fn push_row(batch: &mut RowBatch, row: &Row) {
    push_cells(batch, row, row.len());
}

/// Appends the first cells of a text-protocol row to a batch.
pub(crate) fn push_cells(batch: &mut RowBatch, row: &Row, count: usize) {
    (0..count).for_each(|at| batch.push_cell(bytes(row, at)));
}

/// Reads rows of a table on a connection and hands them on as they arrive, a batch of [`BATCH_BYTES`] or one wider row at a
/// time.
pub(crate) async fn hand_on(
    session: &mut Session,
    query: &[u8],
    table: &PlannedTable,
    take: &mut dyn TakeRows,
) -> Result<(), Fault> {
    hand_on_some(session, query, table, take, |_| Ok(true)).await
}

/// The same for the rows that `wanted` lets through; the cells behind those of the table are for it alone.
pub(crate) async fn hand_on_some(
    session: &mut Session,
    query: &[u8],
    table: &PlannedTable,
    take: &mut dyn TakeRows,
    mut wanted: impl FnMut(&Row) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let width = table.table.wire_columns().len();
    let mut rows = session.stream("read rows", query).await?;
    let mut batch = RowBatch::new(width);
    // The one result set ends with an event of its own, and only after the last is the connection free again.
    loop {
        let row = match rows.next().await? {
            RowEvent::Row(row) => row,
            RowEvent::EndOfSet => break,
            RowEvent::EndOfAll => return Err(Fault::new(FaultKind::Unexpected, "read rows")),
        };
        if !wanted(&row)? {
            continue;
        }
        push_cells(&mut batch, &row, width);
        // A wide row should not be held twice while whoever takes it is waited for.
        drop(row);
        if batch.bytes() >= BATCH_BYTES {
            take.take(std::mem::replace(&mut batch, RowBatch::new(width))).await?;
        }
    }
    if !batch.is_empty() {
        take.take(batch).await?;
    }
    let counted = rest(&mut rows).await?;
    drop(rows);
    session.count(&counted);
    Ok(())
}

/// Reads what comes after rows: nothing, or the answer to [`wire::QUERY`].
pub(crate) async fn rest(rows: &mut Rows<'_>) -> Result<Vec<Row>, Fault> {
    let mut counted = Vec::new();
    loop {
        match rows.next().await? {
            RowEvent::Row(row) => counted.push(row),
            RowEvent::EndOfSet => {}
            RowEvent::EndOfAll => return Ok(counted),
        }
    }
}

/// Counts rows that are handed on.
struct Counted<'t> {
    take: &'t mut dyn TakeRows,
    rows: u64,
}

#[async_trait]
impl TakeRows for Counted<'_> {
    async fn take(&mut self, rows: RowBatch) -> Result<(), Fault> {
        self.rows += rows.rows() as u64;
        self.take.take(rows).await
    }
}

fn cells(row: &Row) -> KeyCells {
    KeyCells((0..row.len()).map(|at| bytes(row, at).unwrap_or_default().to_vec()).collect())
}

#[async_trait]
impl Cut for MySqlCut<'_> {
    async fn read(&mut self, request: &CutRequest<'_>, take: &mut dyn TakePart) -> Result<(), Fault> {
        self.ask(statements(request).collect(), &request.described, take).await
    }

    async fn observe(&mut self, probes: &[&PlannedTable], look: Look) -> Result<Option<Observation>, Fault> {
        let ours = self.session.thread_id();
        observe(self.watch.as_deref_mut(), ours, probes, look).await
    }

    async fn digests(&mut self, ranges: &[Range<'_>]) -> Result<Vec<Result<Digest, Fault>>, Fault> {
        digests(&mut self.session, ranges).await
    }

    async fn row_hashes(&mut self, range: &Range<'_>) -> Result<Vec<RowHash>, Fault> {
        row_hashes(&mut self.session, range).await
    }

    async fn key_digests(&mut self, ranges: &[Range<'_>]) -> Result<Vec<Result<KeyDigest, Fault>>, Fault> {
        key_digests(&mut self.session, ranges).await
    }

    async fn key_buckets(&mut self, range: &Range<'_>, of: u64) -> Result<BTreeMap<u64, KeyDigest>, Fault> {
        key_buckets(&mut self.session, range, of).await
    }

    async fn keys(&mut self, range: &Range<'_>, buckets: &Buckets) -> Result<Vec<KeyCells>, Fault> {
        keys(&mut self.session, range, buckets).await
    }

    async fn ask(&mut self, asks: &[Ask<'_>], take: &mut dyn TakeTold) -> Result<(), Fault> {
        sweep::ask(&mut self.session, asks, take).await
    }

    async fn row_hashes_in(&mut self, ranges: &[Range<'_>]) -> Result<Vec<RowHash>, Fault> {
        let Some(first) = ranges.first() else { return Ok(Vec::new()) };
        let query = ranges.iter().map(digest::row_hash_query).collect::<Vec<_>>().join(&b";"[..]);
        let sets = self.session.sets("hash rows of ranges", &query).await;
        let sets = sets.map_err(|fault| fault.of(first.table.name()))?;
        sets.iter().flatten().map(|row| digest::read_row_hash(row, first)).collect()
    }

    async fn row_hashes_of(&mut self, table: &PlannedTable, keys: &[KeyCells]) -> Result<Vec<RowHash>, Fault> {
        let mut found = Vec::new();
        for some in keys.chunks(KEYS_PER_FETCH) {
            let range = Range { table, keys: leeward_core::row::KeyRange::default() };
            let mut query = digest::row_hash_query(&range);
            query.extend_from_slice(b" WHERE ");
            sql::push_keys(&mut query, &table.table.row_key().unwrap_or_default(), some);
            let rows = self.session.rows("hash rows by key", &query).await.map_err(|fault| fault.of(table.name()))?;
            for row in &rows {
                found.push(digest::read_row_hash(row, &range)?);
            }
        }
        Ok(found)
    }

    async fn border(&mut self, border: &Border<'_>) -> Result<Option<KeyCells>, Fault> {
        find_border(&mut self.session, border).await
    }

    async fn rows(&mut self, table: &PlannedTable, keys: &[KeyCells], take: &mut dyn TakeRows) -> Result<(), Fault> {
        for some in keys.chunks(KEYS_PER_FETCH) {
            let read = hand_on(&mut self.session, &rows_query(table, some), table, take).await;
            read.map_err(|fault| fault.of(table.name()))?;
        }
        Ok(())
    }

    async fn all_rows(&mut self, table: &PlannedTable, rows_max: u64, take: &mut dyn TakeRows) -> Result<(), Fault> {
        let list = sql::wire_list(&table.table);
        let query = format!("SELECT {list} FROM {} LIMIT {}", sql::table(table.name()), rows_max + 1);
        let mut counted = Counted { take, rows: 0 };
        let read = hand_on(&mut self.session, query.as_bytes(), table, &mut counted).await;
        read.map_err(|fault| fault.of(table.name()))?;
        match counted.rows > rows_max {
            true => Err(Fault::new(FaultKind::Outgrown(rows_max), "fetch a whole table").of(table.name())),
            false => Ok(()),
        }
    }

    async fn describe(&mut self, tables: &[&TableName]) -> Result<Vec<Table>, Fault> {
        let schemas = by_schema(tables);
        let query = shape_queries(&schemas, self.session.flavor()).join(";");
        let sets = self.session.sets("describe tables in a cut", query).await?;
        read_shapes(&schemas, &sets)
    }

    async fn close(self: Box<Self>) -> Result<(), Fault> {
        // The answer is taken by whoever uses the connection next.
        self.session.close();
        Ok(())
    }
}

/// Digests ranges on a connection, in its present transaction, all in one round trip unless one fails or their text is
/// too long.
pub async fn digests(session: &mut Session, ranges: &[Range<'_>]) -> Result<Vec<Result<Digest, Fault>>, Fault> {
    one_row_each(session, ("digest ranges", digest::query, digest::read), ranges).await
}

/// Digests the keys of ranges on a connection, in its present transaction, all in one round trip unless one fails.
pub async fn key_digests(session: &mut Session, ranges: &[Range<'_>]) -> Result<Vec<Result<KeyDigest, Fault>>, Fault> {
    let read = |row: &Row, range: &Range<'_>| digest::read_keys(row, 0, range);
    one_row_each(session, ("count keys", digest::key_query, read), ranges).await
}

/// What is being done, the query for one range, and the reader of its one row.
type Asking<T> = (&'static str, fn(&Range<'_>) -> Vec<u8>, fn(&Row, &Range<'_>) -> Result<T, Fault>);

async fn one_row_each<T>(
    session: &mut Session,
    (doing, query, read): Asking<T>,
    ranges: &[Range<'_>],
) -> Result<Vec<Result<T, Fault>>, Fault> {
    let mut found = Vec::with_capacity(ranges.len());
    // Each turn settles at least one range.
    while found.len() < ranges.len() {
        let mut asked = &ranges[found.len()..];
        let mut text = Vec::new();
        for (at, range) in asked.iter().enumerate() {
            if text.len() > DIGEST_BYTES_MAX {
                asked = &asked[..at];
                break;
            }
            if at > 0 {
                text.push(b';');
            }
            text.extend_from_slice(&query(range));
        }
        let counts = session.is_count_due();
        if counts {
            text.extend_from_slice(format!(";{}", wire::QUERY).as_bytes());
        }
        let mut rows = session.stream(doing, &text).await?;
        let mut failed = false;
        for range in asked {
            let mut one = None;
            let answer = loop {
                match rows.next().await {
                    Ok(RowEvent::Row(row)) => one = Some(read(&row, range)),
                    Ok(RowEvent::EndOfSet | RowEvent::EndOfAll) => break Ok(()),
                    Err(fault) => break Err(fault),
                }
            };
            match (answer, one) {
                (Ok(()), Some(one)) => found.push(one),
                (Ok(()), None) => return Err(Fault::new(FaultKind::Unexpected, doing)),
                (Err(fault), _) => {
                    found.push(Err(of_table_alone(fault, range.table.name())?));
                    failed = true;
                    break;
                }
            }
        }
        if !failed && counts {
            let counted = rest(&mut rows).await?;
            drop(rows);
            session.count(&counted);
        } else if !failed {
            read_to_end(&mut rows).await?;
        }
    }
    Ok(found)
}

/// Digests the keys of a range in buckets on a connection, in its present transaction.
pub async fn key_buckets(session: &mut Session, range: &Range<'_>, of: u64) -> Result<BTreeMap<u64, KeyDigest>, Fault> {
    const DOING: &str = "count keys in buckets";
    let rows = session.rows(DOING, digest::key_buckets_query(range, of)).await;
    let rows = rows.map_err(|fault| fault.of(range.table.name()))?;
    let bucket = |row: &Row| digest::text(row, 0).and_then(|bucket| bucket.parse().ok());
    let read = |row: &Row| {
        let unreadable = || Fault::new(FaultKind::Unexpected, DOING).of(range.table.name());
        Ok((bucket(row).ok_or_else(unreadable)?, digest::read_keys(row, 1, range)?))
    };
    rows.iter().map(read).collect()
}

/// Lists the keys of some buckets on a connection, in its present transaction.
pub async fn keys(session: &mut Session, range: &Range<'_>, buckets: &Buckets) -> Result<Vec<KeyCells>, Fault> {
    let rows = session.rows("list keys", digest::keys_query(range, buckets)).await;
    Ok(rows.map_err(|fault| fault.of(range.table.name()))?.iter().map(cells).collect())
}

/// Takes the last answer, after which the connection is free again.
async fn read_to_end(rows: &mut Rows<'_>) -> Result<(), Fault> {
    match rows.next().await? {
        RowEvent::EndOfAll => Ok(()),
        _ => Err(Fault::new(FaultKind::Unexpected, "read an answer to its end")),
    }
}

/// Lists the row hashes of a range on a connection, in its present transaction.
pub async fn row_hashes(session: &mut Session, range: &Range<'_>) -> Result<Vec<RowHash>, Fault> {
    let query = digest::row_hash_query(range);
    let rows = session.rows("hash rows of a range", &query).await.map_err(|fault| fault.of(range.table.name()))?;
    rows.iter().map(|row| digest::read_row_hash(row, range)).collect()
}

/// Lists the row hashes of a range on a connection, `rows_max` at most, in its present transaction.
pub async fn list(session: &mut Session, range: &Range<'_>, rows_max: u64) -> Result<Vec<RowHash>, Fault> {
    let mut query = digest::row_hash_query(range);
    query.extend_from_slice(format!(" LIMIT {rows_max}").as_bytes());
    let rows = session.rows("hash rows of a range", &query).await.map_err(|fault| fault.of(range.table.name()))?;
    rows.iter().map(|row| digest::read_row_hash(row, range)).collect()
}
