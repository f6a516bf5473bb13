//! What one line of the audit trail holds.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use hoopcore::audit::EventKind;
use hoopcore::command::Digest;
use hoopcore::policy::Problem;
use hoopcore::{Event, Identity, IdentityKind, Resource, Timestamp, Verified};
use jiff::SignedDuration;
use jiff::fmt::temporal::DateTimePrinter;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use super::closing::Closing;
use super::decided::RenderCache;
use super::line::{self, Members};
use crate::config::Timeout;
use crate::id;
use crate::policy_files::PolicyFilesError;

/// Writes times as RFC 3339 has them, in UTC.
const PRINTER: DateTimePrinter = DateTimePrinter::new();

/// One record: a line of the trail without its number.
#[derive(Debug)]
pub struct Record {
    time: Timestamp,
    kind: &'static str,
    /// The kind of the record that this one takes back.
    voids: Option<&'static str>,
    /// The policy was only watched: nothing was refused, held or masked.
    observed: bool,
    about: About,
    /// The decision that it tells of or that it ends.
    decision: Option<u64>,
    what: What,
}

/// Whom a record is about.
#[derive(Debug)]
enum About {
    /// The gateway itself.
    Gateway,
    /// A session, put into words when it began.
    Session(Option<Members>),
    /// Somebody who has none.
    Parties(Box<Parties>),
}

#[derive(Debug, Serialize)]
struct Parties {
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<Who>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<On>,
}

#[derive(Debug, Serialize)]
struct Who {
    user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<IdentityKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<BTreeSet<String>>,
    how: String,
}

#[derive(Debug, Serialize)]
struct On {
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum What {
    Login {
        policy: Hex,
        /// Why an enforced policy would not let the caller in.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    },
    Refused {
        reason: String,
    },
    #[serde(skip)]
    Decided(Option<Members>),
    #[serde(skip)]
    Closed(Closing),
    Approval(Approval),
    Policy {
        before: Hex,
        after: Hex,
    },
    TimedOut {
        timeout: &'static str,
        after: String,
    },
    PolicyRefused {
        policy: Hex,
        problems: usize,
        reason: String,
    },
    Segment {
        after: Option<String>,
        failure: Option<String>,
    },
    Lost {
        records: u64,
    },
}

/// What a record says of an approval.
#[derive(Debug, Serialize)]
pub(crate) struct Approval {
    /// The id under which the command is held.
    pub(crate) approval: String,
    /// The rules that ask.
    pub(crate) rules: Vec<String>,
    /// When an answer comes too late.
    #[serde(serialize_with = "as_text")]
    pub(crate) deadline: Timestamp,
    /// Digest of what was shown: the command and its parameters.
    pub(crate) digest: String,
    /// The person who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    /// What that person said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<&'static str>,
}

/// The step of an approval that a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Asked,
    Answered,
    Withdrawn,
    Expired,
    Revoked,
}

impl Step {
    fn kind(self) -> &'static str {
        match self {
            Self::Asked => "approval_asked",
            Self::Answered => "approval_answered",
            Self::Withdrawn => "approval_withdrawn",
            Self::Expired => "approval_expired",
            Self::Revoked => "approval_revoked",
        }
    }
}

/// The session that a record belongs to. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Origin(Arc<SessionContext>);

/// What is known of a session since it began, and what it said last.
#[derive(Debug)]
pub(crate) struct SessionContext {
    pub(crate) session: Arc<str>,
    pub(crate) source: Option<IpAddr>,
    /// Whether its policy is only watched.
    pub(crate) observed: bool,
    /// The session with its caller and resource, put into words once.
    words: Option<Members>,
    rendered: RenderCache,
}

impl Deref for Origin {
    type Target = SessionContext;

    fn deref(&self) -> &SessionContext {
        &self.0
    }
}

impl Origin {
    /// A session with a name of its own.
    pub(crate) fn new(source: Option<IpAddr>, observed: bool, who: &Verified<Identity>, on: &Resource) -> Self {
        let session: Arc<str> = Arc::from(id::random(16));
        let (who, on) = (Some(Who::verified(who)), Some(On::of(on)));
        let words = line::members(&Parties { session: Some(Arc::clone(&session)), who, source, on });
        Self(Arc::new(SessionContext { session, source, observed, words, rendered: RenderCache::default() }))
    }
}

impl Record {
    /// The record as JSON.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let Self { time, kind, voids, observed, about, decision, what } = self;
        out.extend_from_slice(b"{\"time\":\"");
        PRINTER.print_timestamp(time, &mut *out).map_err(serde_json::Error::custom)?;
        out.extend_from_slice(b"\",\"kind\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.push(b'"');
        if let Some(voids) = voids {
            out.extend_from_slice(b",\"voids\":\"");
            out.extend_from_slice(voids.as_bytes());
            out.push(b'"');
        }
        if *observed {
            out.extend_from_slice(b",\"observed\":true");
        }
        match about {
            About::Gateway => {}
            About::Session(members) => known(members, out)?,
            About::Parties(parties) => line::write_members(parties, out)?,
        }
        if let Some(decision) = decision {
            out.extend_from_slice(b",\"decision\":");
            line::digits(*decision, out);
        }
        match what {
            What::Decided(members) => known(members, out)?,
            What::Closed(closing) => closing.write(out)?,
            told => line::write_members(told, out)?,
        }
        out.push(b'}');
        Ok(())
    }
}

fn known(members: &Option<Members>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let members = members.as_deref().ok_or_else(|| serde_json::Error::custom("what is known has no words"))?;
    out.extend_from_slice(members.as_bytes());
    Ok(())
}

impl Record {
    /// A caller came in; with a reason where an enforced policy would not have let it.
    pub(crate) fn login(at: Timestamp, origin: &Origin, policy: &Digest, reason: Option<&'static str>) -> Self {
        Self::of(origin, at, "login", What::Login { policy: Hex(*policy), reason })
    }

    /// Somebody was not let in; the name is what was claimed.
    pub(crate) fn login_refused(at: Timestamp, attempt: &crate::Attempt, reason: &str) -> Self {
        let parties = Parties {
            session: None,
            who: Some(Who::claimed(&attempt.user)),
            source: attempt.source,
            on: Some(On { resource: attempt.resource.clone(), database: attempt.database.clone() }),
        };
        Self {
            about: About::Parties(Box::new(parties)),
            ..Self::of_gateway(at, "login_refused", What::Refused { reason: reason.to_owned() })
        }
    }

    /// A decision, or the end of an execution.
    pub(crate) fn event(origin: &Origin, event: &Event) -> Self {
        let (kind, what) = match &event.kind {
            EventKind::Decided { .. } => ("decision", What::Decided(origin.rendered.words(event))),
            EventKind::Closed { completion, cells, masked, would_end } => {
                let closing = Closing::new(completion, *cells).masked(masked).would_end(would_end.as_ref());
                ("closing", What::Closed(closing))
            }
        };
        let decision = Some(event.id().number());
        Self { observed: event.observed, decision, ..Self::of(origin, event.at, kind, what) }
    }

    /// A permit that nobody carried out: its decision may be on record, and the command never left the gateway.
    pub(crate) fn not_carried_out(at: Timestamp, origin: &Origin, decision: u64) -> Self {
        Self { decision: Some(decision), ..Self::of(origin, at, "closing", What::Closed(Closing::not_carried_out())) }
    }

    /// Somebody took too long: the session ends, or what its server runs is cancelled.
    pub(crate) fn timed_out(at: Timestamp, origin: &Origin, what: Timeout, after: Duration) -> Self {
        let after = SignedDuration::try_from(after).map(|after| format!("{after:#}")).unwrap_or_default();
        Self::of(origin, at, "timed_out", What::TimedOut { timeout: what.word(), after })
    }

    /// The token ended that opened the session, which ends with it.
    pub(crate) fn session_expired(at: Timestamp, origin: &Origin) -> Self {
        let reason = "the token that opened the session has ended".to_owned();
        Self::of(origin, at, "session_expired", What::Refused { reason })
    }

    /// A step of an approval.
    pub(crate) fn approval(at: Timestamp, origin: &Origin, step: Step, note: Approval) -> Self {
        Self::of(origin, at, step.kind(), What::Approval(note))
    }

    /// Another policy is about to be in force.
    pub(crate) fn policy_reloaded(at: Timestamp, before: &Digest, after: &Digest) -> Self {
        Self::of_gateway(at, "policy_reloaded", What::Policy { before: Hex(*before), after: Hex(*after) })
    }

    /// The policy's files hold no policy: this one stays.
    pub(crate) fn policy_refused(at: Timestamp, in_force: &Digest, error: &PolicyFilesError) -> Self {
        let (problems, reason) = match error {
            PolicyFilesError::Unreadable { .. } | PolicyFilesError::Unfinished => (1, error.to_string()),
            PolicyFilesError::Wrong { problems, .. } => {
                (problems.len(), problems.first().map(place).unwrap_or_default())
            }
        };
        Self::of_gateway(at, "policy_refused", What::PolicyRefused { policy: Hex(*in_force), problems, reason })
    }

    /// The first line of a file of the trail: which one it follows, and why that one ended where it failed.
    pub(crate) fn segment(at: Timestamp, after: Option<String>, failure: Option<String>) -> Self {
        Self::of_gateway(at, "segment", What::Segment { after, failure })
    }

    /// So many records before this one could not be written, and are lost.
    pub(crate) fn lost(at: Timestamp, records: u64) -> Self {
        Self::of_gateway(at, "lost", What::Lost { records })
    }

    /// What this record tells did not come about: it was to be done once the record was safe. It repeats the record under
    /// another kind.
    pub(crate) fn void(self, at: Timestamp) -> Self {
        Self { time: at, kind: "void", voids: Some(self.kind), ..self }
    }

    fn of_gateway(time: Timestamp, kind: &'static str, what: What) -> Self {
        Self { time, kind, voids: None, observed: false, about: About::Gateway, decision: None, what }
    }

    /// With the session's caller and resource.
    fn of(origin: &Origin, time: Timestamp, kind: &'static str, what: What) -> Self {
        let about = About::Session(origin.words.clone());
        Self { observed: origin.observed, about, ..Self::of_gateway(time, kind, what) }
    }
}

impl On {
    fn of(on: &Resource) -> Self {
        Self { resource: Some(on.name.clone()), database: on.database.clone() }
    }
}

impl Who {
    fn verified(who: &Verified<Identity>) -> Self {
        Self {
            user: who.user.clone(),
            kind: who.kind,
            issuer: who.issuer.clone(),
            groups: who.groups.clone(),
            how: who.how().to_owned(),
        }
    }

    fn claimed(user: &str) -> Self {
        Self { user: cut(user, 256), kind: None, issuer: None, groups: None, how: "claimed".to_owned() }
    }
}

/// A digest, in hexadecimal.
#[derive(Debug)]
pub(super) struct Hex(pub(super) Digest);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hex(&self.0).serialize(serializer)
    }
}

/// A problem of a file in one line.
fn place(problem: &Problem) -> String {
    let file = problem.file.as_deref().unwrap_or_default();
    format!("{file}:{}:{}: {}", problem.line, problem.column, problem.message)
}

/// A digest in hexadecimal.
#[must_use]
pub fn hex(digest: &Digest) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

pub(super) fn cut(text: &str, limit: usize) -> String {
    let Some(kept) = text.get(..text.floor_char_boundary(limit)) else { return text.to_owned() };
    if kept.len() == text.len() { text.to_owned() } else { format!("{kept}…") }
}

fn as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
