//! What stands after `http:`, `kubernetes:` and `ssh:`.

use alloc::vec::Vec;

use super::policy::{SET, TEXTS, all_verbs};
use super::{Key, Map, Shape, Word};
use crate::command::{http, kubernetes, ssh};

/// Methods, alone or in a list for every path, or in a map to the paths.
pub(super) const HTTP: Shape =
    Shape::AnyOf(&[Shape::OneOrMore(&Shape::AnyOf(&[Shape::Word(methods), SET])), Shape::Words(methods, &TEXTS)]);
/// Verbs for everything, or maps in the words of RBAC.
pub(super) const KUBERNETES: Shape =
    Shape::OneOrMore(&Shape::AnyOf(&[Shape::Word(kubernetes_verbs), SET, Shape::Map(&KUBERNETES_RULE)]));
/// Verbs for everything, or a map to what each is done to.
pub(super) const SSH: Shape =
    Shape::AnyOf(&[Shape::OneOrMore(&Shape::AnyOf(&[Shape::Word(ssh_verbs), SET])), Shape::Map(&SSH_RULE)]);
/// A request of a case.
pub(super) const REQUEST: Shape = Shape::AnyOf(&[Shape::Text, Shape::Map(&REQUEST_KEYS)]);
/// What a case asks of an SSH server.
pub(super) const OF_SSH: Shape = Shape::AnyOf(&[Shape::Text, Shape::Map(&OF_SSH_KEYS)]);
const FLAG: Shape = Shape::Word(|| [Word::new("true", "It is so.")].into());

pub(in crate::policy) static KUBERNETES_RULE: Map = Map {
    name: "kubernetes",
    noun: "`kubernetes`",
    about: "Requests to a Kubernetes API server, in the words of RBAC. It names `resources` or `nonResourceURLs`, one of them.",
    keys: &[
        Key::required(
            "verbs",
            Shape::OneOrMore(&Shape::AnyOf(&[Shape::Word(kubernetes_verbs), SET])),
            "What is done.",
            "say what is done: `verbs: [get, list, watch]`",
        ),
        Key::optional(
            "resources",
            TEXTS,
            "To what: `pods`, `pods/log`, `deployments.apps` (with its group), `*.apps`, `*/scale`, `*`.",
        ),
        Key::optional(
            "namespaces",
            TEXTS,
            "In which namespaces. A request for all namespaces is about each of them. Every one where left out.",
        ),
        Key::optional("names", TEXTS, "Names of single objects; never a collection. Every object where left out."),
        Key::optional("nonResourceURLs", TEXTS, "Paths that are no resources: `/healthz`, `/openapi/*`."),
        Key::optional(
            "command",
            TEXTS,
            "Patterns on what `exec` runs, as of SSH: `*` one word, `**` any rest, `{a,b}` either.",
        ),
        Key::optional("pty", FLAG, "Whether what `exec` runs may have a terminal."),
    ],
    choice: &[],
};

pub(in crate::policy) static SSH_RULE: Map = Map {
    name: "ssh",
    noun: "`ssh`",
    about: "Commands, files, tunnels and sessions of SSH.",
    keys: &[
        Key::optional(
            "run",
            TEXTS,
            "Patterns on the words of each command: `*` one word, `**` any rest, `{a,b}` either. In an allow or approve no wildcard matches a word that begins with `-`.",
        ),
        Key::optional("pty", FLAG, "Whether what is run may have a terminal."),
        Key::optional("read", TEXTS, "Paths that are read: `/var/log/**`, `/etc/hosts`."),
        Key::optional("write", TEXTS, "Paths that are written, made, renamed or removed."),
        Key::optional("forward", TEXTS, "Addresses that connections are forwarded to: `db.internal:5432`, `*:443`."),
        Key::optional("shell", FLAG, "An interactive session."),
        Key::optional("agent", FLAG, "Forwarding of the caller's agent."),
        Key::optional("x11", FLAG, "Forwarding of X11."),
        Key::optional("unknown", FLAG, "What hoop could not read. No `*` of an allow or approve includes it."),
    ],
    choice: &[],
};

pub(in crate::policy) static REQUEST_KEYS: Map = Map {
    name: "request",
    noun: "a request",
    about: "A request of HTTP, as it comes on the wire.",
    keys: &[
        Key::required("method", Shape::Text, "Its method.", "name its method: `method: GET`"),
        Key::required("uri", Shape::Text, "Its path and query.", "name its path: `uri: /v1/orders?limit=3`"),
        Key::optional("headers", Shape::Names(&Shape::Text), "Its header fields."),
        Key::optional("body", Shape::Text, "Its body, as text."),
    ],
    choice: &[],
};

pub(in crate::policy) static OF_SSH_KEYS: Map = Map {
    name: "ssh_request",
    noun: "what is asked of SSH",
    about: "One thing that is asked of an SSH server.",
    keys: &[
        Key::optional("exec", Shape::Text, "A command line."),
        Key::optional("pty", FLAG, "Whether it gets a terminal."),
        Key::optional("sftp", Shape::Text, "An operation on a file: read, write, stat, rename, …"),
        Key::optional("path", Shape::Text, "The path of the operation."),
        Key::optional("to", Shape::Text, "The other path of the operation, where it has two."),
        Key::optional("forward", Shape::Text, "Where a connection is forwarded to: `db.internal:5432`."),
        Key::optional("shell", FLAG, "An interactive session."),
        Key::optional("agent", FLAG, "Forwarding of the caller's agent."),
        Key::optional("x11", FLAG, "Forwarding of X11."),
    ],
    choice: &["exec", "sftp", "forward", "shell", "agent", "x11"],
};

fn methods() -> Vec<Word> {
    let groups = [Word::new("read", "GET, HEAD and OPTIONS."), Word::new("write", "POST, PUT, PATCH and DELETE.")];
    groups
        .into_iter()
        .chain(all_verbs(http::Verb::ALL.into_iter().map(|verb| Word::new(verb.word(), of_http(verb)))))
        .collect()
}

fn of_http(verb: http::Verb) -> &'static str {
    match verb {
        http::Verb::Get => "GET.",
        http::Verb::Head => "HEAD.",
        http::Verb::Options => "OPTIONS.",
        http::Verb::Post => "POST.",
        http::Verb::Put => "PUT.",
        http::Verb::Patch => "PATCH.",
        http::Verb::Delete => "DELETE.",
        http::Verb::Unknown => "A request that hoop could not read. No `*` of an allow or approve includes it.",
    }
}

fn kubernetes_verbs() -> Vec<Word> {
    all_verbs(kubernetes::Verb::ALL.into_iter().map(|verb| Word::new(verb.word(), of_kubernetes(verb))))
}

fn of_kubernetes(verb: kubernetes::Verb) -> &'static str {
    match verb {
        kubernetes::Verb::Get => "Reading one object, a log, a path.",
        kubernetes::Verb::List => "Reading a collection.",
        kubernetes::Verb::Watch => "Following the changes of a collection or of one object.",
        kubernetes::Verb::Create => "Creating an object.",
        kubernetes::Verb::Update => "Replacing an object.",
        kubernetes::Verb::Patch => "Changing parts of an object.",
        kubernetes::Verb::Delete => "Deleting one object.",
        kubernetes::Verb::DeleteCollection => "Deleting a collection.",
        kubernetes::Verb::Exec => "Running a command in a container, whatever the method of the request.",
        kubernetes::Verb::Attach => "Attaching to what runs in a container.",
        kubernetes::Verb::PortForward => "Forwarding ports of a pod.",
        kubernetes::Verb::Proxy => "Sending requests to a pod, service or node through the API server.",
        kubernetes::Verb::Head => "HEAD on a path that is no resource.",
        kubernetes::Verb::Options => "OPTIONS on a path that is no resource.",
        kubernetes::Verb::Post => "POST to a path that is no resource.",
        kubernetes::Verb::Put => "PUT on a path that is no resource.",
        kubernetes::Verb::Unknown => "A request that hoop could not read. No `*` of an allow or approve includes it.",
    }
}

fn ssh_verbs() -> Vec<Word> {
    all_verbs(ssh::Verb::ALL.into_iter().map(|verb| Word::new(verb.word(), of_ssh(verb))))
}

fn of_ssh(verb: ssh::Verb) -> &'static str {
    match verb {
        ssh::Verb::Run => "Running any command, but no options: name those.",
        ssh::Verb::Read => "Reading any path.",
        ssh::Verb::Write => "Writing any path.",
        ssh::Verb::Forward => "Forwarding connections to any address.",
        ssh::Verb::Shell => "An interactive session.",
        ssh::Verb::Agent => "Forwarding of the caller's agent.",
        ssh::Verb::X11 => "Forwarding of X11.",
        ssh::Verb::Unknown => "What hoop could not read. No `*` of an allow or approve includes it.",
    }
}
