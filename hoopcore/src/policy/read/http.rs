//! Reads what requests to an HTTP API a rule matches: methods, and templates of paths.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::Reader;
use crate::command::http::Verb;
use crate::policy::node::{Node, Place, Value};
use crate::policy::reach::http::{Paths, Template};
use crate::policy::reach::{HttpReach, Sense, VerbSet};

const READS: [Verb; 3] = [Verb::Get, Verb::Head, Verb::Options];
const WRITES: [Verb; 4] = [Verb::Post, Verb::Put, Verb::Patch, Verb::Delete];

impl Reader {
    /// What stands after `http:`: a map of methods to templates, or methods on every path.
    pub(super) fn http(&mut self, node: &Node<'_>, sense: Sense) -> Box<[HttpReach]> {
        let mut reaches = Vec::new();
        if let Value::Map(_) = &node.value {
            let Some(fields) = self.map(node, "`http`") else { return Box::default() };
            if fields.entries.is_empty() {
                self.empty::<()>(node.at, "`http`");
            }
            for (word, key, value) in &fields.entries {
                let Some(verbs) = self.methods(word, key.at, sense) else { continue };
                let paths = self.paths_of(value);
                self.warn_of_methods(verbs, &paths, key.at, sense);
                reaches.push(HttpReach { verbs, paths });
            }
            return reaches.into();
        }
        for (word, at) in self.texts(node, "`http`") {
            let Some(verbs) = self.methods(&word, at, sense) else { continue };
            self.warn_of_methods(verbs, &Paths::Every, at, sense);
            reaches.push(HttpReach { verbs, paths: Paths::Every });
        }
        reaches.into()
    }

    fn methods(&mut self, word: &str, at: Place, sense: Sense) -> Option<VerbSet<Verb>> {
        let all = |verbs: &[Verb]| verbs.iter().copied().fold(VerbSet::none(), VerbSet::with);
        match word {
            "read" => Some(all(&READS)),
            "write" => Some(all(&WRITES)),
            word => {
                let found = self.verb_set(word, at, "http", sense);
                let meant = Verb::ALL.into_iter().find(|verb| verb.word().eq_ignore_ascii_case(word));
                if let (None, Some(verb)) = (found, meant) {
                    self.problems.label_with(alloc::format!("did you mean `{}`?", verb.word()));
                }
                found
            }
        }
    }

    fn paths_of(&mut self, node: &Node<'_>) -> Paths {
        if node.items().iter().any(|item| item.text() == Some("*")) {
            return Paths::Every;
        }
        Paths::OneOf(self.patterns(node, "path template", Template::parse))
    }

    fn warn_of_methods(&mut self, verbs: VerbSet<Verb>, paths: &Paths, at: Place, sense: Sense) {
        if sense == Sense::Refuses {
            return;
        }
        if verbs.has(Verb::Unknown) {
            self.warn_of_unknown(at);
        } else if matches!(paths, Paths::Every) && WRITES.into_iter().any(|verb| verbs.has(verb)) {
            self.problems.warning(at, "a write on every path").help = Some("name the paths where you can".to_string());
        }
    }
}
