//! Bank transfers between accounts in different tables: the sum of all balances never changes, and
//! the log of transfers explains every balance.
//!
//! A reader that sees another sum has mixed two states of the source.

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{Rows, SplitMix64, quoted};

/// Accounts in each of the two tables: few enough that writers meet, many enough that they rarely wait.
const ACCOUNTS: u64 = 200;

/// What every account holds at first, in cents.
const OPENING_BALANCE: i64 = 100_000;

/// The books of the bank, read by one statement and therefore in one read view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Books {
    /// Sum of the balances in `checking`.
    pub checking: i64,
    /// Sum of the balances in `savings`.
    pub savings: i64,
    /// Sum of the amounts in `transfer`, each from `checking` to `savings`.
    pub transferred: i64,
    /// Accounts in both tables together.
    pub accounts: i64,
}

impl Books {
    /// Returns whether these books can be a state that the source had.
    pub fn is_balanced(&self) -> bool {
        let opening = OPENING_BALANCE * ACCOUNTS as i64;
        self.accounts == 2 * ACCOUNTS as i64
            && self.checking == opening - self.transferred
            && self.savings == opening + self.transferred
    }
}

/// Reads the books on any server, in one read view.
pub async fn books(conn: &mut Conn, database: &str) -> Result<Books> {
    let database = quoted(database);
    let sum = |column: &str, table: &str| {
        format!("(SELECT CAST(IFNULL(SUM({column}), 0) AS SIGNED) FROM {database}.{table})")
    };
    let statement = format!(
        "SELECT {}, {}, {}, (SELECT COUNT(*) FROM {database}.checking) + (SELECT COUNT(*) FROM {database}.savings)",
        sum("balance", "checking"),
        sum("balance", "savings"),
        sum("amount", "transfer"),
    );
    let (checking, savings, transferred, accounts) =
        conn.query_first(statement).await.context("read the books")?.context("read the books: no answer")?;
    Ok(Books { checking, savings, transferred, accounts })
}

/// Creates the database, the accounts and the log where they are missing.
pub(super) async fn create(conn: &mut Conn, database: &str) -> Result<()> {
    let database = quoted(database);
    let account = "id INT UNSIGNED NOT NULL PRIMARY KEY, balance BIGINT NOT NULL, \
                   updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) \
                   ON UPDATE CURRENT_TIMESTAMP(6), KEY updated (updated_at)";
    let log = "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, checking_id INT UNSIGNED NOT NULL, \
               savings_id INT UNSIGNED NOT NULL, amount BIGINT NOT NULL, \
               created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)";
    let opened: Vec<String> = (1..=ACCOUNTS).map(|id| format!("({id},{OPENING_BALANCE})")).collect();
    let opened = opened.join(",");
    let mut statements = vec![format!("CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4")];
    for table in ["checking", "savings"] {
        statements.push(format!("CREATE TABLE IF NOT EXISTS {database}.{table} ({account}) ENGINE=InnoDB"));
        // IGNORE: accounts that are there already keep their balance.
        statements.push(format!("INSERT IGNORE INTO {database}.{table} (id, balance) VALUES {opened}"));
    }
    statements.push(format!("CREATE TABLE IF NOT EXISTS {database}.transfer ({log}) ENGINE=InnoDB"));
    for statement in statements {
        conn.query_drop(statement).await.context("create the accounts")?;
    }
    Ok(())
}

/// Moves a random amount, in either direction, and logs it.
///
/// Every writer locks `checking` first and one row of each table, so transfers cannot deadlock.
pub(super) async fn write(conn: &mut Conn, database: &str, random: &mut SplitMix64) -> Result<Rows> {
    let database = quoted(database);
    let checking_id = random.one_to(ACCOUNTS);
    let savings_id = random.one_to(ACCOUNTS);
    let amount = i64::try_from(random.below(2_000))? - 1_000;
    // A transfer of nothing would update no row, and the counters would not add up.
    let amount = if amount == 0 { 1_000 } else { amount };
    conn.query_drop(format!("UPDATE {database}.checking SET balance = balance - ({amount}) WHERE id = {checking_id}"))
        .await?;
    let mut updated = conn.affected_rows();
    conn.query_drop(format!("UPDATE {database}.savings SET balance = balance + ({amount}) WHERE id = {savings_id}"))
        .await?;
    updated += conn.affected_rows();
    conn.query_drop(format!(
        "INSERT INTO {database}.transfer (checking_id, savings_id, amount) VALUES ({checking_id}, {savings_id}, {amount})"
    ))
    .await?;
    Ok(Rows { inserted: conn.affected_rows(), updated, deleted: 0 })
}

#[cfg(test)]
mod tests {
    use super::{ACCOUNTS, Books, OPENING_BALANCE};

    #[test]
    fn books_that_lost_one_half_of_a_transfer_are_not_balanced() {
        let opening = OPENING_BALANCE * ACCOUNTS as i64;
        let whole =
            Books { checking: opening - 70, savings: opening + 70, transferred: 70, accounts: 2 * ACCOUNTS as i64 };
        assert!(whole.is_balanced());
        assert!(!Books { savings: opening, ..whole }.is_balanced());
        assert!(!Books { transferred: 0, ..whole }.is_balanced());
        assert!(!Books { accounts: 0, ..whole }.is_balanced());
    }
}
