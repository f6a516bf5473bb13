//! E-mail addresses: `local@domain.tld` ([RFC 5321](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2) mailboxes
//! as people write them, with the letters of all languages), quoted local parts, and domains in brackets.

use memchr::memchr_iter;

use super::Entry;
use super::findings::Sink;
use super::text::{Classes, byte_at, byte_before, char_at, char_before};

/// The longest local part: 64 octets.
const LONGEST_LOCAL: usize = 64;

/// The longest domain: 255 octets.
const LONGEST_DOMAIN: usize = 255;

/// Endings that pictures for dense screens bear after `@2x`.
const PICTURES: [&[u8]; 6] = [b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp"];

pub(super) static ENTRY: Entry = Entry {
    word: "email",
    about: "e-mail addresses with a dotted domain; not `user@host`, not `package@1.2.3`, not `git@host:path`",
    example: "contact jane.doe@example.com, thanks",
    needs: Classes::AT,
    scan,
};

fn scan(text: &[u8], sink: &mut Sink<'_>) {
    for at in memchr_iter(b'@', text) {
        let address = local(text, at).and_then(|start| domain(text, at + 1).map(|end| (start, end)));
        let (start, end) = address.unwrap_or((at, at));
        if sink.spend(1 + LONGEST_LOCAL.min(at - start) + (end - at)).is_none() {
            return;
        }
        if start < at && !is_look_alike(text, start, at, end) {
            sink.found(start, end);
        }
    }
}

/// Where the local part before an `@` begins.
fn local(text: &[u8], at: usize) -> Option<usize> {
    if byte_before(text, at)? == b'"' {
        return quoted(text, at);
    }
    let mut start = at;
    let mut first = at;
    while let Some(c) = char_before(text, start).filter(|c| is_local(*c)) {
        start -= c.len_utf8();
        if at - start > LONGEST_LOCAL {
            break;
        }
        if c.is_alphanumeric() || c == '_' || c == '+' {
            first = start;
        }
    }
    (first < at).then_some(first)
}

/// Where a quoted local part begins, which ends before `at`.
fn quoted(text: &[u8], at: usize) -> Option<usize> {
    let from = at.saturating_sub(LONGEST_LOCAL);
    let inside = text.get(from..at.checked_sub(1)?)?;
    let quote = inside.iter().rposition(|byte| *byte == b'"' || *byte < b' ')?;
    let start = from + quote;
    (byte_at(text, start) == Some(b'"') && start + 2 < at).then_some(start)
}

/// Where the domain that begins at `start` ends: at its last label that can be a top-level domain.
fn domain(text: &[u8], start: usize) -> Option<usize> {
    if byte_at(text, start) == Some(b'[') {
        return literal(text, start);
    }
    let mut at = start;
    let mut label = start;
    let mut end = None;
    loop {
        let c = char_at(text, at).filter(|_| at - start <= LONGEST_DOMAIN);
        match c {
            Some(c) if c.is_alphanumeric() || c == '-' => at += c.len_utf8(),
            _ => {
                let top = top_level(text, label, at).filter(|_| label > start);
                end = top.or(end);
                if c != Some('.') || at == label {
                    return end;
                }
                at += 1;
                label = at;
            }
        }
    }
}

/// The end of a label that can be a top-level domain: letters, at least two, or `xn--` and more.
fn top_level(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let label = core::str::from_utf8(text.get(start..end)?).ok()?.trim_end_matches('-');
    let punycode = label.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("xn--")) && label.len() > 4;
    let letters = label.chars().count() >= 2 && label.chars().all(char::is_alphabetic);
    (punycode || letters).then_some(start + label.len())
}

/// Where a domain in brackets ends: an address, as in `user@[192.0.2.1]`.
fn literal(text: &[u8], start: usize) -> Option<usize> {
    let inside = text.get(start + 1..)?.get(..50).or_else(|| text.get(start + 1..))?;
    let length = inside
        .iter()
        .position(|byte| !(byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'I' | b'P' | b'v')))?;
    (byte_at(inside, length) == Some(b']') && length >= 3).then_some(start + length + 2)
}

/// Whether it only looks like an address: a git remote, a picture for a dense screen.
fn is_look_alike(text: &[u8], start: usize, at: usize, end: usize) -> bool {
    let remote = text.get(start..at) == Some(b"git") && byte_at(text, end) == Some(b':');
    let picture = text.get(at + 1..end).is_some_and(|domain| {
        let (scale, ending) = domain.split_at_checked(3).unwrap_or_default();
        matches!(scale, [b'1'..=b'9', b'x', b'.']) && PICTURES.contains(&ending)
    });
    remote || picture
}

/// Characters of a local part. What RFC 5322 allows beyond these separates more often than it belongs:
/// `=`, `/`, `&`, `?`, `|`, braces and back-quotes.
fn is_local(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '.' | '_' | '%' | '+' | '-' | '\'' | '!' | '#' | '$' | '*' | '^' | '~')
        || is_mark(c)
}

/// Whether it is a combining mark, as a decomposed `é` ends with.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}
