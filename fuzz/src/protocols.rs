//! Requests of HTTP and Kubernetes, and command lines of SSH.

use hoopcore::command::ssh::{self, Asked, Object};
use hoopcore::command::{Effects, Message, Run, http};
use hoopcore::{Command, Coverage};

/// A request as it stands in a message of HTTP/1.1, whole.
struct Request<'a> {
    method: &'a str,
    uri: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn read(text: &'a str) -> Self {
        let (head, body) = text.split_once("\n\n").map_or((text, None), |(head, body)| (head, Some(body.as_bytes())));
        let mut lines = head.split('\n');
        let (method, uri) = lines.next().and_then(|line| line.split_once(' ')).unwrap_or_default();
        let headers = lines.filter_map(|line| line.split_once(": ")).collect();
        Self { method, uri, headers, body }
    }

    fn message(&self) -> Message<'_> {
        Message { headers: &self.headers, body: self.body, ..Message::new(self.method, self.uri) }
    }
}

/// Requests: what is not understood says so, and the canonical path is canonical.
pub(super) fn requests(text: &str) {
    let request = Request::read(text);
    let command = Command::http(&request.message());
    says_what_it_could_not_read(&command);
    paths(&command).into_iter().for_each(canonical);
    says_what_it_could_not_read(&Command::kubernetes(&request.message()));
}

fn says_what_it_could_not_read(command: &Command) {
    let effects = command.effects();
    let unknown = effects.iter().any(hoopcore::command::Effect::is_unknown);
    assert!(!effects.is_empty(), "a request does something");
    assert_eq!(unknown, command.coverage() != Coverage::Full, "what is not understood bears the verb `unknown`");
}

fn paths(command: &Command) -> Vec<&http::Effect> {
    match command.what() {
        Effects::Http(effects) => effects.iter().filter(|effect| effect.path.is_some()).collect(),
        Effects::Sql(_) | Effects::Kubernetes(_) | Effects::Ssh(_) => Vec::new(),
    }
}

/// A canonical path has no part that a server could read otherwise, and stays as it is when it is read again.
fn canonical(effect: &http::Effect) {
    let path = effect.path.as_deref().unwrap_or_default();
    assert!(path.starts_with('/') && !path.contains("//"), "`{path}`");
    assert!(!path.split('/').any(|segment| segment == "." || segment == ".."), "`{path}` climbs");
    let again = Command::http(&Message::new(effect.verb.word(), path));
    assert_eq!(paths(&again).first().and_then(|again| again.path.as_deref()), Some(path));
}

/// Command lines: what is not understood says so; the words of each command, all quoted, are the same words.
pub(super) fn shell(line: &str) {
    let command = Command::ssh(&Asked::Exec { line, terminal: false });
    let unknown = command.effects().iter().any(hoopcore::command::Effect::is_unknown);
    assert_eq!(unknown, command.coverage() != Coverage::Full, "what is not understood bears the verb `unknown`");
    for run in runs(&command) {
        let quoted: Vec<String> = run.argv.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
        let again = Command::ssh(&Asked::Exec { line: &quoted.join(" "), terminal: false });
        assert_eq!(runs(&again), [run], "of {quoted:?}");
    }
}

fn runs(command: &Command) -> Vec<&Run> {
    let Effects::Ssh(effects) = command.what() else { return Vec::new() };
    effects.iter().filter_map(run).collect()
}

fn run(effect: &ssh::Effect) -> Option<&Run> {
    match &effect.object {
        Object::Run(run) => Some(run),
        Object::Path(_) | Object::Address { .. } | Object::Any => None,
    }
}
