//! A TCP proxy that makes a loopback connection as slow and as fragile as one between regions:
//! delay, bandwidth, silence, resets, refusals and cuts at chosen places. It counts bytes,
//! connections and round trips, so that a test can assert how often a client waits for the wire.
//!
//! It understands nothing of what passes, and it drops no byte of a connection that stays open.

mod controls;
mod delay_line;
mod link;
mod relay;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::servers::free_port;
use controls::Controls;
pub use controls::{Counters, Direction};
pub use link::Link;

/// How often another port is tried when somebody took the first one, or how often the old one when
/// it is wanted back.
const BIND_ATTEMPTS_MAX: u32 = 10;

/// Orders are carried out one by one and each waits for its answer, so few are ever under way.
const ORDERS_MAX: usize = 4;

/// A running proxy. Dropping it closes the port and resets every connection.
pub struct Proxy {
    address: SocketAddr,
    controls: Arc<Controls>,
    orders: mpsc::Sender<Order>,
    accepting: JoinHandle<()>,
}

/// What the accepting task is told to do.
enum Order {
    Refuse(oneshot::Sender<Result<()>>),
    Accept(oneshot::Sender<Result<()>>),
    LeadTo(SocketAddr, oneshot::Sender<Result<()>>),
}

impl Proxy {
    /// Starts a proxy on a free port of 127.0.0.1. It lives on the calling runtime.
    pub async fn start(upstream: SocketAddr, link: Link) -> Result<Proxy> {
        let listener = bind_free_port().await?;
        let address = listener.local_addr().context("read the proxy's address")?;
        let controls = Arc::new(Controls::new(link));
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let accepting = tokio::spawn(accept_all(listener, upstream, controls.clone(), inbox));
        Ok(Proxy { address, controls, orders, accepting })
    }

    /// Returns the address to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the delay of each direction; a round trip takes twice as long. Bytes already under way
    /// keep the delay they had.
    pub fn set_delay(&self, one_way: Duration) {
        self.controls.set_delay(one_way);
    }

    /// Stops all bytes in both directions and keeps every socket open, as a peer does that vanished
    /// without a reset. New connections open and stay silent.
    pub fn stall(&self) {
        self.controls.set_stalled(Direction::ToServer, true);
        self.controls.set_stalled(Direction::ToClient, true);
    }

    /// Stops the bytes of one direction.
    pub fn stall_one_way(&self, direction: Direction) {
        self.controls.set_stalled(direction, true);
    }

    /// Lets stopped bytes flow again; none was lost.
    pub fn resume(&self) {
        self.controls.set_stalled(Direction::ToServer, false);
        self.controls.set_stalled(Direction::ToClient, false);
    }

    /// Resets every open connection on both sides. New ones are welcome.
    pub fn reset_all(&self) {
        self.controls.reset_all();
    }

    /// Closes the port: connecting to it is refused from now on. Open connections stay.
    pub async fn refuse(&self) -> Result<()> {
        self.order(Order::Refuse).await
    }

    /// Opens the port again after [`Proxy::refuse`].
    pub async fn accept(&self) -> Result<()> {
        self.order(Order::Accept).await
    }

    /// Leads new connections to another server, as a name does after a failover. Open connections stay.
    pub async fn lead_to(&self, upstream: SocketAddr) -> Result<()> {
        self.order(|done| Order::LeadTo(upstream, done)).await
    }

    /// Lets so many more bytes pass in one direction, counted over all connections, then resets
    /// every connection. Happens once.
    pub fn cut_after_bytes(&self, direction: Direction, bytes: u64) {
        self.controls.arm_cut_after(direction, bytes);
    }

    /// Resets the connection whose client next sends `text`, before the server sees it. Happens
    /// once; needs a connection without TLS and compression.
    pub fn cut_before_request(&self, text: &str) {
        self.controls.arm_request_cut(text, controls::RequestCut::BeforeServer);
    }

    /// Lets the next request that contains `text` reach the server, waits for its answer, and
    /// resets the connection instead of delivering the answer: the work is done and the client
    /// cannot know. Happens once; needs a connection without TLS and compression.
    pub fn cut_before_answer(&self, text: &str) {
        self.controls.arm_request_cut(text, controls::RequestCut::BeforeAnswer);
    }

    /// Takes back a cut that was asked for and has not happened.
    pub fn disarm(&self) {
        self.controls.disarm();
    }

    /// Returns how many cuts have happened since the proxy started.
    pub fn cuts(&self) -> u64 {
        self.controls.cuts()
    }

    /// Waits until so many cuts have happened since the proxy started.
    pub async fn wait_for_cuts(&self, cuts: u64) {
        self.controls.wait_for_cuts(cuts).await;
    }

    /// Returns what has passed since the proxy started.
    pub fn counters(&self) -> Counters {
        self.controls.counters()
    }

    async fn order(&self, order: impl FnOnce(oneshot::Sender<Result<()>>) -> Order) -> Result<()> {
        let (done, answer) = oneshot::channel();
        if self.orders.send(order(done)).await.is_err() {
            bail!("tell the proxy what to do: it has ended");
        }
        answer.await.context("tell the proxy what to do")?
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.controls.reset_all();
    }
}

async fn accept_all(
    listener: TcpListener,
    mut upstream: SocketAddr,
    controls: Arc<Controls>,
    mut orders: mpsc::Receiver<Order>,
) {
    let Ok(address) = listener.local_addr() else { return };
    let mut listener = Some(listener);
    loop {
        let order = match &listener {
            Some(open) => tokio::select! {
                order = orders.recv() => order,
                accepted = open.accept() => {
                    // A client that gave up before it was accepted is no reason to stop.
                    if let Ok((client, _)) = accepted {
                        tokio::spawn(relay::relay(client, upstream, controls.clone()));
                    }
                    continue;
                }
            },
            None => orders.recv().await,
        };
        match order {
            None => return,
            Some(Order::Refuse(done)) => {
                listener = None;
                let _ = done.send(Ok(()));
            }
            Some(Order::LeadTo(other, done)) => {
                upstream = other;
                let _ = done.send(Ok(()));
            }
            Some(Order::Accept(done)) => {
                let opened = match listener.take() {
                    Some(open) => Ok(open),
                    None => bind_again(address).await,
                };
                let answer = opened.map(|open| listener = Some(open));
                // Nobody waits any more if the caller was cancelled; the order stands all the same.
                let _ = done.send(answer);
            }
        }
    }
}

async fn bind_free_port() -> Result<TcpListener> {
    for _ in 0..BIND_ATTEMPTS_MAX {
        let port = free_port()?;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            return Ok(listener);
        }
    }
    bail!("open a port for the proxy: {BIND_ATTEMPTS_MAX} were taken by others");
}

async fn bind_again(address: SocketAddr) -> Result<TcpListener> {
    ensure!(address.ip().is_loopback(), "the proxy listens on loopback only");
    for _ in 1..BIND_ATTEMPTS_MAX {
        if let Ok(listener) = TcpListener::bind(address).await {
            return Ok(listener);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    TcpListener::bind(address).await.context("open the proxy's port again")
}
