//! Commands of a replication connection → effects (PostgreSQL's documentation, "Streaming Replication Protocol").
//!
//! A walsender reads its own commands by a grammar of its own (`repl_scanner.l`, `repl_gram.y`), and takes a text for SQL
//! only where its first word is none of theirs. What is read here is a part of that grammar in which no two versions of
//! PostgreSQL differ; the rest is `unknown`.

mod words;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use self::words::{Reader, Word};
use super::unknown;
use crate::command::sql::{Duty, Effect, Object, Verb};
use crate::command::{Change, Command, Coverage, Statement};

/// The longest name of a slot (`NAMEDATALEN`).
const NAME_LENGTH: usize = 63;

/// What else than a slot is replicated. No slot can bear a name with a hyphen.
const NO_SLOT: &str = "no-slot";
const BASE_BACKUP: &str = "base-backup";
const TIMELINE_HISTORY: &str = "timeline-history";
const MANIFEST: &str = "upload-manifest";

/// The effects of what a replication connection sends as one simple query.
pub(crate) fn analyse(text: &str) -> Command {
    let Some(keyword) = Keyword::begins(text) else { return super::analyse(text) };
    let words = words::read(text);
    let found = words.as_ref().and_then(|words| {
        let mut reader = Reader::new(words.get(1..)?);
        let effects = keyword.effects(&mut reader)?;
        reader.is_end().then_some(effects)
    });
    let canonical = words.as_deref().map_or_else(|| "…".into(), words::canonical);
    let statement = found.map_or_else(not_understood, statement);
    Command::analysed(text, canonical, Box::new([statement]))
}

fn statement(effects: Vec<Effect>) -> Statement {
    Statement { effects: effects.into_boxed_slice(), coverage: Coverage::Full, change: Change::Nothing }
}

/// It may stream anything, and do more than that.
fn not_understood() -> Statement {
    let effects = Box::new([Effect::new(Verb::Replicate, Object::Any), Effect::unknown()]);
    Statement { effects, ..unknown("a command of replication that is not understood") }
}

/// A word that a command of replication begins with. `SHOW` is left out: it means the same in SQL.
#[derive(Clone, Copy)]
enum Keyword {
    IdentifySystem,
    BaseBackup,
    StartReplication,
    CreateSlot,
    DropSlot,
    AlterSlot,
    ReadSlot,
    TimelineHistory,
    UploadManifest,
}

impl Keyword {
    /// The keyword that a text begins with. Keywords are written in capitals; in small letters they are names.
    fn begins(text: &str) -> Option<Self> {
        let text = text.trim_start_matches(words::is_space);
        let end = text.find(|c| !words::is_of_name(c)).unwrap_or(text.len());
        Some(match text.get(..end)? {
            "IDENTIFY_SYSTEM" => Self::IdentifySystem,
            "BASE_BACKUP" => Self::BaseBackup,
            "START_REPLICATION" => Self::StartReplication,
            "CREATE_REPLICATION_SLOT" => Self::CreateSlot,
            "DROP_REPLICATION_SLOT" => Self::DropSlot,
            "ALTER_REPLICATION_SLOT" => Self::AlterSlot,
            "READ_REPLICATION_SLOT" => Self::ReadSlot,
            "TIMELINE_HISTORY" => Self::TimelineHistory,
            "UPLOAD_MANIFEST" => Self::UploadManifest,
            _ => return None,
        })
    }

    fn effects(self, reader: &mut Reader<'_>) -> Option<Vec<Effect>> {
        match self {
            // The server's identity and where its log stands: no more than functions of the catalogue tell anybody.
            Self::IdentifySystem => {
                Some(one(Effect { duty: Duty::Harmless, ..Effect::new(Verb::Replicate, Object::Any) }))
            }
            Self::BaseBackup => base_backup(reader),
            Self::StartReplication => start(reader).map(|name| one(replicate(name))),
            Self::CreateSlot => create(reader),
            Self::DropSlot => {
                let slot = slot(reader)?;
                reader.eat("WAIT");
                Some(one(replicate(slot)))
            }
            Self::AlterSlot => {
                let slot = slot(reader)?;
                options(reader)?;
                Some(one(replicate(slot)))
            }
            Self::ReadSlot => slot(reader).map(|name| one(replicate(name))),
            Self::TimelineHistory => reader.number().map(|()| one(replicate(TIMELINE_HISTORY))),
            Self::UploadManifest => Some(one(replicate(MANIFEST))),
        }
    }
}

fn one(effect: Effect) -> Vec<Effect> {
    Vec::from([effect])
}

fn replicate(name: impl Into<String>) -> Effect {
    Effect::new(Verb::Replicate, Object::Named(name.into()))
}

/// A slot's name, as the server allows one: small letters, digits and `_`.
fn slot(reader: &mut Reader<'_>) -> Option<String> {
    let name = reader.name()?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (!name.is_empty() && name.len() <= NAME_LENGTH && name.bytes().all(fits)).then_some(name)
}

/// `[SLOT s] [PHYSICAL] 0/0 [TIMELINE 1]`, `SLOT s LOGICAL 0/0 [(option 'value', …)]`: what is streamed.
fn start(reader: &mut Reader<'_>) -> Option<String> {
    let name = if reader.eat("SLOT") { Some(slot(reader)?) } else { None };
    if name.is_some() && reader.eat("LOGICAL") {
        reader.position()?;
        if !reader.is_end() {
            options(reader)?;
        }
        return name;
    }
    reader.eat("PHYSICAL");
    reader.position()?;
    if reader.eat("TIMELINE") {
        reader.number()?;
    }
    Some(name.unwrap_or_else(|| NO_SLOT.into()))
}

/// `s [TEMPORARY] PHYSICAL [RESERVE_WAL]`, `s [TEMPORARY] LOGICAL plugin [EXPORT_SNAPSHOT]`, each with options in
/// parentheses too. The plugin is a library that the server loads: by a plain name, never by a path.
fn create(reader: &mut Reader<'_>) -> Option<Vec<Effect>> {
    let slot = slot(reader)?;
    reader.eat("TEMPORARY");
    if reader.eat("LOGICAL") {
        let plugin = reader.name()?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if plugin.is_empty() || !plugin.bytes().all(fits) {
            return None;
        }
    } else if !reader.eat("PHYSICAL") {
        return None;
    }
    if reader.at(&Word::Open) {
        options(reader)?;
    } else {
        let flags = ["RESERVE_WAL", "EXPORT_SNAPSHOT", "NOEXPORT_SNAPSHOT", "USE_SNAPSHOT", "TWO_PHASE"];
        while flags.iter().any(|flag| reader.eat(flag)) {}
    }
    Some(one(replicate(slot)))
}

/// A backup of the whole cluster, to the client or to where the server keeps it.
fn base_backup(reader: &mut Reader<'_>) -> Option<Vec<Effect>> {
    let options = if reader.at(&Word::Open) { options(reader)? } else { legacy_options(reader)? };
    let value = |name: &str| options.iter().find(|option| option.0.eq_ignore_ascii_case(name)).map(|option| &option.1);
    let mut effects = one(replicate(BASE_BACKUP));
    match value("TARGET").map(Option::as_deref) {
        None | Some(Some("client")) => {}
        Some(Some("server")) => {
            let folder = value("TARGET_DETAIL").cloned().flatten();
            effects.push(Effect::new(Verb::File, folder.map_or(Object::Any, Object::Named)));
        }
        // Other targets are what extensions make of them: one of PostgreSQL's own runs a program.
        Some(_) => return None,
    }
    let mut names: Vec<String> = options.iter().map(|option| option.0.to_ascii_lowercase()).collect();
    names.sort_unstable();
    names.is_sorted_by(|one, next| one < next).then_some(effects)
}

/// An option and its value, where it has one.
type Setting = (String, Option<String>);

/// `(name 'value', name 1, name word, name)`.
fn options(reader: &mut Reader<'_>) -> Option<Vec<Setting>> {
    let mut options = Vec::new();
    reader.expect(&Word::Open)?;
    if reader.expect(&Word::Close).is_some() {
        return Some(options);
    }
    loop {
        let name = reader.name()?;
        options.push((name, reader.value()));
        match reader.next()? {
            Word::Comma => {}
            Word::Close => return Some(options),
            Word::Name(_) | Word::Quoted(_) | Word::Text(_) | Word::Number(_) | Word::Position(_) | Word::Open => {
                return None;
            }
        }
    }
}

/// `LABEL 'nightly' PROGRESS …`, as clients of servers before PostgreSQL 15 write them.
fn legacy_options(reader: &mut Reader<'_>) -> Option<Vec<Setting>> {
    const FLAGS: [&str; 6] = ["PROGRESS", "FAST", "WAL", "NOWAIT", "TABLESPACE_MAP", "NOVERIFY_CHECKSUMS"];
    const VALUES: [&str; 4] = ["LABEL", "MAX_RATE", "MANIFEST", "MANIFEST_CHECKSUMS"];
    let mut options = Vec::new();
    while !reader.is_end() {
        if let Some(flag) = FLAGS.iter().find(|flag| reader.eat(flag)) {
            options.push(((*flag).into(), None));
        } else {
            let name = VALUES.iter().find(|name| reader.eat(name))?;
            options.push(((*name).into(), Some(reader.value()?)));
        }
    }
    Some(options)
}
