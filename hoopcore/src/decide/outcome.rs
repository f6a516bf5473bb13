//! From what was found to a decision: its words, its record, and what it releases.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::evaluation::{Evaluation, Item, SqlItem, Step};
use super::protect::{Refusal, is_opaque, reads_through};
use super::{Details, Finding, Findings};
use crate::audit::{Event, EventKind};
use crate::command::sql::{Columns, Object, Verb};
use crate::command::{Command, Coverage, Digest, Effects};
use crate::decision::{
    ApprovalContext, ApprovalRequest, Decision, DecisionId, Demand, Denial, EffectNote, Explanation, Outcome,
    PendingApproval, Permit, RuleRef, Verdict,
};
use crate::grant::{GrantNote, after, repeats};
use crate::limit::{LimitKind, Limits};
use crate::mask::{AppliedMask, ColumnMask, MaskPlan};
use crate::parameters::{Parameter, Parameters};
use crate::policy::rule::{Action, Rule};
use crate::policy::standings::Named;
use crate::request::{Call, Exposures};

/// The words that stand in an explanation and a record.
pub(super) struct Words {
    pub(super) verdict: Verdict,
    pub(super) rule: RuleRef,
    pub(super) reason: Option<Cow<'static, str>>,
    /// The limit that refuses, where one does.
    pub(super) limit: Option<LimitKind>,
    pub(super) grant: Option<GrantNote>,
}

impl<'a> Evaluation<'a> {
    /// The decision that the findings come to.
    pub(super) fn conclude(&self, findings: &Findings, details: Details) -> Decision {
        let words = self.words(findings, &details);
        let demands = self.demands(&details);
        self.decision(words, findings, details, |evaluation, words, permit| match words.verdict {
            Verdict::Block => Outcome::Block(words.denial()),
            Verdict::Approve => Outcome::Approve(evaluation.pending(demands, findings.masked)),
            Verdict::Allow | Verdict::Mask => Outcome::Allow(permit()),
        })
    }

    /// A decision with these words; `release` says what it comes to.
    pub(super) fn decision(
        &self,
        words: Words,
        findings: &Findings,
        details: Details,
        release: impl FnOnce(&Self, &Words, &dyn Fn() -> Permit) -> Outcome,
    ) -> Decision {
        let id = DecisionId::next();
        let masks = if words.verdict == Verdict::Block || !findings.masked { Vec::new() } else { self.applied_masks() };
        let uncertain = self.uncertain();
        let event = self.event(id, &words, details.recorded, masks.clone(), uncertain.clone());
        let limits = if words.verdict == Verdict::Block { Limits::default() } else { self.limits() };
        let permit = || Permit::of(&event, self.mask_plan(findings.masked), &limits);
        let outcome = release(self, &words, &permit);
        let Words { verdict, rule, reason, limit: _, grant: _ } = words;
        let explanation = Explanation { verdict, rule, reason, effects: details.notes, masks, limits, uncertain };
        Decision { id, explanation: Arc::new(explanation), event, outcome }
    }

    /// The deciding rule: an explicit block before `default`, a mask's refusal after it, then the approve, then the
    /// allow; `harmless` where none was asked.
    pub(super) fn words(&self, findings: &Findings, details: &Details) -> Words {
        let verdict = findings.verdict();
        if let Some(rule) = findings.block.place().and_then(|rule| self.session.rule(rule)) {
            let reason = rule.reason.as_ref().map_or_else(|| self.blocked(rule, details), |reason| text(reason));
            return Words { verdict, rule: rule.at.clone(), reason: Some(reason), limit: None, grant: None };
        }
        if findings.uncovered || findings.block.is_found() {
            let reason = Some(self.not_allowed(details));
            return Words { verdict, rule: reserved("default"), reason, limit: None, grant: None };
        }
        if let Some(Refusal { rule, why }) = findings.refusal {
            let reason = Some(Cow::Borrowed(why.words()));
            return Words { verdict, rule: self.rule_ref(rule, "default"), reason, limit: None, grant: None };
        }
        if let Some(rule) = findings.rate.place() {
            return self.too_often(rule);
        }
        let rule = findings.demand.place().or(findings.allow.place()).and_then(|rule| self.session.rule(rule));
        let reason = rule.and_then(|rule| rule.reason.as_ref()).map(|reason| text(reason));
        let rule = rule.map_or_else(|| reserved("harmless"), |rule| rule.at.clone());
        Words { verdict, rule, reason, limit: None, grant: None }
    }

    /// Why a rate refuses.
    fn too_often(&self, rule: usize) -> Words {
        let limit = self.rate(rule).map(|limit| limit.denial());
        let reason = match (limit, self.uncounted()) {
            (Some(denial), None) => denial.reason,
            (_, _) => {
                Cow::Borrowed("a rule limits how many commands are permitted per minute, and nothing counts them")
            }
        };
        let limit = Some(LimitKind::PerMinute);
        Words {
            verdict: Verdict::Block,
            rule: self.rule_ref(rule, "default"),
            reason: Some(reason),
            limit,
            grant: None,
        }
    }

    fn rule_ref(&self, rule: usize, otherwise: &str) -> RuleRef {
        self.session.rule(rule).map_or_else(|| reserved(otherwise), |rule| rule.at.clone())
    }

    /// Why a block without a reason of its own refused.
    fn blocked(&self, rule: &Rule, details: &Details) -> Cow<'static, str> {
        let blocked = details.notes.iter().position(|note| note.rule.as_ref() == Some(&rule.at));
        match blocked.and_then(|at| details.recorded.get(at)) {
            Some(effect) => format!("{} is blocked", quoted(effect)).into(),
            None => Cow::Borrowed("the command is blocked"),
        }
    }

    /// Why the rule called `default` refused.
    fn not_allowed(&self, details: &Details) -> Cow<'static, str> {
        let effect = details.uncovered.and_then(|at| details.recorded.get(at));
        match (effect, self.uncertain()) {
            (Some(effect), Some(why)) if effect.starts_with("unknown ") => {
                let what = match self.call.command.what() {
                    Effects::Sql(_) => "statement",
                    Effects::Http(_) | Effects::Kubernetes(_) => "request",
                    Effects::Ssh(_) => "command line",
                };
                format!("hoop could not read the {what}: {why}").into()
            }
            (Some(effect), _) => format!("no rule allows {}", quoted(effect)).into(),
            (None, _) => Cow::Borrowed("no rule allows the command"),
        }
    }

    fn uncertain(&self) -> Option<Cow<'static, str>> {
        match self.call.command.coverage() {
            Coverage::Full => None,
            Coverage::Partial(why) => Some(why),
        }
    }

    pub(super) fn note(&self, item: &Item<'_>, finding: &Finding, object: String) -> EffectNote {
        let rule = finding.rule().and_then(|rule| self.session.rule(rule)).map(|rule| rule.at.clone());
        let effect = item.effect();
        EffectNote { verb: effect.verb(), object, facts: effect.facts(), rule }
    }

    /// An effect as records name it: without anything that is a literal of the command.
    pub(super) fn recorded(&self, item: &Item<'_>, object: &str) -> String {
        let object = match item {
            Item::Sql(item) if is_identifier(item) => Cow::Borrowed(object),
            Item::Sql(_) => Cow::Borrowed("?"),
            Item::Http(_) | Item::Kubernetes(_) => Cow::Borrowed(object),
            Item::Ssh(effect) => effect.recorded(),
        };
        [item.effect().verb(), " ", &object].concat()
    }

    /// The object in full.
    pub(super) fn object(&self, item: &Item<'_>) -> String {
        match item {
            Item::Sql(item) => self.sql_object(item),
            Item::Http(_) | Item::Kubernetes(_) | Item::Ssh(_) => item.effect().to_string(),
        }
    }

    /// The object with the schema that it is surely in.
    fn sql_object(&self, item: &SqlItem<'_>) -> String {
        match &item.effect.object {
            Object::Relation(name) | Object::Function(name) if name.schema.is_none() => {
                self.home(name, item).map_or_else(|| name.to_string(), |home| format!("{home}.{name}"))
            }
            Object::Relation(_)
            | Object::Function(_)
            | Object::Setting(_)
            | Object::Schema(_)
            | Object::Named(_)
            | Object::Prepared(_)
            | Object::Cursor(_)
            | Object::Any => item.effect.object.to_string(),
        }
    }

    fn event(
        &self,
        id: DecisionId,
        words: &Words,
        effects: Vec<String>,
        masks: Vec<AppliedMask>,
        uncertain: Option<Cow<'static, str>>,
    ) -> Event {
        let (rule, reason) = (words.rule.clone(), words.reason.clone());
        let Named { caller, resource } = self.session.named();
        Event {
            id,
            at: self.call.now,
            who: caller,
            resource,
            command: self.call.command.shared_canonical(),
            digest: *self.call.command.digest(),
            effects: effects.into(),
            policy: *self.session.policy.digest(),
            observed: false,
            kind: EventKind::Decided {
                verdict: words.verdict,
                rule,
                reason,
                masks,
                uncertain,
                grant: words.grant.clone(),
            },
        }
    }

    /// The masks of the permit; those made once where no mask rule has a `when`.
    fn mask_plan(&self, tainted: bool) -> Arc<MaskPlan> {
        let guarded = self.guards_columns();
        match self.session.kept.and_then(|kept| kept.plans.as_ref()) {
            Some(plans) if !guarded => plans.without_columns.clone(),
            Some(plans) if tainted => plans.tainted.clone(),
            Some(plans) => plans.clean.clone(),
            None => Arc::new(self.session.plan(|rule| self.is_armed(rule), guarded, tainted)),
        }
    }

    /// Whether a mask rule may reach something of the command; of a command without effects nothing is known.
    fn is_armed(&self, rule: &Rule) -> bool {
        let standing = self
            .session
            .rules
            .masks
            .iter()
            .find(|standing| self.session.rule(standing.rule).is_some_and(|other| other.at.name == rule.at.name));
        let (mut effects, mut armed) = (false, false);
        self.walk(&mut |step| {
            if let Step::Effect(item) = step {
                effects = true;
                armed |= standing.is_none_or(|standing| self.reaches(*standing, &item).is_possible());
            }
        });
        armed || !effects
    }

    /// The column masks that can act on what returns.
    fn applied_masks(&self) -> Vec<AppliedMask> {
        if self.session.rules.masks.is_empty() || !self.guards_columns() {
            return Vec::new();
        }
        let mut applied: Vec<AppliedMask> = Vec::new();
        self.walk(&mut |step| {
            let Step::Effect(Item::Sql(item)) = step else { return };
            for standing in &self.session.rules.masks {
                let Some(Action::Mask(masks)) = self.session.rule(standing.rule).map(|rule| &rule.action) else {
                    continue;
                };
                if !self.reaches(*standing, &Item::Sql(item)).is_possible() {
                    continue;
                }
                for mask in &masks.columns {
                    for column in self.masked_columns(mask, &item) {
                        let mask = AppliedMask { column, style: mask.style.clone(), rule: mask.rule.clone() };
                        if !applied.contains(&mask) {
                            applied.push(mask);
                        }
                    }
                }
            }
        });
        applied.sort_by(|a, b| (&a.column, &a.rule.name).cmp(&(&b.column, &b.rule.name)));
        applied
    }

    /// The columns of a mask that an effect may return, by their full names where those are known.
    fn masked_columns(&self, mask: &ColumnMask, item: &SqlItem<'_>) -> BTreeSet<String> {
        let columns = &item.effect.facts.returned;
        if item.is_asked() && is_opaque(item.effect.verb) {
            return BTreeSet::from([mask.pattern.to_string()]);
        }
        if columns.is_empty() || !self.may_read(&mask.pattern, item.effect, columns) {
            return BTreeSet::new();
        }
        if let Exposures::Known(exposures) = &self.call.session.exposures {
            let read = exposures.iter().filter(|exposure| reads_through(exposure, &mask.pattern, item.effect, columns));
            return read.map(|exposure| exposure.exposes.to_string()).collect();
        }
        let words = |column: &str| match &item.effect.object {
            Object::Relation(name) if name.schema.is_some() || self.home(name, item).is_some() => {
                format!("{}.{column}", self.sql_object(item))
            }
            Object::Relation(_)
            | Object::Function(_)
            | Object::Setting(_)
            | Object::Schema(_)
            | Object::Named(_)
            | Object::Prepared(_)
            | Object::Cursor(_)
            | Object::Any => mask.pattern.to_string(),
        };
        match columns {
            Columns::All if mask.pattern.column.is_literal() => BTreeSet::from([words(mask.pattern.column.as_str())]),
            Columns::All => BTreeSet::from([mask.pattern.to_string()]),
            Columns::Named(names) => {
                names.iter().filter(|name| mask.pattern.column.matches(name)).map(|name| words(name)).collect()
            }
        }
    }

    /// What is demanded of people, in the order of the rules' names.
    pub(super) fn demands(&self, details: &Details) -> Vec<Demand> {
        let demand = |rule: &usize| {
            let Rule { at, action: Action::Approve(approval), .. } = self.session.rule(*rule)? else { return None };
            Some(Demand {
                rule: at.clone(),
                group: approval.group.clone(),
                people: approval.people,
                within: approval.within,
                terms: approval.terms,
                agreed: BTreeSet::new(),
            })
        };
        details.demands.iter().filter_map(demand).collect()
    }

    /// What waits for people; `tainted` says whether it may return a protected value.
    pub(super) fn pending(&self, demands: Vec<Demand>, tainted: bool) -> PendingApproval {
        let call = self.call;
        let named = self.named();
        let request = ApprovalRequest {
            id: None,
            who: self.session.who.clone(),
            resource: self.session.on.name.clone(),
            command: call.command.clone(),
            parameters: call.parameters.map(shown),
            digest: bound(call, &named),
            named,
            deadline: deadline(call.now, &demands),
            rules: demands.iter().map(|demand| demand.rule.clone()).collect(),
            uncertain: self.uncertain(),
        };
        let held = ApprovalContext {
            policy: *self.session.policy.digest(),
            protected: self.session.protected_columns(),
            on: self.session.on.clone(),
            session: call.session.clone(),
            source: call.source,
            since: call.now,
            plan: self.mask_plan(tainted),
            until: None,
            repeats: repeats(call, &request.named),
        };
        PendingApproval { request: Box::new(request), demands, held: Box::new(held) }
    }

    /// What the prepared statements and cursors do that the session knows and the command names.
    fn named(&self) -> Vec<(String, Command)> {
        let facts = self.call.session;
        let known = |object: &Object| match object {
            Object::Prepared(name) => facts.prepared.get_key_value(name),
            Object::Cursor(name) => facts.cursors.get_key_value(name),
            Object::Relation(_)
            | Object::Function(_)
            | Object::Setting(_)
            | Object::Schema(_)
            | Object::Named(_)
            | Object::Any => None,
        };
        let effects = self.call.command.statements().iter().flat_map(|statement| &statement.effects);
        effects.filter_map(|effect| known(&effect.object)).map(|(name, does)| (name.clone(), does.clone())).collect()
    }
}

impl Words {
    /// The refusal in these words.
    pub(super) fn denial(&self) -> Denial {
        let reason = self.reason.clone().unwrap_or(Cow::Borrowed("the command is refused"));
        Denial { rule: self.rule.clone(), reason, limit: self.limit }
    }
}

/// The name of a rule that no policy holds.
pub(super) fn reserved(name: &str) -> RuleRef {
    RuleRef { name: Arc::from(name), file: None, line: None }
}

fn text(text: &Arc<str>) -> Cow<'static, str> {
    Cow::Owned(text.to_string())
}

/// `verb object` as a sentence names it.
fn quoted(effect: &str) -> String {
    match effect.split_once(' ') {
        Some((verb, object)) if object != "*" && object != "?" => format!("`{verb}` on `{object}`"),
        Some((verb, _)) => format!("`{verb}`"),
        None => format!("`{effect}`"),
    }
}

/// Whether an object's name may stand in a record: a name, and no literal of the command.
fn is_identifier(item: &SqlItem<'_>) -> bool {
    match &item.effect.object {
        Object::Relation(_) | Object::Function(_) | Object::Schema(_) | Object::Any => true,
        Object::Named(_) if matches!(item.effect.verb, Verb::File | Verb::Program | Verb::Notify) => false,
        Object::Setting(name) | Object::Named(name) | Object::Prepared(name) | Object::Cursor(name) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$' | b'-');
            name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        }
    }
}

/// What people are shown of parameters.
fn shown(parameters: &dyn Parameters) -> Vec<Parameter<'static>> {
    (0..parameters.count()).map_while(|index| parameters.get(index).map(Parameter::into_owned)).collect()
}

/// SHA-256 over a command, its parameters, what it names and where names are looked up, each with its length before it.
fn bound(call: &Call<'_>, named: &[(String, Command)]) -> Digest {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(call.command.digest());
    // The same text can be read in another way, and not at all, where a setting differs.
    part(call.command.canonical().as_bytes());
    part(&(call.parameters.map_or(0, Parameters::count) as u64).to_be_bytes());
    if let Some(parameters) = call.parameters {
        parameters.identify(&mut part);
    }
    part(&(named.len() as u64).to_be_bytes());
    for (name, does) in named {
        part(name.as_bytes());
        part(does.digest());
    }
    call.session.search_path.iter().for_each(|schema| part(schema.as_bytes()));
    hash.finalize().into()
}

/// The shortest time that a rule waits.
pub(super) fn deadline(since: Timestamp, demands: &[Demand]) -> Timestamp {
    let within = demands.iter().map(|demand| demand.within).min().unwrap_or_default();
    after(since, within)
}
