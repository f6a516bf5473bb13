//! What a person should look at although each rule is well-formed: rules that can do nothing beside others.
//!
//! A rule is only called useless where that is sure: its who, on, when and effects are, pattern by pattern, part of the
//! other's.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::index::Index;
use super::node::Place;
use super::problem::Problems;
use super::reach::Reaches;
use super::rule::{Action, Asked, Condition, OnFact, Rule, WhenFact, WhoFact, Written};
use crate::command::sql::Verb;

/// More steps are not taken: of rules that name neither a caller nor a resource each is compared with each other.
const MOST: usize = 4_000_000;

/// Reports rules that can do nothing beside others.
pub(super) fn rules(rules: &[Rule], index: &Index, problems: &mut Problems) {
    let mut written: Vec<&Rule> = rules.iter().collect();
    written.sort_by_key(|rule| rule.place.order);
    let overlooking = written.iter().copied().find(|rule| overlooks(rule));
    let mut search = Search { rules, index, left: MOST };
    for rule in written {
        problems.enter(rule.at.file.clone());
        if let Some(other) = search.stronger(rule) {
            report_useless(rule, other, problems);
        }
        if let Some(block) = overlooking.filter(|_| answers_for_unknown(rule)) {
            report_unread(rule, block, problems);
        }
    }
}

/// Reports rules that let callers in by their names alone.
pub(super) fn names_alone(rules: &[Rule], problems: &mut Problems) {
    for rule in rules.iter().filter(|rule| lets_in(&rule.action) && by_name_alone(&rule.who)) {
        problems.enter(rule.at.file.clone());
        let message = format!("the rule `{}` means users of that name of every issuer", rule.at.name);
        problems.warning(place_of(rule), message).help =
            Some("add `issuer` to its `who`, or a `group`, which only the issuer's own tokens give".to_string());
    }
}

fn lets_in(action: &Action) -> bool {
    match action {
        Action::Allow(_) | Action::Approve(_) => true,
        Action::Block(_) | Action::Mask(_) => false,
    }
}

/// Whether somebody fulfils it by a name, whoever vouches for that.
fn by_name_alone(who: &Condition<WhoFact>) -> bool {
    match who {
        Condition::Is(WhoFact::User(name)) => name.as_str() != "*",
        Condition::Is(WhoFact::Group(_) | WhoFact::Claim(..) | WhoFact::Kind(_) | WhoFact::Issuer(_))
        | Condition::Not(_) => false,
        Condition::All(parts) => parts.iter().any(by_name_alone) && !parts.iter().any(tells_the_issuer),
        Condition::OneOf(parts) => parts.iter().any(by_name_alone),
    }
}

/// Whether nobody fulfils it whom any issuer vouches for. Groups are an issuer's own, or named in its settings.
fn tells_the_issuer(who: &Condition<WhoFact>) -> bool {
    match who {
        Condition::Is(WhoFact::Issuer(_) | WhoFact::Group(_)) => true,
        Condition::Is(WhoFact::User(_) | WhoFact::Claim(..) | WhoFact::Kind(_)) | Condition::Not(_) => false,
        Condition::All(parts) => parts.iter().any(tells_the_issuer),
        Condition::OneOf(parts) => !parts.is_empty() && parts.iter().all(tells_the_issuer),
    }
}

fn report_useless(rule: &Rule, other: &Rule, problems: &mut Problems) {
    let message = format!("the rule `{}` does nothing: `{}` {}", rule.at.name, other.at.name, why(other, rule));
    let place = other.at.to_string();
    let place = place.trim_start_matches(&*other.at.name).trim_start().to_string();
    problems.warning(place_of(rule), message).help =
        Some(format!("the other one is {place}; take out the one that you do not mean"));
}

fn report_unread(rule: &Rule, block: &Rule, problems: &mut Problems) {
    let message = format!("the block `{}` does not see what `{}` lets through unread", block.at.name, rule.at.name);
    problems.warning(place_of(rule), message).help = Some(
        "hoop could not read it, so no block on other verbs reaches it: add `unknown` to the block, or do without"
            .to_string(),
    );
}

/// Where a rule's name stands.
fn place_of(rule: &Rule) -> Place {
    let Written { column, width, .. } = rule.place;
    Place { line: rule.at.line.unwrap_or(1), column, width }
}

/// The search for rules beside which others can do nothing.
struct Search<'r> {
    rules: &'r [Rule],
    index: &'r Index,
    /// How many steps may still be taken.
    left: usize,
}

impl<'r> Search<'r> {
    /// The first rule, as they were written, beside which one can do nothing.
    fn stronger(&mut self, rule: &Rule) -> Option<&'r Rule> {
        let Self { rules, index, left } = self;
        let mut found: Option<&Rule> = None;
        for cell in index.around(rule) {
            *left = left.checked_sub(1 + cell.len())?;
            let others = cell.iter().filter_map(|entry| rules.get(entry.rule()));
            let stronger = others.filter(|other| makes_useless(other, rule));
            found = found.into_iter().chain(stronger).min_by_key(|other| other.place.order);
        }
        found
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

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;
    use crate::Policy;

    /// Rules with each of these callers on each of these resources.
    fn policy(who: &[&str], on: &[&str]) -> Policy {
        let rules = who.iter().flat_map(|who| on.iter().map(move |on| (who, on))).enumerate();
        let rule = |(at, (who, on)): (usize, (&&str, &&str))| {
            format!("- {{ rule: r{at}, who: {who}, on: {on}, allow: {{ sql: {{ read: t }} }} }}\n")
        };
        let text = format!("hoop: 1\nrules:\n{}", rules.map(rule).collect::<String>());
        Policy::from_yaml(&text).unwrap_or_else(|errors| unreachable!("{errors:?}\n{text}"))
    }

    #[test]
    fn the_index_leaves_out_no_stronger_rule() {
        let who = [
            "anyone",
            "{ group: a }",
            "{ group: [a, b] }",
            "{ group: a* }",
            "{ group: a, user: [a, c] }",
            "{ user: c, group: [d, a] }",
            "{ user: a }",
            "[{ group: a }, { user: c }]",
            "[{ group: a, kind: human }, { group: b, user: c }]",
            "{ kind: human, group: b }",
            "{ not: { group: a } }",
            "{ group: b, not: { user: c } }",
        ];
        let on =
            ["db", "[db, db2]", "db*", "{ name: db, kind: postgres }", "{ kind: postgres }", "{ not: { name: db } }"];
        let policy = policy(&who, &on);
        let rules = policy.rules();
        let mut search = Search { rules, index: &policy.0.index, left: usize::MAX };
        let mut useless = 0;
        for rule in rules {
            let all = rules.iter().filter(|other| makes_useless(other, rule));
            let expected = all.min_by_key(|other| other.place.order).map(|other| &*other.at.name);
            useless += usize::from(expected.is_some());
            assert_eq!(search.stronger(rule).map(|other| &*other.at.name), expected, "{}", rule.at.name);
        }
        assert!(useless > rules.len() / 2, "only {useless} are useless");
    }

    #[test]
    fn the_search_ends() {
        let policy = policy(&["anyone"; 40], &["db*"; 60]);
        let mut search = Search { rules: policy.rules(), index: &policy.0.index, left: 10_000 };
        let found = policy.rules().iter().filter(|rule| search.stronger(rule).is_some()).count();
        assert!((1..5).contains(&found), "{found}");
    }
}
