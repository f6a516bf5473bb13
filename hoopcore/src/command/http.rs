//! What HTTP requests do: a method on a path, with the facts that rules may ask for.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::verb::verbs;

verbs! {
    /// A request's method: the words of `http:` in a policy. Any other method is not understood.
    pub enum Verb {
        Get = "GET",
        Head = "HEAD",
        Options = "OPTIONS",
        Post = "POST",
        Put = "PUT",
        Patch = "PATCH",
        Delete = "DELETE",
        Unknown = "unknown",
    }
}

/// What a request does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Its method.
    pub verb: Verb,
    /// The canonical path that is forwarded, without its query: no `.` or `..`, no empty segment, nothing escaped that
    /// could stand for a separator. `None` where the request was not understood.
    pub path: Option<Box<str>>,
    /// The names of its query parameters, decoded.
    pub query: Box<[String]>,
    /// The media type of its body in lower case, without parameters; `None` where it is not told.
    pub media: Option<Box<str>>,
}

impl Effect {
    /// A request without query and body.
    pub fn new(verb: Verb, path: impl Into<Box<str>>) -> Self {
        Self { verb, path: Some(path.into()), query: Box::default(), media: None }
    }

    /// The effect of a request that could not be read.
    #[must_use]
    pub fn unknown() -> Self {
        Self { verb: Verb::Unknown, path: None, query: Box::default(), media: None }
    }
}

impl fmt::Display for Effect {
    /// The path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path.as_deref().unwrap_or("*"))
    }
}

/// The one form of a path's segment: what needs no escape stands for itself, other bytes are escaped in upper case.
/// `Err` says why servers could read it in more than one way.
pub(crate) fn canonical_segment(text: &str) -> Result<String, &'static str> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match first {
            b'%' => escaped(after)?,
            plain if is_plain(*plain) => (*plain, after),
            b';' => return Err("a `;` in a path begins parameters that servers read differently"),
            _ => return Err("a character of the path is not escaped"),
        };
        decoded.push(byte);
        rest = after;
    }
    if matches!(decoded.as_slice(), b"." | b"..") {
        return Err("a path must not climb: `.` and `..` are no segments");
    }
    if core::str::from_utf8(&decoded).is_err() {
        return Err("an escape of the path is not UTF-8");
    }
    let written = |byte: u8| if is_plain(byte) { String::from(char::from(byte)) } else { format!("%{byte:02X}") };
    Ok(decoded.into_iter().map(written).collect())
}

/// The byte that an escape stands for, and what follows it.
fn escaped(text: &[u8]) -> Result<(u8, &[u8]), &'static str> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let hex = |text: &[u8]| match text {
        [high, low, ..] => digit(*high).zip(digit(*low)).map(|(high, low)| high * 16 + low),
        [] | [_] => None,
    };
    let byte = hex(text).ok_or("an escape of the path is broken")?;
    let after = text.get(2..).unwrap_or_default();
    match byte {
        b'/' | b'\\' | b'.' | b';' => Err("an escaped `/`, `\\`, `.` or `;` is read differently by servers"),
        b'%' if hex(after).is_some() => Err("an escape within an escape is read differently by servers"),
        control if control < 0x20 || control == 0x7f => Err("a control character in a path"),
        byte => Ok((byte, after)),
    }
}

/// Whether a byte stands for itself in a segment: RFC 3986's `pchar` without `;` and escapes.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}
