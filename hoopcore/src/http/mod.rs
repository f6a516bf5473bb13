//! From a request of HTTP to its effect: a method on the canonical path.
//!
//! Servers differ in what they make of dots, escapes, empty segments and parameters in a path, and some obey header
//! fields that say another method or path. A request that could be read in two ways is `unknown`. What is judged is the
//! canonical path: whoever forwards the request forwards that one.
//!
//! ```
//! use hoopcore::command::Message;
//! use hoopcore::{Command, Coverage};
//!
//! let command = Command::http(&Message::new("GET", "/v1/orders/%35?fields=name"));
//! assert_eq!(command.canonical(), "GET /v1/orders/5?fields");
//! let climbs = Command::http(&Message::new("GET", "/v1/orders/../admin"));
//! assert!(climbs.effects()[0].is_unknown());
//! assert!(matches!(climbs.coverage(), Coverage::Partial(why) if why.contains("climb")));
//! ```

mod target;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

pub(crate) use target::Target;

use crate::command::http::{Effect, Verb};
use crate::command::{Command, Coverage, Effects, Message};

/// Why a request was not understood.
pub(crate) type Unread = &'static str;

/// The command that a request is.
pub(crate) fn analyse(message: &Message<'_>) -> Command {
    let text = message.text();
    match read(message) {
        Ok((effect, canonical)) => {
            Command::of(&text, canonical.into(), Effects::Http(Box::new([effect])), Coverage::Full)
        }
        Err(why) => {
            let effects = Effects::Http(Box::new([Effect::unknown()]));
            Command::of(&text, "unknown".into(), effects, Coverage::Partial(why.into()))
        }
    }
}

fn read(message: &Message<'_>) -> Result<(Effect, String), Unread> {
    let verb = Verb::ALL.into_iter().find(|verb| *verb != Verb::Unknown && verb.word() == message.method);
    let verb = verb.ok_or("the method is not one that hoop knows")?;
    says_nothing_else(message)?;
    if message.all("upgrade").next().is_some() {
        return Err("it turns the connection into something that hoop does not read");
    }
    let target = Target::read(message.target)?;
    let names: Box<[String]> = target.query.iter().map(|(name, _)| name.clone()).collect();
    let canonical = format!("{} {}{}", message.method, target.path, if names.is_empty() { "" } else { "?" });
    let canonical = format!("{canonical}{}", names.join("&"));
    Ok((Effect { verb, path: Some(target.path.into()), query: names, media: media(message)? }, canonical))
}

/// Header fields by which some servers take another method or path than the request line's.
const OVERRIDES: [&str; 6] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
];

/// Whether no header field could make another request of it.
pub(crate) fn says_nothing_else(message: &Message<'_>) -> Result<(), Unread> {
    if OVERRIDES.iter().any(|name| message.all(name).next().is_some()) {
        return Err("a header field names another method or path");
    }
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !message.headers.iter().all(|(name, _)| is_name(name)) {
        return Err("the name of a header field has other characters than letters, digits and `-`");
    }
    if message.headers.iter().any(|(_, value)| value.contains(|c: char| c.is_control() && c != '\t')) {
        return Err("a control character in a header field");
    }
    Ok(())
}

/// The media type of the body in lower case, without parameters.
pub(crate) fn media(message: &Message<'_>) -> Result<Option<Box<str>>, Unread> {
    let mut types = message.all("content-type");
    let Some(first) = types.next() else { return Ok(None) };
    if types.next().is_some() {
        return Err("it has more than one `content-type`");
    }
    let media = first.split(';').next().unwrap_or_default().trim_matches([' ', '\t']).to_ascii_lowercase();
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let is_media = media.split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
    if is_media { Ok(Some(media.into())) } else { Err("its `content-type` is no media type") }
}
