//! The effects of a call, one by one, each with what is known where its statement begins.

use crate::command::sql::{Columns, Duty, Effect, Facts, Object, Verb};
use crate::command::{self, Change, Command, Effects, PathChange, Statement, http, kubernetes, ssh};
use crate::policy::standings::Standpoint;
use crate::request::Call;
use crate::truth::Truth;

/// A statement may execute what is prepared, but nothing that is prepared executes anything: one step is enough.
const DEPTH: u8 = 2;

/// FETCH from a cursor that is not known: its query was judged when it was declared, or a function opened it. It is
/// harmless, and may return any value.
static FETCHED: Effect = Effect {
    verb: Verb::Session,
    object: Object::Any,
    facts: Facts {
        unbounded: Truth::No,
        copy: false,
        code: false,
        columns: Columns::All,
        returned: Columns::All,
        stored: Columns::All,
        inferred: Columns::none(),
        compared: Columns::none(),
        weighed: Columns::none(),
        behind: Columns::none(),
    },
    duty: Duty::Harmless,
};

/// The effect of a name that stands for nothing known.
static UNKNOWN: Effect = Effect {
    verb: Verb::Unknown,
    object: Object::Any,
    facts: Facts {
        unbounded: Truth::May,
        copy: false,
        code: false,
        columns: Columns::All,
        returned: Columns::All,
        stored: Columns::All,
        inferred: Columns::All,
        compared: Columns::All,
        weighed: Columns::All,
        behind: Columns::All,
    },
    duty: Duty::Covered,
};

/// What is judged: a call in a session, now or at any time.
#[derive(Clone, Copy)]
pub(super) struct Evaluation<'a> {
    pub(super) session: Standpoint<'a>,
    pub(super) call: &'a Call<'a>,
    pub(super) stage: Stage,
}

/// For when a command is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// For this call: its time and its parameters count.
    Execute,
    /// For whatever call may follow, with any time and any parameters.
    Prepare,
}

/// What is known where a statement begins: the statements before it in the same command count.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    /// The search path, where it is known.
    pub(super) path: Option<&'a [alloc::string::String]>,
    /// Whether any function of `pg_catalog` may be shadowed, beyond those of which the session knows it.
    pub(super) shadowed: bool,
}

/// An effect as it is judged.
#[derive(Clone, Copy)]
pub(super) enum Item<'a> {
    Sql(SqlItem<'a>),
    /// The effects of other protocols stand for themselves, whatever the session.
    Http(&'a http::Effect),
    Kubernetes(&'a kubernetes::Effect),
    Ssh(&'a ssh::Effect),
}

/// An effect of SQL as it is judged.
#[derive(Clone, Copy)]
pub(super) struct SqlItem<'a> {
    pub(super) effect: &'a Effect,
    /// Whether it is harmless: then no allow is asked, and it bears `session` beside its own verb.
    pub(super) harmless: Truth,
    pub(super) fetched: Fetched,
    pub(super) ground: Ground<'a>,
}

/// Whether an effect is what a cursor returns: it was judged when the cursor was declared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetched {
    No,
    Yes,
    /// Nothing is known of the cursor: it may return anything.
    Anything,
}

impl<'a> Item<'a> {
    /// The effect itself.
    pub(super) fn effect(&self) -> command::Effect<'a> {
        match self {
            Self::Sql(item) => command::Effect::Sql(item.effect),
            Self::Http(effect) => command::Effect::Http(effect),
            Self::Kubernetes(effect) => command::Effect::Kubernetes(effect),
            Self::Ssh(effect) => command::Effect::Ssh(effect),
        }
    }

    /// Whether it is harmless.
    pub(super) fn harmless(&self) -> Truth {
        match self {
            Self::Sql(item) => item.harmless,
            Self::Http(_) | Self::Kubernetes(_) | Self::Ssh(_) => Truth::No,
        }
    }

    /// Whether it is what a cursor returns.
    pub(super) fn fetched(&self) -> Fetched {
        match self {
            Self::Sql(item) => item.fetched,
            Self::Http(_) | Self::Kubernetes(_) | Self::Ssh(_) => Fetched::No,
        }
    }

    /// Whether an allow or approve is asked for it now.
    pub(super) fn is_asked(&self) -> bool {
        !self.harmless().is_sure()
    }
}

impl SqlItem<'_> {
    /// Whether an allow or approve is asked for it now.
    pub(super) fn is_asked(&self) -> bool {
        !self.harmless.is_sure()
    }
}

impl<'a> Evaluation<'a> {
    /// Hands over each effect, and says when a statement is over.
    #[inline]
    pub(super) fn walk(&self, visit: &mut impl FnMut(Step<'a>)) {
        match self.call.command.what() {
            Effects::Sql(statements) => self.statements(statements, visit),
            Effects::Http(effects) => effects.iter().for_each(|one| visit(Step::Effect(Item::Http(one)))),
            Effects::Kubernetes(effects) => effects.iter().for_each(|one| visit(Step::Effect(Item::Kubernetes(one)))),
            Effects::Ssh(effects) => effects.iter().for_each(|one| visit(Step::Effect(Item::Ssh(one)))),
        }
    }

    #[inline]
    fn statements(&self, statements: &'a [Statement], visit: &mut impl FnMut(Step<'a>)) {
        let path = self.call.session.search_path.as_slice();
        let mut ground =
            Ground { path: Some(path).filter(|path| !path.is_empty()), shadowed: self.call.session.defines };
        for (at, statement) in statements.iter().enumerate() {
            let earlier = statements.get(..at).unwrap_or_default();
            self.statement(statement, Place { earlier, ground, depth: DEPTH, fetched: false }, visit);
            visit(Step::End);
            if at + 1 < statements.len() {
                ground = ground.after(statement);
            }
        }
    }

    #[inline]
    fn statement(&self, statement: &'a Statement, at: Place<'a>, visit: &mut impl FnMut(Step<'a>)) {
        let ground = at.ground;
        for effect in &statement.effects {
            match &effect.object {
                Object::Prepared(name) => self.behind(self.prepared(name, at.earlier), at.fetched, at, visit),
                Object::Cursor(name) => self.behind(self.cursor(name, at.earlier), true, at, visit),
                Object::Relation(_)
                | Object::Function(_)
                | Object::Setting(_)
                | Object::Schema(_)
                | Object::Named(_)
                | Object::Any => {
                    let harmless = if at.fetched { Truth::Yes } else { self.harmless(effect, ground) };
                    visit(Step::Effect(Item::Sql(SqlItem { effect, harmless, fetched: at.fetched(), ground })));
                }
            }
        }
    }

    /// Hands over the effects of what a name stands for: a prepared statement, or what a cursor returns.
    #[cold]
    fn behind(&self, command: Option<&'a Command>, fetched: bool, at: Place<'a>, visit: &mut dyn FnMut(Step<'a>)) {
        let ground = at.ground;
        match (self.stage, command.filter(|_| at.depth > 0)) {
            // What the name stands for may change until it is executed.
            (Stage::Prepare, _) => {}
            (Stage::Execute, None) if fetched => {
                let fetched = Fetched::Anything;
                visit(Step::Effect(Item::Sql(SqlItem { effect: &FETCHED, harmless: Truth::Yes, fetched, ground })));
            }
            (Stage::Execute, None) => {
                let fetched = Fetched::No;
                visit(Step::Effect(Item::Sql(SqlItem { effect: &UNKNOWN, harmless: Truth::No, fetched, ground })));
            }
            (Stage::Execute, Some(command)) => {
                let inside = Place { earlier: &[], depth: at.depth - 1, fetched, ..at };
                command.statements().iter().for_each(|inner| self.statement(inner, inside, &mut |step| visit(step)));
            }
        }
    }

    fn harmless(&self, effect: &Effect, ground: Ground<'_>) -> Truth {
        match effect.duty {
            Duty::Covered => Truth::No,
            Duty::Harmless => Truth::Yes,
            Duty::HarmlessUnlessShadowed => match &effect.object {
                Object::Function(name) if name.schema.as_deref() == Some("pg_catalog") => Truth::Yes,
                Object::Function(name) if !self.is_shadowed(&name.name, ground) => Truth::Yes,
                Object::Function(_)
                | Object::Relation(_)
                | Object::Setting(_)
                | Object::Schema(_)
                | Object::Named(_)
                | Object::Prepared(_)
                | Object::Cursor(_)
                | Object::Any => Truth::May,
            },
        }
    }

    /// Whether a name of `pg_catalog` may mean something else.
    pub(super) fn is_shadowed(&self, function: &str, ground: Ground<'_>) -> bool {
        ground.shadowed || self.call.session.shadows.contains(function)
    }

    fn prepared(&self, name: &str, earlier: &'a [Statement]) -> Option<&'a Command> {
        for statement in earlier.iter().rev() {
            match &statement.change {
                Change::Prepare { name: prepared, command } if prepared == name => return Some(command),
                Change::Deallocate(gone) if gone.as_deref().is_none_or(|gone| gone == name) => return None,
                Change::Discard | Change::Unknown => return None,
                Change::Prepare { .. }
                | Change::Deallocate(_)
                | Change::Declare { .. }
                | Change::Close(_)
                | Change::Path(_)
                | Change::Definitions
                | Change::Nothing => {}
            }
        }
        self.call.session.prepared.get(name)
    }

    fn cursor(&self, name: &str, earlier: &'a [Statement]) -> Option<&'a Command> {
        for statement in earlier.iter().rev() {
            match &statement.change {
                Change::Declare { name: declared, command, .. } if declared == name => return Some(command),
                Change::Close(gone) if gone.as_deref().is_none_or(|gone| gone == name) => return None,
                Change::Discard | Change::Unknown => return None,
                Change::Prepare { .. }
                | Change::Deallocate(_)
                | Change::Declare { .. }
                | Change::Close(_)
                | Change::Path(_)
                | Change::Definitions
                | Change::Nothing => {}
            }
        }
        self.call.session.cursors.get(name)
    }
}

/// Where a statement stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The statements before it in the same command.
    earlier: &'a [Statement],
    ground: Ground<'a>,
    /// How many names may still be followed.
    depth: u8,
    /// Whether it is what a cursor returns: it was judged when the cursor was declared.
    fetched: bool,
}

impl Place<'_> {
    fn fetched(&self) -> Fetched {
        if self.fetched { Fetched::Yes } else { Fetched::No }
    }
}

/// One step of a walk over a call.
pub(super) enum Step<'a> {
    /// An effect of the statement at hand.
    Effect(Item<'a>),
    /// The statement is over.
    End,
}

impl<'a> Ground<'a> {
    /// What is known after a statement.
    fn after(self, statement: &'a Statement) -> Self {
        let path = match &statement.change {
            Change::Path(PathChange::To(path)) => Some(path.as_slice()).filter(|path| !path.is_empty()),
            Change::Path(PathChange::Reset | PathChange::Unknown) | Change::Discard | Change::Unknown => None,
            Change::Nothing
            | Change::Prepare { .. }
            | Change::Deallocate(_)
            | Change::Declare { .. }
            | Change::Close(_)
            | Change::Definitions => self.path,
        };
        Self { path, shadowed: self.shadowed || statement.may_define_functions() }
    }
}
