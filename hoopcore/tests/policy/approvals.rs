//! Held commands: who may answer, how many, how long; and what becomes of them when the policy changes meanwhile.

use hoopcore::audit::EventKind;
use hoopcore::command::sql::{Effect, Object, Verb};
use hoopcore::command::{Change, Statement};
use hoopcore::decision::Consent;
use hoopcore::identity::IdentityKind;
use hoopcore::parameters::{Parameter, Parameters};
use hoopcore::{
    Answer, Call, Command, Coverage, Decision, Grant, Identity, Outcome, PendingApproval, Policy, Request, Resource,
    SessionFacts, Timestamp, Verified,
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
    ask_for(policy, &command(effects))
}

fn ask_for(policy: &Policy, command: &Command) -> Outcome {
    let who = Verified::vouched(Identity::named("etl").with_groups(["dba", "ops"]), "test");
    let (facts, on) = (SessionFacts::default(), Resource::postgres("db"));
    let call = Call::new(command, &facts, at("00:00"));
    policy.evaluate(&Request { who: &who, on: &on, call }).record(|_| Ok::<(), String>(()))
}

fn give(policy: &Policy, pending: PendingApproval, answer: &str) -> Decision {
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

/// What passed since it was asked counts, not what the clock was set to meanwhile.
#[test]
fn a_clock_that_is_set_makes_no_answer_late() {
    let policy = Policy::from_yaml(POLICY).unwrap();
    let come_to = |now: &str, waited: Option<&str>| {
        let Outcome::Approve(mut pending) = ask(&policy, "update public.items") else { panic!("it is held") };
        waited.into_iter().for_each(|until| pending.has_waited_until(at(until)));
        let decision = give(&policy, pending, &format!("{now} lea ops yes"));
        decision.explanation().reason.clone().unwrap_or_default().into_owned()
    };
    let (waits, late) = ("still waiting for 1 of group `ops`", "the answer came too late");
    let all = [("01:00", None), ("59:00", None), ("59:00", Some("01:00")), ("01:00", Some("05:00"))];
    assert_eq!(all.map(|(now, waited)| come_to(now, waited)), [waits, late, waits, late]);
}

#[test]
fn nobody_answers_for_themselves_under_another_name() {
    let policy = Policy::from_yaml(POLICY).unwrap();
    let come_to = |alias: &str| {
        let Outcome::Approve(pending) = ask(&policy, "update public.items") else { panic!("it is held") };
        let who = Identity::named("lea").with_groups(["ops"]).with_aliases([alias]);
        let answer = Answer::By(Verified::vouched(who, "test"), Consent::Yes);
        policy.resume(pending, answer, at("01:00")).explanation().reason.clone().unwrap_or_default()
    };
    assert_eq!(come_to("ETL"), "nobody answers for what they ask themselves");
    assert_eq!(come_to("etl-2"), "still waiting for 1 of group `ops`");
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
fn consent_is_to_what_was_shown() {
    let rule = |by: &str, more: &str| {
        let rule = format!("{{ rule: a, who: anyone, on: db, approve: {{ sql: update }}, by: {{ {by} }}{more} }}");
        format!("hoop: 1\nrules:\n  - {rule}\n")
    };
    let shown = rule("group: dba, people: 2", ", grant: once");
    let policies = [
        rule("group: dba", ", grant: 30d"),
        rule("group: dba, people: 2", ", grant: 30d"),
        rule("group: dba", ", grant: once"),
        rule("group: dba, people: 3", ", grant: once"),
    ];
    // Ada says yes, then the policy changes, then she answers what was shown before once more.
    let come_to = policies.map(|after| {
        let [before, after] = [&shown, &after].map(|text| Policy::from_yaml(text).unwrap());
        let Outcome::Approve(pending) = ask(&before, "update t") else { panic!("it is held") };
        let Outcome::Approve(pending) = give(&before, pending, "01:00 ada dba yes").record(|_| Ok::<(), String>(()))
        else {
            panic!("it waits for another")
        };
        let decision = give(&after, pending, "01:01 ada dba yes");
        decision.explanation().reason.clone().unwrap_or_default().into_owned()
    });
    let anew = "what is asked has changed since it was shown: look again";
    assert_eq!(come_to, [anew, anew, anew, "still waiting for 2 of group `dba`"]);
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
    let digest = |effects: &str, parameters: Option<Vec<Option<String>>>| {
        let who = Verified::vouched(Identity::named("etl"), "test");
        let (command, facts, on) = (command(effects), SessionFacts::default(), Resource::postgres("db"));
        let parameters = parameters.as_ref().map(|bound| bound as _);
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
        digest("update public.orders", Some(vec![None])),
        digest("update public.orders", Some(vec![text("")])),
        digest("update public.orders", Some(vec![text("ab")])),
        digest("update public.orders", Some(vec![text("a"), text("b")])),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert_eq!(digest("update public.orders", Some(vec![None])), all[2]);
}

/// A command that is asked for in a session of these facts, as `effects` at a `minute:second`; held, or drawn from a grant.
fn again(policy: &Policy, grant: &mut Grant, effects: &str, when: &str, change: impl FnOnce(&mut Asking)) -> String {
    let mut asking = Asking::default();
    change(&mut asking);
    let parameters = asking.parameters.take();
    again_as(policy, grant, effects, when, &asking, parameters.as_ref().map(|bound| bound as _))
}

fn again_with(policy: &Policy, grant: &mut Grant, parameters: Option<&dyn Parameters>) -> String {
    again_as(policy, grant, "update public.orders", "02:00", &Asking::default(), parameters)
}

fn again_as(
    policy: &Policy,
    grant: &mut Grant,
    effects: &str,
    when: &str,
    asking: &Asking,
    parameters: Option<&dyn Parameters>,
) -> String {
    let (who, command) = (Verified::vouched(asking.who.clone(), "test"), command(effects));
    let call = Call { parameters, ..Call::new(&command, &asking.facts, at(when)) };
    let mut session = policy.session(&who, &asking.on);
    let decision = session.decide_granted(&call, &mut |pending| grant.draw(pending, at(when)));
    let mut noted = String::new();
    let outcome = decision.record(|event| {
        if let EventKind::Decided { grant: Some(note), .. } = &event.kind {
            noted = format!(" {} of {:?}", note.number, note.times);
        }
        Ok::<(), String>(())
    });
    match outcome {
        Outcome::Allow(permit) if permit.masks_armed() => format!("permit, masked{noted}"),
        Outcome::Allow(_) => format!("permit{noted}"),
        Outcome::Approve(_) => "held".into(),
        Outcome::Block(denial) => format!("denied: {}", denial.reason),
    }
}

struct Asking {
    who: Identity,
    on: Resource,
    facts: SessionFacts,
    parameters: Option<Vec<Option<String>>>,
}

impl Default for Asking {
    fn default() -> Self {
        Self {
            who: Identity::named("etl").with_groups(["dba", "ops"]),
            on: Resource::postgres("db"),
            facts: SessionFacts::default(),
            parameters: None,
        }
    }
}

/// A policy of approves on `update` with these terms, each of a group of its own.
fn with_terms(terms: &[&str]) -> Policy {
    let mut text = String::from(
        "hoop: 1\nrules:\n  - { rule: hide, who: anyone, on: db, mask: { columns: { public.orders.note: redact } } }\n",
    );
    for (number, terms) in terms.iter().enumerate() {
        text += &format!(
            "  - {{ rule: a{number}, who: anyone, on: '*', approve: {{ sql: [update, unknown] }}, by: {{ group: g{number} }}, grant: {terms} }}\n"
        );
    }
    Policy::from_yaml(&text).unwrap()
}

/// The grant that comes with consent at `01:00` to `update public.orders`.
fn granted(policy: &Policy) -> Option<Grant> {
    granted_for(policy, &command("update public.orders"))
}

fn granted_for(policy: &Policy, command: &Command) -> Option<Grant> {
    granted_with(policy, command, None)
}

fn granted_with(policy: &Policy, command: &Command, parameters: Option<&dyn Parameters>) -> Option<Grant> {
    let who = Verified::vouched(Identity::named("etl").with_groups(["dba", "ops"]), "test");
    let facts = SessionFacts::default();
    let call = Call { parameters, ..Call::new(command, &facts, at("00:00")) };
    let asked = policy.evaluate(&Request { who: &who, on: &Resource::postgres("db"), call });
    let Outcome::Approve(mut pending) = asked.record(|_| Ok::<(), String>(())) else { panic!("it is held") };
    pending.hold_as("q1".into());
    let groups = (0..9).map(|number| format!("g{number}"));
    let who = Verified::vouched(Identity::named("lea").with_groups(groups), "test");
    let decision = policy.resume(pending, Answer::By(who, Consent::Yes), at("01:00"));
    match decision.record(|_| Ok::<(), String>(())) {
        Outcome::Allow(mut permit) => permit.take_grant(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_bounds_of_all_grants_hold_together() {
    let check = |terms: &[&str], expected: &str| {
        let policy = with_terms(terms);
        let shown = granted(&policy).map_or("nothing".into(), |mut grant| {
            let (until, session) = (grant.until(), grant.is_for_session());
            let mut uses = 0;
            while uses < 20 && again(&policy, &mut grant, "update public.orders", "01:00", |_| {}).starts_with("permit")
            {
                uses += 1;
            }
            let minutes = until.duration_since(at("01:00")).as_mins();
            format!("{uses} more, {minutes} min{}", if session { ", session" } else { "" })
        });
        assert_eq!(shown, expected, "{terms:?}");
    };
    check(&["once"], "nothing");
    check(&["3 times"], "2 more, 1440 min");
    check(&["30m"], "20 more, 30 min");
    check(&["2d"], "20 more, 2880 min");
    check(&["session"], "20 more, 1440 min, session");
    check(&["3 times", "30m"], "2 more, 30 min");
    check(&["3 times", "5 times"], "2 more, 1440 min");
    check(&["1d", "2d"], "20 more, 1440 min");
    check(&["2h", "session", "4 times"], "3 more, 120 min, session");
    check(&["once", "session", "30m"], "nothing");
}

#[test]
fn a_grant_is_good_for_what_was_shown_and_nothing_else() {
    let policy = with_terms(&["30m"]);
    let mut grant = granted(&policy).unwrap();
    let mut check = |effects: &str, when: &str, change: fn(&mut Asking), expected: &str| {
        assert_eq!(again(&policy, &mut grant, effects, when, change), expected, "{effects} at {when}");
    };
    let update = "update public.orders";
    check(update, "02:00", |_| {}, "permit, masked 2 of None");
    check("update public.items", "02:00", |_| {}, "held");
    check("update public.orders; read x", "02:00", |_| {}, "denied: no rule allows `read` on `public.x`");
    check(update, "02:00", |asking| asking.parameters = Some(vec![None]), "held");
    check(update, "02:00", |asking| asking.who.user = "etl2".into(), "held");
    check(update, "02:00", |asking| asking.who.issuer = Some("ci".into()), "held");
    check(update, "02:00", |asking| asking.who.groups = None, "held");
    check(update, "02:00", |asking| asking.who = asking.who.clone().with_groups(["dba"]), "held");
    check(update, "02:00", |asking| asking.who.kind = Some(IdentityKind::Workload), "held");
    check(update, "02:00", |asking| asking.on.name = "other".into(), "held");
    check(update, "02:00", |asking| asking.on.database = Some("other".into()), "held");
    check(update, "02:00", |asking| asking.facts.search_path = vec!["other".into()], "held");
    check(update, "30:59", |_| {}, "permit, masked 3 of None");
    check(update, "31:00", |_| {}, "held");
}

/// The row that a cursor stands on is another one the next time.
#[test]
fn what_a_cursor_stands_on_is_granted_once() {
    let policy = Policy::from_yaml(
        "hoop: 1\nrules:\n  - { rule: a0, who: anyone, on: '*', approve: { sql: [update, read, call, unknown] }, by: { group: g0 }, grant: session }\n",
    );
    let policy = policy.unwrap();
    let check = |sql: &str, expected: bool| {
        assert_eq!(granted_for(&policy, &Command::sql(sql)).is_some(), expected, "{sql}");
    };
    check("UPDATE orders SET paid = true WHERE id = 1", true);
    check("UPDATE orders SET paid = true WHERE /* */ Current\nOf c", false);
    check("DO $$ BEGIN UPDATE orders SET paid = true WHERE current/**/of c; END $$", false);
    check("UPDATE orders SET paid = ~~ WHERE CURRENT OF c", false);
    check("DO $$ BEGIN UPDATE orders SET at = current_date; END $$", true);
}

/// Values that nobody can read, in bytes that tell them apart or do not.
#[derive(Debug)]
struct Opaque(&'static [u8], bool);

impl Parameters for Opaque {
    fn count(&self) -> usize {
        1
    }

    fn get(&self, index: usize) -> Option<Parameter<'_>> {
        (index == 0).then(|| Parameter::Unread("binary, 2 bytes".into()))
    }

    fn identify(&self, part: &mut dyn FnMut(&[u8])) {
        part(self.0);
    }

    fn are_told_apart(&self) -> bool {
        self.1
    }
}

/// What was asked with these parameters is granted, and then asked again with others.
#[test]
fn values_that_nobody_can_read_are_a_part_of_what_is_granted() {
    let policy = with_terms(&["30m"]);
    let (first, other) = (Opaque(b"10", true), Opaque(b"11", true));
    let mut grant = granted_with(&policy, &command("update public.orders"), Some(&first)).unwrap();
    let mut check = |parameters: Option<&dyn Parameters>, expected: &str| {
        assert_eq!(again_with(&policy, &mut grant, parameters), expected);
    };
    check(Some(&first), "permit, masked 2 of None");
    check(Some(&other), "held");
    check(None, "held");
    check(Some(&vec![Some("10".to_owned())]), "held");
    let unmasked = "hoop: 1\nrules:\n  - { rule: a0, who: anyone, on: '*', approve: { sql: [update, unknown] }, by: { group: g0 }, grant: 30m }\n";
    let unmasked = Policy::from_yaml(unmasked).unwrap();
    let grant = |text: &str, parameters: Option<&dyn Parameters>| {
        granted_with(&unmasked, &Command::sql(text), parameters).is_some()
    };
    assert!(!grant("UPDATE orders SET a = 1", Some(&Opaque(b"10", false))), "they are not told apart");
    assert!(!grant("UPDATE orders SET a = $1", None), "they are not known");
    assert!(!grant("UPDATE orders SET a = ~~ $1", None), "nor is what is bound");
    assert!(grant("UPDATE orders SET a = 1", None));
    assert!(grant("UPDATE orders SET a = '$1'", None));
}

/// Of a text that is not read the bytes are not known: another may look the same. Nor is it the same as when it was read.
#[test]
fn what_was_not_read_is_granted_once_and_is_nothing_that_was_read() {
    let rule = "{ rule: a0, who: anyone, on: db, approve: { sql: [update, unknown] }, by: { group: g0 }, grant: 30m }";
    let policy = Policy::from_yaml(&format!("hoop: 1\nrules: [{rule}]")).unwrap();
    let text = r"UPDATE t SET a = '\', b = ' WHERE a = b --'";
    let (read, unread) = (Command::sql(text), Command::unread(text, "a backslash"));
    assert!(granted_for(&policy, &read).is_some() && granted_for(&policy, &unread).is_none());
    let digest = |command: &Command| match ask_for(&policy, command) {
        Outcome::Approve(pending) => pending.request().digest,
        other => panic!("{other:?}"),
    };
    assert_ne!(digest(&read), digest(&unread));
}

/// Where `PREPARE` gives its parameters other types, it may call another function.
#[test]
fn a_prepared_statement_is_granted_with_the_types_of_its_parameters() {
    let digest = |sql: &str| match &Command::sql(sql).statements()[0].change {
        Change::Prepare { command, .. } => *command.digest(),
        other => panic!("{other:?}"),
    };
    let all = ["", "(int)", "(text)"].map(|types| digest(&format!("PREPARE p {types} AS SELECT abs($1)")));
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] == *Command::sql("SELECT abs($1)").digest());
}

#[test]
fn another_policy_asks_again() {
    let mut grant = granted(&with_terms(&["session"])).unwrap();
    let mut check = |policy: &Policy, expected: &str| {
        assert_eq!(again(policy, &mut grant, "update public.orders", "02:00", |_| {}), expected);
    };
    check(&with_terms(&["session"]), "permit, masked 2 of None");
    check(&with_terms(&["30m"]), "held");
    check(&with_terms(&["session", "session"]), "held");
    check(&Policy::from_yaml("hoop: 1\nrules: []").unwrap(), "denied: no rule allows `update` on `public.orders`");
}

/// A rule that asks now and did not ask then is not met by what was agreed to then.
#[test]
fn a_grant_meets_only_the_rules_that_asked() {
    let text = |from: &str| {
        format!(
            "hoop: 1\nrules:\n  - {{ rule: day, who: anyone, on: db, approve: {{ sql: update }}, by: {{ group: g0 }}, grant: 2h }}\n  - \
             {{ rule: late, who: anyone, on: db, approve: {{ sql: update }}, by: {{ group: g1 }}, when: {{ time: {{ from: '{from}', to: '23:00' }} }} }}\n"
        )
    };
    let policy = Policy::from_yaml(&text("12:05")).unwrap();
    let mut grant = granted(&policy).unwrap();
    assert_eq!(again(&policy, &mut grant, "update public.orders", "04:59", |_| {}), "permit 2 of None");
    assert_eq!(again(&policy, &mut grant, "update public.orders", "05:00", |_| {}), "held");
}

#[test]
fn what_could_not_be_read_is_said_first() {
    let text = "hoop: 1\nrules: [{ rule: r, who: anyone, on: db, approve: { sql: unknown }, by: { group: dba } }]";
    let policy = Policy::from_yaml(text).unwrap();
    let Outcome::Approve(pending) = ask(&policy, "unknown") else { panic!("it is held") };
    assert_eq!(pending.request().uncertain.as_deref(), Some("gibberish"));
}

/// What a name stands for is a part of what is approved.
#[test]
fn a_prepared_statement_is_approved_with_what_it_does() {
    let policy = with_terms(&["30m"]);
    let prepared = |effects: &str| {
        let mut facts = SessionFacts::default();
        facts.prepared.insert("p".into(), command(effects));
        facts
    };
    let who = Verified::vouched(Identity::named("etl"), "test");
    let on = Resource::postgres("db");
    let asked = |facts: &SessionFacts| {
        let execute = Effect::new(Verb::Call, Object::Prepared("p".into()));
        let statement = Statement { effects: Box::new([execute]), coverage: Coverage::Full, change: Change::Nothing };
        let command = Command::analysed("EXECUTE p", "execute p".into(), Box::new([statement]));
        let call = Call::new(&command, facts, at("00:00"));
        match policy.evaluate(&Request { who: &who, on: &on, call }).record(|_| Ok::<(), String>(())) {
            Outcome::Approve(pending) => pending.request().clone(),
            other => panic!("{other:?}"),
        }
    };
    let (one, other) = (asked(&prepared("update public.orders")), asked(&prepared("update public.items")));
    assert_eq!(one.named[0].1.text(), "update public.orders");
    assert_ne!(one.digest, other.digest);
    assert_eq!(one.digest, asked(&prepared("update public.orders")).digest);
}

/// What is held is judged again when the policy changes, before anybody speaks.
#[test]
fn a_new_policy_judges_what_is_held() {
    let check = |after: &Policy, when: &str, expected: &str| {
        let Outcome::Approve(pending) = ask(&with_terms(&["once"]), "update public.orders") else { panic!("held") };
        let decision = after.resume(pending, Answer::PolicyChanged, at(when));
        let reason = decision.explanation().reason.clone().unwrap_or_default();
        let word = match decision.record(|_| Ok::<(), String>(())) {
            Outcome::Allow(_) => "permit".to_owned(),
            Outcome::Approve(pending) => {
                assert_eq!(pending.policy(), after.digest());
                format!("held until {}", pending.request().deadline)
            }
            Outcome::Block(_) => "denied".to_owned(),
        };
        assert_eq!(format!("{word}: {reason}"), expected);
    };
    let policy = |rules: &str| Policy::from_yaml(&format!("hoop: 1\nrules:\n{rules}")).unwrap();
    let asks = |within: &str| {
        policy(&format!(
            "  - {{ rule: b, who: anyone, on: db, approve: {{ sql: update }}, by: {{ group: dba }}, within: {within} }}"
        ))
    };
    check(&with_terms(&["once"]), "01:00", "held until 2026-11-24T12:15:00Z: still waiting for 1 of group `g0`");
    check(&asks("10m"), "01:00", "held until 2026-11-24T12:10:00Z: still waiting for 1 of group `dba`");
    check(&asks("1m"), "01:00", "denied: nobody answered in time");
    check(
        &policy("  - { rule: r, who: anyone, on: db, allow: { sql: update } }"),
        "01:00",
        "permit: the policy allows it by now",
    );
    check(
        &policy("  - { rule: r, who: anyone, on: db, block: { sql: update }, reason: frozen }"),
        "01:00",
        "denied: frozen",
    );
}
