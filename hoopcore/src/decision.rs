//! A decision and what becomes of it: recorded, then a permit, a wait for a person, or a denial.
//!
//! Nothing takes effect before it was recorded, and the types hold that. This is the way:
//!
//! ```
//! use hoopcore::{Call, Command, Identity, Outcome, Policy, Request, Resource, SessionFacts, Timestamp, Verified};
//!
//! let policy = Policy::from_yaml(
//!     "hoop: 1\nrules:\n- { rule: reads, who: { group: jobs }, on: db, allow: { sql: { read: public.orders } } }",
//! )?;
//! let who = Verified::vouched(Identity::named("etl-7").with_groups(["jobs"]), "example");
//! let (on, command, session) = (Resource::postgres("db"), Command::sql("SELECT id FROM orders"), SessionFacts::default());
//! let call = Call::new(&command, &session, Timestamp::UNIX_EPOCH);
//! let decision = policy.evaluate(&Request { who: &who, on: &on, call });
//! let mut trail = Vec::new();
//! let outcome = decision.record(|event| {
//!     trail.push(event.clone());
//!     Ok::<(), std::io::Error>(())
//! });
//! let Outcome::Allow(permit) = outcome else { panic!("it is allowed") };
//! let passage = permit.spend();
//! # assert_eq!(trail.len(), 1);
//! # drop(passage);
//! # Ok::<(), hoopcore::PolicyErrors>(())
//! ```
//!
//! A decision that was not recorded gives no permit:
//! ```compile_fail,E0599
//! # fn f(decision: hoopcore::Decision) {
//! let passage = decision.spend();
//! # }
//! ```
//! ```compile_fail,E0616
//! # fn f(decision: hoopcore::Decision) {
//! let outcome = decision.outcome;
//! # }
//! ```
//! What is sealed is released by a receipt, not by the wish:
//! ```compile_fail,E0061
//! # fn f(sealed: hoopcore::Sealed) {
//! let outcome = sealed.release();
//! # }
//! ```
//! A receipt is the sink's word for one event: nobody else makes one, and it is good once.
//! ```compile_fail,E0451
//! # fn f(event: hoopcore::Event) {
//! let receipt = hoopcore::Receipt { id: event.id() };
//! # }
//! ```
//! ```compile_fail,E0382
//! # fn f(first: hoopcore::Sealed, second: hoopcore::Sealed, receipt: hoopcore::Receipt) {
//! let one = first.release(receipt);
//! let two = second.release(receipt);
//! # }
//! ```
//! A permit is spent once, is not cloned, and is not built outside:
//! ```compile_fail,E0382
//! # fn f(permit: hoopcore::Permit) {
//! let once = permit.spend();
//! let twice = permit.spend();
//! # }
//! ```
//! ```compile_fail,E0599
//! # fn f(permit: hoopcore::Permit) {
//! let another = permit.clone();
//! # }
//! ```
//! ```compile_fail,E0451
//! # fn f(permit: hoopcore::Permit) {
//! let another = hoopcore::Permit { ..permit };
//! # }
//! ```
//! Neither is what is sealed:
//! ```compile_fail,E0599
//! # fn f(sealed: hoopcore::Sealed) {
//! let another = sealed.clone();
//! # }
//! ```

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use jiff::Timestamp;

use crate::audit::{AuditFailure, Completion, CompletionStatus, Event, EventKind, Receipt, WouldEnd};
use crate::command::{Command, Digest};
use crate::grant::{Grant, Terms};
use crate::identity::{Identity, Verified};
use crate::limit::{LimitKind, Limits, Meter};
use crate::mask::{AppliedMask, Layout, MaskPlan, RowMasker, Tally};
use crate::parameters::Parameter;
use crate::policy::ColumnPattern;
use crate::request::SessionFacts;
use crate::resource::Resource;
use crate::truth::Truth;

/// The bare answer, by severity: `block` is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Carried out as it is.
    Allow,
    /// Carried out; protected values of the answer are masked.
    Mask,
    /// Held until people agree.
    Approve,
    /// Refused.
    Block,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Mask => "mask",
            Self::Approve => "approve",
            Self::Block => "block",
        })
    }
}

/// Binds an event, its receipt and what it releases together, for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecisionId(u64);

impl DecisionId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The number: unique within the process, and no more than that.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRef {
    /// The rule's name; `default` and `harmless` are reserved.
    pub name: Arc<str>,
    /// The file that holds it, where it came from one.
    pub file: Option<Arc<str>>,
    /// The line of its `rule:`, counted from one; `None` for the reserved ones.
    pub line: Option<u32>,
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " ({file}:{line})"),
            (None, Some(line)) => write!(f, " (line {line})"),
            (_, None) => Ok(()),
        }
    }
}

/// Why a decision came out as it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The bare answer.
    pub verdict: Verdict,
    /// The rule that decided.
    pub rule: RuleRef,
    /// The reason that the rule, or hoop itself, gives.
    pub reason: Option<Cow<'static, str>>,
    /// Each effect in the words of the policy, and which rule covered or refused it.
    pub effects: Vec<EffectNote>,
    /// The column masks that can act on the answer.
    pub masks: Vec<AppliedMask>,
    /// How much may come back, where that is limited.
    pub limits: Limits,
    /// Why the command was not fully understood, where it was not.
    pub uncertain: Option<Cow<'static, str>>,
}

/// What was decided about one effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectNote {
    /// The verb in the policy's words.
    pub verb: &'static str,
    /// The object, with the schema it was resolved to.
    pub object: String,
    /// What `when` may ask about it, as far as its protocol has such facts.
    pub facts: Vec<FactNote>,
    /// The rule that covered or refused it; `None` where nothing did or nothing was asked.
    pub rule: Option<RuleRef>,
}

/// A fact of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactNote {
    /// Its name in the policy's words.
    pub name: &'static str,
    /// Its value in the policy's words; `None` where it is not known.
    pub value: Option<Cow<'static, str>>,
}

/// A rule that was close to a decision, and how each of its parts stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearRule {
    /// The rule.
    pub rule: RuleRef,
    /// What it does: `allow`, `block`, `approve` or `mask`.
    pub action: &'static str,
    /// Each part, and whether it holds for the effect that the rule is closest to.
    pub parts: [(Part, Truth); 4],
    /// The facts that `who` asks for, in words, each with whether it holds.
    pub who: Vec<String>,
    /// The facts that `on` asks for, in words, each with whether it holds.
    pub on: Vec<String>,
    /// The facts that `when` asks for, in words, each with whether it holds for the effect that the rule is closest to.
    pub when: Vec<String>,
}

/// A part of a rule, all of which must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `who`.
    Who,
    /// `on`.
    On,
    /// The verbs and objects.
    Pattern,
    /// `when`.
    When,
}

impl NearRule {
    /// The parts that do not surely hold.
    pub fn lacking(&self) -> impl Iterator<Item = (Part, Truth)> {
        self.parts.into_iter().filter(|(_, truth)| !truth.is_sure())
    }
}

/// A decision that nobody has acted on yet: it must be recorded first.
#[must_use = "a decision does nothing until it is recorded and released"]
#[derive(Debug)]
pub struct Decision {
    pub(crate) id: DecisionId,
    pub(crate) explanation: Arc<Explanation>,
    pub(crate) event: Event,
    pub(crate) outcome: Outcome,
}

impl Decision {
    /// The bare answer: to read, to count, to log.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.explanation.verdict
    }

    /// The deciding rule with file and line, and what was found about each effect.
    #[must_use]
    pub fn explanation(&self) -> &Explanation {
        &self.explanation
    }

    /// The same decision where a policy is watched before it is enforced: verdict, rule and masks go on record as what
    /// would have happened, marked as observed, and nothing is refused, held or masked. What masks and limits would have
    /// done to what comes back is counted for the closing record, unless the command would not have been carried out.
    ///
    /// It acts no sooner than any other: a decision that is not recorded is refused.
    ///
    /// ```
    /// # use hoopcore::{Call, Command, Identity, Outcome, Policy, Request, Resource, SessionFacts, Timestamp, Verdict, Verified};
    /// # let policy = Policy::from_yaml("hoop: 1\nrules: []")?;
    /// # let who = Verified::vouched(Identity::named("etl-7"), "example");
    /// # let (on, command, session) = (Resource::postgres("db"), Command::sql("DROP TABLE orders"), SessionFacts::default());
    /// # let call = Call::new(&command, &session, Timestamp::UNIX_EPOCH);
    /// let decision = policy.evaluate(&Request { who: &who, on: &on, call }).observe();
    /// assert_eq!(decision.verdict(), Verdict::Block);
    /// let mut trail = Vec::new();
    /// let outcome = decision.record(|event| {
    ///     trail.push(event.clone());
    ///     Ok::<(), std::io::Error>(())
    /// });
    /// assert!(trail[0].observed && matches!(outcome, Outcome::Allow(_)));
    /// # Ok::<(), hoopcore::PolicyErrors>(())
    /// ```
    pub fn observe(self) -> Self {
        crate::decide::observe(self)
    }

    /// What it permits without anybody's consent, to be permitted again.
    pub(crate) fn granted(&self) -> Option<Granted> {
        let Outcome::Allow(permit) = &self.outcome else { return None };
        let EventKind::Decided { grant: None, .. } = &self.event.kind else { return None };
        let (explanation, event) = (Arc::clone(&self.explanation), self.event.clone());
        Some(Granted { explanation, event, plan: Arc::clone(&permit.plan) })
    }

    /// Splits the decision into the event to write and what that releases.
    pub fn seal(self) -> (Event, Sealed) {
        (self.event, Sealed { id: self.id, outcome: self.outcome })
    }

    /// Records the decision with a sink that is not async, and releases its outcome.
    ///
    /// Where `write` fails, the outcome is a denial: no record, no execution.
    pub fn record<E: fmt::Display>(self, write: impl FnOnce(&Event) -> Result<(), E>) -> Outcome {
        let (event, sealed) = self.seal();
        match write(&event) {
            Ok(()) => sealed.release(event.written()),
            Err(error) => Outcome::Block(sealed.refuse(&AuditFailure::new(error.to_string()))),
        }
    }
}

/// An outcome out of reach until its event is safe.
#[must_use = "a sealed outcome is released by the receipt of its event"]
#[derive(Debug)]
pub struct Sealed {
    id: DecisionId,
    outcome: Outcome,
}

impl Sealed {
    /// The outcome, for the receipt of its own event; with another's receipt it is a denial.
    pub fn release(self, receipt: Receipt) -> Outcome {
        if receipt.id() == self.id {
            self.outcome
        } else {
            Outcome::Block(Denial::internal("the receipt belongs to another decision"))
        }
    }

    /// The denial of a command that could not be recorded.
    pub fn refuse(self, why: &AuditFailure) -> Denial {
        Denial::internal(alloc::format!("the audit trail could not be written: {why}"))
    }
}

/// What a recorded decision comes to. Masks live inside the permit, so no arm can forget them.
#[must_use = "an outcome says what may happen"]
#[derive(Debug)]
pub enum Outcome {
    /// It may be carried out once.
    Allow(Permit),
    /// It waits for people.
    Approve(PendingApproval),
    /// It is refused.
    Block(Denial),
}

/// A refusal in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused by rule `{rule}`: {reason}")]
pub struct Denial {
    /// The rule that refused.
    pub rule: RuleRef,
    /// Why, for the caller.
    pub reason: Cow<'static, str>,
    /// The limit that the command went beyond, where that is why.
    pub limit: Option<LimitKind>,
}

impl Denial {
    /// A refusal that no rule of the policy made: hoop itself could not go on.
    #[must_use]
    pub fn internal(reason: impl Into<Cow<'static, str>>) -> Self {
        let rule = RuleRef { name: Arc::from("default"), file: None, line: None };
        Self { rule, reason: reason.into(), limit: None }
    }
}

/// What was permitted, to be permitted again in the same circumstances.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    explanation: Arc<Explanation>,
    event: Event,
    plan: Arc<MaskPlan>,
}

impl Granted {
    /// The same decision at another time.
    pub(crate) fn again(&self, now: Timestamp) -> Decision {
        let event = Event { id: DecisionId::next(), at: now, ..self.event.clone() };
        let permit = Permit::of(&event, Arc::clone(&self.plan), &self.explanation.limits);
        Decision { id: event.id, explanation: Arc::clone(&self.explanation), event, outcome: Outcome::Allow(permit) }
    }
}

/// The right to carry out one command once.
#[must_use = "an unspent permit means that a permitted command was dropped"]
#[derive(Debug)]
pub struct Permit {
    pub(crate) id: DecisionId,
    pub(crate) plan: Arc<MaskPlan>,
    pub(crate) meter: Meter,
    pub(crate) closing: Box<Event>,
    /// What people agreed to beyond this execution.
    pub(crate) grant: Option<Box<Grant>>,
}

impl Permit {
    /// The permit of a decision that goes on record with this event.
    pub(crate) fn of(event: &Event, plan: Arc<MaskPlan>, limits: &Limits) -> Self {
        let (meter, closing) = (Meter::new(limits.clone()), Box::new(event.unclosed()));
        Self { id: event.id, plan, meter, closing, grant: None }
    }

    /// The id of the decision that gave it, which its records bear.
    #[must_use]
    pub fn id(&self) -> DecisionId {
        self.id
    }

    /// Whether any mask is armed for what returns.
    #[must_use]
    pub fn masks_armed(&self) -> bool {
        self.plan.is_armed()
    }

    /// Takes out what people agreed to beyond this execution, where they did: to be kept for the commands that follow.
    pub fn take_grant(&mut self) -> Option<Grant> {
        self.grant.take().map(|grant| *grant)
    }

    /// Begins the one execution that the permit stands for.
    pub fn spend(self) -> Passage {
        let Self { plan, meter, closing, .. } = self;
        let tally = if plan.is_armed() { Tally::of(&plan) } else { Tally::default() };
        Passage { plan, meter, closing, tally, would_end: None }
    }
}

/// One execution under way: what returns passes through its maskers.
#[must_use = "a passage is closed with what was carried out"]
#[derive(Debug)]
pub struct Passage {
    plan: Arc<MaskPlan>,
    meter: Meter,
    closing: Box<Event>,
    tally: Tally,
    would_end: Option<WouldEnd>,
}

impl Passage {
    /// A masker for rows of this layout. It is an owned value and shares the passage's tally and its meter. Where the
    /// policy is only watched, it counts and changes nothing.
    #[must_use]
    pub fn rows(&self, layout: &Layout) -> RowMasker {
        self.plan.rows(layout, &self.tally).with_meter(self.meter.clone()).watching(self.is_watched())
    }

    /// Whether the policy is only watched: all that comes back goes on as it is, and what would have become of it is
    /// counted.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.closing.observed
    }

    /// Notes what would have ended the execution, where the policy is only watched. The first of several stays.
    pub fn would_end(&mut self, why: WouldEnd) {
        if self.is_watched() {
            self.would_end.get_or_insert(why);
        }
    }

    /// Counts what comes back against the limits of the rules. [`RowMasker::row`] charges it; who uses the maskers
    /// otherwise charges it itself.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Whether any mask is armed for what returns.
    #[must_use]
    pub fn masks_armed(&self) -> bool {
        self.plan.is_armed()
    }

    /// Whether what returns may hold a protected value in a form that no row masker sees: then nothing but rows
    /// with a layout may be forwarded.
    #[must_use]
    pub fn is_tainted(&self) -> bool {
        self.plan.is_armed() && self.plan.tainted
    }

    /// Whether masks may act on what a COPY gives: then its rows go through a masker, or not on at all.
    #[must_use]
    pub fn masks_copies(&self) -> bool {
        self.is_tainted() || !self.plan.detectors.is_empty()
    }

    /// The closing record: what was carried out, and how many cells left masked and how many in clear. Where the
    /// meter says that rows or bytes went beyond a limit, that is how it ended, or would have where the policy is only
    /// watched.
    #[must_use]
    pub fn close(mut self, mut how: Completion) -> Event {
        match self.meter.exceeded().cloned() {
            Some(limit) if self.is_watched() => self.would_end(WouldEnd::Limited(limit)),
            Some(limit) => how.status = CompletionStatus::Limited(limit),
            None => {}
        }
        let Self { plan, closing: mut event, tally, would_end, meter: _ } = self;
        let (cells, masked) = (tally.counts(), tally.masked_by(&plan));
        event.kind = EventKind::Closed { completion: how, cells, masked, would_end };
        *event
    }
}

/// A command that waits for people.
#[must_use = "a pending command is resumed with an answer"]
#[derive(Debug)]
pub struct PendingApproval {
    pub(crate) request: Box<ApprovalRequest>,
    pub(crate) demands: Vec<Demand>,
    pub(crate) held: Box<ApprovalContext>,
}

/// What the people who answer are shown.
#[derive(Clone, Debug)]
pub struct ApprovalRequest {
    /// The name under which it is held, once it has one.
    pub id: Option<Arc<str>>,
    /// Who calls.
    pub who: Verified<Identity>,
    /// On which resource.
    pub resource: String,
    /// The command in full: it is this, and nothing else, that is approved.
    pub command: Command,
    /// The values bound to its parameters, where they are known; those that cannot be read as well.
    pub parameters: Option<Vec<Parameter<'static>>>,
    /// What the prepared statements and cursors do that it names: it is approved with them.
    pub named: Vec<(String, Command)>,
    /// SHA-256 over the command, its parameters, what it names, and where names are looked up. Values that cannot be read
    /// count as well.
    pub digest: Digest,
    /// When an answer comes too late.
    pub deadline: Timestamp,
    /// The rules that ask, with who may answer.
    pub rules: Vec<RuleRef>,
    /// Why the command was not fully understood, where it was not: to be shown first.
    pub uncertain: Option<Cow<'static, str>>,
}

/// One rule's demand for people's consent.
#[derive(Clone, Debug)]
pub struct Demand {
    /// The rule that asks.
    pub rule: RuleRef,
    /// The group whose members may answer.
    pub group: Arc<str>,
    /// How many different people must agree.
    pub people: u32,
    /// How long it waits.
    pub within: Duration,
    /// How far consent goes.
    pub terms: Terms,
    /// Who has agreed so far.
    pub agreed: BTreeSet<String>,
}

/// The circumstances of a held command, to judge it again when it is answered.
#[derive(Clone, Debug)]
pub struct ApprovalContext {
    /// The digest of the policy that asked.
    pub(crate) policy: Digest,
    /// The columns that its masks may hide: what the session's facts say of protected columns was asked about these.
    pub(crate) protected: Vec<ColumnPattern>,
    pub(crate) on: Resource,
    pub(crate) session: SessionFacts,
    pub(crate) source: Option<IpAddr>,
    /// When it was asked.
    pub(crate) since: Timestamp,
    /// The masks that it would go on with.
    pub(crate) plan: Arc<MaskPlan>,
    /// Until when it has waited, by a clock that nobody sets, where there is one.
    pub(crate) until: Option<Timestamp>,
    /// Whether what has the same digest is surely the same again: else people's consent is good for one execution.
    pub(crate) repeats: bool,
}

impl PendingApproval {
    /// What to show to those who answer.
    #[must_use]
    pub fn request(&self) -> &ApprovalRequest {
        &self.request
    }

    /// Gives it the name under which it is held: the records of what becomes of it bear it.
    pub fn hold_as(&mut self, id: Arc<str>) {
        self.request.id = Some(id);
    }

    /// Notes until when it has waited: the time when it was asked, and what passed since then by a clock that nobody sets.
    /// Its deadline is held against that; without it, against the time at which it is resumed.
    pub fn has_waited_until(&mut self, time: Timestamp) {
        self.held.until = Some(time);
    }

    /// The digest of all that a grant for it is bound to.
    #[must_use]
    pub fn binding(&self) -> Digest {
        crate::grant::binding(self)
    }

    /// What is demanded, and who has agreed so far.
    #[must_use]
    pub fn demands(&self) -> &[Demand] {
        &self.demands
    }

    /// The digest of the policy that asked.
    #[must_use]
    pub fn policy(&self) -> &Digest {
        &self.held.policy
    }
}

/// An answer to a held command.
#[derive(Debug)]
pub enum Answer {
    /// A person's word: yes or no.
    By(Verified<Identity>, Consent),
    /// Nobody answered in time.
    Expired,
    /// The caller cancelled or left.
    Withdrawn,
    /// Nobody spoke, but the policy is another: what is held is judged again.
    PolicyChanged,
}

/// A person's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// It may be carried out.
    Yes,
    /// It may not.
    No,
}
