//! Lets go of a connection at once, without a word and without reading what the server still sends.
//!
//! The driver's `Drop` hands a connection that looks usable to a task which first reads every pending result to its
//! end (70 s in a trial, T43). It finds the runtime for that task by thread-local context. So the drop is made to
//! happen in the context of a runtime that nobody drives: the task is never polled, and it is dropped with its socket
//! when that runtime is.

use mysql_async::Conn;
use tokio::runtime::Builder;

/// Closes the socket now. The server notices when it next writes; a statement that computes goes on until it is killed.
pub(super) fn close_at_once(conn: Conn) {
    // A connection in the middle of a command is closed by the driver in the same way.
    if conn.is_disconnected() {
        return;
    }
    // No threads, timers or sockets: it takes a few allocations. Where even these fail, the driver's way must do.
    let Ok(graveyard) = Builder::new_current_thread().build() else { return };
    {
        let _context = graveyard.enter();
        drop(conn);
    }
    graveyard.shutdown_background();
}
