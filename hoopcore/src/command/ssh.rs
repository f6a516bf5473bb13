//! What is asked of an SSH server: commands, files, forwards, shells.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt;

use super::Run;
use super::verb::verbs;

verbs! {
    /// The words of `ssh:` in a policy.
    pub enum Verb {
        Run = "run",
        Read = "read",
        Write = "write",
        Forward = "forward",
        Shell = "shell",
        Agent = "agent",
        X11 = "x11",
        Unknown = "unknown",
    }
}

/// What is asked of the server, as it comes on the wire.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// A command line, for the shell of the server.
    Exec {
        /// The line.
        line: &'a str,
        /// Whether it gets a terminal.
        terminal: bool,
    },
    /// An operation on a file, as SFTP names it: `read`, `write`, `stat`, `rename`, …
    File {
        /// Its name.
        operation: &'a str,
        /// The path.
        path: &'a str,
        /// The other path, where the operation has two.
        to: Option<&'a str>,
    },
    /// A connection that is forwarded to `host:port`.
    Forward {
        /// Where to.
        target: &'a str,
    },
    /// An interactive session.
    Shell,
    /// Forwarding of the caller's agent.
    Agent,
    /// Forwarding of X11.
    X11,
}

/// One thing that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What is done.
    pub verb: Verb,
    /// To what.
    pub object: Object,
}

/// What is acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// One simple command.
    Run(Run),
    /// A file or directory, as it was written.
    Path(Box<str>),
    /// Where a forwarded connection goes to.
    Address {
        /// The host's name or address, in lower case.
        host: Box<str>,
        /// The port.
        port: u16,
    },
    /// Nothing that has a name.
    Any,
}

impl Effect {
    /// One simple command without a terminal.
    pub fn run<W: Into<String>>(argv: impl IntoIterator<Item = W>) -> Self {
        Self { verb: Verb::Run, object: Object::Run(Run::new(argv)) }
    }

    /// An effect on a path.
    pub fn on_path(verb: Verb, path: impl Into<Box<str>>) -> Self {
        Self { verb, object: Object::Path(path.into()) }
    }

    /// An effect without an object.
    #[must_use]
    pub fn of(verb: Verb) -> Self {
        Self { verb, object: Object::Any }
    }

    /// The effect of what could not be read.
    #[must_use]
    pub fn unknown() -> Self {
        Self::of(Verb::Unknown)
    }
}

impl Effect {
    /// The object as records name it: of a command the program alone, for its words may be secrets.
    pub(crate) fn recorded(&self) -> Cow<'_, str> {
        match &self.object {
            Object::Run(run) => Cow::Borrowed(run.argv.first().map_or("?", String::as_str)),
            Object::Path(_) | Object::Address { .. } | Object::Any => Cow::Owned(self.to_string()),
        }
    }
}

impl fmt::Display for Effect {
    /// The object; words of a command are parted by spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            Object::Run(run) => f.write_str(&run.argv.join(" ")),
            Object::Path(path) => f.write_str(path),
            Object::Address { host, port } => write!(f, "{host}:{port}"),
            Object::Any => f.write_str("*"),
        }
    }
}
