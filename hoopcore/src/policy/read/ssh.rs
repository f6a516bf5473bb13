//! Reads what of SSH a rule matches: commands, paths, addresses.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Fields, Reader};
use crate::command::ssh::Verb;
use crate::policy::grammar;
use crate::policy::node::{Node, Place, Value};
use crate::policy::reach::ssh::{AddressPattern, Commands, PathPattern, What};
use crate::policy::reach::{ArgvPattern, Sense, SshReach, VerbSet};

impl Reader {
    /// What stands after `ssh:`: a map of verbs to patterns, or verbs on everything.
    pub(super) fn ssh(&mut self, node: &Node<'_>, sense: Sense) -> Box<[SshReach]> {
        let mut reaches = Vec::new();
        if let Value::Map(_) = &node.value {
            let Some(fields) = self.fields(node, &grammar::SSH_RULE) else { return Box::default() };
            if fields.entries.is_empty() {
                self.empty::<()>(node.at, "`ssh`");
            }
            let terminal = self.may_have_terminal(&fields, sense);
            for (word, key, value) in fields.entries.iter().filter(|(name, ..)| *name != "pty") {
                reaches.extend(self.ssh_entry(word, key.at, value, terminal, sense));
            }
            return reaches.into();
        }
        for (word, at) in self.texts(node, "`ssh`") {
            let Some(verbs) = self.verb_set(&word, at, "ssh", sense) else { continue };
            self.on_everything(verbs, at, sense == Sense::Refuses, sense, &mut reaches);
        }
        reaches.into()
    }

    fn may_have_terminal(&mut self, fields: &Fields<'_>, sense: Sense) -> bool {
        let Some((key, node)) = fields.entry("pty") else { return sense == Sense::Refuses };
        if fields.get("run").is_none() {
            self.problems.error(key.at, "`pty` says that what is `run` may have a terminal").help =
                Some("an interactive session is `shell`".to_string());
        }
        self.terminal(key, node, sense) || sense == Sense::Refuses
    }

    fn ssh_entry(&mut self, word: &str, at: Place, node: &Node<'_>, terminal: bool, sense: Sense) -> Vec<SshReach> {
        let mut reaches = Vec::new();
        let Some(verbs) = self.verb_set::<Verb>(word, at, "ssh", sense) else { return reaches };
        let what = match word {
            "run" => What::Commands(Commands { patterns: self.commands(node, sense), terminal }),
            "read" | "write" => What::Paths(self.patterns(node, "path pattern", PathPattern::parse)),
            "forward" => What::Addresses(self.patterns(node, "address", AddressPattern::parse)),
            word => {
                self.flag(node, &alloc::format!("`{word}`"));
                self.on_everything(verbs, at, terminal, sense, &mut reaches);
                return reaches;
            }
        };
        self.warn_of_commands(&what, at, sense);
        reaches.push(SshReach { verbs, what });
        reaches
    }

    /// Verbs without a pattern: what is run is still held to what wildcards match.
    fn on_everything(
        &mut self,
        verbs: VerbSet<Verb>,
        at: Place,
        terminal: bool,
        sense: Sense,
        reaches: &mut Vec<SshReach>,
    ) {
        if verbs.has(Verb::Unknown) && sense == Sense::Covers {
            self.warn_of_unknown(at);
        }
        if verbs.has(Verb::Run) {
            let patterns = Box::new([ArgvPattern::every(sense)]);
            let what = What::Commands(Commands { patterns, terminal });
            self.warn_of_commands(&what, at, sense);
            reaches.push(SshReach { verbs: VerbSet::none().with(Verb::Run), what });
        }
        reaches.push(SshReach { verbs: verbs.without(Verb::Run), what: What::Everything });
    }

    fn warn_of_commands(&mut self, what: &What, at: Place, sense: Sense) {
        let is_every = match what {
            What::Commands(commands) => commands.patterns.iter().any(ArgvPattern::is_every),
            What::Everything | What::Paths(_) | What::Addresses(_) => false,
        };
        if is_every && sense == Sense::Covers {
            self.problems.warning(at, "every program may be run").help =
                Some("name the programs where you can".to_string());
        }
    }
}
