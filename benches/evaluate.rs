//! What a decision costs: in a session and stateless, by the number of rules.

use std::hint::black_box;

use benches::policies;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hoopcore::policy::parse;
use hoopcore::{Call, Command, Policy, PolicySession, Request, SessionFacts, Timestamp, Verdict};

criterion_group!(benches, evaluate);
criterion_main!(benches);

/// Commands that ask in turn, so that no answer is learnt by heart.
const COMMANDS: usize = 64;

fn evaluate(criterion: &mut Criterion) {
    let (who, on, facts) = (policies::caller(), policies::resource(), SessionFacts::default());
    let commands = policies::commands(COMMANDS);
    let calls = calls(&commands, &facts);
    for rules in [10, 100, 1_000, 10_000] {
        let text = policies::policy(rules);
        let policy = Policy::from_yaml(&text).unwrap_or_else(|errors| unreachable!("{errors:?}"));
        let mut session = policy.session(&who, &on);

        let mut group = criterion.benchmark_group("evaluate");
        group.throughput(Throughput::Elements(COMMANDS as u64));
        group.bench_function(BenchmarkId::new("verdict in a session", rules), |bencher| {
            bencher.iter(|| calls.iter().filter(|call| session.verdict(call) == Verdict::Allow).count());
        });
        group.bench_function(BenchmarkId::new("event and explanation in a session", rules), |bencher| {
            bencher.iter(|| calls.iter().for_each(|call| made(&mut session, call)));
        });
        // What is refused is judged anew each time, and few rules may permit none of the commands.
        if let Some(call) = calls.iter().find(|call| session.verdict(call) == Verdict::Allow) {
            group.bench_function(BenchmarkId::new("the same command asked again", rules), |bencher| {
                bencher.iter(|| (0..COMMANDS).for_each(|_| made(&mut session, call)));
            });
        }
        let request = |call: &Call<'_>| policy.verdict(&Request { who: &who, on: &on, call: *call });
        group.bench_function(BenchmarkId::new("verdict, stateless", rules), |bencher| {
            bencher.iter(|| calls.iter().filter(|call| request(call) == Verdict::Allow).count());
        });
        group.bench_function(BenchmarkId::new("event and explanation, stateless", rules), |bencher| {
            let ask = |call: &Call<'_>| policy.evaluate(&Request { who: &who, on: &on, call: *call }).verdict();
            bencher.iter(|| calls.iter().filter(|call| ask(call) == Verdict::Allow).count());
        });
        group.finish();

        let mut group = criterion.benchmark_group("compile");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.sample_size(10).bench_function(BenchmarkId::new("policy", rules), |bencher| {
            bencher.iter(|| Policy::from_yaml(black_box(&text)).is_ok());
        });
        group.bench_function(BenchmarkId::new("text to tree", rules), |bencher| {
            bencher.iter(|| parse(black_box(&text)).is_ok());
        });
        let tree = parse(&text).unwrap_or_else(|malformed| unreachable!("{malformed:?}"));
        group.bench_function(BenchmarkId::new("tree to policy", rules), |bencher| {
            bencher.iter(|| Policy::from_tree(black_box(&tree)).is_ok());
        });
        group.bench_function(BenchmarkId::new("warnings", rules), |bencher| bencher.iter(|| policy.warnings().len()));
        group.bench_function(BenchmarkId::new("session", rules), |bencher| bencher.iter(|| policy.session(&who, &on)));
        group.finish();
    }
}

/// A decision with its explanation and its event.
fn made(session: &mut PolicySession, call: &Call<'_>) {
    let decision = session.decide(call);
    black_box(decision.explanation());
    let _ = black_box(decision.seal());
}

fn calls<'a>(commands: &'a [Command], facts: &'a SessionFacts) -> Vec<Call<'a>> {
    commands.iter().map(|command| Call::new(command, facts, Timestamp::UNIX_EPOCH)).collect()
}
