//! Effects as text, so that verdicts are tested without any analysis of statements.

use std::collections::BTreeSet;

use hoopcore::command::sql::{Columns, Duty, Effect, Object, Verb};
use hoopcore::command::{Change, Effects, PathChange, Run, Statement, Verbs, http, kubernetes, ssh};
use hoopcore::{Command, Coverage, QualifiedName, Truth};

/// The command that a line like `read public.orders(id, email); update orders unbounded` describes: effects are
/// parted by `;`, statements by `;;`.
///
/// Effects of another protocol begin with its name: `http GET /v1/orders query=a media=text/plain`,
/// `kubernetes exec shop/pods.apps/exec:web -- ls -l`, `ssh run ls -l`, `ssh read /etc/hosts`.
pub(crate) fn command(text: &str) -> Command {
    let of = |protocol: &str| -> Option<Vec<String>> {
        let words = |effect: &str| effect.trim().strip_prefix(protocol)?.strip_prefix(' ').map(String::from);
        text.split(';').map(words).collect()
    };
    let effects = if let Some(effects) = of("http") {
        Effects::Http(effects.iter().map(|effect| http(effect)).collect())
    } else if let Some(effects) = of("kubernetes") {
        Effects::Kubernetes(effects.iter().map(|effect| kubernetes(effect)).collect())
    } else if let Some(effects) = of("ssh") {
        Effects::Ssh(effects.iter().map(|effect| ssh(effect)).collect())
    } else {
        return sql(text);
    };
    Command::of(text, "canonical".into(), effects, Coverage::Full)
}

fn verb<V: Verbs>(word: &str) -> V {
    *V::ALL.iter().find(|known| known.word() == word).unwrap_or_else(|| panic!("verb `{word}`"))
}

fn http(text: &str) -> http::Effect {
    let mut words = text.split(' ');
    let mut effect = http::Effect { verb: verb(words.next().unwrap()), ..http::Effect::unknown() };
    for word in words {
        match word.split_once('=') {
            Some(("query", names)) => effect.query = names.split(',').map(String::from).collect(),
            Some(("media", media)) => effect.media = Some(media.into()),
            _ => effect.path = Some(word.into()),
        }
    }
    effect
}

/// `verb namespace/resource.group/subresource:name -- command`, or `verb /path`.
fn kubernetes(text: &str) -> kubernetes::Effect {
    let (head, run) = text.split_once(" -- ").map_or((text, None), |(head, run)| (head, Some(run)));
    let (word, object) = head.split_once(' ').unwrap_or((head, ""));
    let object = match object {
        "" => kubernetes::Object::Any,
        path if path.starts_with('/') => kubernetes::Object::Url(path.into()),
        resource => kubernetes::Object::Resource(kubernetes_resource(resource)),
    };
    kubernetes::Effect { verb: verb(word), object, command: run.map(run_of) }
}

fn kubernetes_resource(text: &str) -> kubernetes::Resource {
    let (path, name) = text.split_once(':').map_or((text, None), |(path, name)| (path, Some(name)));
    let parts: Vec<&str> = path.split('/').collect();
    let (namespace, resource, subresource) = match parts.as_slice() {
        [resource] => (None, *resource, None),
        ["*", resource, sub] => (None, *resource, Some(*sub)),
        [namespace, resource] => (Some(*namespace), *resource, None),
        [namespace, resource, sub] => (Some(*namespace), *resource, Some(*sub)),
        _ => panic!("resource `{text}`"),
    };
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let own = |text: Option<&str>| text.map(String::from);
    kubernetes::Resource {
        group: group.into(),
        resource: resource.into(),
        subresource: own(subresource),
        namespace: own(namespace),
        name: own(name),
    }
}

/// Words, after `pty` or `opaque` where they hold.
fn run_of(text: &str) -> Run {
    let mut words = text.split(' ').peekable();
    let terminal = words.next_if_eq(&"pty").is_some();
    let opaque = words.next_if_eq(&"opaque").is_some();
    Run { terminal, opaque, ..Run::new(words) }
}

fn ssh(text: &str) -> ssh::Effect {
    let (word, object) = text.split_once(' ').unwrap_or((text, ""));
    let verb: ssh::Verb = verb(word);
    let object = match verb {
        _ if object.is_empty() => ssh::Object::Any,
        ssh::Verb::Run => ssh::Object::Run(run_of(object)),
        ssh::Verb::Read | ssh::Verb::Write => ssh::Object::Path(object.into()),
        ssh::Verb::Forward => {
            let (host, port) = object.rsplit_once(':').unwrap();
            ssh::Object::Address { host: host.into(), port: port.parse().unwrap() }
        }
        ssh::Verb::Shell | ssh::Verb::Agent | ssh::Verb::X11 | ssh::Verb::Unknown => ssh::Object::Any,
    };
    ssh::Effect { verb, object }
}

fn sql(text: &str) -> Command {
    let statements = text.split(";;").map(str::trim).filter(|statement| !statement.is_empty());
    let statements: Vec<Statement> = statements.map(statement).collect();
    Command::analysed(text, "canonical".into(), statements.into())
}

fn statement(text: &str) -> Statement {
    if let Some(path) = text.strip_prefix("path ") {
        let schemas = path.split(',').map(|schema| schema.trim().to_string()).collect();
        let change = Change::Path(PathChange::To(schemas));
        return Statement { effects: Box::default(), coverage: Coverage::Full, change };
    }
    let effects: Vec<Effect> = text.split(';').map(|text| effect(text.trim())).collect();
    let unknown = effects.iter().any(|effect| effect.verb == Verb::Unknown);
    let coverage = if unknown { Coverage::Partial("gibberish".into()) } else { Coverage::Full };
    Statement { effects: effects.into(), coverage, change: Change::Nothing }
}

/// One effect: `verb object(columns) !inferred ~compared flags…`.
fn effect(text: &str) -> Effect {
    let mut words = text.split_whitespace();
    let verb = words.next().expect("a verb");
    let verb = *Verb::ALL.iter().find(|known| known.word() == verb).unwrap_or_else(|| panic!("verb of `{text}`"));
    let mut effect = if verb == Verb::Unknown { Effect::unknown() } else { Effect::new(verb, Object::Any) };
    for word in words {
        match word {
            "unbounded" => effect.facts.unbounded = Truth::Yes,
            "perhaps-unbounded" => effect.facts.unbounded = Truth::May,
            "copy" => effect.facts.copy = true,
            "code" => effect.facts.code = true,
            "harmless" => effect.duty = Duty::Harmless,
            "shadowable" => effect.duty = Duty::HarmlessUnlessShadowed,
            word if word.starts_with('!') => effect.facts.inferred = columns(&word[1..]),
            word if word.starts_with('~') => effect.facts.compared = columns(&word[1..]),
            word => (effect.object, effect.facts.columns) = object(word, verb),
        }
    }
    effect.facts.returned = effect.facts.columns.clone();
    effect.facts.stored = effect.facts.columns.clone();
    effect
}

fn object(word: &str, verb: Verb) -> (Object, Columns) {
    let (name, list) = match word.split_once('(') {
        Some((name, list)) => (name, columns(list.trim_end_matches(')'))),
        None => (word, Columns::none()),
    };
    let object = match (name.split_once(':'), verb) {
        (Some(("prepared", name)), _) => Object::Prepared(name.into()),
        (Some(("cursor", name)), _) => Object::Cursor(name.into()),
        (Some(("schema", name)), _) => Object::Schema(name.into()),
        (Some(("named", name)), _) => Object::Named(name.into()),
        (Some((kind, _)), _) => panic!("object `{kind}:`"),
        (None, _) if name == "*" => Object::Any,
        (None, Verb::Call) => Object::Function(qualified(name)),
        (None, Verb::Set | Verb::Session) => Object::Setting(name.into()),
        (None, Verb::File | Verb::Program | Verb::Role | Verb::Listen | Verb::Notify) => Object::Named(name.into()),
        (None, _) => Object::Relation(qualified(name)),
    };
    (object, list)
}

fn qualified(name: &str) -> QualifiedName {
    match name.split_once('.') {
        Some((schema, name)) => QualifiedName::qualified(schema, name),
        None => QualifiedName::bare(name),
    }
}

fn columns(list: &str) -> Columns {
    match list {
        "*" => Columns::All,
        list => {
            Columns::Named(list.split(',').filter(|name| !name.is_empty()).map(String::from).collect::<BTreeSet<_>>())
        }
    }
}
