//! `hoop diff`: which decisions change from one policy to another.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::slice;

use hoop_runtime::diagnostics::printable;
use hoop_runtime::policy_files;
use hoopcore::Policy;
use serde_json::{Value, json};

use super::output::{self, Format};
use super::{Failure, evaluate, test};

/// Asks both policies the cases under `expect:` of both, and the requests of a file.
///
/// Exit status: 0 where no decision changes, 1 where one does, 2 where a policy does not load or a request cannot be read.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hoop diff policy.yaml changed.yaml
  hoop diff policy.yaml changed.yaml --requests requests.jsonl   # as `hoop evaluate` reads them
  hoop diff --old a.yaml b.yaml --new changed.yaml b.yaml        # a policy of several files")]
pub(super) struct Args {
    /// The policy as it is, and as it would be
    #[arg(value_names = ["OLD", "NEW"], num_args = 2, required_unless_present = "old")]
    policies: Vec<PathBuf>,
    /// The files of the policy as it is
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "new", conflicts_with = "policies")]
    old: Vec<PathBuf>,
    /// The files of the policy as it would be
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "old", conflicts_with = "policies")]
    new: Vec<PathBuf>,
    /// JSON lines, one request each
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
    /// For a person, or one JSON object a change
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A question, and what both policies answer.
struct Answers {
    title: String,
    old: Value,
    new: Value,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (old, new) = match args.policies.as_slice() {
        [old, new] => (load(slice::from_ref(old))?, load(slice::from_ref(new))?),
        _ => (load(&args.old)?, load(&args.new)?),
    };
    let mut answers = cases(&old, &new);
    if let Some(path) = &args.requests {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::said(format!("`{}` cannot be read: {error}", path.display())))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            answers.push(requested(&old, &new, line)?);
        }
    }
    let changed: Vec<&Answers> = answers.iter().filter(|answers| answers.old != answers.new).collect();
    match args.format {
        Format::Text => tell(&changed, answers.len())?,
        Format::Json => list(&changed)?,
    }
    Ok(if changed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn load(files: &[PathBuf]) -> Result<Policy, Failure> {
    Ok(policy_files::load(files).map_err(Failure::said)?.policy)
}

/// What both answer to the cases of both; a case that both hold is asked once.
fn cases(old: &Policy, new: &Policy) -> Vec<Answers> {
    let mut asked = Vec::new();
    let mut answers: Vec<Answers> = Vec::new();
    for case in old.expectations().iter().chain(new.expectations()) {
        let question = (&case.who, &case.on, &case.asked, &case.parameters, &case.search_path, &case.now, &case.source);
        if !asked.contains(&question) {
            asked.push(question);
            let answer = |policy| summary(&test::ask(policy, case));
            answers.push(Answers { title: test::title(case), old: answer(old), new: answer(new) });
        }
    }
    answers
}

fn summary(explanation: &hoopcore::Explanation) -> Value {
    let masked: Vec<String> = explanation.masks.iter().map(|mask| mask.column.clone()).collect();
    json!({ "verdict": explanation.verdict, "rule": explanation.rule.name.to_string(), "masked": masked })
}

fn requested(old: &Policy, new: &Policy, line: &str) -> Result<Answers, Failure> {
    let answer = |policy| evaluate::summary(policy, line.as_bytes()).map_err(Failure::said);
    let (title, old) = answer(old)?;
    Ok(Answers { title: format!("request {title}"), old, new: answer(new)?.1 })
}

fn tell(changed: &[&Answers], asked: usize) -> Result<(), Failure> {
    let mut out = output::out();
    for Answers { title, old, new } in changed {
        writeln!(out, "{}\n    - {}\n    + {}", printable(title), words(old), words(new))?;
    }
    let style = output::style_of_success(changed.is_empty());
    writeln!(out, "{style}{} of {asked} decisions change{style:#}", changed.len())?;
    Ok(())
}

fn words(answer: &Value) -> String {
    let text = |name| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let masked: Vec<&str> =
        answer.get("masked").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let masked = if masked.is_empty() { String::new() } else { format!(", masked: {}", masked.join(", ")) };
    printable(&format!("{} by {}{masked}", text("verdict"), text("rule")))
}

fn list(changed: &[&Answers]) -> Result<(), Failure> {
    let mut out = output::out();
    for Answers { title, old, new } in changed {
        writeln!(out, "{}", json!({ "what": title, "old": old, "new": new }))?;
    }
    Ok(())
}
