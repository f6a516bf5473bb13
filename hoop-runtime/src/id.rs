//! Short names that nobody can guess.

/// Crockford's base 32: no letter that reads like a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A random name of `length` characters with five bits of chance in each.
pub(crate) fn random(length: usize) -> String {
    (0..length).map(|_| letter(rand::random())).collect()
}

fn letter(chance: u8) -> char {
    ALPHABET.get(usize::from(chance % 32)).copied().map_or('0', char::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_asked_length_and_differ() {
        let (one, other) = (random(10), random(10));
        assert_eq!((one.len(), other.len()), (10, 10));
        assert_ne!(one, other);
    }
}
