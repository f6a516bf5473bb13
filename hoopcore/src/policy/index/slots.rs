//! A table from hashes to places, with open addressing; and texts that are numbered through one.

use alloc::boxed::Box;
use alloc::sync::Arc;
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
    texts: Vec<Arc<str>>,
}

impl Texts {
    /// The number of a text, which it gets if it has none.
    pub(crate) fn add(&mut self, text: impl AsRef<str> + Into<Arc<str>>) -> u32 {
        let hash = hash(text.as_ref());
        self.place(hash, text.as_ref()).map_or_else(|| self.push(hash, text.into()), number)
    }

    /// The one copy of a text that is kept, however often it is asked for.
    pub(crate) fn shared(&mut self, text: &str) -> Arc<str> {
        let at = self.add(text) as usize - 1;
        self.texts.get(at).map_or_else(|| text.into(), Arc::clone)
    }

    /// The number of a text that has one.
    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        self.place(hash(text), text).map(number)
    }

    fn place(&self, hash: u64, text: &str) -> Option<usize> {
        self.slots.as_ref()?.find(hash, |at| self.texts.get(at).is_some_and(|known| **known == *text))
    }

    fn push(&mut self, hash: u64, text: Arc<str>) -> u32 {
        self.texts.push(text);
        let at = self.texts.len() - 1;
        match &mut self.slots {
            Some(slots) if 2 * self.texts.len() <= slots.0.len() => slots.insert(hash, at),
            Some(_) | None => self.grow(),
        }
        number(at)
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
    let (words, _) = text.as_bytes().as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain([last_word(text.as_bytes())]);
    words.fold(text.len() as u64, |hash, word| mix(hash.rotate_left(5) ^ word))
}

/// A number that the last eight bytes tell.
fn last_word(bytes: &[u8]) -> u64 {
    let half = |half: &[u8; 4]| u64::from(u32::from_le_bytes(*half));
    match (bytes.last_chunk::<8>(), bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(word), _, _) => u64::from_le_bytes(*word),
        (None, Some(first), Some(last)) => half(first) << 32 | half(last),
        (None, _, _) => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Spreads what differs in any bit of a number over all others.
pub(super) fn mix(number: u64) -> u64 {
    let spread = u128::from(number) * u128::from(SPREAD);
    (spread ^ spread >> 64) as u64
}
