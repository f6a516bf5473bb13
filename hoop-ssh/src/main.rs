//! The `hoop-ssh` gateway. Not written yet: it says so and ends with an error.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!("hoop-ssh is not written yet; `hoop-pg` is the gateway that works today");
    ExitCode::FAILURE
}
