//! `hoop evaluate`: decides any number of requests, one JSON line each.

mod answer;
mod question;

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use hoop_runtime::policy_files;
use hoopcore::Policy;
use serde_json::Value;

use self::answer::{Answer, Malformed};
use self::question::Question;
use super::{Failure, output};

/// Reads requests from standard input and writes one answer for each, in the same order.
///
/// Exit status: 0, or 1 where a line was malformed: its answer is {"id":…, "error":…}; 2 where the policy does not load.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoop evaluate --policy policy.yaml < requests.jsonl")]
pub(super) struct Args {
    /// Policy files
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    policy: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let policy = policy_files::load(&args.policy).map_err(Failure::said)?.policy;
    let mut out = output::out();
    let mut code = ExitCode::SUCCESS;
    for line in io::stdin().lock().split(b'\n') {
        let line = line.map_err(|error| Failure::Said(format!("standard input cannot be read: {error}")))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let text = match answer(&policy, &line) {
            Ok(answer) => serde_json::to_string(&answer),
            Err(malformed) => {
                code = ExitCode::FAILURE;
                serde_json::to_string(&malformed)
            }
        };
        writeln!(out, "{}", text.map_err(Failure::said)?)?;
    }
    out.flush()?;
    Ok(code)
}

/// What a request is called, and what a policy answers: for comparing.
pub(super) fn summary(policy: &Policy, line: &[u8]) -> Result<(String, Value), String> {
    let answer = answer(policy, line)
        .and_then(|answer| serde_json::to_value(answer).map_err(|error| Malformed::new(Value::Null, &error)));
    let answer = answer.map_err(|malformed| malformed.to_string())?;
    let part = |name| answer.get(name).cloned().unwrap_or_default();
    let masked: Vec<Value> =
        part("masks").as_array().into_iter().flatten().filter_map(|mask| mask.get("column").cloned()).collect();
    let id = part("id");
    let title = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    Ok((title, serde_json::json!({ "verdict": part("verdict"), "rule": part("rule"), "masked": masked })))
}

fn answer(policy: &Policy, line: &[u8]) -> Result<Answer, Malformed> {
    let value: Value = serde_json::from_slice(line).map_err(|error| Malformed::new(Value::Null, &error))?;
    if !value.is_object() {
        return Err(Malformed::new(Value::Null, &"a request is a JSON object"));
    }
    let id = value.get("id").cloned().unwrap_or_default();
    let question: Question = serde_json::from_value(value).map_err(|error| Malformed::new(id, &error))?;
    Ok(question.put(policy))
}
