//! Gathers the effects of one statement, each object once for each verb.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::catalogue::{self, FunctionKind, SettingKind};
use crate::command::sql::{Duty, Effect, Facts, Object, Verb};
use crate::command::{Change, Coverage, PathChange, Statement};
use crate::name::QualifiedName;

/// More different effects of one statement are conceded.
const MAX_EFFECTS: usize = 512;

/// The effects of a statement as they are found.
#[derive(Debug)]
pub(super) struct Effects {
    list: Vec<Effect>,
    conceded: Option<&'static str>,
    change: Change,
}

impl Default for Effects {
    fn default() -> Self {
        Self { list: Vec::new(), conceded: None, change: Change::Nothing }
    }
}

impl Effects {
    /// What the statement changes in its session, unless it may be anything.
    pub(super) fn change(&mut self, change: Change) {
        self.change = change;
    }

    /// What becomes of the session where the statement is explained: whether it runs hangs on the options.
    pub(super) fn explain(&mut self, defines: bool) {
        self.change = match core::mem::replace(&mut self.change, Change::Nothing) {
            Change::Path(_) if !defines => Change::Path(PathChange::Unknown),
            Change::Path(_) | Change::Unknown | Change::Discard => Change::Unknown,
            Change::Nothing
            | Change::Prepare { .. }
            | Change::Deallocate(_)
            | Change::Declare { .. }
            | Change::Close(_)
            | Change::Definitions => {
                if defines {
                    Change::Definitions
                } else {
                    Change::Nothing
                }
            }
        };
    }

    /// Adds an effect; facts of the same verb on the same object are joined.
    pub(super) fn add(&mut self, effect: Effect) {
        let full = self.list.len() >= MAX_EFFECTS;
        let known = self.list.iter_mut().find(|known| known.verb == effect.verb && known.object == effect.object);
        match known {
            Some(known) => join(known, effect),
            None if full => self.concede("it touches too many objects"),
            None => self.list.push(effect),
        }
    }

    pub(super) fn push(&mut self, verb: Verb, object: Object) {
        self.add(Effect::new(verb, object));
    }

    pub(super) fn relation(&mut self, verb: Verb, name: QualifiedName) {
        self.push(verb, Object::Relation(name));
    }

    pub(super) fn named(&mut self, verb: Verb, name: impl Into<String>) {
        self.push(verb, Object::Named(name.into()));
    }

    pub(super) fn any(&mut self, verb: Verb) {
        self.push(verb, Object::Any);
    }

    /// An effect that defines code.
    pub(super) fn code(&mut self, verb: Verb, object: Object) {
        self.add(Effect { facts: Facts { code: true, ..Facts::default() }, ..Effect::new(verb, object) });
    }

    /// What anybody may do: it bears `session`.
    pub(super) fn harmless(&mut self) {
        self.add(Effect { duty: Duty::Harmless, ..Effect::new(Verb::Session, Object::Any) });
    }

    /// Not all of the statement is understood.
    pub(super) fn concede(&mut self, why: &'static str) {
        self.conceded.get_or_insert(why);
    }

    /// What is compared with a parameter is compared as a type compares that somebody made.
    pub(super) fn compare_made_types(&mut self) {
        self.list.iter_mut().for_each(Effect::compare_made_types);
    }

    /// Whether a function of this name is called.
    pub(super) fn calls(&self, name: &str) -> bool {
        let is_it = |effect: &Effect| matches!(&effect.object, Object::Function(function) if function.name == name);
        self.list.iter().any(is_it)
    }

    /// The effect of an operator.
    pub(super) fn operator(&mut self, name: QualifiedName) {
        let duty = duty_of(&name, catalogue::is_shipped_operator(&name.name));
        self.add(Effect { duty, ..Effect::new(Verb::Call, Object::Function(name)) });
    }

    /// The effects of a call: of the function itself, and what a shipped function does to what `arguments` name.
    ///
    /// An argument is `None` where it is not a literal.
    pub(super) fn call(&mut self, name: QualifiedName, arguments: &[Option<Cow<'_, str>>]) {
        if name.schema.as_deref() == Some("information_schema") && catalogue::is_of_information_schema(&name.name) {
            return self.add(Effect { duty: Duty::Harmless, ..Effect::new(Verb::Call, Object::Function(name)) });
        }
        let kind = match name.schema.as_deref() {
            None | Some("pg_catalog") => catalogue::function_kind(&name.name),
            Some(_) => FunctionKind::Unreviewed,
        };
        let argument = |at: usize| arguments.get(at).and_then(Option::as_deref);
        match kind {
            FunctionKind::Harmless | FunctionKind::Unreviewed => {}
            FunctionKind::Sequence => self.push(Verb::Sequence, sequence(argument(0))),
            FunctionKind::Lock => self.any(Verb::Lock),
            FunctionKind::Notify => self.push(Verb::Notify, object_named(argument(0))),
            FunctionKind::Setting => match argument(0) {
                Some(setting) => self.set(setting, argument(1)),
                None => {
                    self.any(Verb::Set);
                    self.change = Change::Unknown;
                }
            },
        }
        let duty = duty_of(&name, kind != FunctionKind::Unreviewed);
        self.add(Effect { duty, ..Effect::new(Verb::Call, Object::Function(name)) });
    }

    /// `SET setting = value`; the value is `None` where it is not one plain word or literal.
    pub(super) fn set(&mut self, setting: &str, value: Option<&str>) {
        let setting = setting.to_ascii_lowercase();
        let among =
            |values: &[&str]| value.is_some_and(|value| values.iter().any(|one| one.eq_ignore_ascii_case(value)));
        let harmless = match catalogue::setting_kind(&setting) {
            SettingKind::Plain => true,
            SettingKind::Pinned(values) | SettingKind::Stricter(values) => among(values),
            SettingKind::Guarded => false,
        };
        self.path_change(&setting, PathChange::Unknown);
        self.setting(setting, harmless);
    }

    /// What becomes of the search path, where the setting has to do with it: a role is a part of it (`"$user"`).
    fn path_change(&mut self, setting: &str, change: PathChange) {
        match setting {
            "search_path" => self.change = Change::Path(change),
            "role" | "session_authorization" => self.change = Change::Path(PathChange::Unknown),
            _ => {}
        }
    }

    /// `RESET setting`, or SET to DEFAULT.
    pub(super) fn reset(&mut self, setting: &str) {
        let setting = setting.to_ascii_lowercase();
        let harmless = match catalogue::setting_kind(&setting) {
            SettingKind::Plain | SettingKind::Pinned(_) => true,
            SettingKind::Stricter(_) | SettingKind::Guarded => false,
        };
        self.path_change(&setting, PathChange::Reset);
        self.setting(setting, harmless);
    }

    fn setting(&mut self, setting: String, harmless: bool) {
        let duty = if harmless { Duty::Harmless } else { Duty::Covered };
        self.add(Effect { duty, ..Effect::new(Verb::Set, Object::Setting(setting)) });
    }

    /// What was found, `unknown` beside it where something was conceded.
    pub(super) fn finish(mut self) -> Statement {
        let coverage = match self.conceded {
            Some(why) => {
                self.list.push(Effect::unknown());
                Coverage::Partial(why.into())
            }
            None => Coverage::Full,
        };
        if self.list.is_empty() {
            self.harmless();
        }
        if self.list.iter().any(updates_settings) {
            self.any(Verb::Set);
            self.change = Change::Unknown;
        }
        let change = if self.list.iter().any(may_change_anything) { Change::Unknown } else { self.change };
        Statement { effects: self.list.into_boxed_slice(), coverage, change }
    }

    /// All that is read is returned as well.
    pub(super) fn return_all(&mut self) {
        for facts in self.list.iter_mut().map(|effect| &mut effect.facts) {
            facts.returned = facts.columns.clone();
            facts.stored = facts.columns.clone();
        }
    }

    /// All that is done to relations is done by COPY, and what functions return is moved by it.
    pub(super) fn copy_all(&mut self) {
        let moves = |effect: &&mut Effect| matches!(effect.object, Object::Relation(_) | Object::Function(_));
        for effect in self.list.iter_mut().filter(moves) {
            effect.facts.copy = true;
        }
    }

    /// The effects of a part of the statement, together with the own ones.
    pub(super) fn absorb(&mut self, other: Self) {
        for effect in other.list {
            self.add(effect);
        }
        if let Some(why) = other.conceded {
            self.concede(why);
        }
        if !matches!(other.change, Change::Nothing) {
            self.change = other.change;
        }
    }
}

/// A statement of which nothing is known.
pub(crate) fn unknown(why: &'static str) -> Statement {
    let effects = Box::new([Effect::unknown()]);
    Statement { effects, coverage: Coverage::Partial(why.into()), change: Change::Unknown }
}

/// Whether settings are written as rows of `pg_settings`: a rule of that view calls `set_config` for each.
fn updates_settings(effect: &Effect) -> bool {
    let Object::Relation(name) = &effect.object else { return false };
    let shipped = matches!(name.schema.as_deref(), None | Some("pg_catalog"));
    effect.verb == Verb::Update && shipped && name.name == "pg_settings"
}

/// Whether code runs that may do anything to the session: it was not understood, or is not shipped.
fn may_change_anything(effect: &Effect) -> bool {
    match (effect.verb, &effect.object) {
        (Verb::Unknown, _) => true,
        (Verb::Call, Object::Function(_)) => effect.duty == Duty::Covered,
        _ => false,
    }
}

fn duty_of(name: &QualifiedName, shipped: bool) -> Duty {
    match name.schema.as_deref() {
        Some("pg_catalog") if shipped => Duty::Harmless,
        None if shipped => Duty::HarmlessUnlessShadowed,
        _ => Duty::Covered,
    }
}

fn join(known: &mut Effect, other: Effect) {
    let Effect { verb: _, object: _, facts, duty } = other;
    let Facts { unbounded, copy, code, columns, returned, stored, inferred, compared, weighed, behind } = facts;
    known.facts.unbounded = known.facts.unbounded.or(unbounded);
    known.facts.copy |= copy;
    known.facts.code |= code;
    known.facts.columns.join(columns);
    known.facts.returned.join(returned);
    known.facts.stored.join(stored);
    known.facts.inferred.join(inferred);
    known.facts.compared.join(compared);
    known.facts.weighed.join(weighed);
    known.facts.behind.join(behind);
    known.duty = stricter(known.duty, duty);
}

fn stricter(one: Duty, other: Duty) -> Duty {
    match (one, other) {
        (Duty::Covered, _) | (_, Duty::Covered) => Duty::Covered,
        (Duty::HarmlessUnlessShadowed, _) | (_, Duty::HarmlessUnlessShadowed) => Duty::HarmlessUnlessShadowed,
        (Duty::Harmless, Duty::Harmless) => Duty::Harmless,
    }
}

fn object_named(name: Option<&str>) -> Object {
    name.map_or(Object::Any, |name| Object::Named(name.into()))
}

/// The sequence that a literal names, written as in a statement.
fn sequence(literal: Option<&str>) -> Object {
    literal.and_then(super::name_in).map_or(Object::Any, Object::Relation)
}
