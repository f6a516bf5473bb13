//! E-mail addresses: `local@domain.tld` ([RFC 5321](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2) mailboxes
//! as people write them, with the letters of all languages), quoted local parts, and domains in brackets.

use memchr::memchr_iter;

use super::findings::Sink;
use super::text::{Class, byte_at, byte_before, char_at, char_before};
use super::{Entry, Scan};

/// The longest local part: 64 octets.
const LONGEST_LOCAL: usize = 64;

/// The longest domain: 255 octets.
const LONGEST_DOMAIN: usize = 255;

/// The longest address in brackets: IPv6 with its tag and an IPv4 tail.
const LONGEST_LITERAL: usize = 51;

/// Endings that pictures for dense screens bear after `@2x`.
const PICTURES: [&[u8]; 6] = [b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp"];

pub(super) static ENTRY: Entry = Entry {
    word: "email",
    about: "e-mail addresses with a dotted domain; not `user@host`, not `package@1.2.3`, not `git@host:path`",
    example: "contact jane.doe@example.com, thanks",
    shortest: 6,
    needs: Class::AT,
    digits: 0,
    scan: Scan::Text(scan),
};

fn scan(text: &[u8], sink: &mut Sink<'_>) {
    for at in memchr_iter(b'@', text) {
        let (local, local_steps) = local(text, at);
        let (domain, domain_steps) = domain(text, at + 1);
        if sink.spend(1 + local_steps + domain_steps).is_none() {
            return;
        }
        if let (Some(start), Some(end)) = (local, domain)
            && !is_look_alike(text, start, at, end)
        {
            sink.found(start, end);
        }
    }
}

/// Where the local part before an `@` begins, and how many bytes were looked at.
fn local(text: &[u8], at: usize) -> (Option<usize>, usize) {
    if byte_before(text, at) == Some(b'"') {
        return quoted(text, at);
    }
    let mut start = at;
    let mut first = None;
    while let Some(c) = char_before(text, start).filter(|c| is_local(*c)) {
        if at - start + c.len_utf8() > LONGEST_LOCAL {
            break;
        }
        start -= c.len_utf8();
        if c.is_alphanumeric() || c == '_' || c == '+' {
            first = Some(start);
        }
    }
    (first, at - start)
}

/// Where a quoted local part begins, which ends before `at`, and how many bytes were looked at.
fn quoted(text: &[u8], at: usize) -> (Option<usize>, usize) {
    let end = at.saturating_sub(1);
    let from = end.saturating_sub(LONGEST_LOCAL);
    let inside = text.get(from..end).unwrap_or_default();
    let quote = inside.iter().rposition(|byte| *byte == b'"' || *byte < b' ').map(|place| from + place);
    let start = quote.filter(|start| byte_at(text, *start) == Some(b'"') && start + 1 < end);
    (start, at - quote.unwrap_or(from))
}

/// Where the domain that begins at `start` ends, at its last label that can be a top-level domain; and how many bytes
/// were looked at.
fn domain(text: &[u8], start: usize) -> (Option<usize>, usize) {
    if byte_at(text, start) == Some(b'[') {
        return literal(text, start);
    }
    let mut at = start;
    let mut label = start;
    let mut end = None;
    while at - start <= LONGEST_DOMAIN {
        let c = char_at(text, at);
        if let Some(c) = c.filter(|c| c.is_alphanumeric() || *c == '-' || is_mark(*c)) {
            at += c.len_utf8();
            continue;
        }
        if label > start {
            end = top_level(text, label, at).or(end);
        }
        if c != Some('.') || at == label {
            break;
        }
        at += 1;
        label = at;
    }
    (end, at - start)
}

/// The end of a label that can be a top-level domain: letters, at least two, or `xn--` and more.
fn top_level(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let label = core::str::from_utf8(text.get(start..end)?).ok()?.trim_end_matches('-');
    let punycode = label.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("xn--")) && label.len() > 4;
    let letters = label.chars().count() >= 2 && label.chars().all(char::is_alphabetic);
    (punycode || letters).then_some(start + label.len())
}

/// Where a domain in brackets ends, an address as in `user@[192.0.2.1]`, and how many bytes were looked at.
fn literal(text: &[u8], start: usize) -> (Option<usize>, usize) {
    let inside = text.iter().skip(start + 1).take(LONGEST_LITERAL);
    let length = inside.take_while(|byte| byte.is_ascii_hexdigit() || b".:IPv".contains(byte)).count();
    let closing = start + 1 + length;
    let end = (byte_at(text, closing) == Some(b']') && length >= 3).then_some(closing + 1);
    (end, length)
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
