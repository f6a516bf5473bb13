//! `hoop detectors`: what `detect:` can name.

use std::io::Write;
use std::process::ExitCode;

use hoopcore::mask::Detector;

use super::Failure;
use super::output::{self, STRONG};

/// A policy names them in `mask: { detect: { NAME: STYLE } }`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> Result<ExitCode, Failure> {
    let mut out = output::out();
    for detector in Detector::ALL {
        writeln!(out, "{STRONG}{:<8}{STRONG:#} {:<40} {}", detector.word(), what(detector), example(detector))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn what(detector: Detector) -> &'static str {
    match detector {
        Detector::Email => "e-mail address",
        Detector::Card => "payment card number, Luhn digit checked",
    }
}

fn example(detector: Detector) -> &'static str {
    match detector {
        Detector::Email => "ada@example.com",
        Detector::Card => "4111 1111 1111 1111",
    }
}
