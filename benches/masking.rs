//! What masking costs: rows through column masks and detectors, and through regular expressions as one would write
//! them down first.

use std::hint::black_box;

use benches::rows::{self, Table};
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use hoopcore::decision::RuleRef;
use hoopcore::mask::{Cell, ColumnMask, Detector, MaskPlan, Style, Tally};
use hoopcore::policy::{ColumnPattern, Glob};
use regex_automata::meta::Regex;

criterion_group!(benches, masking);
criterion_main!(benches);

fn masking(criterion: &mut Criterion) {
    for table in [rows::customers(4_000), rows::clean(8_000), rows::prose(400), rows::small(2_000)] {
        let mut group = criterion.benchmark_group(format!("masking/{}", table.name));
        group.sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::ElementsAndBytes { elements: table.rows() as u64, bytes: table.bytes() as u64 });
        plan(&mut group, "columns", &table, columns(), vec![]);
        plan(&mut group, "detectors", &table, vec![], detectors());
        plan(&mut group, "both", &table, columns(), detectors());
        let every = Detector::ALL.map(|detector| (detector, Style::Redact)).to_vec();
        plan(&mut group, "every detector", &table, vec![], every);
        group.bench_function("copied only", |bencher| bencher.iter(|| copied(&table)));
        let naive = Naive::new();
        group.bench_function("naive regex", |bencher| bencher.iter(|| naive.masked(&table)));
        group.finish();
    }
}

type Group<'a> = BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn plan(group: &mut Group<'_>, name: &str, table: &Table, columns: Vec<ColumnMask>, detectors: Vec<(Detector, Style)>) {
    let plan = MaskPlan::new(columns, detectors, false);
    group.bench_function(name, |bencher| bencher.iter(|| masked(&plan, table)));
}

/// All cells as they leave, written one after another, as a gateway writes them.
fn masked(plan: &MaskPlan, table: &Table) -> usize {
    let mut rows = plan.rows(&table.layout, &Tally::default());
    let mut out = Vec::with_capacity(table.bytes());
    for (column, cell) in table.cells() {
        match rows.cell(column, Some(cell)) {
            Cell::Pass => out.extend_from_slice(cell),
            Cell::Null => {}
            Cell::Replace(bytes) => out.extend_from_slice(bytes),
        }
    }
    black_box(out).len()
}

fn copied(table: &Table) -> usize {
    let mut out = Vec::with_capacity(table.bytes());
    table.cells().for_each(|(_, cell)| out.extend_from_slice(cell));
    black_box(out).len()
}

fn columns() -> Vec<ColumnMask> {
    ["email", "phone", "card", "iban"]
        .map(|column| ColumnMask {
            pattern: ColumnPattern {
                schema: Glob::new("public"),
                relation: Glob::new("customers"),
                column: Glob::new(column),
            },
            style: Style::Partial { keep: 4 },
            rule: RuleRef { name: "customers-are-masked".into(), file: None, line: None },
        })
        .to_vec()
}

fn detectors() -> Vec<(Detector, Style)> {
    vec![(Detector::Email, Style::Redact), (Detector::Card, Style::Redact)]
}

/// The patterns that anyone would begin with, one after the other over every cell.
struct Naive {
    email: Regex,
    card: Regex,
}

impl Naive {
    fn new() -> Self {
        let pattern = |pattern| Regex::new(pattern).unwrap_or_else(|error| unreachable!("{pattern}: {error}"));
        Self {
            email: pattern(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"),
            card: pattern(r"\b[0-9](?:[ -]?[0-9]){12,18}\b"),
        }
    }

    fn masked(&self, table: &Table) -> usize {
        let mut out = Vec::with_capacity(table.bytes());
        for (_, cell) in table.cells() {
            let cell = replaced(&self.email, cell, |_| true);
            out.extend_from_slice(&replaced(&self.card, &cell, has_check_digit));
        }
        black_box(out).len()
    }
}

fn replaced(pattern: &Regex, cell: &[u8], holds: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(cell.len());
    let mut copied = 0;
    for found in pattern.find_iter(cell).filter(|found| cell.get(found.range()).is_some_and(&holds)) {
        out.extend_from_slice(cell.get(copied..found.start()).unwrap_or_default());
        out.extend_from_slice(b"[redacted]");
        copied = found.end();
    }
    out.extend_from_slice(cell.get(copied..).unwrap_or_default());
    out
}

fn has_check_digit(number: &[u8]) -> bool {
    let digits = number.iter().rev().filter(|byte| byte.is_ascii_digit()).map(|digit| u32::from(digit - b'0'));
    let doubled = |(place, value): (usize, u32)| if place % 2 == 1 { value * 2 / 10 + value * 2 % 10 } else { value };
    digits.enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}
