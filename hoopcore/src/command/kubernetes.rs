//! What requests to a Kubernetes API server do: RBAC's verbs on resources and URLs.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use super::Run;
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
    pub command: Option<Run>,
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

/// Built-in resources that live in no namespace, by group.
const CLUSTER_SCOPED: [(&str, &[&str]); 12] = [
    ("", &["componentstatuses", "nodes", "persistentvolumes"]),
    (
        "admissionregistration.k8s.io",
        &[
            "mutatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "validatingwebhookconfigurations",
        ],
    ),
    ("apiextensions.k8s.io", &["customresourcedefinitions"]),
    ("apiregistration.k8s.io", &["apiservices"]),
    ("authentication.k8s.io", &["selfsubjectreviews", "tokenreviews"]),
    ("authorization.k8s.io", &["selfsubjectaccessreviews", "selfsubjectrulesreviews", "subjectaccessreviews"]),
    ("certificates.k8s.io", &["certificatesigningrequests", "clustertrustbundles"]),
    ("flowcontrol.apiserver.k8s.io", &["flowschemas", "prioritylevelconfigurations"]),
    ("networking.k8s.io", &["ingressclasses", "ipaddresses", "servicecidrs"]),
    ("rbac.authorization.k8s.io", &["clusterrolebindings", "clusterroles"]),
    ("scheduling.k8s.io", &["priorityclasses"]),
    ("storage.k8s.io", &["csidrivers", "csinodes", "storageclasses", "volumeattachments"]),
];

/// Whether a resource is a built-in one that lives in no namespace. Of others that is not known.
pub(crate) fn is_cluster_scoped(resource: &Resource) -> bool {
    let in_group = |(group, names): &(&str, &[&str])| *group == resource.group && names.contains(&&*resource.resource);
    CLUSTER_SCOPED.iter().any(in_group)
}

/// The group that a built-in resource lives in, where it is not the core group.
#[cfg(feature = "yaml")]
pub(crate) fn group_of(resource: &str) -> Option<&'static str> {
    let in_namespaces = [
        ("apps", &["controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"][..]),
        ("autoscaling", &["horizontalpodautoscalers"]),
        ("batch", &["cronjobs", "jobs"]),
        ("coordination.k8s.io", &["leases"]),
        ("discovery.k8s.io", &["endpointslices"]),
        ("networking.k8s.io", &["ingresses", "networkpolicies"]),
        ("policy", &["poddisruptionbudgets"]),
        ("rbac.authorization.k8s.io", &["rolebindings", "roles"]),
    ];
    let all = in_namespaces.into_iter().chain(CLUSTER_SCOPED);
    all.into_iter().find(|(group, names)| !group.is_empty() && names.contains(&resource)).map(|(group, _)| group)
}
