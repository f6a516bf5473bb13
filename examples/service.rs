//! A service that decides for itself: it links hoopcore, asks about each statement, records, runs, masks.
//!
//! Run it with `cargo run -p examples --example service`, or with a statement of your own after `--`.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, Write};

use hoopcore::audit::{Completion, CompletionStatus};
use hoopcore::mask::{CellFormat, CellType, Column, Origin};
use hoopcore::{
    Call, ColumnName, Command, Event, Identity, Layout, Outcome, Policy, Request, Resource, RowVerdict, SessionFacts,
    Timestamp, Verified,
};

type Row = Vec<Option<Cow<'static, [u8]>>>;

fn main() -> Result<(), Box<dyn Error>> {
    let statement = std::env::args().nth(1).unwrap_or_else(|| "SELECT name, email FROM customers".into());

    // README.md shows the lines from here
    let policy = Policy::from_yaml(include_str!("service.yaml"))?;
    let who = Verified::vouched(Identity::named("etl-7").with_groups(["batch-jobs"]), "mutual TLS");
    let (database, session) = (Resource::postgres("orders-db"), SessionFacts::default());
    let command = Command::sql(&statement);
    let call = Call::new(&command, &session, Timestamp::now());
    let decision = policy.evaluate(&Request { who: &who, on: &database, call });
    match decision.record(write_down) {
        Outcome::Allow(permit) => {
            let passage = permit.spend();
            let (layout, mut rows) = run(command.text());
            let mut masker = passage.rows(&layout);
            rows.retain_mut(|row| !matches!(masker.row(row), RowVerdict::Stop(_)));
            write_down(&passage.close(reply(&rows)?))?;
        }
        Outcome::Approve(pending) => println!("waits for a person until {}", pending.request().deadline),
        Outcome::Block(denial) => println!("{denial}"),
    }
    // to here.
    Ok(())
}

/// The audit trail of the example is its error output; a real one is a file that was synced, or a queue that answered.
fn write_down(event: &Event) -> io::Result<()> {
    writeln!(io::stderr(), "{} {} {} {:?}", event.at, event.who.user, event.command, event.kind)
}

/// Stands in for the database: a driver gives rows and, for each column, which table and column it is.
fn run(_statement: &str) -> (Layout, Vec<Row>) {
    let column = |name: &str| Column {
        name: name.into(),
        origin: Origin::Columns(vec![ColumnName::new("public", "customers", name)]),
        kind: CellType::Text,
        format: CellFormat::Text,
    };
    let row = |cells: [&'static str; 2]| cells.map(|cell| Some(Cow::Borrowed(cell.as_bytes()))).to_vec();
    let rows = vec![row(["Ada Byron", "ada.byron@example.com"]), row(["Grace Hopper", "grace@navy.example"])];
    (Layout { columns: vec![column("name"), column("email")] }, rows)
}

/// Sends the rows to the caller, and says what was carried out.
fn reply(rows: &[Row]) -> io::Result<Completion> {
    let mut bytes = 0;
    for row in rows {
        let cells: Vec<_> =
            row.iter().map(|cell| String::from_utf8_lossy(cell.as_deref().unwrap_or_default())).collect();
        let line = cells.join(" | ");
        bytes += line.len() as u64;
        writeln!(io::stdout(), "{line}")?;
    }
    Ok(Completion { status: CompletionStatus::Done, rows: rows.len() as u64, bytes })
}
