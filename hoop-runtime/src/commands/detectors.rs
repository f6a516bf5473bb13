//! `hoop detectors`: what `detect:` can name.

use std::io::Write;
use std::process::ExitCode;

use hoopcore::mask::Detector;

use super::Failure;
use super::output::{self, STRONG};

/// A policy names them in `mask: { detect: { NAME: STYLE } }`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoop detectors | grep -A1 card")]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> Result<ExitCode, Failure> {
    let mut out = output::out();
    for detector in Detector::ALL {
        writeln!(out, "{STRONG}{}{STRONG:#}: {}", detector.word(), detector.about())?;
        writeln!(out, "    {}", detector.example().replace('\n', "\n    "))?;
    }
    Ok(ExitCode::SUCCESS)
}
