//! The `hoop` command.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )
)]

mod commands;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run()
}
