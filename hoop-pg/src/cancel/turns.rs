//! Turns of clients' requests to cancel what one connection runs: nobody's take the places of all others.

use tokio::sync::{Mutex, MutexGuard, Semaphore};

/// One request is on its way, and one more waits: it is sent after all that came meanwhile, and does for them.
#[derive(Debug)]
pub(crate) struct Turns {
    waiting: Semaphore,
    sending: Mutex<()>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { waiting: Semaphore::new(1), sending: Mutex::default() }
    }
}

impl Turns {
    /// A turn, as long as it is kept; `None` where another one waits for its own.
    pub(crate) async fn take(&self) -> Option<MutexGuard<'_, ()>> {
        let _waits = self.waiting.try_acquire().ok()?;
        Some(self.sending.lock().await)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn one_is_sent_and_one_waits() {
        let turns = Turns::default();
        let first = turns.take().await;
        assert!(first.is_some());
        let mut second = pin!(turns.take());
        assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        for _ in 0..3 {
            assert!(turns.take().await.is_none());
        }
        drop(first);
        let Poll::Ready(Some(_second)) = second.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("it is its turn");
        };
        let mut third = pin!(turns.take());
        assert!(third.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "it may wait again");
    }
}
