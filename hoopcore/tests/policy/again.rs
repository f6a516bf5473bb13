//! The same command asked again in one session: what a rule asks for at each call counts at each call.

use std::cell::Cell;
use std::sync::Arc;

use hoopcore::limit::Charge;
use hoopcore::request::{Exposure, Exposures};
use hoopcore::{
    Call, ColumnName, Decision, Identity, Outcome, Policy, QualifiedName, RateCounter, Rates, Resource, SessionFacts,
    Timestamp, Verdict, Verified,
};

use crate::effects::command;

const MONDAY: &str = "2026-11-23T12:00:00Z";
const SUNDAY: &str = "2026-11-22T12:00:00Z";

/// Leaves room for one command.
#[derive(Debug, Default)]
struct Once(std::sync::Mutex<Cell<bool>>);

impl RateCounter for Once {
    fn charge(&self, _: &[Charge<'_>], _: Timestamp) -> Result<(), usize> {
        if self.0.lock().unwrap().replace(true) { Err(0) } else { Ok(()) }
    }
}

/// The verdicts of one session that allows reads by one rule, for the same command in changing circumstances.
fn check(
    rule: &str,
    effects: &str,
    change: impl Fn(&mut SessionFacts),
    second: (&str, Option<&str>),
    expected: [Verdict; 3],
) {
    let rule = format!(
        "hoop: 1\nrules:\n  - {{ rule: reads, who: anyone, on: db, allow: {{ sql: {{ read: a.t }} }}{rule} }}\n"
    );
    let policy = Policy::from_yaml(&rule).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let who = Verified::vouched(Identity::named("etl"), "test");
    let mut session = policy.session(&who, &Resource::postgres("db"));
    let (command, counter) = (command(effects), Once::default());
    let mut facts = SessionFacts { search_path: vec!["a".into()], ..SessionFacts::default() };
    let mut ask = |facts: &SessionFacts, at: &str, bound: Option<&str>| {
        let parameters = vec![bound.map(str::to_owned)];
        let rates = Rates::Counted(&counter);
        let call = Call { parameters: Some(&parameters), rates, ..Call::new(&command, facts, at.parse().unwrap()) };
        session.decide(&call).verdict()
    };
    let first = ask(&facts, MONDAY, Some("1"));
    change(&mut facts);
    let (at, bound) = second;
    assert_eq!([first, ask(&facts, at, bound), ask(&facts, at, bound)], expected, "{rule}");
}

#[test]
fn what_changes_from_call_to_call_counts_at_each() {
    use Verdict::{Allow, Block};
    let same = (MONDAY, Some("1"));
    let nothing = |_: &mut SessionFacts| {};
    check("", "read t", nothing, same, [Allow, Allow, Allow]);
    check(", when: { time: { days: mon } }", "read t", nothing, (SUNDAY, Some("1")), [Allow, Block, Block]);
    check(", when: { parameters: { 1: '1' } }", "read t", nothing, (MONDAY, Some("2")), [Allow, Block, Block]);
    check(", when: { not: { parameters: { 1: '2' } } }", "read t", nothing, (MONDAY, None), [Allow, Allow, Allow]);
    check(", limits: { per_minute: 1 }", "read t", nothing, same, [Allow, Block, Block]);
    check("", "read t", |facts| facts.search_path = vec!["b".into()], same, [Allow, Block, Block]);
    let prepare = |effects: &'static str| {
        move |facts: &mut SessionFacts| drop(facts.prepared.insert("p".into(), crate::effects::command(effects)))
    };
    check("", "session prepared:p", prepare("read a.t"), same, [Block, Allow, Allow]);
    check("", "session prepared:p", prepare("read b.t"), same, [Block, Block, Block]);
}

/// The verdicts of one session for the same command in each of these circumstances in turn, each asked twice.
fn turns(rules: &str, effects: &str, circumstances: &[(SessionFacts, Option<&str>)]) -> String {
    let policy = Policy::from_yaml(&format!("hoop: 1\nrules:\n{rules}"));
    let policy = policy.unwrap_or_else(|errors| panic!("{errors:#?}"));
    let who = Verified::vouched(Identity::named("etl"), "test");
    let mut session = policy.session(&who, &Resource::postgres("db"));
    let command = command(effects);
    let mut verdicts = Vec::new();
    for (facts, source) in circumstances {
        let source = source.map(|source| source.parse().unwrap());
        let call = Call { source, ..Call::new(&command, facts, MONDAY.parse().unwrap()) };
        let (verdict, again) = (session.decide(&call).verdict(), session.decide(&call).verdict());
        assert_eq!(verdict, again);
        verdicts.push(verdict.to_string());
    }
    verdicts.join(" ")
}

#[test]
fn another_source_is_asked_for_anew() {
    let rule = "  - { rule: near, who: anyone, on: db, allow: { sql: { read: a.t } }, when: { source: 10.0.0.0/8 } }";
    let from = |sources: &[Option<&'static str>]| {
        let facts = SessionFacts::default();
        let circumstances: Vec<_> = sources.iter().map(|source| (facts.clone(), *source)).collect();
        turns(rule, "read a.t", &circumstances)
    };
    assert_eq!(from(&[Some("10.1.1.1"), Some("192.168.0.1"), None]), "allow block block");
    assert_eq!(from(&[Some("192.168.0.1"), Some("10.1.1.1"), Some("10.2.2.2")]), "block allow allow");
}

/// What is shadowed is the caller's own function, and no harmless one any more.
#[test]
fn another_set_of_shadows_is_asked_for_anew() {
    let rule = "  - { rule: reads, who: anyone, on: db, allow: { sql: { read: a.t } } }";
    let shadowed = |names: &[&str]| {
        let shadows = Arc::new(names.iter().map(|name| String::from(*name)).collect());
        (SessionFacts { shadows, ..SessionFacts::default() }, None)
    };
    let told =
        turns(rule, "read a.t; call lower shadowable", &[shadowed(&[]), shadowed(&["lower"]), shadowed(&["upper"])]);
    assert_eq!(told, "allow block allow");
}

/// A column through which a protected value can be read is masked from the first command on that knows of it.
#[test]
fn other_exposures_are_asked_for_anew() {
    let rules = "
  - { rule: reads, who: anyone, on: db, allow: { sql: { read: a.* } } }
  - { rule: hides, who: anyone, on: db, mask: { columns: { a.t.x: redact } } }";
    let facts = SessionFacts::default();
    let known = |columns: &[&str]| {
        let exposure = |column: &&str| Exposure {
            relation: QualifiedName::qualified("a", "v"),
            column: Some(String::from(*column)),
            carrier: hoopcore::request::Carrier::Column,
            exposes: ColumnName::new("a", "t", "x"),
        };
        let exposures = Exposures::Known(columns.iter().map(exposure).collect());
        (SessionFacts { exposures, ..facts.clone() }, None)
    };
    let assumed = || (facts.clone(), None);
    assert_eq!(turns(rules, "read a.v(y)", &[known(&[]), known(&["y"]), known(&["z"])]), "allow mask allow");
    assert_eq!(turns(rules, "read a.v(y)", &[known(&["y"]), assumed(), known(&["y"])]), "mask allow mask");
    assert_eq!(turns(rules, "read a.t(x)", &[known(&[]), assumed()]), "allow mask");
    assert_eq!(turns(rules, "read a.t(x)", &[assumed(), known(&[])]), "mask allow");
    let defining = || (SessionFacts { defines: true, ..facts.clone() }, None);
    let function = "call upper shadowable";
    let allowed = || (facts.clone(), None);
    assert_eq!(turns(rules, function, &[allowed(), defining(), allowed()]), "allow block allow");
    let unknown = || (SessionFacts { exposures: Exposures::Unknown, ..facts.clone() }, None);
    assert_eq!(turns(rules, "read a.v(y)", &[known(&[]), unknown(), unknown(), known(&[])]), "allow block block allow");
    assert_eq!(turns(rules, "read a.v()", &[unknown()]), "allow");
}

/// The last eight commands are kept, and the ninth takes the place of the first: each has its own decision all the same.
#[test]
fn the_ninth_command_takes_the_place_of_the_first() {
    let rules: String = (0..9)
        .map(|at| format!("  - {{ rule: r{at}, who: anyone, on: db, allow: {{ sql: {{ read: a.t{at} }} }} }}\n"))
        .collect();
    let policy = Policy::from_yaml(&format!("hoop: 1\nrules:\n{rules}")).unwrap();
    let who = Verified::vouched(Identity::named("etl"), "test");
    let mut session = policy.session(&who, &Resource::postgres("db"));
    let (commands, facts) = ((0..9).map(|at| command(&format!("read a.t{at}"))), SessionFacts::default());
    let commands: Vec<_> = commands.collect();
    let mut ask = |at: usize| -> Decision {
        let decision = session.decide(&Call::new(&commands[at], &facts, MONDAY.parse().unwrap()));
        assert_eq!(*decision.explanation().rule.name, *format!("r{at}"));
        decision
    };
    let is_kept = |one: &Decision, again: Decision| std::ptr::eq(one.explanation(), again.explanation());
    let first: Vec<_> = (0..8).map(&mut ask).collect();
    for (at, one) in first.iter().enumerate() {
        assert!(is_kept(one, ask(at)), "{at} of eight");
    }
    let ninth = ask(8);
    assert!(is_kept(&ninth, ask(8)));
    for (at, one) in first.iter().enumerate().skip(1) {
        assert!(is_kept(one, ask(at)), "{at} of nine");
    }
    assert!(!is_kept(&first[0], ask(0)), "the first is judged anew");
    assert!(!is_kept(&first[1], ask(1)), "it takes the place of the second");
}

/// Decisions that were made once are one in memory; each is an act of its own all the same.
#[test]
fn a_decision_that_is_made_again_has_its_own_id_time_and_meter() {
    let policy = "hoop: 1\nrules:\n  - { rule: reads, who: anyone, on: db, allow: { sql: { read: a.t } }, limits: { rows: 1 } }\n";
    let policy = Policy::from_yaml(policy).unwrap();
    let who = Verified::vouched(Identity::named("etl"), "test");
    let mut session = policy.session(&who, &Resource::postgres("db"));
    let (command, other, facts) = (command("read a.t"), command("read a.t"), SessionFacts::default());
    let call = |command, at: &str| Call::new(command, &facts, at.parse().unwrap());
    let first = session.decide(&call(&command, MONDAY));
    let second = session.decide(&call(&command, SUNDAY));
    let third = session.decide(&call(&other, MONDAY));
    assert!(std::ptr::eq(first.explanation(), second.explanation()));
    assert!(!std::ptr::eq(first.explanation(), third.explanation()));
    let passage = |decision: hoopcore::Decision| {
        let (event, sealed) = decision.seal();
        let (id, at) = (event.id(), event.at);
        let Outcome::Allow(permit) = sealed.release(event.written()) else { panic!("it is allowed") };
        (id, at, permit.spend())
    };
    let ((one, monday, first), (two, sunday, second)) = (passage(first), passage(second));
    assert!(one != two && monday > sunday);
    assert!(first.meter().row(1).is_ok() && second.meter().row(1).is_ok() && second.meter().row(1).is_err());
}
