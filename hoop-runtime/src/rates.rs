//! Counts permitted commands, for all sessions of a gateway together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hoopcore::limit::{Charge, RateCounter};
use hoopcore::{Identity, Timestamp};

/// How far back is counted, in seconds.
const SPAN: usize = 60;

/// With this many windows, those in which nothing is counted any more are dropped before a new one is opened.
const CROWD: usize = 4096;

/// Counts permitted commands by caller and rule.
///
/// Seconds are counted whole, by a clock that nobody sets: never more than `per_minute` commands pass within any sixty
/// seconds, and a command counts for up to one second longer than that.
#[derive(Debug)]
pub struct Rates {
    windows: Mutex<Windows>,
    /// When the counting began.
    begun: Instant,
}

impl Default for Rates {
    fn default() -> Self {
        Self { windows: Mutex::default(), begun: Instant::now() }
    }
}

#[derive(Debug, Default)]
struct Windows {
    open: HashMap<Key, Window>,
    /// The second in which those that count nothing were dropped last.
    swept: i64,
}

/// Who is counted, and for which rule. A name is unique within its issuer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    issuer: Option<String>,
    user: String,
    rule: String,
}

/// The commands of the last seconds: the one at hand, and the sixty before it.
#[derive(Clone, Debug)]
struct Window {
    counts: [u32; SPAN + 1],
    /// The second at hand, since the counting began.
    second: i64,
}

impl RateCounter for Rates {
    fn charge(&self, charges: &[Charge<'_>], _: Timestamp) -> Result<(), usize> {
        self.charge_in(charges, i64::try_from(self.begun.elapsed().as_secs()).unwrap_or(i64::MAX))
    }
}

impl Rates {
    /// Charges in this second.
    fn charge_in(&self, charges: &[Charge<'_>], second: i64) -> Result<(), usize> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<Key> = charges.iter().map(|charge| Key::new(charge.who, charge.rule)).collect();
        for (place, (key, charge)) in keys.iter().zip(charges).enumerate() {
            let full = windows.open.get_mut(key).is_some_and(|window| window.at(second).sum() >= charge.per_minute);
            if full || charge.per_minute == 0 {
                return Err(place);
            }
        }
        if windows.open.len() >= CROWD && keys.iter().any(|key| !windows.open.contains_key(key)) {
            windows.sweep(second);
        }
        for key in keys {
            windows.open.entry(key).or_insert_with(|| Window::new(second)).add();
        }
        Ok(())
    }
}

impl Windows {
    /// Drops the windows that count nothing any more, at most once a second.
    fn sweep(&mut self, second: i64) {
        if std::mem::replace(&mut self.swept, second) != second {
            self.open.retain(|_, window| window.at(second).sum() > 0);
        }
    }
}

impl Key {
    fn new(who: &Identity, rule: &str) -> Self {
        Self { issuer: who.issuer.clone(), user: who.user.clone(), rule: rule.to_owned() }
    }
}

impl Window {
    fn new(second: i64) -> Self {
        Self { counts: [0; SPAN + 1], second }
    }

    /// Moves on to this second. A clock that was set back stands still until it has caught up.
    fn at(&mut self, second: i64) -> &mut Self {
        let passed = usize::try_from(second - self.second).unwrap_or(0);
        if passed > 0 {
            let kept = passed.min(SPAN + 1);
            self.counts.rotate_right(kept);
            self.counts.iter_mut().take(kept).for_each(|count| *count = 0);
            self.second = second;
        }
        self
    }

    fn sum(&self) -> u32 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn add(&mut self) {
        if let Some(count) = self.counts.first_mut() {
            *count = count.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    /// Charges in turn, each as `second name rule per_minute`, several of one moment joined by `+`; shows which pass.
    fn check(charges: &[&str], expected: &str) {
        let rates = Rates::default();
        let passes = |moment: &&str| {
            let parts: Vec<Vec<&str>> = moment.split('+').map(|part| part.split(' ').collect()).collect();
            let who: Vec<Identity> = parts.iter().map(|part| Identity::named(part[1])).collect();
            let charge = |(part, who)| {
                let part: &Vec<&str> = part;
                Charge { who, rule: part[2], per_minute: part[3].parse().unwrap() }
            };
            let charges: Vec<Charge<'_>> = parts.iter().zip(&who).map(charge).collect();
            rates.charge_in(&charges, 1_000_000 + parts[0][0].parse::<i64>().unwrap())
        };
        let word = |passed: Result<(), usize>| passed.map_or_else(|at| at.to_string(), |()| "+".into());
        assert_eq!(charges.iter().map(passes).map(word).collect::<String>(), expected, "{charges:?}");
    }

    #[test]
    fn no_sixty_seconds_hold_more_than_the_rule_permits() {
        check(&["0 u r 2", "30 u r 2", "59 u r 2", "60 u r 2", "61 u r 2", "62 u r 2"], "++00+0");
        check(&["0 u r 1", "0 u s 1", "0 v r 1", "0 u r 1"], "+++0");
        check(&["0 u r 1", "-5 u r 1", "200 u r 1", "100 u r 1", "261 u r 1"], "+0+0+");
        check(&["0 u r 3", "9 u r 3", "9 u r 3", "60 u r 3", "61 u r 3", "62 u r 3", "70 u r 3"], "+++0+0+");
    }

    #[test]
    fn a_clock_that_is_set_changes_nothing() {
        let (rates, who) = (Rates::default(), Identity::named("u"));
        let charge = |hour: i64| {
            let now = Timestamp::from_second(1_000_000 + 3600 * hour).unwrap();
            rates.charge(&[Charge { who: &who, rule: "r", per_minute: 2 }], now)
        };
        assert_eq!([charge(0), charge(-9), charge(0), charge(9)], [Ok(()), Ok(()), Err(0), Err(0)]);
    }

    #[test]
    fn a_command_counts_for_all_of_its_rules_or_for_none() {
        check(&["0 u r 1+0 u s 2", "0 u s 2+0 u r 1", "0 u s 2", "0 u s 2"], "+1+0");
    }

    #[test]
    fn what_is_no_longer_counted_is_forgotten() {
        let rates = Rates::default();
        for number in 0..3 * CROWD {
            let who = Identity::named(format!("u{number}"));
            let second = i64::try_from(number).unwrap();
            assert_eq!(rates.charge_in(&[Charge { who: &who, rule: "r", per_minute: 1 }], second), Ok(()));
        }
        assert!(rates.windows.lock().unwrap().open.len() <= CROWD);
    }

    #[test]
    fn a_crowd_is_looked_through_for_a_newcomer_once_a_second() {
        let rates = Rates::default();
        let charge = |name: &str, second| {
            let who = Identity::named(name);
            rates.charge_in(&[Charge { who: &who, rule: "r", per_minute: 9 }], second).unwrap();
            let windows = rates.windows.lock().unwrap();
            (windows.open.len(), windows.swept)
        };
        for number in 0..CROWD {
            charge(&format!("u{number}"), 100);
        }
        assert_eq!(charge("u0", 150), (CROWD, 0));
        assert_eq!(charge("new", 150), (CROWD + 1, 150));
        assert_eq!(charge("newer", 150), (CROWD + 2, 150));
        assert_eq!(charge("u0", 161), (CROWD + 2, 150));
        assert_eq!(charge("newest", 161), (4, 161));
    }

    #[test]
    fn sessions_that_ask_at_once_share_one_rate() {
        let rates = Arc::new(Rates::default());
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let rates = Arc::clone(&rates);
                thread::spawn(move || {
                    let (who, now) = (Identity::named("u"), Timestamp::from_second(9).unwrap());
                    let charge = || rates.charge(&[Charge { who: &who, rule: "r", per_minute: 100 }], now).is_ok();
                    (0..50).filter(|_| charge()).count()
                })
            })
            .collect();
        let passed: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(passed, 100);
    }
}
