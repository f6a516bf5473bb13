//! Whether the server reads a backslash in a plain string as the analysis does.
//!
//! With `standard_conforming_strings` off, `'\'` does not end where standard SQL has it end, and what follows is another
//! statement than it seems. A text without any backslash means the same either way; one with a backslash is then not
//! read at all. The server reports the setting before it awaits a new query; until then, a command that may have
//! changed it leaves it in doubt.

use hoopcore::command::sql::{Duty, Effect, Object, Verb};
use hoopcore::{Command, SessionFacts};

/// The setting that decides it.
pub(crate) const SETTING: &str = "standard_conforming_strings";

/// What is known of the setting.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    /// The server's last word was that it is off.
    off: bool,
    /// It may have been changed since.
    doubtful: bool,
}

impl Strings {
    /// The server reports whether the setting is on.
    pub(crate) fn reported(&mut self, on: bool) {
        self.off = !on;
    }

    /// A command is forwarded.
    pub(crate) fn forwarded(&mut self, command: &Command, facts: &SessionFacts) {
        self.doubtful |= effects(command).any(|effect| may_change(effect, facts));
    }

    /// The server awaits a new query, and nothing more is owed: it has reported what was changed.
    pub(crate) fn settled(&mut self) {
        self.doubtful = false;
    }

    /// Whether the server may read the text in another way than it is analysed.
    pub(crate) fn may_differ(&self, text: &str) -> bool {
        (self.off || self.doubtful) && text.contains('\\')
    }
}

fn effects(command: &Command) -> impl Iterator<Item = &Effect> {
    command.statements().iter().flat_map(|statement| &statement.effects)
}

/// Whether an effect may change the setting; what an EXECUTE or FETCH runs is that of the statement it names.
fn may_change(effect: &Effect, facts: &SessionFacts) -> bool {
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
        Some(Some(command)) => effects(command).any(|effect| may_set(effect, facts)),
        Some(None) => true,
        None => may_set(effect, facts),
    }
}

/// Whether an effect sets it, or runs what may: a function that PostgreSQL does not ship can call `set_config`.
fn may_set(effect: &Effect, facts: &SessionFacts) -> bool {
    match effect.verb {
        Verb::Unknown | Verb::Fastpath | Verb::Program | Verb::Replicate => true,
        Verb::Set => match &effect.object {
            Object::Setting(name) => name == SETTING,
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

    #[test]
    fn a_backslash_is_in_doubt_once_the_setting_may_have_changed() {
        let check = |sql: &str, doubtful: bool| {
            let mut facts = SessionFacts::default();
            facts
                .prepared
                .insert("loosen".into(), Command::sql("SELECT set_config('standard_conforming_strings', $1, false)"));
            facts.prepared.insert("harmless".into(), Command::sql("SELECT 1"));
            let mut strings = Strings::default();
            strings.forwarded(&Command::sql(sql), &facts);
            assert_eq!(strings.may_differ(r"SELECT '\'"), doubtful, "{sql}");
            assert!(!strings.may_differ("SELECT 'plain'"), "{sql}");
            strings.settled();
            assert!(!strings.may_differ(r"SELECT '\'"), "{sql}");
        };
        check("SELECT 1", false);
        check("SET work_mem TO '1MB'", false);
        check("SET standard_conforming_strings TO off", true);
        check("SET LOCAL standard_conforming_strings = 0", true);
        check("SET SESSION \"standard_conforming_strings\" TO DEFAULT", true);
        check("SELECT set_config('standard_conforming_strings', 'off', false)", true);
        check("SELECT set_config('STANDARD_conforming_strings', 'off', false)", true);
        check("SELECT set_config(name, setting, false) FROM pg_settings", true);
        check("UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings'", true);
        check("RESET ALL", false);
        check("DO 'BEGIN SET standard_conforming_strings TO off; END'", true);
        check("SELECT loosen_it()", true);
        check("CALL loosen_it()", true);
        check("SELECT upper('a')", false);
        check("EXECUTE loosen('off')", true);
        check("EXECUTE harmless", false);
        check("EXECUTE nobody_knows", true);
    }

    #[test]
    fn the_servers_word_counts() {
        let mut strings = Strings::default();
        strings.reported(false);
        strings.settled();
        assert!(strings.may_differ(r"SELECT '\' , '; DROP TABLE t; --'"));
        assert!(!strings.may_differ("SET standard_conforming_strings TO on"));
        strings.reported(true);
        assert!(!strings.may_differ(r"SELECT '\'"));
    }
}
