//! Rules that were close to a decision, and what kept each from counting: for people who ask why.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::scene::{Item, Moment, Scene, Step};
use crate::decision::{NearRule, Part};
use crate::policy::rule::{Action, Asked, Condition, OnFact, Rule, WhoFact};
use crate::policy::session::{on_fact, who_fact};
use crate::policy::standings::Standpoint;
use crate::request::Call;
use crate::truth::Truth;

/// The rules of which at most one part does not surely hold, the closest first.
pub(crate) fn near(session: Standpoint<'_>, call: &Call<'_>) -> Vec<NearRule> {
    let scene = Scene { session, call, moment: Moment::Now };
    let mut near: Vec<NearRule> = session.policy.rules().iter().map(|rule| scene.near(rule)).collect();
    near.retain(|rule| rule.lacking().count() <= 1);
    near.sort_by_key(|rule| (rule.lacking().count(), rule.lacking().map(|(.., truth)| truth).min()));
    near
}

impl Scene<'_> {
    fn near(&self, rule: &Rule) -> NearRule {
        let (who, on) = (self.session.who, self.session.on);
        let (pattern, when) = self.closest(rule);
        let mut words = Vec::new();
        leaves(&rule.who, false, &mut |fact, inverted| {
            words.push(said(inverted, &who_words(fact), who_fact(fact, who)))
        });
        let mut on_words = Vec::new();
        leaves(&rule.on, false, &mut |fact, inverted| {
            on_words.push(said(inverted, &resource_words(fact), on_fact(fact, on)))
        });
        NearRule {
            rule: rule.at.clone(),
            action: action(&rule.action),
            parts: [
                (Part::Who, rule.who.truth(&|fact| who_fact(fact, who))),
                (Part::On, rule.on.truth(&|fact| on_fact(fact, on))),
                (Part::Pattern, pattern),
                (Part::When, when),
            ],
            who: words,
            on: on_words,
        }
    }

    /// How a rule's pattern and `when` stand to the effect that it is closest to.
    fn closest(&self, rule: &Rule) -> (Truth, Truth) {
        let mut best = (Truth::No, Truth::No);
        self.walk(&mut |step| {
            if let Step::Effect(item) = step {
                best = best.max((self.pattern(rule, &item), self.when(rule, &item)));
            }
        });
        best
    }

    fn pattern(&self, rule: &Rule, item: &Item<'_>) -> Truth {
        match &rule.action {
            Action::Allow(reaches) | Action::Block(reaches) => self.matches(reaches, item),
            Action::Approve(approval) => match &approval.what {
                Asked::Effects(reaches) => self.matches(reaches, item),
                Asked::Otherwise => Truth::Yes,
            },
            Action::Mask(_) => Truth::Yes,
        }
    }
}

fn action(action: &Action) -> &'static str {
    match action {
        Action::Allow(_) => "allow",
        Action::Block(_) => "block",
        Action::Approve(_) => "approve",
        Action::Mask(_) => "mask",
    }
}

/// Every fact of a condition, and whether it is asked for the opposite. As deep as the text was nested.
fn leaves<F>(condition: &Condition<F>, inverted: bool, visit: &mut dyn FnMut(&F, bool)) {
    match condition {
        Condition::All(all) | Condition::OneOf(all) => all.iter().for_each(|one| leaves(one, inverted, visit)),
        Condition::Not(inner) => leaves(inner, !inverted, visit),
        Condition::Is(fact) => visit(fact, inverted),
    }
}

fn said(inverted: bool, words: &str, truth: Truth) -> String {
    let not = if inverted { "not " } else { "" };
    let holds = match if inverted { truth.negate() } else { truth } {
        Truth::Yes => "holds",
        Truth::No => "does not hold",
        Truth::May => "is not known",
    };
    format!("{not}`{words}` {holds}")
}

fn who_words(fact: &WhoFact) -> String {
    match fact {
        WhoFact::User(name) => format!("user: {}", name.as_str()),
        WhoFact::Group(name) => format!("group: {}", name.as_str()),
        WhoFact::Claim(path, value) => format!("claim: {{ {path}: {} }}", value.as_str()),
        WhoFact::Kind(kind) => format!("kind: {kind:?}").to_lowercase(),
        WhoFact::Issuer(name) => format!("issuer: {}", name.as_str()),
    }
}

fn resource_words(fact: &OnFact) -> String {
    match fact {
        OnFact::Name(name) => format!("name: {}", name.as_str()),
        OnFact::Kind(kind) => format!("kind: {kind:?}").to_lowercase(),
        OnFact::Label(label, value) => format!("labels: {{ {label}: {} }}", value.as_str()),
        OnFact::Database(name) => format!("database: {}", name.as_str()),
    }
}
