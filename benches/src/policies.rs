//! Policies of any size, and commands that ask them.

use std::fmt::Write;

use hoopcore::command::sql::{Effect, Object, Verb};
use hoopcore::command::{Change, Statement};
use hoopcore::{Command, Coverage, Identity, QualifiedName, Resource, Verified};

use crate::random::Random;

/// Groups that rules are about.
const GROUPS: u64 = 100;

/// Resources that rules are about.
const RESOURCES: u64 = 50;

/// Tables that commands are about.
const TABLES: u64 = 40;

/// Verbs of rules and commands.
const VERBS: [Verb; 8] =
    [Verb::Read, Verb::Insert, Verb::Update, Verb::Delete, Verb::Truncate, Verb::Create, Verb::Alter, Verb::Drop];

/// A policy of so many rules, as text.
///
/// Each is about one of 100 groups and one of 50 databases (one in ten about all), on one to three verbs, and in
/// three of ten cases about some tables only. One in six blocks; ten at most mask columns.
#[must_use]
pub fn policy(rules: usize) -> String {
    let mut random = Random::new(7);
    let mut text = String::from("hoop: 1\nrules:\n");
    for place in 0..rules {
        let group = random.below(GROUPS);
        let on = match random.in_percent(10) {
            true => "{ kind: postgres }".to_owned(),
            false => format!("db-{}", random.below(RESOURCES)),
        };
        let action = match place % (rules / 10).max(10) {
            0 => format!("mask: {{ columns: {{ public.t{}.email: redact }} }}", random.below(TABLES)),
            _ => format!(
                "{}: {{ sql: {{ {} }} }}",
                if random.in_percent(16) { "block" } else { "allow" },
                verbs(&mut random)
            ),
        };
        let _ = write!(text, "  - rule: rule-{place:05}\n    who: {{ group: g{group} }}\n    on: {on}\n    {action}\n");
    }
    text
}

fn verbs(random: &mut Random) -> String {
    let first = random.below(VERBS.len() as u64);
    let count = 1 + random.below(3);
    let objects = match random.in_percent(30) {
        true => format!("public.t{}*", random.below(TABLES)),
        false => "*.*".to_owned(),
    };
    let places = (0..count).map(|step| (first + step) % VERBS.len() as u64);
    let words = places.filter_map(|place| Some(VERBS.get(usize::try_from(place).ok()?)?.word()));
    words.map(|word| format!("{word}: \"{objects}\"")).collect::<Vec<_>>().join(", ")
}

/// A caller in three of the groups.
#[must_use]
pub fn caller() -> Verified<Identity> {
    Verified::vouched(Identity::named("etl-7").with_groups(["g3", "g14", "g15"]), "bench")
}

/// One of the databases.
#[must_use]
pub fn resource() -> Resource {
    Resource::postgres("db-9").with_labels(Default::default())
}

/// Commands of one effect each, as an analysis gives them.
#[must_use]
pub fn commands(count: usize) -> Vec<Command> {
    let mut random = Random::new(8);
    let mut command = || {
        let verb = VERBS.get(usize::try_from(random.below(VERBS.len() as u64)).ok()?).copied()?;
        let table = QualifiedName::qualified("public", format!("t{}", random.below(TABLES)));
        let effects = Box::from([Effect::new(verb, Object::Relation(table.clone()))]);
        let statement = Statement { effects, coverage: Coverage::Full, change: Change::Nothing };
        let text = format!("{} {table} where id = $1", verb.word());
        Some(Command::analysed(&text, text.as_str().into(), Box::from([statement])))
    };
    (0..count).filter_map(|_| command()).collect()
}
