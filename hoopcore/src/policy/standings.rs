//! The rules that may concern a caller on a resource, sorted by what they do.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Policy;
use super::index::{Class, Classes};
use super::pattern::ColumnPattern;
use super::rule::{Action, Does, Masks, Rule};
use super::session::Plans;
use crate::audit::Caller;
use crate::decide::Settled;
use crate::identity::{Identity, Verified};
use crate::mask::{CellType, Detector, MaskPlan, Style};
use crate::resource::Resource;
use crate::truth::Truth;

/// A rule whose who and on hold, perhaps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Its place among the policy's rules.
    pub(crate) rule: usize,
    /// Whether who and on hold: never `No`.
    pub(crate) truth: Truth,
    /// Of which classes it may match an effect.
    pub(super) may: Classes,
    /// Of which classes it matches every effect, whatever the call.
    pub(super) whole: Classes,
}

/// Rules by what they do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standings {
    pub(crate) blocks: Ranks,
    pub(crate) allows: Ranks,
    /// Those of the allows that limit what they let through.
    pub(crate) limited: Vec<Standing>,
    pub(crate) approves: Vec<Standing>,
    pub(crate) masks: Vec<Standing>,
}

/// Rules of which the first that matches counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranks {
    all: Vec<Standing>,
    by_class: Option<ByClass>,
}

/// The rules for each class, up to the first that surely matches whatever is asked.
#[derive(Clone, Debug)]
struct ByClass {
    rules: Box<[Standing]>,
    /// Where the rules of each class begin and end.
    ranges: Box<[(u32, u32); Class::COUNT]>,
}

/// A policy as it concerns one caller on one resource, for as long as a question is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standpoint<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) who: &'a Verified<Identity>,
    pub(crate) on: &'a Resource,
    pub(crate) rules: &'a Standings,
    /// What a session keeps; a single question works it out.
    pub(crate) kept: Option<&'a Kept>,
}

/// What does not change from question to question.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(super) named: Named,
    /// The mask plans of rules without `when`, by whether columns are armed and the answer is tainted.
    pub(crate) plans: Option<Plans>,
    pub(crate) settled: Settled,
}

/// The caller and the resource as records name them.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) caller: Arc<Caller>,
    pub(crate) resource: Arc<(String, Option<String>)>,
}

impl Named {
    pub(super) fn of(who: &Verified<Identity>, on: &Resource) -> Self {
        let caller = Caller {
            user: who.user.clone(),
            kind: who.kind,
            issuer: who.issuer.clone(),
            groups: who.groups.clone(),
            how: who.how().to_string(),
        };
        Self { caller: Arc::new(caller), resource: Arc::new((on.name.clone(), on.database.clone())) }
    }
}

impl Standing {
    /// Whether it may match an effect of a class.
    pub(crate) fn may_match(&self, class: Class) -> bool {
        self.may.has(class)
    }

    /// Whether it matches every effect of a class, whatever the call.
    pub(crate) fn is_whole(&self, class: Class) -> bool {
        self.whole.has(class)
    }
}

impl Standings {
    /// The rules of an index that may concern a caller on a resource and match an effect of these classes; not in order.
    pub(super) fn gather(policy: &Policy, who: &Identity, on: &Resource, asked: Classes) -> Self {
        let mut standings = Self::default();
        for entry in policy.cells(who, on).flatten().filter(|entry| entry.meets(asked, on.kind)) {
            if let Some(standing) = entry.standing(policy.rules(), who, on) {
                standings.add(entry.does(), standing);
            }
        }
        standings
    }

    fn add(&mut self, does: Does, standing: Standing) {
        match does {
            Does::Block => self.blocks.all.push(standing),
            Does::Allow => self.allows.all.push(standing),
            Does::Limit => {
                self.allows.all.push(standing);
                self.limited.push(standing);
            }
            Does::Approve => self.approves.push(standing),
            Does::Mask => self.masks.push(standing),
        }
    }

    /// The same, each rule once and in their order.
    pub(super) fn in_order(mut self) -> Self {
        let Self { blocks, allows, limited, approves, masks } = &mut self;
        for rules in [&mut blocks.all, &mut allows.all, limited, approves, masks] {
            rules.sort_unstable_by_key(|standing| standing.rule);
            rules.dedup_by_key(|standing| standing.rule);
        }
        self
    }

    /// Makes looking them up faster, for many questions.
    pub(super) fn by_class(mut self) -> Self {
        for ranks in [&mut self.blocks, &mut self.allows] {
            ranks.by_class = Some(ByClass::new(&ranks.all));
        }
        self
    }
}

impl Ranks {
    /// Whether there is no rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The rules that may match an effect of a class, in their order; what comes after one that surely does is left out.
    pub(crate) fn of(&self, class: Class) -> impl Iterator<Item = &Standing> {
        let rules = self.by_class.as_ref().map_or(self.all.as_slice(), |by_class| by_class.of(class));
        rules.iter().filter(move |standing| standing.may.has(class))
    }
}

impl ByClass {
    fn new(all: &[Standing]) -> Self {
        let mut rules: Vec<Standing> = Vec::new();
        let mut ranges = Box::new([(0, 0); Class::COUNT]);
        let count = |rules: &[Standing]| u32::try_from(rules.len()).unwrap_or(u32::MAX);
        for (class, range) in Class::all().zip(ranges.iter_mut()) {
            range.0 = count(&rules);
            for standing in all.iter().filter(|standing| standing.may.has(class)) {
                rules.push(*standing);
                if standing.is_whole(class) && standing.truth.is_sure() {
                    break;
                }
            }
            range.1 = count(&rules);
        }
        Self { rules: rules.into(), ranges }
    }

    fn of(&self, class: Class) -> &[Standing] {
        let range = self.ranges.get(class.place()).map(|(start, end)| *start as usize..*end as usize);
        range.and_then(|range| self.rules.get(range)).unwrap_or_default()
    }
}

impl<'a> Standpoint<'a> {
    /// The caller and the resource as records name them.
    pub(crate) fn named(&self) -> Named {
        self.kept.map_or_else(|| Named::of(self.who, self.on), |kept| kept.named.clone())
    }

    /// The rule at a place.
    pub(crate) fn rule(&self, at: usize) -> Option<&'a Rule> {
        self.policy.rules().get(at)
    }

    /// Every rule that may concern the caller.
    pub(super) fn standing_rules(&self) -> impl Iterator<Item = &'a Rule> {
        let Standings { blocks, allows, limited: _, approves, masks } = self.rules;
        let policy = self.policy;
        let all = blocks.all.iter().chain(&allows.all).chain(approves).chain(masks);
        all.filter_map(move |standing| policy.rules().get(standing.rule))
    }

    /// The mask rules that may concern the caller.
    pub(crate) fn mask_rules(&self) -> impl Iterator<Item = (&'a Rule, &'a Masks)> {
        let policy = self.policy;
        self.rules.masks.iter().filter_map(move |standing| {
            let rule = policy.rules().get(standing.rule)?;
            match &rule.action {
                Action::Mask(masks) => Some((rule, masks)),
                Action::Allow(_) | Action::Block(_) | Action::Approve(_) => None,
            }
        })
    }

    /// Patterns of the columns that a mask may hide from the caller, each once.
    pub(crate) fn protected_columns(&self) -> Vec<ColumnPattern> {
        let mut patterns: Vec<ColumnPattern> = Vec::new();
        for mask in self.mask_rules().flat_map(|(_, masks)| &masks.columns) {
            if !patterns.contains(&mask.pattern) {
                patterns.push(mask.pattern.clone());
            }
        }
        patterns
    }

    /// The plan of those mask rules that are armed.
    pub(crate) fn plan(&self, armed: impl Fn(&Rule) -> bool, with_columns: bool, tainted: bool) -> MaskPlan {
        let rules = || self.mask_rules().filter(|(rule, _)| armed(rule)).map(|(_, masks)| masks);
        let columns = rules().filter(|_| with_columns).flat_map(|masks| masks.columns.iter().cloned()).collect();
        let styles = |detector| {
            rules()
                .flat_map(|masks| &masks.detectors)
                .filter(move |(other, _)| *other == detector)
                .map(|(_, style)| style)
        };
        let strictest = |detector| Style::strictest_on(CellType::Text, styles(detector)).map(|style| (detector, style));
        MaskPlan::new(columns, Detector::ALL.into_iter().filter_map(strictest).collect(), tainted)
    }
}
