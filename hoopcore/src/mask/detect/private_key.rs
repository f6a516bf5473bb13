//! Private keys in PEM ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)), of OpenSSH and of PGP: from their first
//! line to their last, or to where what follows cannot be a key.

use memchr::memmem;

use super::findings::Sink;
use super::text::Class;
use super::{Entry, Scan};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

/// What a first line says after the kind of its key.
const KEY: &[u8] = b"PRIVATE KEY";

/// How many bytes of a first line name the kind of its key: `ENCRYPTED `, `OPENSSH `, `PGP `.
const LONGEST_KIND: usize = 32;

/// What keys are made of, with their headers and, in a text of another form, escapes of line ends.
const BODY: Class =
    Class::URL_SAFE.or(Class::BASE64).or(Class::BETWEEN_DIGITS).or(Class::COLON).or(Class::READS_OTHERWISE);

pub(super) static ENTRY: Entry = Entry {
    word: "private_key",
    about: "private keys in PEM, of OpenSSH and of PGP, whole or cut off; not public keys and certificates",
    example: "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ3m\n-----END PRIVATE KEY-----",
    shortest: BEGIN.len() + KEY.len(),
    needs: Class::DASH,
    digits: 0,
    scan: Scan::Text(scan),
};

fn scan(text: &[u8], sink: &mut Sink<'_>) {
    let mut after = 0;
    let mut body = 0..0;
    for begin in memmem::find_iter(text, BEGIN) {
        let kind = begin + BEGIN.len();
        let line = text.iter().skip(kind).take(LONGEST_KIND + KEY.len()).take_while(|byte| **byte != b'-').count();
        if sink.spend(1 + line).is_none() {
            return;
        }
        let is_private = text.get(kind..kind + line).is_some_and(|line| memmem::find(line, KEY).is_some());
        if begin < after || !is_private {
            continue;
        }
        if !body.contains(&(kind + line)) {
            body = kind + line..BODY.end(text, kind + line);
        }
        after = key_end(text, kind + line, body.end);
        if sink.spend((after - begin) / 8).is_none() {
            return;
        }
        sink.found(begin, after);
    }
}

/// Where the key ends whose first line names its kind up to `at`: with its last line or, where that is cut off, with
/// the last byte that can be of a key.
fn key_end(text: &[u8], at: usize, body_end: usize) -> usize {
    let body = text.get(at..body_end).unwrap_or_default();
    let Some(last) = memmem::find(body, END).map(|place| at + place + END.len()) else { return body_end };
    let words = text.iter().skip(last).take(LONGEST_KIND + KEY.len()).take_while(|byte| **byte != b'-').count();
    let hyphens = text.iter().skip(last + words).take(5).take_while(|byte| **byte == b'-').count();
    last + words + hyphens
}
