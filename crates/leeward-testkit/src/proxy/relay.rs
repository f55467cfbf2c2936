//! One connection through the proxy, from its acceptance to its close or reset.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, timeout};

use super::controls::{Controls, Direction, RequestCut};
use super::delay_line::{Batch, Entry, READ_BYTES, delay_line};

/// How long a server may take to finish a request whose answer is thrown away.
const FINISH_MAX: Duration = Duration::from_secs(60);

/// A connection broke, or was meant to break: both sides get a reset.
struct Broken;

/// A socket that sends a reset when it is dropped, unless its connection came to a good end.
struct Socket {
    stream: TcpStream,
    closed: bool,
}

impl Socket {
    fn new(stream: TcpStream) -> Socket {
        // Delay is this proxy's business alone.
        let _ = stream.set_nodelay(true);
        Socket { stream, closed: false }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if !self.closed {
            // Without it a close would look like an orderly end.
            let _ = self.stream.set_zero_linger();
        }
    }
}

/// What the two directions of one connection tell each other.
#[derive(Default)]
struct Conversation {
    /// Set while the client has sent and not yet been answered.
    client_waits: AtomicBool,
    /// Set when the answer to the last request must not be delivered.
    answer_lost: AtomicBool,
}

/// Carries one connection until it ends.
pub(super) async fn relay(client: TcpStream, upstream: SocketAddr, controls: Arc<Controls>) {
    controls.count_connection();
    let mut resets = controls.resets();
    tokio::select! {
        () = carry(Socket::new(client), upstream, &controls) => {}
        _ = resets.changed() => {}
    }
}

async fn carry(mut client: Socket, upstream: SocketAddr, controls: &Controls) {
    // The kernel has already finished the handshake, in no time; over the wire it takes a round
    // trip until the client may send, and half of one more until the server knows.
    sleep(controls.delay() * 2).await;
    let conversation = Conversation::default();
    let (mut from_client, mut to_client) = client.stream.split();
    let (requests, requests_out) = delay_line();
    let reading = read_client(&mut from_client, requests, controls, &conversation);
    let serving = async {
        sleep(controls.delay()).await;
        controls.flowing(Direction::ToServer).await;
        let stream = TcpStream::connect(upstream).await.map_err(|_| Broken)?;
        let mut server = Socket::new(stream);
        let (mut from_server, mut to_server) = server.stream.split();
        let (answers, answers_out) = delay_line();
        tokio::try_join!(
            deliver_requests(&mut to_server, requests_out, controls, &conversation),
            read_server(&mut from_server, answers, controls, &conversation),
            deliver_answers(&mut to_client, answers_out, controls, &conversation),
        )?;
        server.closed = true;
        Ok::<(), Broken>(())
    };
    if tokio::try_join!(reading, serving).is_ok() {
        client.closed = true;
    }
}

async fn read_client(
    from_client: &mut ReadHalf<'_>,
    requests: Entry,
    controls: &Controls,
    conversation: &Conversation,
) -> Result<(), Broken> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let room = requests.room().await.ok_or(Broken)?;
        let count = from_client.read(&mut buffer).await.map_err(|_| Broken)?;
        if count > 0 && !conversation.client_waits.swap(true, Ordering::Relaxed) {
            controls.count_round_trip();
        }
        let release_at = controls.release_at(Direction::ToServer, count);
        requests.send(&buffer[..count], release_at, room).await;
        if count == 0 {
            return Ok(());
        }
    }
}

async fn deliver_requests(
    to_server: &mut WriteHalf<'_>,
    mut requests: mpsc::Receiver<Batch>,
    controls: &Controls,
    conversation: &Conversation,
) -> Result<(), Broken> {
    // The end of what was delivered, where the text a trap waits for may have begun.
    let mut seen: Vec<u8> = Vec::new();
    while let Some(batch) = requests.recv().await {
        sleep_until(batch.release_at).await;
        controls.flowing(Direction::ToServer).await;
        if batch.bytes.is_empty() {
            return to_server.shutdown().await.map_err(|_| Broken);
        }
        seen.extend_from_slice(&batch.bytes);
        let cut = controls.spring(&seen);
        seen.drain(..seen.len().saturating_sub(controls.overlap()));
        if cut == Some(RequestCut::BeforeServer) {
            controls.count_cut();
            return Err(Broken);
        }
        if cut == Some(RequestCut::BeforeAnswer) {
            conversation.answer_lost.store(true, Ordering::Relaxed);
        }
        deliver(to_server, &batch.bytes, Direction::ToServer, controls).await?;
        if cut == Some(RequestCut::BeforeAnswer) {
            // An orderly end lets the server finish what it has; a reset could stop it halfway.
            return to_server.shutdown().await.map_err(|_| Broken);
        }
    }
    Ok(())
}

async fn read_server(
    from_server: &mut ReadHalf<'_>,
    answers: Entry,
    controls: &Controls,
    conversation: &Conversation,
) -> Result<(), Broken> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let room = answers.room().await.ok_or(Broken)?;
        let count = from_server.read(&mut buffer).await.map_err(|_| Broken)?;
        if conversation.answer_lost.load(Ordering::Relaxed) {
            // The server closes its side when it has read to the end of ours: all work is done.
            let rest = async { while from_server.read(&mut buffer).await.is_ok_and(|count| count > 0) {} };
            let _ = timeout(FINISH_MAX, rest).await;
            controls.count_cut();
            return Err(Broken);
        }
        let release_at = controls.release_at(Direction::ToClient, count);
        answers.send(&buffer[..count], release_at, room).await;
        if count == 0 {
            return Ok(());
        }
    }
}

async fn deliver_answers(
    to_client: &mut WriteHalf<'_>,
    mut answers: mpsc::Receiver<Batch>,
    controls: &Controls,
    conversation: &Conversation,
) -> Result<(), Broken> {
    while let Some(batch) = answers.recv().await {
        sleep_until(batch.release_at).await;
        controls.flowing(Direction::ToClient).await;
        if batch.bytes.is_empty() {
            return to_client.shutdown().await.map_err(|_| Broken);
        }
        // Before the write: the client may send its next request as soon as it has the answer.
        conversation.client_waits.store(false, Ordering::Relaxed);
        deliver(to_client, &batch.bytes, Direction::ToClient, controls).await?;
    }
    Ok(())
}

/// Writes what may pass of one batch; where that is not all, the link is cut.
async fn deliver(
    to: &mut WriteHalf<'_>,
    bytes: &[u8],
    direction: Direction,
    controls: &Controls,
) -> Result<(), Broken> {
    let allowed = controls.allowed(direction, bytes.len());
    to.write_all(&bytes[..allowed]).await.map_err(|_| Broken)?;
    controls.count_bytes(direction, allowed);
    if allowed < bytes.len() {
        controls.reset_all();
        controls.count_cut();
        return Err(Broken);
    }
    Ok(())
}
