//! JSON Web Tokens in their compact form ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519#section-3)): three or five
//! parts of Base64, the first of which is a JSON object with an algorithm.

use core::ops::Range;

use super::findings::Sink;
use super::text::Class;
use super::{Entry, Scan};

/// The shortest token worth the name: a header with `alg`, a payload and two dots.
const SHORTEST: usize = 24;

/// How much of a header is decoded to find its algorithm.
const HEADER: usize = 256;

pub(super) static ENTRY: Entry = Entry {
    word: "jwt",
    about: "JSON Web Tokens: a header with an algorithm, a payload, a signature; not one part alone",
    example: "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.3Zk8rT1wqL9vYbXcN5mHs2PfJ7aGe4UoQ6tKdRiWzBE",
    shortest: SHORTEST,
    needs: Class::DOT,
    digits: 0,
    scan: Scan::Jwt,
};

/// Finds every token in a stretch of the bytes that tokens are made of, for the detector at place `by`.
pub(super) fn scan(text: &[u8], run: Range<usize>, by: usize, sink: &mut Sink<'_>) -> Option<()> {
    let mut parts = Parts { text, left: run.clone() }.peekable();
    while let Some(header) = parts.next() {
        let Some(payload) = parts.peek() else { return Some(()) };
        sink.spend(1 + header.len().min(HEADER))?;
        let Some(start) = header_start(text, &header).filter(|_| payload.len() >= 2) else { continue };
        // The signature is empty where the algorithm is `none`; an encrypted token has two parts more.
        let rest = Parts { text, left: payload.start..run.end }.take(4).take_while(|part| !part.is_empty());
        sink.found_by(by, start, rest.last().map_or(payload.end, |part| part.end));
    }
    Some(())
}

/// Where a header begins in a part: at `eyJ`, which is `{"`, if it names an algorithm.
fn header_start(text: &[u8], part: &Range<usize>) -> Option<usize> {
    let bytes = text.get(part.clone())?;
    let skipped = bytes.windows(3).take(HEADER).position(|three| three == b"eyJ")?;
    names_algorithm(bytes.get(skipped..)?).then_some(part.start + skipped)
}

/// Whether `"alg"` stands in what the beginning of a header decodes to.
fn names_algorithm(header: &[u8]) -> bool {
    let mut decoded = [0; HEADER / 4 * 3];
    let chunks = header.chunks(4).zip(decoded.chunks_mut(3));
    chunks.for_each(|(four, three)| decode(four, three));
    decoded.windows(5).any(|word| word == br#""alg""#)
}

/// Four characters of Base64 as three bytes; what is missing counts as zero.
fn decode(four: &[u8], three: &mut [u8]) {
    let value = (0..4).fold(0_u32, |value, place| value << 6 | four.get(place).map_or(0, |byte| sextet(*byte)));
    let [_, bytes @ ..] = value.to_be_bytes();
    three.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
}

fn sextet(byte: u8) -> u32 {
    match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'-' => 62,
        _ => 63,
    }
}

/// The parts between dots, within a stretch of bytes that tokens are made of.
struct Parts<'a> {
    text: &'a [u8],
    left: Range<usize>,
}

impl Iterator for Parts<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left.start >= self.left.end {
            return None;
        }
        let end = Class::URL_SAFE.end(self.text, self.left.start).min(self.left.end);
        let part = self.left.start..end;
        self.left.start = if self.text.get(end) == Some(&b'.') { end + 1 } else { self.left.end };
        Some(part)
    }
}
