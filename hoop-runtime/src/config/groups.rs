//! The groups that a gateway's file gives to callers and approvers, and the rules that name others.

use std::collections::BTreeSet;
use std::path::Path;

use hoopcore::Policy;
use hoopcore::policy::{Mention, Mentioned, Node, Problem, Severity, Value, nearest};

use super::{ConfigErrors, examine};

/// The groups that a gateway's file gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// Groups of callers by their names.
    callers: BTreeSet<String>,
    /// Issuers that give groups of their own, called `issuer/group`.
    issuers: BTreeSet<String>,
    /// Groups of approvers.
    approvers: BTreeSet<String>,
}

impl Groups {
    /// The groups that a gateway's file names, whatever else is in it. Secrets are not looked up.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        examine(path, |_, tree| Some(Self::of(tree)))
    }

    fn of(tree: &Node<'_>) -> Self {
        let mut groups = Self::default();
        for (_, identity) in entries(find(tree, "identities")) {
            groups.callers.extend(texts(find(Some(identity), "groups")));
        }
        for (name, issuer) in entries(find(tree, "issuers")) {
            if find(Some(issuer), "groups_from").or(find(Some(issuer), "group_from")).is_some() {
                groups.issuers.insert(name.to_owned());
            }
            groups
                .callers
                .extend(entries(find(Some(issuer), "groups")).filter_map(|(_, ours)| ours.text()).map(str::to_owned));
        }
        for (_, approver) in entries(find(find(tree, "approvals"), "approvers")) {
            groups.approvers.extend(texts(find(Some(approver), "groups")));
        }
        groups
    }

    /// A warning for each group that a rule names and that nobody can be in.
    #[must_use]
    pub fn missing(&self, policy: &Policy) -> Vec<Problem> {
        policy.mentions().iter().filter(|mention| !self.gives(mention)).map(|mention| self.warning(mention)).collect()
    }

    fn gives(&self, mention: &Mention) -> bool {
        let is_given = |groups: &BTreeSet<String>| groups.iter().any(|group| mention.group.matches(group));
        match mention.of {
            Mentioned::Approver => is_given(&self.approvers),
            Mentioned::Caller => is_given(&self.callers) || self.may_be_minted(mention.group.as_str()),
        }
    }

    /// Whether an issuer may give a group of that name: `issuer/anything`.
    fn may_be_minted(&self, group: &str) -> bool {
        let (issuer, _) = group.split_once('/').unwrap_or((group, ""));
        self.issuers.iter().any(|known| known == issuer && group.contains('/') || issuer.contains('*'))
    }

    fn warning(&self, mention: &Mention) -> Problem {
        let Mention { group, of, file, line, column, width } = mention;
        let (who, known) = match of {
            Mentioned::Caller => ("caller", &self.callers),
            Mentioned::Approver => ("approver", &self.approvers),
        };
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let given = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Problem {
            severity: Severity::Warning,
            message: format!("no {who} is in the group `{}`", group.as_str()),
            file: file.clone(),
            line: *line,
            column: *column,
            width: *width,
            label: nearest(group.as_str(), &known).map(|near| format!("did you mean `{near}`?")),
            help: Some(format!("the gateway's file gives {who}s the groups: {given}")),
        }
    }
}

fn find<'n>(node: impl Into<Option<&'n Node<'n>>>, name: &str) -> Option<&'n Node<'n>> {
    let Value::Map(entries) = &node.into()?.value else { return None };
    entries.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
}

fn entries<'n>(node: Option<&'n Node<'n>>) -> impl Iterator<Item = (&'n str, &'n Node<'n>)> {
    let entries = match node.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.as_slice(),
        Some(Value::Empty | Value::Text(_) | Value::List(_)) | None => &[],
    };
    entries.iter().filter_map(|(key, value)| Some((key.text()?, value)))
}

fn texts(node: Option<&Node<'_>>) -> impl Iterator<Item = String> {
    node.into_iter().flat_map(Node::items).filter_map(Node::text).map(str::to_owned)
}
