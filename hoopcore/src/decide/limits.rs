//! Which limits hold for a command: those of every allow that may reach one of its effects.

use alloc::vec::Vec;

use super::evaluation::{Evaluation, Fetched, Item, Step};
use crate::limit::{Charge, Limit, LimitKind, Limits, Rates};
use crate::policy::rule::Rule;
use crate::policy::standings::Standing;

impl<'a> Evaluation<'a> {
    /// Hands over each rule with limits that may reach an effect which an allow is asked for, or which a cursor returns;
    /// a rule as often as it does, by its place.
    fn limiting(&self, visit: &mut dyn FnMut(usize, &'a Rule)) {
        if self.session.rules.limited.is_empty() {
            return;
        }
        self.walk(&mut |step| match step {
            Step::Effect(item) if item.is_asked() || item.fetched() != Fetched::No => {
                for standing in &self.session.rules.limited {
                    if self.may_limit(*standing, &item)
                        && let Some(rule) = self.session.rule(standing.rule)
                    {
                        visit(standing.rule, rule);
                    }
                }
            }
            Step::Effect(_) | Step::End => {}
        });
    }

    /// Whether a rule's limits hold for what has this effect.
    fn may_limit(&self, standing: Standing, item: &Item<'a>) -> bool {
        item.fetched() == Fetched::Anything || self.reaches(standing, item).is_possible()
    }

    /// How much may come back.
    pub(super) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        self.limiting(&mut |_, rule| {
            let words = rule.limits();
            let one = |(kind, most): (LimitKind, Option<u64>)| Some(Limit { kind, most: most?, rule: rule.at.clone() });
            let each =
                [(LimitKind::Rows, words.rows), (LimitKind::Bytes, words.bytes), (LimitKind::Seconds, words.seconds)];
            each.into_iter().filter_map(one).for_each(|limit| limits.add(limit));
        });
        limits
    }

    /// The first rule with a rate that may reach the command.
    fn rated(&self) -> Option<usize> {
        let mut first: Option<usize> = None;
        self.limiting(&mut |place, rule| {
            if rule.limits().per_minute.is_some() {
                first = Some(first.map_or(place, |first| first.min(place)));
            }
        });
        first
    }

    /// The rule whose rate cannot be kept, because nothing counts.
    pub(super) fn uncounted(&self) -> Option<usize> {
        match self.call.rates {
            Rates::Uncounted => self.rated(),
            Rates::Counted(_) | Rates::Ignored => None,
        }
    }

    /// Counts the command against each rate that holds for it; the rule that leaves no room for it, if one does.
    pub(super) fn charge(&self) -> Option<usize> {
        let Rates::Counted(counter) = self.call.rates else { return self.uncounted() };
        let mut rates: Vec<(usize, Charge<'_>)> = Vec::new();
        self.limiting(&mut |place, rule| {
            if let Some(per_minute) = rule.limits().per_minute {
                rates.push((place, Charge { who: self.session.who, rule: &rule.at.name, per_minute }));
            }
        });
        rates.sort_by_key(|(place, _)| *place);
        rates.dedup_by_key(|(place, _)| *place);
        let charges: Vec<Charge<'_>> = rates.iter().map(|(_, charge)| *charge).collect();
        let full = if charges.is_empty() { Ok(()) } else { counter.charge(&charges, self.call.now) };
        // A counter that names a place that there is not has counted nothing for sure.
        full.err().and_then(|at| rates.get(at).or(rates.first())).map(|(place, _)| *place)
    }

    /// The limit on the rate of a rule.
    pub(super) fn rate(&self, place: usize) -> Option<Limit> {
        let rule = self.session.rule(place)?;
        let most = u64::from(rule.limits().per_minute?);
        Some(Limit { kind: LimitKind::PerMinute, most, rule: rule.at.clone() })
    }
}
