//! What HTTP requests do: a method on a path, with the facts that rules may ask for.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use super::verb::verbs;

verbs! {
    /// A request's method: the words of `http:` in a policy. Any other method is not understood.
    pub enum Verb {
        Get = "GET",
        Head = "HEAD",
        Options = "OPTIONS",
        Post = "POST",
        Put = "PUT",
        Patch = "PATCH",
        Delete = "DELETE",
        Unknown = "unknown",
    }
}

/// What a request does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Its method.
    pub verb: Verb,
    /// The canonical path that is forwarded, without its query: no `.` or `..`, no empty segment, nothing escaped that
    /// could stand for a separator. `None` where the request was not understood.
    pub path: Option<Box<str>>,
    /// The names of its query parameters, decoded.
    pub query: Box<[String]>,
    /// The media type of its body in lower case, without parameters; `None` where it has none.
    pub media: Option<Box<str>>,
}

impl Effect {
    /// A request without query and body.
    pub fn new(verb: Verb, path: impl Into<Box<str>>) -> Self {
        Self { verb, path: Some(path.into()), query: Box::default(), media: None }
    }

    /// The effect of a request that could not be read.
    #[must_use]
    pub fn unknown() -> Self {
        Self { verb: Verb::Unknown, path: None, query: Box::default(), media: None }
    }
}

impl fmt::Display for Effect {
    /// The path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path.as_deref().unwrap_or("*"))
    }
}
