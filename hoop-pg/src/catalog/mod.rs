//! What a session's database says about protected columns: where their values can be read, and from which
//! relations a result column comes.
//!
//! It is read on the session's own connection, before the client gets it and again when the session is idle after a
//! change of definitions that it made itself. What other sessions change meanwhile is not seen until then; a relation
//! or column that appeared meanwhile is [`Origin::Unknown`], and OIDs stay when something is renamed.

mod exposures;
mod load;
mod pool;
mod queries;
mod rule_tree;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use hoopcore::mask::Origin;
use hoopcore::policy::ColumnPattern;
use hoopcore::request::{Carrier, Exposure, Exposures};
use hoopcore::{ColumnName, QualifiedName, SessionFacts};
use tokio::io::{AsyncRead, AsyncWrite};

use self::exposures::{Column, Exposed, Findings, Relation, carried};
pub use self::load::CatalogError;
use self::load::{Answers, Row, Table};
use self::pool::{Pool, key};
use self::rule_tree::{RuleTree, attributes_used};

/// The relations of one database as a session sees it, and the columns of them that expose a protected column.
///
/// Cheap to clone, and to keep: what several sessions were told alike is kept once.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    relations: Arc<Relations>,
    exposing: Arc<Exposing>,
}

/// What is known of each relation.
#[derive(Debug, Default)]
struct Relations {
    /// Its highest attribute number.
    highest: HashMap<u32, i16>,
    /// Generated columns.
    generated: HashSet<Column>,
}

/// The columns that expose a protected column: by their place, and by the names that statements use.
#[derive(Debug, Default)]
struct Exposing {
    exposed: Exposed,
    named: Arc<[Exposure]>,
}

static SHADOWS: Pool<BTreeSet<String>> = Pool::new();
static RELATIONS: Pool<Relations> = Pool::new();
static EXPOSING: Pool<Exposing> = Pool::new();

/// What was read from the catalog.
#[derive(Debug)]
pub struct Loaded {
    /// Where result columns come from.
    pub catalog: Catalog,
    /// What the server said besides, message by message as it came: changed settings, notifications.
    pub asides: Vec<Bytes>,
    search_path: Vec<String>,
    shadows: Arc<BTreeSet<String>>,
}

/// Reads the catalog over a connection on which the server waits for a command, outside of a transaction.
///
/// The session's settings and its prepared statements stay as they are.
///
/// # Errors
/// Where the catalog cannot be read. The connection is not to be used any more then.
pub async fn load<S>(stream: &mut S, patterns: &[ColumnPattern]) -> Result<Loaded, CatalogError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answers = load::ask(stream, patterns).await?;
    Loaded::read(answers, patterns)
}

impl Catalog {
    /// Where a result column comes from, by the table OID and attribute number that the server names for it.
    ///
    /// ```
    /// use hoop_pg::catalog::Catalog;
    /// use hoopcore::mask::Origin;
    ///
    /// let nothing_known = Catalog::default();
    /// assert_eq!(nothing_known.origin(0, 0), Origin::Derived);
    /// assert_eq!(nothing_known.origin(16_385, 4), Origin::Unknown);
    /// ```
    #[must_use]
    pub fn origin(&self, relation: u32, attribute: i16) -> Origin {
        if relation == 0 {
            return Origin::Derived;
        }
        // A whole row carries what each of its columns carries.
        let exposed = carried(&self.exposing.exposed, (relation, attribute));
        if !exposed.is_empty() {
            return Origin::Columns(exposed.into_iter().collect());
        }
        match self.relations.highest.get(&relation) {
            Some(_) if attribute == 0 => Origin::Derived,
            Some(highest) if attribute <= *highest => Origin::Clean,
            Some(_) | None => Origin::Unknown,
        }
    }

    /// Whether a column is computed from others of its row when that is stored: a COPY of its relation leaves it out.
    #[must_use]
    pub fn is_generated(&self, relation: u32, attribute: i16) -> bool {
        self.relations.generated.contains(&(relation, attribute))
    }

    fn read(protected: &Table, about: Vec<Table>, patterns: &[ColumnPattern]) -> Result<Self, CatalogError> {
        let [about @ .., known, _commit] = <[Table; 10]>::try_from(about).map_err(|_| strange())?;
        let relations =
            RELATIONS.share(key("relations", [&known]), || known_relations(&known.value()?.unwrap_or_default()))?;
        let question = key(&queries::protected(patterns), [protected].into_iter().chain(&about));
        let exposing = EXPOSING.share(question, || Exposing::read(protected, &about, patterns))?;
        Ok(Self { relations, exposing })
    }
}

impl Exposing {
    fn read(protected: &Table, about: &[Table; 8], patterns: &[ColumnPattern]) -> Result<Self, CatalogError> {
        let findings = findings(protected_columns(protected, patterns)?, about)?;
        let exposed = findings.exposures();
        let named = named(&exposed, &findings.computed(&exposed), &findings);
        Ok(Self { exposed, named })
    }
}

impl Loaded {
    /// Whether any protected column exists in this database.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        !self.catalog.exposing.named.is_empty()
    }

    /// Tells the core what is known of the session now.
    pub fn tell(&self, facts: &mut SessionFacts) {
        facts.search_path.clone_from(&self.search_path);
        facts.shadows = Arc::clone(&self.shadows);
        facts.defines = false;
        facts.exposures = Exposures::Known(Arc::clone(&self.catalog.exposing.named));
    }

    fn read(answers: Answers, patterns: &[ColumnPattern]) -> Result<Self, CatalogError> {
        let Answers { always, protected, about, asides } = answers;
        let [path, _settled, shadows] = <[Table; 3]>::try_from(always).map_err(|_| strange())?;
        let search_path = search_path(first_column(&path)?);
        let key = key("shadows", [&shadows]);
        let shadows = SHADOWS.share(key, || Ok::<_, CatalogError>(first_column(&shadows)?.into_iter().collect()))?;
        let catalog =
            if protected.is_empty() { Catalog::default() } else { Catalog::read(&protected, about, patterns)? };
        Ok(Self { catalog, asides, search_path, shadows })
    }
}

fn strange() -> CatalogError {
    CatalogError::Strange("an answer has another form")
}

fn first_column(table: &Table) -> Result<Vec<String>, CatalogError> {
    table.rows()?.into_iter().map(|row| row.into_iter().next().flatten().ok_or_else(strange)).collect()
}

/// The path without `pg_catalog`; empty, that is not known, where something comes before `pg_catalog`.
fn search_path(mut schemas: Vec<String>) -> Vec<String> {
    match schemas.iter().position(|schema| schema == "pg_catalog") {
        None => schemas,
        Some(0) => schemas.split_off(1),
        Some(_) => Vec::new(),
    }
}

/// A row with exactly so many cells.
fn cells<const N: usize>(row: Row) -> Result<[Option<String>; N], CatalogError> {
    row.try_into().map_err(|_| strange())
}

fn number<T: std::str::FromStr>(cell: Option<String>) -> Result<T, CatalogError> {
    cell.and_then(|text| text.parse().ok()).ok_or_else(strange)
}

fn protected_columns(table: &Table, patterns: &[ColumnPattern]) -> Result<BTreeMap<Column, ColumnName>, CatalogError> {
    let mut protected = BTreeMap::new();
    for row in table.rows()? {
        let [relation, attribute, schema, name, column] = cells(row)?;
        let (Some(schema), Some(name), Some(column)) = (schema, name, column) else { return Err(strange()) };
        let column = ColumnName::new(schema, name, column);
        if patterns.iter().any(|pattern| pattern.matches(&column)) {
            protected.insert((number(relation)?, number(attribute)?), column);
        }
    }
    Ok(protected)
}

/// Puts together what is known of affected relations.
fn findings(protected: BTreeMap<Column, ColumnName>, about: &[Table; 8]) -> Result<Findings, CatalogError> {
    let [columns, children, views, dependencies, generated, telltales, attributes, types] = about;
    let mut found = Findings { protected, ..Findings::default() };
    for row in columns.rows()? {
        found.column(row)?;
    }
    for row in children.rows()? {
        let [parent, child] = cells(row)?;
        found.children.push((number(parent)?, number(child)?));
    }
    for row in views.rows()? {
        let [view, tree] = cells(row)?;
        found.views.insert(number(view)?, tree.as_deref().and_then(RuleTree::read));
    }
    for row in dependencies.rows()? {
        let [view, relation, attribute] = cells(row)?;
        found.dependencies.insert((number(view)?, (number(relation)?, number(attribute)?)));
    }
    for row in generated.rows()? {
        let [relation, attribute, expression] = cells(row)?;
        let used = expression.as_deref().and_then(attributes_used);
        found.generated.insert((number(relation)?, number(attribute)?), used);
    }
    for row in telltales.rows()? {
        let [relation, attribute] = cells(row)?;
        found.telltales.insert((number(relation)?, number(attribute)?));
    }
    found.attributes = first_column(attributes)?;
    for row in types.rows()? {
        let [relation, attribute, schema, name] = cells(row)?;
        let (Some(schema), Some(name)) = (schema, name) else { return Err(strange()) };
        found.types.push(((number(relation)?, number(attribute)?), QualifiedName::qualified(schema, name)));
    }
    Ok(found)
}

impl Findings {
    fn column(&mut self, row: Row) -> Result<(), CatalogError> {
        let [oid, schema, name, toast, toast_name, attribute, column] = cells(row)?;
        let (Some(schema), Some(name), Some(column)) = (schema, name, column) else { return Err(strange()) };
        let toast = toast_name.map(|name| number(toast).map(|toast| (toast, name))).transpose()?;
        let fresh = Relation { schema, name, columns: BTreeMap::new(), toast };
        let relation = self.relations.entry(number(oid)?).or_insert(fresh);
        relation.columns.insert(number(attribute)?, column);
        Ok(())
    }
}

fn known_relations(text: &str) -> Result<Relations, CatalogError> {
    let mut known = Relations::default();
    for entry in text.split(' ') {
        known.add(entry).ok_or_else(strange)?;
    }
    Ok(known)
}

impl Relations {
    /// Reads `oid:highest:generated…`.
    fn add(&mut self, entry: &str) -> Option<()> {
        let mut numbers = entry.split(':');
        let oid = numbers.next()?.parse().ok()?;
        self.highest.insert(oid, numbers.next()?.parse().ok()?);
        for attribute in numbers {
            self.generated.insert((oid, attribute.parse().ok()?));
        }
        Some(())
    }
}

/// The exposures by the names that statements use. A function that takes a row can be written like a column of it.
fn named(exposed: &Exposed, computed: &BTreeSet<Column>, findings: &Findings) -> Arc<[Exposure]> {
    let mut places: BTreeMap<(u32, &ColumnName), Vec<i16>> = BTreeMap::new();
    for ((oid, attribute), carried) in exposed {
        carried.iter().for_each(|exposes| places.entry((*oid, exposes)).or_default().push(*attribute));
    }
    let mut named = Vec::new();
    for ((oid, exposes), attributes) in places {
        let columns = columns(oid, &attributes, computed, findings);
        for relation in names(oid, &findings.relations) {
            named.extend(columns.iter().map(|(column, carrier)| Exposure {
                relation: relation.clone(),
                column: column.clone(),
                carrier: *carrier,
                exposes: exposes.clone(),
            }));
        }
    }
    named.extend(findings.types.iter().flat_map(|(column, name)| typed(exposed, *column, name)));
    named.into()
}

/// The type of a column, or of a whole relation: to change it is to change what has it.
fn typed(exposed: &Exposed, column: Column, name: &QualifiedName) -> impl Iterator<Item = Exposure> {
    let name = name.clone();
    let exposure = move |exposes| Exposure { relation: name.clone(), column: None, carrier: Carrier::Column, exposes };
    carried(exposed, column).into_iter().map(exposure)
}

/// The names of these columns, and of what can be written like one, with how they carry; `None` for any column of the relation. Where each
/// column of a relation of the server's own carries a value, that says it shorter: every statement is held against it.
fn columns(
    oid: u32,
    attributes: &[i16],
    computed: &BTreeSet<Column>,
    findings: &Findings,
) -> Vec<(Option<String>, Carrier)> {
    let relation = findings.relations.get(&oid);
    let own = relation.filter(|relation| relation.schema == "pg_catalog");
    if own.is_some_and(|relation| relation.columns.len() == attributes.len()) {
        return vec![(None, Carrier::Column)];
    }
    let carrier = |attribute: i16| match computed.contains(&(oid, attribute)) {
        true => Carrier::Computed,
        false => Carrier::Column,
    };
    let name =
        |attribute: &i16| (relation.and_then(|relation| relation.columns.get(attribute)).cloned(), carrier(*attribute));
    // A column of that name comes before a function.
    let is_column = |name: &&String| relation.is_some_and(|relation| relation.columns.values().any(|one| one == *name));
    let functions = findings.attributes.iter().filter(|name| !is_column(name));
    attributes.iter().map(name).chain(functions.map(|name| (Some(name.clone()), Carrier::Function))).collect()
}

/// The names of a relation: a temporary one is in a schema of the session's own that is called `pg_temp` too.
fn names(oid: u32, relations: &BTreeMap<u32, Relation>) -> Vec<QualifiedName> {
    if let Some(Relation { schema, name, .. }) = relations.get(&oid) {
        let alias = schema.starts_with("pg_temp_").then(|| QualifiedName::qualified("pg_temp", name));
        return [QualifiedName::qualified(schema, name)].into_iter().chain(alias).collect();
    }
    let toasts = relations.values().filter_map(|relation| relation.toast.as_ref());
    let toast = toasts.filter(|(toast, _)| *toast == oid).map(|(_, name)| QualifiedName::qualified("pg_toast", name));
    toast.collect()
}
