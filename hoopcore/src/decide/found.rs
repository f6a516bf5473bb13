//! The bare verdict of a single question: rules are asked one by one, as the index finds them.
//!
//! Where masks, approves or limits may have a say, nothing is told: then all rules are gathered first.

use super::evaluation::{Evaluation, Fetched, Item, Stage, Step};
use super::settled::Answer;
use crate::decision::Verdict;
use crate::limit::Rates;
use crate::policy::index::{Classes, Entry};
use crate::policy::rule::Does;
use crate::policy::standings::Standpoint;
use crate::request::Call;
use crate::truth::Truth;

/// The bare answer, where blocks and allows alone give it.
pub(crate) fn verdict_as_found(session: Standpoint<'_>, call: &Call<'_>) -> Option<Verdict> {
    let evaluation = Evaluation { session, call, stage: Stage::Execute };
    let mut command = Answer::Covered;
    evaluation.walk(&mut |step| match step {
        Step::Effect(item) if command != Answer::Refused => command = command.and(evaluation.answer(&item)),
        Step::Effect(_) | Step::End => {}
    });
    match command {
        Answer::Covered => Some(Verdict::Allow),
        Answer::Refused => Some(Verdict::Block),
        Answer::Open => None,
    }
}

impl Evaluation<'_> {
    /// What blocks and allows alone say of an effect.
    fn answer(&self, item: &Item<'_>) -> Answer {
        // What an unknown cursor returns may fall under any limit.
        let held = item.fetched() == Fetched::Anything && matches!(self.call.rates, Rates::Uncounted);
        let mut found = Found { covered: !item.is_asked(), held, ..Found::default() };
        for cell in self.session.policy.cells(self.session.who, self.session.on) {
            if self.is_refused(item, cell, &mut found) {
                return Answer::Refused;
            }
        }
        match found {
            Found { held: true, .. } => Answer::Open,
            Found { held: false, covered: false, .. } => Answer::Refused,
            Found { held: false, covered: true, masked: true } => Answer::Open,
            Found { held: false, covered: true, masked: false } => Answer::Covered,
        }
    }

    /// Whether a block of a cell refuses an effect; else what other rules say is noted.
    fn is_refused(&self, item: &Item<'_>, cell: &[Entry], found: &mut Found) -> bool {
        let Standpoint { policy, who, on, .. } = self.session;
        let classes = Classes::of_effect(item.effect(), item.harmless().is_possible());
        for entry in cell.iter().filter(|entry| entry.meets(classes, on.kind)) {
            let reaches = || entry.standing(policy.rules(), who, on).map(|standing| self.reaches(standing, item));
            match entry.does() {
                Does::Block if reaches().is_some_and(Truth::is_possible) => return true,
                Does::Block => {}
                Does::Limit if matches!(self.call.rates, Rates::Uncounted) => found.held = true,
                Does::Allow | Does::Limit => found.covered |= !found.covered && reaches().is_some_and(Truth::is_sure),
                Does::Approve => found.held = true,
                Does::Mask => found.masked = true,
            }
        }
        false
    }
}

/// What was found about an effect that no block refuses.
#[derive(Clone, Copy, Default)]
struct Found {
    /// Whether an allow surely reaches it, or none is asked for.
    covered: bool,
    /// Whether an approve or a rate may have a say.
    held: bool,
    masked: bool,
}
