//! One simple command: a program and its arguments, as a command line of SSH or `exec` in a pod runs it.

use alloc::boxed::Box;
use alloc::string::String;

/// One simple command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its words, without quotes: what the program gets. The first is the program.
    pub argv: Box<[String]>,
    /// Whether it has a terminal.
    pub terminal: bool,
    /// Whether it runs what its words alone do not tell: an interpreter, or a program that starts others. No wildcard of
    /// an allow covers it.
    pub opaque: bool,
}

impl Run {
    /// A command without a terminal that runs nothing but itself.
    pub fn new<W: Into<String>>(argv: impl IntoIterator<Item = W>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), terminal: false, opaque: false }
    }
}
