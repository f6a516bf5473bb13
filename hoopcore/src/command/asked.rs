//! What is asked, as people and tests write it: owned, and not analysed yet.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::ssh;
#[cfg(all(feature = "sql", feature = "http", feature = "kubernetes", feature = "ssh"))]
use super::{Command, Message};
use crate::resource::ResourceKind;

/// What is asked for, by its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// SQL statements.
    Sql(String),
    /// A request to an HTTP API.
    Http(AskedRequest),
    /// A request to a Kubernetes API server.
    Kubernetes(AskedRequest),
    /// Something of SSH.
    Ssh(AskedOfSsh),
}

/// A request of HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedRequest {
    /// The method.
    pub method: String,
    /// The path and its query.
    pub uri: String,
    /// Names and values of header fields.
    pub headers: Vec<(String, String)>,
    /// The body, where there is one.
    pub body: Option<String>,
}

/// What is asked of an SSH server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of `ssh::Asked`, owned")]
pub enum AskedOfSsh {
    /// A command line.
    Exec { line: String, terminal: bool },
    /// An operation on a file.
    File { operation: String, path: String, to: Option<String> },
    /// A forwarded connection.
    Forward { target: String },
    /// An interactive session.
    Shell,
    /// Forwarding of the caller's agent.
    Agent,
    /// Forwarding of X11.
    X11,
}

impl Asked {
    /// What it is in one line of text: SQL, `METHOD uri` of a request, or the command line of SSH.
    #[must_use]
    pub fn line(kind: ResourceKind, text: &str) -> Self {
        match kind {
            ResourceKind::Postgres => Self::Sql(text.into()),
            ResourceKind::Http => Self::Http(AskedRequest::line(text)),
            ResourceKind::Kubernetes => Self::Kubernetes(AskedRequest::line(text)),
            ResourceKind::Ssh => Self::Ssh(AskedOfSsh::Exec { line: text.into(), terminal: false }),
        }
    }

    /// The kind of resource that is asked.
    #[must_use]
    pub fn kind(&self) -> ResourceKind {
        match self {
            Self::Sql(_) => ResourceKind::Postgres,
            Self::Http(_) => ResourceKind::Http,
            Self::Kubernetes(_) => ResourceKind::Kubernetes,
            Self::Ssh(_) => ResourceKind::Ssh,
        }
    }

    /// The command that it is.
    #[cfg(all(feature = "sql", feature = "http", feature = "kubernetes", feature = "ssh"))]
    #[must_use]
    pub fn command(&self) -> Command {
        match self {
            Self::Sql(text) => Command::sql(text),
            Self::Http(request) => request.message(Command::http),
            Self::Kubernetes(request) => request.message(Command::kubernetes),
            Self::Ssh(asked) => Command::ssh(&asked.borrowed()),
        }
    }
}

impl AskedRequest {
    /// A request without header fields and body: `METHOD uri`.
    #[must_use]
    pub fn line(text: &str) -> Self {
        let (method, uri) = text.split_once(' ').unwrap_or((text, ""));
        Self { method: method.into(), uri: uri.into(), ..Self::default() }
    }

    #[cfg(all(feature = "sql", feature = "http", feature = "kubernetes", feature = "ssh"))]
    fn message(&self, command: fn(&Message<'_>) -> Command) -> Command {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let body = self.body.as_ref().map(String::as_bytes);
        command(&Message { headers: &headers, body, ..Message::new(&self.method, &self.uri) })
    }
}

impl AskedOfSsh {
    fn borrowed(&self) -> ssh::Asked<'_> {
        match self {
            Self::Exec { line, terminal } => ssh::Asked::Exec { line, terminal: *terminal },
            Self::File { operation, path, to } => ssh::Asked::File { operation, path, to: to.as_deref() },
            Self::Forward { target } => ssh::Asked::Forward { target },
            Self::Shell => ssh::Asked::Shell,
            Self::Agent => ssh::Asked::Agent,
            Self::X11 => ssh::Asked::X11,
        }
    }
}

impl fmt::Display for Asked {
    /// As it would be written in a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(text) => f.write_str(text),
            Self::Http(request) | Self::Kubernetes(request) => write!(f, "{} {}", request.method, request.uri),
            Self::Ssh(asked) => f.write_str(&asked.borrowed().text()),
        }
    }
}

impl ssh::Asked<'_> {
    /// What is asked, in words.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Exec { line, .. } => (*line).into(),
            Self::File { operation, path, to: None } => format!("{operation} {path}"),
            Self::File { operation, path, to: Some(to) } => format!("{operation} {path} {to}"),
            Self::Forward { target } => format!("forward {target}"),
            Self::Shell => "shell".into(),
            Self::Agent => "agent".into(),
            Self::X11 => "x11".into(),
        }
    }
}
