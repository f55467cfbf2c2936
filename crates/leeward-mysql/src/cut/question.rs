//! What a cut asks the source: one statement each for the clock, a delta, a border, and the shapes of some tables.

use std::collections::BTreeMap;

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::{Side, TableName};
use leeward_core::plan::PlannedTable;
use leeward_core::port::{Border, CutRequest, Delta, DeltaStart};
use leeward_core::row::{KeyCells, KeyRange};
use leeward_core::server::Flavor;
use leeward_core::table::Table;
use mysql_async::Row;

use crate::fence;
use crate::sql;
use crate::survey::{self, Catalog, SHAPE_SETS};

/// One statement of a cut's query and what its answer is for.
pub(super) struct Asked<'a> {
    pub sql: Vec<u8>,
    pub what: What<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum What<'a> {
    Clock,
    Delta(usize, &'a PlannedTable),
    Border(usize, &'a PlannedTable),
    Shape,
}

/// Opens the read view. The clock is read before it and asked for after it: a time read after it could be later than a
/// commit that the view does not show, and the cut would claim that commit.
pub(super) const OPENING: &str =
    "SET @leeward_at = NOW(6);START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;SELECT @leeward_at";

pub(super) fn statements<'a>(request: &CutRequest<'a>) -> impl Iterator<Item = Asked<'a>> {
    let deltas = request.deltas.iter().enumerate();
    let deltas = deltas.map(|(at, delta)| Asked { sql: delta_query(delta), what: What::Delta(at, delta.table) });
    let borders = request.borders.iter().enumerate();
    let borders = borders.map(|(at, ask)| Asked { sql: border_query(ask), what: What::Border(at, ask.table) });
    deltas.chain(borders)
}

/// Tables, by their database.
pub(super) type BySchema<'a> = BTreeMap<&'a str, Vec<&'a str>>;

pub(super) fn by_schema<'a>(tables: &[&'a TableName]) -> BySchema<'a> {
    let mut schemas = BySchema::new();
    tables.iter().for_each(|name| schemas.entry(&name.schema).or_default().push(&name.table));
    schemas
}

pub(super) fn shape_queries(schemas: &BySchema<'_>, flavor: Flavor) -> Vec<String> {
    schemas.iter().flat_map(|(schema, tables)| survey::shapes_of(schema, tables, flavor)).collect()
}

/// Reads what the server answered to [`shape_queries`].
pub(super) fn read_shapes(schemas: &BySchema<'_>, sets: &[Vec<Row>]) -> Result<Vec<Table>, Fault> {
    if sets.len() != schemas.len() * SHAPE_SETS {
        return Err(Fault::new(FaultKind::Unexpected, "describe tables in a cut").on(Side::Source));
    }
    let mut catalog = Catalog::default();
    for (schema, sets) in schemas.keys().zip(sets.chunks(SHAPE_SETS)) {
        catalog.add_shapes(schema, sets);
    }
    Ok(catalog.tables.into_values().map(|(table, _)| table).collect())
}

/// Returns the query for the rows of a delta in mark order.
fn delta_query(delta: &Delta<'_>) -> Vec<u8> {
    rows_from(&delta.table.table, delta.column, &delta.from, delta.rows_max)
}

/// Returns the query for the rows of a table from a place on, in the order of the column `mark`.
pub(crate) fn rows_from(table: &Table, mark: &str, from: &DeltaStart, rows_max: u64) -> Vec<u8> {
    let mut query = format!("SELECT {} FROM {}", sql::wire_list(table), sql::table(&table.name)).into_bytes();
    let column = sql::ident(mark);
    match from {
        DeltaStart::Beginning => {}
        DeltaStart::Clock(at) => {
            query.extend_from_slice(format!(" WHERE {column}>='{}'", fence::print_time(*at)).as_bytes());
        }
        DeltaStart::AfterId(id) => query.extend_from_slice(format!(" WHERE {column}>{id}").as_bytes()),
        DeltaStart::AfterRow { clock, key } => push_after_row(&mut query, table, &column, (clock, key)),
    }
    let key = table.row_key().unwrap_or_default();
    let mut order = vec![column];
    order.extend(key.iter().filter(|part| part.name != mark).map(|part| sql::wire_order(part)));
    query.extend_from_slice(format!(" ORDER BY {} LIMIT {}", order.join(","), rows_max).as_bytes());
    query
}

/// `clock >= t AND (clock > t OR key > k)`: the tie goes on at the next key (T3).
fn push_after_row(query: &mut Vec<u8>, table: &Table, column: &str, (clock, key): (&[u8], &KeyCells)) {
    let compare = |query: &mut Vec<u8>, operator: &str| {
        query.extend_from_slice(format!("{column}{operator}").as_bytes());
        sql::push_quoted(query, clock);
    };
    query.extend_from_slice(b" WHERE ");
    compare(query, ">=");
    query.extend_from_slice(b" AND (");
    compare(query, ">");
    query.extend_from_slice(b" OR ");
    sql::push_after_wire(query, &table.row_key().unwrap_or_default(), key);
    query.push(b')');
}

/// Returns the query for the key `rows` rows after a border, read from the key's index alone.
pub(super) fn border_query(ask: &Border<'_>) -> Vec<u8> {
    let table = &ask.table.table;
    let key = table.row_key().unwrap_or_default();
    let index = sql::ident(table.row_key_name().unwrap_or("PRIMARY"));
    let order = sql::border_list(&key);
    let mut query = format!("SELECT {order} FROM {} FORCE INDEX ({index})", sql::table(&table.name)).into_bytes();
    if ask.after.is_some() {
        query.extend_from_slice(b" WHERE ");
        let range = KeyRange { after: ask.after.clone(), upto: None };
        sql::push_range(&mut query, &key, &range);
    }
    query.extend_from_slice(format!(" ORDER BY {order} LIMIT 1 OFFSET {}", ask.rows.max(1) - 1).as_bytes());
    query
}
