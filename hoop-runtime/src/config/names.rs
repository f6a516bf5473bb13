//! What a gateway's file names, groups and resources, and the rules that name others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use hoopcore::Policy;
use hoopcore::policy::{Mention, Mentioned, Node, Place, Problem, Severity, Value, nearest};

use super::{ConfigErrors, examine};

/// The groups that a gateway's file gives, and its resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Groups of callers by their names.
    callers: BTreeSet<String>,
    /// Issuers that give groups of their own, called `issuer/group`.
    issuers: BTreeSet<String>,
    /// All issuers that are trusted.
    trusted: usize,
    /// Groups of approvers.
    approvers: BTreeSet<String>,
    /// Approvers of whom only the operating-system user is known, with the place of that, where callers come with tokens.
    unnamed: Vec<(String, Place)>,
    resources: BTreeSet<String>,
    databases: BTreeSet<String>,
    /// The values of labels, by the labels' names.
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Names {
    /// The names of a gateway's file, whatever else is in it. Secrets are not looked up.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        examine(path, |_, tree| Some(Self::of(tree)))
    }

    fn of(tree: &Node<'_>) -> Self {
        let mut names = Self::default();
        for (_, identity) in entries(find(tree, "identities")) {
            names.callers.extend(texts(find(Some(identity), "groups")));
        }
        for (name, issuer) in entries(find(tree, "issuers")) {
            names.trusted += 1;
            if find(Some(issuer), "groups_from").or(find(Some(issuer), "group_from")).is_some() {
                names.issuers.insert(name.to_owned());
            }
            names
                .callers
                .extend(entries(find(Some(issuer), "groups")).filter_map(|(_, ours)| ours.text()).map(str::to_owned));
        }
        let approvers = find(find(tree, "approvals"), "approvers");
        for (_, approver) in entries(approvers) {
            names.approvers.extend(texts(find(Some(approver), "groups")));
        }
        if entries(find(tree, "issuers")).next().is_some() {
            names.unnamed = unnamed(approvers);
        }
        for (name, resource) in entries(find(tree, "resources")) {
            names.resources.insert(name.to_owned());
            names.databases.extend(texts(find(Some(resource), "databases")));
            for (label, value) in entries(find(Some(resource), "labels")) {
                names.labels.entry(label.to_owned()).or_default().extend(value.text().map(str::to_owned));
            }
        }
        names
    }

    /// A warning for each name of a rule that the gateway's file does not know: a group that nobody can be in, a resource
    /// that is not there. Where it trusts several issuers, one for each user whom any of them could vouch for, too.
    #[must_use]
    pub fn missing(&self, policy: &Policy) -> Vec<Problem> {
        let mentions = policy.mentions().iter().filter(|mention| !self.has(mention));
        let mut problems: Vec<Problem> = mentions.map(|mention| self.warning(mention)).collect();
        if self.trusted > 1 {
            problems.extend(policy.names_alone());
        }
        problems
    }

    /// A warning for each approver who could answer for itself: callers come with tokens, under names that the file does not
    /// tell.
    #[must_use]
    pub fn unnamed_approvers(&self, file: &Path) -> Vec<Problem> {
        let file: Arc<str> = file.display().to_string().into();
        let warning = |(user, at): &(String, Place)| Problem {
            severity: Severity::Warning,
            message: format!(
                "the approver `{user}` could answer for itself: tokens may call it by a name that is not told"
            ),
            file: Some(Arc::clone(&file)),
            line: at.line,
            column: at.column,
            width: at.width,
            label: None,
            help: Some(
                "name what its tokens call it: `identities: [alice@example.com]`, or `[]` where it never calls".into(),
            ),
        };
        self.unnamed.iter().map(warning).collect()
    }

    fn has(&self, mention: &Mention) -> bool {
        let is_there = self.known(&mention.of).iter().any(|name| mention.name.matches(name));
        is_there || (mention.of == Mentioned::Caller && self.may_be_minted(mention.name.as_str()))
    }

    /// The names of that sort that the file gives.
    fn known(&self, of: &Mentioned) -> Vec<&str> {
        let names = match of {
            Mentioned::Caller => Some(&self.callers),
            Mentioned::Approver => Some(&self.approvers),
            Mentioned::Resource => Some(&self.resources),
            Mentioned::Database => Some(&self.databases),
            Mentioned::Label(label) => self.labels.get(&**label),
        };
        names.into_iter().flatten().map(String::as_str).collect()
    }

    /// Whether an issuer may give a group of that name: `issuer/anything`.
    fn may_be_minted(&self, group: &str) -> bool {
        let (issuer, _) = group.split_once('/').unwrap_or((group, ""));
        self.issuers.iter().any(|known| known == issuer && group.contains('/') || issuer.contains('*'))
    }

    fn warning(&self, mention: &Mention) -> Problem {
        let Mention { name, of, file, line, column, width } = mention;
        let (name, known) = (name.as_str(), self.known(of));
        let (message, given) = in_words(of, name);
        let near = nearest(name, &known).map(|near| format!("did you mean `{near}`?"));
        let names = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Problem {
            severity: Severity::Warning,
            message,
            file: file.clone(),
            line: *line,
            column: *column,
            width: *width,
            label: near.or_else(|| self.label_like(of)),
            help: Some(format!("the gateway's file gives {given}: {names}")),
        }
    }

    /// The label that one which no resource has was probably meant to be.
    fn label_like(&self, of: &Mentioned) -> Option<String> {
        let Mentioned::Label(label) = of else { return None };
        let known: Vec<&str> = self.labels.keys().map(String::as_str).collect();
        let near = nearest(label, &known).filter(|near| *near != &**label)?;
        Some(format!("did you mean the label `{near}`?"))
    }
}

/// That a name is not known, and what is.
fn in_words(of: &Mentioned, name: &str) -> (String, String) {
    match of {
        Mentioned::Caller => (format!("no caller is in the group `{name}`"), "callers the groups".to_owned()),
        Mentioned::Approver => (format!("no approver is in the group `{name}`"), "approvers the groups".to_owned()),
        Mentioned::Resource => (format!("no resource is called `{name}`"), "the resources".to_owned()),
        Mentioned::Database => (format!("no resource has the database `{name}`"), "the databases".to_owned()),
        Mentioned::Label(label) => {
            (format!("no resource has the label `{label}: {name}`"), format!("the label `{label}` the values"))
        }
    }
}

/// Approvers with neither `name` nor `identities`.
fn unnamed(approvers: Option<&Node<'_>>) -> Vec<(String, Place)> {
    let entries = match approvers.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.as_slice(),
        Some(Value::Empty | Value::Text(_) | Value::List(_)) | None => &[],
    };
    let is_named = |node: &Node<'_>| find(Some(node), "name").or(find(Some(node), "identities")).is_some();
    let unnamed = entries.iter().filter(|(_, approver)| !is_named(approver));
    unnamed.filter_map(|(user, _)| Some((user.text()?.to_owned(), user.at))).collect()
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
