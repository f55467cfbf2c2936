//! Traffic on the sample `harbor`: a shop's day, with deletes, cascades, key changes and ties.

use anyhow::Result;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{Rows, SplitMix64, quoted};

/// What a statement of the traffic does to rows.
#[derive(Debug, Clone, Copy)]
enum Effect {
    Read,
    Insert,
    Update,
    Delete,
}

use Effect::{Delete, Insert, Read, Update};

/// Writes one business event, chosen at random.
pub(super) async fn write(conn: &mut Conn, database: &str, random: &mut SplitMix64) -> Result<Rows> {
    conn.query_drop(format!("USE {}", quoted(database))).await?;
    let statements = match random.below(16) {
        0..=3 => place_order(random),
        4 | 5 => advance_orders(random),
        6 => pay(random),
        7 => drop_order(random),
        8 => fill_cart(random),
        9 => empty_cart(random),
        10 => visit(random),
        11 => count_stock(random),
        12 => edit_customer(random),
        13 => reprice(random),
        14 => change_member_code(random),
        _ => measure(random),
    };
    let mut rows = Rows::default();
    for (effect, statement) in statements {
        conn.query_drop(statement).await?;
        let affected = conn.affected_rows();
        match effect {
            Read => {}
            Insert => rows.inserted += affected,
            Update => rows.updated += affected,
            Delete => rows.deleted += affected,
        }
    }
    Ok(rows)
}

/// A business event: its statements, in order.
type Event = Vec<(Effect, String)>;

/// Rows of the sample's tables, numbered from 1 without gaps (`tests/sample/data.sql`).
const CUSTOMERS: u64 = 1500;
const PRODUCTS: u64 = 1200;
const WAREHOUSES: u64 = 12;
const METERS: u64 = 300;

/// How far back from the newest order the shop still works on orders.
const RECENT_ORDERS: u64 = 300;

/// Tokens in use: few enough that sessions are written again and again.
const TOKENS: u64 = 500;

/// Notes the newest order's id by a plain read: inside an UPDATE it would lock the end of the index
/// and deadlock with every insert.
fn note_newest_order() -> (Effect, String) {
    (Read, "SET @newest = (SELECT MAX(id) FROM `order`)".to_owned())
}

fn recent_order(random: &mut SplitMix64) -> String {
    format!("@newest - {}", random.below(RECENT_ORDERS))
}

/// A cart's id among those that the sample and [`fill_cart`] use.
fn cart_id(random: &mut SplitMix64) -> String {
    format!("UNHEX(LEFT(SHA2('cart{}', 256), 32))", random.one_to(900))
}

fn place_order(random: &mut SplitMix64) -> Event {
    let warehouse = random.one_to(WAREHOUSES);
    let mut event = vec![
        (
            Insert,
            format!(
                "INSERT INTO `order` (customer_id, ship_id, warehouse_id, total) VALUES ({}, {}, {warehouse}, {})",
                random.one_to(CUSTOMERS),
                random.one_to(250),
                random.below(90_000)
            ),
        ),
        (Read, "SET @placed = LAST_INSERT_ID()".to_owned()),
    ];
    for line_no in 1..=random.one_to(4) {
        let product = random.one_to(PRODUCTS);
        event.push((
            Insert,
            format!(
                "INSERT INTO order_line (order_id, line_no, product_id, quantity, unit_price) VALUES (@placed, {line_no}, {product}, {}, {}.25)",
                random.one_to(9),
                random.below(500)
            ),
        ));
        event.push((
            Update,
            format!(
                "UPDATE stock SET reserved = reserved + 1 WHERE warehouse_id = {warehouse} AND product_id = {product}"
            ),
        ));
    }
    event
}

fn advance_orders(random: &mut SplitMix64) -> Event {
    let order = recent_order(random);
    vec![
        note_newest_order(),
        (Update, format!("UPDATE `order` SET status = IF(status = 'new', 'picked', 'loaded') WHERE id = {order}")),
        (Update, format!("UPDATE order_line SET quantity = quantity + 1 WHERE order_id = {order} AND line_no = 1")),
    ]
}

fn pay(random: &mut SplitMix64) -> Event {
    let order = recent_order(random);
    vec![
        note_newest_order(),
        (
            Insert,
            format!(
                "INSERT INTO payment (order_id, method, amount) SELECT id, 'card', total FROM `order` WHERE id = {order}"
            ),
        ),
        (Update, format!("UPDATE `order` SET status = 'paid' WHERE id = {order}")),
    ]
}

/// Deletes an unpaid order; its lines go by cascade.
fn drop_order(random: &mut SplitMix64) -> Event {
    let order = recent_order(random);
    vec![
        note_newest_order(),
        (
            Delete,
            format!(
                "DELETE FROM `order` WHERE id = {order} AND NOT EXISTS (SELECT 1 FROM payment WHERE payment.order_id = `order`.id)"
            ),
        ),
    ]
}

fn fill_cart(random: &mut SplitMix64) -> Event {
    let cart = cart_id(random);
    let customer = random.one_to(CUSTOMERS);
    let mut event = vec![(Insert, format!("INSERT IGNORE INTO cart (id, customer_id) VALUES ({cart}, {customer})"))];
    for _ in 0..random.one_to(5) {
        event.push((
            Insert,
            format!(
                "INSERT INTO cart_line (cart_id, product_id, quantity) VALUES ({cart}, {}, {}) ON DUPLICATE KEY UPDATE quantity = quantity + 1",
                random.one_to(PRODUCTS),
                random.one_to(5)
            ),
        ));
    }
    event
}

/// Deletes a cart: the trigger leaves a tombstone, the lines go by cascade.
fn empty_cart(random: &mut SplitMix64) -> Event {
    let cart = cart_id(random);
    vec![(Delete, format!("DELETE FROM cart WHERE id = {cart}"))]
}

fn visit(random: &mut SplitMix64) -> Event {
    let token = |random: &mut SplitMix64| format!("UNHEX(SHA2('visit{}', 256))", random.below(TOKENS));
    vec![
        (
            Insert,
            format!(
                "INSERT INTO session (token, customer_id, payload, expires_at) VALUES ({}, {}, '{:x}', '2036-01-01') \
                 ON DUPLICATE KEY UPDATE payload = '{:x}'",
                token(random),
                random.one_to(CUSTOMERS),
                random.next_u64(),
                random.next_u64()
            ),
        ),
        (Delete, format!("DELETE FROM session WHERE token = {}", token(random))),
    ]
}

fn count_stock(random: &mut SplitMix64) -> Event {
    vec![(
        Update,
        format!(
            "UPDATE stock SET on_hand = on_hand + {}, reserved = 0 WHERE product_id = {}",
            random.one_to(20),
            random.one_to(PRODUCTS)
        ),
    )]
}

fn edit_customer(random: &mut SplitMix64) -> Event {
    let customer = random.one_to(CUSTOMERS);
    vec![
        (
            Update,
            format!(
                "UPDATE customer SET credit_limit = credit_limit + 1, risk_score = {} WHERE id = {customer}",
                random.below(100)
            ),
        ),
        (
            Insert,
            format!(
                "INSERT INTO customer_note (customer_id, body) VALUES ({customer}, 'called {:x}')",
                random.next_u64()
            ),
        ),
        (
            Update,
            format!(
                "UPDATE customer_note SET deleted_at = NOW(6) WHERE customer_id = {customer} AND deleted_at IS NULL"
            ),
        ),
        (Delete, format!("DELETE FROM customer_address WHERE customer_id = {customer} AND kind = 'agent'")),
    ]
}

/// Changes some thirty prices in one second: ties in a clock of whole seconds.
fn reprice(random: &mut SplitMix64) -> Event {
    let first = random.one_to(PRODUCTS);
    vec![(
        Update,
        format!("UPDATE product_price SET amount = amount + 0.25 WHERE product_id BETWEEN {first} AND {}", first + 9),
    )]
}

/// Changes a primary key; the movements follow by cascade, without an event of their own.
fn change_member_code(random: &mut SplitMix64) -> Event {
    vec![(
        Update,
        format!(
            "UPDATE loyalty_card SET member_code = 'M{:016x}', points = points + 1 WHERE customer_id = {} ORDER BY member_code LIMIT 1",
            random.next_u64(),
            1 + random.one_to(600) * 3 % CUSTOMERS
        ),
    )]
}

fn measure(random: &mut SplitMix64) -> Event {
    let meter = random.one_to(METERS);
    let meter_id = format!("({meter} - 150) * 100000000 + {}", meter % 3);
    vec![
        (Update, format!("UPDATE meter SET reading = reading * 1.0001 WHERE id = {meter_id}")),
        (
            Insert,
            format!(
                "INSERT INTO gate_reading (gate_no, read_at, direction, axle_load_t) VALUES ({}, NOW(3), b'10', {} / 7)",
                random.one_to(2_000),
                random.below(500)
            ),
        ),
        (
            Insert,
            "INSERT INTO audit_trail (actor, action, subject, detail) VALUES ('gate', 'insert', 'gate_reading', JSON_OBJECT('ok', 1))".to_owned(),
        ),
    ]
}
