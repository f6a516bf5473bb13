//! What many sessions were told alike is read and kept once; the last reading also while nobody holds it, for sessions that
//! come one after another.
//!
//! Every session asks its own server, on its own connection, and as often as ever: what is shared is the reading of an
//! answer, by the digest of the question and of each of its bytes. So nothing here can be out of date, and whatever
//! differs between two sessions (temporary objects, definitions in a transaction that is open) keeps them apart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

use super::load::Table;

/// Names a reading by what was asked and what was answered.
pub(super) type Key = [u8; SHA256_OUTPUT_LEN];

/// Readings that somebody still holds, and the last one.
#[derive(Debug)]
pub(super) struct Pool<T>(Mutex<Readings<T>>);

#[derive(Debug)]
struct Readings<T> {
    known: BTreeMap<Key, Weak<T>>,
    last: Option<Arc<T>>,
}

impl<T> Pool<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Readings { known: BTreeMap::new(), last: None }))
    }

    /// The reading of these answers: the one that another session holds, or a new one.
    pub(super) fn share<E>(&self, key: Key, read: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        if let Some(known) = self.held(&key) {
            return Ok(known);
        }
        let fresh = Arc::new(read()?);
        let mut readings = self.lock();
        readings.last = Some(Arc::clone(&fresh));
        readings.known.retain(|_, reading| reading.strong_count() > 0);
        readings.known.insert(key, Arc::downgrade(&fresh));
        Ok(fresh)
    }

    fn held(&self, key: &Key) -> Option<Arc<T>> {
        self.lock().known.get(key)?.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, Readings<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of what these answers say about a question.
pub(super) fn key<'a>(question: &'a str, answers: impl IntoIterator<Item = &'a Table>) -> Key {
    let mut digest = Context::new(&SHA256);
    let parts = answers.into_iter().map(Table::bytes);
    for part in [question.as_bytes()].into_iter().chain(parts) {
        digest.update(&part.len().to_be_bytes());
        digest.update(part);
    }
    let mut key = Key::default();
    key.copy_from_slice(digest.finish().as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(pool: &Pool<String>, question: &str, answers: &[&[&[u8]]], fresh: &str) -> Arc<String> {
        let tables: Vec<Table> = answers.iter().map(|rows| Table::of(rows)).collect();
        pool.share(key(question, &tables), || Ok::<_, ()>(fresh.to_owned())).unwrap()
    }

    #[test]
    fn only_the_same_answers_to_the_same_question_are_read_once() {
        let pool = Pool::new();
        let first = share(&pool, "q", &[&[b"a"], &[b"b"]], "first");
        let check = |question: &str, answers: &[&[&[u8]]], expected: &str| {
            assert_eq!(*share(&pool, question, answers, "anew"), expected, "{question} {answers:?}");
        };
        check("q", &[&[b"a"], &[b"b"]], "first");
        check("p", &[&[b"a"], &[b"b"]], "anew");
        check("q", &[&[b"b"], &[b"a"]], "anew");
        check("q", &[&[b"a", b"b"], &[]], "anew");
        check("q", &[&[b"a"], &[b"b"], &[]], "anew");
        check("q", &[&[b"ab"]], "anew");
        drop(first);
        check("q", &[&[b"a"], &[b"b"]], "anew");
    }

    #[test]
    fn the_last_reading_is_kept_for_who_comes_next() {
        let pool = Pool::new();
        let check = |question: &str, fresh: &str, expected: &str| {
            assert_eq!(*share(&pool, question, &[], fresh), expected, "{question}");
        };
        check("q", "first", "first");
        check("q", "second", "first");
        check("p", "third", "third");
        check("q", "fourth", "fourth");
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let pool = Pool::new();
        for row in 0..100_u8 {
            share(&pool, "q", &[&[&[row]]], "gone");
        }
        assert!(pool.lock().known.len() <= 1);
    }
}
