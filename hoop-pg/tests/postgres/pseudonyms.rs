//! Styles with keys on real rows: the same in both formats, in both protocols and in every session.

use crate::script::Case;
use crate::setting::{Gateway, run, shop};
use crate::wire::Wire;

const POLICY: &str = r#"
hoop: 1
rules:
  - rule: everything
    who: anyone
    on: target
    allow: { sql: { read: "*" } }
  - rule: the-crew-has-other-names
    who: anyone
    on: target
    mask:
      columns:
        public.crew.id: { pseudonym: { domain: people } }
        public.logins.staff_id: { pseudonym: { domain: people } }
        public.crew.badge: { pseudonym: { domain: people } }
        public.crew.number: { pseudonym: { domain: people } }
        public.crew.token: { pseudonym: { domain: people } }
        public.crew.mail: { pseudonym: { domain: people } }
        public.crew.born: { shift: { domain: people } }
        public.logins.at: { shift: { domain: people } }
        public.crew.pay: { pseudonym: { domain: people } }
"#;

const STAFF: &str = "select id, badge, number, token, mail, born, pay from crew order by name";

fn gateway() -> Gateway {
    let database = shop();
    run(
        &database,
        "create table crew(name text, id int, badge smallint, number bigint, token uuid, mail text, born date, pay numeric);
        insert into crew values
          ('a', 1, 7, 90000000001, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'jane@example.com', '2000-02-29', 1.5),
          ('b', -2, 8, 90000000002, null, 'joe@example.com', '1999-12-31', null);
        create table logins(staff_id int, at timestamptz);
        insert into logins values (1, '2026-01-01 12:30:00+00'), (1, '2026-01-03 12:30:00+00'), (-2, 'infinity')",
    );
    Gateway::start(&database, POLICY)
}

/// The rows of a query as cells of bytes, in one format.
fn rows(client: &mut Wire, sql: &str, format: &str) -> Vec<Vec<Option<Vec<u8>>>> {
    let steps = [format!("parse - {sql}"), format!("bind - - {format}"), "execute - 0".into(), "sync".into()];
    let case = Case { name: sql.into(), steps: steps.to_vec(), expected: Vec::new(), forbidden: Vec::new() };
    let messages = case.run(client);
    messages.iter().filter(|message| message.tag == b'D').map(|message| cells(&message.body)).collect()
}

fn cells(body: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut rest = &body[2..];
    let mut cells = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        cells.push(length.map(|length| after[..length].to_vec()));
        rest = &after[length.unwrap_or(0)..];
    }
    cells
}

fn text(cell: &Option<Vec<u8>>) -> String {
    cell.as_ref().map_or("NULL".into(), |cell| String::from_utf8(cell.clone()).unwrap())
}

#[test]
fn pseudonyms_are_of_their_type_and_the_same_wherever_the_value_stands() {
    let gateway = gateway();
    let mut client = gateway.connect("ann");
    let staff = rows(&mut client, STAFF, "text");
    assert_eq!(rows(&mut gateway.connect("job"), STAFF, "text"), staff, "another session, another caller");
    let simple: Vec<_> =
        client.query(STAFF).iter().filter(|message| message.tag == b'D').map(|row| cells(&row.body)).collect();
    assert_eq!(simple, staff, "the simple protocol");

    let first: Vec<String> = staff[0].iter().map(text).collect();
    let [id, badge, number, token, mail, born, pay] = &first[..] else { panic!("{first:?}") };
    let number_of = |text: &String| text.parse::<i64>().unwrap();
    assert!(number_of(id) != 1 && i32::try_from(number_of(id)).is_ok_and(|id| id >= 0), "{id}");
    assert!(number_of(badge) != 7 && i16::try_from(number_of(badge)).is_ok_and(|badge| badge >= 0), "{badge}");
    assert!(number_of(number) != 90_000_000_001 && number_of(number) >= 0, "{number}");
    assert!(token.len() == 36 && !token.starts_with("a0eebc99"), "{token}");
    assert!(mail.len() == 16 && mail.find('@') == Some(4) && !mail.contains("jane"), "{mail}");
    assert!(born.len() == 10 && born != "2000-02-29", "{born}");
    assert_eq!(pay, "NULL", "a numeric carries no pseudonym");
    assert_eq!((text(&staff[1][3]).as_str(), number_of(&text(&staff[1][0])) < 0), ("NULL", true));

    let logins = rows(&mut client, "select staff_id, at from logins order by at", "text");
    assert_eq!(text(&logins[0][0]), *id, "the same value has the same pseudonym in another table");
    assert_eq!(text(&logins[1][0]), *id);
    assert!(text(&logins[0][1]).ends_with(&text(&logins[1][1])[10..]), "the time of day stays");
    assert_eq!(text(&logins[2][1]), "NULL", "infinity is no date that can be moved");
    assert!(!String::from_utf8_lossy(&client.received).contains("jane"));
}

#[test]
fn both_formats_hold_the_same_values() {
    let gateway = gateway();
    let mut client = gateway.connect("ann");
    let (as_text, as_binary) = (rows(&mut client, STAFF, "text"), rows(&mut client, STAFF, "binary"));
    for (in_text, in_binary) in as_text.iter().zip(&as_binary) {
        let number = |cell: usize| text(&in_text[cell]).parse::<i64>().unwrap();
        let bytes = |cell: usize| in_binary[cell].clone().unwrap_or_default();
        assert_eq!(i64::from(i32::from_be_bytes(bytes(0).try_into().unwrap())), number(0));
        assert_eq!(i64::from(i16::from_be_bytes(bytes(1).try_into().unwrap())), number(1));
        assert_eq!(i64::from_be_bytes(bytes(2).try_into().unwrap()), number(2));
        let digits: String = bytes(3).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digits, text(&in_text[3]).replace(['-', 'N', 'U', 'L'], ""));
        assert_eq!(bytes(4), in_text[4].clone().unwrap());
        assert_eq!(i64::from(i32::from_be_bytes(bytes(5).try_into().unwrap())), days(&text(&in_text[5])));
        assert_eq!(in_binary[6], None);
    }
    let sql = "select at from logins order by at";
    let (first, second) = (rows(&mut client, sql, "binary")[0].clone(), rows(&mut client, sql, "binary")[1].clone());
    let micros = |row: &[Option<Vec<u8>>]| i64::from_be_bytes(row[0].clone().unwrap().try_into().unwrap());
    assert_eq!(micros(&second) - micros(&first), 2 * 86_400_000_000);
}

/// Days from the first of January 2000 to a date.
fn days(date: &str) -> i64 {
    let midnight = |date: &str| format!("{date}T00:00:00Z").parse::<hoopcore::Timestamp>().unwrap().as_second();
    (midnight(date) - midnight("2000-01-01")).div_euclid(86_400)
}

#[test]
fn a_policy_whose_key_is_missing_does_not_load() {
    let policy = POLICY.replace("born: { shift: { domain: people } }", "born: { shift: { domain: others } }");
    let database = shop();
    let outcome = std::panic::catch_unwind(|| drop(Gateway::start(&database, &policy)));
    let why = outcome.unwrap_err();
    let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(why.contains("there is no key for the domain `others`"), "{why}");
}
