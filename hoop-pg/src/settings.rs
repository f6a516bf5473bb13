//! Settings that a client asks for when it connects: read like PostgreSQL reads them, judged like SET.

use hoopcore::Command;

use crate::refusal::{Refusal, code};

/// Settings that every session begins with, whatever the client asks for.
///
/// They stand in the startup packet, where RESET ALL and DISCARD ALL do not undo them.
pub const PINS: [(&str, &str); 1] = [("standard_conforming_strings", "on")];

/// The encoding of a client that asks for none, or for one that the policy does not let through. It stands in the startup
/// packet, where no change of the server's own files reaches it while the session lasts.
const UTF8: (&str, &str) = ("client_encoding", "UTF8");

/// One setting and the value asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    name: String,
    value: String,
}

impl Setting {
    /// A setting; its name is folded to lower case, for PostgreSQL does not tell them apart.
    ///
    /// # Errors
    /// Where no setting can have that name, where a name means something else in a startup packet, and where the
    /// value cannot be what the setting is pinned to.
    pub fn new(name: &str, value: &str) -> Result<Self, Refusal> {
        let name = name.to_ascii_lowercase();
        if !is_setting_name(&name) {
            return Err(Refusal::new(code::NAME, format!("`{}` is not the name of a setting", name.escape_debug())));
        }
        match name.as_str() {
            // PostgreSQL looks for nothing but letters and digits in it: drivers write `'utf-8'` with its quotes.
            "client_encoding" => Ok(Self { name, value: utf8(value).unwrap_or(value).to_owned() }),
            "standard_conforming_strings" if is_on(value) => Ok(Self { name, value: String::from("on") }),
            "standard_conforming_strings" => Err(pinned()),
            _ => Ok(Self { name, value: value.to_owned() }),
        }
    }

    /// UTF-8, whatever encoding was asked for.
    #[must_use]
    pub fn utf8() -> Self {
        let (name, value) = UTF8;
        Self { name: name.to_owned(), value: value.to_owned() }
    }

    /// Whether it asks for another encoding than UTF-8.
    #[must_use]
    pub fn is_foreign_encoding(&self) -> bool {
        self.name == UTF8.0 && utf8(&self.value).is_none()
    }

    /// The name, in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// The name of UTF-8 that is meant, where it is UTF-8 that is asked for.
fn utf8(value: &str) -> Option<&'static str> {
    let plain = || value.chars().filter(char::is_ascii_alphanumeric);
    ["UTF8", "UNICODE"].into_iter().find(|name| plain().map(|letter| letter.to_ascii_uppercase()).eq(name.chars()))
}

fn pinned() -> Refusal {
    Refusal::new(code::VALUE, "`standard_conforming_strings` stays on")
        .with_hint("statements are analysed as PostgreSQL reads them with that setting on")
}

/// Whether PostgreSQL takes the text for true (`parse_bool`).
fn is_on(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let is_start_of = |word: &str| !value.is_empty() && word.starts_with(&value);
    value == "1" || value == "on" || is_start_of("true") || is_start_of("yes")
}

fn is_setting_name(name: &str) -> bool {
    let special = ["user", "database", "options", "replication"];
    !special.contains(&name) && !name.starts_with("_pq_.") && name.split('.').all(is_word)
}

fn is_word(part: &str) -> bool {
    let mut bytes = part.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$')
}

/// The settings inside the startup parameter `options`: `-c name=value`, `--name=value`.
///
/// # Errors
/// Where anything else stands there: the server would take it for a switch of its own.
pub fn parse_options(options: &str) -> Result<Vec<Setting>, Refusal> {
    let mut words = split_words(options).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let assignment = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(long), _) => long.to_owned(),
            (None, Some("")) => words.next().ok_or_else(|| not_a_setting(&word))?,
            (None, Some(joined)) => joined.to_owned(),
            (None, None) => return Err(not_a_setting(&word)),
        };
        let (name, value) = assignment.split_once('=').ok_or_else(|| not_a_setting(&assignment))?;
        settings.push(Setting::new(&name.replace('-', "_"), value)?);
    }
    Ok(settings)
}

fn not_a_setting(word: &str) -> Refusal {
    let message = format!("`{}` in the startup parameter `options` is not a setting", word.escape_debug());
    Refusal::new(code::UNSUPPORTED, message).with_hint("write `-c name=value` or `--name=value`")
}

/// Splits at white space; a backslash keeps the next character as it is (`pg_split_opts`).
fn split_words(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(characters.next()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// The settings as statements, to be judged like any other command; `None` where the client asks for none.
#[must_use]
pub fn command(settings: &[Setting]) -> Option<Command> {
    let statements: Vec<String> = settings.iter().map(statement).collect();
    (!statements.is_empty()).then(|| Command::sql(&statements.join("; ")))
}

fn statement(setting: &Setting) -> String {
    format!("SET {} TO '{}'", setting.name, setting.value.replace('\'', "''"))
}

/// What the server is sent: each setting once, the last one given, with the pins on top.
#[must_use]
pub fn forwarded(settings: &[Setting]) -> Vec<(&str, &str)> {
    let asked = settings.iter().map(|setting| (setting.name(), setting.value()));
    let mut sent: Vec<(&str, &str)> = Vec::new();
    for (name, value) in [UTF8].into_iter().chain(asked).chain(PINS) {
        sent.retain(|(other, _)| *other != name);
        sent.push((name, value));
    }
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_like_the_server_reads_them() {
        let check = |options: &str, expected: &str| {
            let told = match parse_options(options) {
                Ok(settings) => settings.iter().map(|s| format!("[{}={}]", s.name, s.value)).collect(),
                Err(refusal) => refusal.code.into_owned(),
            };
            assert_eq!(told, expected, "{options}");
        };
        check("", "");
        check("  \t\n", "");
        check("-c a=1", "[a=1]");
        check("-ca=1", "[a=1]");
        check("--a=1", "[a=1]");
        check("  -c\ta=1\n--b=2  ", "[a=1][b=2]");
        check("-c Search-Path=x", "[search_path=x]");
        check("--work-mem=1", "[work_mem=1]");
        check(r"-c search_path=a,\ b", "[search_path=a, b]");
        check(r"-c a=x\\y", r"[a=x\y]");
        check(r"-c\ a=1", "42602");
        check("-c a=", "[a=]");
        check("-c a=b=c", "[a=b=c]");
        check("-c a=1 -c a=2", "[a=1][a=2]");
        check("-c client_encoding=SJIS", "[client_encoding=SJIS]");
        check("-c standard_conforming_strings=TRUE", "[standard_conforming_strings=on]");
        check("-c standard_conforming_strings=y", "[standard_conforming_strings=on]");
        check("-c standard_conforming_strings=", "22023");
        check("-c standard_conforming_strings=o", "22023");
        check("-c", "0A000");
        check("-c a", "0A000");
        check("--a", "0A000");
        check("--", "0A000");
        check("-", "0A000");
        check("a=1", "0A000");
        check("-f s", "0A000");
        check("-e", "0A000");
        check("-ec a=1", "0A000");
        check("-W 5", "0A000");
        check("\\", "0A000");
        check("-c user=eve", "42602");
        check("--database=x", "42602");
        check("--options=-ca=1", "42602");
        check("-c _pq_.x=1", "42602");
        check("-c a'b=1", "42602");
    }

    #[test]
    fn the_pins_have_the_last_word() {
        let settings = parse_options("-c a=1 -c client_encoding=LATIN1 -c a=2").unwrap();
        let sent: Vec<String> = forwarded(&settings).iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(sent.join(" "), "client_encoding=LATIN1 a=2 standard_conforming_strings=on");
        let sent: Vec<String> = forwarded(&[]).iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(sent.join(" "), "client_encoding=UTF8 standard_conforming_strings=on");
    }

    #[test]
    fn other_encodings_than_utf8_are_told_apart() {
        let check = |value: &str, foreign: bool| {
            let setting = Setting::new("Client_Encoding", value).unwrap();
            assert_eq!(setting.is_foreign_encoding(), foreign, "{value}");
        };
        check("UTF8", false);
        check("utf-8", false);
        check("Unicode", false);
        check("LATIN1", true);
        check("SQL_ASCII", true);
        check("", true);
        check("'utf-8'", false);
        check("utf", true);
        assert!(!Setting::new("application_name", "LATIN1").unwrap().is_foreign_encoding());
        assert_eq!(Setting::new("client_encoding", "'utf-8'").unwrap().value(), "UTF8");
        assert_eq!(Setting::new("client_encoding", "unicode").unwrap().value(), "UNICODE");
        assert_eq!(Setting::new("client_encoding", "Latin-1").unwrap().value(), "Latin-1");
    }

    #[test]
    fn settings_are_judged_as_statements() {
        assert!(command(&[]).is_none());
        let settings = parse_options(r"-c role=app -c a.b=it's\ \\x").unwrap();
        assert_eq!(command(&settings).unwrap().text(), r"SET role TO 'app'; SET a.b TO 'it''s \x'");
    }
}
