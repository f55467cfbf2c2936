//! Changes that leave sums, lengths and sets of values as they were: in an even number of rows, between rows, between
//! columns, and in tables without a key.

use anyhow::{Context, Result, ensure};
use leeward_core::name::TableName;
use leeward_core::plan::PlannedTable;
use leeward_mysql::session::Session;
use leeward_testkit::servers::pair;

use crate::catalogue::Type;
use crate::setup::{CATALOGUE, SAME_FROM, between, catalogue, look, open, planned};

/// Changes of a table whose eight rows (ids 1 to 8) hold one value in `v` and another in `w`. `@v` and `@w` stand for
/// them.
const CHANGES: [(&str, &str); 12] = [
    ("a value in one row", "UPDATE s SET v=@w WHERE id=3"),
    ("one change in two rows", "UPDATE s SET v=@w WHERE id IN (3,6)"),
    ("one change in four rows", "UPDATE s SET v=@w WHERE id<=4"),
    ("one change in all rows", "UPDATE s SET v=@w"),
    ("the same value in both columns of all rows", "UPDATE s SET w=@v"),
    ("columns swapped in one row", "UPDATE s SET v=@w,w=@v WHERE id=3"),
    ("columns swapped in two rows", "UPDATE s SET v=@w,w=@v WHERE id IN (3,4)"),
    ("columns swapped in all rows", "UPDATE s SET v=@w,w=@v"),
    ("NULL in one row", "UPDATE s SET v=NULL WHERE id=3"),
    ("NULL in all rows", "UPDATE s SET v=NULL"),
    ("a row missing", "DELETE FROM s WHERE id=3"),
    ("a row under another key", "UPDATE s SET id=-3 WHERE id=3"),
];

/// Changes of a table whose rows are told apart by nothing: two of `(@v,@w)`, two of `(@w,@v)`.
const CHANGES_WITHOUT_KEY: [(&str, &str); 7] = [
    ("a row for a copy of another", "UPDATE k SET v=@w,w=@v WHERE n=1"),
    ("two rows for copies of others", "UPDATE k SET v=@w,w=@v WHERE n IN (1,2)"),
    ("one half for copies of the other", "UPDATE k SET v=@v,w=@w"),
    ("two copies more", "INSERT INTO k (v,w) VALUES (@v,@w),(@v,@w)"),
    ("two copies less", "DELETE FROM k WHERE n IN (1,2)"),
    ("NULL in two copies", "UPDATE k SET v=NULL WHERE n IN (1,2)"),
    ("nothing left", "DELETE FROM k"),
];

/// A table that is described as another is, but for its name.
fn renamed(table: &PlannedTable, name: &str) -> PlannedTable {
    let mut table = table.clone();
    table.table.name = TableName::new(CATALOGUE, name);
    table
}

/// The same without its key and the column that makes rows different: `k` has a number beside, which is not compared.
fn keyless(table: &PlannedTable) -> PlannedTable {
    let mut table = renamed(table, "k");
    table.table.keys.clear();
    table.table.columns.retain(|column| column.name != "id");
    table
}

/// Two values of a type, by the catalogue's table and their ids in it.
struct Twins {
    table: String,
    one: usize,
    two: usize,
}

impl Twins {
    /// Finds two that read as long as each other: a change of length would be seen by weaker checksums too. A float is
    /// hashed as its bits, so any two are of one length.
    async fn find(session: &mut Session, table: &str, of: &Type) -> Result<Twins> {
        let query = format!(
            "SELECT x.id,y.id,LENGTH(x.v)=LENGTH(y.v) same FROM {table} x JOIN {table} y ON y.id>x.id
             WHERE x.id>0 AND y.id<{SAME_FROM} AND LENGTH(x.v)>0 AND LENGTH(y.v)>0 ORDER BY same DESC,x.id,y.id LIMIT 1"
        );
        let row = session.row("find two values", query).await?.context("two values")?;
        let (one, two, same): (usize, usize, bool) = mysql_async::from_row(row);
        ensure!(same || of.declared.starts_with("FLOAT") || of.declared.starts_with("DOUBLE"), "no two of one length");
        Ok(Twins { table: table.to_owned(), one, two })
    }

    /// Returns the expressions of both values.
    fn values(&self) -> [String; 2] {
        [self.one, self.two].map(|id| format!("(SELECT v FROM {} WHERE id={id})", self.table))
    }
}

/// Makes the two tables for two values; they are gone with the session.
async fn make(session: &mut Session, twins: &Twins, of: &Type) -> Result<()> {
    let (declared, [one, two]) = (&of.declared, twins.values());
    let ids = (1..=8).map(|id| format!("SELECT {id} id")).collect::<Vec<_>>().join(" UNION ALL ");
    let statements = [
        "DROP TEMPORARY TABLE IF EXISTS s,k".to_owned(),
        // Members of a list are named in UTF-8.
        "SET NAMES utf8mb4".to_owned(),
        format!("CREATE TEMPORARY TABLE s (id INT PRIMARY KEY, v {declared} NULL, w {declared} NULL)"),
        format!("CREATE TEMPORARY TABLE k (n INT NULL, v {declared} NULL, w {declared} NULL)"),
        "SET NAMES binary".to_owned(),
        format!("INSERT INTO s SELECT id,{one},{two} FROM ({ids}) ids"),
        format!("INSERT INTO k SELECT id,{one},{two} FROM ({ids}) ids WHERE id<=2"),
        format!("INSERT INTO k SELECT id,{two},{one} FROM ({ids}) ids WHERE id IN (3,4)"),
    ];
    for statement in statements {
        session.run("make a table", statement).await?;
    }
    Ok(())
}

/// Runs a change, with the two values for `@v` and `@w`.
async fn change(session: &mut Session, twins: &Twins, change: &str) -> Result<()> {
    let [one, two] = twins.values();
    let change = change.replace("@v", &one).replace("@w", &two);
    session.run("change rows", change).await.map(|_| ()).context("change rows")
}

async fn ensure_all_seen(session: &mut Session, of: &Type, table: &PlannedTable) -> Result<()> {
    let (keyed, keyless) = (renamed(table, "s"), keyless(table));
    let twins = Twins::find(session, &table.name().table, of).await?;
    make(session, &twins, of).await?;
    let cases =
        CHANGES.iter().map(|case| (&keyed, case)).chain(CHANGES_WITHOUT_KEY.iter().map(|case| (&keyless, case)));
    let range = |table: &PlannedTable| if table.has_key() { between(0, 8) } else { Default::default() };
    for (table, (what, sql)) in cases {
        session.run("set a savepoint", "SAVEPOINT before_change").await?;
        let before = look(session, table, range(table)).await?;
        change(session, &twins, sql).await.with_context(|| format!("{what}: {sql}"))?;
        let after = look(session, table, range(table)).await?;
        before.ensure_differs(&after, &format!("{}: {what}", of.declared))?;
        session.run("take it back", "ROLLBACK TO SAVEPOINT before_change").await?;
        ensure!(look(session, table, range(table)).await? == before, "{what} was taken back");
    }
    Ok(())
}

leeward_testkit::each_kind! {
    /// CRC32 under XOR cannot see a same-length change in an even number of rows (T14), a swap, or copies that cancel
    /// each other (T16).
    async fn no_change_cancels_itself_t14_t16(kind: Kind) -> Result<()> {
        let types = catalogue(kind).await?;
        let mut session = open(&pair(kind).await?.source, CATALOGUE).await?;
        let tables = planned(&mut session, CATALOGUE).await?;
        for (at, one) in types.iter().enumerate() {
            let table = &tables[&format!("t{at}")];
            ensure_all_seen(&mut session, one, table).await.with_context(|| one.declared.clone())?;
        }
        Ok(())
    }
}
