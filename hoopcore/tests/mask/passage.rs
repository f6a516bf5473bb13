//! From a policy's text to the rows that its permit lets through.

use std::borrow::Cow;
use std::convert::Infallible;

use hoopcore::audit::{Completion, CompletionStatus, EventKind, WouldEnd};
use hoopcore::command::sql::{Columns, Effect, Object, Verb};
use hoopcore::command::{Change, Statement};
use hoopcore::mask::{CellCounts, CellFormat, CellType, Column, MaskedBy, MaskedCells, Origin};
use hoopcore::{
    Call, ColumnName, Command, Coverage, Decision, Identity, Layout, Outcome, Policy, QualifiedName, Request, Resource,
    RowVerdict, SessionFacts, Timestamp, Verdict, Verified,
};

const POLICY: &str = "
hoop: 1
rules:
  - rule: all-read
    who: anyone
    on: shop
    allow: { sql: { read: public.customers } }
    limits: { rows: 1 }
  - rule: customers-are-masked
    who: anyone
    on: shop
    mask:
      columns: { public.customers.email: partial }
      detect: { card: redact }
";

/// `SELECT name, email, note, lower(email) FROM customers`, as an analysis gives it.
fn select() -> Command {
    let customers = Object::Relation(QualifiedName::qualified("public", "customers"));
    let mut read = Effect::new(Verb::Read, customers);
    read.facts.columns = Columns::Named(["name", "email", "note"].map(String::from).into());
    read.facts.returned = read.facts.columns.clone();
    let statement = Statement { effects: Box::new([read]), coverage: Coverage::Full, change: Change::Nothing };
    Command::analysed("select", "select".into(), Box::new([statement]))
}

fn layout() -> Layout {
    let column = |origin| Column { name: "x".into(), origin, kind: CellType::Text, format: CellFormat::Text };
    let email = Origin::Columns(vec![ColumnName::new("public", "customers", "email")]);
    Layout { columns: vec![column(Origin::Clean), column(email), column(Origin::Clean), column(Origin::Derived)] }
}

const CELLS: [&str; 4] = ["Jane", "jane@example.com", "card 4111 1111 1111 1111", "jane@example.com"];

fn decision() -> Decision {
    let policy = Policy::from_yaml(POLICY).unwrap();
    let who = Verified::vouched(Identity::named("etl-7"), "test");
    let (on, facts, command) = (Resource::postgres("shop"), SessionFacts::default(), select());
    let call = Call::new(&command, &facts, Timestamp::UNIX_EPOCH);
    policy.evaluate(&Request { who: &who, on: &on, call })
}

/// What masked how many cells, each in a word.
fn by_each(masked: &[MaskedCells]) -> String {
    let words = masked.iter().map(|MaskedCells { by, cells }| match by {
        MaskedBy::Column { column, rule } => format!("{column} of {} {cells}", rule.name),
        MaskedBy::Detector(detector) => format!("{} {cells}", detector.word()),
        MaskedBy::Doubt => format!("doubt {cells}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_permit_masks_what_its_policy_says() {
    let decision = decision();
    assert_eq!(decision.verdict(), Verdict::Mask);

    let Outcome::Allow(permit) = decision.record(|_| Ok::<_, Infallible>(())) else { panic!("it is permitted") };
    let passage = permit.spend();
    let mut rows = passage.rows(&layout());
    let mut row = CELLS.map(|cell| Some(Cow::Borrowed(cell.as_bytes())));
    assert!(matches!(rows.row(&mut row), RowVerdict::Masked));
    let shown = row.map(|cell| cell.map(|cell| String::from_utf8(cell.into_owned()).unwrap()));
    assert_eq!(shown, [Some("Jane".into()), Some("****.com".into()), Some("card [redacted]".into()), None]);

    let closing = passage.close(Completion { status: CompletionStatus::Done, rows: 1, bytes: 0 });
    let EventKind::Closed { cells, masked, would_end, .. } = closing.kind else { panic!("a closing record") };
    assert_eq!((cells, would_end), (CellCounts { masked: 3, clear: 0 }, None));
    assert_eq!(by_each(&masked), "public.customers.email of customers-are-masked 1, card 1, doubt 1");
}

/// Where the policy is watched, all goes on as it is, past limits too, and the closing record counts the same.
#[test]
fn a_watched_permit_counts_what_it_would_mask() {
    let recorded = decision().observe().record(|_| Ok::<_, Infallible>(()));
    let Outcome::Allow(permit) = recorded else { panic!("it is permitted") };
    let passage = permit.spend();
    let mut rows = passage.rows(&layout());
    for _ in 0..2 {
        let mut row = CELLS.map(|cell| Some(Cow::Borrowed(cell.as_bytes())));
        assert!(matches!(rows.row(&mut row), RowVerdict::Pass));
        assert_eq!(row.map(Option::unwrap), CELLS.map(str::as_bytes));
    }
    let closing = passage.close(Completion { status: CompletionStatus::Done, rows: 2, bytes: 0 });
    let EventKind::Closed { completion, cells, masked, would_end } = closing.kind else { panic!("a closing record") };
    assert_eq!((completion.status, cells), (CompletionStatus::Done, CellCounts { masked: 6, clear: 0 }));
    assert_eq!(by_each(&masked), "public.customers.email of customers-are-masked 2, card 2, doubt 2");
    let Some(WouldEnd::Limited(limit)) = would_end else { panic!("{would_end:?}") };
    assert_eq!((limit.most, &*limit.rule.name), (1, "all-read"));
}
