//! What a token claims, read strictly: times, audience, subject, groups, and the rest by path.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::json::{self, Bounds, Json, Object};
use super::refused::{Part, TokenRefused};

const BOUNDS: Bounds = Bounds { depth: 16, values: 4096, text: 4096 };
const LONGEST_SUBJECT: usize = 1024;
const LONGEST_PATH: usize = 512;
const LONGEST_GROUP: usize = 256;
/// The most groups that one token may give.
pub(super) const MOST_GROUPS: usize = 256;
/// The last second of the year 9999: what lies after it is no date.
const LAST_SECOND: i128 = 253_402_300_799;

/// The claims of one token, of which nothing is believed yet.
pub(super) struct Claims {
    members: Object,
}

impl Claims {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, TokenRefused> {
        let members = json::object(payload, BOUNDS).map_err(|why| TokenRefused::Json(Part::Claims, why))?;
        Ok(Self { members })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The one issuer: RFC 7519 §4.1.1 knows no list.
    pub(super) fn issuer(&self) -> Result<&str, TokenRefused> {
        match self.members.get("iss") {
            None => Err(TokenRefused::Missing("iss")),
            Some(Json::Text(issuer)) => Ok(issuer),
            Some(_) => Err(TokenRefused::Claim("iss", "a text")),
        }
    }

    /// Everybody that it is meant for.
    pub(super) fn audience(&self) -> Result<Vec<&str>, TokenRefused> {
        let wrong = TokenRefused::Claim("aud", "a text or a list of texts");
        match self.members.get("aud") {
            None => Err(TokenRefused::Missing("aud")),
            Some(Json::Text(one)) => Ok([one.as_str()].into()),
            Some(Json::List(all)) => all.iter().map(text).collect::<Option<_>>().ok_or(wrong),
            Some(_) => Err(wrong),
        }
    }

    /// Whom it speaks of: printable ASCII, as OpenID Connect Core §2 has it, without blanks at the ends.
    pub(super) fn subject(&self) -> Result<&str, TokenRefused> {
        let subject = match self.members.get("sub") {
            None => return Err(TokenRefused::Missing("sub")),
            Some(Json::Text(subject)) => subject,
            Some(_) => return Err(TokenRefused::Claim("sub", "a text")),
        };
        if subject.len() > LONGEST_SUBJECT {
            return Err(TokenRefused::Claim("sub", "at most 1024 bytes long"));
        }
        if !subject.is_ascii() || !is_plain(subject) {
            return Err(TokenRefused::Claim("sub", "a name of printable ASCII characters"));
        }
        Ok(subject)
    }

    /// A time in whole seconds since 1970. A text, a fraction or a year after 9999 is none.
    pub(super) fn time(&self, name: &'static str) -> Result<Option<i64>, TokenRefused> {
        match self.members.get(name) {
            None => Ok(None),
            Some(Json::Integer(seconds @ 0..=LAST_SECOND)) => Ok(i64::try_from(*seconds).ok()),
            Some(_) => Err(TokenRefused::Claim(name, "a time in whole seconds since 1970")),
        }
    }

    /// Every claim by its path: the names of the objects around it and its own, joined by dots.
    pub(super) fn by_path(&self) -> Result<Paths<'_>, TokenRefused> {
        let mut paths = BTreeMap::new();
        collect(&self.members, "", &mut paths)?;
        Ok(Paths(paths))
    }
}

/// Descends at most as deep as [`BOUNDS`] lets a token nest.
fn collect<'c>(members: &'c Object, prefix: &str, paths: &mut BTreeMap<String, &'c Json>) -> Result<(), TokenRefused> {
    for (name, value) in members {
        let path = [prefix, name].concat();
        if let Json::Object(inner) = value {
            collect(inner, &[&path, "."].concat(), paths)?;
        }
        if paths.insert(path, value).is_some() {
            return Err(TokenRefused::AmbiguousPath);
        }
    }
    Ok(())
}

/// Claims by path.
pub(super) struct Paths<'c>(BTreeMap<String, &'c Json>);

impl Paths<'_> {
    /// What rules may compare: texts that can be printed, whole numbers, true and false. A null, a fraction, a list, an
    /// object as such, and a text with control or invisible characters are left out, which makes them unknown.
    pub(super) fn comparable(&self) -> BTreeMap<String, String> {
        let printable = self.0.iter().filter(|(path, _)| path.len() <= LONGEST_PATH && is_plain(path));
        printable.filter_map(|(path, value)| Some((path.clone(), comparable(value)?))).collect()
    }

    /// Whether the claim is exactly one of the values.
    pub(super) fn is_one_of(&self, path: &str, values: &BTreeSet<String>) -> bool {
        self.0.get(path).and_then(|value| comparable(value)).is_some_and(|value| values.contains(&value))
    }

    /// The names in a list of texts; `None` where there is no such claim.
    pub(super) fn groups(&self, path: &str) -> Result<Option<Vec<&str>>, TokenRefused> {
        let wrong = |why| TokenRefused::Groups(path.to_string(), why);
        let names = match self.0.get(path) {
            None => return Ok(None),
            Some(Json::List(names)) if names.len() > MOST_GROUPS => return Err(wrong("the list is too long")),
            Some(Json::List(names)) => names,
            Some(_) => return Err(wrong("it is not a list")),
        };
        let names: Option<Vec<&str>> = names.iter().map(text).collect();
        let names = names.ok_or_else(|| wrong("something in the list is not a text"))?;
        if !names.iter().all(|name| is_group(name)) {
            return Err(wrong("a name in the list is empty, too long or not printable"));
        }
        Ok(Some(names))
    }

    /// The one name in a text; `None` where there is no such claim.
    pub(super) fn group(&self, path: &str) -> Result<Option<Vec<&str>>, TokenRefused> {
        match self.0.get(path) {
            None => Ok(None),
            Some(Json::Text(name)) if is_group(name) => Ok(Some([name.as_str()].into())),
            Some(_) => Err(TokenRefused::Groups(path.to_string(), "it is not a short printable text")),
        }
    }
}

fn text(value: &Json) -> Option<&str> {
    match value {
        Json::Text(text) => Some(text),
        Json::Null | Json::Truth(_) | Json::Integer(_) | Json::Inexact | Json::List(_) | Json::Object(_) => None,
    }
}

fn comparable(value: &Json) -> Option<String> {
    match value {
        Json::Text(text) if text.chars().all(is_printable) => Some(text.clone()),
        Json::Integer(number) => Some(number.to_string()),
        Json::Truth(truth) => Some(truth.to_string()),
        Json::Text(_) | Json::Null | Json::Inexact | Json::List(_) | Json::Object(_) => None,
    }
}

fn is_group(name: &str) -> bool {
    name.len() <= LONGEST_GROUP && is_plain(name)
}

/// A name that a person reads as it is: not empty, printable, without blanks at the ends.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.trim() == name && name.chars().all(is_printable)
}

/// Neither a control nor a character that shows as nothing, reorders its neighbours or breaks a line: Unicode's
/// general categories Cc, Cf, Zl and Zp, and the spaces other than U+0020.
fn is_printable(c: char) -> bool {
    let invisible = matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    c == ' ' || !(c.is_control() || c.is_whitespace() || invisible)
}
