//! A request's target: the canonical path and the query.

use alloc::string::String;
use alloc::vec::Vec;

use super::Unread;
use crate::command::http::canonical_segment;

/// The longest target that is read, in bytes.
const LONGEST: usize = 16 * 1024;
/// How many parameters a query may have.
const PARAMETERS: usize = 512;

/// A target that can be read in one way alone.
#[derive(Debug)]
pub(crate) struct Target {
    /// The canonical path.
    pub(crate) path: String,
    /// Names and values of the query, decoded, in order.
    pub(crate) query: Vec<(String, String)>,
}

impl Target {
    /// Reads a target in its origin form; `Err` says why it could be read in more than one way.
    pub(crate) fn read(target: &str) -> Result<Self, Unread> {
        if target.len() > LONGEST {
            return Err("the target is too long");
        }
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        Ok(Self { path: canonical_path(path)?, query: query.map_or(Ok(Vec::new()), parameters)? })
    }

    /// The first value of a parameter.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A slash at the end stays: for some servers it is another path.
fn canonical_path(path: &str) -> Result<String, Unread> {
    let rest = path.strip_prefix('/').ok_or("its target is not a path")?;
    let mut canonical = String::with_capacity(path.len());
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err("an empty segment of the path, `//`, is read differently by servers");
        }
        canonical.push('/');
        canonical.push_str(&canonical_segment(segment)?);
    }
    Ok(canonical)
}

fn parameters(query: &str) -> Result<Vec<(String, String)>, Unread> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    if parts.clone().count() > PARAMETERS {
        return Err("the query has too many parameters");
    }
    parts.map(parameter).collect()
}

fn parameter(part: &str) -> Result<(String, String), Unread> {
    if !part.bytes().all(|byte| byte.is_ascii_graphic()) || part.contains('#') {
        return Err("a character of the query is not escaped");
    }
    if part.contains(';') {
        return Err("a `;` in the query parts parameters for some servers");
    }
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    Ok((decoded(name)?, decoded(value)?))
}

/// The text that a part of a query stands for: `+` is a space.
fn decoded(text: &str) -> Result<String, Unread> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair = digit(rest.next()).zip(digit(rest.next()));
                let value = pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                value.ok_or("an escape of the query is broken")?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).map_err(|_| "an escape of the query is not UTF-8")
}
