//! Numbers that look random and are the same in every run.

/// A generator of 64-bit numbers (xorshift*).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.number() >> 16) % bound
    }

    /// One of some things.
    pub fn one_of<'a, T: ?Sized>(&mut self, things: &[&'a T]) -> Option<&'a T> {
        let place = self.below(things.len().max(1) as u64);
        things.get(usize::try_from(place).ok()?).copied()
    }

    /// Whether something comes to pass that does in so many of a hundred cases.
    pub fn in_percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// So many digits.
    pub fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap_or(0))).collect()
    }
}
