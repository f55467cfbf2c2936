//! The connection that holds cuts, from one to the next. A cut is closed behind the back of whoever read it: on a far source
//! the answer to its COMMIT takes as long as a cut itself, and nothing waits for it but the next use of the connection.

use std::ops::{Deref, DerefMut};

use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::Side;
use tokio::task::JoinHandle;

use crate::session::Session;
use crate::wire;

const DOING: &str = "close the cut";

/// A connection that is free, or at work on closing its last cut.
pub(super) struct Held {
    thread_id: u64,
    state: State,
}

enum State {
    Free(Box<Session>),
    /// Ends by itself within the read time-out.
    Closing(JoinHandle<Result<Box<Session>, Fault>>),
    /// Its last cut could not be closed, which was told once; another connection is to be made.
    Lost,
}

impl Held {
    pub fn new(session: Session) -> Held {
        Held { thread_id: session.thread_id(), state: State::Free(Box::new(session)) }
    }

    /// Returns the server's number of the connection.
    pub fn thread_id(&self) -> u64 {
        self.thread_id
    }

    /// Hands the connection out once its last cut is closed.
    ///
    /// # Errors
    /// What kept that cut from being closed.
    pub async fn free(&mut self) -> Result<Open<'_>, Fault> {
        // Taken back only when it has ended: a caller that is cancelled while it waits leaves it as it is.
        if let State::Closing(closing) = &mut self.state {
            let closed = closing.await;
            self.state = State::Lost;
            let closed =
                closed.map_err(|error| Fault::new(FaultKind::Unexpected, DOING).on(Side::Source).because(error))?;
            self.state = State::Free(closed?);
        }
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Free(session) => Ok(Open { held: self, session: Some(session) }),
            _ => Err(Fault::new(FaultKind::Unreachable, DOING).on(Side::Source)),
        }
    }
}

/// The connection in the hands of one cut. Dropped, it goes back as it is: the next cut ends what this one began.
pub(super) struct Open<'s> {
    held: &'s mut Held,
    /// Here until it goes back.
    session: Option<Box<Session>>,
}

const HERE: &str = "the connection goes back when this is dropped";

impl Open<'_> {
    /// Begins to end the read view, and with it the locks that keep its tables' definitions.
    pub fn close(mut self) {
        if let Some(session) = self.session.take() {
            self.held.state = State::Closing(tokio::spawn(closed(session)));
        }
    }
}

impl Deref for Open<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().expect(HERE)
    }
}

impl DerefMut for Open<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        self.session.as_mut().expect(HERE)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.held.state = State::Free(session);
        }
    }
}

async fn closed(mut session: Box<Session>) -> Result<Box<Session>, Fault> {
    match session.is_count_due() {
        true => {
            let sets = session.sets(DOING, format!("COMMIT;{}", wire::QUERY)).await?;
            session.count(sets.iter().flatten());
        }
        false => session.run(DOING, "COMMIT").await.map(|_| ())?,
    }
    Ok(session)
}
