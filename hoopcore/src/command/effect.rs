//! One effect of a command, whatever its protocol.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;

use super::verb::Verbs;
use super::{Statement, http, kubernetes, sql, ssh};

/// What a command does, by its protocol.
#[derive(Clone, Debug)]
pub enum Effects {
    /// Statements, in order.
    Sql(Box<[Statement]>),
    /// A request to an HTTP API.
    Http(Box<[http::Effect]>),
    /// A request to a Kubernetes API server.
    Kubernetes(Box<[kubernetes::Effect]>),
    /// A command line, a file operation or a channel of SSH.
    Ssh(Box<[ssh::Effect]>),
}

/// One thing that a command does to one object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect<'a> {
    /// Of a statement.
    Sql(&'a sql::Effect),
    /// Of a request to an HTTP API.
    Http(&'a http::Effect),
    /// Of a request to a Kubernetes API server.
    Kubernetes(&'a kubernetes::Effect),
    /// Of a command line, a file operation or a channel of SSH.
    Ssh(&'a ssh::Effect),
}

impl Effect<'_> {
    /// The verb in the policy's words.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Sql(effect) => effect.verb.word(),
            Self::Http(effect) => effect.verb.word(),
            Self::Kubernetes(effect) => effect.verb.word(),
            Self::Ssh(effect) => effect.verb.word(),
        }
    }

    /// Whether it stands for what an analysis could not read.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        fn is<V: Verbs>(verb: V) -> bool {
            verb == V::UNKNOWN
        }
        match self {
            Self::Sql(effect) => is(effect.verb),
            Self::Http(effect) => is(effect.verb),
            Self::Kubernetes(effect) => is(effect.verb),
            Self::Ssh(effect) => is(effect.verb),
        }
    }
}

impl fmt::Display for Effect<'_> {
    /// The object as it stands in the command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(effect) => effect.object.fmt(f),
            Self::Http(effect) => effect.fmt(f),
            Self::Kubernetes(effect) => effect.fmt(f),
            Self::Ssh(effect) => effect.fmt(f),
        }
    }
}

/// Whether the effects listed are all that a statement has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All of it was understood.
    Full,
    /// Something was not; in words for the reader of a record.
    Partial(Cow<'static, str>),
}
