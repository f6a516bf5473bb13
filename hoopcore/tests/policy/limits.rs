//! Limits: which hold for a command, what they let through, and how often.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Mutex;
use std::time::Duration;

use hoopcore::audit::{Completion, CompletionStatus, EventKind};
use hoopcore::limit::{Charge, LimitKind};
use hoopcore::{
    Call, Identity, Layout, Meter, Outcome, Passage, Policy, RateCounter, Rates, Request, Resource, RowVerdict,
    SessionFacts, Timestamp, Verdict, Verified,
};

use crate::effects::command;

const POLICY: &str = r#"
hoop: 1
rules:
  - { rule: a, who: anyone, on: db, allow: { sql: { read: "*" } }, limits: { rows: 100, seconds: 60 } }
  - { rule: b, who: anyone, on: db, allow: { sql: { read: public.orders } }, limits: { rows: 3, bytes: 20 } }
  - { rule: c, who: { group: dba }, on: db, allow: { sql: { read: public.orders, insert: "*" } }, limits: { rows: 1 } }
  - { rule: d, who: { user: bot }, on: db, allow: { sql: { "*": public.* } }, limits: { per_minute: 2 } }
  - { rule: e, who: anyone, on: db, allow: { sql: { delete: "*" } } }
"#;

fn evaluated<T>(who: Identity, effects: &str, rates: Rates<'_>, then: impl FnOnce(hoopcore::Decision) -> T) -> T {
    let policy = Policy::from_yaml(POLICY).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let who = Verified::vouched(who, "test");
    let (command, mut facts, on) = (command(effects), SessionFacts::default(), Resource::postgres("db"));
    facts.cursors.insert("known".into(), crate::effects::command("read public.orders(id)"));
    let call = Call { rates, ..Call::new(&command, &facts, Timestamp::UNIX_EPOCH) };
    then(policy.evaluate(&Request { who: &who, on: &on, call }))
}

#[test]
fn the_smallest_limits_of_all_that_may_reach_hold() {
    let check = |groups: Option<&[&str]>, effects: &str, expected: &str| {
        let mut who = Identity::named("u");
        who.groups = groups.map(|groups| groups.iter().map(ToString::to_string).collect());
        let shown = evaluated(who, effects, Rates::Ignored, |decision| {
            let limits = &decision.explanation().limits;
            let one = |limit: &hoopcore::Limit| format!("{} {} {}", limit.kind.word(), limit.most, limit.rule.name);
            limits.iter().map(one).collect::<Vec<_>>().join(", ")
        });
        assert_eq!(shown, expected, "{effects} {groups:?}");
    };
    let none: Option<&[&str]> = Some(&[]);
    check(none, "read public.customers", "rows 100 a, seconds 60 a");
    check(none, "read public.orders", "rows 3 b, bytes 20 b, seconds 60 a");
    check(none, "read public.customers;; read public.orders", "rows 3 b, bytes 20 b, seconds 60 a");
    // Groups that nobody told may be any.
    check(None, "read public.orders", "rows 1 c, bytes 20 b, seconds 60 a");
    check(Some(&["dba"]), "insert public.orders", "rows 1 c");
    check(none, "delete public.orders", "");
    check(none, "session * harmless", "");
    check(none, "read public.orders harmless", "");
    // What is refused lets nothing through.
    check(none, "drop public.orders", "");
    check(none, "session cursor:known", "rows 3 b, bytes 20 b, seconds 60 a");
    check(none, "session cursor:other", "rows 3 b, bytes 20 b, seconds 60 a");
}

fn passage(effects: &str) -> Passage {
    let who = Identity::named("u").with_groups(["x"]);
    evaluated(who, effects, Rates::Ignored, |decision| match decision.record(|_| Ok::<(), String>(())) {
        Outcome::Allow(permit) => permit.spend(),
        other => panic!("{other:?}"),
    })
}

#[test]
fn an_answer_ends_at_its_limit() {
    let check = |rows: &[&[&str]], expected: &str| {
        let passage = passage("read public.orders");
        let mut masker = passage.rows(&Layout::default());
        let word = |row: &&[&str]| {
            let mut cells: Vec<_> = row.iter().map(|cell| Some(Cow::Borrowed(cell.as_bytes()))).collect();
            match masker.row(&mut cells) {
                RowVerdict::Pass | RowVerdict::Masked => "+".to_string(),
                RowVerdict::Stop(denial) => format!(" {:?}: {denial}", denial.limit.unwrap()),
            }
        };
        assert_eq!(rows.iter().map(word).collect::<String>(), expected, "{rows:?}");
        let closing = passage.close(Completion { status: CompletionStatus::Done, rows: 0, bytes: 0 });
        let EventKind::Closed { completion, .. } = closing.kind else { panic!("a closing record") };
        assert_eq!(matches!(completion.status, CompletionStatus::Limited(_)), expected.contains(' '));
    };
    check(&[&["1"], &["2"], &["3"]], "+++");
    let rows = " Rows: refused by rule `b (line 5)`: the answer has more than 3 rows";
    check(&[&["1"], &["2"], &["3"], &["4"]], &format!("+++{rows}"));
    check(&[&[], &[], &[], &[], &[]], &format!("+++{rows}{rows}"));
    let bytes = " Bytes: refused by rule `b (line 5)`: the answer has more than 20 bytes";
    check(&[&["0123456789", "0123456789"]], "+");
    check(&[&["0123456789", "0123456789"], &["x"]], &format!("+{bytes}"));
}

#[test]
fn time_is_counted_together() {
    let passage = passage("read public.customers");
    let meter: &Meter = passage.meter();
    let seconds = |seconds| Duration::from_secs(seconds);
    assert_eq!(meter.time_left(), Some(seconds(60)));
    assert!(meter.ran(seconds(59)).is_ok());
    assert_eq!(meter.clone().time_left(), Some(seconds(1)));
    assert_eq!(meter.ran(seconds(1)).unwrap_err().kind, LimitKind::Seconds);
    assert_eq!(meter.time_left(), Some(Duration::ZERO));
}

/// Permits so many commands, and notes what it is asked.
#[derive(Debug)]
struct Counter {
    left: Mutex<Cell<u32>>,
    asked: Mutex<Vec<String>>,
}

impl RateCounter for Counter {
    fn charge(&self, charges: &[Charge<'_>], _: Timestamp) -> Result<(), usize> {
        let text = |charge: &Charge<'_>| format!("{} {} {}", charge.who.user, charge.rule, charge.per_minute);
        self.asked.lock().unwrap().push(charges.iter().map(text).collect());
        let left = self.left.lock().unwrap();
        left.set(left.get().checked_sub(1).ok_or(0_usize)?);
        Ok(())
    }
}

#[test]
fn a_rate_is_charged_once_for_each_permitted_command() {
    let counter = Counter { left: Mutex::new(Cell::new(2)), asked: Mutex::default() };
    let check = |effects: &str, expected: &str| {
        let who = Identity::named("bot").with_groups(["x"]);
        let shown = evaluated(who, effects, Rates::Counted(&counter), |decision| {
            let explanation = decision.explanation();
            format!(
                "{} {}: {}",
                explanation.verdict,
                explanation.rule.name,
                explanation.reason.as_deref().unwrap_or("")
            )
        });
        assert_eq!(shown, expected, "{effects}");
    };
    check("read public.orders", "allow a: ");
    check("drop other.orders", "block default: no rule allows `drop` on `other.orders`");
    check("session * harmless", "allow harmless: ");
    check("read other.orders", "allow a: ");
    check("update public.orders;; update public.t", "allow d: ");
    check("read public.orders", "block d: more than 2 commands within a minute; try again later");
    assert_eq!(*counter.asked.lock().unwrap(), ["bot d 2", "bot d 2", "bot d 2"]);
}

#[test]
fn what_nothing_counts_is_refused() {
    let verdict =
        |rates| evaluated(Identity::named("bot"), "update public.orders", rates, |decision| decision.verdict());
    assert_eq!(verdict(Rates::Uncounted), Verdict::Block);
    assert_eq!(verdict(Rates::Ignored), Verdict::Allow);
}

/// What an unknown cursor returns may fall under any rate, whatever the verb of what fetches from it.
#[test]
fn a_fetch_that_nothing_counts_is_refused_with_a_session_and_without() {
    let policy =
        "hoop: 1\nrules:\n- { rule: a, who: anyone, on: db, allow: { sql: update }, limits: { per_minute: 1 } }";
    let policy = Policy::from_yaml(policy).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let who = Verified::vouched(Identity::named("u"), "test");
    let (command, facts, on) = (command("read cursor:other"), SessionFacts::default(), Resource::postgres("db"));
    let call = Call { rates: Rates::Uncounted, ..Call::new(&command, &facts, Timestamp::UNIX_EPOCH) };
    assert_eq!(policy.session(&who, &on).verdict(&call), Verdict::Block);
    assert_eq!(policy.verdict(&Request { who: &who, on: &on, call }), Verdict::Block);
}
