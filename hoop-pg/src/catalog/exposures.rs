//! Through which columns a protected column's value can be read: the protected ones themselves, what inherits them or
//! gathers them from its children, generated columns, and whatever views make of them.

use std::collections::{BTreeMap, BTreeSet};

use hoopcore::{ColumnName, QualifiedName};

use super::rule_tree::{Output, RuleTree};

/// A column by relation and attribute number.
pub(super) type Column = (u32, i16);

/// What the catalog says about every relation that may be affected.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Columns that the policy's patterns match.
    pub(super) protected: BTreeMap<Column, ColumnName>,
    /// Relations by OID.
    pub(super) relations: BTreeMap<u32, Relation>,
    /// Parents and their children, by inheritance or as partitions.
    pub(super) children: Vec<(u32, u32)>,
    /// Views and materialized views with their queries; `None` where a query could not be read.
    pub(super) views: BTreeMap<u32, Option<RuleTree>>,
    /// Columns that views depend on, as the catalog keeps it; attribute 0 stands for the relation.
    pub(super) dependencies: BTreeSet<(u32, Column)>,
    /// Generated columns with the columns that they are computed from; `None` where that could not be read.
    pub(super) generated: BTreeMap<Column, Option<BTreeSet<i16>>>,
    /// Columns that show values of all tables, or what other sessions run.
    pub(super) telltales: BTreeSet<Column>,
    /// Functions that take a row, of an affected relation or of any, beyond those that are known to.
    pub(super) attributes: Vec<String>,
    /// Types of others that affected columns have, or whole relations (attribute 0).
    pub(super) types: Vec<(Column, QualifiedName)>,
}

/// A relation and its columns.
#[derive(Debug, Default)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) columns: BTreeMap<i16, String>,
    /// The relation that holds its long values, and that one's name.
    pub(super) toast: Option<(u32, String)>,
}

/// For each column the protected columns whose values it carries. Attribute 0 stands for any column of a relation.
pub(super) type Exposed = BTreeMap<Column, BTreeSet<ColumnName>>;

impl Findings {
    /// Works out all exposures; empty where nothing is protected.
    pub(super) fn exposures(&self) -> Exposed {
        let mut exposed = Exposed::new();
        if self.protected.is_empty() {
            return exposed;
        }
        self.expose_inherited(&mut exposed);
        self.expose_generated(&mut exposed);
        self.expose_in_parents(&mut exposed);
        self.expose_telltales(&mut exposed);
        // A view only ever gains, and what it gains it gains from another: no chain is longer than the views are many.
        for _ in 0..=self.views.len() {
            let before = exposed.values().map(BTreeSet::len).sum::<usize>();
            self.views.keys().for_each(|view| self.expose_view(*view, &mut exposed));
            if exposed.values().map(BTreeSet::len).sum::<usize>() == before {
                break;
            }
        }
        self.expose_long_values(&mut exposed);
        exposed
    }

    /// The rows of a child are rows of its parents: it holds what is protected there, and they show what is protected
    /// in it. What is protected in a child only does not show in its siblings.
    fn expose_inherited(&self, exposed: &mut Exposed) {
        for ((relation, attribute), name) in &self.protected {
            let mut holders = reachable(*relation, |from| self.children_of(from));
            holders
                .extend(holders.clone().into_iter().flat_map(|holder| reachable(holder, |from| self.parents_of(from))));
            let column = self.column_name(*relation, *attribute).unwrap_or(&name.column);
            for holder in holders {
                if let Some(attribute) = self.attribute(holder, column) {
                    exposed.entry((holder, attribute)).or_default().insert(name.clone());
                }
            }
            exposed.entry((*relation, *attribute)).or_default().insert(name.clone());
        }
    }

    /// The exposed columns that do not carry a value as it is: generated ones, and what views compute or put together.
    pub(super) fn computed(&self, exposed: &Exposed) -> BTreeSet<Column> {
        let generated = self.generated.keys().filter(|column| exposed.contains_key(column));
        let shown = |(relation, attribute): Column| {
            let column = self.column_name(relation, attribute);
            column.into_iter().flat_map(move |column| self.in_parents(relation, column)).chain([(relation, attribute)])
        };
        let mut computed: BTreeSet<Column> = generated.copied().flat_map(shown).collect();
        for _ in 0..=self.views.len() {
            let found: Vec<Column> =
                exposed.keys().filter(|column| self.is_computed(**column, &computed)).copied().collect();
            let before = computed.len();
            computed.extend(found);
            if computed.len() == before {
                break;
            }
        }
        computed
    }

    /// Whether a column of a view is computed, or comes from one that is.
    fn is_computed(&self, (view, attribute): Column, computed: &BTreeSet<Column>) -> bool {
        let Some(tree) = self.views.get(&view) else { return false };
        let columns = self.relations.get(&view).map(|relation| &relation.columns);
        let index = columns.and_then(|columns| columns.keys().position(|one| *one == attribute));
        let outputs = tree.as_ref().map(|tree| &tree.outputs);
        let known = outputs.filter(|outputs| columns.is_some_and(|columns| columns.len() == outputs.len()));
        match index.and_then(|index| known?.get(index)) {
            Some(Output::Column(source)) => computed.contains(source),
            Some(Output::Of(_) | Output::Anything) | None => true,
        }
    }

    fn children_of(&self, relation: u32) -> impl Iterator<Item = u32> {
        self.children.iter().filter(move |(parent, _)| *parent == relation).map(|(_, child)| *child)
    }

    fn parents_of(&self, relation: u32) -> impl Iterator<Item = u32> {
        self.children.iter().filter(move |(_, child)| *child == relation).map(|(parent, _)| *parent)
    }

    fn column_name(&self, relation: u32, attribute: i16) -> Option<&String> {
        self.relations.get(&relation)?.columns.get(&attribute)
    }

    fn attribute(&self, relation: u32, name: &str) -> Option<i16> {
        let columns = &self.relations.get(&relation)?.columns;
        columns.iter().find(|(_, column)| *column == name).map(|(attribute, _)| *attribute)
    }

    fn expose_generated(&self, exposed: &mut Exposed) {
        for ((relation, attribute), from) in &self.generated {
            let carried = match from {
                Some(attributes) => attributes.iter().flat_map(|from| carried(exposed, (*relation, *from))).collect(),
                None => carried(exposed, (*relation, 0)),
            };
            expose(exposed, (*relation, *attribute), carried);
        }
    }

    /// What a child computes shows in its parents, whose columns of that name may be computed from others, or be plain.
    fn expose_in_parents(&self, exposed: &mut Exposed) {
        for (relation, attribute) in self.generated.keys() {
            let gained = carried(exposed, (*relation, *attribute));
            let Some(column) = self.column_name(*relation, *attribute).filter(|_| !gained.is_empty()) else { continue };
            let parents: Vec<Column> = self.in_parents(*relation, column).collect();
            parents.into_iter().for_each(|parent| expose(exposed, parent, gained.clone()));
        }
    }

    /// The columns of this name in a relation and all its parents.
    fn in_parents(&self, relation: u32, column: &str) -> impl Iterator<Item = Column> {
        let relations = reachable(relation, |from| self.parents_of(from)).into_iter();
        relations.filter_map(move |parent| Some((parent, self.attribute(parent, column)?)))
    }

    fn expose_telltales(&self, exposed: &mut Exposed) {
        let all = self.everything();
        self.telltales.iter().for_each(|column| expose(exposed, *column, all.clone()));
    }

    fn everything(&self) -> BTreeSet<ColumnName> {
        self.protected.values().cloned().collect()
    }

    fn expose_view(&self, view: u32, exposed: &mut Exposed) {
        let Some(relation) = self.relations.get(&view) else { return };
        let tree = self.views.get(&view).and_then(Option::as_ref);
        let tree = tree.filter(|tree| tree.outputs.len() == relation.columns.len());
        let anything = self.read_by(view, tree, exposed);
        for (index, attribute) in relation.columns.keys().enumerate() {
            let gained = match tree.and_then(|tree| tree.outputs.get(index)) {
                Some(Output::Column(source)) => carried(exposed, *source),
                Some(Output::Of(sources)) => sources.iter().flat_map(|source| carried(exposed, *source)).collect(),
                Some(Output::Anything) | None => anything.clone(),
            };
            expose(exposed, (view, *attribute), gained);
        }
    }

    /// What a computed column of a view may carry: all that the view reads, and anything where it calls a function of
    /// others.
    ///
    /// The catalog keeps which columns that is, but does not count a whole row used as a value.
    fn read_by(&self, view: u32, tree: Option<&RuleTree>, exposed: &Exposed) -> BTreeSet<ColumnName> {
        if tree.is_some_and(|tree| tree.calls) {
            return self.everything();
        }
        let mut sources: BTreeSet<Column> = self.dependencies_of(view).collect();
        match tree {
            Some(tree) => {
                let kept: BTreeSet<u32> = sources.iter().map(|(relation, _)| *relation).collect();
                let others = tree.relations.iter().filter(|relation| **relation != view);
                sources.extend(
                    others
                        .filter(|relation| tree.whole_rows || !kept.contains(relation))
                        .map(|relation| (*relation, 0)),
                );
            }
            None => sources
                .extend(exposed.keys().map(|(relation, _)| (*relation, 0)).filter(|(relation, _)| *relation != view)),
        }
        sources.into_iter().flat_map(|source| carried(exposed, source)).collect()
    }

    fn dependencies_of(&self, view: u32) -> impl Iterator<Item = Column> {
        self.dependencies.range((view, (0, i16::MIN))..=(view, (u32::MAX, i16::MAX))).map(|(_, column)| *column)
    }

    /// Long values are kept in a relation of their own, which a superuser can read.
    fn expose_long_values(&self, exposed: &mut Exposed) {
        for (oid, relation) in &self.relations {
            if let Some((toast, _)) = relation.toast {
                let gained = carried(exposed, (*oid, 0));
                expose(exposed, (toast, 0), gained);
            }
        }
    }
}

fn expose(exposed: &mut Exposed, column: Column, gained: BTreeSet<ColumnName>) {
    if !gained.is_empty() {
        exposed.entry(column).or_default().extend(gained);
    }
}

/// The protected columns whose values a column carries; attribute 0 asks for a whole row. What stands for any column
/// of a relation counts for each.
pub(super) fn carried(exposed: &Exposed, (relation, attribute): Column) -> BTreeSet<ColumnName> {
    let attributes = if attribute == 0 { i16::MIN..=i16::MAX } else { attribute..=attribute };
    let columns = exposed.range((relation, *attributes.start())..=(relation, *attributes.end()));
    let any = exposed.get(&(relation, 0));
    columns.map(|(_, names)| names).chain(any).flatten().cloned().collect()
}

/// Everything that can be reached from `start` by any number of steps, itself included.
fn reachable<I: Iterator<Item = u32>>(start: u32, step: impl Fn(u32) -> I) -> BTreeSet<u32> {
    let mut found = BTreeSet::from([start]);
    let mut left = vec![start];
    while let Some(from) = left.pop() {
        left.extend(step(from).filter(|next| found.insert(*next)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relations as `oid name column column …`, protected columns as `oid.attribute`.
    fn findings(relations: &[&str], protected: &[Column]) -> Findings {
        let mut findings = Findings::default();
        for line in relations {
            let mut words = line.split(' ');
            let oid = words.next().unwrap().parse().unwrap();
            let name = words.next().unwrap().to_owned();
            let columns = (1..).zip(words.map(String::from)).collect();
            findings.relations.insert(oid, Relation { schema: "s".into(), name, columns, toast: None });
        }
        for column in protected {
            let relation = &findings.relations[&column.0];
            let name = ColumnName::new("s", &relation.name, &relation.columns[&column.1]);
            findings.protected.insert(*column, name);
        }
        findings
    }

    fn view(outputs: &[Option<Column>], relations: &[u32]) -> Option<RuleTree> {
        let relations = relations.iter().copied().collect();
        let output = |source: &Option<Column>| source.map_or(Output::Anything, Output::Column);
        Some(RuleTree { outputs: outputs.iter().map(output).collect(), relations, whole_rows: false, calls: false })
    }

    fn check(findings: &Findings, expected: &str) {
        let told: Vec<String> = findings
            .exposures()
            .iter()
            .map(|((relation, attribute), names)| {
                let names: Vec<String> =
                    names.iter().map(|name| format!("{}.{}", name.relation, name.column)).collect();
                format!("{relation}.{attribute}={}", names.join("+"))
            })
            .collect();
        assert_eq!(told.join(" "), expected);
    }

    #[test]
    fn partitions_and_children() {
        let tables = ["1 all id ssn", "2 part ssn id", "3 other ssn", "4 mixin ssn"];
        let mut inherited = findings(&tables, &[(1, 2)]);
        inherited.children = vec![(1, 2), (1, 3), (4, 3)];
        // The children hold it; the other parent of one shows it; the other parent's own column is not protected.
        check(&inherited, "1.2=all.ssn 2.1=all.ssn 3.1=all.ssn 4.1=all.ssn");
        let mut one = findings(&tables, &[(2, 1)]);
        one.children = vec![(1, 2), (1, 3)];
        check(&one, "1.2=part.ssn 2.1=part.ssn");
        check(&findings(&tables, &[]), "");
    }

    #[test]
    fn what_children_compute_shows_in_their_parents() {
        let tables = ["1 all id ssn made", "2 part made id ssn", "3 other id ssn made", "4 over made"];
        let mut found = findings(&tables, &[(2, 3)]);
        found.children = vec![(1, 2), (1, 3), (4, 1)];
        found.generated.insert((1, 3), Some(BTreeSet::from([1])));
        found.generated.insert((2, 1), Some(BTreeSet::from([3])));
        check(&found, "1.2=part.ssn 1.3=part.ssn 2.1=part.ssn 2.3=part.ssn 4.1=part.ssn");
        assert_eq!(found.computed(&found.exposures()), BTreeSet::from([(1, 3), (2, 1), (4, 1)]));
    }

    #[test]
    fn views_of_views() {
        let relations = ["1 t id ssn", "5 v a b c", "6 w x", "7 clean n"];
        let mut found = findings(&relations, &[(1, 2)]);
        found.views.insert(6, view(&[Some((5, 2))], &[5]));
        found.views.insert(5, view(&[Some((1, 1)), Some((1, 2)), None], &[1]));
        found.views.insert(7, view(&[None], &[1]));
        found.dependencies = BTreeSet::from([(5, (1, 1)), (5, (1, 2)), (6, (5, 2)), (7, (1, 1))]);
        check(&found, "1.2=t.ssn 5.2=t.ssn 5.3=t.ssn 6.1=t.ssn");
    }

    #[test]
    fn what_does_not_carry_a_value_as_it_is() {
        let relations = ["1 t id ssn made", "5 v a b c d", "6 w x y z"];
        let mut found = findings(&relations, &[(1, 2)]);
        found.generated.insert((1, 3), Some(BTreeSet::from([2])));
        found.views.insert(6, view(&[Some((5, 2)), Some((5, 3)), Some((5, 4))], &[5]));
        found.views.insert(5, view(&[Some((1, 1)), Some((1, 2)), None, Some((1, 3))], &[1]));
        let computed: Vec<String> =
            found.computed(&found.exposures()).iter().map(|(a, b)| format!("{a}.{b}")).collect();
        assert_eq!(computed.join(" "), "1.3 5.3 5.4 6.2 6.3");
        let together = Output::Of([(1, 2)].into());
        found
            .views
            .insert(6, view(&[None, None, None], &[1]).map(|tree| RuleTree { outputs: vec![together; 3], ..tree }));
        found.views.insert(5, None);
        let computed: Vec<String> =
            found.computed(&found.exposures()).iter().map(|(a, b)| format!("{a}.{b}")).collect();
        assert_eq!(computed.join(" "), "1.3 5.1 5.2 5.3 5.4 6.1 6.2 6.3");
    }

    #[test]
    fn what_is_not_known_of_a_view_counts_against_it() {
        let found = |tree: Option<RuleTree>, depends: &[Column]| {
            let mut found = findings(&["1 t id ssn", "5 v a b"], &[(1, 2)]);
            found.views.insert(5, tree);
            found.dependencies = depends.iter().map(|column| (5, *column)).collect();
            found
        };
        let hidden = "1.2=t.ssn 5.1=t.ssn 5.2=t.ssn";
        check(&found(None, &[]), hidden);
        check(&found(view(&[None], &[1]), &[(1, 1)]), hidden);
        check(&found(view(&[None, None], &[1]), &[]), hidden);
        check(&found(view(&[None, None], &[]), &[(1, 0)]), hidden);
        let whole = view(&[None, None], &[1]).map(|tree| RuleTree { whole_rows: true, ..tree });
        check(&found(whole, &[(1, 1)]), hidden);
        check(&found(view(&[Some((1, 0)), Some((1, 1))], &[1]), &[(1, 1)]), "1.2=t.ssn 5.1=t.ssn");
        check(&found(view(&[None, Some((1, 1))], &[1]), &[(1, 1)]), "1.2=t.ssn");
    }

    #[test]
    fn generated_columns_statistics_and_long_values() {
        let mut found = findings(&["1 t id ssn low len", "9 stats a"], &[(1, 2)]);
        found.generated.insert((1, 3), Some(BTreeSet::from([2])));
        found.generated.insert((1, 4), Some(BTreeSet::from([1])));
        found.telltales.insert((9, 1));
        found.relations.get_mut(&1).unwrap().toast = Some((3, "toast".into()));
        check(&found, "1.2=t.ssn 1.3=t.ssn 3.0=t.ssn 9.1=t.ssn");
        found.generated.insert((1, 4), None);
        check(&found, "1.2=t.ssn 1.3=t.ssn 1.4=t.ssn 3.0=t.ssn 9.1=t.ssn");
    }
}
