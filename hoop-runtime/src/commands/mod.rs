//! The subcommands of `hoop`, one file each.

mod approvals;
mod audit;
mod certificate;
mod check;
mod detectors;
mod diff;
mod evaluate;
mod explain;
mod held;
mod init;
mod output;
mod schema;
mod shell;
mod test;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Policies for databases, APIs and hosts: check them, ask them, answer for them, read what they decided
#[derive(Debug, Parser)]
#[command(name = "hoop", version, max_term_width = 120, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check policy files; every problem at once, with its line
    Check(check::Args),
    /// Run the cases that policy files bring along
    Test(test::Args),
    /// Say which decisions change from one policy to another
    Diff(diff::Args),
    /// Write a policy and a gateway's file to begin with
    Init(init::Args),
    /// Decide requests: JSON lines in, JSON lines out
    Evaluate(evaluate::Args),
    /// Explain what becomes of one command, and which rule says so
    Explain(explain::Args),
    /// List the detectors that a mask can name
    Detectors(detectors::Args),
    /// Write the JSON Schema of policy files or of the gateway's file
    Schema(schema::Args),
    /// Write completions for a shell
    Completions(shell::Completions),
    /// Write the manual page
    Man(shell::Man),
    /// Answer for commands that a gateway holds
    Approvals(approvals::Args),
    /// Read the audit trail
    Audit(audit::Args),
    /// Make a server certificate for a gateway, and the authority that clients trust
    Certificate(certificate::Args),
}

/// Why a subcommand could not do its work; as against having done it and found something wrong.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// In words.
    #[error("{0}")]
    Said(String),
    /// Its output could not be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    fn said(what: impl std::fmt::Display) -> Self {
        Self::Said(what.to_string())
    }
}

/// Runs the subcommand that the arguments name.
pub(crate) fn run() -> ExitCode {
    let ran = match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Detectors(args) => detectors::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
        Command::Approvals(args) => approvals::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Certificate(args) => certificate::run(&args),
    };
    match ran {
        Ok(code) => code,
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure);
            ExitCode::from(2)
        }
    }
}
