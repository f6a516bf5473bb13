//! What a decision says of itself, and what its record must not say.

use hoopcore::audit::EventKind;
use hoopcore::{Call, Decision, Identity, Outcome, Policy, Request, Resource, SessionFacts, Timestamp, Verified};

use crate::effects::command;

const POLICY: &str = r#"
hoop: 1
rules:
  - rule: reads
    who: anyone
    on: db
    allow: { sql: { read: [public.*, $std.catalog], set: app.*, file: "*", notify: "*" } }
  - { rule: no-drop, who: anyone, on: db, block: { sql: drop }, reason: tables stay }
  - { rule: no-delete, who: anyone, on: db, block: { sql: { delete: orders } } }
"#;

fn decide(effects: &str) -> Decision {
    let policy = Policy::from_files(&[("shop.yaml", POLICY)]).unwrap();
    let who = Verified::vouched(Identity::named("etl").with_groups(["jobs"]), "password");
    let (command, facts) = (command(effects), SessionFacts::default());
    let on = Resource::postgres("db").with_database("shop");
    policy.evaluate(&Request { who: &who, on: &on, call: Call::new(&command, &facts, Timestamp::UNIX_EPOCH) })
}

/// `verdict rule: reason`, as the explanation has it.
fn check(effects: &str, expected: &str) {
    let decision = decide(effects);
    let explanation = decision.explanation();
    let reason = explanation.reason.as_deref().unwrap_or("no reason");
    assert_eq!(format!("{} {}: {reason}", explanation.verdict, explanation.rule), expected, "{effects}");
}

#[test]
fn reasons() {
    check("read orders", "allow reads (shop.yaml:4): no reason");
    check("drop orders", "block no-drop (shop.yaml:8): tables stay");
    check("delete orders", "block no-delete (shop.yaml:9): `delete` on `public.orders` is blocked");
    check("update orders", "block default: no rule allows `update` on `public.orders`");
    check("read vault.x", "block default: no rule allows `read` on `vault.x`");
    check("role lea", "block default: no rule allows `role` on `lea`");
    check("unknown", "block default: hoop could not read the statement: gibberish");
    check("read orders; program x", "block default: no rule allows `program`");
    check("", "allow harmless: no reason");
}

#[test]
fn effects_are_told_with_their_schema_and_rule() {
    let decision =
        decide("read orders; read pg_class; read information_schema.tables; session x harmless; set app.user");
    let shown: Vec<String> = decision
        .explanation()
        .effects
        .iter()
        .map(|note| format!("{} {} {:?}", note.verb, note.object, note.rule.as_ref().map(ToString::to_string)))
        .collect();
    assert_eq!(
        shown,
        [
            "read public.orders Some(\"reads (shop.yaml:4)\")",
            "read pg_catalog.pg_class Some(\"reads (shop.yaml:4)\")",
            "read information_schema.tables Some(\"reads (shop.yaml:4)\")",
            "session x None",
            "set app.user Some(\"reads (shop.yaml:4)\")",
        ]
    );
}

/// Names that came from literals (files, channels, odd settings) are not in a record.
#[test]
fn records_hold_no_literal() {
    let decision = decide("file /tmp/4111111111111111; notify 4111111111111111; role 4111; set app.x; read orders");
    assert!(decision.explanation().effects.iter().any(|note| note.object.contains("4111")));
    let (event, _sealed) = decision.seal();
    assert_eq!(*event.effects, ["file ?", "notify ?", "role ?", "set app.x", "read public.orders"]);
    assert!(!format!("{event:?}").contains("4111"), "{event:?}");
    let who = (event.who.user.as_str(), event.who.how.as_str(), event.resource.1.as_deref());
    assert_eq!(who, ("etl", "password", Some("shop")));
}

#[test]
fn one_receipt_releases_one_decision() {
    let (event, sealed) = decide("read orders").seal();
    let (_, other) = decide("read orders").seal();
    let receipt = event.written();
    assert!(matches!(other.release(receipt), Outcome::Block(_)));
    assert!(
        matches!(sealed.refuse(&hoopcore::AuditFailure::new("disk full")).to_string(), text if text.contains("disk full"))
    );
    assert!(matches!(decide("read orders").record(|_| Err("no space")), Outcome::Block(_)));
}

#[test]
fn a_passage_closes_with_a_record_of_its_own() {
    let decision = decide("read orders");
    let Outcome::Allow(permit) = decision.record(|_| Ok::<(), String>(())) else { panic!("it is allowed") };
    let (id, passage) = (permit.id(), permit.spend());
    let status = hoopcore::audit::CompletionStatus::Done;
    let event = passage.close(hoopcore::Completion { status: status.clone(), rows: 3, bytes: 40 });
    assert_eq!(event.id(), id);
    match event.kind {
        EventKind::Closed { completion, .. } => assert_eq!((completion.rows, completion.status), (3, status)),
        other => panic!("{other:?}"),
    }
}
