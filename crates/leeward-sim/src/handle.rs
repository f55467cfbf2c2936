//! A process's hold on the world. Ports reach the world through it alone, so that each call is a moment at which the world
//! goes on and the process may end.

use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use leeward_core::fault::{Fault, FaultKind};

use crate::random::{Random, Stream};
use crate::world::{Frailty, Halt, Then, World};

/// One process's hold on the world.
#[derive(Clone)]
pub(crate) struct Handle {
    world: Arc<Mutex<World>>,
    /// The number of the process.
    pub process: u32,
}

impl Handle {
    /// Makes the hold of a process.
    pub(crate) fn new(world: Arc<Mutex<World>>, process: u32) -> Handle {
        Handle { world, process }
    }

    /// Returns the world. Not to be held while anything is waited for.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the world go on before a call is answered.
    pub(crate) async fn call(&self, call: &'static str, frailty: Frailty) -> Result<(), Fault> {
        let then = self.world().moment(self.process, call, frailty);
        match then {
            Then::Go => Ok(()),
            Then::Fail(kind) => Err(Fault::new(kind, call)),
            Then::Stand => {
                self.stand().await;
                Ok(())
            }
        }
    }

    /// Lets the world go on inside of a call.
    pub(crate) async fn pass(&self) {
        let then = self.world().moment(self.process, "", Frailty::None);
        if let Then::Stand = then {
            self.stand().await;
        }
    }

    /// Stands still: for ever after a crash or at the end of a schedule, else until the process is woken.
    async fn stand(&self) {
        poll_fn(|_| {
            let world = self.world();
            let halted = world.halts.iter().any(|(of, halt)| *of == self.process && *halt == Halt::Stopped);
            if halted { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        let over = {
            let world = self.world();
            world.broken_promise.is_some() || world.halts.iter().any(|(of, _)| *of == self.process)
        };
        if over {
            pending::<()>().await;
        }
    }

    /// Draws random numbers for the answer of the call under way.
    pub(crate) fn draw(&self, salt: u32) -> Random {
        let world = self.world();
        Random::new(world.order.seed, Stream::Call, u64::from(world.moments()) << 8 | u64::from(salt))
    }

    /// Tells something, if anybody listens.
    pub(crate) fn note(&self, text: impl FnOnce() -> String) {
        let process = self.process;
        self.world().note(|| format!("Leeward {process}: {}", text()));
    }

    /// Returns a fault that no engine should ever see from the model.
    pub(crate) fn unexpected(doing: &str) -> Fault {
        Fault::new(FaultKind::Unexpected, doing)
    }
}
