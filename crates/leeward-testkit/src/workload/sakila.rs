//! Traffic on the public sample `sakila`: rentals, returns, payments, catalogue changes.
//!
//! Its clocks have whole seconds and no index, its film_text is kept by triggers: a hard customer.

use anyhow::{Context, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{Rows, SplitMix64};

/// Rows of sakila's tables that the traffic never deletes, numbered from 1 without gaps.
const INVENTORY: u64 = 4581;
const CUSTOMERS: u64 = 599;
const FILMS: u64 = 1000;
const ADDRESSES: u64 = 605;

/// How far back from the newest rental films are still returned.
const RECENT_RENTALS: u64 = 500;

/// Writes one event of the shop, chosen at random.
pub(super) async fn write(conn: &mut Conn, random: &mut SplitMix64) -> Result<Rows> {
    match random.below(10) {
        0..=3 => rent(conn, random).await,
        4 | 5 => return_film(conn, random).await,
        6 => take_back_rental(conn, random).await,
        7 => edit_customer(conn, random).await,
        8 => edit_film(conn, random).await,
        _ => recast_film(conn, random).await,
    }
}

async fn affected(conn: &mut Conn, statement: String) -> Result<u64> {
    conn.query_drop(statement).await?;
    Ok(conn.affected_rows())
}

/// Reads the newest rental by a plain read, which locks nothing.
async fn newest_rental(conn: &mut Conn) -> Result<u64> {
    conn.query_first("SELECT MAX(rental_id) FROM sakila.rental").await?.context("read sakila's newest rental")
}

async fn rent(conn: &mut Conn, random: &mut SplitMix64) -> Result<Rows> {
    let customer = random.one_to(CUSTOMERS);
    let staff = random.one_to(2);
    let mut inserted = affected(
        conn,
        format!(
            "INSERT INTO sakila.rental (rental_date, inventory_id, customer_id, staff_id) VALUES (NOW(), {}, {customer}, {staff})",
            random.one_to(INVENTORY)
        ),
    )
    .await?;
    let rental = conn.last_insert_id().context("read the id of the rental")?;
    inserted += affected(
        conn,
        format!(
            "INSERT INTO sakila.payment (customer_id, staff_id, rental_id, amount, payment_date) VALUES ({customer}, {staff}, {rental}, {}.99, NOW())",
            random.below(10)
        ),
    )
    .await?;
    Ok(Rows { inserted, ..Rows::default() })
}

async fn return_film(conn: &mut Conn, random: &mut SplitMix64) -> Result<Rows> {
    let rental = newest_rental(conn).await? - random.below(RECENT_RENTALS);
    let updated =
        affected(conn, format!("UPDATE sakila.rental SET return_date = NOW() WHERE rental_id = {rental}")).await?;
    Ok(Rows { updated, ..Rows::default() })
}

/// Deletes a rental; its payment's rental_id becomes NULL by the foreign key.
async fn take_back_rental(conn: &mut Conn, random: &mut SplitMix64) -> Result<Rows> {
    let rental = newest_rental(conn).await? - random.below(RECENT_RENTALS);
    let deleted = affected(conn, format!("DELETE FROM sakila.rental WHERE rental_id = {rental}")).await?;
    Ok(Rows { deleted, ..Rows::default() })
}

async fn edit_customer(conn: &mut Conn, random: &mut SplitMix64) -> Result<Rows> {
    let mut updated = affected(
        conn,
        format!("UPDATE sakila.customer SET active = 1 - active WHERE customer_id = {}", random.one_to(CUSTOMERS)),
    )
    .await?;
    updated += affected(
        conn,
        format!(
            "UPDATE sakila.address SET phone = '{}' WHERE address_id = {}",
            random.below(10_000_000_000),
            random.one_to(ADDRESSES)
        ),
    )
    .await?;
    Ok(Rows { updated, ..Rows::default() })
}

/// Changes a film's description; a trigger carries it to film_text.
async fn edit_film(conn: &mut Conn, random: &mut SplitMix64) -> Result<Rows> {
    let updated = affected(
        conn,
        format!(
            "UPDATE sakila.film SET description = 'A story of {:x}' WHERE film_id = {}",
            random.next_u64(),
            random.one_to(FILMS)
        ),
    )
    .await?;
    Ok(Rows { updated, ..Rows::default() })
}

/// Takes an actor out of a film and puts another in: deletes and inserts on a composite key.
async fn recast_film(conn: &mut Conn, random: &mut SplitMix64) -> Result<Rows> {
    let film = random.one_to(FILMS);
    let deleted =
        affected(conn, format!("DELETE FROM sakila.film_actor WHERE film_id = {film} ORDER BY actor_id LIMIT 1"))
            .await?;
    let inserted = affected(
        conn,
        format!("INSERT IGNORE INTO sakila.film_actor (actor_id, film_id) VALUES ({}, {film})", random.one_to(200)),
    )
    .await?;
    Ok(Rows { inserted, deleted, ..Rows::default() })
}
