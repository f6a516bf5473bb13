//! Random policies and requests over a small world, so that they meet.

use std::collections::{BTreeMap, BTreeSet};

use hoopcore::command::sql::{Columns, Duty, Effect, Object, Verb};
use hoopcore::identity::IdentityKind;
use hoopcore::{Identity, QualifiedName, Resource, Truth};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::model::{
    ActionModel, Infer, LimitsModel, OnModel, PolicyModel, RatesModel, ReachModel, RequestModel, RuleModel,
    StatementModel, WhenModel, WhoModel,
};

const VERBS: [&str; 16] = [
    "read", "read", "read", "update", "insert", "delete", "create", "drop", "call", "call", "set", "lock", "session",
    "unknown", "*", "*",
];
const NAMES: [&str; 18] = [
    "*",
    "*.*",
    "t",
    "u",
    "a.t",
    "a.u",
    "b.t",
    "a.*",
    "b.*",
    "*.t",
    "pg_catalog.*",
    "pg_catalog.pg_class",
    "a.t*",
    "*.*u",
    "pg_*",
    "b*.*_cl*",
    "x",
    "lower",
];
const COLUMNS: [&str; 6] = ["a.t.c", "t.c", "*.t.d", "a.*.c", "b.u.*", "*.*.*"];
const SCHEMAS: [&str; 3] = ["a", "b", "pg_catalog"];

pub(crate) fn policy() -> impl Strategy<Value = PolicyModel> {
    vec(rule(), 1..9).prop_map(|rules| PolicyModel { rules: named(rules) })
}

/// Gives each rule a name of its own, in no order.
fn named(rules: Vec<RuleModel>) -> Vec<RuleModel> {
    let name = |at: usize| format!("{}-{at}", ["m", "c", "x", "a", "q", "f"][at % 6]);
    rules.into_iter().enumerate().map(|(at, rule)| RuleModel { name: name(at), ..rule }).collect()
}

pub(crate) fn rule() -> impl Strategy<Value = RuleModel> {
    rule_that(action())
}

pub(crate) fn rule_that(action: impl Strategy<Value = ActionModel>) -> impl Strategy<Value = RuleModel> {
    let who = prop_oneof![3 => Just(vec![]), 2 => vec(who(), 1..3)];
    let on = prop_oneof![4 => Just(vec![]), 1 => vec(on(), 1..3)];
    let when = prop_oneof![4 => Just(vec![]), 1 => vec(when(), 1..3)];
    (who, on, when, action, limits()).prop_map(|(who, on, when, action, limits)| {
        // A block of everything may ask for no fact that one protocol alone has.
        let fits = !matches!(action, ActionModel::BlockAll) || !when.iter().any(is_of_sql);
        let limits = if matches!(action, ActionModel::Allow(_)) { limits } else { LimitsModel::default() };
        RuleModel { name: "z".into(), who, on, when: if fits { when } else { vec![] }, action, limits }
    })
}

fn is_of_sql(when: &WhenModel) -> bool {
    match when {
        WhenModel::Unbounded(_) | WhenModel::Copy(_) | WhenModel::Code(_) | WhenModel::Parameter(..) => true,
        WhenModel::Time(..) | WhenModel::Source(_) | WhenModel::Claim(_) => false,
        WhenModel::Not(inner) => is_of_sql(inner),
        WhenModel::Both(a, b) => is_of_sql(a) || is_of_sql(b),
    }
}

fn asks_time(when: &WhenModel) -> bool {
    match when {
        WhenModel::Time(..) => true,
        WhenModel::Unbounded(_) | WhenModel::Copy(_) | WhenModel::Code(_) => false,
        WhenModel::Parameter(..) | WhenModel::Source(_) | WhenModel::Claim(_) => false,
        WhenModel::Not(inner) => asks_time(inner),
        WhenModel::Both(a, b) => asks_time(a) || asks_time(b),
    }
}

pub(crate) fn limits() -> impl Strategy<Value = LimitsModel> {
    let most = || prop_oneof![3 => Just(None), 1 => (1..4u64).prop_map(Some)];
    (most(), most(), most(), option::weighted(0.15, 1..4u64))
        .prop_map(|(rows, bytes, seconds, per_minute)| LimitsModel { rows, bytes, seconds, per_minute })
}

fn rates() -> impl Strategy<Value = RatesModel> {
    let full = subsequence(vec!["m-0", "c-1", "x-2", "a-3", "q-4", "f-5", "z"], 0..=3);
    let counter = full.prop_map(|full| RatesModel::Counter(full.into_iter().map(String::from).collect()));
    prop_oneof![1 => Just(RatesModel::Nothing), 4 => counter, 3 => Just(RatesModel::Ignored)]
}

fn action() -> impl Strategy<Value = ActionModel> {
    prop_oneof![7 => allow(), 1 => block(), 2 => approve(), 2 => mask()]
}

pub(crate) fn allow() -> impl Strategy<Value = ActionModel> {
    reaches().prop_map(ActionModel::Allow)
}

pub(crate) fn block() -> impl Strategy<Value = ActionModel> {
    prop_oneof![12 => reaches().prop_map(ActionModel::Block), 1 => Just(ActionModel::BlockAll)]
}

pub(crate) fn approve() -> impl Strategy<Value = ActionModel> {
    prop_oneof![3 => reaches().prop_map(ActionModel::Approve), 1 => Just(ActionModel::Otherwise)]
}

pub(crate) fn mask() -> impl Strategy<Value = ActionModel> {
    let columns = btree_set(select(&COLUMNS[..]), 1..3);
    let columns = columns.prop_map(|columns| columns.into_iter().map(String::from).collect());
    let infer = select(vec![Infer::Allow, Infer::Equality, Infer::Block]);
    (columns, infer, prop::bool::weighted(0.3), any::<bool>(), any::<bool>()).prop_map(
        |(columns, infer, block_uncertain, copy, json)| ActionModel::Mask {
            columns,
            infer,
            block_uncertain,
            copy,
            json,
        },
    )
}

fn reaches() -> impl Strategy<Value = Vec<ReachModel>> {
    let names = prop_oneof![1 => Just(vec![]), 3 => vec(select(&NAMES[..]).prop_map(String::from), 1..4)];
    vec((select(&VERBS[..]), names).prop_map(|(verb, names)| ReachModel { verb, names }), 1..4)
}

fn who() -> impl Strategy<Value = WhoModel> {
    let texts = |values: &'static [&'static str]| prop_oneof![2 => Just(vec![]), 1 => vec(select(values).prop_map(String::from), 1..3)];
    let facts = (
        texts(&["u1", "u2", "u*"]),
        texts(&["g1", "g2", "g*"]),
        texts(&["main", "m*"]),
        prop_oneof![3 => Just(vec![]), 1 => Just(vec!["human"]), 1 => Just(vec!["workload", "human"])],
        texts(&["i1", "*"]),
    );
    let facts = facts.prop_map(|(user, group, claim, kind, issuer)| {
        let nothing = user.is_empty() && group.is_empty() && claim.is_empty() && kind.is_empty() && issuer.is_empty();
        let group = if nothing { vec!["g1".into()] } else { group };
        WhoModel::Facts { user, group, claim, kind, issuer }
    });
    facts.prop_flat_map(|who| {
        let not = WhoModel::Not(Box::new(who.clone()));
        let twice = WhoModel::Not(Box::new(not.clone()));
        prop_oneof![6 => Just(who), 2 => Just(not), 1 => Just(twice)]
    })
}

fn on() -> impl Strategy<Value = OnModel> {
    let leaf = prop_oneof![
        select(vec!["r1", "r2", "r*"]).prop_map(|name| OnModel::Name(name.into())),
        select(vec!["prod", "p*"]).prop_map(|value| OnModel::Label(value.into())),
        select(vec!["shop", "s*"]).prop_map(|name| OnModel::Database(name.into())),
    ];
    leaf.prop_flat_map(|on| prop_oneof![3 => Just(on.clone()), 1 => Just(OnModel::Not(Box::new(on)))])
}

fn when() -> impl Strategy<Value = WhenModel> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(WhenModel::Unbounded),
        any::<bool>().prop_map(WhenModel::Copy),
        any::<bool>().prop_map(WhenModel::Code),
        (0..24u8, 0..24u8).prop_map(|(from, to)| WhenModel::Time(from, if from == to { (to + 1) % 24 } else { to })),
        select(vec!["10.0.0.0/8", "10.1.0.0/16"]).prop_map(WhenModel::Source),
        select(vec!["main", "m*"]).prop_map(|value| WhenModel::Claim(value.into())),
        (1..3usize, select(vec!["v", "*"])).prop_map(|(number, value)| WhenModel::Parameter(number, value.into())),
    ];
    leaf.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| WhenModel::Not(Box::new(inner))),
            // Windows that never meet are refused.
            (inner.clone(), inner).prop_map(|(a, b)| match asks_time(&a) && asks_time(&b) {
                true => a,
                false => WhenModel::Both(Box::new(a), Box::new(b)),
            }),
        ]
    })
}

pub(crate) fn request() -> impl Strategy<Value = RequestModel> {
    let statements = prop_oneof![12 => vec(statement(), 1..2), 6 => vec(statement(), 2..4), 1 => Just(vec![])];
    let session = (
        path(),
        prop_oneof![3 => Just(BTreeSet::new()), 1 => Just(BTreeSet::from(["lower".to_string()]))],
        named_effects(),
        named_effects(),
        prop::bool::weighted(0.8),
    );
    let parameters = option::of(vec(option::of(select(vec!["v", "w"]).prop_map(String::from)), 0..3));
    let source = option::of(select(vec!["10.1.2.3", "10.2.2.3", "11.1.1.1"]).prop_map(|text| text.parse().unwrap()));
    (identity(), resource(), statements, session, parameters, source, 0..24u8, rates()).prop_map(
        |(who, on, statements, (path, shadows, prepared, cursors, exposed), parameters, source, hour, rates)| {
            RequestModel {
                who,
                on,
                statements,
                path,
                shadows,
                prepared,
                cursors,
                exposed,
                parameters,
                source,
                hour,
                rates,
            }
        },
    )
}

fn path() -> impl Strategy<Value = Vec<String>> {
    let some = subsequence(&SCHEMAS[..], 0..=3).prop_map(|path| path.into_iter().map(String::from).collect());
    prop_oneof![3 => Just(vec!["a".to_string()]), 2 => some]
}

fn named_effects() -> impl Strategy<Value = BTreeMap<String, Vec<Effect>>> {
    let effects = vec(any_effect(), 1..3);
    option::of(effects).prop_map(|effects| effects.into_iter().map(|effects| ("p".to_string(), effects)).collect())
}

fn statement() -> impl Strategy<Value = StatementModel> {
    let object = prop_oneof![
        12 => plain_object(),
        1 => Just(Object::Prepared("p".into())),
        1 => Just(Object::Cursor("p".into())),
    ];
    let sets_path = prop_oneof![6 => Just(None), 1 => path().prop_map(Some)];
    (prop_oneof![8 => vec(effect(object.boxed()), 1..3), 1 => vec(any_effect(), 0..4)], sets_path)
        .prop_map(|(effects, sets_path)| StatementModel { effects, sets_path })
}

fn any_effect() -> impl Strategy<Value = Effect> {
    effect(plain_object().boxed())
}

fn plain_object() -> impl Strategy<Value = Object> {
    let name = |names: &'static [&'static str]| {
        let schema = option::of(select(&["a", "b", "c", "pg_catalog"][..]));
        (schema, select(names)).prop_map(|(schema, name)| match schema {
            Some(schema) => QualifiedName::qualified(schema, name),
            None => QualifiedName::bare(name),
        })
    };
    prop_oneof![
        6 => name(&["t", "u", "v", "pg_class"]).prop_map(Object::Relation),
        3 => name(&["x", "lower", "pg_sleep", "t", "pg_new"]).prop_map(Object::Function),
        1 => select(vec!["x", "y", "T"]).prop_map(|name| Object::Setting(name.into())),
        1 => select(vec!["a", "b"]).prop_map(|name| Object::Schema(name.into())),
        1 => select(vec!["x", "t"]).prop_map(|name| Object::Named(name.into())),
        1 => Just(Object::Any),
    ]
}

fn effect(object: BoxedStrategy<Object>) -> impl Strategy<Value = Effect> {
    let verb =
        prop_oneof![6 => select(vec![Verb::Read, Verb::Read, Verb::Call, Verb::Update]), 2 => select(&Verb::ALL[..])];
    let duty =
        prop_oneof![5 => Just(Duty::Covered), 1 => Just(Duty::Harmless), 2 => Just(Duty::HarmlessUnlessShadowed)];
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    let unbounded = select(vec![Truth::No, Truth::No, Truth::May, Truth::Yes]);
    let facts = (columns(), columns(), columns(), columns(), columns());
    (verb, object, duty, flags, unbounded, facts).prop_map(
        |(verb, object, duty, (copy, code), unbounded, (columns, returned, stored, inferred, compared))| {
            let unknown = verb == Verb::Unknown;
            let mut effect = if unknown { Effect::unknown() } else { Effect::new(verb, object) };
            if !unknown {
                effect.duty = duty;
                effect.facts.unbounded = unbounded;
                (effect.facts.copy, effect.facts.code) = (copy, code);
                (effect.facts.columns, effect.facts.inferred) = (columns, inferred);
                (effect.facts.returned, effect.facts.stored) = (returned, stored);
                effect.facts.compared = compared;
            }
            effect
        },
    )
}

fn columns() -> impl Strategy<Value = Columns> {
    let some = subsequence(vec!["c", "d", "e"], 0..=3);
    let named = some.prop_map(|names| Columns::Named(names.into_iter().map(String::from).collect()));
    prop_oneof![3 => Just(Columns::none()), 2 => named, 1 => Just(Columns::All)]
}

fn identity() -> impl Strategy<Value = Identity> {
    let groups = option::of(subsequence(vec!["g1", "g2", "h"], 0..=3));
    let kind = option::of(select(vec![IdentityKind::Human, IdentityKind::Workload]));
    let issuer = option::of(select(vec!["i1", "i2"]));
    let claim = option::of(select(vec!["main", "dev"]));
    (select(vec!["u1", "u2", "v"]), groups, kind, issuer, claim).prop_map(|(user, groups, kind, issuer, claim)| {
        let mut who = Identity::named(user);
        who.groups = groups.map(|groups| groups.into_iter().map(String::from).collect());
        (who.kind, who.issuer) = (kind, issuer.map(String::from));
        who.claims = claim.into_iter().map(|value| ("ref".to_string(), value.to_string())).collect();
        who
    })
}

fn resource() -> impl Strategy<Value = Resource> {
    let label = option::of(option::of(select(vec!["prod", "test"])));
    let database = option::of(select(vec!["shop", "other"]));
    (select(vec!["r1", "r2", "q"]), label, database).prop_map(|(name, label, database)| {
        let mut on = Resource::postgres(name);
        let labels =
            |label: Option<&str>| label.into_iter().map(|value| ("env".to_string(), value.to_string())).collect();
        on.labels = label.map(labels);
        on.database = database.map(String::from);
        on
    })
}
