//! One step of `evaluate`, alone: for counting its instructions, which a busy machine does not change.
//!
//! `valgrind --tool=callgrind --toggle-collect='*measured*' target/release/deps/instructions-… session 10000`

use std::env;
use std::hint::black_box;

use benches::policies;
use hoopcore::policy::parse;
use hoopcore::{Call, Policy, Request, SessionFacts, Timestamp, Verdict};

/// Commands that ask in turn.
const COMMANDS: usize = 64;

fn main() {
    let words: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let [step, rules] = words.as_slice() else {
        println!("name a step (session, stateless, text, tree, policy, warnings, open) and the number of rules");
        return;
    };
    let rules = rules.parse().unwrap_or(10);
    let answer = run(step, rules);
    println!("{step} with {rules} rules: {answer}");
}

fn run(step: &str, rules: usize) -> usize {
    let text = policies::policy(rules);
    if step == "text" {
        return measured(|| usize::from(parse(black_box(&text)).is_ok()));
    }
    if step == "tree" {
        let tree = parse(&text).unwrap_or_else(|malformed| unreachable!("{malformed:?}"));
        return measured(|| usize::from(Policy::from_tree(black_box(&tree)).is_ok()));
    }
    if step == "policy" {
        return measured(|| usize::from(Policy::from_yaml(black_box(&text)).is_ok()));
    }
    let policy = Policy::from_yaml(&text).unwrap_or_else(|errors| unreachable!("{errors:?}"));
    let (who, on, facts) = (policies::caller(), policies::resource(), SessionFacts::default());
    let commands = policies::commands(COMMANDS);
    let calls: Vec<Call<'_>> = commands.iter().map(|one| Call::new(one, &facts, Timestamp::UNIX_EPOCH)).collect();
    let session = policy.session(&who, &on);
    let allows = |verdict: &dyn Fn(&Call<'_>) -> Verdict| {
        measured(|| calls.iter().filter(|call| verdict(call) == Verdict::Allow).count())
    };
    match step {
        "session" => allows(&|call| session.verdict(call)),
        "stateless" => allows(&|call| policy.verdict(&Request { who: &who, on: &on, call: *call })),
        "warnings" => measured(|| policy.warnings().len()),
        "open" => measured(|| usize::from(policy.session(&who, &on).is_reachable())),
        other => unreachable!("`{other}` is not a step"),
    }
}

/// What callgrind counts.
#[inline(never)]
fn measured(step: impl Fn() -> usize) -> usize {
    step()
}
