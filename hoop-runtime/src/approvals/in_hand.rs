//! A held command while an answer to it is recorded, or while it is judged again: it is never left without an end.

use hoopcore::{Denial, PendingApproval};

use super::registry::Registry;

/// A held command that is out of the registry. Where its bearer is dropped in between, it goes on waiting as before; where
/// it was resumed by then, which cannot be undone, it is refused.
pub(super) struct InHand<'a> {
    registry: &'a Registry,
    id: &'a str,
    state: State,
}

enum State {
    Waiting(Box<PendingApproval>),
    Resumed,
    Settled,
}

impl<'a> InHand<'a> {
    pub(super) fn new(registry: &'a Registry, id: &'a str, pending: PendingApproval) -> Self {
        Self { registry, id, state: State::Waiting(Box::new(pending)) }
    }

    /// Takes it out to be resumed.
    pub(super) fn resume(&mut self) -> Option<PendingApproval> {
        match std::mem::replace(&mut self.state, State::Resumed) {
            State::Waiting(pending) => Some(*pending),
            State::Resumed | State::Settled => None,
        }
    }

    /// What it came to is known.
    pub(super) fn settle(mut self) {
        self.state = State::Settled;
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Settled) {
            State::Waiting(pending) => {
                let _caller = self.registry.requeue(self.id, *pending, None);
            }
            State::Resumed => {
                let denial = Denial::internal("the command was not judged to the end; try again");
                let _caller = self.registry.finish(self.id, Err(denial));
            }
            State::Settled => {}
        }
    }
}
