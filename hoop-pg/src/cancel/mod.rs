//! Cancel requests: who may stop what, by keys of our own that cannot be guessed.
//!
//! A client is told its server process's id, as `pg_backend_pid()` and notifications name it, and a key that the gateway
//! made up; the server's own key never leaves it. Among several instances the id is made up too, and says which of them
//! has the session. A request that names both reaches the session's relay while that holds a command for approval, and the server otherwise.

mod instances;
mod requests;
mod seal;
mod turns;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use subtle::ConstantTimeEq as _;
use tokio::sync::Notify;

pub(crate) use self::instances::{Instances, Route};
pub(crate) use self::requests::CancelDesk;
pub(crate) use self::turns::Turns;

/// The length of a key of protocol 3.0, in bytes.
pub const KEY_LENGTH: usize = 4;

/// What a client must show to cancel what its session runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelKey {
    /// The process id that the client was told.
    pub process: i32,
    /// The secret that goes with it: four bytes, and up to 256 since protocol 3.2.
    pub secret: Bytes,
}

/// The sessions that can be cancelled, by process id (servers may use the same ones), each with what is needed to reach its server. Cheap to clone.
#[derive(Debug)]
pub struct Cancellations<T>(Arc<Mutex<HashMap<i32, Vec<Session<T>>>>>);

#[derive(Debug)]
struct Session<T> {
    secret: Bytes,
    signal: CancelSignal,
    target: T,
}

/// A session's place among those that can be cancelled; dropping it gives the place up.
#[derive(Debug)]
pub struct Registration<T> {
    key: CancelKey,
    target: T,
    signal: CancelSignal,
    among: Cancellations<T>,
}

/// What becomes of a cancel request.
#[derive(Debug, PartialEq, Eq)]
pub enum Cancelled<T> {
    /// No session bears that process id and key.
    Nobody,
    /// The session held a command for approval, and withdraws it.
    Withdrawn,
    /// The session's server is to be told.
    AtServer(T),
}

impl<T: Clone> Cancellations<T> {
    /// Remembers by which key a session is cancelled, and where its server is reached.
    #[must_use]
    pub fn register(&self, key: CancelKey, target: T) -> Registration<T> {
        let signal = CancelSignal::default();
        let session = Session { secret: key.secret.clone(), signal: signal.clone(), target: target.clone() };
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.entry(key.process).or_default().push(session);
        drop(sessions);
        Registration { key, target, signal, among: self.clone() }
    }

    /// Judges a cancel request. How long it takes tells nothing about the key.
    #[must_use]
    pub fn request(&self, process: i32, secret: &[u8]) -> Cancelled<T> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_process = sessions.get(&process).into_iter().flatten();
        of_process.find(|session| bool::from(session.secret.ct_eq(secret))).map_or(Cancelled::Nobody, Session::deliver)
    }
}

/// A key of protocol 3.0.
fn short_key() -> Bytes {
    Bytes::copy_from_slice(&rand::random::<[u8; KEY_LENGTH]>())
}

impl<T: Clone> Session<T> {
    fn deliver(&self) -> Cancelled<T> {
        if self.signal.raise() { Cancelled::Withdrawn } else { Cancelled::AtServer(self.target.clone()) }
    }
}

impl<T> Registration<T> {
    /// What the client is told.
    #[must_use]
    pub fn key(&self) -> &CancelKey {
        &self.key
    }

    /// Where the session's server is reached.
    #[must_use]
    pub fn target(&self) -> &T {
        &self.target
    }

    /// What the session's relay listens to.
    #[must_use]
    pub fn signal(&self) -> CancelSignal {
        self.signal.clone()
    }
}

impl<T> Drop for Registration<T> {
    fn drop(&mut self) {
        let mut sessions = self.among.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut of_process) = sessions.entry(self.key.process) {
            of_process.get_mut().retain(|session| session.secret != self.key.secret);
            if of_process.get().is_empty() {
                of_process.remove();
            }
        }
    }
}

impl<T> Clone for Cancellations<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Cancellations<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// Tells a session's relay that the client asked to cancel while a command waits for approval.
///
/// Nothing is on its way to the server for that command then, so the server is not told. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CancelSignal(Arc<Mutex<Option<Arc<Notify>>>>);

impl CancelSignal {
    /// From now until the returned value is dropped, a cancel request ends the wait and does not reach the server.
    ///
    /// A session holds one command at a time: a second wait takes the place of the first.
    #[must_use]
    pub fn wait(&self) -> CancelWait {
        let raised = Arc::new(Notify::new());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&raised));
        CancelWait { raised, signal: self.clone() }
    }

    /// Ends the wait, if there is one.
    fn raise(&self) -> bool {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.as_deref().map(Notify::notify_one).is_some()
    }
}

/// A wait that a cancel request ends.
#[derive(Debug)]
pub struct CancelWait {
    raised: Arc<Notify>,
    signal: CancelSignal,
}

impl CancelWait {
    /// Returns when the client asked to cancel; at once where it already has.
    pub async fn requested(&self) {
        self.raised.notified().await;
    }
}

impl Drop for CancelWait {
    fn drop(&mut self) {
        let mut waiting = self.signal.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.take_if(|other| Arc::ptr_eq(other, &self.raised));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(process: i32) -> CancelKey {
        CancelKey { process, secret: short_key() }
    }

    fn wrong(secret: &[u8]) -> Vec<u8> {
        secret.iter().map(|byte| !byte).collect()
    }

    #[test]
    fn only_the_right_key_reaches_the_server() {
        let sessions = Cancellations::default();
        let session = sessions.register(key(7), "server");
        let key = session.key();

        assert_eq!(sessions.request(key.process, &key.secret), Cancelled::AtServer("server"));
        assert_eq!(sessions.request(key.process, &wrong(&key.secret)), Cancelled::Nobody);
        assert_eq!(sessions.request(key.process, &key.secret[..3]), Cancelled::Nobody);
        assert_eq!(sessions.request(key.process, &[]), Cancelled::Nobody);
        assert_eq!(sessions.request(key.process ^ 1, &key.secret), Cancelled::Nobody);
    }

    #[test]
    fn a_session_that_ended_cannot_be_cancelled() {
        let sessions = Cancellations::default();
        let session = sessions.register(key(7), "server");
        let key = session.key().clone();
        drop(session);
        assert_eq!(sessions.request(key.process, &key.secret), Cancelled::Nobody);
    }

    #[test]
    fn processes_of_two_servers_may_have_one_id() {
        let sessions = Cancellations::default();
        let (one, other) = (sessions.register(key(7), "one"), sessions.register(key(7), "other"));
        assert_eq!(sessions.request(7, &one.key().secret), Cancelled::AtServer("one"));
        assert_eq!(sessions.request(7, &other.key().secret), Cancelled::AtServer("other"));
        let gone = one.key().clone();
        drop(one);
        assert_eq!(sessions.request(7, &gone.secret), Cancelled::Nobody);
        assert_eq!(sessions.request(7, &other.key().secret), Cancelled::AtServer("other"));
    }

    #[tokio::test]
    async fn a_wait_takes_the_request_in_place_of_the_server() {
        let sessions = Cancellations::default();
        let session = sessions.register(key(7), "server");
        let key = session.key();

        let wait = session.signal().wait();
        assert_eq!(sessions.request(key.process, &key.secret), Cancelled::Withdrawn);
        wait.requested().await;

        drop(wait);
        assert_eq!(sessions.request(key.process, &key.secret), Cancelled::AtServer("server"));
    }

    #[test]
    fn a_wait_that_ended_does_not_end_the_next() {
        let signal = CancelSignal::default();
        let first = signal.wait();
        let second = signal.wait();
        drop(first);
        assert!(signal.raise());
        drop(second);
        assert!(!signal.raise());
    }
}
