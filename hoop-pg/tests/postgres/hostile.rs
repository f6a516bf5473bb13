//! Bytes that no honest client sends, and clients that take more than their share: answered as PostgreSQL would or more
//! strictly, in bounded memory, and nobody else waits for them.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::big::{POLICY, peak};
use crate::gate::base64;
use crate::setting::{Gateway, direct, run, shop};
use crate::wire::{Address, Message, Wire, frame};

const READ_ONLY: &str = r#"
hoop: 1
rules:
  - rule: reading
    who: anyone
    on: target
    allow: { sql: { read: "*", call: "*" } }
"#;

/// What the gateway may hold, in KiB, whatever one client does: twice the most that it keeps for one.
const BOUND: u64 = 192 * 1024;

/// A case of `corpora/pgwire.jsonl` within a session.
struct Case {
    name: String,
    bytes: Vec<u8>,
    verdict: String,
}

fn corpus() -> Vec<Case> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora/pgwire.jsonl");
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpora/pgwire.jsonl");
    let text = fs::read_to_string(file).or_else(|_| fs::read_to_string(own)).unwrap();
    let cases = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    cases
        .filter(|case| case["phase"] == "ready" && case["generator"].is_null())
        .map(|case| Case {
            name: case["name"].as_str().unwrap().into(),
            bytes: base64(case["input"].as_str().unwrap()),
            verdict: case["expected"]["verdict"].as_str().unwrap().into(),
        })
        .collect()
}

/// Everything that comes back when these bytes arrive in pieces of so many, and then nothing more: the tags.
fn answer(to: &Address, bytes: &[u8], step: usize) -> String {
    let mut wire = Wire::connect(to).unwrap();
    for piece in bytes.chunks(step) {
        // The other side may close before all was sent.
        if wire.try_send(piece).is_err() {
            break;
        }
    }
    wire.leave().iter().map(|message| char::from(message.tag)).collect()
}

#[test]
fn the_corpus_of_a_session() {
    let database = shop();
    run(&database, "create table ledger(id int); create table staging(id int)");
    let gateway = Gateway::start(&database, READ_ONLY);
    let before = tables(&database);
    let mut counts = (0, 0);
    for Case { name, bytes, verdict } in corpus() {
        let bytes = [bytes, frame(b'X', b"")].concat();
        let whole = answer(&gateway.address("ann"), &bytes, bytes.len());
        let step = if bytes.len() > 4096 { 1021 } else { 1 };
        for step in [step, 3 * step] {
            let pieces = answer(&gateway.address("ann"), &bytes, step);
            // What the other side did not read resets the connection, and an error that was its last word with it.
            let same = if verdict == "reject" {
                pieces.trim_end_matches('E') == whole.trim_end_matches('E')
            } else {
                pieces == whole
            };
            assert!(same, "{name} in pieces of {step}: {pieces}, else {whole}");
        }
        match verdict.as_str() {
            "accept" => {
                counts.0 += 1;
                assert_eq!(whole, answer(&direct(&database), &bytes, bytes.len()), "{name}");
            }
            "reject" => {
                counts.1 += 1;
                assert!(whole.contains('E') || whole.is_empty(), "{name}: {whole}");
            }
            _ => {}
        }
        // Whatever was said, the next client is served.
        assert_eq!(gateway.connect("ann").rows("select 1"), ["D 1"], "after {name}");
    }
    assert!(counts.0 >= 2 && counts.1 >= 4, "{counts:?}");
    assert_eq!(tables(&database), before);
}

fn tables(database: &str) -> Vec<String> {
    let count = "select (select count(*) from orders), (select count(*) from customers), (select count(*) from ledger)";
    Wire::connect(&direct(database)).unwrap().rows(count)
}

/// What other parsers take for something else, by what PostgreSQL makes of it.
#[test]
fn bodies_that_do_not_end_where_their_frames_do() {
    let database = shop();
    let gateway = Gateway::start(&database, POLICY);
    let drop = frame(b'Q', b"drop table notes\0");
    let parse = frame(b'P', b"\0select 1\0\0\0");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a query with a query behind its end", frame(b'Q', &[b"select 1\0", &drop[..]].concat())),
        ("a query that does not end, and another", [frame(b'Q', b"select 1"), drop.clone()].concat()),
        ("a sync with a body", frame(b'S', &drop)),
        ("a flush with a body", frame(b'H', &drop)),
        ("an execute with more", [parse.clone(), frame(b'E', &[b"\0\0\0\0\0", &drop[..]].concat())].concat()),
        ("a terminate with a body", frame(b'X', &drop)),
        (
            "a parameter longer than its frame",
            [parse.clone(), frame(b'B', b"\0\0\0\0\0\x01\0\0\x03\xe8x\0\0")].concat(),
        ),
        (
            "a parameter shorter than nothing",
            [parse.clone(), frame(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0")].concat(),
        ),
        ("more formats than parameters", [parse.clone(), frame(b'B', b"\0\0\0\x02\0\0\0\0\0\0\0\0")].concat()),
        ("counts of parameters that are negative", [parse.clone(), frame(b'B', b"\0\0\xff\xff\xff\xff\0\0")].concat()),
        ("a describe of neither", frame(b'D', b"Xname\0")),
        ("a close without a name", frame(b'C', b"S")),
        ("a parse without types", frame(b'P', b"\0select 1\0")),
        ("a parse with more types than it has", frame(b'P', b"\0select 1\0\xff\xff\0\0\0\x17")),
        ("a copy that fails without a reason", frame(b'f', b"no end")),
        ("copied data of no length", b"d\0\0\0\x02".to_vec()),
        ("a call cut off", frame(b'F', b"\0\0\x06>\0")),
    ];
    for (name, bytes) in cases {
        for step in [bytes.len(), 1] {
            let told = answer(&gateway.address("ann"), &bytes, step);
            assert!(!told.contains('C') && !told.contains('D'), "{name}: {told}");
        }
    }
    assert_eq!(Wire::connect(&direct(&database)).unwrap().rows("select count(*) from notes"), ["D 0"]);
}

#[test]
fn lengths_that_are_only_declared_take_nothing() {
    let database = shop();
    let gateway = Gateway::start(&database, POLICY);
    let before = peak(gateway.process());
    let declared: Vec<Wire> = (0..60)
        .map(|at| {
            let mut wire = gateway.connect("ann");
            let tag = [b'Q', b'P', b'B'][at % 3];
            wire.send(&[&[tag][..], &(64_u32 << 20).to_be_bytes(), b"select"].concat());
            wire
        })
        .collect();
    let startups: Vec<Wire> = (0..60)
        .map(|_| {
            let mut wire = Wire::open(&gateway.address("ann"));
            wire.send(b"\0\0\x27\x10\0\x03\0\0user\0");
            wire
        })
        .collect();
    assert_eq!(gateway.connect("ann").rows("select 1"), ["D 1"]);
    let grown = peak(gateway.process()) - before;
    assert!(grown < 32 * 1024, "{} connections took {grown} KiB", declared.len() + startups.len());
}

#[test]
fn a_client_that_never_reads_holds_nobody_and_little() {
    let database = shop();
    let gateway = Gateway::start(&database, POLICY);
    let sent = AtomicUsize::new(0);
    let big = frame(b'Q', b"select repeat('x', 10000), ssn from customers, generate_series(1, 1000)\0");
    std::thread::scope(|scope| {
        let mut greedy = gateway.connect("ann");
        greedy.give_up_writing_when_stuck();
        let (sent, big) = (&sent, &big);
        scope.spawn(move || {
            // Ends when nothing more is taken from it.
            while greedy.try_send(big).is_ok() {
                sent.fetch_add(big.len(), Ordering::Relaxed);
            }
        });
        let mut other = gateway.connect("ann");
        for _ in 0..50 {
            assert_eq!(other.rows("select count(*) from customers"), ["D 3"]);
        }
    });
    let peak = peak(gateway.process());
    assert!(peak < BOUND, "the gateway held {peak} KiB");
    assert!(sent.load(Ordering::Relaxed) < 96 << 20, "the gateway took {sent:?} bytes");
}

/// Sends the same again and again until the session is refused more, and reads all answers meanwhile.
fn until_refused(client: &mut Wire, rounds: usize, mut next: impl FnMut(usize) -> Vec<u8>) -> Option<Message> {
    const BATCH: usize = 200;
    for round in 0..rounds {
        let mut bytes: Vec<u8> = (round * BATCH..(round + 1) * BATCH).flat_map(&mut next).collect();
        bytes.extend(frame(b'H', b""));
        client.send(&bytes);
        for _ in 0..BATCH {
            let message = client.next().expect("an answer");
            client.received.clear();
            if message.tag == b'E' {
                return Some(message);
            }
        }
    }
    None
}

#[test]
fn prepared_statements_and_portals_without_number() {
    let database = shop();
    let gateway = Gateway::start(&database, POLICY);
    let mut client = gateway.connect("ann");
    let named = |at: usize| frame(b'P', format!("s{at}\0select ssn from customers where id = $1\0\0\0").as_bytes());
    let refused = until_refused(&mut client, 400, named).expect("statements are refused at some number");
    assert_eq!(refused.field('C'), "53400", "{refused:?}");
    client.send(&frame(b'S', b""));
    client.until(b"Z");
    assert_eq!(client.rows("select 1"), ["D 1"]);
    let statements = peak(gateway.process());
    assert!(statements < BOUND, "the gateway held {statements} KiB for statements");
    drop(client);

    let mut client = gateway.connect("ann");
    client.query("begin");
    client.send(&[frame(b'P', b"s\0select $1::text\0\0\0"), frame(b'S', b"")].concat());
    client.until(b"Z");
    let value = "x".repeat(20_000);
    let portal = |at: usize| {
        let head = format!("p{at}\0s\0");
        let cell = [&20_000_u32.to_be_bytes()[..], value.as_bytes()].concat();
        frame(b'B', &[head.as_bytes(), b"\0\0\0\x01", &cell, b"\0\0"].concat())
    };
    let refused = until_refused(&mut client, 40, portal).expect("portals are refused at some number");
    assert_eq!(refused.field('C'), "53400", "{refused:?}");
    let portals = peak(gateway.process());
    assert!(portals < 2 * BOUND, "the gateway held {portals} KiB for portals");
}

/// How often the caller may say the next thing in SQL until it is refused more.
fn said_until_refused(client: &mut Wire, next: impl Fn(usize) -> String) -> usize {
    for round in 0..2000 {
        let messages = client.query(&next(round));
        client.received.clear();
        if let Some(error) = messages.iter().find(|message| message.tag == b'E') {
            assert_eq!(error.field('C'), "53400", "{error:?}");
            return round;
        }
    }
    panic!("nothing is refused");
}

#[test]
fn names_that_sql_gives_without_number() {
    let database = shop();
    let gateway = Gateway::start(&database, POLICY);
    let long = "x".repeat(400_000);
    let mut client = gateway.connect("ann");
    let prepared = said_until_refused(&mut client, |at| format!("prepare s{at} as select '{long}'"));
    assert!((100..200).contains(&prepared), "{prepared} statements");
    // What is closed counts no more.
    client.query("deallocate all");
    assert_eq!(said_until_refused(&mut client, |at| format!("prepare s{at} as select '{long}'")), prepared);
    drop(client);

    let mut client = gateway.connect("ann");
    let declare = |at: usize| {
        let begins = if at == 0 { "begin; " } else { "" };
        format!("{begins}declare c{at} cursor for select '{long}'")
    };
    let declared = said_until_refused(&mut client, declare);
    assert!((100..200).contains(&declared), "{declared} cursors");
    client.query("rollback");
    assert_eq!(said_until_refused(&mut client, declare), declared);
    client.query("rollback");

    // A portal keeps the text of its statement, though that is closed.
    let mut bytes = frame(b'Q', b"begin\0");
    for at in 0..300 {
        bytes.extend(frame(b'P', format!("\0select '{long}'\0\0\0").as_bytes()));
        bytes.extend(frame(b'B', format!("p{at}\0\0\0\0\0\0\0\0").as_bytes()));
        bytes.extend(frame(b'H', b""));
        client.send(&bytes);
        bytes.clear();
        let messages = client.until(b"2E");
        client.received.clear();
        if let Some(error) = messages.iter().find(|message| message.tag == b'E') {
            assert_eq!(error.field('C'), "53400", "{error:?}");
            assert!((100..200).contains(&at), "{at} portals");
            return;
        }
    }
    panic!("portals are never refused");
}
