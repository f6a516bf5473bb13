//! PostgreSQL statements → effects. The analysis is right or it concedes; it never guesses.

use alloc::boxed::Box;
use alloc::vec;

use crate::command::{Change, Command, Coverage, Effect, Statement};

/// The effects of a batch of statements.
pub(crate) fn analyse(text: &str) -> Command {
    let statement = Statement {
        effects: Box::new([Effect::unknown()]),
        coverage: Coverage::Partial("not analysed".into()),
        change: Change::Unknown,
    };
    Command::analysed(text, "?".into(), vec![statement].into_boxed_slice())
}
