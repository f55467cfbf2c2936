//! LOAD DATA LOCAL INFILE with a body that is made while it is sent.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream, StreamExt};
use leeward_core::fault::{Fault, FaultKind};
use mysql_async::prelude::Queryable;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Lost, Outcome, Session};
use crate::fault::Cause;

/// How long the server may wait for the next piece of the body: its session's `net_read_timeout` is the same, after
/// which it would give up by itself.
const BODY_WAIT_MAX: Duration = Duration::from_secs(600);

/// Largest piece that is sent as one packet: far below the smallest `max_allowed_packet` in use (4 MiB), and small
/// enough for the read time-out on a slow link. Pieces are bytes of a file; where they are cut does not matter.
const PIECE_BYTES_MAX: usize = 1 << 20;

/// The body on its way, shared between the driver, which sends it, and the watch over the time-outs.
struct Progress {
    state: Mutex<State>,
    /// Rung when the body has failed.
    failed: Notify,
}

struct State {
    /// When the last piece was asked for or handed over.
    moved_at: Instant,
    /// Who is waited for.
    waiting_for: Party,
    fault: Option<Fault>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Party {
    Body,
    Server,
}

/// The body as the driver sees it: pieces, then its end. A failure is not handed to the driver, which would send the
/// mark of a proper end and let the server keep what it has (T42); the body just never goes on, and the socket is
/// closed from outside, which undoes the statement whatever the transaction.
struct Body {
    pieces: BoxStream<'static, Result<Bytes, Fault>>,
    /// What is left of a piece that was too large.
    rest: Bytes,
    progress: Arc<Progress>,
}

impl Progress {
    fn new() -> Arc<Progress> {
        let state = State { moved_at: Instant::now(), waiting_for: Party::Server, fault: None };
        Arc::new(Progress { state: Mutex::new(state), failed: Notify::new() })
    }

    /// Every critical section leaves the state whole, so a panic elsewhere does not matter.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self, waiting_for: Party) {
        let mut state = self.state();
        if state.waiting_for != waiting_for || waiting_for == Party::Server {
            state.moved_at = Instant::now();
        }
        state.waiting_for = waiting_for;
    }

    /// Returns when patience ends if nothing moves, and how long it was.
    fn deadline(&self, read: Duration) -> (Instant, Duration) {
        let state = self.state();
        let limit = match state.waiting_for {
            Party::Body => BODY_WAIT_MAX,
            Party::Server => read,
        };
        (state.moved_at + limit, limit)
    }
}

impl Body {
    fn cut(&mut self) -> Bytes {
        let bytes = self.rest.len().min(PIECE_BYTES_MAX);
        self.rest.split_to(bytes)
    }
}

impl Stream for Body {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.rest.is_empty() {
            self.progress.moved(Party::Server);
            return Poll::Ready(Some(Ok(self.cut())));
        }
        match self.pieces.poll_next_unpin(cx) {
            Poll::Pending => {
                self.progress.moved(Party::Body);
                Poll::Pending
            }
            Poll::Ready(Some(Ok(piece))) => {
                self.progress.moved(Party::Server);
                self.rest = piece;
                Poll::Ready(Some(Ok(self.cut())))
            }
            Poll::Ready(None) => {
                self.progress.moved(Party::Server);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(fault))) => {
                self.progress.state().fault = Some(fault);
                self.progress.failed.notify_one();
                Poll::Pending
            }
        }
    }
}

impl Session {
    /// Executes a LOAD DATA LOCAL INFILE (the file name is of no importance) with `body` as the file. The caller has
    /// opened a transaction, compares the counts of [`Outcome::info`] with what was sent, and commits: LOCAL implies
    /// IGNORE, so neither duplicates nor changed values are errors (T42).
    ///
    /// The time-out holds for each piece of the body that is sent, not for the whole.
    ///
    /// # Errors
    /// The body's own fault, as it is; the session is then broken and the transaction rolled back by the server.
    /// `Unexpected` outside of a transaction. `Server(3948)`, `Server(4166)` or `Server(1148)` where `local_infile`
    /// is off. Those of [`Session::run`].
    pub async fn load(
        &mut self,
        doing: &str,
        sql: &str,
        body: impl Stream<Item = Result<Bytes, Fault>> + Send + 'static,
    ) -> Result<Outcome, Fault> {
        if self.in_transaction() == Some(false) {
            let cause = Cause("rows are loaded outside of a transaction".to_owned());
            return Err(Fault::new(FaultKind::Unexpected, doing).on(self.side).because(cause));
        }
        let progress = Progress::new();
        // The driver's slot for the body wants more than a stream can promise (`Sync`), so it gets a handle; and what
        // it does not take must not lie in wait for a later statement.
        let body = Body { pieces: body.boxed(), rest: Bytes::new(), progress: progress.clone() };
        let slot = Arc::new(Mutex::new(Some(body)));
        let handle = slot.clone();
        let read = self.timeouts.read;
        let conn = self.begin(doing)?;
        conn.set_infile_handler(async move {
            let body = handle.lock().unwrap_or_else(PoisonError::into_inner).take();
            Ok(body.map_or_else(|| futures_util::stream::empty().boxed(), StreamExt::boxed))
        });
        let loaded = watch(conn.query_drop(sql), &progress, read).await;
        drop(slot.lock().unwrap_or_else(PoisonError::into_inner).take());
        match loaded {
            Ok(()) => {
                self.in_flight = false;
                Ok(self.outcome())
            }
            Err(Stopped::ByBody(fault)) => {
                self.abandon();
                Err(fault)
            }
            Err(Stopped::Lost(lost)) => Err(self.settle(lost, doing)),
        }
    }
}

/// Why a load ended early.
enum Stopped {
    ByBody(Fault),
    Lost(Lost),
}

/// Waits for the statement as long as something moves.
async fn watch(
    statement: impl Future<Output = mysql_async::Result<()>>,
    progress: &Progress,
    read: Duration,
) -> Result<(), Stopped> {
    tokio::pin!(statement);
    loop {
        // Who is waited for can change in between, so it is looked at as often as the shorter limit asks.
        let look_again = progress.deadline(read).0.min(Instant::now() + read);
        tokio::select! {
            biased;
            () = progress.failed.notified() => {
                if let Some(fault) = progress.state().fault.take() {
                    return Err(Stopped::ByBody(fault));
                }
            }
            done = &mut statement => return done.map_err(|error| Stopped::Lost(Lost::Driver(error))),
            () = tokio::time::sleep_until(look_again) => {
                let (deadline, limit) = progress.deadline(read);
                if Instant::now() >= deadline {
                    return Err(Stopped::Lost(Lost::TimedOut(limit)));
                }
            }
        }
    }
}
