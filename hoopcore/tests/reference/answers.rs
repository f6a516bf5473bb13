//! Several approves on one command, the answers of people in turn, and what their consent is good for: a second,
//! obvious account of it all.

use std::collections::BTreeSet;

use hoopcore::command::sql::{Effect, Object, Verb};
use hoopcore::command::{Change, Statement};
use hoopcore::decision::Consent;
use hoopcore::identity::IdentityKind;
use hoopcore::{
    Answer, Call, Command, Coverage, Grant, Identity, Outcome, Policy, QualifiedName, Request, Resource, SessionFacts,
    Timestamp, Verified,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::cases;

/// An approve of the update that is asked.
#[derive(Clone, Debug)]
struct Approve {
    otherwise: bool,
    /// Whether it is about this caller.
    reaches: bool,
    group: &'static str,
    people: usize,
    within: u32,
    grant: Terms,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Terms {
    Once,
    Times(u32),
    Minutes(u32),
    Session,
}

/// Somebody speaks, so many minutes after what was before.
#[derive(Clone, Debug)]
struct Word {
    after: u32,
    by: usize,
    yes: bool,
}

/// The command is asked once more.
#[derive(Clone, Debug)]
struct Again {
    after: u32,
    same: bool,
}

/// Who may speak: name, groups, whether a person. The first is the caller.
const PEOPLE: [(&str, &[&str], bool); 6] = [
    ("etl", &["dba", "ops"], true),
    ("lea", &["dba"], true),
    ("kim", &["ops"], true),
    ("max", &["dba", "ops"], true),
    ("eve", &["staff"], true),
    ("bot", &["dba", "ops"], false),
];

/// What came of each step: `allow`, `approve` or `block`.
type Story = Vec<&'static str>;

fn yaml(approves: &[Approve], allowed: bool) -> String {
    let rule = |(at, approve): (usize, &Approve)| {
        let who = if approve.reaches { "anyone" } else { "{ user: other }" };
        let what = if approve.otherwise { "otherwise" } else { "{ sql: { update: a.t } }" };
        let grant = match approve.grant {
            Terms::Once => "once".to_string(),
            Terms::Times(times) => format!("{times} times"),
            Terms::Minutes(minutes) => format!("{minutes}m"),
            Terms::Session => "session".to_string(),
        };
        let Approve { group, people, within, .. } = approve;
        format!(
            "  - {{ rule: r{at}, who: {who}, on: db, approve: {what}, by: {{ group: {group}, people: {people} }}, within: {within}m, grant: {grant} }}\n"
        )
    };
    let allow = if allowed { "  - { rule: free, who: anyone, on: db, allow: { sql: { update: a.t } } }\n" } else { "" };
    format!("hoop: 1\nrules:\n{allow}{}", approves.iter().enumerate().map(rule).collect::<String>())
}

/// What must come of it.
fn told(approves: &[Approve], allowed: bool, words: &[Word], again: &[Again]) -> Story {
    let demands: Vec<&Approve> =
        approves.iter().filter(|approve| approve.reaches && !(approve.otherwise && allowed)).collect();
    if demands.is_empty() {
        return vec![if allowed { "allow" } else { "block" }];
    }
    let mut story = vec!["approve"];
    let mut agreed: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); demands.len()];
    let late = demands.iter().map(|demand| demand.within).min().unwrap();
    let mut now = 0;
    for word in words {
        now += word.after;
        let (name, groups, is_person) = PEOPLE[word.by];
        let is_asked = |demand: &&&Approve| groups.contains(&demand.group);
        let counts = word.by != 0 && is_person && demands.iter().any(|demand| is_asked(&demand));
        if now >= late || counts && !word.yes {
            story.push("block");
            return story;
        }
        let asked = demands.iter().zip(&mut agreed).filter(|(demand, _)| counts && is_asked(demand));
        asked.for_each(|(_, agreed)| {
            agreed.insert(name);
        });
        if demands.iter().zip(&agreed).all(|(demand, agreed)| agreed.len() >= demand.people) {
            story.push("allow");
            story.extend(further(&demands, now, again));
            return story;
        }
        story.push("approve");
    }
    story
}

/// What becomes of the command when it is asked again, after people agreed.
fn further(demands: &[&Approve], agreed: u32, again: &[Again]) -> Story {
    let (mut left, mut until) = (u32::MAX, agreed + 24 * 60);
    for demand in demands {
        match demand.grant {
            Terms::Once => left = 0,
            Terms::Times(times) => left = left.min(times - 1),
            Terms::Minutes(minutes) => until = until.min(agreed + minutes),
            Terms::Session => {}
        }
    }
    let mut now = agreed;
    let mut story = Vec::new();
    for again in again {
        now += again.after;
        let granted = again.same && left > 0 && now < until;
        left -= u32::from(granted);
        story.push(if granted { "allow" } else { "approve" });
    }
    story
}

fn at(minute: u32) -> Timestamp {
    format!("2026-11-24T12:{minute:02}:00Z").parse().unwrap()
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Allow(_) => "allow",
        Outcome::Approve(_) => "approve",
        Outcome::Block(_) => "block",
    }
}

/// What comes of it.
fn played(policy: &Policy, words: &[Word], again: &[Again]) -> Story {
    let update = Effect::new(Verb::Update, Object::Relation(QualifiedName::qualified("a", "t")));
    let statement = Statement { effects: [update].into(), coverage: Coverage::Full, change: Change::Nothing };
    let command = Command::analysed("update", "update".into(), [statement].into());
    let who = Verified::vouched(Identity::named("etl").with_groups(["dba", "ops"]), "test");
    let (facts, on) = (SessionFacts::default(), Resource::postgres("db"));
    let call = |minute| Call::new(&command, &facts, at(minute));
    let mut outcome = policy.evaluate(&Request { who: &who, on: &on, call: call(0) }).record(|_| Ok::<(), String>(()));
    let mut story = vec![word(&outcome)];
    let mut now = 0;
    for Word { after, by, yes } in words {
        now += after;
        let Outcome::Approve(pending) = outcome else { break };
        let (name, groups, is_person) = PEOPLE[*by];
        let mut by = Identity::named(name).with_groups(groups.iter().copied());
        by.kind = Some(if is_person { IdentityKind::Human } else { IdentityKind::Workload });
        let consent = if *yes { Consent::Yes } else { Consent::No };
        let decision = policy.resume(pending, Answer::By(Verified::vouched(by, "test"), consent), at(now));
        outcome = decision.record(|_| Ok::<(), String>(()));
        story.push(word(&outcome));
        if matches!(outcome, Outcome::Allow(_)) {
            break;
        }
    }
    let (Outcome::Allow(mut permit), true) = (outcome, story.len() > 1) else { return story };
    let mut grant: Option<Grant> = permit.take_grant();
    for Again { after, same } in again {
        now += after;
        let other = vec![Some("other".to_string())];
        let call = Call { parameters: (!same).then_some(&other as _), ..call(now) };
        let decision = policy
            .session(&who, &on)
            .decide_granted(&call, &mut |pending| grant.as_mut().and_then(|grant| grant.draw(pending, at(now))));
        story.push(word(&decision.record(|_| Ok::<(), String>(()))));
    }
    story
}

fn approve() -> impl Strategy<Value = Approve> {
    let grant = select(vec![
        Terms::Once,
        Terms::Times(2),
        Terms::Times(3),
        Terms::Times(3),
        Terms::Minutes(6),
        Terms::Minutes(9),
        Terms::Session,
        Terms::Session,
    ]);
    let flags = (prop::bool::weighted(0.25), prop::bool::weighted(0.8));
    (flags, select(vec!["dba", "ops"]), 1..=2usize, select(vec![6, 9]), grant).prop_map(
        |((otherwise, reaches), group, people, within, grant)| Approve {
            otherwise,
            reaches,
            group,
            people,
            within,
            grant,
        },
    )
}

fn spoken() -> impl Strategy<Value = Word> {
    let by = prop_oneof![9 => 1..4usize, 1 => 0..PEOPLE.len()];
    (0..3u32, by, prop::bool::weighted(0.95)).prop_map(|(after, by, yes)| Word { after, by, yes })
}

fn again() -> impl Strategy<Value = Again> {
    (0..4u32, prop::bool::weighted(0.85)).prop_map(|(after, same)| Again { after, same })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn answers_and_grants_come_out_as_told(
        approves in vec(approve(), 1..4),
        allowed in prop::bool::weighted(0.3),
        words in vec(spoken(), 0..6),
        again in vec(again(), 0..5),
    ) {
        let yaml = yaml(&approves, allowed);
        let policy = Policy::from_yaml(&yaml).unwrap_or_else(|errors| panic!("{errors:#?}\n{yaml}"));
        let expected = told(&approves, allowed, &words, &again);
        prop_assert_eq!(played(&policy, &words, &again), expected, "{}\n{:?}\n{:?}", yaml, words, again);
    }
}
