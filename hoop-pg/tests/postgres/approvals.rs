//! Statements that wait for a person: approved, denied, too late, withdrawn, in both protocols.

use std::thread;
use std::time::{Duration, Instant};

use hoop_runtime::approvals::{Ask, Detail, Reply, Value, ask};

use crate::setting::{Gateway, direct, shop};
use crate::wire::{Message, Wire, cancel, frame};

const POLICY: &str = r#"
hoop: 1
rules:
  - rule: developers-read
    who: { group: developers }
    on: target
    allow: { sql: { read: "*" } }
  - rule: fixes-need-a-person
    who: { group: developers }
    on: target
    approve: { sql: { update: public.orders } }
    by: { group: dba }
    within: 1m
"#;

const UPDATE: &str = "update orders set status = 'fixed' where id = 10";

/// The id of the only statement that waits.
fn waiting(gateway: &Gateway) -> String {
    loop {
        match ask(&gateway.file("approvals.sock"), &Ask::List) {
            Ok(Reply::List(held)) if !held.is_empty() => return held[0].id.clone(),
            Ok(Reply::List(_)) => thread::yield_now(),
            other => panic!("{other:?}\n{}", gateway.log()),
        }
    }
}

fn answer(gateway: &Gateway, question: fn(String) -> Ask) {
    let id = waiting(gateway);
    let reply = ask(&gateway.file("approvals.sock"), &question(id)).unwrap();
    assert!(matches!(reply, Reply::Answered(_)), "{reply:?}");
}

/// What a client gets that sends these bytes, while `meanwhile` happens elsewhere.
fn held(gateway: &Gateway, bytes: &[u8], meanwhile: impl FnOnce(&Gateway, &Wire) + Send) -> (Wire, Vec<Message>) {
    let mut client = gateway.connect("ann");
    client.send(bytes);
    meanwhile(gateway, &client);
    let messages = client.until(b"Z");
    (client, messages)
}

fn simple(sql: &str) -> Vec<u8> {
    frame(b'Q', &[sql.as_bytes(), b"\0"].concat())
}

fn extended(sql: &str) -> Vec<u8> {
    let parse = frame(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"].concat());
    let bind = frame(b'B', &[0; 8]);
    let execute = frame(b'E', &[0; 5]);
    [parse, bind, execute, frame(b'S', b"")].concat()
}

fn said(messages: &[Message], tag: u8, words: &str) -> bool {
    messages.iter().any(|message| message.tag == tag && message.show().contains(words))
}

#[test]
fn approved_in_both_protocols() {
    let gateway = Gateway::start(&shop(), POLICY);
    for bytes in [simple(UPDATE), extended(UPDATE)] {
        let (mut client, messages) = held(&gateway, &bytes, |gateway, _| answer(gateway, Ask::Approve));
        assert!(said(&messages, b'N', ""), "a notice tells of the wait: {messages:?}");
        assert!(said(&messages, b'C', "UPDATE 1"), "{messages:?}");
        assert_eq!(client.rows("select status from orders where id = 10"), ["D fixed"]);
    }
}

#[test]
fn denied_in_both_protocols() {
    let gateway = Gateway::start(&shop(), POLICY);
    for bytes in [simple(UPDATE), extended(UPDATE)] {
        let (mut client, messages) = held(&gateway, &bytes, |gateway, _| answer(gateway, Ask::Deny));
        assert!(said(&messages, b'E', "42501"), "{messages:?}");
        assert_eq!(client.rows("select status from orders where id = 10"), ["D paid"]);
    }
}

#[test]
fn nobody_answers_in_time() {
    let gateway = Gateway::start(&shop(), &POLICY.replace("within: 1m", "within: 1s"));
    let (mut client, messages) = held(&gateway, &simple(UPDATE), |_, _| {});
    assert!(said(&messages, b'E', "42501"), "{messages:?}");
    assert_eq!(client.rows("select status from orders where id = 10"), ["D paid"]);
}

#[test]
fn cancelled_while_it_waits() {
    let gateway = Gateway::start(&shop(), POLICY);
    let (mut client, messages) = held(&gateway, &simple(UPDATE), |gateway, client| {
        waiting(gateway);
        cancel(&gateway.address("ann"), &client.key);
    });
    assert!(said(&messages, b'E', "57014"), "{messages:?}");
    assert_eq!(client.rows("select status from orders where id = 10"), ["D paid"]);
}

#[test]
fn withdrawn_when_the_client_leaves() {
    let gateway = Gateway::start(&shop(), POLICY);
    let long = |bytes: usize| format!("{UPDATE} /* {} */", "x".repeat(bytes));
    let behind = simple(&"select 1;".repeat(1000)).repeat(5);
    let terminate = frame(b'X', b"");
    let sent = [
        simple(UPDATE),
        simple(&long(40_000)),
        simple(&long(400_000)),
        [simple(UPDATE), behind.clone()].concat(),
        [simple(&long(40_000)), behind.clone()].concat(),
        [extended(&long(40_000)), behind.repeat(10)].concat(),
    ];
    for bytes in sent {
        for leave in [true, false] {
            let mut client = gateway.connect("ann");
            client.send(&bytes);
            waiting(&gateway);
            if leave {
                drop(client);
            } else {
                client.send(&terminate);
            }
            let begin = Instant::now();
            while matches!(ask(&gateway.file("approvals.sock"), &Ask::List), Ok(Reply::List(held)) if !held.is_empty())
            {
                assert!(begin.elapsed() < Duration::from_secs(20), "{} bytes: it is still held", bytes.len());
                thread::yield_now();
            }
        }
    }
    assert_eq!(gateway.connect("ann").rows("select status from orders where id = 10"), ["D paid"]);
}

/// Of a client that sends more than is read behind a held statement it could not be noticed that it leaves.
#[test]
fn refused_when_too_much_is_sent_behind_it() {
    let gateway = Gateway::start(&shop(), POLICY);
    let behind = simple(&"select 1;".repeat(20_000)).repeat(8);
    let (_, messages) = held(&gateway, &[simple(UPDATE), behind].concat(), |_, _| {});
    assert!(said(&messages, b'E', "53400"), "{messages:?}");
}

#[test]
fn a_grant_is_for_one_execution() {
    let gateway = Gateway::start(&shop(), POLICY);
    for _ in 0..2 {
        let (_, messages) = held(&gateway, &simple(UPDATE), |gateway, _| answer(gateway, Ask::Approve));
        assert!(said(&messages, b'C', "UPDATE 1"), "{messages:?}");
    }
}

/// An update of the order with this number, in the binary form of `numeric`.
fn update_of(order: u16) -> Vec<u8> {
    let sql = "update orders set status = 'fixed' where id = $1";
    let parse = frame(b'P', &[b"\0", sql.as_bytes(), b"\0\0\x01\0\0\x06\xa4"].concat());
    let number = [&[0, 1, 0, 0, 0, 0, 0, 0][..], &order.to_be_bytes()].concat();
    let bind = frame(b'B', &[b"\0\0\0\x01\0\x01\0\x01\0\0\0\x0a", &number[..], b"\0\0"].concat());
    [parse, bind, frame(b'E', &[0; 5]), frame(b'S', b"")].concat()
}

fn shown(gateway: &Gateway) -> Box<Detail> {
    match ask(&gateway.file("approvals.sock"), &Ask::Show(waiting(gateway))) {
        Ok(Reply::Held(detail)) => detail,
        other => panic!("{other:?}"),
    }
}

/// Values that no rule can compare are a part of what is approved like any others.
#[test]
fn a_grant_is_for_the_values_that_were_shown() {
    let gateway = Gateway::start(&shop(), &POLICY.replace("within: 1m", "grant: 30m"));
    let mut client = gateway.connect("ann");
    client.send(&update_of(10));
    assert_eq!(shown(&gateway).parameters, Some(vec![Value::Shown("10".into())]));
    answer(&gateway, Ask::Approve);
    assert!(said(&client.until(b"Z"), b'C', "UPDATE 1"));
    client.send(&update_of(10));
    let again = client.until(b"Z");
    assert!(said(&again, b'C', "UPDATE 1") && !said(&again, b'N', "held for approval"), "{again:?}");
    client.send(&update_of(11));
    let other = client.until(b"NZ");
    assert!(said(&other, b'N', "held for approval"), "{other:?}");
    assert_eq!(shown(&gateway).parameters, Some(vec![Value::Shown("11".into())]));
    let records = gateway.records();
    let trail: Vec<serde_json::Value> = records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let granted: Vec<_> = trail.iter().filter(|record| record["grant"]["use"] == 2).collect();
    let asked: Vec<_> = trail.iter().filter(|record| record["kind"] == "approval_asked").collect();
    assert_eq!((granted.len(), asked.len()), (1, 2));
    assert_eq!(granted[0]["grant"]["digest"], asked[0]["digest"]);
    assert_ne!(asked[0]["digest"], asked[1]["digest"]);
}

/// The server writes the values, as drivers do; people are shown what it wrote.
#[test]
fn values_in_binary_form_are_shown_as_what_they_are() {
    let database = shop();
    let mut server = Wire::connect(&direct(&database)).unwrap();
    let values = [
        ("numeric_send(1234567.0089)", 1700, "1234567.0089"),
        ("numeric_send(-0.00000000000001)", 1700, "-0.00000000000001"),
        ("numeric_send('NaN')", 1700, "NaN"),
        ("numeric_send(repeat('9', 100)::numeric)", 1700, &"9".repeat(100)),
        ("date_send('0044-03-15 BC')", 1082, "-000043-03-15"),
        ("date_send('2026-02-28')", 1082, "2026-02-28"),
        ("timestamptz_send('2026-02-28 12:34:56.789+02')", 1184, "2026-02-28T10:34:56.789Z"),
        ("timestamp_send('-infinity')", 1114, "-infinity"),
        ("time_send('23:59:59.5')", 1083, "23:59:59.5"),
        ("interval_send('1 year 2 days 3 hours')", 1186, "12 months, 2 days, 3h"),
        ("float4send(0.1)", 700, "0.1"),
        ("float8send(-1e-7)", 701, "-1e-7"),
        ("byteasend('\\xdeadbeef')", 17, "\\xdeadbeef"),
        ("inet_send('fe80::1/64')", 869, "fe80::1/64"),
        ("jsonb_send('{\"a\": [1]}')", 3802, "{\"a\": [1]}"),
        ("array_send(array[1.5, null]::numeric[])", 1231, "{1.5,NULL}"),
        ("array_send(array[['a', 'b,\"c']])", 1009, r#"[1][2]{"a","b,\"c"}"#),
        ("array_send(array[]::int[])", 1007, "{}"),
    ];
    let (mut types, mut bound) = (Vec::new(), Vec::new());
    for (written, kind, _) in &values {
        let hex = server.rows(&format!("select encode({written}, 'hex')"))[0].replace("D ", "");
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        types.extend(u32::to_be_bytes(*kind));
        bound.extend([&u32::try_from(bytes.len()).unwrap().to_be_bytes(), &bytes[..]].concat());
    }
    let conditions: String = (1..=values.len()).map(|number| format!(" and ${number} is not null")).collect();
    let sql = format!("{UPDATE}{conditions}\0");
    let count = u16::try_from(values.len()).unwrap().to_be_bytes();
    let parse = frame(b'P', &[b"\0", sql.as_bytes(), &count, &types].concat());
    let bind = frame(b'B', &[b"\0\0\0\x01\0\x01", &count[..], &bound, b"\0\0"].concat());
    let gateway = Gateway::start(&database, POLICY);
    let mut client = gateway.connect("ann");
    client.send(&[parse, bind, frame(b'E', &[0; 5]), frame(b'S', b"")].concat());
    let expected: Vec<_> = values.iter().map(|(_, _, shown)| Value::Shown((*shown).to_owned())).collect();
    assert_eq!(shown(&gateway).parameters, Some(expected));
    answer(&gateway, Ask::Approve);
    assert!(said(&client.until(b"Z"), b'C', "UPDATE 1"));
}
