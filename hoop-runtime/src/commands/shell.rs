//! `hoop completions` and `hoop man`: what shells and `man` know of the command.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::output;
use super::{Cli, Failure};

/// Writes a shell's completions to standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoop completions bash > ~/.local/share/bash-completion/completions/hoop")]
pub(super) struct Completions {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes the page `hoop(1)` to standard output, or a page for each subcommand into a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hoop man | man -l -\n  hoop man --directory /usr/local/share/man/man1")]
pub(super) struct Man {
    /// The folder for all pages
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

pub(super) fn completions(args: &Completions) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hoop", &mut script);
    output::out().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(args: &Man) -> Result<ExitCode, Failure> {
    match &args.directory {
        Some(directory) => clap_mangen::generate_to(Cli::command(), directory)?,
        None => clap_mangen::Man::new(Cli::command()).render(&mut output::out())?,
    }
    Ok(ExitCode::SUCCESS)
}
