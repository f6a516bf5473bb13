//! Large results pass without being gathered.

use std::fs;

use crate::setting::{Gateway, direct, run, shop};
use crate::wire::{Wire, frame};

/// Everything is allowed, and masks are armed for a column that is there.
pub(crate) const POLICY: &str = r#"
hoop: 1
rules:
  - rule: everything
    who: anyone
    on: target
    allow: { sql: ["*", unknown] }
  - rule: masks
    who: anyone
    on: target
    mask: { columns: { public.customers.ssn: redact } }
"#;

/// The most memory that a process has held, in KiB.
pub(crate) fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Bytes of the rows that a statement gives.
fn drain(gateway: &Gateway, sql: &str) -> usize {
    let mut client = gateway.connect("ann");
    client.send(&frame(b'Q', &[sql.as_bytes(), b"\0"].concat()));
    let mut bytes = 0;
    while let Some(message) = client.next() {
        client.received.clear();
        match message.tag {
            b'D' | b'd' => bytes += message.body.len(),
            b'Z' => break,
            b'E' => panic!("{message:?}"),
            _ => {}
        }
    }
    bytes
}

/// Masked rows of every length around what one read brings: none is waited for that has arrived.
#[test]
fn rows_longer_than_a_read_are_masked() {
    let database = shop();
    run(&database, "create table wide as select g, repeat('x', g * 997) as body from generate_series(1, 100) g");
    let gateway = Gateway::start(&database, POLICY);
    let rows = "select c.ssn, w.body from wide w join customers c on c.id = 1";
    for order in ["g", "-g", "g % 7, g", "md5(g::text)"] {
        let bytes = drain(&gateway, &format!("{rows} order by {order}"));
        assert!(bytes > 997 * 5000, "{order}: {bytes}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_hundred_megabytes_under_sixty_four() {
    let database = shop();
    run(&database, "create table long as select g as id, repeat('y', 1000) as body from generate_series(1, 100000) g");
    let gateway = Gateway::start(&database, POLICY);
    let hundred = 100_000_000;
    assert!(drain(&gateway, "select g, repeat('x', 1000) from generate_series(1, 100000) g") > hundred);
    assert!(drain(&gateway, "select l.id, l.body, c.ssn from long l join customers c on c.id = 1") > hundred);
    assert!(drain(&gateway, "copy long to stdout") > hundred);
    let peak = peak(gateway.process());
    assert!(peak < 64 * 1024, "the gateway held {peak} KiB");
}

#[test]
fn more_parameters_than_can_be_bound_are_prepared() {
    let database = shop();
    let gateway = Gateway::start(&database, POLICY);
    let list: Vec<String> = (1..=65_536).map(|number| format!("(${number}::text)")).collect();
    let parse = format!("\0values {}\0\0\0", list.join(", "));
    let script = [frame(b'P', parse.as_bytes()), frame(b'D', b"S\0"), frame(b'S', b"")].concat();
    let answers = [Wire::connect(&direct(&database)).unwrap(), gateway.connect("ann")].map(|mut client| {
        client.send(&script);
        client.until(b"Z")
    });
    let tags: Vec<u8> = answers[0].iter().map(|message| message.tag).collect();
    assert_eq!(tags, b"1tTZ");
    assert!(answers[0] == answers[1], "{:?}", answers[1].last());
}
