//! A decision as JSON.

use std::fmt::Display;

use hoop_runtime::trail::style_word;
use hoopcore::{Command, Coverage, Explanation, Verdict};
use serde::Serialize;
use serde_json::Value;

/// The answer to one request.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    id: Value,
    verdict: Verdict,
    rule: String,
    reason: Option<String>,
    effects: Vec<Effect>,
    coverage: &'static str,
    masks: Vec<Mask>,
}

#[derive(Debug, Serialize)]
struct Effect {
    verb: &'static str,
    object: String,
}

#[derive(Debug, Serialize)]
struct Mask {
    column: String,
    style: &'static str,
    rule: String,
}

/// The answer to a line that is no request.
#[derive(Debug, Serialize)]
pub(super) struct Malformed {
    id: Value,
    error: String,
}

impl Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "request {}: {}", self.id, self.error)
    }
}

impl Malformed {
    pub(super) fn new(id: Value, error: &impl Display) -> Self {
        Self { id, error: error.to_string() }
    }
}

impl Answer {
    pub(super) fn new(id: Value, command: &Command, explanation: &Explanation) -> Self {
        let Explanation { verdict, rule, reason, effects, masks, limits: _, uncertain } = explanation;
        let full = uncertain.is_none() && command.coverage() == Coverage::Full;
        Self {
            id,
            verdict: *verdict,
            rule: rule.name.to_string(),
            reason: reason.as_deref().map(str::to_owned),
            effects: effects.iter().map(|note| Effect { verb: note.verb, object: note.object.clone() }).collect(),
            coverage: if full { "full" } else { "partial" },
            masks: masks
                .iter()
                .map(|mask| Mask {
                    column: mask.column.clone(),
                    style: style_word(&mask.style),
                    rule: mask.rule.name.to_string(),
                })
                .collect(),
        }
    }
}
