//! How much may come back under one permit, and how often a caller may ask: the words of `limits:`.
//!
//! A [`Meter`] belongs to a permit and counts what comes back. A [`RateCounter`] is shared by all sessions of a service and
//! is charged once for each command, before it is permitted.

use alloc::format;
use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use jiff::Timestamp;

use crate::decision::{Denial, RuleRef};
use crate::identity::Identity;

/// What a rule can limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Rows of an answer.
    Rows,
    /// Bytes of an answer, as they go to the caller.
    Bytes,
    /// Seconds for which a command runs.
    Seconds,
    /// Commands that are permitted within a minute.
    PerMinute,
}

/// The most that a rule lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is limited.
    pub kind: LimitKind,
    /// How much is let through.
    pub most: u64,
    /// The rule.
    pub rule: RuleRef,
}

/// The smallest limits of all allows that may reach a command. Those of `per_minute` are charged before a permit exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Rows of the whole answer.
    pub rows: Option<Limit>,
    /// Bytes of the whole answer.
    pub bytes: Option<Limit>,
    /// Seconds for which the command runs in all.
    pub seconds: Option<Limit>,
}

/// Counts what comes back under one permit. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    /// Nothing counts what nothing limits.
    limited: Option<Arc<Limited>>,
}

#[derive(Debug)]
struct Limited {
    limits: Limits,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    rows: AtomicU64,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

/// Counts permitted commands. One counter is shared by all sessions that a rate holds for together.
pub trait RateCounter: fmt::Debug + Send + Sync {
    /// Charges each of the charges once, if all of them have room, in one step that no other charge comes between. `now` is the
    /// time of the call; a counter that has a clock which nobody sets goes by that.
    ///
    /// # Errors
    /// The place of the first that has no room; then nothing was charged.
    fn charge(&self, charges: &[Charge<'_>], now: Timestamp) -> Result<(), usize>;
}

/// One command of a caller, to be counted against one rule.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    /// Who calls: the name is unique within its issuer.
    pub who: &'a Identity,
    /// The rule's name.
    pub rule: &'a str,
    /// How many commands the rule permits within any sixty seconds.
    pub per_minute: u32,
}

/// What counts the commands that a rule permits per minute.
#[derive(Clone, Copy, Debug, Default)]
pub enum Rates<'a> {
    /// Nothing does: a command that a rule with `per_minute` may reach is refused.
    #[default]
    Uncounted,
    /// This counter. The bare verdict does not charge it.
    Counted(&'a dyn RateCounter),
    /// The command is judged as if it were the first: to explain and to test a policy, and for what was counted before.
    Ignored,
}

impl LimitKind {
    /// The word of the policy language.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::PerMinute => "per_minute",
        }
    }
}

impl Limit {
    /// The refusal of what goes beyond.
    #[must_use]
    pub fn denial(&self) -> Denial {
        let reason = match self.kind {
            LimitKind::Rows => format!("the answer has more than {} rows", self.most),
            LimitKind::Bytes => format!("the answer has more than {} bytes", self.most),
            LimitKind::Seconds => format!("the command ran for more than {} seconds", self.most),
            LimitKind::PerMinute => format!("more than {} commands within a minute; try again later", self.most),
        };
        Denial { rule: self.rule.clone(), reason: reason.into(), limit: Some(self.kind) }
    }
}

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_none() && self.bytes.is_none() && self.seconds.is_none()
    }

    /// Each of the limits, in the order of the language's reference.
    pub fn iter(&self) -> impl Iterator<Item = &Limit> {
        [&self.rows, &self.bytes, &self.seconds].into_iter().flatten()
    }

    /// Takes one more into account: the smallest of each kind holds, and of equal ones the first rule by name.
    pub(crate) fn add(&mut self, limit: Limit) {
        let known = match limit.kind {
            LimitKind::Rows => &mut self.rows,
            LimitKind::Bytes => &mut self.bytes,
            LimitKind::Seconds => &mut self.seconds,
            LimitKind::PerMinute => return,
        };
        let is_smaller = |known: &Limit| (limit.most, &limit.rule.name) < (known.most, &known.rule.name);
        if known.as_ref().is_none_or(is_smaller) {
            *known = Some(limit);
        }
    }
}

impl Meter {
    /// A meter that has counted nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        if limits.is_empty() {
            return Self::default();
        }
        Self { limited: Some(Arc::new(Limited { limits, counters: Counters::default() })) }
    }

    /// What it lets through.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        static NONE: Limits = Limits { rows: None, bytes: None, seconds: None };
        self.limited.as_ref().map_or(&NONE, |limited| &limited.limits)
    }

    /// Whether it lets everything through.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.limited.is_none()
    }

    /// Whether both count together.
    #[must_use]
    pub fn counts_with(&self, other: &Self) -> bool {
        match (&self.limited, &other.limited) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, _) | (_, None) => false,
        }
    }

    /// Counts a row of so many bytes before it goes on.
    ///
    /// # Errors
    /// The limit that it goes beyond: then it must not go on, and nothing after it either.
    pub fn row(&self, bytes: u64) -> Result<(), &Limit> {
        let Some(Limited { limits, counters }) = self.limited.as_deref() else { return Ok(()) };
        charge(&limits.rows, &counters.rows, 1)?;
        charge(&limits.bytes, &counters.bytes, bytes)
    }

    /// Counts bytes that are no row, before they go on.
    ///
    /// # Errors
    /// As [`Meter::row`].
    pub fn bytes(&self, bytes: u64) -> Result<(), &Limit> {
        let Some(Limited { limits, counters }) = self.limited.as_deref() else { return Ok(()) };
        charge(&limits.bytes, &counters.bytes, bytes)
    }

    /// Counts time for which the command ran.
    ///
    /// # Errors
    /// As [`Meter::row`].
    pub fn ran(&self, time: Duration) -> Result<(), &Limit> {
        let Some(Limited { limits, counters }) = self.limited.as_deref() else { return Ok(()) };
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let all = Duration::from_nanos(count(&counters.nanoseconds, nanoseconds));
        match &limits.seconds {
            Some(limit) if all >= Duration::from_secs(limit.most) => Err(limit),
            Some(_) | None => Ok(()),
        }
    }

    /// For how much longer the command may run, where that is limited.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let Limited { limits, counters } = self.limited.as_deref()?;
        let ran = Duration::from_nanos(counters.nanoseconds.load(Ordering::Relaxed));
        limits.seconds.as_ref().map(|limit| Duration::from_secs(limit.most).saturating_sub(ran))
    }

    /// The limit on rows or bytes that was gone beyond, if one was. What time does, whoever measures it says.
    #[must_use]
    pub fn exceeded(&self) -> Option<&Limit> {
        let Limited { limits, counters } = self.limited.as_deref()?;
        let counted = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let rows = within(&limits.rows, counted(&counters.rows));
        rows.and_then(|()| within(&limits.bytes, counted(&counters.bytes))).err()
    }
}

/// Counts what is limited; nobody asks for the sum of anything else.
fn charge<'a>(limit: &'a Option<Limit>, counter: &AtomicU64, more: u64) -> Result<(), &'a Limit> {
    match limit {
        Some(_) => within(limit, count(counter, more)),
        None => Ok(()),
    }
}

/// The sum with so much more; it stops at the greatest number.
fn count(counter: &AtomicU64, more: u64) -> u64 {
    let add = |sum: u64| Some(sum.saturating_add(more));
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).unwrap_or(u64::MAX).saturating_add(more)
}

fn within(limit: &Option<Limit>, counted: u64) -> Result<(), &Limit> {
    match limit {
        Some(limit) if counted > limit.most => Err(limit),
        Some(_) | None => Ok(()),
    }
}
