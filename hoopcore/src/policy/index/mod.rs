//! Finds the rules that may concern a caller on a resource without looking at all rules.
//!
//! Most rules name a resource, and a group or a user. A rule stands in a cell for each pair of such names that it is
//! good for; what it does not name is the name "any". A caller in three groups is concerned by the rules of a few cells.

mod classes;
mod keys;
mod slots;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::ops::Range;

pub(crate) use classes::{Class, Classes};

use super::rule::{Does, Rule};
use super::session::stands;
use super::standings::Standing;
use crate::identity::Identity;
use crate::resource::{Resource, ResourceKind};
use crate::truth::Truth;
use keys::{Caller, Keys, Kinds};
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
    entries: Box<[Entry]>,
}

/// The names that the rules of a cell are good for.
type Cell = (Key, Key);

/// The number of a name among those of its kind; groups and users share one count.
type Key = u32;

/// Stands for every name.
const ANY: Key = 0;

/// A rule in a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    rule: usize,
    does: Does,
    kinds: Kinds,
    /// Whether the cell and the kinds say all that the rule's `who` and `on` ask.
    settled: bool,
    may: Classes,
    whole: Classes,
}

impl Index {
    /// The index of rules that are in the order of their names.
    pub(super) fn new(rules: &[Rule]) -> Self {
        let (mut resources, mut groups, mut users) = (Texts::default(), Texts::default(), Texts::default());
        let mut cells: BTreeMap<Cell, Vec<Entry>> = BTreeMap::new();
        for (at, rule) in rules.iter().enumerate() {
            let (may, whole) = classes::of(rule);
            let keys = Keys::of(rule);
            let Keys { kinds, settled, .. } = keys;
            let entry = Entry { rule: at, does: Does::of(rule), kinds, settled, may, whole };
            let callers = keys.callers(|group| 2 * groups.add(group), |user| 2 * users.add(user) + 1);
            for resource in keys.resources(|name| resources.add(name)) {
                callers.iter().for_each(|caller| cells.entry((resource, *caller)).or_default().push(entry));
            }
        }
        Self::of(resources, groups, users, cells)
    }

    fn of(resources: Texts, groups: Texts, users: Texts, found: BTreeMap<Cell, Vec<Entry>>) -> Self {
        let mut slots = Slots::with_capacity(found.len());
        let (mut cells, mut entries) = (Vec::with_capacity(found.len()), Vec::new());
        for (at, (cell, mut inside)) in found.into_iter().enumerate() {
            inside.dedup_by_key(|entry| entry.rule);
            slots.insert(hash(cell), at);
            cells.push((cell, entries.len()..entries.len() + inside.len()));
            entries.append(&mut inside);
        }
        Self { resources, groups, users, slots, cells: cells.into(), entries: entries.into() }
    }

    /// The cells of the rules that may concern a caller on a resource; a rule may stand in several.
    pub(super) fn cells<'a>(&'a self, who: &'a Identity, on: &'a Resource) -> impl Iterator<Item = &'a [Entry]> {
        // Where the groups are not known, any may be the caller's.
        let every = who.groups.is_none().then_some(&*self.entries);
        let found = who.groups.as_ref().map(|groups| {
            let user = self.users.find(&who.user).map(|user| 2 * user + 1);
            let groups = groups.iter().filter_map(|group| self.groups.find(group)).map(|group| 2 * group);
            let resource = self.resources.find(&on.name);
            let cells = move |caller| [self.cell((ANY, caller)), resource.map_or(&[], |on| self.cell((on, caller)))];
            [ANY].into_iter().chain(user).chain(groups).flat_map(cells)
        });
        every.into_iter().chain(found.into_iter().flatten())
    }

    /// The cells of all rules whose who and on hold wherever a rule's do, and of others: a rule that asks for names is among
    /// those that ask for one of them, or for none.
    pub(super) fn around(&self, rule: &Rule) -> impl Iterator<Item = &[Entry]> {
        let (resources, callers) = keys::names(rule);
        let keys = |names: Vec<Key>| [ANY].into_iter().chain(names).collect::<BTreeSet<Key>>();
        let resources = keys(resources.iter().filter_map(|name| self.resources.find(name)).collect());
        let callers = keys(callers.iter().filter_map(|caller| self.caller(caller)).collect());
        // So many pairs that all rules are fewer.
        let every = (resources.len() * callers.len() > self.entries.len()).then_some(&*self.entries);
        let pairs =
            resources.into_iter().flat_map(move |on| callers.clone().into_iter().map(move |caller| (on, caller)));
        let found = every.is_none().then(|| pairs.map(|pair| self.cell(pair)));
        every.into_iter().chain(found.into_iter().flatten())
    }

    fn caller(&self, caller: &Caller<'_>) -> Option<Key> {
        match caller {
            Caller::Group(name) => self.groups.find(name).map(|group| 2 * group),
            Caller::User(name) => self.users.find(name).map(|user| 2 * user + 1),
        }
    }

    fn cell(&self, cell: Cell) -> &[Entry] {
        let found = self.slots.find(hash(cell), |at| self.cells.get(at).is_some_and(|(other, _)| *other == cell));
        found.and_then(|at| self.entries.get(self.cells.get(at)?.1.clone())).unwrap_or_default()
    }
}

impl Entry {
    /// Whether the rule may match an effect of these classes on a kind of resource.
    pub(crate) fn meets(&self, classes: Classes, kind: ResourceKind) -> bool {
        self.may.meets(classes) && self.kinds.has(kind)
    }

    /// The rule's place among all.
    pub(super) fn rule(&self) -> usize {
        self.rule
    }

    /// What the rule does.
    pub(crate) fn does(&self) -> Does {
        self.does
    }

    /// The rule, where its who and on may hold.
    pub(crate) fn standing(&self, rules: &[Rule], who: &Identity, on: &Resource) -> Option<Standing> {
        let Self { rule, may, whole, .. } = *self;
        let is_settled = self.settled && who.groups.is_some();
        let truth =
            if is_settled { Truth::Yes } else { rules.get(rule).map_or(Truth::May, |rule| stands(rule, who, on)) };
        truth.is_possible().then_some(Standing { rule, truth, may, whole })
    }
}

fn hash((resource, caller): Cell) -> u64 {
    slots::mix(u64::from(resource) << 32 | u64::from(caller))
}
