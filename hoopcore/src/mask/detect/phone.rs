//! Phone numbers as people write them: with a country's code, with the area in parentheses, or in groups of digits.
//! No check digit tells them from other numbers, so dates, amounts and numbers of other shapes are left alone.

use super::findings::Sink;
use super::text::{Class, begins_word, byte_at, byte_before, ends_word, follows};
use super::{Entry, Scan};

/// Most groups of a number.
const GROUPS: usize = 7;

/// Most digits of a number with its country's code (ITU-T E.164), and of two zeros before it.
const MOST: usize = 17;

/// Words that say of ten digits without groups that they are a phone number.
const WORDS: &[&str] = &["phone", "tel", "telephone", "mobile", "cell", "call", "fax", "whatsapp", "sms", "number"];

pub(super) static ENTRY: Entry = Entry {
    word: "phone",
    about: "phone numbers: `+` and a country's code, an area in parentheses, or two to five groups of digits; ten digits alone only after a word such as `phone`",
    example: "call (650) 253-0000 now",
    shortest: 8,
    needs: Class::DIGIT,
    digits: 7,
    scan: Scan::Text(scan),
};

fn scan(text: &[u8], sink: &mut Sink<'_>) {
    let mut at = 0;
    while let Some(skipped) = text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
        let digits = at + skipped;
        let number = Number::read(text, digits);
        if sink.spend(1 + (number.end - digits)).is_none() {
            return;
        }
        if number.is_phone(text) {
            sink.found(number.start, number.end);
        }
        at = number.end.max(Class::DIGIT.end(text, digits));
    }
}

/// Groups of digits and what stands between them.
#[derive(Debug)]
struct Number {
    start: usize,
    end: usize,
    /// The lengths of the groups; zero where there is none.
    groups: [usize; GROUPS],
    count: usize,
    digits: usize,
    separator: Option<u8>,
    is_international: bool,
    has_area: bool,
    /// Whether more groups follow than a number has.
    goes_on: bool,
}

impl Number {
    /// Reads the number whose first digit stands at a place.
    fn read(text: &[u8], first: usize) -> Self {
        let has_area = byte_before(text, first) == Some(b'(');
        let start = first - usize::from(has_area);
        let is_international = byte_before(text, start) == Some(b'+');
        let start = start - usize::from(is_international);
        let mut number = Self {
            start,
            end: first,
            groups: [0; GROUPS],
            count: 0,
            digits: 0,
            separator: None,
            is_international,
            has_area,
            goes_on: false,
        };
        let mut at = first;
        loop {
            let end = at + text.iter().skip(at).take(MOST + 1).take_while(|byte| byte.is_ascii_digit()).count();
            let Some(group) = number.groups.get_mut(number.count) else {
                number.goes_on = true;
                break;
            };
            *group = end - at;
            number.count += 1;
            number.digits += end - at;
            number.end = end;
            let Some(next) = number.next_group(text, end) else { break };
            at = next;
        }
        number.end = extension_end(text, number.end);
        number
    }

    /// Where the next group begins: after one separator, parentheses around an area, or both.
    fn next_group(&mut self, text: &[u8], end: usize) -> Option<usize> {
        let length = text.iter().skip(end).take(4).take_while(|byte| b" -./()".contains(byte)).count();
        let between = text.get(end..end + length)?;
        let allowed = matches!(between, [b' ' | b'-' | b'.' | b'/'] | [b')'] | [b')', b' ' | b'-'] | b" (" | b"(");
        if !allowed || !byte_at(text, end + length)?.is_ascii_digit() {
            return None;
        }
        self.separator = self.separator.or(between.first().copied().filter(|byte| b" -./".contains(byte)));
        Some(end + length)
    }

    fn is_phone(&self, text: &[u8]) -> bool {
        let alone = begins_word(text, self.start)
            && ends_word(text, self.end)
            && !continues(text, self.start.checked_sub(1), self.start.checked_sub(2))
            && !is_part(text, self.start)
            && !continues(text, Some(self.end), Some(self.end + 1));
        alone && !self.goes_on && self.digits <= MOST && self.has_shape(text)
    }

    fn has_shape(&self, text: &[u8]) -> bool {
        let groups = self.groups.get(..self.count).unwrap_or_default();
        if self.is_international {
            return (8..=15).contains(&self.digits);
        }
        if self.has_area {
            return (7..=12).contains(&self.digits) && groups.first().is_some_and(|area| (2..=4).contains(area));
        }
        if text.get(self.start..self.start + 2) == Some(b"00") {
            return (10..=MOST).contains(&self.digits) && self.count > 1;
        }
        match self.separator {
            None => groups == [10] && follows(text, self.start, WORDS),
            Some(b'.') => matches!(groups, [3, 3, 4] | [2, 2, 2, 2, 2]),
            Some(b'/') => matches!(groups, [3..=5, 6..=8]),
            Some(_) if self.count == 2 => is_pair(groups, text.get(self.start)) && !self.is_street(text),
            Some(_) => (7..=13).contains(&self.digits) && is_grouped(groups),
        }
    }

    /// Whether a name follows, as after the number of a house.
    fn is_street(&self, text: &[u8]) -> bool {
        byte_at(text, self.end) == Some(b' ')
            && byte_at(text, self.end + 1).is_some_and(|byte| byte.is_ascii_uppercase())
    }
}

/// Two groups as in phone numbers: local ones, or an area with its leading zero.
fn is_pair(groups: &[usize], first: Option<&u8>) -> bool {
    let has_area = first == Some(&b'0') && matches!(groups, [3..=5, 5..=8]);
    has_area || matches!(groups, [3 | 4, 4] | [2, 6])
}

/// Groups as in phone numbers, and not as in dates, social security numbers and cards.
fn is_grouped(groups: &[usize]) -> bool {
    let other = matches!(groups, [4, 2, 2] | [2, 2, 4] | [4, 4, 4] | [3 | 4, 2, 4] | [4, 1..=2, 1..=2] | [4, 6, 4 | 5]);
    let first = groups.first().is_some_and(|group| (1..=5).contains(group));
    let rest = groups.iter().skip(1).all(|group| (2..=8).contains(group));
    groups.len() > 1 && first && rest && !other
}

/// Whether a hyphen ties a place to a word before it, as in product codes and UUIDs.
fn is_part(text: &[u8], start: usize) -> bool {
    byte_before(text, start) == Some(b'-')
        && byte_before(text, start - 1).is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a separator and a digit show that a number goes on.
fn continues(text: &[u8], separator: Option<usize>, digit: Option<usize>) -> bool {
    let is = |place: Option<usize>, wanted: fn(u8) -> bool| place.and_then(|at| byte_at(text, at)).is_some_and(wanted);
    is(separator, |byte| b"-./,:".contains(&byte)) && is(digit, |byte| byte.is_ascii_digit())
}

/// Where an extension ends, as in `555-0100x36`.
fn extension_end(text: &[u8], end: usize) -> usize {
    let digits = match byte_at(text, end) {
        Some(b'x' | b'X') => Class::DIGIT.end(text, end + 1) - (end + 1),
        _ => 0,
    };
    if (1..=6).contains(&digits) { end + 1 + digits } else { end }
}
