//! The `hoop-http` gateway. Not written yet: it says so and ends with an error.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!("hoop-http is not written yet; `hoop-pg` is the gateway that works today");
    ExitCode::FAILURE
}
