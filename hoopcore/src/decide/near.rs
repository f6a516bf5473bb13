//! Rules that were close to a decision, and what kept each from counting: for people who ask why.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;

use super::evaluation::{Evaluation, Item, Stage, Step};
use crate::decision::{NearRule, Part};
use crate::policy::rule::{Action, Asked, Condition, Rule};
use crate::policy::session::{on_fact, who_fact};
use crate::policy::standings::Standpoint;
use crate::request::Call;
use crate::truth::Truth;

/// The rules of which at most one part does not surely hold, the closest first.
pub(crate) fn near(session: Standpoint<'_>, call: &Call<'_>) -> Vec<NearRule> {
    let evaluation = Evaluation { session, call, stage: Stage::Execute };
    let mut near: Vec<NearRule> = session.policy.rules().iter().map(|rule| evaluation.near(rule)).collect();
    near.retain(|rule| rule.lacking().count() <= 1);
    near.sort_by_key(|rule| (rule.lacking().count(), rule.lacking().map(|(.., truth)| truth).min()));
    near
}

impl Evaluation<'_> {
    fn near(&self, rule: &Rule) -> NearRule {
        let (who, on) = (self.session.who, self.session.on);
        let closest = self.closest(rule);
        let of_closest = |truth: &dyn Fn(&Item<'_>) -> Truth| closest.as_ref().map_or(Truth::No, truth);
        NearRule {
            rule: rule.at.clone(),
            action: action(&rule.action),
            parts: [
                (Part::Who, rule.who.truth(&|fact| who_fact(fact, who))),
                (Part::On, rule.on.truth(&|fact| on_fact(fact, on))),
                (Part::Pattern, of_closest(&|item| self.pattern(rule, item))),
                (Part::When, of_closest(&|item| self.when(rule, item))),
            ],
            who: told(&rule.who, &|fact| who_fact(fact, who)),
            on: told(&rule.on, &|fact| on_fact(fact, on)),
            when: told(&rule.when, &|fact| of_closest(&|item| self.fact(fact, item))),
        }
    }

    /// The effect that a rule's pattern and `when` are closest to.
    fn closest<'s>(&'s self, rule: &Rule) -> Option<Item<'s>> {
        let mut best = None;
        self.walk(&mut |step| {
            if let Step::Effect(item) = step {
                let closeness = (self.pattern(rule, &item), self.when(rule, &item));
                if best.as_ref().is_none_or(|(known, _)| closeness > *known) {
                    best = Some((closeness, item));
                }
            }
        });
        best.map(|(_, item)| item)
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

/// Each fact of a condition in words, with whether it holds.
fn told<F: Display>(condition: &Condition<F>, truth: &impl Fn(&F) -> Truth) -> Vec<String> {
    let mut told = Vec::new();
    leaves(condition, false, &mut |fact, inverted| told.push(said(inverted, fact, truth(fact))));
    told
}

/// Every fact of a condition, and whether it is asked for the opposite. As deep as the text was nested.
fn leaves<F>(condition: &Condition<F>, inverted: bool, visit: &mut dyn FnMut(&F, bool)) {
    match condition {
        Condition::All(all) | Condition::OneOf(all) => all.iter().for_each(|one| leaves(one, inverted, visit)),
        Condition::Not(inner) => leaves(inner, !inverted, visit),
        Condition::Is(fact) => visit(fact, inverted),
    }
}

fn said(inverted: bool, words: &dyn Display, truth: Truth) -> String {
    let not = if inverted { "not " } else { "" };
    let holds = match if inverted { truth.negate() } else { truth } {
        Truth::Yes => "holds",
        Truth::No => "does not hold",
        Truth::May => "is not known",
    };
    format!("{not}`{words}` {holds}")
}
