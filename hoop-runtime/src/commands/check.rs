//! `hoop check`: everything that is wrong with policy files, at once.

mod sarif;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use hoop_runtime::config::Names;
use hoop_runtime::diagnostics::Sources;
use hoop_runtime::policy_files::{self, PolicyFilesError};
use hoopcore::policy::{Problem, Severity};
use serde::Serialize;

use super::Failure;
use super::output;

/// Several files are checked as the one policy that they make up.
///
/// Exit status: 0 where the policy loads, 1 where it does not, 2 where a file cannot be read.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hoop check policy.yaml
  hoop check --gateway gateway.yaml policy.yaml         # also: groups and resources that it does not know
  hoop check --format sarif policy.yaml > hoop.sarif    # for code review tools")]
pub(super) struct Args {
    /// Policy files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The gateway's own file: warns of groups and resources that it does not know, and of users whom several issuers may name
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// For a person, one JSON object a problem, or SARIF 2.1.0
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Whom the problems are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A person
    #[default]
    Text,
    /// A program: one JSON object a problem
    Json,
    /// A tool that shows problems beside the code: SARIF 2.1.0
    Sarif,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (problems, sources, loads) = match policy_files::load(&args.files) {
        Ok(loaded) => {
            let mut problems = loaded.policy.warnings();
            if let Some(gateway) = &args.gateway {
                let names = Names::read(gateway).map_err(Failure::said)?;
                problems.extend(names.missing(&loaded.policy));
                problems.extend(names.unnamed_approvers(gateway));
            }
            (problems, loaded.sources, true)
        }
        Err(PolicyFilesError::Wrong { problems, sources }) => (problems, sources, false),
        Err(error) => return Err(Failure::said(error)),
    };
    match args.format {
        Format::Text => tell(&problems, &sources)?,
        Format::Json => list(&problems, &sources)?,
        Format::Sarif => writeln!(output::out(), "{:#}", sarif::log(&problems))?,
    }
    Ok(if loads { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(problems: &[Problem], sources: &Sources) -> Result<(), Failure> {
    let mut errors = anstream::AutoStream::auto(std::io::stderr().lock());
    for problem in problems {
        writeln!(errors, "{}\n", sources.render(problem, output::colour_of_errors()))?;
    }
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (wrong, doubtful) = (count(Severity::Error), count(Severity::Warning));
    let good = output::style_of_success(wrong == 0);
    let word = if wrong == 0 { "good" } else { "refused" };
    writeln!(output::out(), "{good}{word}{good:#}: {}", tally(wrong, doubtful))?;
    Ok(())
}

fn tally(errors: usize, warnings: usize) -> String {
    let plural = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))
}

/// A problem as programs read it.
#[derive(Serialize)]
struct Line<'a> {
    severity: Severity,
    message: &'a str,
    file: Option<&'a str>,
    line: u32,
    column: u32,
    width: u32,
    label: Option<&'a str>,
    help: Option<&'a str>,
    /// The line of the file that it is in.
    source: Option<&'a str>,
}

fn list(problems: &[Problem], sources: &Sources) -> Result<(), Failure> {
    let mut out = output::out();
    for problem in problems {
        let Problem { severity, message, file, line, column, width, label, help } = problem;
        let (severity, line, column, width) = (*severity, *line, *column, *width);
        let (file, label, help) = (file.as_deref(), label.as_deref(), help.as_deref());
        let source = file.and_then(|file| sources.line(file, line));
        let line = Line { severity, message, file, line, column, width, label, help, source };
        writeln!(out, "{}", serde_json::to_string(&line).map_err(Failure::said)?)?;
    }
    Ok(())
}
