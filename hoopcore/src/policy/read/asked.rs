//! Reads what a test asks: one protocol's words, short or as a map.

use alloc::string::{String, ToString};

use super::{Fields, Reader};
use crate::command::{Asked, AskedOfSsh, AskedRequest};
use crate::policy::grammar;
use crate::policy::node::{Node, Place};

impl Reader {
    /// What a case asks: exactly one of the protocols.
    pub(super) fn asked(&mut self, fields: &Fields<'_>) -> Option<Asked> {
        let (name, _, node) = self.only_one(fields, grammar::CASE.choice, "say what is asked: `sql: SELECT 1`")?;
        match name {
            "sql" => self.one_text(node, "`sql`").map(|text| Asked::Sql(text.to_string())),
            "http" => self.request(node).map(Asked::Http),
            "kubernetes" => self.request(node).map(Asked::Kubernetes),
            _ => self.of_ssh(node).map(Asked::Ssh),
        }
    }

    /// The one key of a choice that stands.
    fn only_one<'n>(
        &mut self,
        fields: &Fields<'n>,
        choice: &[&str],
        help: &str,
    ) -> Option<(&'n str, &'n Node<'n>, &'n Node<'n>)> {
        let mut found = fields.entries.iter().filter(|(name, ..)| choice.contains(name));
        match (found.next(), found.next()) {
            (Some(one), None) => Some(*one),
            (Some(_), Some((name, key, _))) => {
                let message = alloc::format!("one thing is asked: `{name}` is one too many");
                self.problems.error(key.at, message).help = Some(help.to_string());
                None
            }
            (None, _) if choice.iter().any(|name| fields.seems_to_have(name)) => None,
            (None, _) => {
                let message = alloc::format!("nothing is asked: one of {} is missing", choice.join(", "));
                self.problems.error(Place { width: 1, ..fields.at }, message).help = Some(help.to_string());
                None
            }
        }
    }

    /// `METHOD uri`, or a map.
    fn request(&mut self, node: &Node<'_>) -> Option<AskedRequest> {
        if let Some(text) = node.text() {
            return Some(AskedRequest::line(text));
        }
        let fields = self.fields(node, &grammar::REQUEST_KEYS)?;
        let headers = fields.get("headers").map(|headers| self.pairs(headers, "`headers`")).unwrap_or_default();
        Some(AskedRequest {
            method: self.text_of(&fields, "method")?,
            uri: self.text_of(&fields, "uri")?,
            headers: headers.into_iter().collect(),
            body: self.text_of(&fields, "body"),
        })
    }

    /// A command line, or a map.
    fn of_ssh(&mut self, node: &Node<'_>) -> Option<AskedOfSsh> {
        if let Some(text) = node.text() {
            return Some(AskedOfSsh::Exec { line: text.to_string(), terminal: false });
        }
        let fields = self.fields(node, &grammar::OF_SSH_KEYS)?;
        let help = "say what is asked: `ssh: ls -l`, or `ssh: { sftp: read, path: /etc/hosts }`";
        let (name, ..) = self.only_one(&fields, grammar::OF_SSH_KEYS.choice, help)?;
        match name {
            "exec" => {
                let terminal = fields.get("pty").is_some_and(|pty| self.flag(pty, "`pty`"));
                Some(AskedOfSsh::Exec { line: self.text_of(&fields, "exec")?, terminal })
            }
            "sftp" => {
                let (operation, path) = (self.text_of(&fields, "sftp")?, self.text_of(&fields, "path"));
                if path.is_none() {
                    self.problems.error(fields.at, "`path` is missing: an operation of `sftp` needs it");
                }
                Some(AskedOfSsh::File { operation, path: path?, to: self.text_of(&fields, "to") })
            }
            "forward" => self.text_of(&fields, "forward").map(|target| AskedOfSsh::Forward { target }),
            "shell" => Some(AskedOfSsh::Shell),
            "agent" => Some(AskedOfSsh::Agent),
            _ => Some(AskedOfSsh::X11),
        }
    }

    fn text_of(&mut self, fields: &Fields<'_>, name: &str) -> Option<String> {
        let node = fields.get(name)?;
        self.one_text(node, &alloc::format!("`{name}`")).map(ToString::to_string)
    }
}
