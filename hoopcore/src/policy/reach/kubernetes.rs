//! Which requests to a Kubernetes API server a rule matches, in the words of RBAC.

use alloc::boxed::Box;
use alloc::string::String;

use super::argv::ArgvPattern;
use super::{VerbSet, all_within};
use crate::command::kubernetes::{Effect, Object, Resource, Verb, is_cluster_scoped};
use crate::policy::pattern::Glob;
use crate::truth::Truth;

/// Requests that a rule matches.
#[derive(Clone, Debug)]
pub(crate) struct KubernetesReach {
    pub(crate) verbs: VerbSet<Verb>,
    pub(crate) what: What,
}

/// What requests act on.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Everything,
    Objects(Box<Objects>),
    Urls(Box<[UrlPattern]>),
}

/// Objects of resources; what is `None` is not limited.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    pub(crate) resources: Box<[ResourcePattern]>,
    pub(crate) namespaces: Option<Box<[Glob]>>,
    pub(crate) names: Option<Box<[Glob]>>,
    pub(crate) command: Option<Box<[ArgvPattern]>>,
    /// Whether what is executed may have a terminal.
    pub(crate) terminal: bool,
}

/// A pattern on resources: `pods`, `pods/log`, `deployments.apps`, `*.apps`, `*/scale`, `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourcePattern {
    resource: Glob,
    group: Glob,
    subresource: Subresource,
}

/// The part of a resource's objects that is acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subresource {
    /// The objects themselves.
    None,
    /// The objects, or any part of them.
    All,
    Named(Glob),
}

/// A pattern on paths: the whole one, or its beginning and `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UrlPattern {
    beginning: String,
    is_whole: bool,
}

impl KubernetesReach {
    /// Whether it matches a request.
    pub(crate) fn matches(&self, effect: &Effect) -> Truth {
        if !self.verbs.has(effect.verb) {
            return Truth::No;
        }
        match (&self.what, &effect.object) {
            (What::Everything, _) => Truth::Yes,
            (What::Objects(_) | What::Urls(_), Object::Any) => Truth::May,
            (What::Objects(objects), Object::Resource(resource)) => {
                objects.matches(resource).and(objects.matches_command(effect))
            }
            (What::Urls(patterns), Object::Url(path)) => patterns.iter().any(|pattern| pattern.matches(path)).into(),
            (What::Objects(_), Object::Url(_)) | (What::Urls(_), Object::Resource(_)) => Truth::No,
        }
    }
}

impl KubernetesReach {
    /// Whether its requests are part of another's.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let what = match (&self.what, &other.what) {
            (_, What::Everything) => true,
            (What::Objects(some), What::Objects(others)) => some.is_within(others),
            (What::Urls(some), What::Urls(others)) => all_within(some, others, UrlPattern::is_within),
            (What::Everything | What::Objects(_) | What::Urls(_), What::Objects(_) | What::Urls(_)) => false,
        };
        what && self.verbs.is_within(other.verbs)
    }
}

impl Objects {
    fn is_within(&self, other: &Self) -> bool {
        all_within(&self.resources, &other.resources, ResourcePattern::is_within)
            && is_part(self.namespaces.as_deref(), other.namespaces.as_deref(), Glob::is_within)
            && is_part(self.names.as_deref(), other.names.as_deref(), Glob::is_within)
            && is_part(self.command.as_deref(), other.command.as_deref(), ArgvPattern::is_within)
            && (other.command.is_none() || other.terminal || !self.terminal)
    }

    fn matches(&self, resource: &Resource) -> Truth {
        let is_named = self.resources.iter().any(|pattern| pattern.matches(resource));
        Truth::from(is_named).and(self.matches_namespace(resource)).and(self.matches_name(resource))
    }

    /// Without a namespace it is about all of them, or about what lives in none.
    fn matches_namespace(&self, resource: &Resource) -> Truth {
        match (&self.namespaces, &resource.namespace) {
            (None, _) => Truth::Yes,
            (Some(globs), Some(namespace)) => globs.iter().any(|glob| glob.matches(namespace)).into(),
            (Some(globs), None) if globs.iter().any(Glob::is_every) => Truth::Yes,
            (Some(_), None) if is_cluster_scoped(resource) => Truth::No,
            (Some(_), None) => Truth::May,
        }
    }

    /// A collection may hold the named object, and it may be the one that is created; it is never that alone.
    fn matches_name(&self, resource: &Resource) -> Truth {
        match (&self.names, &resource.name) {
            (None, _) => Truth::Yes,
            (Some(globs), Some(name)) => globs.iter().any(|glob| glob.matches(name)).into(),
            (Some(_), None) => Truth::May,
        }
    }

    fn matches_command(&self, effect: &Effect) -> Truth {
        match (&self.command, &effect.command) {
            (None, _) => Truth::Yes,
            (Some(patterns), Some(run)) => {
                let is_matched = patterns.iter().any(|pattern| pattern.matches(run));
                (is_matched && (self.terminal || !run.terminal)).into()
            }
            // It goes into whatever runs there already.
            (Some(_), None) if effect.verb == Verb::Attach => Truth::May,
            (Some(_), None) => Truth::No,
        }
    }
}

/// Whether patterns are part of others, where none given is no limit.
fn is_part<T>(some: Option<&[T]>, others: Option<&[T]>, is_within: impl Fn(&T, &T) -> bool) -> bool {
    others.is_none_or(|others| some.is_some_and(|some| all_within(some, others, is_within)))
}

impl ResourcePattern {
    /// Reads a pattern; `Err` says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self { resource: Glob::every(), group: Glob::every(), subresource: Subresource::All });
        }
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '/' | '*');
        if !text.chars().all(is_plain) {
            return Err("a resource is written in lower case: `pods`, `pods/log`, `deployments.apps`");
        }
        let (name, subresource) = text.split_once('/').map_or((text, None), |(name, sub)| (name, Some(sub)));
        let (resource, group) = name.split_once('.').map_or((name, None), |(resource, group)| (resource, Some(group)));
        if [Some(resource), group, subresource].contains(&Some("")) || subresource.is_some_and(|sub| sub.contains('/'))
        {
            return Err("write `resource`, `resource.group` or `resource.group/subresource`");
        }
        let any_group = group.is_none() && resource == "*";
        Ok(Self {
            resource: Glob::new(resource),
            group: if any_group { Glob::every() } else { Glob::new(group.unwrap_or_default()) },
            subresource: match subresource {
                Some(sub) => Subresource::Named(Glob::new(sub)),
                None if resource == "*" => Subresource::All,
                None => Subresource::None,
            },
        })
    }

    /// Whether every resource matches.
    pub(crate) fn is_every(&self) -> bool {
        self.resource.is_every() && self.group.is_every() && self.subresource == Subresource::All
    }

    fn is_within(&self, other: &Self) -> bool {
        let part = match (&self.subresource, &other.subresource) {
            (_, Subresource::All) => true,
            (Subresource::Named(part), Subresource::Named(wide)) => part.is_within(wide),
            (part, wide) => part == wide,
        };
        part && self.resource.is_within(&other.resource) && self.group.is_within(&other.group)
    }

    fn matches(&self, resource: &Resource) -> bool {
        let part = match (&self.subresource, &resource.subresource) {
            (Subresource::All, _) | (Subresource::None, None) => true,
            (Subresource::Named(glob), Some(sub)) => glob.matches(sub),
            (Subresource::None, Some(_)) | (Subresource::Named(_), None) => false,
        };
        part && self.resource.matches(&resource.resource) && self.group.matches(&resource.group)
    }
}

impl UrlPattern {
    /// Reads a pattern; `Err` says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (beginning, is_whole) = text.strip_suffix('*').map_or((text, true), |beginning| (beginning, false));
        if beginning.contains('*') {
            return Err("`*` stands at the end alone, as in RBAC");
        }
        if !beginning.starts_with('/') && (is_whole || !beginning.is_empty()) {
            return Err("a path begins with `/`");
        }
        Ok(Self { beginning: beginning.into(), is_whole })
    }

    fn is_within(&self, other: &Self) -> bool {
        self == other || (!other.is_whole && self.beginning.starts_with(&other.beginning))
    }

    fn matches(&self, path: &str) -> bool {
        if self.is_whole { path == self.beginning } else { path.starts_with(&self.beginning) }
    }
}
