//! What an approver and the gateway say to each other: one JSON object a line, one answer for each question.

use hoopcore::decision::{ApprovalRequest, Demand};
use hoopcore::parameters::Parameter;
use hoopcore::{Command, Grant, IdentityKind, Timestamp};
use serde::{Deserialize, Serialize};

use super::registry::{Answered, HeldCommand};
use crate::trail::hex;

/// What an approver asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// What waits.
    List,
    /// Everything about one held command.
    Show(String),
    /// It may be carried out.
    Approve(String),
    /// It may not.
    Deny(String),
    /// What people agreed to beyond one execution, and is in force.
    Grants,
    /// What they agreed to under this id holds no longer.
    Revoke(String),
}

/// What the gateway answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// What waits, the oldest first.
    List(Vec<Summary>),
    /// Everything about one held command.
    Held(Box<Detail>),
    /// What an answer came to.
    Answered(Answered),
    /// What is in force, the oldest first.
    Grants(Vec<GrantSummary>),
    /// It holds no longer.
    Revoked,
    /// The question is refused; in words.
    Refused(String),
}

/// A held command in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The id to answer with.
    pub id: String,
    /// Since when it waits.
    pub since: String,
    /// When an answer comes too late.
    pub deadline: String,
    /// Seconds until then, by the gateway's clock.
    pub seconds_left: i64,
    /// Who calls.
    pub user: String,
    /// On which resource, and in which database of it.
    pub resource: String,
    /// The rules that ask.
    pub rules: Vec<String>,
    /// The command with its literals stripped.
    pub command: String,
}

/// A grant in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantSummary {
    /// The id under which the command was held when people agreed.
    pub id: String,
    /// Who calls.
    pub user: String,
    /// On which resource, and in which database of it.
    pub resource: String,
    /// The rules that asked.
    pub rules: Vec<String>,
    /// Who agreed.
    pub people: Vec<String>,
    /// Executions that are left, where they are counted.
    pub left: Option<u32>,
    /// When it ends at the latest.
    pub until: String,
    /// Seconds until then, by the gateway's clock.
    pub seconds_left: i64,
    /// Whether it ends with the session that asked.
    pub session: bool,
    /// The command with its literals stripped.
    pub command: String,
}

impl GrantSummary {
    pub(crate) fn new(waiting: &HeldCommand, grant: &Grant, now: Timestamp) -> Self {
        let request = &waiting.request;
        Self {
            id: waiting.id.clone(),
            user: request.who.user.clone(),
            resource: request.resource.clone(),
            rules: request.rules.iter().map(|rule| rule.name.to_string()).collect(),
            people: grant.people().iter().cloned().collect(),
            left: grant.left(),
            until: grant.until().to_string(),
            seconds_left: grant.until().duration_since(now).as_secs(),
            session: grant.is_for_session(),
            command: request.command.canonical().to_owned(),
        }
    }
}

/// Everything that is approved or denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The same as in the list.
    #[serde(flatten)]
    pub summary: Summary,
    /// Person or program, where known.
    pub kind: Option<String>,
    /// Groups of the caller, where known.
    pub groups: Option<Vec<String>>,
    /// How the caller was authenticated.
    pub how: String,
    /// Why hoop could not read all of it, where it could not.
    pub uncertain: Option<String>,
    /// The command as it would be carried out.
    pub statement: String,
    /// The values bound to its parameters, where it was sent with parameters.
    pub parameters: Option<Vec<Value>>,
    /// What the prepared statements and cursors do that it names.
    pub named: Vec<Named>,
    /// SHA-256 over the command, its parameters and what it names.
    pub digest: String,
    /// Who must agree.
    pub demands: Vec<Asked>,
}

/// A value bound to a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// NULL.
    Null,
    /// Its text form.
    Text(String),
    /// What can be shown of it.
    Shown(String),
    /// It cannot be read: what it is.
    Unread(String),
}

impl From<&Parameter<'_>> for Value {
    fn from(parameter: &Parameter<'_>) -> Self {
        match parameter {
            Parameter::Null => Self::Null,
            Parameter::Text(text) => Self::Text(text.to_string()),
            Parameter::Shown(text) => Self::Shown(text.to_string()),
            Parameter::Unread(what) => Self::Unread(what.to_string()),
        }
    }
}

/// What a name of the statement stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// What is carried out under it.
    pub statement: String,
}

/// One rule's demand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The rule, with file and line.
    pub rule: String,
    /// The group that is asked.
    pub group: String,
    /// How many people of it must agree.
    pub people: u32,
    /// Who has.
    pub agreed: Vec<String>,
    /// How far consent goes: `once`, `3 times`, `30m`, `session`.
    pub grant: String,
}

impl Summary {
    pub(crate) fn new(waiting: &HeldCommand) -> Self {
        let request = &waiting.request;
        Self {
            id: waiting.id.clone(),
            since: waiting.since.to_string(),
            deadline: request.deadline.to_string(),
            seconds_left: request.deadline.duration_since(waiting.now()).as_secs(),
            user: request.who.user.clone(),
            resource: request.resource.clone(),
            rules: request.rules.iter().map(|rule| rule.name.to_string()).collect(),
            command: request.command.canonical().to_owned(),
        }
    }
}

impl Detail {
    pub(crate) fn new(waiting: &HeldCommand) -> Self {
        let request = &waiting.request;
        Self {
            summary: Summary::new(waiting),
            kind: request.who.kind.map(kind_word).map(str::to_owned),
            groups: request.who.groups.as_ref().map(|groups| groups.iter().cloned().collect()),
            how: request.who.how().to_owned(),
            uncertain: request.uncertain.as_deref().map(str::to_owned),
            statement: request.command.text().to_owned(),
            parameters: request.parameters.as_ref().map(|bound| bound.iter().map(Value::from).collect()),
            named: named(request),
            digest: hex(&request.digest),
            demands: waiting.demands.iter().map(Asked::new).collect(),
        }
    }
}

fn named(request: &ApprovalRequest) -> Vec<Named> {
    let one = |(name, does): &(String, Command)| Named { name: name.clone(), statement: does.text().to_owned() };
    request.named.iter().map(one).collect()
}

fn kind_word(kind: IdentityKind) -> &'static str {
    match kind {
        IdentityKind::Human => "human",
        IdentityKind::Workload => "workload",
    }
}

impl Asked {
    fn new(demand: &Demand) -> Self {
        Self {
            rule: demand.rule.to_string(),
            group: demand.group.to_string(),
            people: demand.people,
            agreed: demand.agreed.iter().cloned().collect(),
            grant: demand.terms.to_string(),
        }
    }
}
