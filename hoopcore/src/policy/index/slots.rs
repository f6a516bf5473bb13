//! A table from hashes to places, with open addressing; and texts that are numbered through one.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// An odd number whose bits look random: 2^64 over the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Places by hash. At most half of the slots are taken, so that each search ends soon.
#[derive(Clone, Debug)]
pub(super) struct Slots(Box<[Option<u32>]>);

impl Slots {
    /// Room for so many places.
    pub(super) fn with_capacity(places: usize) -> Self {
        Self(vec![None; (2 * places).next_power_of_two().max(8)].into())
    }

    /// Puts a place into the first free slot for its hash. There is room for as many as were announced.
    pub(super) fn insert(&mut self, hash: u64, place: usize) {
        let slots = self.probe(hash);
        let free = slots.into_iter().flatten().find(|slot| self.0.get(*slot).is_some_and(Option::is_none));
        if let Some(slot) = free.and_then(|slot| self.0.get_mut(slot)) {
            *slot = u32::try_from(place).ok();
        }
    }

    /// The place with this hash that is the one looked for.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        for slot in self.probe(hash).into_iter().flatten() {
            let place = (*self.0.get(slot)?)? as usize;
            if is_it(place) {
                return Some(place);
            }
        }
        None
    }

    /// The slots for a hash, in the order in which they are taken.
    fn probe(&self, hash: u64) -> [core::ops::Range<usize>; 2] {
        let first = hash as usize & (self.0.len() - 1);
        [first..self.0.len(), 0..first]
    }
}

/// Texts, each with its number, counted from one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    slots: Option<Slots>,
    texts: Vec<Box<str>>,
}

impl Texts {
    /// The number of a text, which it gets if it has none.
    pub(crate) fn add(&mut self, text: &str) -> u32 {
        if let Some(number) = self.find(text) {
            return number;
        }
        self.texts.push(text.into());
        if self.slots.as_ref().is_none_or(|slots| 2 * self.texts.len() > slots.0.len()) {
            self.grow();
        } else if let Some(slots) = &mut self.slots {
            slots.insert(hash(text), self.texts.len() - 1);
        }
        number(self.texts.len() - 1)
    }

    /// The number of a text that has one.
    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        let is_it = |at: usize| self.texts.get(at).is_some_and(|known| **known == *text);
        self.slots.as_ref()?.find(hash(text), is_it).map(number)
    }

    fn grow(&mut self) {
        let mut slots = Slots::with_capacity(2 * self.texts.len());
        for (at, text) in self.texts.iter().enumerate() {
            slots.insert(hash(text), at);
        }
        self.slots = Some(slots);
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX - 1) + 1
}

/// A hash of a text. Who writes the policy chooses what is in the tables; callers only look up.
fn hash(text: &str) -> u64 {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let step = |hash: u64, word: [u8; 8]| (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(SPREAD);
    mix(step(words.iter().copied().fold(text.len() as u64, step), last))
}

/// Spreads what differs in a number's high bits over the low ones.
pub(super) fn mix(number: u64) -> u64 {
    let spread = number.wrapping_mul(SPREAD);
    spread ^ (spread >> 32)
}
