//! Secrets by what stands before them: `password=…`, `"client_secret": "…"`, `Authorization: Basic …`,
//! `IDENTIFIED BY '…'`, `scheme://user:…@host`, `--password …`, `mysql -p…`.

use core::ops::Range;

use memchr::{memchr_iter, memchr3_iter, memmem, memrchr};

use super::findings::Sink;
use super::text::{Class, byte_at, byte_before};
use super::{Entry, Scan};

/// The longest name of a secret.
const LONGEST_KEY: usize = 48;

/// The longest secret.
const LONGEST: usize = 1024;

/// How far before an option the name of its program is looked for.
const COMMAND: usize = 128;

pub(super) static PASSWORD: Entry = Entry {
    word: "password",
    about: "passwords, secrets and tokens by what stands before them: `password=`, `\"secret\":`, `Authorization:`, `IDENTIFIED BY`, the user part of a URL; not references such as `${DB_PASSWORD}`",
    example: "postgres://app:S3cr3t!pw@db:5432/x",
    shortest: 5,
    needs: Class::NONE,
    digits: 0,
    scan: Scan::Text(passwords),
};

pub(super) static AWS_SECRET_KEY: Entry = Entry {
    word: "aws_secret_key",
    about: "secret access keys of AWS: 40 characters after a name such as `aws_secret_access_key`",
    example: "aws_secret_access_key = GQ9knfVHoHALZ2OfDRcw0Kl5JVf2A4iTN4R/3cLW",
    shortest: 50,
    needs: Class::NONE,
    digits: 0,
    scan: Scan::Text(aws_secret_keys),
};

pub(super) static AZURE_STORAGE_KEY: Entry = Entry {
    word: "azure_storage_key",
    about: "keys of storage accounts of Azure: 88 characters of Base64 after a name such as `AccountKey`",
    example: "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    shortest: 90,
    needs: Class::NONE,
    digits: 0,
    scan: Scan::Text(azure_storage_keys),
};

/// Ends of names, without `_` and `-`, that say of what they name that it is secret.
const SECRET: [&str; 24] = [
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "contrasena",
    "motdepasse",
    "pwd",
    "passcode",
    "secret",
    "secretkey",
    "apikey",
    "accesskey",
    "privatekey",
    "accountkey",
    "sharedkey",
    "authkey",
    "encryptionkey",
    "signingkey",
    "authtoken",
    "accesstoken",
    "refreshtoken",
    "apitoken",
    "secretkeybase",
    "token",
];

/// Values that are no secret.
const NO_VALUE: [&str; 10] =
    ["null", "none", "nil", "true", "false", "undefined", "redacted", "required", "changeme", "placeholder"];

fn passwords(text: &[u8], sink: &mut Sink<'_>) {
    let found = assigned(text, sink, &mut |key, value, sink| {
        if let Some(secret) = secret(text, key, value) {
            sink.found(secret.start, secret.end);
        }
    });
    if found.is_some() {
        options(text, sink);
    }
}

fn aws_secret_keys(text: &[u8], sink: &mut Sink<'_>) {
    assigned(text, sink, &mut |key, value, sink| {
        let is_key = key.ends_with("secretaccesskey") || key.ends_with("secretkey") || key.ends_with("awssecret");
        if is_key && value.len() == 40 && is_base64(text, &value) {
            sink.found(value.start, value.end);
        }
    });
}

fn azure_storage_keys(text: &[u8], sink: &mut Sink<'_>) {
    assigned(text, sink, &mut |key, value, sink| {
        if key.ends_with("key") && value.len() == 88 && is_base64(text, &value) {
            sink.found(value.start, value.end);
        }
    });
}

/// The part of a value that is secret by its name.
fn secret(text: &[u8], key: &str, value: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.get(value.clone())?;
    if key.ends_with("authorization") {
        let scheme = bytes.iter().position(|byte| *byte == b' ')?;
        let rest = bytes.get(scheme..)?;
        let start = value.start + scheme + rest.iter().position(|byte| *byte != b' ')?;
        return Some(start..value.end);
    }
    let is_secret = SECRET.iter().any(|ending| key.ends_with(ending)) || matches!(key, "pw" | "pass" | "dbpass");
    (is_secret && is_value(bytes)).then_some(value)
}

/// Whether a value is one, and not a reference to one, a placeholder or nothing.
fn is_value(bytes: &[u8]) -> bool {
    let reference = matches!(bytes, [b'$' | b'#', b'{' | b'(', ..] | [b'{', b'{', ..] | [b'<', ..] | [b'%', b'(', ..])
        || matches!(bytes, [b'$', name @ ..] if name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_'));
    let masked = bytes.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'[' | b']'));
    let nothing = NO_VALUE.iter().any(|word| bytes.eq_ignore_ascii_case(word.as_bytes()));
    !(reference || nothing || masked && bytes.len() > 1)
}

fn is_base64(text: &[u8], value: &Range<usize>) -> bool {
    let class = Class::WORD.or(Class::BASE64);
    text.get(value.clone()).is_some_and(|value| value.iter().all(|byte| class.has(*byte)))
}

/// Each value that a name is given: `name = value`, `"name": "value"`, `name 'value'`, and the password in a URL. Names
/// come in small letters, without `_` and `-`.
fn assigned(text: &[u8], sink: &mut Sink<'_>, each: &mut impl FnMut(&str, Range<usize>, &mut Sink<'_>)) -> Option<()> {
    let mut plain = 0..0;
    for at in memchr3_iter(b'=', b':', b'\'', text) {
        sink.spend(1)?;
        if let Some(password) = in_url(text, at, sink)? {
            each("password", password, sink);
            continue;
        }
        let mut key = [0; LONGEST_KEY];
        let Some(key) = key_before(text, at, &mut key) else { continue };
        sink.spend(LONGEST_KEY / 4)?;
        let start = value_start(text, at);
        let value = match byte_before(text, start) {
            Some(quote @ (b'"' | b'\'' | b'`')) => quoted(text, start, quote),
            _ if plain.contains(&start) => start..plain.end,
            _ => {
                plain = start..unquoted_end(text, start, key);
                sink.spend(plain.len())?;
                plain.clone()
            }
        };
        if !value.is_empty() {
            each(key, value, sink);
        }
    }
    Some(())
}

/// The password of the URL whose colon stands at a place.
fn in_url(text: &[u8], colon: usize, sink: &mut Sink<'_>) -> Option<Option<Range<usize>>> {
    let Some(rest) = text.get(colon..).and_then(|rest| rest.strip_prefix(b"://")) else { return Some(None) };
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"/?#\"'<>`\\".contains(byte);
    let length = rest.iter().take(LONGEST).position(ends).unwrap_or(rest.len().min(LONGEST));
    sink.spend(length)?;
    let authority = rest.get(..length).unwrap_or_default();
    let user = memrchr(b'@', authority).and_then(|at| authority.get(..at)).unwrap_or_default();
    let password = user.iter().position(|byte| *byte == b':').map(|at| at + 1).filter(|start| *start < user.len());
    Some(password.map(|start| colon + 3 + start..colon + 3 + user.len()))
}

/// The name before `=`, `:` or a quote.
fn key_before<'a>(text: &[u8], at: usize, key: &'a mut [u8; LONGEST_KEY]) -> Option<&'a str> {
    let before = text.get(at.saturating_sub(LONGEST_KEY)..at)?;
    let trimmed = before.trim_ascii_end();
    let is_sql = byte_at(text, at) == Some(b'\'');
    if is_sql && trimmed.len() == before.len() {
        return None;
    }
    let word = trimmed.strip_suffix(b"\"").or(trimmed.strip_suffix(b"'")).unwrap_or(trimmed);
    let word = word.strip_suffix(b"\\").unwrap_or(word);
    let length = word.iter().rev().take_while(|byte| Class::URL_SAFE.has(**byte)).count();
    let name = word.get(word.len() - length..)?;
    if is_sql {
        return sql_key(word, name);
    }
    let letters = name.iter().filter(|byte| !matches!(byte, b'_' | b'-')).map(u8::to_ascii_lowercase);
    let length = key.iter_mut().zip(letters).map(|(to, byte)| *to = byte).count();
    key.get(..length).and_then(|key| core::str::from_utf8(key).ok()).filter(|key| !key.is_empty())
}

/// The name before a quote: SQL's `PASSWORD '…'` and `IDENTIFIED BY '…'`, and no other.
fn sql_key(before: &[u8], name: &[u8]) -> Option<&'static str> {
    let rest = before.get(..before.len() - name.len())?.trim_ascii_end();
    let identified = rest.len().checked_sub(10).and_then(|start| rest.get(start..));
    let by =
        name.eq_ignore_ascii_case(b"by") && identified.is_some_and(|word| word.eq_ignore_ascii_case(b"identified"));
    (by || name.eq_ignore_ascii_case(b"password")).then_some("password")
}

/// Where the value begins that follows a separator: after what belongs to it, spaces and a quote.
fn value_start(text: &[u8], at: usize) -> usize {
    let operator = text.iter().skip(at + 1).take(2).take_while(|byte| matches!(byte, b'=' | b'>')).count();
    let spaces = text.iter().skip(at + 1 + operator).take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let start = at + 1 + operator + spaces;
    match (byte_at(text, start), byte_at(text, start + 1)) {
        (Some(b'"' | b'\'' | b'`'), _) => start + 1,
        (Some(b'\\'), Some(b'"' | b'\'')) => start + 2,
        _ => start,
    }
}

/// What stands up to the closing quote.
fn quoted(text: &[u8], start: usize, quote: u8) -> Range<usize> {
    let rest = text.iter().skip(start).take(LONGEST);
    let length = rest.take_while(|byte| **byte != quote && **byte != b'\n').count();
    let end = start + length;
    // The backslash of an escaped quote is no part of the value.
    start..end - usize::from(length > 0 && byte_before(text, end) == Some(b'\\'))
}

/// Where a value without quotes ends; that of `Authorization` holds a space.
fn unquoted_end(text: &[u8], start: usize, key: &str) -> usize {
    let ends = |byte: u8| byte.is_ascii_control() || b" \"'`,;&)}]\\".contains(&byte);
    let end = |from: usize| from + text.iter().skip(from).take(LONGEST).take_while(|byte| !ends(**byte)).count();
    let first = end(start);
    if key.ends_with("authorization") && byte_at(text, first) == Some(b' ') { end(first + 1) } else { first }
}

/// Passwords given as options of a command: `--password …`, `mysql -p…`, `sshpass -p …`, `curl -u user:…`.
fn options(text: &[u8], sink: &mut Sink<'_>) {
    for at in memchr_iter(b'-', text) {
        if byte_before(text, at).is_some_and(|byte| !byte.is_ascii_whitespace()) {
            continue;
        }
        let start = at + 1;
        let end = word_end(text, start);
        if sink.spend(1 + (end - start)).is_none() {
            return;
        }
        let option = text.get(start..end).unwrap_or_default();
        let next = end + 1..word_end(text, end + 1);
        let found = match option {
            b"-password" | b"-passwd" | b"-pass" | b"-passphrase" => next,
            b"p" if is_command(text, at, b"sshpass") => next,
            [b'p', _, ..] if is_command(text, at, b"mysql") || is_command(text, at, b"mariadb") => start + 1..end,
            b"u" | b"-user" if is_command(text, at, b"curl") => match password_of(text, &next) {
                Some(password) => password,
                None => continue,
            },
            _ => continue,
        };
        if text.get(found.clone()).is_some_and(|value| !value.is_empty() && !value.starts_with(b"-") && is_value(value))
        {
            sink.found(found.start, found.end);
        }
    }
}

/// The password in `user:password`.
fn password_of(text: &[u8], word: &Range<usize>) -> Option<Range<usize>> {
    let colon = text.get(word.clone())?.iter().position(|byte| *byte == b':')?;
    Some(word.start + colon + 1..word.end)
}

/// Whether a program's name stands shortly before a place.
fn is_command(text: &[u8], at: usize, name: &[u8]) -> bool {
    text.get(at.saturating_sub(COMMAND)..at).is_some_and(|before| memmem::find(before, name).is_some())
}

fn word_end(text: &[u8], start: usize) -> usize {
    let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'\\');
    start + text.iter().skip(start).take(LONGEST).take_while(|byte| !ends(**byte)).count()
}
