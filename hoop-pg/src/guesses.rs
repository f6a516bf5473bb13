//! How often somebody may come with what turns out to be nothing: wrong cancel requests, logins that show nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::sources::counted;

/// So many are taken at once. Clients send some cancel requests by themselves, for queries that have just ended.
const BURST: u32 = 20;
/// How long until another one is taken.
const ANOTHER_AFTER: Duration = Duration::from_millis(500);
/// So many sources are told apart; all others count as one.
const MOST_SOURCES: usize = 4096;

/// Counts what turned out to be nothing by where it came from.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<HashMap<Option<IpAddr>, Spent>>);

/// Until when a source has nothing to answer for: each time moves it on.
#[derive(Clone, Copy, Debug)]
struct Spent(Instant);

impl Guesses {
    /// Whether what comes from there is looked at.
    pub(crate) fn allow(&self, source: Option<IpAddr>, now: Instant) -> bool {
        let sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spent =
            sources.get(&source.map(counted)).or_else(|| crowded(&sources).then(|| sources.get(&None)).flatten());
        spent.is_none_or(|spent| spent.0.saturating_duration_since(now) < ANOTHER_AFTER * BURST)
    }

    /// What came from there was nothing.
    pub(crate) fn wrong(&self, source: Option<IpAddr>, now: Instant) {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut source = source.map(counted);
        if crowded(&sources) && !sources.contains_key(&source) {
            sources.retain(|_, spent| spent.0 > now);
            source = if crowded(&sources) { None } else { source };
        }
        let spent = sources.entry(source).or_insert(Spent(now));
        spent.0 = spent.0.max(now) + ANOTHER_AFTER;
    }
}

fn crowded(sources: &HashMap<Option<IpAddr>, Spent>) -> bool {
    sources.len() >= MOST_SOURCES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn wrong_requests_are_few_for_each_source() {
        let (guesses, start) = (Guesses::default(), Instant::now());
        for _ in 0..BURST {
            assert!(guesses.allow(source("10.0.0.1"), start));
            guesses.wrong(source("10.0.0.1"), start);
        }
        assert!(!guesses.allow(source("10.0.0.1"), start));
        assert!(!guesses.allow(source("::ffff:10.0.0.1"), start));
        assert!(guesses.allow(source("10.0.0.2"), start));
        assert!(guesses.allow(None, start));
        assert!(guesses.allow(source("10.0.0.1"), start + ANOTHER_AFTER));
        guesses.wrong(source("10.0.0.1"), start + ANOTHER_AFTER);
        assert!(!guesses.allow(source("10.0.0.1"), start + ANOTHER_AFTER));
    }

    #[test]
    fn a_network_is_one_source() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for host in 0..BURST {
            guesses.wrong(source(&format!("2001:db8::{host:x}")), now);
        }
        assert!(!guesses.allow(source("2001:db8::ffff:1"), now));
        assert!(guesses.allow(source("2001:db8:0:1::1"), now));
    }

    #[test]
    fn memory_is_bounded() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for host in 0..10_000u32 {
            guesses.wrong(Some(IpAddr::V4(host.into())), now);
        }
        assert!(guesses.0.lock().unwrap().len() <= MOST_SOURCES + 1);
        assert!(!guesses.allow(source("203.0.113.1"), now), "one of too many");
        let later = now + ANOTHER_AFTER * 10_000;
        guesses.wrong(source("203.0.113.1"), later);
        assert!(guesses.0.lock().unwrap().len() < 10);
    }
}
