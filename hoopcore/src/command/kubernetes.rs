//! What requests to a Kubernetes API server do: RBAC's verbs on resources and URLs.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use super::verb::verbs;

verbs! {
    /// RBAC's verbs, those of URLs that are no resources (`head`, `options`, `post`, `put`), and `exec`, `attach`,
    /// `portforward` and `proxy` as verbs of their own.
    pub enum Verb {
        Get = "get",
        List = "list",
        Watch = "watch",
        Create = "create",
        Update = "update",
        Patch = "patch",
        Delete = "delete",
        DeleteCollection = "deletecollection",
        Exec = "exec",
        Attach = "attach",
        PortForward = "portforward",
        Proxy = "proxy",
        Head = "head",
        Options = "options",
        Post = "post",
        Put = "put",
        Unknown = "unknown",
    }
}

/// What a request does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What is done.
    pub verb: Verb,
    /// To what.
    pub object: Object,
    /// What `exec` runs, where the request says so.
    pub command: Option<Box<[String]>>,
}

/// What is acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// One object or a collection of them.
    Resource(Resource),
    /// A path that is no resource: `/healthz`, `/version`, discovery.
    Url(Box<str>),
    /// Not known.
    Any,
}

/// One object of a resource, or a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural name of the resource, such as `pods`.
    pub resource: String,
    /// The part of the object that is acted on, such as `log`.
    pub subresource: Option<String>,
    /// The namespace; `None` stands for all of them, or for a resource that lives in none.
    pub namespace: Option<String>,
    /// The object's name; `None` stands for a collection, or for a name that only the body tells.
    pub name: Option<String>,
}

impl Effect {
    /// An effect on a resource.
    #[must_use]
    pub fn on(verb: Verb, resource: Resource) -> Self {
        Self { verb, object: Object::Resource(resource), command: None }
    }

    /// The effect of a request that could not be read.
    #[must_use]
    pub fn unknown() -> Self {
        Self { verb: Verb::Unknown, object: Object::Any, command: None }
    }
}

impl fmt::Display for Effect {
    /// The object; what is executed in it is not told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            Object::Resource(resource) => resource.fmt(f),
            Object::Url(path) => f.write_str(path),
            Object::Any => f.write_str("*"),
        }
    }
}

impl fmt::Display for Resource {
    /// `namespace/resource.group/subresource:name`, without what is not there; a collection has no name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(subresource) = &self.subresource {
            write!(f, "/{subresource}")?;
        }
        self.name.as_ref().map_or(Ok(()), |name| write!(f, ":{name}"))
    }
}
