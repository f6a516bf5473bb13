//! Word that the gateway is about to stop: sessions end when they are idle, and at the latest when patience does.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Tells all sessions of a gateway to end.
#[derive(Debug)]
pub struct Drainer(watch::Sender<Option<Instant>>);

/// The word as a session hears it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Drain(watch::Receiver<Option<Instant>>);

impl Default for Drainer {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Drainer {
    /// What sessions listen to.
    #[must_use]
    pub fn listen(&self) -> Drain {
        Drain(self.0.subscribe())
    }

    /// Asks all sessions to end by then.
    pub fn begin(&self, until: Instant) {
        self.0.send_replace(Some(until));
    }
}

impl Drain {
    /// Returns when the gateway is about to stop, at once where it already is: with the moment when what still runs is
    /// cut off. A session that is idle tells its client (57P01) and ends.
    pub async fn begun(&mut self) -> Instant {
        match self.0.wait_for(Option::is_some).await.map(|until| *until) {
            Ok(Some(until)) => until,
            // The gateway is gone without a word.
            Ok(None) | Err(_) => Instant::now(),
        }
    }

    /// Returns when what still runs is cut off.
    pub async fn over(&mut self) {
        let until = self.begun().await;
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_word_reaches_whoever_listens_before_or_after() {
        let drainer = Drainer::default();
        let mut early = drainer.listen();
        let until = Instant::now();
        drainer.begin(until);
        assert_eq!(early.begun().await, until);
        early.over().await;
        assert_eq!(drainer.listen().begun().await, until);
        drop(drainer);
        early.begun().await;
    }
}
