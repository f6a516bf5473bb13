//! What the record of a decision says, and the words for it, which a session keeps for the decisions that it comes to again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use hoopcore::audit::EventKind;
use hoopcore::decision::RuleRef;
use hoopcore::grant::GrantNote;
use hoopcore::mask::{AppliedMask, Style};
use hoopcore::{Event, Verdict};
use serde::{Serialize, Serializer};

use super::line::{self, Members};
use super::record::{Hex, cut};

/// Where a command's text is cut in a record. The digest covers all of it.
const TEXT_LIMIT: usize = 32 * 1024;
/// How many effects of one command a record names.
const EFFECTS_LIMIT: usize = 512;
/// For how many decisions of a session the words are kept.
const RENDERED: usize = 8;
/// Longer words are not kept, in bytes.
const RENDERED_BYTES: usize = 2048;

#[derive(Debug, Serialize)]
pub(super) struct Decided {
    command: Shown,
    digest: Hex,
    effects: Effects,
    verdict: Verdict,
    rule: Rule,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uncertain: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    masks: Vec<Mask>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<GrantUse>,
    policy: Hex,
}

/// By which consent of people a command goes on.
#[derive(Debug, Serialize)]
struct GrantUse {
    /// The id under which the command was held when people agreed.
    approval: Option<Arc<str>>,
    /// Of the command, its parameters, what it names, and where names are looked up.
    digest: Hex,
    #[serde(rename = "use")]
    number: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    session: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Rule {
    name: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Mask {
    column: String,
    style: &'static str,
    rule: Arc<str>,
}

impl Decided {
    /// What a decision says; of the end of an execution, nothing.
    fn new(event: &Event) -> Option<Self> {
        let EventKind::Decided { verdict, rule, reason, masks, uncertain, grant } = &event.kind else { return None };
        Some(Self {
            command: Shown(Arc::clone(&event.command)),
            digest: Hex(event.digest),
            effects: Effects(Arc::clone(&event.effects)),
            verdict: *verdict,
            rule: Rule::from(rule),
            reason: reason.as_deref().map(str::to_owned),
            uncertain: uncertain.as_deref().map(str::to_owned),
            masks: masks.iter().map(Mask::from).collect(),
            grant: grant.as_ref().map(GrantUse::from),
            policy: Hex(event.policy),
        })
    }
}

/// The last decisions of a session with the words for them: programs ask for the same again and again.
#[derive(Debug, Default)]
pub(super) struct RenderCache(Mutex<VecDeque<(Event, Members)>>);

impl RenderCache {
    pub(super) fn words(&self, event: &Event) -> Option<Members> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, words)) = known.iter().find(|(known, _)| says_the_same(known, event)) {
            return Some(words.clone());
        }
        let words = line::members(&Decided::new(event)?)?;
        if words.len() <= RENDERED_BYTES {
            known.truncate(RENDERED - 1);
            known.push_front((event.clone(), words.clone()));
        }
        Some(words)
    }
}

/// Whether two decisions differ in nothing but their number, their time and what all records of a session share.
fn says_the_same(one: &Event, other: &Event) -> bool {
    Arc::ptr_eq(&one.command, &other.command)
        && one.digest == other.digest
        && one.effects == other.effects
        && one.policy == other.policy
        && one.kind == other.kind
}

/// A command's text, cut where it is long.
#[derive(Debug)]
struct Shown(Arc<str>);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.len() <= TEXT_LIMIT {
            self.0.serialize(serializer)
        } else {
            cut(&self.0, TEXT_LIMIT).serialize(serializer)
        }
    }
}

/// A command's effects, the first of them where there are many.
#[derive(Debug)]
struct Effects(Arc<[String]>);

impl Serialize for Effects {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let more = self.0.len().saturating_sub(EFFECTS_LIMIT);
        let last = (more > 0).then(|| format!("… and {more} more"));
        serializer.collect_seq(self.0.iter().take(EFFECTS_LIMIT).chain(&last))
    }
}

impl From<&GrantNote> for GrantUse {
    fn from(note: &GrantNote) -> Self {
        let GrantNote { id, digest, number, times, until, session } = note.clone();
        Self {
            approval: id,
            digest: Hex(digest),
            number,
            of: times,
            until: until.map(|until| until.to_string()),
            session,
        }
    }
}

impl From<&RuleRef> for Rule {
    fn from(rule: &RuleRef) -> Self {
        let RuleRef { name, file, line } = rule.clone();
        Self { name, file, line }
    }
}

impl From<&AppliedMask> for Mask {
    fn from(mask: &AppliedMask) -> Self {
        Self { column: mask.column.clone(), style: style_word(&mask.style), rule: Arc::clone(&mask.rule.name) }
    }
}

/// A mask style in the word of the policy language.
#[must_use]
pub fn style_word(style: &Style) -> &'static str {
    match style {
        Style::Null => "null",
        Style::Redact => "redact",
        Style::Fixed(_) => "fixed",
        Style::Pseudonym(_) => "pseudonym",
        Style::Shift(_) => "shift",
        Style::Partial { .. } => "partial",
        Style::Json(_) => "json",
    }
}
