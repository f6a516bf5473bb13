//! What a policy holds in memory, by the number of its rules: resident bytes for each, the allocator's own with them.
//!
//! `cargo bench -p benches --bench memory`

use std::fs;

use benches::policies;
use hoopcore::Policy;
use hoopcore::policy::parse;

/// So many rules are held in each measurement, in as many policies as that takes.
const HELD: usize = 100_000;

fn main() {
    println!("{:>8} {:>15}", "rules", "bytes each");
    // All are kept until the end: what was freed would be taken again without being counted.
    let mut kept = Vec::new();
    for rules in [100, 1_000, 10_000] {
        println!("{rules:>8} {:>15.0}", bytes_each(rules, &mut kept));
    }
}

fn bytes_each(rules: usize, kept: &mut Vec<Policy>) -> f64 {
    let text = policies::policy(rules);
    let tree = parse(&text).unwrap_or_else(|malformed| unreachable!("{malformed:?}"));
    let policy = || Policy::from_tree(&tree).unwrap_or_else(|errors| unreachable!("{errors:?}"));
    // What compiling takes for a while, it takes before the count begins.
    kept.push(policy());
    let before = resident();
    kept.extend((0..HELD / rules).map(|_| policy()));
    resident().saturating_sub(before) as f64 / HELD as f64
}

/// The bytes of this process that are in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}
