//! Finds the rules that may concern a caller on a resource without looking at all rules.
//!
//! Most rules name a resource, and a group or a user. A rule stands in a cell for each pair of such names that it is
//! good for; what it does not name is the name "any". A caller in three groups is concerned by the rules of a few cells.

mod classes;
mod keys;
mod slots;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

pub(crate) use classes::{Class, Classes};

use super::rule::Rule;
use super::session::stands;
use super::standings::Standing;
use crate::identity::Identity;
use crate::resource::Resource;
use crate::truth::Truth;
use keys::Keys;
use slots::Slots;
pub(crate) use slots::Texts;

/// Where rules stand, by the resources and callers that they name.
#[derive(Debug)]
pub(super) struct Index {
    resources: Texts,
    groups: Texts,
    users: Texts,
    slots: Slots,
    cells: Box<[(Cell, Range<usize>)]>,
    places: Box<[Place]>,
}

/// The names that the rules of a cell are good for.
type Cell = (Key, Key);

/// The number of a name among those of its kind; groups and users share one count.
type Key = u32;

/// Stands for every name.
const ANY: Key = 0;

/// A rule in a cell.
#[derive(Clone, Copy, Debug)]
struct Place {
    rule: usize,
    /// Whether the cell says all that the rule's `who` and `on` ask.
    settled: bool,
    may: Classes,
    whole: Classes,
}

impl Index {
    /// The index of rules that are in the order of their names.
    pub(super) fn new(rules: &[Rule]) -> Self {
        let (mut resources, mut groups, mut users) = (Texts::default(), Texts::default(), Texts::default());
        let mut cells: BTreeMap<Cell, Vec<Place>> = BTreeMap::new();
        for (at, rule) in rules.iter().enumerate() {
            let (may, whole) = classes::of(rule);
            let keys = Keys::of(rule);
            let place = Place { rule: at, settled: keys.settled, may, whole };
            let callers = keys.callers(|group| 2 * groups.add(group), |user| 2 * users.add(user) + 1);
            for resource in keys.resources(|name| resources.add(name)) {
                callers.iter().for_each(|caller| cells.entry((resource, *caller)).or_default().push(place));
            }
        }
        Self::of(resources, groups, users, cells)
    }

    fn of(resources: Texts, groups: Texts, users: Texts, found: BTreeMap<Cell, Vec<Place>>) -> Self {
        let mut slots = Slots::with_capacity(found.len());
        let (mut cells, mut places) = (Vec::with_capacity(found.len()), Vec::new());
        for (at, (cell, mut inside)) in found.into_iter().enumerate() {
            inside.dedup_by_key(|place| place.rule);
            slots.insert(hash(cell), at);
            cells.push((cell, places.len()..places.len() + inside.len()));
            places.append(&mut inside);
        }
        Self { resources, groups, users, slots, cells: cells.into(), places: places.into() }
    }

    /// The rules of which who and on may hold, and which may match an effect of these classes; not in order.
    pub(super) fn standings(&self, rules: &[Rule], who: &Identity, on: &Resource, asked: Classes) -> Vec<Standing> {
        let mut standings = Vec::with_capacity(32);
        let mut visit = |place: &Place| {
            if !place.may.meets(asked) {
                return;
            }
            let rule = rules.get(place.rule);
            let truth = if place.settled { Truth::Yes } else { rule.map_or(Truth::May, |rule| stands(rule, who, on)) };
            let Place { rule, may, whole, .. } = *place;
            if truth.is_possible() {
                standings.push(Standing { rule, truth, may, whole });
            }
        };
        match &who.groups {
            // Any group may be the caller's: a rule may come up in several cells.
            None => self.places.iter().for_each(|place| visit(&Place { settled: false, ..*place })),
            Some(groups) => {
                let groups = groups.iter().filter_map(|group| self.groups.find(group)).map(|group| 2 * group);
                let user = self.users.find(&who.user).map(|user| 2 * user + 1);
                let callers = || [ANY].into_iter().chain(user).chain(groups.clone());
                for resource in [ANY].into_iter().chain(self.resources.find(&on.name)) {
                    callers().flat_map(|caller| self.cell((resource, caller))).for_each(&mut visit);
                }
            }
        }
        standings
    }

    fn cell(&self, cell: Cell) -> &[Place] {
        let found = self.slots.find(hash(cell), |at| self.cells.get(at).is_some_and(|(other, _)| *other == cell));
        found.and_then(|at| self.places.get(self.cells.get(at)?.1.clone())).unwrap_or_default()
    }
}

fn hash((resource, caller): Cell) -> u64 {
    slots::mix(u64::from(resource) << 32 | u64::from(caller))
}
