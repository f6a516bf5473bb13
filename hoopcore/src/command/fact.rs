//! What `when` may ask about an effect, as people are told it.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::sql::Verb;
use super::{Effect, http, sql};
use crate::decision::FactNote;
use crate::truth::Truth;

impl Effect<'_> {
    /// The facts that it has or may have; of what was not understood there are none.
    pub(crate) fn facts(&self) -> Vec<FactNote> {
        match self {
            _ if self.is_unknown() => Vec::new(),
            Self::Sql(effect) => of_sql(effect),
            Self::Http(effect) => of_http(effect),
            Self::Kubernetes(_) | Self::Ssh(_) => Vec::new(),
        }
    }
}

fn of_sql(effect: &sql::Effect) -> Vec<FactNote> {
    let bounds = matches!(effect.verb, Verb::Update | Verb::Delete);
    let unbounded = bounds.then(|| FactNote { name: "unbounded", value: word(effect.facts.unbounded) });
    let held = [("copy", effect.facts.copy), ("code", effect.facts.code)];
    let held = held.into_iter().filter(|(_, holds)| *holds);
    unbounded.into_iter().chain(held.map(|(name, _)| FactNote { name, value: word(Truth::Yes) })).collect()
}

fn word(truth: Truth) -> Option<Cow<'static, str>> {
    match truth {
        Truth::Yes => Some("true".into()),
        Truth::No => Some("false".into()),
        Truth::May => None,
    }
}

fn of_http(effect: &http::Effect) -> Vec<FactNote> {
    let names = effect.query.iter().map(|name| FactNote { name: "query", value: Some(name.clone().into()) });
    let media = FactNote { name: "media", value: effect.media.as_deref().map(|media| Cow::Owned(media.into())) };
    names.chain([media]).collect()
}
