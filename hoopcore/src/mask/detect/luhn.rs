//! The check digit of Luhn (ISO/IEC 7812-1, Annex B).

/// Twice a digit, less nine where that has two digits.
const DOUBLED: [usize; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];

/// Whether the last of some digits checks the others.
pub(super) fn holds(number: &[u8]) -> bool {
    let digits = number.iter().rev().map(|digit| usize::from(digit.wrapping_sub(b'0')));
    let doubled = |(place, digit)| if place % 2 == 1 { DOUBLED.get(digit).copied().unwrap_or(0) } else { digit };
    digits.enumerate().map(doubled).sum::<usize>().is_multiple_of(10)
}
