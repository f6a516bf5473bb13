//! Where secrets come from: the environment or a file, never the configuration's own text.

use std::env;
use std::fs;
use std::path::Path;

use hoopcore::policy::{Node, Place, Value};
use secrecy::SecretString;

/// A longer file is no secret.
const LIMIT: u64 = 64 * 1024;

/// Looks secrets up, and remembers where some were written in the text, so that no message shows them.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    pub(super) exposed: Vec<Place>,
}

/// What was found in the place of a secret.
pub(super) enum Lookup {
    Found(SecretString),
    /// The secret itself stands in the text.
    Plain,
    Missing {
        at: Place,
        why: String,
    },
}

impl Secrets {
    pub(super) fn resolve(&mut self, node: &Node<'_>, folder: &Path) -> Lookup {
        let Value::Map(entries) = &node.value else {
            self.expose(node);
            return Lookup::Plain;
        };
        let source = match entries.as_slice() {
            [(key, value)] => key.text().zip(value.text()).map(|(key, text)| (key, value.at, text)),
            _ => None,
        };
        match source {
            Some(("env", at, name)) => from_env(at, name),
            Some(("file", at, path)) => from_file(at, &folder.join(path)),
            Some(_) | None => {
                self.expose(node);
                Lookup::Missing { at: node.at, why: "a secret has one source, `env` or `file`".to_owned() }
            }
        }
    }

    /// Remembers every text in what should have named a source: any of them may be the secret itself.
    fn expose(&mut self, node: &Node<'_>) {
        match &node.value {
            Value::Empty => {}
            Value::Text(_) => self.exposed.push(node.at),
            Value::List(items) => items.iter().for_each(|item| self.expose(item)),
            Value::Map(entries) => entries.iter().for_each(|(key, value)| {
                self.expose(key);
                self.expose(value);
            }),
        }
    }
}

fn from_env(at: Place, name: &str) -> Lookup {
    match env::var(name) {
        Ok(text) if text.is_empty() => Lookup::Missing { at, why: format!("the variable `{name}` is empty") },
        Ok(text) => Lookup::Found(SecretString::from(text)),
        Err(env::VarError::NotPresent) => Lookup::Missing { at, why: format!("the variable `{name}` is not set") },
        Err(env::VarError::NotUnicode(_)) => Lookup::Missing { at, why: format!("the variable `{name}` is not UTF-8") },
    }
}

fn from_file(at: Place, path: &Path) -> Lookup {
    let missing = |why: &str| Lookup::Missing { at, why: format!("the secret's file `{}` {why}", path.display()) };
    match fs::metadata(path) {
        Ok(file) if file.len() > LIMIT => return missing("is longer than 64 KiB"),
        Ok(_) => {}
        Err(error) => return missing(&format!("cannot be read: {error}")),
    }
    let Ok(text) = fs::read_to_string(path) else { return missing("cannot be read as UTF-8") };
    match text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text)) {
        "" => missing("is empty"),
        secret => Lookup::Found(SecretString::from(secret)),
    }
}
