//! Several masks on one cell, from the policy's text to what leaves: a second, obvious account of their order.

use hoopcore::command::sql::{Columns, Effect, Object, Verb};
use hoopcore::command::{Change, Statement};
use hoopcore::mask::{Cell, CellFormat, CellType, Column, Keyring, Layout, Origin, Width};
use hoopcore::{
    Call, ColumnName, Command, Coverage, Identity, Outcome, Policy, QualifiedName, Request, Resource, SessionFacts,
    Timestamp, Verified,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::cases;

/// A style, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Style {
    Partial(u8),
    Shift(&'static str),
    Pseudonym(&'static str),
    Fixed(&'static str),
    Redact,
    Null,
}

#[derive(Clone, Debug)]
struct Mask {
    who: &'static str,
    column: Option<(&'static str, Style)>,
    email: Option<Style>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Date,
    Other,
}

/// What leaves of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Left {
    Null,
    Text(String),
    /// Another value, from a key.
    Keyed,
}

const EMAIL: &str = "jane@example.com";

impl Style {
    fn yaml(self) -> String {
        match self {
            Self::Null => "\"null\"".into(),
            Self::Redact => "redact".into(),
            Self::Fixed(text) => format!("{{ fixed: {text} }}"),
            Self::Pseudonym(domain) => format!("{{ pseudonym: {{ domain: {domain} }} }}"),
            Self::Shift(domain) => format!("{{ shift: {{ domain: {domain} }} }}"),
            Self::Partial(keep) => format!("{{ partial: {{ keep: {keep} }} }}"),
        }
    }

    /// Which of the six it is, the weakest first.
    fn rank(self) -> usize {
        match self {
            Self::Partial(_) => 0,
            Self::Shift(_) => 1,
            Self::Pseudonym(_) => 2,
            Self::Fixed(_) => 3,
            Self::Redact => 4,
            Self::Null => 5,
        }
    }

    fn carried(self, kind: Kind, keyed: bool) -> Self {
        let carries = match (self, kind) {
            (Self::Redact | Self::Fixed(_) | Self::Partial(_), Kind::Text) => true,
            (Self::Pseudonym(_), Kind::Text | Kind::Integer) | (Self::Shift(_), Kind::Date) => keyed,
            _ => false,
        };
        if carries { self } else { Self::Null }
    }

    fn leaves(self, value: &str) -> Left {
        match self {
            Self::Null => Left::Null,
            Self::Redact => Left::Text("[redacted]".into()),
            Self::Fixed(text) => Left::Text(text.into()),
            Self::Pseudonym(_) | Self::Shift(_) => Left::Keyed,
            Self::Partial(keep) => {
                let hidden = value.chars().count().saturating_sub(keep.into());
                let kept: String = if hidden == 0 { String::new() } else { value.chars().skip(hidden).collect() };
                Left::Text(format!("****{kept}"))
            }
        }
    }
}

/// The style of several together.
fn together(styles: &[Style], kind: Kind, keyed: bool) -> Option<Style> {
    let mut all: Vec<Style> = styles.iter().map(|style| style.carried(kind, keyed)).collect();
    if all.iter().any(|one| all.iter().any(|other| one.rank() == other.rank() && one != other)) {
        all.push(Style::Redact.carried(kind, keyed));
    }
    all.into_iter().max()
}

/// What must leave.
fn told(masks: &[Mask], kind: Kind, value: &str, keyed: bool) -> Left {
    // The caller is in `g` alone: a rule on `h` does not act.
    let acting: Vec<&Mask> = masks.iter().filter(|mask| mask.who != "{ group: h }").collect();
    let matching = |pattern: &str| ["a.t.c", "t.c", "a.*.c*"].contains(&pattern);
    let columns: Vec<Style> = acting
        .iter()
        .filter_map(|mask| mask.column)
        .filter(|(name, _)| matching(name))
        .map(|(_, style)| style)
        .collect();
    let emails: Vec<Style> = acting.iter().filter_map(|mask| mask.email).collect();
    let column = together(&columns, kind, keyed);
    let is_found = kind == Kind::Text && value.contains(EMAIL);
    let email = together(&emails, Kind::Text, keyed).filter(|_| is_found);
    match (column, email) {
        (Some(column), Some(email)) if email.rank() > column.rank() => email.leaves(value),
        (Some(column), _) => column.leaves(value),
        (None, Some(email)) => match email.leaves(EMAIL) {
            Left::Text(text) => Left::Text(value.replace(EMAIL, &text)),
            left => left,
        },
        (None, None) => Left::Text(value.into()),
    }
}

fn yaml(masks: &[Mask]) -> String {
    let rule = |(at, mask): (usize, &Mask)| {
        let column = mask.column.map(|(name, style)| format!("columns: {{ {name:?}: {} }}", style.yaml()));
        let email = mask.email.map(|style| format!("detect: {{ email: {} }}", style.yaml()));
        let parts: Vec<String> = column.into_iter().chain(email).collect();
        format!("  - {{ rule: m{at}, who: {}, on: db, mask: {{ {} }} }}\n", mask.who, parts.join(", "))
    };
    let rules: String = masks.iter().enumerate().map(rule).collect();
    format!("hoop: 1\nrules:\n  - {{ rule: reads, who: anyone, on: db, allow: {{ sql: {{ read: a.t }} }} }}\n{rules}")
}

/// What leaves.
fn left(policy: &Policy, kind: Kind, value: &str) -> Left {
    let mut read = Effect::new(Verb::Read, Object::Relation(QualifiedName::qualified("a", "t")));
    let column = || Columns::Named(["c".to_string()].into_iter().collect());
    (read.facts.columns, read.facts.returned) = (column(), column());
    let statement = Statement { effects: [read].into(), coverage: Coverage::Full, change: Change::Nothing };
    let command = Command::analysed("select", "select".into(), [statement].into());
    let who = Verified::vouched(Identity::named("u").with_groups(["g"]), "test");
    let (facts, on) = (SessionFacts::default(), Resource::postgres("db"));
    let call = Call::new(&command, &facts, Timestamp::UNIX_EPOCH);
    let outcome = policy.evaluate(&Request { who: &who, on: &on, call }).record(|_| Ok::<(), String>(()));
    let Outcome::Allow(permit) = outcome else { panic!("refused: {outcome:?}") };
    let kind = match kind {
        Kind::Text => CellType::Text,
        Kind::Integer => CellType::Integer(Width::Four),
        Kind::Date => CellType::Date,
        Kind::Other => CellType::Other,
    };
    let origin = Origin::Columns(vec![ColumnName::new("a", "t", "c")]);
    let layout = Layout { columns: vec![Column { name: "c".into(), origin, kind, format: CellFormat::Text }] };
    match permit.spend().rows(&layout).cell(0, Some(value.as_bytes())) {
        Cell::Pass => Left::Text(value.into()),
        Cell::Null => Left::Null,
        Cell::Replace(bytes) => Left::Text(String::from_utf8(bytes.to_vec()).unwrap()),
    }
}

fn style() -> impl Strategy<Value = Style> {
    select(vec![
        Style::Null,
        Style::Redact,
        Style::Fixed("x"),
        Style::Fixed("y"),
        Style::Pseudonym("p"),
        Style::Pseudonym("q"),
        Style::Shift("p"),
        Style::Shift("q"),
        Style::Partial(2),
        Style::Partial(4),
    ])
}

fn mask() -> impl Strategy<Value = Mask> {
    let who = select(vec!["anyone", "anyone", "{ group: g }", "{ group: h }", "{ kind: human }"]);
    let column = (select(vec!["a.t.c", "t.c", "a.*.c*", "a.t.d", "b.t.c"]), style());
    let email = style().prop_filter("a detector finds no dates", |style| !matches!(style, Style::Shift(_)));
    (who, option::weighted(0.8, column), option::weighted(0.5, email)).prop_map(|(who, column, email)| Mask {
        who,
        email: if column.is_none() { email.or(Some(Style::Redact)) } else { email },
        column,
    })
}

fn cell() -> impl Strategy<Value = (Kind, &'static str)> {
    select(vec![
        (Kind::Text, "Jane Doe 42"),
        (Kind::Text, "größe"),
        (Kind::Text, EMAIL),
        (Kind::Text, "write to jane@example.com today"),
        (Kind::Text, "(jane@example.com)"),
        (Kind::Text, "jane@example.com, jane@example.com"),
        (Kind::Integer, "4211"),
        (Kind::Date, "2026-02-28"),
        (Kind::Other, "{1,2}"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn masks_leave_what_is_told(masks in vec(mask(), 1..5), (kind, value) in cell(), keyed in prop::bool::weighted(0.8)) {
        let yaml = yaml(&masks);
        let keys = Keyring::new().with("p", b"a secret of some length").with("q", b"another secret");
        let policy = match keyed {
            true => Policy::from_files_with_keys(&[("p.yaml", &yaml)], &keys),
            false => Policy::from_yaml(&yaml),
        };
        let policy = policy.unwrap_or_else(|errors| panic!("{errors:#?}\n{yaml}"));
        let left = left(&policy, kind, value);
        match told(&masks, kind, value, keyed) {
            Left::Keyed => prop_assert!(matches!(&left, Left::Text(text) if text != value), "{left:?} of {value}\n{yaml}"),
            expected => prop_assert_eq!(left, expected, "{} under\n{}", value, yaml),
        }
    }
}
