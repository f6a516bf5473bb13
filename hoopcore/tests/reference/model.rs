//! Policies and requests as the reference sees them, and their form in YAML.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use hoopcore::command::sql::Effect;
use hoopcore::command::{Change, PathChange, Statement};
use hoopcore::limit::{Charge, RateCounter, Rates};
use hoopcore::request::{Exposures, SessionFacts};
use hoopcore::{Call, Command, Coverage, Identity, Request, Resource, Timestamp, Verified};

#[derive(Clone, Debug)]
pub(crate) struct PolicyModel {
    pub(crate) rules: Vec<RuleModel>,
}

#[derive(Clone, Debug)]
pub(crate) struct RuleModel {
    pub(crate) name: String,
    /// Alternatives; none means anyone.
    pub(crate) who: Vec<WhoModel>,
    pub(crate) on: Vec<OnModel>,
    /// Alternatives; none means always.
    pub(crate) when: Vec<WhenModel>,
    pub(crate) action: ActionModel,
    /// Of an allow alone.
    pub(crate) limits: LimitsModel,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LimitsModel {
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) seconds: Option<u64>,
    pub(crate) per_minute: Option<u64>,
}

/// A map of `who`: all that is there must hold.
#[derive(Clone, Debug)]
pub(crate) enum WhoModel {
    Facts { user: Vec<String>, group: Vec<String>, claim: Vec<String>, kind: Vec<&'static str>, issuer: Vec<String> },
    Not(Box<WhoModel>),
}

#[derive(Clone, Debug)]
pub(crate) enum OnModel {
    Name(String),
    Label(String),
    Database(String),
    Not(Box<OnModel>),
}

#[derive(Clone, Debug)]
pub(crate) enum WhenModel {
    Unbounded(bool),
    Copy(bool),
    Code(bool),
    /// Hours of the day in UTC, on every day.
    Time(u8, u8),
    Source(&'static str),
    Claim(String),
    Parameter(usize, String),
    Not(Box<WhenModel>),
    Both(Box<WhenModel>, Box<WhenModel>),
}

#[derive(Clone, Debug)]
pub(crate) enum ActionModel {
    Allow(Vec<ReachModel>),
    Block(Vec<ReachModel>),
    BlockAll,
    Approve(Vec<ReachModel>),
    Otherwise,
    Mask { columns: Vec<String>, infer: Infer, block_uncertain: bool, copy: bool, json: bool },
}

/// What may be inferred of what is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Infer {
    Allow,
    Equality,
    Block,
}

/// A verb, or `*`, on patterns; of none, on everything.
#[derive(Clone, Debug)]
pub(crate) struct ReachModel {
    pub(crate) verb: &'static str,
    pub(crate) names: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct RequestModel {
    pub(crate) who: Identity,
    pub(crate) on: Resource,
    pub(crate) statements: Vec<StatementModel>,
    pub(crate) path: Vec<String>,
    pub(crate) shadows: BTreeSet<String>,
    pub(crate) prepared: BTreeMap<String, Vec<Effect>>,
    pub(crate) cursors: BTreeMap<String, Vec<Effect>>,
    pub(crate) exposed: bool,
    pub(crate) parameters: Option<Vec<Option<String>>>,
    pub(crate) source: Option<IpAddr>,
    /// The hour of the day, in UTC.
    pub(crate) hour: u8,
    pub(crate) rates: RatesModel,
}

/// What counts commands.
#[derive(Clone, Debug)]
pub(crate) enum RatesModel {
    Nothing,
    /// The rules for which it leaves no room.
    Counter(BTreeSet<String>),
    Ignored,
}

impl RateCounter for RatesModel {
    fn charge(&self, charges: &[Charge<'_>], _: Timestamp) -> Result<(), usize> {
        let Self::Counter(full) = self else { panic!("{self:?} is not charged") };
        charges.iter().position(|charge| full.contains(charge.rule)).map_or(Ok(()), Err)
    }
}

impl RatesModel {
    fn rates(&self) -> Rates<'_> {
        match self {
            Self::Nothing => Rates::Uncounted,
            Self::Counter(_) => Rates::Counted(self),
            Self::Ignored => Rates::Ignored,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct StatementModel {
    pub(crate) effects: Vec<Effect>,
    /// The path that it sets.
    pub(crate) sets_path: Option<Vec<String>>,
}

impl RequestModel {
    /// The request in the engine's types.
    pub(crate) fn with<T>(&self, then: impl FnOnce(&Request<'_>) -> T) -> T {
        let (command, facts) = (self.command(), self.facts());
        then(&Request { who: &self.caller(), on: &self.on, call: self.call(&command, &facts) })
    }

    pub(crate) fn caller(&self) -> Verified<Identity> {
        Verified::vouched(self.who.clone(), "test")
    }

    pub(crate) fn command(&self) -> Command {
        Command::analysed("text", "text".into(), self.statements.iter().map(statement).collect())
    }

    pub(crate) fn facts(&self) -> SessionFacts {
        SessionFacts {
            search_path: self.path.clone(),
            shadows: Arc::new(self.shadows.clone()),
            defines: false,
            prepared: commands(&self.prepared),
            cursors: commands(&self.cursors),
            exposures: if self.exposed { Exposures::Assumed } else { Exposures::Known(Arc::new([])) },
        }
    }

    /// The call of a command in the circumstances of this request.
    pub(crate) fn call<'a>(&'a self, command: &'a Command, facts: &'a SessionFacts) -> Call<'a> {
        let (parameters, rates) = (self.parameters.as_ref().map(|bound| bound as _), self.rates.rates());
        Call { parameters, source: self.source, rates, ..Call::new(command, facts, self.now()) }
    }

    fn now(&self) -> Timestamp {
        format!("2026-11-24T{:02}:30:00Z", self.hour).parse().unwrap()
    }
}

fn commands(models: &BTreeMap<String, Vec<Effect>>) -> BTreeMap<String, Command> {
    let command = |effects: &Vec<Effect>| {
        let only = StatementModel { effects: effects.clone(), sets_path: None };
        Command::analysed("text", "text".into(), Box::new([statement(&only)]))
    };
    models.iter().map(|(name, effects)| (name.clone(), command(effects))).collect()
}

fn statement(model: &StatementModel) -> Statement {
    let change = model.sets_path.clone().map_or(Change::Nothing, |path| Change::Path(PathChange::To(path)));
    Statement { effects: model.effects.clone().into(), coverage: Coverage::Full, change }
}

impl PolicyModel {
    /// The policy as text.
    pub(crate) fn yaml(&self) -> String {
        let rules: String = self.rules.iter().map(RuleModel::yaml).collect();
        format!("hoop: 1\nrules:{}\n", if rules.is_empty() { " []".into() } else { format!("\n{rules}") })
    }
}

impl RuleModel {
    /// Whether it lets through what could not be read.
    pub(crate) fn covers_unknown(&self) -> bool {
        match &self.action {
            ActionModel::Allow(reaches) | ActionModel::Approve(reaches) => {
                reaches.iter().any(|reach| reach.verb == "unknown")
            }
            ActionModel::Block(_) | ActionModel::BlockAll | ActionModel::Otherwise | ActionModel::Mask { .. } => false,
        }
    }

    fn yaml(&self) -> String {
        let who = or(&self.who, "anyone", WhoModel::yaml);
        let on = or(&self.on, "\"*\"", OnModel::yaml);
        let when = match self.when.as_slice() {
            [] => String::new(),
            when => format!("\n    when: {}", or(when, "", WhenModel::yaml)),
        };
        let head = format!("  - rule: {}\n    who: {who}\n    on: {on}{when}\n", self.name);
        format!("{head}    {}\n{}", self.action.yaml(), self.limits.yaml())
    }
}

impl LimitsModel {
    fn yaml(&self) -> String {
        let Self { rows, bytes, seconds, per_minute } = self;
        let words = [("rows", rows), ("bytes", bytes), ("seconds", seconds), ("per_minute", per_minute)];
        let words: Vec<String> =
            words.iter().filter_map(|(word, most)| most.map(|most| format!("{word}: {most}"))).collect();
        if words.is_empty() { String::new() } else { format!("    limits: {{ {} }}\n", words.join(", ")) }
    }
}

impl ActionModel {
    fn yaml(&self) -> String {
        match self {
            Self::Allow(reaches) => format!("allow: {{ sql: {} }}", sql(reaches)),
            Self::Block(reaches) => format!("block: {{ sql: {} }}", sql(reaches)),
            Self::BlockAll => "block: all".into(),
            Self::Approve(reaches) => format!("approve: {{ sql: {} }}\n    by: {{ group: dba }}", sql(reaches)),
            Self::Otherwise => "approve: otherwise\n    by: { group: dba, people: 2 }".into(),
            Self::Mask { columns, infer, block_uncertain, copy, json } => {
                let columns: Vec<String> = columns
                    .iter()
                    .map(|column| format!("{column:?}: {}", if *json { "{ '$..x': redact }" } else { "redact" }))
                    .collect();
                let key = if *json { "json" } else { "columns" };
                let infer = match infer {
                    Infer::Allow => ", on_inference: allow",
                    Infer::Equality => "",
                    Infer::Block => ", on_inference: block",
                };
                let uncertain = if *block_uncertain { ", on_uncertain: block" } else { "" };
                let copy = if *copy { ", on_copy: allow" } else { "" };
                format!("mask: {{ {key}: {{ {} }}{infer}{uncertain}{copy} }}", columns.join(", "))
            }
        }
    }
}

/// Patterns for one verb stand together: a key stands once in a map.
fn sql(reaches: &[ReachModel]) -> String {
    let mut verbs: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for reach in reaches {
        let names = verbs.entry(reach.verb).or_default();
        names.extend(if reach.names.is_empty() { vec!["*".into()] } else { reach.names.clone() });
    }
    let entry = |(verb, names): (&&str, &Vec<String>)| format!("{verb:?}: {names:?}");
    format!("{{ {} }}", verbs.iter().map(entry).collect::<Vec<_>>().join(", "))
}

impl WhoModel {
    fn yaml(&self) -> String {
        let Self::Facts { user, group, claim, kind, issuer } = self else {
            let Self::Not(inner) = self else { unreachable!() };
            return format!("{{ not: {} }}", inner.yaml());
        };
        let mut facts = Vec::new();
        let list = |word: &str, values: &[String]| (!values.is_empty()).then(|| format!("{word}: {values:?}"));
        facts.extend(list("user", user));
        facts.extend(list("group", group));
        facts.extend(list("issuer", issuer));
        facts.extend((!kind.is_empty()).then(|| format!("kind: {kind:?}")));
        facts.extend((!claim.is_empty()).then(|| format!("claim: {{ ref: {claim:?} }}")));
        format!("{{ {} }}", facts.join(", "))
    }
}

impl OnModel {
    fn yaml(&self) -> String {
        match self {
            Self::Name(name) => format!("{{ name: {name:?} }}"),
            Self::Label(value) => format!("{{ labels: {{ env: {value:?} }} }}"),
            Self::Database(name) => format!("{{ database: {name:?} }}"),
            Self::Not(inner) => format!("{{ not: {} }}", inner.yaml()),
        }
    }
}

impl WhenModel {
    fn yaml(&self) -> String {
        format!("{{ {} }}", self.fact())
    }

    fn fact(&self) -> String {
        match self {
            Self::Unbounded(value) => format!("unbounded: {value}"),
            Self::Copy(value) => format!("copy: {value}"),
            Self::Code(value) => format!("code: {value}"),
            Self::Time(from, to) => format!("time: {{ from: \"{from:02}:00\", to: \"{to:02}:00\" }}"),
            Self::Source(network) => format!("source: {network:?}"),
            Self::Claim(value) => format!("claim: {{ ref: {value:?} }}"),
            Self::Parameter(number, value) => format!("parameters: {{ {number}: {value:?} }}"),
            Self::Not(inner) => format!("not: {}", inner.yaml()),
            // Twice negated, so that two facts of one word can both be asked for.
            Self::Both(a, b) => format!("not: [{{ not: {} }}, {{ not: {} }}]", a.yaml(), b.yaml()),
        }
    }
}

fn or<T>(items: &[T], none: &str, yaml: fn(&T) -> String) -> String {
    match items {
        [] => none.to_string(),
        [one] => yaml(one),
        several => format!("[{}]", several.iter().map(yaml).collect::<Vec<_>>().join(", ")),
    }
}
