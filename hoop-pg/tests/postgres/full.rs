//! A disk on which no file can grow: what cannot be recorded is not carried out, until there is room again.

use std::fs;

use serde_json::Value;

use crate::setting::{Gateway, direct, run, shop};
use crate::wire::{Message, Wire};

const POLICY: &str = r#"
hoop: 1
rules:
  - rule: developers-write
    who: { group: developers }
    on: target
    allow: { sql: { read: public.full, insert: public.full } }
"#;

const REFUSED: &str = "the audit trail could not be written: File too large";

fn error(messages: &[Message]) -> Option<String> {
    messages
        .iter()
        .find(|message| message.tag == b'E')
        .map(|error| format!("{} {}", error.field('C'), error.field('M')))
}

/// The rows of the table, as they are without the gateway.
fn rows(database: &str) -> usize {
    let messages = Wire::connect(&direct(database)).unwrap().query("select id from public.full");
    messages.iter().filter(|message| message.tag == b'D').count()
}

/// How many records tell of an insert that was let through. Each whole line is a record; the last of a file may be torn.
fn recorded(gateway: &Gateway) -> usize {
    let files = fs::read_dir(gateway.file("audit")).unwrap();
    let texts: Vec<String> = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let lines = texts.iter().flat_map(|text| text.split_inclusive('\n')).filter(|line| line.ends_with('\n'));
    let records = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.filter(|record| record["kind"] == "decision" && record["rule"]["name"] == "developers-write").count()
}

fn start(mode: &str) -> (Gateway, String) {
    let database = shop();
    run(&database, "create table public.full (id int)");
    (Gateway::start_recording(&database, POLICY, mode), database)
}

fn refuses_until_there_is_room(mode: &str) {
    let (gateway, database) = start(mode);
    let mut ann = gateway.connect("ann");
    assert_eq!(error(&ann.query("insert into public.full values (1)")), None);
    gateway.bound_files(Some(0));
    for _ in 0..3 {
        let refused = error(&ann.query("insert into public.full values (2)")).unwrap_or_default();
        assert!(refused.contains(REFUSED), "{refused}");
    }
    let refused = Wire::connect(&gateway.address("ann")).err().expect("nobody comes in unrecorded");
    assert!(refused.field('M').contains(REFUSED), "{refused:?}");
    assert_eq!(rows(&database), 1);
    gateway.bound_files(None);
    assert_eq!(error(&ann.query("insert into public.full values (3)")), None);
    assert_eq!(error(&gateway.connect("ann").query("insert into public.full values (4)")), None);
    assert_eq!((rows(&database), recorded(&gateway)), (3, 3));
}

#[test]
fn durable_refuses_until_there_is_room() {
    refuses_until_there_is_room("durable");
}

#[test]
fn written_refuses_until_there_is_room() {
    refuses_until_there_is_room("written");
}

#[test]
fn best_effort_goes_on_and_records_again_when_there_is_room() {
    let (gateway, database) = start("best_effort");
    let mut ann = gateway.connect("ann");
    gateway.bound_files(Some(0));
    assert_eq!(error(&ann.query("insert into public.full values (1)")), None);
    assert_eq!(error(&gateway.connect("ann").query("insert into public.full values (2)")), None);
    gateway.bound_files(None);
    assert_eq!(error(&ann.query("insert into public.full values (3)")), None);
    assert_eq!(rows(&database), 3);
}

#[test]
fn who_ends_the_gateway_learns_of_records_that_are_lost() {
    for (room, well) in [(None, true), (Some(0), false)] {
        let (mut gateway, _) = start("durable");
        let mut ann = gateway.connect("ann");
        gateway.bound_files(Some(0));
        assert!(error(&ann.query("insert into public.full values (1)")).is_some());
        gateway.bound_files(room);
        drop(ann);
        gateway.terminate();
        assert_eq!(gateway.ends_well(), well, "{}", gateway.log());
    }
}

/// Wherever a file ends: before its first record, in the middle of one, behind it.
#[test]
fn what_is_carried_out_is_recorded_however_far_files_grow() {
    let (gateway, database) = start("durable");
    let mut ann = gateway.connect("ann");
    let mut insert = || error(&ann.query("insert into public.full values (1)"));
    let mut carried_out = 0;
    for bytes in (0..4_000).step_by(97) {
        gateway.bound_files(Some(bytes));
        match insert() {
            None => carried_out += 1,
            Some(refused) => assert!(refused.contains(REFUSED), "{refused}"),
        }
        gateway.bound_files(None);
        assert_eq!(insert(), None);
        carried_out += 1;
    }
    assert_eq!(rows(&database), carried_out);
    assert!(recorded(&gateway) >= carried_out, "{carried_out}");
}
