//! The same command asked again in one session: what a rule asks for at each call counts at each call.

use std::cell::Cell;

use hoopcore::limit::Charge;
use hoopcore::{
    Call, Identity, Outcome, Policy, RateCounter, Rates, Resource, SessionFacts, Timestamp, Verdict, Verified,
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
        let parameters = [bound.map(str::to_owned)];
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
