//! A request as JSON. Reading one vouches for nobody: only putting it to a policy makes an identity of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use hoop_runtime::clock;
use hoopcore::command::{Asked, AskedOfSsh, AskedRequest};
use hoopcore::{
    Call, Identity, IdentityKind, Policy, Rates, Request, Resource, ResourceKind, SessionFacts, Timestamp, Verified,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::answer::Answer;

/// One request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    id: Value,
    identity: Who,
    resource: Target,
    #[serde(deserialize_with = "asked")]
    command: Asked,
    session: Option<State>,
    database: Option<String>,
    #[serde(default, deserialize_with = "parameters")]
    parameters: Option<Vec<Option<String>>>,
    #[serde(default, deserialize_with = "time")]
    now: Option<Timestamp>,
    source: Option<IpAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with the `user`")]
struct Who {
    user: String,
    kind: Option<IdentityKind>,
    issuer: Option<String>,
    groups: Option<BTreeSet<String>>,
    #[serde(default, deserialize_with = "claims")]
    claims: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with the `name`")]
struct Target {
    name: String,
    kind: Option<ResourceKind>,
    labels: Option<BTreeMap<String, String>>,
}

/// What is asked for: exactly one of these.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with one of `sql`, `http`, `kubernetes`, `ssh`")]
struct Choice {
    sql: Option<String>,
    http: Option<Message>,
    kubernetes: Option<Message>,
    ssh: Option<Ssh>,
}

impl TryFrom<Choice> for Asked {
    type Error = &'static str;

    fn try_from(choice: Choice) -> Result<Self, Self::Error> {
        match choice {
            Choice { sql: Some(text), http: None, kubernetes: None, ssh: None } => Ok(Self::Sql(text)),
            Choice { sql: None, http: Some(request), kubernetes: None, ssh: None } => Ok(Self::Http(request.into())),
            Choice { sql: None, http: None, kubernetes: Some(request), ssh: None } => {
                Ok(Self::Kubernetes(request.into()))
            }
            Choice { sql: None, http: None, kubernetes: None, ssh: Some(asked) } => asked.try_into().map(Self::Ssh),
            Choice { .. } => Err("`command` is exactly one of `sql`, `http`, `kubernetes`, `ssh`"),
        }
    }
}

fn asked<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Asked, D::Error> {
    Choice::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `method` and `uri`")]
struct Message {
    method: String,
    uri: String,
    #[serde(default, deserialize_with = "headers")]
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

/// Header fields: a map of names to values or lists of values.
fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    let fields = Option::<Map<String, Value>>::deserialize(deserializer)?;
    let mut headers = Vec::new();
    for (name, value) in fields.into_iter().flatten() {
        let values = if let Value::Array(values) = value { values } else { vec![value] };
        for value in values {
            let Value::String(value) = value else {
                return Err(serde::de::Error::custom("the value of a header field is a text, or a list of texts"));
            };
            headers.push((name.clone(), value));
        }
    }
    Ok(headers)
}

impl From<Message> for AskedRequest {
    /// A body that is no text is the JSON that it is.
    fn from(Message { method, uri, headers, body }: Message) -> Self {
        let text = |body| match body {
            Value::Null => None,
            Value::String(text) => Some(text),
            body @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Some(body.to_string()),
        };
        Self { method, uri, headers, body: body.and_then(text) }
    }
}

/// What is asked of SSH: exactly one of these, with what belongs to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object such as `{\"exec\": \"ls -l\"}`")]
struct Ssh {
    exec: Option<String>,
    pty: Option<bool>,
    sftp: Option<String>,
    path: Option<String>,
    to: Option<String>,
    forward: Option<String>,
    #[serde(default)]
    shell: bool,
    #[serde(default)]
    agent: bool,
    #[serde(default)]
    x11: bool,
}

const OF_SSH: &str = "`ssh` is exactly one of `exec` (with `pty`), `sftp` (with `path` and `to`), `forward`, or `shell`, `agent`, `x11` with the value true";

impl TryFrom<Ssh> for AskedOfSsh {
    type Error = &'static str;

    fn try_from(Ssh { exec, pty, sftp, path, to, forward, shell, agent, x11 }: Ssh) -> Result<Self, Self::Error> {
        let belongs =
            exec.is_some() >= pty.is_some() && sftp.is_some() == path.is_some() && sftp.is_some() >= to.is_some();
        let terminal = pty.unwrap_or_default();
        let asked = [
            exec.map(|line| Self::Exec { line, terminal }),
            sftp.zip(path).map(|(operation, path)| Self::File { operation, path, to }),
            forward.map(|target| Self::Forward { target }),
            shell.then_some(Self::Shell),
            agent.then_some(Self::Agent),
            x11.then_some(Self::X11),
        ];
        let mut asked = asked.into_iter().flatten();
        asked.next().filter(|_| belongs && asked.next().is_none()).ok_or(OF_SSH)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `search_path` or `shadows`")]
struct State {
    search_path: Option<Vec<String>>,
    shadows: Option<BTreeSet<String>>,
}

impl Question {
    /// The policy's answer.
    pub(super) fn put(self, policy: &Policy) -> Answer {
        let command = self.command.command();
        let who = Verified::vouched(self.identity.into_identity(), "hoop evaluate");
        let on = self.resource.into_resource(self.command.kind(), self.database);
        let session = self.session.unwrap_or_default().into_facts();
        let now = self.now.unwrap_or_else(clock::now);
        let parameters = self.parameters.as_ref().map(|bound| bound as _);
        let call =
            Call { parameters, source: self.source, rates: Rates::Ignored, ..Call::new(&command, &session, now) };
        let decision = policy.evaluate(&Request { who: &who, on: &on, call });
        Answer::new(self.id, &command, decision.explanation())
    }
}

impl Who {
    fn into_identity(self) -> Identity {
        let Self { user, kind, issuer, groups, claims } = self;
        Identity { kind, issuer, groups, claims, ..Identity::named(user) }
    }
}

/// Claims by path, as tokens give them: `{"a": {"b": 1}}` is the claim `a.b` with the value `1`.
fn claims<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let members = Option::<Map<String, Value>>::deserialize(deserializer)?;
    let mut paths = BTreeMap::new();
    for (name, value) in members.into_iter().flatten() {
        flatten(name, value, &mut paths)
            .map_err(|path| serde::de::Error::custom(format!("two claims have the path `{path}`")))?;
    }
    Ok(paths.into_iter().filter_map(|(path, value)| Some((path, value?))).collect())
}

/// Lists, nulls and fractions have no value to compare. `Err` is a path that two claims have.
fn flatten(path: String, value: Value, claims: &mut BTreeMap<String, Option<String>>) -> Result<(), String> {
    let comparable = match value {
        Value::String(text) => Some(text),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(value) => (value.is_i64() || value.is_u64()).then(|| value.to_string()),
        Value::Object(inner) => {
            for (name, value) in inner {
                flatten(format!("{path}.{name}"), value, claims)?;
            }
            None
        }
        Value::Null | Value::Array(_) => None,
    };
    if claims.contains_key(&path) {
        return Err(path);
    }
    claims.insert(path, comparable);
    Ok(())
}

impl Target {
    fn into_resource(self, guess: ResourceKind, database: Option<String>) -> Resource {
        Resource { name: self.name, kind: self.kind.unwrap_or(guess), labels: self.labels, database }
    }
}

impl State {
    fn into_facts(self) -> SessionFacts {
        let fresh = SessionFacts::default();
        SessionFacts {
            search_path: self.search_path.unwrap_or(fresh.search_path),
            shadows: Arc::new(self.shadows.unwrap_or_default()),
            ..fresh
        }
    }
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

/// Values in text form; a number or a truth value is written as JSON writes it.
fn parameters<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Option<String>>>, D::Error> {
    let values = Option::<Vec<Value>>::deserialize(deserializer)?;
    let text = |value| match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(value) => Ok(Some(value.to_string())),
        Value::Number(value) => Ok(Some(value.to_string())),
        Value::Array(_) | Value::Object(_) => Err(serde::de::Error::custom("a parameter is a text, a number or null")),
    };
    values.map(|values| values.into_iter().map(text).collect()).transpose()
}
