//! `hoop test`: runs the cases that policies bring along.

mod junit;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use hoop_runtime::diagnostics::printable;
use hoop_runtime::{clock, policy_files};
use hoopcore::policy::Expectation;
use hoopcore::{Call, Explanation, Policy, Rates, Request, Resource, SessionFacts, Verified};
use serde::Serialize;

use super::Failure;
use super::output::{self, FAINT};

/// Runs the cases under `expect:`.
///
/// Exit status: 0 where every case came out as expected, 1 where one did not, 2 where the policy does not load or holds
/// no case.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hoop test policy.yaml\n  hoop test --format junit policy.yaml > hoop.xml")]
pub(super) struct Args {
    /// Policy files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// For a person, one JSON object a case, or JUnit's XML for a CI system
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Whom the outcome is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A person
    #[default]
    Text,
    /// A program: one JSON object a case
    Json,
    /// A CI system: JUnit's XML
    Junit,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let policy = policy_files::load(&args.files).map_err(Failure::said)?.policy;
    if policy.expectations().is_empty() {
        return Err(Failure::Said("there is nothing to test: no file holds a case under `expect:`".to_owned()));
    }
    let cases: Vec<Case<'_>> = policy.expectations().iter().map(|expected| Case::new(&policy, expected)).collect();
    match args.format {
        Format::Text => tell(&cases)?,
        Format::Json => list(&cases)?,
        Format::Junit => junit::tell(&cases)?,
    }
    Ok(if cases.iter().all(Case::passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One case and what came out of it.
#[derive(Serialize)]
struct Case<'a> {
    file: Option<&'a str>,
    line: u32,
    user: &'a str,
    on: &'a str,
    asked: String,
    passed: bool,
    /// What was expected and came out otherwise.
    differences: Vec<Difference>,
    reason: Option<String>,
    /// What else the case may have meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

#[derive(Serialize)]
struct Difference {
    what: &'static str,
    expected: String,
    got: String,
}

impl<'a> Case<'a> {
    fn new(policy: &Policy, expected: &'a Expectation) -> Self {
        let got = ask(policy, expected);
        let differences = differences(expected, &got);
        Self {
            file: expected.file.as_deref(),
            line: expected.line,
            user: &expected.who.user,
            on: &expected.on.name,
            asked: expected.asked.to_string(),
            passed: differences.is_empty(),
            hint: if differences.is_empty() { None } else { hint(policy, expected) },
            differences,
            reason: got.reason.as_deref().map(str::to_owned),
        }
    }

    fn passed(&self) -> bool {
        self.passed
    }

    fn title(&self) -> String {
        let Self { file, line, user, on, asked, .. } = self;
        titled(*file, *line, user, on, asked)
    }
}

/// What a case may have meant that would pass if its resource had no labels, as one of a gateway has whose file gives none.
fn hint(policy: &Policy, expected: &Expectation) -> Option<&'static str> {
    let on = Resource { labels: Some(BTreeMap::new()), ..expected.on.clone() };
    let meant = expected.on.labels.is_none().then(|| Expectation { on, ..expected.clone() })?;
    let passes = differences(&meant, &ask(policy, &meant)).is_empty();
    passes.then_some(
        "labels that a case leaves out are not known; a resource that has none is `on: { name: …, labels: {} }`",
    )
}

/// What a case is called.
pub(super) fn title(case: &Expectation) -> String {
    titled(case.file.as_deref(), case.line, &case.who.user, &case.on.name, &case.asked.to_string())
}

fn titled(file: Option<&str>, line: u32, user: &str, on: &str, sql: &str) -> String {
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    printable(&format!("{}:{line}: {user} on {on}: {sql}", file.unwrap_or("policy")))
}

/// What a policy says to a case.
pub(super) fn ask(policy: &Policy, expected: &Expectation) -> Explanation {
    let who = Verified::vouched(expected.who.clone(), "hoop test");
    let command = expected.asked.command();
    let fresh = SessionFacts::default();
    let search_path = expected.search_path.clone().unwrap_or_else(|| fresh.search_path.clone());
    let session = SessionFacts { search_path, ..fresh };
    let now = expected.now.unwrap_or_else(clock::now);
    let parameters = expected.parameters.as_ref().map(|bound| bound as _);
    let call =
        Call { parameters, source: expected.source, rates: Rates::Ignored, ..Call::new(&command, &session, now) };
    policy.evaluate(&Request { who: &who, on: &expected.on, call }).explanation().clone()
}

fn differences(expected: &Expectation, got: &Explanation) -> Vec<Difference> {
    let verdict = Some(("verdict", expected.verdict.to_string(), got.verdict.to_string()));
    let rule = expected.rule.clone().map(|rule| ("rule", rule, got.rule.name.to_string()));
    let masked = expected.masked.as_ref().map(|columns| {
        let expected: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
        let got: BTreeSet<&str> = got.masks.iter().map(|mask| mask.column.as_str()).collect();
        ("masked", listed(&expected), listed(&got))
    });
    [verdict, rule, masked]
        .into_iter()
        .flatten()
        .filter(|(_, expected, got)| expected != got)
        .map(|(what, expected, got)| Difference { what, expected, got })
        .collect()
}

fn listed(columns: &BTreeSet<&str>) -> String {
    if columns.is_empty() { "nothing".to_owned() } else { columns.iter().copied().collect::<Vec<_>>().join(", ") }
}

fn tell(cases: &[Case<'_>]) -> Result<(), Failure> {
    let mut out = output::out();
    for case in cases {
        let style = output::style_of_success(case.passed);
        writeln!(out, "{style}{:<4}{style:#} {}", if case.passed { "ok" } else { "FAIL" }, case.title())?;
        for Difference { what, expected, got } in &case.differences {
            let (expected, got) = (printable(expected), printable(got));
            writeln!(out, "       {what:<8} expected {expected}\n                     got {got}")?;
        }
        if let (false, Some(reason)) = (case.passed, &case.reason) {
            writeln!(out, "       {FAINT}because  {}{FAINT:#}", printable(reason))?;
        }
        if let Some(hint) = case.hint {
            writeln!(out, "       {FAINT}hint     {hint}{FAINT:#}")?;
        }
    }
    let failed = cases.iter().filter(|case| !case.passed).count();
    let style = output::style_of_success(failed == 0);
    writeln!(out, "{style}{} passed, {failed} failed{style:#}", cases.len() - failed)?;
    Ok(())
}

fn list(cases: &[Case<'_>]) -> Result<(), Failure> {
    let mut out = output::out();
    for case in cases {
        writeln!(out, "{}", serde_json::to_string(case).map_err(Failure::said)?)?;
    }
    Ok(())
}
