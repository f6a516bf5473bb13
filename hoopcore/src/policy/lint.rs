//! What a person should look at although each rule is well-formed: rules that can do nothing beside others.
//!
//! A rule is only called useless where that is sure: its who, on, when and effects are, pattern by pattern, part of the
//! other's.

use alloc::format;
use alloc::string::ToString;

use super::node::Place;
use super::problem::Problems;
use super::reach::Reaches;
use super::read::RuleNames;
use super::rule::{Action, Asked, Condition, OnFact, Rule, WhenFact, WhoFact};
use crate::command::sql::Verb;

/// With more rules each is no longer compared with each other.
const MOST: usize = 500;

/// Reports rules that can do nothing beside others. `names` knows where each rule's name stands.
pub(super) fn rules(rules: &[Rule], names: &RuleNames, problems: &mut Problems) {
    if rules.len() > MOST {
        return;
    }
    for rule in rules {
        let at = names.get(&rule.at.name).map_or(Place::START, |(_, at)| *at);
        problems.enter(rule.at.file.clone());
        let stronger = rules.iter().find(|other| makes_useless(other, rule));
        if let Some(other) = stronger {
            let message = format!("the rule `{}` does nothing: `{}` {}", rule.at.name, other.at.name, why(other, rule));
            let place = other.at.to_string();
            let place = place.trim_start_matches(&*other.at.name).trim_start().to_string();
            problems.warning(at, message).help =
                Some(format!("the other one is {place}; take out the one that you do not mean"));
        }
        if let Some(block) = answers_for_unknown(rule).then(|| rules.iter().find(|other| overlooks(other))).flatten() {
            let message =
                format!("the block `{}` does not see what `{}` lets through unread", block.at.name, rule.at.name);
            problems.warning(at, message).help =
                Some("hoop could not read it, so no block on other verbs reaches it: add `unknown` to the block, or do without".to_string());
        }
    }
}

/// Whether a rule can do nothing beside another.
fn makes_useless(other: &Rule, rule: &Rule) -> bool {
    if core::ptr::eq(other, rule) || !is_stronger(other, rule) {
        return false;
    }
    let within = |a: &Rule, b: &Rule| {
        implies(&a.who, &b.who, &who_implies)
            && implies(&a.on, &b.on, &on_implies)
            && implies(&a.when, &b.when, &when_implies)
            && effects(&a.action).zip(effects(&b.action)).is_some_and(|(a, b)| a.is_within(b))
    };
    // Of two that say the same, the later one is useless.
    within(rule, other) && (!within(other, rule) || kind(other) != kind(rule) || is_before(other, rule))
}

fn is_before(a: &Rule, b: &Rule) -> bool {
    (&a.at.file, a.at.line) < (&b.at.file, b.at.line)
}

/// Whether the other rule's word counts for more, or the same.
fn is_stronger(other: &Rule, rule: &Rule) -> bool {
    match (&other.action, &rule.action) {
        (Action::Block(_), Action::Allow(_) | Action::Block(_) | Action::Approve(_)) => true,
        // Where one of them limits what it allows, both count.
        (Action::Allow(_), Action::Allow(_)) => !rule.is_limited(),
        (Action::Block(_), Action::Mask(_))
        | (Action::Allow(_), Action::Block(_) | Action::Approve(_) | Action::Mask(_))
        | (Action::Approve(_) | Action::Mask(_), _) => false,
    }
}

fn kind(rule: &Rule) -> u8 {
    match &rule.action {
        Action::Allow(_) => 0,
        Action::Block(_) => 1,
        Action::Approve(_) => 2,
        Action::Mask(_) => 3,
    }
}

fn why(other: &Rule, rule: &Rule) -> &'static str {
    match (kind(other), kind(rule)) {
        (1, 1) => "blocks all of it already",
        (1, _) => "blocks all of it",
        _ => "allows all of it already",
    }
}

fn effects(action: &Action) -> Option<&Reaches> {
    match action {
        Action::Allow(reaches) | Action::Block(reaches) => Some(reaches),
        Action::Approve(approval) => match &approval.what {
            Asked::Effects(reaches) => Some(reaches),
            Asked::Otherwise => None,
        },
        Action::Mask(_) => None,
    }
}

/// Whether one condition holds wherever another does, as far as their forms tell. As deep as the text was nested.
fn implies<F: PartialEq>(a: &Condition<F>, b: &Condition<F>, fact: &impl Fn(&F, &F) -> bool) -> bool {
    match (a, b) {
        (a, b) if a == b => true,
        (a, Condition::All(all)) => all.iter().all(|b| implies(a, b, fact)),
        (Condition::OneOf(any), b) => !any.is_empty() && any.iter().all(|a| implies(a, b, fact)),
        (Condition::All(all), b) if all.iter().any(|a| implies(a, b, fact)) => true,
        (a, Condition::OneOf(any)) => any.iter().any(|b| implies(a, b, fact)),
        (Condition::Is(a), Condition::Is(b)) => fact(a, b),
        (Condition::All(_) | Condition::Not(_) | Condition::Is(_), Condition::Not(_) | Condition::Is(_)) => false,
    }
}

fn who_implies(a: &WhoFact, b: &WhoFact) -> bool {
    match (a, b) {
        (WhoFact::User(a), WhoFact::User(b))
        | (WhoFact::Group(a), WhoFact::Group(b))
        | (WhoFact::Issuer(a), WhoFact::Issuer(b)) => a.is_within(b),
        (WhoFact::Claim(path, a), WhoFact::Claim(other, b)) => path == other && a.is_within(b),
        (a, b) => a == b,
    }
}

fn on_implies(a: &OnFact, b: &OnFact) -> bool {
    match (a, b) {
        (OnFact::Name(a), OnFact::Name(b)) | (OnFact::Database(a), OnFact::Database(b)) => a.is_within(b),
        (OnFact::Label(label, a), OnFact::Label(other, b)) => label == other && a.is_within(b),
        (a, b) => a == b,
    }
}

fn when_implies(a: &WhenFact, b: &WhenFact) -> bool {
    a == b
}

/// Whether a rule lets through what hoop could not read.
fn answers_for_unknown(rule: &Rule) -> bool {
    let covers = matches!(rule.action, Action::Allow(_) | Action::Approve(_));
    covers
        && effects(&rule.action).is_some_and(|reaches| reaches.sql.iter().any(|reach| reach.verbs.has(Verb::Unknown)))
}

/// Whether a rule blocks something of SQL, and not what hoop could not read.
fn overlooks(rule: &Rule) -> bool {
    let Action::Block(reaches) = &rule.action else { return false };
    !reaches.sql.is_empty() && !reaches.sql.iter().any(|reach| reach.verbs.has(Verb::Unknown))
}
