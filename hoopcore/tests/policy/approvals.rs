//! Held commands: who may answer, how many, how long; and what becomes of them when the policy changes meanwhile.

use hoopcore::decision::Consent;
use hoopcore::identity::IdentityKind;
use hoopcore::{
    Answer, Call, Decision, Identity, Outcome, Pending, Policy, Request, Resource, SessionFacts, Timestamp, Verified,
};

use crate::effects::command;

const POLICY: &str = r#"
hoop: 1
rules:
  - { rule: reads, who: anyone, on: db, allow: { sql: { read: "*" } } }
  - { rule: dba-agrees, who: anyone, on: db, approve: { sql: { update: public.orders } }, by: { group: dba } }
  - { rule: two-of-ops, who: anyone, on: db, approve: { sql: { update: "*" } }, by: { group: ops, people: 2 }, within: 5m }
  - { rule: hide, who: anyone, on: db, mask: { columns: { public.orders.note: redact } } }
"#;

/// Asks for `effects` at twelve and gives the answers in turn, each as `minute:second name groups yes|no`, `expired` or
/// `withdrawn`; shows what each comes to.
fn check(policies: [&str; 2], effects: &str, answers: &[&str], expected: &[&str]) {
    let [before, after] = policies.map(|policy| Policy::from_yaml(policy).unwrap());
    let mut outcome = Some(ask(&before, effects));
    let mut shown = Vec::new();
    for answer in answers {
        let Some(Outcome::Approve(pending)) = outcome.take() else { panic!("`{answer}` comes after the end") };
        let decision = give(&after, pending, answer);
        let explanation = decision.explanation();
        let (verdict, reason) = (explanation.verdict, explanation.reason.clone().unwrap_or_default());
        let released = decision.record(|_| Ok::<(), String>(()));
        let word = match &released {
            Outcome::Allow(permit) if permit.masks_armed() => "permit, masked",
            Outcome::Allow(_) => "permit",
            Outcome::Approve(_) => "waits",
            Outcome::Block(_) => "denied",
        };
        shown.push(format!("{verdict}, {word}: {reason}"));
        outcome = Some(released);
    }
    assert_eq!(shown, expected, "{effects}: {answers:?}");
}

fn ask(policy: &Policy, effects: &str) -> Outcome {
    let who = Verified::vouched(Identity::named("etl").with_groups(["dba", "ops"]), "test");
    let (command, facts, on) = (command(effects), SessionFacts::default(), Resource::postgres("db"));
    let call = Call::new(&command, &facts, at("00:00"));
    policy.evaluate(&Request { who: &who, on: &on, call }).record(|_| Ok::<(), String>(()))
}

fn give(policy: &Policy, pending: Pending, answer: &str) -> Decision {
    match answer.split(' ').collect::<Vec<_>>()[..] {
        ["expired"] => policy.resume(pending, Answer::Expired, at("20:00")),
        ["withdrawn"] => policy.resume(pending, Answer::Withdrawn, at("01:00")),
        [when, name, groups, word] => {
            let mut who = Identity::named(name).with_groups(groups.split(',').filter(|group| *group != "-"));
            who.kind = Some(if name == "bot" { IdentityKind::Workload } else { IdentityKind::Human });
            let consent = if word == "yes" { Consent::Yes } else { Consent::No };
            policy.resume(pending, Answer::By(Verified::vouched(who, "test"), consent), at(when))
        }
        _ => panic!("`{answer}`"),
    }
}

fn at(minutes: &str) -> Timestamp {
    format!("2026-11-24T12:{minutes}Z").parse().unwrap()
}

#[test]
fn every_demand_is_met_by_its_own_people() {
    let same = [POLICY, POLICY];
    check(
        same,
        "update public.orders",
        &["01:00 lea dba,ops yes", "01:01 lea dba,ops yes", "02:00 kim ops yes"],
        &[
            "approve, waits: still waiting for 1 of group `ops`",
            "approve, waits: still waiting for 1 of group `ops`",
            "allow, permit, masked: approved by `kim`, `lea`",
        ],
    );
    check(
        same,
        "update public.items",
        &["01:00 lea ops yes", "01:01 kim ops yes"],
        &["approve, waits: still waiting for 1 of group `ops`", "allow, permit, masked: approved by `kim`, `lea`"],
    );
}

#[test]
fn not_everybody_may_answer() {
    let waits = |why: &str| format!("approve, waits: {why}");
    check(
        [POLICY, POLICY],
        "update public.orders",
        &["01:00 etl dba,ops yes", "01:00 bot dba yes", "01:00 sam sales no", "01:00 sam - yes", "01:00 lea dba no"],
        &[
            &waits("nobody answers for what they ask themselves"),
            &waits("only a person can answer"),
            &waits("who answered is in no group that is asked"),
            &waits("who answered is in no group that is asked"),
            "block, denied: `lea` said no",
        ],
    );
}

#[test]
fn time_ends_it() {
    let same = [POLICY, POLICY];
    check(same, "update public.orders", &["expired"], &["block, denied: nobody answered in time"]);
    check(same, "update public.orders", &["withdrawn"], &["block, denied: the request was withdrawn"]);
    let late = ["04:59 lea dba yes", "05:00 kim ops yes"];
    check(
        same,
        "update public.orders",
        &late,
        &["approve, waits: still waiting for 2 of group `ops`", "block, denied: the answer came too late"],
    );
}

#[test]
fn what_is_held_is_judged_again() {
    let yes = ["01:00 lea dba yes"];
    let one = "hoop: 1\nrules:\n  - { rule: dba-agrees, who: anyone, on: db, approve: { sql: update }, by: { group: dba } }\n";
    let blocked = format!(
        "{one}  - {{ rule: freeze, who: anyone, on: db, block: {{ sql: update }}, reason: no changes today }}\n"
    );
    let gone = "hoop: 1\nrules: []\n";
    let other = one.replace("group: dba", "group: ops");
    let freer = one.replace("approve: { sql: update }, by: { group: dba }", "allow: { sql: update }");
    let more = one.replace("group: dba", "group: dba, people: 2");
    let update = "update public.orders";
    check([one, one], update, &yes, &["allow, permit: approved by `lea`"]);
    check([one, &blocked], update, &yes, &["block, denied: no changes today"]);
    check([one, gone], update, &yes, &["block, denied: no rule allows `update` on `public.orders`"]);
    check([one, &other], update, &yes, &["approve, waits: who answered is in no group that is asked"]);
    check([one, &freer], update, &yes, &["allow, permit: the policy allows it by now"]);
    check([one, &more], update, &yes, &["approve, waits: still waiting for 1 of group `dba`"]);
}

#[test]
fn the_request_shows_what_is_asked() {
    let policy = Policy::from_yaml(POLICY).unwrap();
    let Outcome::Approve(pending) = ask(&policy, "update public.orders") else { panic!("it is held") };
    let request = pending.request();
    assert_eq!(request.deadline, at("05:00"));
    let rules: Vec<String> = request.rules.iter().map(ToString::to_string).collect();
    assert_eq!(rules, ["dba-agrees (line 5)", "two-of-ops (line 6)"]);
    assert_eq!((request.who.user.as_str(), request.resource.as_str()), ("etl", "db"));
    assert_eq!(pending.policy(), policy.digest());
}

#[test]
fn a_grant_is_bound_to_command_and_parameters() {
    let policy = Policy::from_yaml(POLICY).unwrap();
    let digest = |effects: &str, parameters: Option<&[Option<String>]>| {
        let who = Verified::vouched(Identity::named("etl"), "test");
        let (command, facts, on) = (command(effects), SessionFacts::default(), Resource::postgres("db"));
        let call = Call { parameters, ..Call::new(&command, &facts, at("00:00")) };
        match policy.evaluate(&Request { who: &who, on: &on, call }).record(|_| Ok::<(), String>(())) {
            Outcome::Approve(pending) => pending.request().digest,
            Outcome::Allow(_) | Outcome::Block(_) => panic!("it is held"),
        }
    };
    let text = |text: &str| Some(text.to_string());
    let all = [
        digest("update public.orders", None),
        digest("update public.items", None),
        digest("update public.orders", Some(&[None])),
        digest("update public.orders", Some(&[text("")])),
        digest("update public.orders", Some(&[text("ab")])),
        digest("update public.orders", Some(&[text("a"), text("b")])),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert_eq!(digest("update public.orders", Some(&[None])), all[2]);
}
