//! Statements that wait for a person: approved, denied, too late, withdrawn, in both protocols.

use std::thread;
use std::time::{Duration, Instant};

use hoop_runtime::approvals::{Ask, Detail, Reply, Value, ask};

use crate::setting::{Gateway, shop};
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
