//! The reference: every rule is asked about every effect, in the words of the language's meaning.
//!
//! A truth is `Some(true)`, `Some(false)` or `None`, which is "may".

use std::collections::BTreeSet;

use hoopcore::command::sql::{Columns, Duty, Effect, Facts, Object, Verb};
use hoopcore::identity::IdentityKind;
use hoopcore::{QualifiedName, Truth, Verdict};

use crate::model::{
    ActionModel, Infer, LimitsModel, OnModel, PolicyModel, RatesModel, ReachModel, RequestModel, RuleModel, WhenModel,
    WhoModel,
};

type Kleene = Option<bool>;

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) rule: String,
    /// The approves that demand.
    pub(crate) demands: BTreeSet<String>,
    /// The most rows, bytes and seconds, each with its rule.
    pub(crate) limits: Vec<Most>,
}

/// The most that is let through, and the rule that says so.
pub(crate) type Most = Option<(u64, String)>;

/// An effect with what is known of the session where it happens.
struct Happening {
    effect: Effect,
    statement: usize,
    harmless: Kleene,
    path: Vec<String>,
    shadowed: bool,
    fetched: bool,
    /// A cursor of which nothing is known.
    unseen: bool,
}

struct World<'a> {
    policy: &'a PolicyModel,
    request: &'a RequestModel,
    happenings: Vec<Happening>,
}

pub(crate) fn evaluate(policy: &PolicyModel, request: &RequestModel) -> Answer {
    let world = World { policy, request, happenings: happenings(request) };
    let blocks: Vec<&str> = world.rules_that(ActionModel::is_block, |truth| truth != Some(false));
    if let Some(first) = blocks.first() {
        return block(first);
    }
    let asked: Vec<&Happening> = world.happenings.iter().filter(|happening| happening.harmless != Some(true)).collect();
    if asked.iter().any(|happening| !world.is_covered(happening)) {
        return block("default");
    }
    if let Some(mask) = world.refusing_mask() {
        return block(&mask);
    }
    if let Some(rule) = world.rate_without_room() {
        return block(&rule);
    }
    let limits = vec![
        world.smallest(|limits| limits.rows),
        world.smallest(|limits| limits.bytes),
        world.smallest(|limits| limits.seconds),
    ];
    let demands: BTreeSet<String> = policy
        .rules
        .iter()
        .filter(|rule| rule.action.is_approve())
        .filter(|rule| asked.iter().any(|happening| world.reaches(rule, happening) != Some(false)))
        .map(|rule| rule.name.clone())
        .collect();
    if let Some(first) = demands.first().cloned() {
        return Answer { verdict: Verdict::Approve, rule: first, demands, limits };
    }
    let allows = policy.rules.iter().filter(|rule| matches!(rule.action, ActionModel::Allow(_)));
    let covering = allows.filter(|rule| asked.iter().any(|happening| world.reaches(rule, happening) == Some(true)));
    let rule = covering.map(|rule| rule.name.clone()).min().unwrap_or("harmless".into());
    let verdict = if world.a_mask_can_act() { Verdict::Mask } else { Verdict::Allow };
    Answer { verdict, rule, demands, limits }
}

fn block(rule: &str) -> Answer {
    Answer { verdict: Verdict::Block, rule: rule.into(), demands: BTreeSet::new(), limits: vec![None; 3] }
}

/// Each effect, with what names stand for put in their place.
fn happenings(request: &RequestModel) -> Vec<Happening> {
    let mut happenings = Vec::new();
    let mut path = request.path.clone();
    let mut shadowed = false;
    for (statement, model) in request.statements.iter().enumerate() {
        for effect in &model.effects {
            let (effects, fetched) = match &effect.object {
                Object::Prepared(name) => (request.prepared.get(name).cloned(), false),
                Object::Cursor(name) => (request.cursors.get(name).cloned(), true),
                _ => (Some(vec![effect.clone()]), false),
            };
            let unseen = fetched && effects.is_none();
            let nothing_known = if fetched { fetched_unseen() } else { Effect::unknown() };
            for effect in effects.unwrap_or(vec![nothing_known]) {
                let harmless = if fetched { Some(true) } else { harmless(&effect, request, shadowed) };
                let bears = |name: &QualifiedName| request.shadows.contains(&name.name);
                let shadowed = shadowed || matches!(&effect.object, Object::Function(name) if bears(name));
                let path = path.clone();
                happenings.push(Happening { effect, statement, harmless, path, shadowed, fetched, unseen });
            }
        }
        shadowed |= model.effects.iter().any(|effect| effect.duty == Duty::Covered && brings_functions(effect));
        path = model.sets_path.clone().unwrap_or(path);
    }
    happenings
}

/// What a cursor returns of which nothing is known: it was judged when it was declared, and may return anything.
fn fetched_unseen() -> Effect {
    let mut effect = Effect::new(Verb::Session, Object::Any);
    let none = Columns::none;
    let all = Facts::of_all_columns();
    effect.facts = Facts { inferred: none(), compared: none(), weighed: none(), behind: none(), ..all };
    effect.duty = Duty::Harmless;
    effect
}

fn harmless(effect: &Effect, request: &RequestModel, shadowed: bool) -> Kleene {
    match (effect.duty, &effect.object) {
        (Duty::Covered, _) => Some(false),
        (Duty::Harmless, _) => Some(true),
        (Duty::HarmlessUnlessShadowed, Object::Function(name)) => {
            let sure = name.schema.as_deref() == Some("pg_catalog");
            (sure || !(shadowed || request.shadows.contains(&name.name))).then_some(true)
        }
        (Duty::HarmlessUnlessShadowed, _) => None,
    }
}

/// After these, a shipped name may mean something else.
fn brings_functions(effect: &Effect) -> bool {
    let defines = matches!(effect.verb, Verb::Create | Verb::Alter);
    let runs = [Verb::Admin, Verb::Unknown, Verb::Fastpath, Verb::Call, Verb::Program, Verb::Replicate];
    runs.contains(&effect.verb) || defines && (effect.facts.code || !matches!(effect.object, Object::Relation(_)))
}

impl ActionModel {
    fn is_block(&self) -> bool {
        matches!(self, Self::Block(_) | Self::BlockAll)
    }

    fn is_approve(&self) -> bool {
        matches!(self, Self::Approve(_) | Self::Otherwise)
    }
}

impl World<'_> {
    /// The allows whose limits hold: those that may reach what an allow is asked for, or what a cursor returns.
    fn limiting(&self) -> impl Iterator<Item = &RuleModel> {
        let holds = |rule: &RuleModel, happening: &Happening| {
            (happening.harmless != Some(true) || happening.fetched)
                && (happening.unseen && self.concerns(rule) != Some(false)
                    || self.reaches(rule, happening) != Some(false))
        };
        let allows = self.policy.rules.iter().filter(|rule| matches!(rule.action, ActionModel::Allow(_)));
        allows.filter(move |rule| self.happenings.iter().any(|happening| holds(rule, happening)))
    }

    fn smallest(&self, of: fn(&LimitsModel) -> Option<u64>) -> Option<(u64, String)> {
        self.limiting().filter_map(|rule| Some((of(&rule.limits)?, rule.name.clone()))).min()
    }

    fn rate_without_room(&self) -> Option<String> {
        let rated = self.limiting().filter(|rule| rule.limits.per_minute.is_some()).map(|rule| rule.name.clone());
        match &self.request.rates {
            RatesModel::Nothing => rated.min(),
            RatesModel::Counter(full) => rated.filter(|rule| full.contains(rule)).min(),
            RatesModel::Ignored => None,
        }
    }

    fn rules_that(&self, kind: fn(&ActionModel) -> bool, wanted: fn(Kleene) -> bool) -> Vec<&str> {
        let rules = self.policy.rules.iter().filter(|rule| kind(&rule.action));
        let reaching =
            rules.filter(|rule| self.happenings.iter().any(|happening| wanted(self.reaches(rule, happening))));
        let mut names: Vec<&str> = reaching.map(|rule| rule.name.as_str()).collect();
        names.sort();
        names
    }

    fn is_covered(&self, happening: &Happening) -> bool {
        let covering = |rule: &&RuleModel| matches!(rule.action, ActionModel::Allow(_)) || rule.action.is_approve();
        self.policy.rules.iter().filter(covering).any(|rule| self.reaches(rule, happening) == Some(true))
    }

    fn is_allowed(&self, happening: &Happening) -> bool {
        let allows = self.policy.rules.iter().filter(|rule| matches!(rule.action, ActionModel::Allow(_)));
        allows.into_iter().any(|rule| self.reaches(rule, happening) == Some(true))
    }

    /// Who, on, when and the pattern, taken together.
    fn reaches(&self, rule: &RuleModel, happening: &Happening) -> Kleene {
        let pattern = match &rule.action {
            ActionModel::Allow(reaches) | ActionModel::Approve(reaches) => self.pattern(reaches, happening, false),
            ActionModel::Block(reaches) => self.pattern(reaches, happening, true),
            ActionModel::BlockAll | ActionModel::Mask { .. } => Some(true),
            ActionModel::Otherwise => Some(happening.effect.verb != Verb::Unknown && !self.is_allowed(happening)),
        };
        all([self.concerns(rule), self.when(&rule.when, happening), pattern])
    }

    fn concerns(&self, rule: &RuleModel) -> Kleene {
        let who = any(rule.who.iter().map(|who| self.who(who)));
        let on = any(rule.on.iter().map(|on| self.on(on)));
        all([if rule.who.is_empty() { Some(true) } else { who }, if rule.on.is_empty() { Some(true) } else { on }])
    }

    fn who(&self, who: &WhoModel) -> Kleene {
        let identity = &self.request.who;
        match who {
            WhoModel::Not(inner) => self.who(inner).map(|truth| !truth),
            WhoModel::Facts { user, group, claim, kind, issuer } => {
                let one_of = |patterns: &[String], text: &str| patterns.iter().any(|pattern| glob(pattern, text));
                let mut facts = vec![];
                if !user.is_empty() {
                    facts.push(Some(one_of(user, &identity.user)));
                }
                if !group.is_empty() {
                    let groups = identity.groups.as_ref();
                    facts.push(groups.map(|groups| groups.iter().any(|name| one_of(group, name))));
                }
                if !issuer.is_empty() {
                    facts.push(identity.issuer.as_ref().map(|known| one_of(issuer, known)));
                }
                if !claim.is_empty() {
                    facts.push(identity.claims.get("ref").map(|known| one_of(claim, known)));
                }
                if !kind.is_empty() {
                    let word = |kind| if kind == IdentityKind::Human { "human" } else { "workload" };
                    facts.push(identity.kind.map(|known| kind.contains(&word(known))));
                }
                all(facts)
            }
        }
    }

    fn on(&self, on: &OnModel) -> Kleene {
        let resource = &self.request.on;
        match on {
            OnModel::Name(name) => Some(glob(name, &resource.name)),
            OnModel::Label(value) => {
                resource.labels.as_ref().map(|labels| labels.get("env").is_some_and(|known| glob(value, known)))
            }
            OnModel::Database(name) => resource.database.as_ref().map(|known| glob(name, known)),
            OnModel::Not(inner) => self.on(inner).map(|truth| !truth),
        }
    }

    fn when(&self, alternatives: &[WhenModel], happening: &Happening) -> Kleene {
        if alternatives.is_empty() {
            return Some(true);
        }
        any(alternatives.iter().map(|when| self.fact(when, happening)))
    }

    fn fact(&self, when: &WhenModel, happening: &Happening) -> Kleene {
        let facts = &happening.effect.facts;
        let unreadable = happening.effect.verb == Verb::Unknown;
        match when {
            WhenModel::Unbounded(wanted) => kleene(facts.unbounded).map(|truth| truth == *wanted),
            WhenModel::Copy(wanted) => (!unreadable).then_some(facts.copy == *wanted),
            WhenModel::Code(wanted) => (!unreadable).then_some(facts.code == *wanted),
            WhenModel::Time(from, to) => Some(in_hours(self.request.hour, *from, *to)),
            WhenModel::Source(network) => {
                let prefix = network.split('/').next().unwrap().trim_end_matches(".0").to_string();
                self.request.source.map(|address| address.to_string().starts_with(&format!("{prefix}.")))
            }
            WhenModel::Claim(value) => self.request.who.claims.get("ref").map(|known| glob(value, known)),
            WhenModel::Parameter(number, value) => {
                let bound = |parameters: &Vec<Option<String>>| parameters.get(number - 1).cloned().flatten();
                self.request.parameters.as_ref().map(|all| bound(all).is_some_and(|bound| glob(value, &bound)))
            }
            WhenModel::Not(inner) => self.fact(inner, happening).map(|truth| !truth),
            WhenModel::Both(a, b) => all([self.fact(a, happening), self.fact(b, happening)]),
        }
    }

    fn pattern(&self, reaches: &[ReachModel], happening: &Happening, is_block: bool) -> Kleene {
        // Patterns of one verb are one list.
        let verbs: BTreeSet<&str> = reaches.iter().map(|reach| reach.verb).collect();
        any(verbs.into_iter().map(|verb| {
            let own = happening.effect.verb;
            let is_own = verb == own.word() || verb == "*" && (is_block || own != Verb::Unknown);
            let is_session = verb == "session" || verb == "*";
            let matches_verb = any([Some(is_own), all([Some(is_session), happening.harmless])]);
            let lists = reaches.iter().filter(|reach| reach.verb == verb);
            all([matches_verb, names(lists, happening)])
        }))
    }
}

/// Whether one of the lists names the object.
fn names<'a>(lists: impl Iterator<Item = &'a ReachModel> + Clone, happening: &Happening) -> Kleene {
    if lists.clone().any(|list| list.names.is_empty() || list.names.iter().any(|name| name == "*")) {
        return Some(true);
    }
    let patterns: Vec<&str> = lists.flat_map(|list| list.names.iter().map(String::as_str)).collect();
    match &happening.effect.object {
        Object::Relation(name) | Object::Function(name) => qualified(&patterns, name, happening),
        Object::Schema(name) => any(patterns.iter().map(|pattern| schema(pattern, name))),
        Object::Setting(name) => Some(patterns.iter().any(|pattern| glob(pattern, &name.to_lowercase()))),
        Object::Named(name) => Some(patterns.iter().any(|pattern| glob(pattern, name))),
        Object::Any => None,
        Object::Prepared(_) | Object::Cursor(_) => unreachable!(),
    }
}

fn split(pattern: &str) -> (&str, &str) {
    pattern.split_once('.').unwrap_or(("*", pattern))
}

/// A name with a schema is matched or not. Without, it is surely matched where it is in every schema that it may be
/// in, and may be matched where its last part is.
fn qualified(patterns: &[&str], name: &QualifiedName, happening: &Happening) -> Kleene {
    let in_schema = |home: &str| {
        patterns.iter().any(|pattern| {
            let (schema, last) = split(pattern);
            glob(schema, home) && glob(last, &name.name)
        })
    };
    if let Some(schema) = &name.schema {
        return Some(in_schema(schema));
    }
    let by_last = |pattern: &&&str| glob(split(pattern).1, &name.name);
    if !patterns.iter().any(|pattern| by_last(&pattern)) {
        return Some(false);
    }
    if patterns.iter().filter(by_last).any(|pattern| split(pattern).0 == "*") {
        return Some(true);
    }
    let homes = homes(name, happening);
    (!homes.is_empty() && homes.iter().all(|home| in_schema(home))).then_some(true)
}

/// The schemas that a name without one may be in; none where that is not known.
fn homes(name: &QualifiedName, happening: &Happening) -> Vec<String> {
    let is_function = matches!(happening.effect.object, Object::Function(_));
    let is_operator = is_function && happening.effect.duty == Duty::HarmlessUnlessShadowed;
    let listed = if is_function { ["lower", "pg_sleep"].contains(&&*name.name) } else { name.name == "pg_class" };
    let shipped = listed || is_operator && !happening.shadowed || is_function && name.name.starts_with("pg_");
    let elsewhere: Vec<String> = happening.path.iter().filter(|schema| *schema != "pg_catalog").cloned().collect();
    let catalog = vec!["pg_catalog".to_string()];
    if !shipped {
        return elsewhere;
    }
    if is_function {
        let surely = !happening.shadowed && (listed || is_operator);
        return match (surely, happening.path.is_empty()) {
            (true, _) => catalog,
            (false, true) => vec![],
            (false, false) => [catalog, elsewhere].concat(),
        };
    }
    if happening.path.is_empty() {
        return vec![];
    }
    match happening.path.iter().position(|schema| schema == "pg_catalog") {
        None => catalog,
        Some(at) => [catalog, happening.path[..at].to_vec()].concat(),
    }
}

/// A whole schema is surely matched where all in it is.
fn schema(pattern: &str, name: &str) -> Kleene {
    let (schema, last) = split(pattern);
    let written = pattern.contains('.');
    match glob(schema, name) {
        false => Some(false),
        true => (written && last == "*").then_some(true),
    }
}

/// What masks do: which statements they refuse, and whether one can act on what returns.
impl World<'_> {
    fn masks(&self) -> impl Iterator<Item = (&RuleModel, &Vec<String>, Infer, bool, bool)> {
        let mut rules: Vec<&RuleModel> = self.policy.rules.iter().collect();
        rules.sort_by_key(|rule| rule.name.clone());
        rules.into_iter().filter(|_| self.request.exposed).filter_map(|rule| match &rule.action {
            ActionModel::Mask { columns, infer, block_uncertain, copy, json: _ } => {
                Some((rule, columns, *infer, *block_uncertain, *copy))
            }
            _ => None,
        })
    }

    fn statements(&self) -> impl Iterator<Item = Vec<&Happening>> {
        let of = |statement| self.happenings.iter().filter(move |happening| happening.statement == statement).collect();
        (0..self.request.statements.len()).map(of)
    }

    fn a_mask_can_act(&self) -> bool {
        self.masks().any(|(rule, columns, ..)| {
            self.statements().flatten().any(|happening| {
                let armed = self.reaches(rule, happening) != Some(false);
                let facts = &happening.effect.facts;
                let returns = reads(columns, happening, &facts.returned);
                armed && (returns || runs_unseen(happening))
            })
        })
    }

    /// The mask rule that refuses: of the first statement that one refuses.
    fn refusing_mask(&self) -> Option<String> {
        self.statements().find_map(|statement| self.refusing(&statement))
    }

    fn refusing(&self, statement: &[&Happening]) -> Option<String> {
        let streams =
            |happening: &&Happening| happening.effect.verb == Verb::Replicate && happening.harmless != Some(true);
        let masks = self.policy.rules.iter().filter(|rule| matches!(rule.action, ActionModel::Mask { .. }));
        let standing = masks.filter(|rule| self.concerns(rule) != Some(false)).map(|rule| rule.name.clone()).min();
        if let (Some(rule), true) = (standing, statement.iter().any(streams)) {
            return Some(rule);
        }
        let refusing_alone = self.masks().find(|(rule, columns, infer, block_uncertain, copy)| {
            statement.iter().filter(|happening| self.reaches(rule, happening) != Some(false)).any(|happening| {
                let facts = &happening.effect.facts;
                let moves = reads(columns, happening, &facts.columns) || runs_unseen(happening);
                let copies = facts.copy && !copy && moves;
                let told = match infer {
                    Infer::Allow => &Columns::none(),
                    Infer::Equality => &facts.inferred,
                    Infer::Block => &facts.compared,
                };
                let infers = reads(columns, happening, told);
                let unseen = (*block_uncertain || *infer == Infer::Block) && runs_unseen(happening);
                let asked = happening.harmless != Some(true);
                let hides = asked && (facts.code || happening.effect.verb == Verb::Unknown);
                let alters = happening.effect.verb == Verb::Alter && may_read(columns, happening, &Columns::All);
                copies || infers || unseen || hides || alters
            })
        });
        if let Some((rule, ..)) = refusing_alone {
            return Some(rule.name.clone());
        }
        self.laundering(statement)
    }

    /// A protected value that is read, or may be, and something that keeps it where no mask reaches.
    fn laundering(&self, statement: &[&Happening]) -> Option<String> {
        let armed = |rule: &RuleModel, happening: &Happening| self.reaches(rule, happening) != Some(false);
        let reading = self.masks().find(|(rule, columns, ..)| {
            statement.iter().any(|h| armed(rule, h) && reads(columns, h, &h.effect.facts.stored))
        });
        let unseen = self.masks().find(|(rule, ..)| statement.iter().any(|h| runs_unseen(h) && armed(rule, h)));
        let runs = statement.iter().any(|happening| runs_unseen(happening));
        // A setting keeps a value, whoever may set it.
        let counts = |happening: &&&Happening| happening.harmless != Some(true) || happening.effect.verb == Verb::Set;
        let counted = statement.iter().filter(counts);
        let keeps = counted.filter(|happening| !runs_unseen(happening)).any(|happening| keeps(&happening.effect));
        match (reading, unseen) {
            (Some((rule, ..)), _) if keeps || runs => Some(rule.name.clone()),
            (_, Some((rule, ..))) if keeps => Some(rule.name.clone()),
            _ => None,
        }
    }
}

/// Runs what cannot be seen into, and so may read anything.
fn runs_unseen(happening: &Happening) -> bool {
    let verbs = [Verb::Unknown, Verb::Call, Verb::Fastpath, Verb::Replicate, Verb::Program];
    happening.harmless != Some(true) && verbs.contains(&happening.effect.verb)
}

/// Leaves something behind that could hold a value.
fn keeps(effect: &Effect) -> bool {
    let is_relation = matches!(effect.object, Object::Relation(_));
    match effect.verb {
        Verb::Read | Verb::Delete | Verb::Truncate | Verb::Drop | Verb::Listen | Verb::Session => false,
        Verb::Lock => !is_relation,
        _ => true,
    }
}

/// Whether a protected column may be read, and be among some of those that are.
fn reads(patterns: &[String], happening: &Happening, among: &Columns) -> bool {
    may_read(patterns, happening, &happening.effect.facts.columns) && may_read(patterns, happening, among)
}

/// Whether a protected column may be among these.
fn may_read(patterns: &[String], happening: &Happening, columns: &Columns) -> bool {
    patterns.iter().any(|pattern| {
        let parts: Vec<&str> = pattern.split('.').collect();
        let (schema, relation, column) =
            if let [relation, column] = parts[..] { ("*", relation, column) } else { (parts[0], parts[1], parts[2]) };
        let is_there = match &happening.effect.object {
            Object::Relation(name) => {
                glob(relation, &name.name) && name.schema.as_ref().is_none_or(|known| glob(schema, known))
            }
            Object::Schema(name) => glob(schema, name),
            Object::Function(_) | Object::Any => true,
            Object::Setting(_) | Object::Named(_) => false,
            Object::Prepared(_) | Object::Cursor(_) => unreachable!(),
        };
        is_there
            && match columns {
                Columns::All => true,
                Columns::Named(names) => names.iter().any(|name| glob(column, name)),
            }
    })
}

fn in_hours(hour: u8, from: u8, to: u8) -> bool {
    // A case is at half past the hour.
    if from < to { from <= hour && hour < to } else { hour >= from || hour < to }
}

fn kleene(truth: Truth) -> Kleene {
    match truth {
        Truth::No => Some(false),
        Truth::May => None,
        Truth::Yes => Some(true),
    }
}

fn all(facts: impl IntoIterator<Item = Kleene>) -> Kleene {
    let facts: Vec<Kleene> = facts.into_iter().collect();
    if facts.contains(&Some(false)) {
        Some(false)
    } else if facts.contains(&None) {
        None
    } else {
        Some(true)
    }
}

fn any(facts: impl IntoIterator<Item = Kleene>) -> Kleene {
    all(facts.into_iter().map(|fact| fact.map(|truth| !truth))).map(|truth| !truth)
}

/// `*` is any run of characters.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len()).any(|at| glob(&pattern[1..], &text[at..])),
        Some(first) => text.starts_with(first) && glob(&pattern[first.len_utf8()..], &text[first.len_utf8()..]),
    }
}
