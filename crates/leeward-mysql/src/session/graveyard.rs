//! Lets go of a connection at once, without a word and without reading what the server still sends.
//!
//! The driver's `Drop` hands a connection that looks usable to a task which first reads every pending result to its
//! end (70 s in a trial, T43), and which panics when the TLS handshake had failed, because the stream is then half
//! taken apart (mysql_async 0.37.1, `io/write_packet.rs`). It finds the runtime for that task by thread-local context.
//! So the drop is made to happen in the context of a runtime that nobody drives: the task is never polled, and it is
//! dropped with its socket when that runtime is.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use mysql_async::Conn;
use tokio::runtime::{Builder, Runtime};

/// Closes the socket now. The server notices when it next writes; a statement that computes goes on until it is killed.
pub(super) fn close_at_once(conn: Conn) {
    // A connection whose command was cut off is closed by the driver in the same way.
    if conn.is_disconnected() {
        return;
    }
    let Some(graveyard) = dig() else { return };
    {
        let _context = graveyard.enter();
        drop(conn);
    }
    graveyard.shutdown_background();
}

/// A connection being opened. If it fails or is given up, what it had so far is closed at once.
pub(super) struct Opening {
    /// Always there until the drop.
    connecting: Option<BoxFuture<'static, mysql_async::Result<Conn>>>,
    graveyard: Option<Runtime>,
    registered: bool,
}

impl Opening {
    /// Wraps the driver's future. It must connect to one address only: all sockets but the first would be made in the
    /// wrong context.
    pub(super) fn new(connecting: BoxFuture<'static, mysql_async::Result<Conn>>) -> Self {
        Opening { connecting: Some(connecting), graveyard: dig(), registered: false }
    }
}

impl Future for Opening {
    type Output = mysql_async::Result<Conn>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let opening = &mut *self;
        let Some(connecting) = opening.connecting.as_mut() else { return Poll::Pending };
        // The first poll makes the socket, which belongs to the runtime that runs us; nothing can fail in it that
        // leaves a connection behind.
        let first = !std::mem::replace(&mut opening.registered, true);
        let _context = match &opening.graveyard {
            Some(graveyard) if !first => Some(graveyard.enter()),
            _ => None,
        };
        connecting.as_mut().poll(cx)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let Some(graveyard) = self.graveyard.take() else { return };
        {
            let _context = graveyard.enter();
            self.connecting = None;
        }
        graveyard.shutdown_background();
    }
}

/// Makes a runtime without threads, timers and sockets. It takes a few allocations; where even these fail, the driver
/// closes in its own way.
fn dig() -> Option<Runtime> {
    Builder::new_current_thread().build().ok()
}
