//! What of SSH a rule matches: commands, paths, addresses.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::argv::ArgvPattern;
use super::{VerbSet, all_within};
use crate::command::Run;
use crate::command::ssh::{Effect, Object, Verb};
use crate::policy::pattern::Glob;
use crate::truth::Truth;

/// Effects that a rule matches.
#[derive(Clone, Debug)]
pub(crate) struct SshReach {
    pub(crate) verbs: VerbSet<Verb>,
    pub(crate) what: What,
}

/// What is acted on.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Everything,
    Commands(Commands),
    Paths(Box<[PathPattern]>),
    Addresses(Box<[AddressPattern]>),
}

/// Commands that a rule matches.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    pub(crate) patterns: Box<[ArgvPattern]>,
    /// Whether they may have a terminal.
    pub(crate) terminal: bool,
}

/// A pattern on paths: `*` within a segment, `/**` at the end for the path itself and any rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathPattern {
    segments: Box<[Glob]>,
    rest: bool,
}

/// A pattern on addresses: a host with `*` for any run of characters, and a port or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressPattern {
    host: Glob,
    port: Option<u16>,
}

impl SshReach {
    /// Whether it matches an effect.
    pub(crate) fn matches(&self, effect: &Effect) -> Truth {
        if !self.verbs.has(effect.verb) {
            return Truth::No;
        }
        match (&self.what, &effect.object) {
            (What::Everything, _) => Truth::Yes,
            (What::Commands(commands), Object::Run(run)) => commands.matches(run).into(),
            (What::Paths(patterns), Object::Path(path)) => {
                patterns.iter().fold(Truth::No, |truth, pattern| truth.or(pattern.matches(path)))
            }
            (What::Addresses(patterns), Object::Address { host, port }) => {
                patterns.iter().any(|pattern| pattern.matches(host, *port)).into()
            }
            (What::Commands(_) | What::Paths(_) | What::Addresses(_), Object::Any) => Truth::May,
            (What::Commands(_), Object::Path(_) | Object::Address { .. })
            | (What::Paths(_), Object::Run(_) | Object::Address { .. })
            | (What::Addresses(_), Object::Run(_) | Object::Path(_)) => Truth::No,
        }
    }
}

impl SshReach {
    /// Whether its effects are part of another's.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let what = match (&self.what, &other.what) {
            (_, What::Everything) => true,
            (What::Commands(some), What::Commands(others)) => some.is_within(others),
            (What::Paths(some), What::Paths(others)) => all_within(some, others, PathPattern::is_within),
            (What::Addresses(some), What::Addresses(others)) => all_within(some, others, AddressPattern::is_within),
            (_, What::Commands(_) | What::Paths(_) | What::Addresses(_)) => false,
        };
        what && self.verbs.is_within(other.verbs)
    }
}

impl Commands {
    fn is_within(&self, other: &Self) -> bool {
        (other.terminal || !self.terminal) && all_within(&self.patterns, &other.patterns, ArgvPattern::is_within)
    }

    fn matches(&self, run: &Run) -> bool {
        (self.terminal || !run.terminal) && self.patterns.iter().any(|pattern| pattern.matches(run))
    }
}

impl PathPattern {
    /// Reads a pattern; `Err` says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.strip_prefix('/').ok_or("a path begins with `/`; `/**` is every path")?;
        let (text, rest) = match text.strip_suffix("**") {
            Some("") => return Ok(Self { segments: Box::default(), rest: true }),
            Some(before) => (before.strip_suffix('/').ok_or("`**` is a segment of its own, the last one")?, true),
            None => (text, false),
        };
        if text.contains("**") {
            return Err("`**` is the last segment; `*` stands for anything within one");
        }
        if text.split('/').any(|segment| matches!(segment, "" | "." | "..")) && !text.is_empty() {
            return Err("its segments are names: no `.`, no `..`, none empty");
        }
        let segments: Vec<Glob> = text.split('/').filter(|segment| !segment.is_empty()).map(Glob::new).collect();
        Ok(Self { segments: segments.into(), rest })
    }

    fn is_within(&self, other: &Self) -> bool {
        let begins = self.segments.len() >= other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|(segment, wide)| segment.is_within(wide));
        begins && (other.rest || (!self.rest && self.segments.len() == other.segments.len()))
    }

    /// Whether a path matches as it is written. Where a relative one leads to is not known, nor one that climbs.
    pub(crate) fn matches(&self, path: &str) -> Truth {
        if self.segments.is_empty() && self.rest {
            return Truth::Yes;
        }
        let Some(absolute) = path.strip_prefix('/') else { return Truth::May };
        let absolute = absolute.strip_suffix('/').unwrap_or(absolute);
        if absolute.split('/').any(|segment| matches!(segment, "" | "." | "..")) && !absolute.is_empty() {
            return Truth::May;
        }
        let mut segments = absolute.split('/').filter(|segment| !segment.is_empty());
        let all = self.segments.iter().all(|glob| segments.next().is_some_and(|segment| glob.matches(segment)));
        (all && (self.rest || segments.next().is_none())).into()
    }
}

impl AddressPattern {
    /// Reads a pattern; `Err` says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (host, port) = text.rsplit_once(':').ok_or("write `host:port`, or `host:*` for any port")?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        if host.is_empty() || (bracketed.is_none() && host.contains(':')) {
            return Err("write `host:port`; an IPv6 address stands in brackets: `[::1]:22`");
        }
        let port = match port {
            "*" => None,
            port => {
                Some(port.parse().ok().filter(|port| *port != 0).ok_or("a port is a number from 1 to 65535, or `*`")?)
            }
        };
        Ok(Self { host: Glob::new(host.to_ascii_lowercase()), port })
    }

    fn is_within(&self, other: &Self) -> bool {
        self.host.is_within(&other.host) && (other.port.is_none() || self.port == other.port)
    }

    fn matches(&self, host: &str, port: u16) -> bool {
        self.host.matches(host) && self.port.is_none_or(|known| known == port)
    }
}
