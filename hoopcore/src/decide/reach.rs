//! Whether a rule reaches an effect: surely, surely not, or perhaps.

mod sql;

use super::evaluation::{Evaluation, Item, Stage};
use crate::command::sql::Facts;
use crate::command::{Effect, http};
use crate::parameters::Parameter;
use crate::policy::Glob;
use crate::policy::reach::Reaches;
use crate::policy::rule::{Action, Asked, Rule, WhenFact};
use crate::policy::session::claim_holds;
use crate::policy::standings::Standing;
use crate::truth::Truth;

impl Evaluation<'_> {
    /// Whether a rule reaches an effect by its who, on, when and patterns. An `otherwise` and a mask reach every
    /// effect by their patterns; what else limits them is up to those who ask.
    pub(super) fn reaches(&self, standing: Standing, item: &Item<'_>) -> Truth {
        let Some(rule) = self.session.rule(standing.rule) else { return Truth::May };
        let matched = match &rule.action {
            Action::Allow(reaches) | Action::Block(reaches) => self.matches(reaches, item),
            Action::Approve(approval) => match &approval.what {
                Asked::Effects(reaches) => self.matches(reaches, item),
                Asked::Otherwise => Truth::Yes,
            },
            Action::Mask(_) => Truth::Yes,
        };
        if matched == Truth::No {
            return Truth::No;
        }
        standing.truth.and(matched).and(self.when(rule, item))
    }

    pub(super) fn when(&self, rule: &Rule, item: &Item<'_>) -> Truth {
        rule.when.truth(&|fact| self.fact(fact, item))
    }

    /// Whether a fact holds for an effect.
    pub(super) fn fact(&self, fact: &WhenFact, item: &Item<'_>) -> Truth {
        match fact {
            WhenFact::Unbounded(wanted) => {
                of_sql(item, |facts| if *wanted { facts.unbounded } else { facts.unbounded.negate() })
            }
            WhenFact::Copy(wanted) => of_sql(item, |facts| (facts.copy == *wanted).into()),
            WhenFact::Code(wanted) => of_sql(item, |facts| (facts.code == *wanted).into()),
            WhenFact::Query(name) => of_http(item, |http| http.query.iter().any(|known| name.matches(known)).into()),
            WhenFact::Media(name) => {
                of_http(item, |http| http.media.as_ref().map_or(Truth::May, |media| name.matches(media).into()))
            }
            WhenFact::Time(window) => match self.stage {
                Stage::Execute => window.holds(self.call.now).into(),
                Stage::Prepare => Truth::May,
            },
            WhenFact::Source(network) => self.call.source.map_or(Truth::May, |address| network.holds(address).into()),
            WhenFact::Claim(path, value) => claim_holds(self.session.who, path, value),
            WhenFact::Parameter(number, value) => self.parameter(*number, value),
        }
    }

    /// Whether a parameter has a value; NULL has none, and a parameter that there is not neither.
    fn parameter(&self, number: usize, value: &Glob) -> Truth {
        let (Stage::Execute, Some(parameters)) = (self.stage, self.call.parameters) else { return Truth::May };
        match number.checked_sub(1).and_then(|index| parameters.get(index)) {
            None | Some(Parameter::Null) => Truth::No,
            Some(Parameter::Text(text)) => value.matches(&text).into(),
            Some(Parameter::Shown(_) | Parameter::Unread(_)) => Truth::May,
        }
    }

    pub(super) fn matches(&self, reaches: &Reaches, item: &Item<'_>) -> Truth {
        match item {
            Item::Sql(item) => any(&reaches.sql, |reach| self.matches_sql(reach, item)),
            Item::Http(effect) => any(&reaches.http, |reach| reach.matches(effect)),
            Item::Kubernetes(effect) => any(&reaches.kubernetes, |reach| reach.matches(effect)),
            Item::Ssh(effect) => any(&reaches.ssh, |reach| reach.matches(effect)),
        }
    }
}

fn any<T>(alternatives: &[T], truth: impl Fn(&T) -> Truth) -> Truth {
    alternatives.iter().fold(Truth::No, |known, one| known.or(truth(one)))
}

/// A fact that only HTTP has: of an effect of another protocol it is not known, nor of what was not understood.
fn of_http(item: &Item<'_>, fact: impl Fn(&http::Effect) -> Truth) -> Truth {
    match item.effect() {
        Effect::Http(effect) if !item.effect().is_unknown() => fact(effect),
        Effect::Sql(_) | Effect::Http(_) | Effect::Kubernetes(_) | Effect::Ssh(_) => Truth::May,
    }
}

/// A fact that only SQL has: of an effect of another protocol it is not known, nor of what was not understood.
fn of_sql(item: &Item<'_>, fact: impl Fn(&Facts) -> Truth) -> Truth {
    match item.effect() {
        Effect::Sql(effect) if !item.effect().is_unknown() => fact(&effect.facts),
        Effect::Sql(_) | Effect::Http(_) | Effect::Kubernetes(_) | Effect::Ssh(_) => Truth::May,
    }
}
