//! What a statement changes in its session, for those who keep [`SessionFacts`](crate::SessionFacts).

use alloc::string::String;
use alloc::vec::Vec;

use crate::command::Command;

/// What changes in a session once the server says that a statement was carried out.
///
/// An adapter applies it to its [`SessionFacts`](crate::SessionFacts) when the server acknowledges the statement,
/// and decides nothing that depends on it before.
#[derive(Clone, Debug, Default)]
pub enum Change {
    /// Nothing that the facts of a session hold.
    Nothing,
    /// `PREPARE`: the name stands for this statement.
    Prepare {
        /// The name, folded.
        name: String,
        /// The statement inside, analysed.
        command: Command,
    },
    /// `DEALLOCATE`: the name, or with `None` every name, stands for nothing.
    Deallocate(Option<String>),
    /// `DECLARE`: the cursor returns what this query returns.
    Declare {
        /// The name, folded.
        name: String,
        /// The query, analysed.
        command: Command,
        /// Whether it outlives its transaction.
        hold: bool,
    },
    /// `CLOSE`: the cursor, or with `None` every cursor, is gone.
    Close(Option<String>),
    /// Where unqualified names are looked up.
    Path(PathChange),
    /// Relations, functions or types are others than before: DDL.
    Definitions,
    /// `DISCARD ALL`: prepared statements, cursors, temporary relations and settings are as at the start.
    Discard,
    /// Not known: anything may have changed. What was not understood, and calls of code.
    #[default]
    Unknown,
}

/// What becomes of the search path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathChange {
    /// For the rest of the session it is these schemas, in order: `SET search_path TO a, b` with plain names.
    To(Vec<String>),
    /// As at the start of the session: `RESET search_path`, `RESET ALL`.
    Reset,
    /// Something else: `SET LOCAL`, `set_config`, `"$user"`.
    Unknown,
}
