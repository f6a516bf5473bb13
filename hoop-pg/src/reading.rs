//! How the server reads what the client sends, and writes what it answers: the settings on which that rests.
//!
//! With `standard_conforming_strings` off, `'\'` does not end where standard SQL has it end, and what follows is another
//! statement than it seems. With another `client_encoding`, bytes beyond ASCII are other characters, and one that looks
//! like a quote or a backslash may be half of one. A text of ASCII without any backslash means the same whatever they are.
//!
//! The server reports both settings before it awaits a new query. Until then a command that may have changed one leaves
//! them in doubt; and where one was changed within the open transaction, so does whatever may take that back.

use std::borrow::Cow;
use std::sync::Arc;

use hoopcore::command::sql::{Duty, Effect, Object, Verb};
use hoopcore::command::{Change, PathChange, Statement};
use hoopcore::{Command, SessionFacts};

use crate::charset::Charset;
use crate::conversation::Bound;
use crate::fifo;
use crate::message::{Status, Values};

/// The setting that decides what a backslash is.
pub(crate) const STRINGS: &str = "standard_conforming_strings";

/// The setting that decides what bytes beyond ASCII are.
pub(crate) const ENCODING: &str = "client_encoding";

/// Why a text with a backslash is not read.
const BACKSLASH: &str = "a backslash, while standard_conforming_strings is or may be off";

/// Why a text beyond ASCII is not read.
const BEYOND_ASCII: &str = "characters beyond ASCII, while client_encoding is or may be one that is not read";

/// Why a text with a backslash that may be half of a character is not read: a view or a trigger may have changed the setting,
/// and nothing shows that before the server says so.
const UNSEEN: &str = "a backslash and characters beyond ASCII, sent before the server has answered what came before";

/// Why a text with a name beyond ASCII is not read.
pub(crate) const NAMES: &str = "a name beyond ASCII, in a database whose encoding is not UTF8";

/// What is known of the settings.
#[derive(Debug)]
pub(crate) struct Reading {
    charset: Charset,
    /// What the server calls it.
    encoding: Arc<str>,
    /// What the server holds its texts in.
    held_in: String,
    /// The server's last word on strings was that they do not conform.
    off: bool,
    /// Something was sent that may change a setting.
    touched: bool,
    /// A setting may have been changed within the transaction that is open.
    within: bool,
    /// Something was sent to be run.
    ran: bool,
    /// A transaction ended or failed.
    ended: bool,
}

/// The encodings that a session begins with, as the server reports them.
#[derive(Clone, Debug)]
pub struct Encodings {
    /// `client_encoding`
    pub client: String,
    /// `server_encoding`
    pub server: String,
}

impl Default for Encodings {
    fn default() -> Self {
        Self { client: String::from("UTF8"), server: String::from("UTF8") }
    }
}

/// What comes of a text that the client sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// The server reads it so.
    Read(String),
    /// The server may read it in another way than it looks like here: why.
    Unread(String, &'static str),
    /// The same, for as long as settings are in doubt.
    Doubtful(String, &'static str),
    /// The server refuses it, for it is no text.
    Nothing,
}

impl Reading {
    pub(crate) fn new(encodings: Encodings) -> Self {
        let Encodings { client, server } = encodings;
        Self {
            charset: Charset::named(&client, &server),
            encoding: client.into(),
            held_in: server,
            off: false,
            touched: false,
            within: false,
            ran: false,
            ended: false,
        }
    }

    /// The server reports whether strings conform.
    pub(crate) fn strings_reported(&mut self, on: bool) {
        self.off = !on;
    }

    /// The server reports the encoding.
    pub(crate) fn encoding_reported(&mut self, name: &[u8]) {
        let name = String::from_utf8_lossy(name);
        self.charset = Charset::named(&name, &self.held_in);
        self.encoding = name.into();
    }

    /// A command is forwarded, or what was bound before is run; `changes` is what [`changes`] says of it.
    pub(crate) fn forwarded(&mut self, changes: bool) {
        self.ran = true;
        if changes {
            (self.touched, self.within) = (true, true);
        }
    }

    /// A transaction, or a part of it, ended or failed at the server.
    pub(crate) fn ended(&mut self) {
        self.ended = true;
    }

    /// The server awaits a new query, and nothing more is owed: it has reported what was changed.
    pub(crate) fn settled(&mut self, status: Status) {
        (self.touched, self.ran, self.ended) = (false, false, false);
        self.within &= status != Status::Idle;
    }

    /// Whether settings may be others, by the time that the server reads what is sent now.
    fn is_doubtful(&self) -> bool {
        self.touched || (self.within && self.ran)
    }

    /// How texts stand in what the server says now; in doubt, nothing but ASCII is read of them.
    pub(crate) fn said(&self) -> Charset {
        if self.touched || (self.within && self.ended) { Charset::UNREAD } else { self.charset }
    }

    /// How texts stand in what is sent to the server now; in doubt, nothing but ASCII is written.
    pub(crate) fn sent(&self) -> Charset {
        if self.is_doubtful() { Charset::UNREAD } else { self.charset }
    }

    /// A text that the client sends.
    pub(crate) fn text(&self, bytes: &[u8]) -> Text {
        let shown = || String::from_utf8_lossy(bytes).into_owned();
        let Some(text) = self.sent().decode(bytes) else {
            return match (self.is_doubtful(), self.charset.is_utf8()) {
                (true, _) => Text::Doubtful(shown(), BEYOND_ASCII),
                (false, true) => Text::Nothing,
                (false, false) => Text::Unread(shown(), BEYOND_ASCII),
            };
        };
        let text = text.into_owned();
        if self.ran && !bytes.is_ascii() && bytes.contains(&b'\\') {
            return Text::Doubtful(text, UNSEEN);
        }
        match (self.is_doubtful(), self.off) {
            (true, _) if text.contains('\\') => Text::Doubtful(text, BACKSLASH),
            (false, true) if text.contains('\\') => Text::Unread(text, BACKSLASH),
            (true | false, _) => Text::Read(text),
        }
    }

    /// Whether the server may take names beyond ASCII for others than the analysis does: it folds and cuts them in the
    /// encoding of its database. One that turns nothing keeps them as the client wrote them.
    pub(crate) fn names_may_differ(&self) -> bool {
        match self.held_in.as_str() {
            "UTF8" => false,
            "SQL_ASCII" => !self.charset.is_utf8(),
            _ => true,
        }
    }

    /// The values of parameters of these types that the client sends.
    pub(crate) fn bound(&self, values: Values<'_>, types: Arc<[u32]>) -> Bound {
        let encoding = (!self.is_doubtful()).then(|| Arc::clone(&self.encoding));
        Bound::new(values, types, self.sent(), encoding)
    }

    /// The name of a statement or portal as the server has it; `None` where that is not known.
    pub(crate) fn name<'a>(&self, bytes: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let charset = self.sent();
        let name = charset.decode(bytes)?;
        // A server that turns nothing keeps the bytes. One that holds other texts cuts a long name elsewhere.
        let kept = match self.held_in.as_str() {
            "UTF8" => true,
            "SQL_ASCII" => charset.is_utf8(),
            _ => name.len() <= fifo::NAME_LENGTH,
        };
        (kept || name.is_ascii()).then(|| match name {
            Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
            Cow::Owned(name) => Cow::Owned(name.into_bytes()),
        })
    }
}

/// Whether a command may change a setting by which texts are read.
pub(crate) fn changes(command: &Command, facts: &SessionFacts) -> bool {
    command.statements().iter().any(|statement| may_change(statement, facts))
}

/// Whether a statement may change a setting; what an EXECUTE or FETCH runs is that of the statement it names.
fn may_change(statement: &Statement, facts: &SessionFacts) -> bool {
    resets_all(&statement.change) || statement.effects.iter().any(|effect| may_run(effect, facts))
}

/// `RESET ALL`, `DISCARD ALL`.
fn resets_all(change: &Change) -> bool {
    match change {
        Change::Path(PathChange::Reset) | Change::Discard => true,
        Change::Nothing
        | Change::Prepare { .. }
        | Change::Deallocate(_)
        | Change::Declare { .. }
        | Change::Close(_)
        | Change::Path(PathChange::To(_) | PathChange::Unknown)
        | Change::Definitions
        | Change::Unknown => false,
    }
}

fn may_run(effect: &Effect, facts: &SessionFacts) -> bool {
    let named = match &effect.object {
        Object::Prepared(name) => Some(facts.prepared.get(name)),
        Object::Cursor(name) => Some(facts.cursors.get(name)),
        Object::Relation(_)
        | Object::Function(_)
        | Object::Setting(_)
        | Object::Schema(_)
        | Object::Named(_)
        | Object::Any => None,
    };
    match named {
        Some(Some(command)) => {
            command.statements().iter().flat_map(|statement| &statement.effects).any(|effect| may_set(effect, facts))
        }
        Some(None) => true,
        None => may_set(effect, facts),
    }
}

/// Whether an effect sets one, or runs what may: a function that PostgreSQL does not ship can call `set_config`.
fn may_set(effect: &Effect, facts: &SessionFacts) -> bool {
    match effect.verb {
        Verb::Unknown | Verb::Fastpath | Verb::Program | Verb::Replicate => true,
        Verb::Set => match &effect.object {
            Object::Setting(name) => name == STRINGS || name == ENCODING,
            Object::Relation(_)
            | Object::Function(_)
            | Object::Schema(_)
            | Object::Named(_)
            | Object::Prepared(_)
            | Object::Cursor(_)
            | Object::Any => true,
        },
        Verb::Call => match (effect.duty, &effect.object) {
            (Duty::Covered, _) => true,
            (Duty::HarmlessUnlessShadowed, Object::Function(name)) => facts.shadows.contains(&name.name),
            (Duty::Harmless | Duty::HarmlessUnlessShadowed, _) => false,
        },
        Verb::Read
        | Verb::Insert
        | Verb::Update
        | Verb::Delete
        | Verb::Truncate
        | Verb::Create
        | Verb::Alter
        | Verb::Drop
        | Verb::Grant
        | Verb::Role
        | Verb::File
        | Verb::Maintain
        | Verb::Admin
        | Verb::Lock
        | Verb::Sequence
        | Verb::Notify
        | Verb::Listen
        | Verb::Session => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(client: &str, server: &str) -> Reading {
        Reading::new(Encodings { client: client.into(), server: server.into() })
    }

    #[test]
    fn settings_are_in_doubt_once_they_may_have_changed() {
        let check = |sql: &str, doubtful: bool| {
            let mut facts = SessionFacts::default();
            let loosen = Command::sql("SELECT set_config('standard_conforming_strings', $1, false)");
            facts.prepared.insert("loosen".into(), loosen);
            facts.prepared.insert("harmless".into(), Command::sql("SELECT 1"));
            let mut reading = reading("UTF8", "UTF8");
            reading.forwarded(changes(&Command::sql(sql), &facts));
            for text in [r"SELECT '\'", "SELECT 'é'"] {
                assert_eq!(matches!(reading.text(text.as_bytes()), Text::Doubtful(..)), doubtful, "{sql}");
            }
            assert_eq!(reading.text(b"SELECT 'plain'"), Text::Read("SELECT 'plain'".into()), "{sql}");
            assert_eq!(reading.said() == Charset::UNREAD, doubtful, "{sql}");
            reading.settled(Status::Idle);
            assert!(matches!(reading.text("SELECT 'é\\'".as_bytes()), Text::Read(_)), "{sql}");
        };
        check("SELECT 1", false);
        check("SET work_mem TO '1MB'", false);
        check("SET standard_conforming_strings TO off", true);
        check("SET LOCAL standard_conforming_strings = 0", true);
        check("SET SESSION \"standard_conforming_strings\" TO DEFAULT", true);
        check("SET client_encoding TO 'LATIN1'", true);
        check("SET NAMES 'UTF8'", true);
        check("RESET client_encoding", true);
        check("SELECT set_config('standard_conforming_strings', 'off', false)", true);
        check("SELECT set_config('STANDARD_conforming_strings', 'off', false)", true);
        check("SELECT set_config('client_encoding', 'SJIS', true)", true);
        check("SELECT set_config(name, setting, false) FROM pg_settings", true);
        check("UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings'", true);
        check("RESET ALL", true);
        check("DISCARD ALL", true);
        check("DISCARD PLANS", false);
        check("ROLLBACK", false);
        check("DO 'BEGIN SET standard_conforming_strings TO off; END'", true);
        check("SELECT loosen_it()", true);
        check("CALL loosen_it()", true);
        check("SELECT upper('a')", false);
        check("EXECUTE loosen('off')", true);
        check("EXECUTE harmless", false);
        check("EXECUTE nobody_knows", true);
    }

    #[test]
    fn a_backslash_that_may_be_half_of_a_character_waits_for_what_was_sent_before() {
        let mut reading = reading("UTF8", "UTF8");
        reading.forwarded(changes(&Command::sql("SELECT * FROM a_view"), &SessionFacts::default()));
        assert!(matches!(reading.text("E'あ\\''".as_bytes()), Text::Doubtful(..)));
        assert!(matches!(reading.text("'あ'".as_bytes()), Text::Read(_)));
        assert!(matches!(reading.text(b"E'\\''"), Text::Read(_)));
        reading.settled(Status::Idle);
        assert!(matches!(reading.text("E'あ\\''".as_bytes()), Text::Read(_)));
    }

    #[test]
    fn what_a_transaction_changed_is_in_doubt_where_it_may_be_taken_back() {
        let facts = SessionFacts::default();
        let mut reading = reading("UTF8", "UTF8");
        let forward = |reading: &mut Reading, sql: &str| reading.forwarded(changes(&Command::sql(sql), &facts));
        forward(&mut reading, "BEGIN; SET LOCAL client_encoding TO 'LATIN1'");
        reading.encoding_reported(b"LATIN1");
        reading.settled(Status::Open);
        assert_eq!(reading.text(b"'\xe9'"), Text::Read("'é'".into()));
        forward(&mut reading, "SELECT 1");
        assert!(matches!(reading.text(b"'\xe9'"), Text::Doubtful(..)));
        assert_eq!(reading.said().decode(b"\xe9").as_deref(), Some("é"));
        reading.ended();
        assert_eq!(reading.said().decode(b"\xe9"), None);
        reading.encoding_reported(b"UTF8");
        reading.settled(Status::Idle);
        forward(&mut reading, "SELECT 1");
        assert_eq!(reading.text("'é'".as_bytes()), Text::Read("'é'".into()));
        assert_eq!(reading.text(b"'\xe9'"), Text::Nothing);
    }

    #[test]
    fn the_servers_word_counts() {
        let mut reading = reading("UTF8", "UTF8");
        reading.strings_reported(false);
        reading.settled(Status::Idle);
        assert!(matches!(reading.text(br"SELECT '\' , '; DROP TABLE t; --'"), Text::Unread(..)));
        assert!(matches!(reading.text(b"SET standard_conforming_strings TO on"), Text::Read(_)));
        reading.strings_reported(true);
        assert!(matches!(reading.text(br"SELECT '\'"), Text::Read(_)));
        reading.encoding_reported(b"BIG5");
        assert!(matches!(reading.text(b"SELECT '\xa4\xa4'"), Text::Unread(..)));
        assert!(matches!(reading.text(b"SET NAMES 'UTF8'"), Text::Read(_)));
    }

    #[test]
    fn a_name_is_the_one_that_the_server_keeps() {
        let check = |client: &str, server: &str, bytes: &[u8], kept: Option<&str>| {
            let name = reading(client, server).name(bytes);
            assert_eq!(name.as_deref(), kept.map(str::as_bytes), "{client} {server}");
        };
        check("UTF8", "UTF8", "é".as_bytes(), Some("é"));
        check("UTF8", "UTF8", b"\xe9", None);
        check("LATIN1", "UTF8", b"\xe9", Some("é"));
        check("LATIN1", "UTF8", "é".as_bytes(), Some("Ã©"));
        check("LATIN1", "LATIN1", b"\xe9", Some("é"));
        check("LATIN1", "LATIN1", &[0xe9; 40], None);
        check("LATIN1", "SQL_ASCII", b"\xe9", None);
        check("BIG5", "UTF8", b"\xa4\xa4", None);
        check("BIG5", "UTF8", b"plain", Some("plain"));
    }
}
