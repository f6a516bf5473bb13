//! What is not waited for for ever: clients that say nothing, servers that do not come to an end.

use std::time::Instant;

use crate::setting::{ALLOW_ALL, Gateway, shop};
use crate::wire::{Message, Wire, frame};

fn gateway(resource: &str) -> Gateway {
    Gateway::start_with(&shop(), ALLOW_ALL, "", &format!("timeouts: {{ {resource} }},"))
}

/// What ends a session: code and message.
fn last(messages: &[Message]) -> String {
    let last = messages.last().expect("the session ended without a word");
    assert_eq!(last.tag, b'E', "{messages:?}");
    format!("{} {} {}", last.field('S'), last.field('C'), last.field('M'))
}

/// The time-outs on record, once one is there: the session's end is told before its record is.
fn recorded(gateway: &Gateway) -> Vec<String> {
    let begin = Instant::now();
    loop {
        let text = gateway.records();
        let records: Vec<String> =
            text.lines().filter(|line| line.contains("\"timed_out\"")).map(str::to_owned).collect();
        if !records.is_empty() {
            return records;
        }
        assert!(begin.elapsed().as_secs() < 20, "no time-out is recorded: {text}");
        std::thread::yield_now();
    }
}

#[test]
fn an_idle_session_ends() {
    let gateway = gateway("idle: 200ms");
    let mut client = gateway.connect("ann");
    assert_eq!(client.rows("select 1"), ["D 1"]);
    let told = last(&client.until(b""));
    assert_eq!(told, "FATAL 57P05 terminating connection due to idle-session timeout");
    let records = recorded(&gateway);
    assert_eq!(records.len(), 1, "{records:?}");
    for part in [r#""timeout":"idle","after":"200ms""#, r#""user":"ann""#, r#""resource":"target""#] {
        assert!(records[0].contains(part), "{part} is missing in {}", records[0]);
    }
}

/// A message that never arrives whole is no command.
#[test]
fn a_message_that_is_begun_keeps_no_session_open() {
    let gateway = gateway("idle: 300ms");
    let mut client = gateway.connect("ann");
    client.send(b"Q\0\0\0\x20select");
    assert!(last(&client.until(b"")).starts_with("FATAL 57P05"));
}

#[test]
fn a_transaction_that_is_left_open_ends() {
    let gateway = gateway("idle_in_transaction: 200ms");
    let told = "FATAL 25P03 terminating connection due to idle-in-transaction timeout";
    let mut client = gateway.connect("ann");
    client.query("begin");
    assert_eq!(last(&client.until(b"")), told);
    // One that failed, too; and a sequence that nobody ended.
    let mut client = gateway.connect("ann");
    client.query("begin; select 1/0");
    assert_eq!(last(&client.until(b"")), told);
    let mut client = gateway.connect("ann");
    client.send(&[frame(b'P', b"\0select 1\0\0\0"), frame(b'H', b"")].concat());
    assert_eq!(last(&client.until(b"")), told);
    // A session outside of one does not.
    let mut waits = gateway.connect("ann");
    let mut client = gateway.connect("ann");
    client.query("begin");
    client.until(b"");
    assert_eq!(waits.rows("select 1"), ["D 1"]);
}

#[test]
fn a_statement_that_takes_too_long_is_cancelled() {
    let gateway = gateway("statement: 300ms");
    let mut client = gateway.connect("ann");
    let messages = client.query("select pg_sleep(60)");
    let error = messages.iter().find(|message| message.tag == b'E').unwrap();
    assert_eq!(last(std::slice::from_ref(error)), "ERROR 57014 canceling statement due to statement timeout");
    assert!(error.field('H').contains("timeouts: { statement"), "{error:?}");
    assert_eq!(client.rows("select 1"), ["D 1"], "the session goes on");
    assert!(recorded(&gateway)[0].contains(r#""timeout":"statement""#));

    // In the extended protocol, up to the Sync and no further.
    let slow = [
        frame(b'P', b"\0select pg_sleep(60)\0\0\0"),
        frame(b'B', b"\0\0\0\0\0\0\0\0"),
        frame(b'E', b"\0\0\0\0\0"),
        frame(b'S', b""),
    ];
    client.send(&[slow.concat(), frame(b'Q', b"select 2\0")].concat());
    let messages = client.until(b"Z");
    assert!(messages.iter().any(|message| message.tag == b'E' && message.field('C') == "57014"), "{messages:?}");
    let messages = client.until(b"Z");
    assert!(messages.iter().any(|message| message.show() == "D 2"), "{messages:?}");
}

/// Data of a copy that never end, and rows that nobody reads: the time is up all the same.
#[test]
fn copies_and_answers_that_do_not_end() {
    let gateway = gateway("statement: 300ms");
    let mut client = gateway.connect("ann");
    client.query("copy notes from stdin");
    let messages = client.until(b"Z");
    assert!(messages.iter().any(|message| message.tag == b'E' && message.field('C') == "57014"), "{messages:?}");
    assert_eq!(client.rows("select count(*) from notes"), ["D 0"]);

    let mut greedy = gateway.connect("ann");
    greedy.send(&frame(b'Q', b"select repeat('x', 100000) from generate_series(1, 100000)\0"));
    let begin = Instant::now();
    while recorded(&gateway).len() < 2 {
        assert!(begin.elapsed().as_secs() < 20, "the answer goes on");
        std::thread::yield_now();
    }
}

/// What a statement waits for people is not the server's time.
#[test]
fn what_is_held_is_not_late() {
    const HELD: &str = r#"
hoop: 1
rules:
  - { rule: asked, who: anyone, on: target, approve: { sql: { read: "*" } }, by: { group: dba }, within: 1s }
"#;
    let times = "timeouts: { statement: 200ms, idle: 200ms, idle_in_transaction: 200ms },";
    let gateway = Gateway::start_with(&shop(), HELD, "", times);
    let mut client = gateway.connect("ann");
    let steps = [frame(b'P', b"\0select id from customers\0\0\0"), frame(b'B', b"\0\0\0\0\0\0\0\0"), frame(b'S', b"")];
    client.send(&steps.concat());
    let messages = client.until(b"Z");
    let error = messages.iter().find(|message| message.tag == b'E').unwrap();
    assert_eq!(error.field('C'), "42501", "{messages:?}");
}

#[test]
fn a_client_that_does_not_show_who_it_is() {
    let gateway = Gateway::start_with(&shop(), ALLOW_ALL, "timeouts: { login: 300ms },", "");
    // Nothing is said to who has not said anything in PostgreSQL's protocol.
    let mut silent = Wire::open(&gateway.address("ann"));
    assert!(silent.next().is_none());
    let mut shy = Wire::open(&gateway.address("ann"));
    shy.send(b"\0\0\0\x12\0\x03\0\0user\0ann\0\0");
    let messages = shy.until(b"");
    assert_eq!(last(&messages), "FATAL 57014 canceling authentication due to timeout");
}
