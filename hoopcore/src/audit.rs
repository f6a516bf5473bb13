//! What goes into the audit trail: events without a single value, and the sink's word that they are safe.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use jiff::Timestamp;

use crate::command::Digest;
use crate::decision::{DecisionId, RuleRef, Verdict};
use crate::grant::GrantNote;
use crate::identity::IdentityKind;
use crate::limit::Limit;
use crate::mask::{AppliedMask, CellCounts, MaskedCells};

/// One record for the audit trail. It holds no literal, no parameter and no value. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Event {
    pub(crate) id: DecisionId,
    /// When it was decided.
    pub at: Timestamp,
    /// Who called.
    pub who: Arc<Caller>,
    /// The resource, and the database in it where one is known.
    pub resource: Arc<(String, Option<String>)>,
    /// The command with its literals stripped.
    pub command: Arc<str>,
    /// SHA-256 over the command's exact text.
    pub digest: Digest,
    /// Each effect, as `verb object`.
    pub effects: Arc<[String]>,
    /// The digest of the policy that decided.
    pub policy: Digest,
    /// Whether the policy was only watched: what it refuses, holds or masks went on as it was.
    pub observed: bool,
    /// What is recorded.
    pub kind: EventKind,
}

/// Who called, as records name it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The name.
    pub user: String,
    /// Person or program, where known.
    pub kind: Option<IdentityKind>,
    /// Who vouched for the name.
    pub issuer: Option<String>,
    /// Groups, where known.
    pub groups: Option<BTreeSet<String>>,
    /// How the caller was authenticated.
    pub how: String,
}

/// What a record tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A command was decided.
    Decided {
        /// The bare answer.
        verdict: Verdict,
        /// The deciding rule.
        rule: RuleRef,
        /// The reason given.
        reason: Option<Cow<'static, str>>,
        /// The column masks that can act.
        masks: Vec<AppliedMask>,
        /// Why the command was not fully understood, where it was not.
        uncertain: Option<Cow<'static, str>>,
        /// By which consent of people it goes on, where it needed that.
        grant: Option<GrantNote>,
    },
    /// An execution ended.
    Closed {
        /// What was carried out.
        completion: Completion,
        /// Cells that left masked and in clear; where the policy is only watched, that would have.
        cells: CellCounts,
        /// What masked how many of them.
        masked: Vec<MaskedCells>,
        /// Where the policy is only watched: what would have ended it, if anything would.
        would_end: Option<WouldEnd>,
    },
}

impl Event {
    /// The id that ties the records of one decision together within a process.
    #[must_use]
    pub fn id(&self) -> DecisionId {
        self.id
    }

    /// The record that will close the execution which it permits, until that says how it ended.
    pub(crate) fn unclosed(&self) -> Self {
        let completion = Completion { status: CompletionStatus::Unknown, rows: 0, bytes: 0 };
        let kind = EventKind::Closed { completion, cells: CellCounts::default(), masked: Vec::new(), would_end: None };
        let Self { id, at, who, resource, command, digest, effects, policy, observed, kind: _ } = self;
        Self {
            id: *id,
            at: *at,
            who: Arc::clone(who),
            resource: Arc::clone(resource),
            command: Arc::clone(command),
            digest: *digest,
            effects: Arc::clone(effects),
            policy: *policy,
            observed: *observed,
            kind,
        }
    }

    /// The sink's word that the bytes of this event are safe.
    pub fn written(self) -> Receipt {
        Receipt { id: self.id }
    }
}

/// The sink's word for one event; bound to its id, and good for one release.
#[must_use = "a receipt releases the decision that was recorded"]
#[derive(Debug)]
pub struct Receipt {
    id: DecisionId,
}

impl Receipt {
    pub(crate) fn id(&self) -> DecisionId {
        self.id
    }
}

/// Why an event could not be recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AuditFailure(String);

impl AuditFailure {
    /// A failure in the sink's words, which must hold no value.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// How it ended.
    pub status: CompletionStatus,
    /// Rows that were returned or that the server says it changed.
    pub rows: u64,
    /// Bytes of the answer, after masking.
    pub bytes: u64,
}

/// What would have ended an execution that was only watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WouldEnd {
    /// A limit of a rule that it went beyond.
    Limited(Limit),
    /// Something came back that masks may act on and that could not be masked: why.
    Unmaskable(&'static str),
}

/// The end of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompletionStatus {
    /// Carried out.
    Done,
    /// The server refused it, with its error code.
    Failed(String),
    /// It was cut off: the caller or the server went away.
    Aborted,
    /// A limit of a rule ended it.
    Limited(Limit),
    /// It was sent and its outcome was never seen.
    Unknown,
}
