//! Keeps what is known of a session in step with what the server acknowledged.
//!
//! PostgreSQL 15 does not report its search path, and no server reports definitions. So the path is taken as known only
//! while nothing can have changed it; else it counts as unknown, and when the session is next idle it is read anew with
//! the catalog.

use std::collections::{BTreeMap, BTreeSet};

use hoopcore::command::sql::Object;
use hoopcore::command::{Change, Coverage, PathChange, Statement};
use hoopcore::{Command, SessionFacts};

use crate::works::FRAME;

/// What a session's facts depend on besides themselves.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    /// The path was changed since the session was last read.
    moved: bool,
    /// Path or definitions may be others than the facts say.
    stale: bool,
    /// Definitions may be others than those that were read.
    redefined: bool,
    /// Cursors that outlive their transaction.
    held: BTreeSet<String>,
    /// What the query of each cursor that SQL declared takes, in bytes.
    cursors: BTreeMap<String, usize>,
}

impl Upkeep {
    /// Whether the catalog is to be read anew before anything more is decided, as soon as that is possible.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale
    }

    /// Whether definitions may be others than those that were read.
    pub(crate) fn is_redefined(&self) -> bool {
        self.redefined
    }

    /// The catalog is to be read anew.
    pub(crate) fn doubt(&mut self) {
        self.stale = true;
    }

    /// The catalog was read anew.
    pub(crate) fn refreshed(&mut self) {
        self.stale = false;
        self.moved = false;
        self.redefined = false;
    }

    /// A statement was carried out. What names stand for in the protocol is kept by the FIFO.
    pub(crate) fn carried_out(&mut self, change: &Change, facts: &mut SessionFacts) {
        match change {
            Change::Nothing => {}
            Change::Prepare { name, command } => {
                facts.prepared.insert(name.clone(), command.clone());
            }
            Change::Deallocate(Some(name)) => drop(facts.prepared.remove(name)),
            Change::Deallocate(None) => facts.prepared.clear(),
            Change::Declare { name, command, hold } => {
                facts.cursors.insert(name.clone(), command.clone());
                self.cursors.insert(name.clone(), command.text().len() + FRAME);
                if *hold {
                    self.held.insert(name.clone());
                }
            }
            Change::Close(Some(name)) => {
                facts.cursors.remove(name);
                self.cursors.remove(name);
                self.held.remove(name);
            }
            Change::Close(None) => {
                facts.cursors.clear();
                self.held.clear();
                self.cursors.clear();
            }
            Change::Path(path) => self.move_path(path, facts),
            Change::Definitions => (self.stale, self.redefined) = (true, true),
            Change::Discard => {
                facts.prepared.clear();
                facts.cursors.clear();
                self.held.clear();
                self.cursors.clear();
                self.move_path(&PathChange::Reset, facts);
            }
            Change::Unknown => {
                self.redefined = true;
                self.move_path(&PathChange::Unknown, facts);
            }
        }
    }

    fn move_path(&mut self, path: &PathChange, facts: &mut SessionFacts) {
        self.moved = true;
        self.stale = true;
        facts.search_path = match path {
            PathChange::To(schemas) if schemas.iter().all(|schema| is_plain(schema)) => schemas.clone(),
            // What a reset path holds hangs on the role (`"$user"`), which may be another by now.
            PathChange::Reset | PathChange::To(_) | PathChange::Unknown => Vec::new(),
        };
    }

    /// What names of cursors stand for is not known any more: what runs by one is judged as the unknown.
    pub(crate) fn forget_cursors(&mut self, facts: &mut SessionFacts) {
        facts.cursors.clear();
        self.cursors.clear();
        self.held.clear();
    }

    /// What cursors take that SQL declared, in bytes.
    pub(crate) fn taken(&self) -> usize {
        self.cursors.values().sum()
    }

    /// Settings went back to what they were before a transaction or savepoint.
    pub(crate) fn rolled_back(&mut self, facts: &mut SessionFacts) {
        if self.moved {
            facts.search_path.clear();
        }
    }

    /// No transaction is open: cursors are gone, except for those that outlive it.
    pub(crate) fn idle(&mut self, facts: &mut SessionFacts) {
        facts.cursors.retain(|name, _| self.held.contains(name));
        self.cursors.retain(|name, _| self.held.contains(name));
    }
}

/// Whether a schema on the path is looked up there and nowhere else.
fn is_plain(schema: &str) -> bool {
    !schema.starts_with('$') && !schema.starts_with("pg_")
}

/// What a statement runs that was prepared, where it is known what the name stands for.
fn prepared<'a>(statement: &'a Statement, facts: &'a SessionFacts) -> impl Iterator<Item = Option<&'a Command>> {
    statement.effects.iter().filter_map(|effect| match &effect.object {
        Object::Prepared(name) => Some(facts.prepared.get(name)),
        Object::Cursor(_)
        | Object::Relation(_)
        | Object::Function(_)
        | Object::Setting(_)
        | Object::Schema(_)
        | Object::Named(_)
        | Object::Any => None,
    })
}

/// Whether the statement makes functions, itself or by what it names.
pub(crate) fn defines(statement: &Statement, facts: &SessionFacts) -> bool {
    let mut named = prepared(statement, facts).flatten().flat_map(Command::statements);
    statement.defines_functions() || named.any(Statement::defines_functions)
}

/// What carrying out the statement changes. An EXECUTE or FETCH changes what the statement that it names does.
pub(crate) fn change(statement: &Statement, facts: &SessionFacts) -> Change {
    let named = statement.effects.iter().find_map(|effect| match &effect.object {
        Object::Prepared(name) => Some(facts.prepared.get(name)),
        Object::Cursor(name) => Some(facts.cursors.get(name)),
        Object::Relation(_)
        | Object::Function(_)
        | Object::Setting(_)
        | Object::Schema(_)
        | Object::Named(_)
        | Object::Any => None,
    });
    match named.map(|command| command.map(Command::statements)) {
        None => statement.change.clone(),
        Some(Some([inner])) if matches!(inner.change, Change::Nothing) => statement.change.clone(),
        Some(Some([inner])) => inner.change.clone(),
        Some(_) => Change::Unknown,
    }
}

/// Names of which it is not known any more what they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    Nothing,
    /// Those of cursors and portals.
    Cursors,
    /// Those of statements too.
    All,
}

/// What may be lost by a statement of a command, of which it is not known what it changes. What a function does is not seen
/// here.
pub(crate) fn lost(command: &Command, statement: &Statement, facts: &SessionFacts) -> Lost {
    let by = match prepared(statement, facts).next() {
        Some(None) => return Lost::All,
        Some(Some(inner)) => inner,
        None => command,
    };
    match statement.coverage {
        // Of all that is understood and gives or takes a name, a cursor's query alone may change what is not known.
        Coverage::Full if may_declare(by) => Lost::Cursors,
        Coverage::Full => Lost::Nothing,
        Coverage::Partial(_) if has_word(by.text(), &NAMING) => Lost::All,
        Coverage::Partial(_) => Lost::Nothing,
    }
}

/// Words of which one stands in each statement that gives a name or takes one.
const NAMING: [&str; 5] = ["prepare", "deallocate", "declare", "close", "discard"];

/// Whether some statement of a command may be a DECLARE: a lone one begins with the word, unless with a comment.
fn may_declare(command: &Command) -> bool {
    let text = command.text().trim_start();
    let begins_with_a_word = text.starts_with(|first: char| first.is_ascii_alphabetic());
    if command.statements().len() == 1 && begins_with_a_word {
        return text.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("declare"));
    }
    has_word(text, &["declare"])
}

fn has_word(text: &str, words: &[&str]) -> bool {
    let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    parts.into_iter().any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)))
}

/// Whether facts about a session depend on the outcome of a command.
pub(crate) fn changes(command: &Command, facts: &SessionFacts) -> bool {
    command.statements().iter().any(|statement| !matches!(change(statement, facts), Change::Nothing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(changes: &[Change], path: &[&str], prepared: &str, cursors: &str, stale: bool) {
        let mut facts = SessionFacts::default();
        let mut upkeep = Upkeep::default();
        for change in changes {
            upkeep.carried_out(change, &mut facts);
        }
        let names = |of: &std::collections::BTreeMap<String, Command>| {
            of.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            (facts.search_path.as_slice(), names(&facts.prepared), names(&facts.cursors), upkeep.is_stale()),
            (
                path.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().as_slice(),
                prepared.into(),
                cursors.into(),
                stale
            ),
            "{changes:?}"
        );
    }

    fn prepare(name: &str) -> Change {
        Change::Prepare { name: name.into(), command: Command::sql("SELECT 1") }
    }

    fn declare(name: &str, hold: bool) -> Change {
        Change::Declare { name: name.into(), command: Command::sql("SELECT 1"), hold }
    }

    fn to(path: &[&str]) -> Change {
        Change::Path(PathChange::To(path.iter().map(|name| (*name).to_owned()).collect()))
    }

    #[test]
    fn facts_follow_what_was_carried_out() {
        use Change::{Close, Deallocate, Definitions, Discard, Nothing, Path, Unknown};
        let public = &["public"][..];
        check(&[Nothing], public, "", "", false);
        check(&[prepare("a"), prepare("b")], public, "a b", "", false);
        check(&[prepare("a"), prepare("b"), Deallocate(Some("a".into()))], public, "b", "", false);
        check(&[prepare("a"), Deallocate(None)], public, "", "", false);
        check(&[declare("a", false), declare("b", true), Close(Some("a".into()))], public, "", "b", false);
        check(&[declare("a", false), declare("b", true), Close(None)], public, "", "", false);
        check(&[Definitions], public, "", "", true);
        check(&[to(&["x", "y"])], &["x", "y"], "", "", true);
        check(&[to(&["$user", "y"])], &[], "", "", true);
        check(&[to(&["pg_temp"])], &[], "", "", true);
        check(&[to(&["x"]), Path(PathChange::Reset)], &[], "", "", true);
        check(&[Path(PathChange::Unknown)], &[], "", "", true);
        check(&[prepare("a"), declare("b", true), to(&["x"]), Discard], &[], "", "", true);
        check(&[prepare("a"), Unknown], &[], "a", "", true);
    }

    #[test]
    fn a_path_that_was_changed_is_unknown_after_a_rollback() {
        let mut facts = SessionFacts::default();
        let mut upkeep = Upkeep::default();
        upkeep.rolled_back(&mut facts);
        assert_eq!(facts.search_path, ["public"]);
        upkeep.carried_out(&to(&["x"]), &mut facts);
        upkeep.rolled_back(&mut facts);
        assert!(facts.search_path.is_empty());
        upkeep.refreshed();
        assert!(!upkeep.is_stale());
    }

    #[test]
    fn what_may_move_the_path_leaves_it_unknown() {
        let move_path = "SELECT set_config('search_path', 'secret', false)";
        let check = |sql: &str, known: bool| {
            let (mut facts, mut upkeep) = (SessionFacts::default(), Upkeep::default());
            for statement in Command::sql(&sql.replace("MOVES", move_path)).statements() {
                upkeep.carried_out(&change(statement, &facts), &mut facts);
            }
            assert_eq!((!facts.search_path.is_empty(), !upkeep.is_stale()), (known, known), "{sql}");
        };
        check("EXPLAIN SELECT 1", true);
        check("EXPLAIN ANALYZE MOVES", false);
        check("EXPLAIN (ANALYZE) SELECT f()", false);
        check("EXPLAIN ANALYZE CREATE TABLE t AS MOVES", false);
        check("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT", true);
        check("BEGIN; DECLARE c CURSOR WITH HOLD FOR MOVES; COMMIT", false);
        check("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT f(); COMMIT", false);
        check("BEGIN; DECLARE c CURSOR FOR MOVES; MOVE ALL IN c", false);
        check("BEGIN; DECLARE c CURSOR FOR SELECT 1; MOVE ALL IN c", true);
        check("MOVE ALL IN c", false);
        check("SET ROLE other; RESET search_path", false);
    }

    #[test]
    fn only_held_cursors_outlive_their_transaction() {
        let mut facts = SessionFacts::default();
        let mut upkeep = Upkeep::default();
        upkeep.carried_out(&declare("a", false), &mut facts);
        upkeep.carried_out(&declare("b", true), &mut facts);
        upkeep.idle(&mut facts);
        assert_eq!(facts.cursors.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn what_runs_under_a_name_changes_what_its_statement_does() {
        let mut facts = SessionFacts::default();
        facts.prepared.insert("path".into(), Command::sql("SET search_path TO x"));
        facts.prepared.insert("read".into(), Command::sql("SELECT 1"));
        facts.cursors.insert("call".into(), Command::sql("SELECT f()"));
        facts.cursors.insert("read".into(), Command::sql("SELECT 1"));
        let check = |sql: &str, expected: bool| assert_eq!(changes(&Command::sql(sql), &facts), expected, "{sql}");
        check("SELECT 1", false);
        check("BEGIN", false);
        check("SET search_path TO x", true);
        check("CREATE TABLE t (a int)", true);
        check("EXECUTE read", false);
        check("EXECUTE path", true);
        check("EXECUTE other", true);
        check("FETCH ALL FROM read", false);
        check("FETCH ALL FROM call", true);
        check("MOVE ALL IN call", true);
        check("MOVE ALL IN read", false);
        check("FETCH ALL FROM other", true);
        check("CREATE TABLE t AS EXECUTE read", true);
        check("SELECT f()", true);
    }

    #[test]
    fn few_statements_lose_names() {
        let mut facts = SessionFacts::default();
        facts.prepared.insert("call".into(), Command::sql("SELECT f()"));
        facts.prepared.insert("cursor".into(), Command::sql("DECLARE c CURSOR FOR SELECT f()"));
        let check = |sql: &str, expected: Lost| {
            let command = Command::sql(sql);
            let lost = command.statements().iter().map(|statement| lost(&command, statement, &facts));
            assert_eq!(
                lost.fold(Lost::Nothing, |all, one| if one == Lost::Nothing { all } else { one }),
                expected,
                "{sql}"
            );
        };
        check("SELECT f(x) FROM t WHERE status = 'closed' AND close > 1", Lost::Nothing);
        check("PREPARE s AS SELECT f()", Lost::Nothing);
        check("DECLARE c CURSOR FOR SELECT f()", Lost::Cursors);
        check("  declare c cursor for select f()", Lost::Cursors);
        check("/* x */ DECLARE c CURSOR FOR SELECT f()", Lost::Cursors);
        check("SELECT 1; DECLARE c CURSOR FOR SELECT f()", Lost::Cursors);
        check("EXECUTE call", Lost::Nothing);
        check("EXECUTE cursor", Lost::Cursors);
        check("EXECUTE other", Lost::All);
        check("BETWIXT t", Lost::Nothing);
        check("BETWIXT CLOSE c", Lost::All);
    }
}
