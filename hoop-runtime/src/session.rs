//! One client connection: every command is decided here, and nowhere else.

use std::future::Future;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hoopcore::audit::EventKind;
use hoopcore::mask::MaskPlan;
use hoopcore::parameters::Parameters;
use hoopcore::policy::ColumnPattern;
use hoopcore::{
    AuditFailure, Call, Command, Decision, Denial, Event, Identity, Outcome, PendingApproval, Permit, PolicySession,
    Rates, Resource, Sealed, SessionFacts, Timestamp, Verdict, Verified,
};

use crate::approvals::{self, ApprovalWait};
use crate::clock;
use crate::config::{Enforcement, SessionTimeouts, Timeout};
use crate::gateway::{Gateway, InForce, Proven, in_time};
use crate::metrics::{Metrics, Open};
use crate::soon::Soon;
use crate::trail::{Confirmation, Origin, Record};

/// One client connection: who it is, what it calls, and what is known of its state.
#[derive(Debug)]
pub struct Session {
    gateway: Gateway,
    origin: Origin,
    who: Verified<Identity>,
    /// When the token ends that opened it.
    until: Option<Timestamp>,
    /// That it ended is on record.
    expired: bool,
    on: Resource,
    rules: PolicySession,
    /// The edition of the policy that `rules` was compiled from.
    edition: u64,
    /// Which reading of its files that was.
    reading: u64,
    facts: SessionFacts,
    mode: Enforcement,
    /// Counts as open while it lives.
    _open: Option<Open>,
}

/// What becomes of a command, once that is recorded.
#[must_use = "an admission says what may happen"]
#[derive(Debug)]
pub enum Admission {
    /// It may be carried out once.
    Permitted(Permit),
    /// It is refused.
    Denied(Denial),
    /// It waits for people.
    Held(ApprovalWait),
}

impl Session {
    pub(crate) fn new(gateway: Gateway, proven: Proven, on: Resource, source: Option<IpAddr>) -> Self {
        let Proven { who, until } = proven;
        let InForce { policy, edition, reading } = gateway.in_force();
        let rules = policy.session(&who, &on);
        let mode = gateway.mode(&on);
        let origin = Origin::new(source, mode == Enforcement::Observe, &who, &on);
        let _open = gateway.metrics().map(Metrics::open);
        Self {
            gateway,
            origin,
            who,
            until,
            expired: false,
            on,
            rules,
            edition,
            reading,
            facts: SessionFacts::default(),
            mode,
            _open,
        }
    }

    /// The name under which the audit trail knows the session.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.origin.session
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Who calls.
    #[must_use]
    pub fn who(&self) -> &Verified<Identity> {
        &self.who
    }

    /// How long the token still holds that opened the session; `None` where no token did. After that every command is
    /// refused, and the adapter closes the connection.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.until?.duration_since(clock::now());
        Some(Duration::try_from(left).unwrap_or_default())
    }

    /// What is called.
    #[must_use]
    pub fn on(&self) -> &Resource {
        &self.on
    }

    /// What is known of the session's state on the server.
    #[must_use]
    pub fn facts(&self) -> &SessionFacts {
        &self.facts
    }

    /// The same, for the adapter that learns more.
    pub fn facts_mut(&mut self) -> &mut SessionFacts {
        &mut self.facts
    }

    /// Whether the policy is enforced here, or only watched.
    #[must_use]
    pub fn mode(&self) -> Enforcement {
        self.mode
    }

    /// How long either side may be waited for.
    #[must_use]
    pub fn timeouts(&self) -> SessionTimeouts {
        self.gateway.timeouts(&self.on)
    }

    /// Queues the record that one side took too long.
    pub fn timed_out(&self, what: Timeout, after: Duration) {
        self.gateway.count_timeout(what);
        self.gateway.trail().append(&Record::timed_out(clock::now(), &self.origin, what, after));
    }

    /// Patterns of the columns that a mask may hide from this caller.
    #[must_use]
    pub fn protected_columns(&self) -> Vec<ColumnPattern> {
        self.rules.protected_columns()
    }

    /// The detectors that look at what the resource says besides rows.
    #[must_use]
    pub fn detectors(&self) -> MaskPlan {
        self.rules.detectors()
    }

    /// Counts the policies up to the one by which the session judges.
    #[must_use]
    pub fn edition(&self) -> u64 {
        self.edition
    }

    /// Judges by the policy in force from now on, and counts the policies that were: another number means that columns
    /// may be protected by another one, and that what the session's facts say of them is to be asked again.
    pub fn follow_policy(&mut self) -> u64 {
        if self.reading != self.gateway.reading() {
            let InForce { policy, edition, reading } = self.gateway.in_force();
            let before = std::mem::replace(&mut self.rules, policy.session(&self.who, &self.on));
            (self.edition, self.reading) = (edition, reading);
            let known = std::mem::take(&mut self.facts.exposures);
            self.facts.exposures = known.of_others(&before.protected_columns(), &self.rules.protected_columns());
        }
        self.edition
    }

    /// The refusal of a statement that no parameters, no time and no grant could permit; asked when it is prepared.
    /// A refusal is recorded. Where the policy is only watched there is none: what is prepared goes on record when it
    /// is to be carried out.
    pub fn prepare(&mut self, command: &Command) -> Soon<Option<Denial>> {
        self.follow_policy();
        if let Some(over) = self.over() {
            return Soon::Now(Some(over));
        }
        let refused = match self.mode {
            Enforcement::Enforce => self.rules.prepare(&call(&self.facts, &self.origin, command, None)),
            Enforcement::Observe => None,
        };
        let Some(refused) = refused else { return Soon::Now(None) };
        let denial = |outcome| match outcome {
            Outcome::Block(denial) => Some(denial),
            Outcome::Allow(_) | Outcome::Approve(_) => None,
        };
        match record(&self.gateway, &self.origin, refused) {
            Soon::Now(outcome) => Soon::Now(denial(outcome)),
            Soon::Later(outcome) => Soon::later(async move { denial(outcome.await) }),
        }
    }

    /// Decides a command at once; the answer comes when the decision is recorded. Parameters are the values bound to
    /// it, where they are known.
    pub fn admit(&mut self, command: &Command, parameters: Option<&dyn Parameters>) -> Soon<Admission> {
        self.follow_policy();
        if let Some(over) = self.over() {
            return Soon::Now(Admission::Denied(over));
        }
        let rates = Rates::Counted(self.gateway.rates(self.mode));
        let call = Call { rates, ..call(&self.facts, &self.origin, command, parameters) };
        let (grants, session) = (self.gateway.grants(), &self.origin.session);
        let decision = match self.mode {
            Enforcement::Enforce => {
                self.rules.decide_granted(&call, &mut |pending| grants.draw(pending, session, call.now))
            }
            Enforcement::Observe => self.rules.decide(&call).observe(),
        };
        match record(&self.gateway, &self.origin, decision) {
            Soon::Now(Outcome::Allow(permit)) => Soon::Now(Admission::Permitted(permit)),
            Soon::Now(Outcome::Block(denial)) => Soon::Now(Admission::Denied(denial)),
            Soon::Now(Outcome::Approve(pending)) => Soon::later(self.hold(pending)),
            Soon::Later(outcome) => {
                let (gateway, origin, edition) = (self.gateway.clone(), self.origin.clone(), self.edition);
                Soon::later(async move {
                    match outcome.await {
                        Outcome::Allow(permit) => Admission::Permitted(permit),
                        Outcome::Block(denial) => Admission::Denied(denial),
                        Outcome::Approve(pending) => hold(gateway, origin, pending, edition).await,
                    }
                })
            }
        }
    }

    /// Queues the record of what was carried out; in order, and never lost silently.
    pub fn close(&self, event: Event) {
        if let Some(metrics) = self.gateway.metrics() {
            metrics.event(&event);
        }
        self.gateway.trail().append(&Record::event(&self.origin, &event));
    }

    /// The refusal of whatever comes after the token's end.
    fn over(&mut self) -> Option<Denial> {
        self.time_left().filter(Duration::is_zero)?;
        self.expired();
        Some(Denial::internal("the token that opened this session has ended; connect again with a new one"))
    }

    /// Queues the record that the session's token has ended, once: for the adapter that closes the connection then.
    pub fn expired(&mut self) {
        if !std::mem::replace(&mut self.expired, true) {
            self.gateway.trail().append(&Record::session_expired(clock::now(), &self.origin));
        }
    }

    fn hold(&self, pending: PendingApproval) -> impl Future<Output = Admission> + Send + use<> {
        hold(self.gateway.clone(), self.origin.clone(), pending, self.edition)
    }
}

/// Asks people about a command.
async fn hold(gateway: Gateway, origin: Origin, pending: PendingApproval, edition: u64) -> Admission {
    match approvals::hold(gateway, origin, pending, edition).await {
        Ok(hold) => Admission::Held(hold),
        Err(denial) => Admission::Denied(denial),
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.gateway.grants().end_session(&self.origin.session);
    }
}

fn call<'a>(
    facts: &'a SessionFacts,
    origin: &Origin,
    command: &'a Command,
    parameters: Option<&'a dyn Parameters>,
) -> Call<'a> {
    Call { parameters, source: origin.source, ..Call::new(command, facts, clock::now()) }
}

/// Queues a decision's record at once; the outcome comes when the record is safe.
pub(crate) fn record(gateway: &Gateway, origin: &Origin, decision: Decision) -> Soon<Outcome> {
    let (event, sealed) = decision.seal();
    log(origin, &event);
    let begun = gateway.metrics().map(|metrics| {
        metrics.event(&event);
        Instant::now()
    });
    match gateway.trail().submit(&Record::event(origin, &event)).settled() {
        Ok(safe) => {
            count_wait(gateway.metrics(), begun);
            Soon::Now(recorded(safe.map_err(AuditFailure::from), event, sealed))
        }
        Err(ticket) => {
            let (origin, number, metrics) = (origin.clone(), event.id().number(), gateway.metrics().cloned());
            let late = (!is_refused(&event)).then_some(move || Record::not_carried_out(clock::now(), &origin, number));
            let confirmation = Confirmation::new(gateway.trail().clone(), ticket, late);
            Soon::later(async move {
                let safe = in_time(confirmation).await;
                count_wait(metrics.as_ref(), begun);
                recorded(safe, event, sealed)
            })
        }
    }
}

fn count_wait(metrics: Option<&Metrics>, begun: Option<Instant>) {
    if let Some((metrics, begun)) = metrics.zip(begun) {
        metrics.waited(begun.elapsed());
    }
}

/// Whether a decision refuses its command, which then is refused also where that cannot be recorded.
fn is_refused(event: &Event) -> bool {
    match &event.kind {
        EventKind::Decided { verdict: Verdict::Block, .. } => !event.observed,
        EventKind::Decided { verdict: Verdict::Allow | Verdict::Mask | Verdict::Approve, .. }
        | EventKind::Closed { .. } => false,
    }
}

/// The outcome of a decision whose record is safe, or the refusal where it is not.
fn recorded(safe: Result<(), AuditFailure>, event: Event, sealed: Sealed) -> Outcome {
    match safe {
        Ok(()) => sealed.release(event.written()),
        Err(failure) => Outcome::Block(sealed.refuse(&failure)),
    }
}

/// What the log tells of a decision: no text of the command, no value.
fn log(origin: &Origin, event: &Event) {
    let EventKind::Decided { verdict, rule, .. } = &event.kind else { return };
    let (user, resource) = (event.who.user.escape_debug(), &event.resource.0);
    let observed = event.observed;
    tracing::debug!(session = %origin.session, %user, %resource, %verdict, rule = %rule.name, observed, "decided");
}
