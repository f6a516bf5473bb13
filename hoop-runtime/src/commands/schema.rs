//! `hoop schema`: the JSON Schema that editors complete and check files with.

use std::io::Write;
use std::process::ExitCode;

use clap::ValueEnum;
use hoop_runtime::schema;

use super::Failure;
use super::output;

/// Writes a JSON Schema (draft 7) to standard output. Editors with the YAML language server use it where a file begins with
/// `# yaml-language-server: $schema=PATH`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoop schema policy > policy.schema.json")]
pub(super) struct Args {
    /// Of which file
    #[arg(value_enum, default_value_t)]
    file: File,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum File {
    /// A policy file
    #[default]
    Policy,
    /// The gateway's own file
    Gateway,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let schema = match args.file {
        File::Policy => schema::policy(),
        File::Gateway => schema::gateway(),
    };
    write!(output::out(), "{}", schema::text(&schema))?;
    Ok(ExitCode::SUCCESS)
}
