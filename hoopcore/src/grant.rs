//! What people agree to beyond the one execution that they were shown.
//!
//! A [`Grant`] comes with the permit of a command that people let go on, where every rule that asked lets its consent go
//! further. It is bound to the caller, the resource, the command with its parameters, and the policy; it ends by count
//! and by the clock. Whoever keeps it takes one [`Draw`] out of it for each further execution, and a draw releases one
//! decision: neither can be made outside, nor cloned.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::command::{Command, Coverage, Digest, Effects};
use crate::decision::{ApprovalRequest, Demand, PendingApproval};
use crate::request::Call;

/// When a grant ends whose rules do not say how long it holds.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How far a rule lets people's consent go (`grant:`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Terms {
    /// The one execution that was shown.
    #[default]
    Once,
    /// So many executions, the first included.
    Times(u32),
    /// Executions within this time from the consent on.
    For(Duration),
    /// Executions in the session that asked.
    Session,
}

impl Terms {
    /// How many executions it counts.
    fn times(self) -> Option<u32> {
        match self {
            Self::Once => Some(1),
            Self::Times(times) => Some(times),
            Self::For(_) | Self::Session => None,
        }
    }

    /// How long it holds.
    fn time(self) -> Option<Duration> {
        match self {
            Self::For(time) => Some(time),
            Self::Once | Self::Times(_) | Self::Session => None,
        }
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once => f.write_str("once"),
            Self::Times(times) => write!(f, "{times} times"),
            Self::For(time) => match time.as_secs() {
                seconds if seconds % 86_400 == 0 => write!(f, "{}d", seconds / 86_400),
                seconds if seconds % 3600 == 0 => write!(f, "{}h", seconds / 3600),
                seconds if seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
                seconds => write!(f, "{seconds}s"),
            },
            Self::Session => f.write_str("session"),
        }
    }
}

/// What all terms together leave: all bounds hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    /// Executions, the first included; `None` where nothing counts them.
    times: Option<u32>,
    until: Timestamp,
    session: bool,
}

impl Bounds {
    fn of(demands: &[Demand], now: Timestamp) -> Self {
        let terms = || demands.iter().map(|demand| demand.terms);
        let times = terms().filter_map(Terms::times).min();
        let time = terms().filter_map(Terms::time).min().unwrap_or(LONGEST);
        Self { times, until: after(now, time), session: terms().any(|terms| terms == Terms::Session) }
    }
}

/// A time so much later, or the same where there is no such time.
pub(crate) fn after(time: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| time.checked_add(by).ok()).unwrap_or(time)
}

/// Further executions of a command that people agreed to.
#[derive(Debug)]
pub struct Grant {
    binding: Digest,
    /// The rules that asked.
    rules: BTreeSet<Arc<str>>,
    people: Arc<BTreeSet<String>>,
    id: Option<Arc<str>>,
    /// Of the command with its parameters.
    digest: Digest,
    bounds: Bounds,
    /// Executions so far.
    used: u32,
}

impl Grant {
    /// What the consent to a command leaves beyond its first execution.
    pub(crate) fn beyond(pending: &PendingApproval, now: Timestamp) -> Option<Self> {
        let demands = pending.demands();
        let bounds = Bounds::of(demands, now);
        let once = bounds.times.is_some_and(|times| times <= 1) || !pending.held.repeats;
        if demands.is_empty() || once {
            return None;
        }
        Some(Self {
            binding: binding(pending),
            rules: demands.iter().map(|demand| Arc::clone(&demand.rule.name)).collect(),
            people: Arc::new(demands.iter().flat_map(|demand| demand.agreed.iter().cloned()).collect()),
            id: pending.request().id.clone(),
            digest: pending.request().digest,
            bounds,
            used: 1,
        })
    }

    /// When it ends, whatever is left of it.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.bounds.until
    }

    /// Whether it ends with the session that asked. Who keeps it sees to that.
    #[must_use]
    pub fn is_for_session(&self) -> bool {
        self.bounds.session
    }

    /// Whether nothing can be drawn from it any more.
    #[must_use]
    pub fn is_spent(&self, now: Timestamp) -> bool {
        now >= self.bounds.until || self.bounds.times.is_some_and(|times| self.used >= times)
    }

    /// How many executions are left of it; `None` where nothing counts them.
    #[must_use]
    pub fn left(&self) -> Option<u32> {
        self.bounds.times.map(|times| times.saturating_sub(self.used))
    }

    /// Who agreed.
    #[must_use]
    pub fn people(&self) -> &BTreeSet<String> {
        &self.people
    }

    /// The digest of all that it is bound to.
    #[must_use]
    pub fn binding(&self) -> &Digest {
        &self.binding
    }

    /// Takes one execution out of it, where it was given for this very command and every rule that asks now asked then.
    pub fn draw(&mut self, pending: &PendingApproval, now: Timestamp) -> Option<Draw> {
        let fits = self.binding == binding(pending) && asked_by(pending, &self.rules);
        if !fits || self.is_spent(now) {
            return None;
        }
        self.used = self.used.checked_add(1)?;
        Some(Draw {
            binding: self.binding,
            rules: self.rules.clone(),
            people: Arc::clone(&self.people),
            note: self.note(),
        })
    }

    /// What records say of the execution that was drawn last.
    pub(crate) fn note(&self) -> GrantNote {
        let Bounds { times, until, session } = self.bounds;
        GrantNote { id: self.id.clone(), digest: self.digest, number: self.used, times, until: Some(until), session }
    }
}

/// One execution out of a grant.
#[must_use = "a draw that is dropped is used up"]
#[derive(Debug)]
pub struct Draw {
    binding: Digest,
    rules: BTreeSet<Arc<str>>,
    people: Arc<BTreeSet<String>>,
    note: GrantNote,
}

impl Draw {
    /// Whether it may release this command.
    pub(crate) fn is_for(&self, pending: &PendingApproval) -> bool {
        self.binding == binding(pending) && asked_by(pending, &self.rules)
    }

    pub(crate) fn people(&self) -> &BTreeSet<String> {
        &self.people
    }

    pub(crate) fn note(&self) -> &GrantNote {
        &self.note
    }
}

/// By which consent of people a command goes on, as records name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantNote {
    /// The name under which the command was held when people agreed, where it had one.
    pub id: Option<Arc<str>>,
    /// SHA-256 over what was agreed to: the command, its parameters, what it names, and where names are looked up.
    pub digest: Digest,
    /// Which execution it is, counted from one.
    pub number: u32,
    /// How many there may be; `None` where nothing counts them.
    pub times: Option<u32>,
    /// When it ends; `None` where this execution is the only one.
    pub until: Option<Timestamp>,
    /// Whether it ends with the session that asked.
    pub session: bool,
}

impl GrantNote {
    /// Consent to one execution.
    pub(crate) fn once(request: &ApprovalRequest) -> Self {
        Self { id: request.id.clone(), digest: request.digest, number: 1, times: Some(1), until: None, session: false }
    }
}

fn asked_by(pending: &PendingApproval, rules: &BTreeSet<Arc<str>>) -> bool {
    pending.demands().iter().all(|demand| rules.contains(&demand.rule.name))
}

/// Whether a call of the same digest is surely for the same again.
pub(crate) fn repeats(call: &Call<'_>, named: &[(String, Command)]) -> bool {
    let told_apart = match call.parameters {
        Some(parameters) => parameters.are_told_apart(),
        None => !has_placeholder(call.command),
    };
    let mut commands = named.iter().map(|(_, command)| command).chain([call.command]);
    told_apart && !commands.any(|command| command.is_unread() || is_for_a_place(command))
}

/// Whether a command means the row that a cursor stands on: the next time that is another one. Of one that was not fully
/// understood the words count wherever they stand.
fn is_for_a_place(command: &Command) -> bool {
    command.canonical().contains("where current of ")
        || (command.coverage() != Coverage::Full && has_word(command.text(), "current"))
}

/// Whether values may be bound to a command.
fn has_placeholder(command: &Command) -> bool {
    let text = match (command.what(), command.coverage()) {
        (Effects::Sql(_), Coverage::Full) => command.canonical(),
        (Effects::Sql(_), Coverage::Partial(_)) => command.text(),
        (Effects::Http(_) | Effects::Kubernetes(_) | Effects::Ssh(_), _) => return false,
    };
    text.as_bytes().windows(2).any(|pair| matches!(pair, [b'$', b'0'..=b'9']))
}

/// Whether a text has a word, in letters of either case.
fn has_word(text: &str, word: &str) -> bool {
    let joins = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii();
    text.as_bytes().split(|byte| !joins(*byte)).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

/// SHA-256 over all that a grant is bound to: who, on what, the command and its parameters, the policy.
pub(crate) fn binding(pending: &PendingApproval) -> Digest {
    let request = pending.request();
    let who = &request.who;
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(&request.digest);
    part(pending.policy());
    part(request.resource.as_bytes());
    option(&mut part, pending.held.on.database.as_deref());
    part(who.user.as_bytes());
    option(&mut part, who.issuer.as_deref());
    part(alloc::format!("{:?}", who.kind).as_bytes());
    match &who.groups {
        None => part(b"unknown"),
        Some(groups) => {
            part(&(groups.len() as u64).to_be_bytes());
            groups.iter().for_each(|group| part(group.as_bytes()));
        }
    }
    hash.finalize().into()
}

fn option(part: &mut impl FnMut(&[u8]), text: Option<&str>) {
    part(&[u8::from(text.is_some())]);
    part(text.unwrap_or_default().as_bytes());
}
