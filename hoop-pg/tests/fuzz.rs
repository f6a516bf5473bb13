//! Replays the corpora of all fuzz targets, and some thousand variations of each file, on the stable compiler.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../fuzz/src/lib.rs"]
mod targets;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("the corpus is there").map(|entry| entry.expect("it is readable").path()).collect();
    files.sort();
    files
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let seeds: Vec<_> = files(&folder).iter().map(|file| fs::read(file).expect("it is readable")).collect();
    assert!(!seeds.is_empty(), "no corpus for {target}");
    seeds
}

/// The field `input` of each case of a file in `corpora`.
fn cases(file: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora").join(file);
    let text = fs::read_to_string(path).expect("the cases are there");
    let inputs = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["input"].as_str().map(str::to_owned));
    inputs.map(String::into_bytes).collect()
}

/// Runs a target on each seed, and on `rounds` variations of it that are the same at each run.
fn replay(target: fn(&[u8]), seeds: &[Vec<u8>], rounds: u64) {
    for (number, seed) in (1..).zip(seeds) {
        target(seed);
        for round in 1..=rounds {
            target(&vary(seed, number * 0x9e37_79b9 + round));
        }
    }
}

/// Bytes that mean something to one reader or another.
const MARKS: &[u8] = b"'\"$\\;-/*\0\n\r(){}:[] \xff";

/// A few bytes changed, dropped, doubled or cut off.
fn vary(seed: &[u8], mut state: u64) -> Vec<u8> {
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let mut bytes = seed.to_vec();
    for _ in 0..=next(4) {
        let at = next(bytes.len());
        match next(5) {
            0 if !bytes.is_empty() => bytes[at] = next(256) as u8,
            1 if !bytes.is_empty() => drop(bytes.remove(at)),
            2 => bytes.insert(at.min(bytes.len()), MARKS[next(MARKS.len())]),
            3 => bytes.extend_from_within(at.min(bytes.len())..),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

#[test]
fn sql() {
    replay(targets::sql, &corpus("sql"), 200);
    replay(targets::sql, &cases("sql.jsonl"), 20);
    replay(targets::sql, &cases("sql_masking.jsonl"), 20);
}

#[test]
fn policy() {
    replay(targets::policy, &corpus("policy"), 500);
}

#[test]
fn requests() {
    replay(targets::requests, &corpus("requests"), 500);
}

#[test]
fn shell() {
    replay(targets::shell, &corpus("shell"), 500);
    replay(targets::shell, &cases("shell.jsonl"), 20);
}

#[test]
fn client_frames() {
    replay(targets::client_frames, &corpus("client_frames"), 2000);
}

#[test]
fn server_frames() {
    replay(targets::server_frames, &corpus("server_frames"), 2000);
}

#[test]
fn json_paths() {
    replay(targets::json_paths, &corpus("json_paths"), 2000);
}

#[test]
fn copy_rows() {
    replay(targets::copy_rows, &corpus("copy_rows"), 2000);
}

#[test]
fn fifo() {
    replay(targets::fifo, &corpus("fifo"), 2000);
    // Bytes are choices here: any of them are a conversation.
    for state in 1..20_000_u64 {
        targets::fifo(&vary(
            &state.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes().repeat(1 + state as usize % 40),
            state,
        ));
    }
}

#[test]
fn startup() {
    replay(targets::startup, &corpus("startup"), 2000);
}

#[test]
fn mask_rows() {
    replay(targets::mask_rows, &corpus("mask_rows"), 200);
}
