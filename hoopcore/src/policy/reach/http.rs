//! Which requests to an HTTP API a rule matches: methods on path templates.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{VerbSet, all_within};
use crate::command::http::{Effect, Verb, canonical_segment};
use crate::truth::Truth;

/// Requests that a rule matches.
#[derive(Clone, Debug)]
pub(crate) struct HttpReach {
    pub(crate) verbs: VerbSet<Verb>,
    pub(crate) paths: Paths,
}

/// Paths that a rule matches.
#[derive(Clone, Debug)]
pub(crate) enum Paths {
    Every,
    OneOf(Box<[Template]>),
}

/// A pattern on paths: `/v1/orders/{id}`, `/static/**`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    segments: Box<[Segment]>,
    /// Whether any rest may follow, or none.
    rest: bool,
}

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    /// `{name}`: any one segment that is not empty.
    Any,
}

impl HttpReach {
    /// Whether it matches a request.
    pub(crate) fn matches(&self, effect: &Effect) -> Truth {
        if !self.verbs.has(effect.verb) {
            return Truth::No;
        }
        match (&self.paths, &effect.path) {
            (Paths::Every, _) => Truth::Yes,
            (Paths::OneOf(_), None) => Truth::May,
            (Paths::OneOf(templates), Some(path)) => {
                templates.iter().fold(Truth::No, |truth, template| truth.or(template.matches(path)))
            }
        }
    }
}

impl HttpReach {
    /// Whether its requests are part of another's.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let paths = match (&self.paths, &other.paths) {
            (_, Paths::Every) => true,
            (Paths::Every, Paths::OneOf(_)) => false,
            (Paths::OneOf(some), Paths::OneOf(others)) => all_within(some, others, Template::is_within),
        };
        paths && self.verbs.is_within(other.verbs)
    }
}

impl Template {
    fn is_within(&self, other: &Self) -> bool {
        let begins = self.segments.len() >= other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|(segment, wide)| segment.is_within(wide));
        begins && (other.rest || (!self.rest && self.segments.len() == other.segments.len()))
    }

    /// Reads a template; `Err` says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.strip_prefix('/').ok_or("a path begins with `/`")?;
        if text.contains(['?', '#']) {
            return Err("it is a path alone; names of the query are asked for with `when: { query: … }`");
        }
        let (text, rest) = match text.strip_suffix("**") {
            Some("") => return Ok(Self { segments: Box::default(), rest: true }),
            Some(before) => (before.strip_suffix('/').ok_or("`**` is a segment of its own, the last one")?, true),
            None => (text, false),
        };
        let segments: Result<Vec<_>, _> = text.split('/').map(Segment::parse).collect();
        let segments = segments?;
        let is_empty = |segment: &Segment| matches!(segment, Segment::Literal(text) if text.is_empty());
        let inner = if rest { segments.as_slice() } else { segments.split_last().map_or(&[][..], |(_, inner)| inner) };
        if inner.iter().any(is_empty) {
            return Err("a segment of it is empty");
        }
        Ok(Self { segments: segments.into(), rest })
    }

    /// Whether a canonical path matches. Where it differs in the case of letters or in a slash at its end alone, the
    /// server may take it for the same.
    fn matches(&self, path: &str) -> Truth {
        let path = path.strip_prefix('/').unwrap_or(path);
        let mut left = Some(path);
        let mut truth = Truth::Yes;
        for segment in &self.segments {
            let Some(text) = left else { return segment.is_end().and(truth) };
            let (first, after) = text.split_once('/').map_or((text, None), |(first, after)| (first, Some(after)));
            truth = truth.and(segment.matches(first));
            if truth == Truth::No {
                return Truth::No;
            }
            left = after;
        }
        match left {
            _ if self.rest => truth,
            None => truth,
            Some("") => truth.and(Truth::May),
            Some(_) => Truth::No,
        }
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let variable = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        match variable {
            Some(name) if !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') => {
                Ok(Self::Any)
            }
            Some(_) => Err("a segment `{name}` has a name of letters, digits and `_`"),
            None if text.contains(['{', '}', '*']) => {
                Err("write `{name}` for one whole segment, and `/**` at the end for any rest")
            }
            None if text.is_empty() => Ok(Self::Literal(Box::default())),
            None => canonical_segment(text).map(|text| Self::Literal(text.into_boxed_str())),
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(text), Self::Any) => !text.is_empty(),
            (segment, other) => segment == other,
        }
    }

    fn matches(&self, segment: &str) -> Truth {
        match self {
            Self::Any => (!segment.is_empty()).into(),
            Self::Literal(text) if **text == *segment => Truth::Yes,
            Self::Literal(text) if text.eq_ignore_ascii_case(segment) => Truth::May,
            Self::Literal(_) => Truth::No,
        }
    }

    /// Whether the path may have ended before it: `/v1/` for `/v1`.
    fn is_end(&self) -> Truth {
        match self {
            Self::Literal(text) if text.is_empty() => Truth::May,
            Self::Literal(_) | Self::Any => Truth::No,
        }
    }
}
