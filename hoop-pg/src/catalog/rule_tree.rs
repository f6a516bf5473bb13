//! What a view's stored query returns and reads, from the tree that PostgreSQL keeps of it.
//!
//! `pg_rewrite.ev_action` holds the analysed query as text: nodes in braces, lists in parentheses, fields as
//! `:name value`. For each output column it says which column of which relation it is (`:resorigtbl`, `:resorigcol`),
//! with the same meaning as a RowDescription: zero where it is computed. Only what is needed is read; what does not
//! look as expected is not read at all.

use std::collections::BTreeSet;

/// A column that a view reads: relation and attribute number, zero for a whole row.
pub(super) type Source = (u32, i16);

/// A view's query, as far as it matters for what its columns carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RuleTree {
    /// What each output column is made of.
    pub(super) outputs: Vec<Output>,
    /// Every relation that occurs anywhere in it.
    pub(super) relations: BTreeSet<u32>,
    /// Whether a whole row is used as a value anywhere: then any column of any relation may be.
    pub(super) whole_rows: bool,
    /// Whether a function that PostgreSQL does not ship is called anywhere: it may return anything.
    pub(super) calls: bool,
}

/// What an output column of a view is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// It is this column, as it is.
    Column(Source),
    /// It is computed of these columns at most.
    Of(BTreeSet<Source>),
    /// Of whatever the view reads.
    Anything,
}

impl RuleTree {
    /// Reads a tree; `None` where it is not one query.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut reader = Reader::default();
        for token in tokens(text) {
            reader.take(token)?;
        }
        reader.finish()
    }
}

/// The attribute numbers that the expression of a generated column uses; `None` where it uses a whole row.
pub(super) fn attributes_used(expression: &str) -> Option<BTreeSet<i16>> {
    let mut used = BTreeSet::new();
    let mut tokens = tokens(expression);
    while let Some(token) = tokens.next() {
        if token == ":varattno" {
            let attribute = tokens.next()?.parse().ok().filter(|attribute| *attribute != 0)?;
            used.insert(attribute);
        }
    }
    Some(used)
}

/// Fields that name a function or an operator.
const CALLS: [&str; 5] = [":funcid", ":opno", ":opfuncid", ":aggfnoid", ":winfnoid"];
/// The first OID of what is not made with the database itself (`FirstNormalObjectId`).
const FIRST_OF_OTHERS: u32 = 16_384;

/// Where the query stands in its tree: in a list that holds nothing else.
const QUERY_DEPTH: usize = 2;
/// Where an entry of a list stands that is a field of the query.
const ENTRY_DEPTH: usize = 4;
/// The kind of an entry in the list of what is read that is a relation (`RTE_RELATION`).
const RELATION: &str = "0";

#[derive(Default)]
struct Reader<'a> {
    depth: usize,
    expected: Expected<'a>,
    queries: usize,
    list: List,
    range: Vec<Entry>,
    outputs: Vec<Target>,
    relations: BTreeSet<u32>,
    whole_rows: bool,
    calls: bool,
}

/// What the next token is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Expected<'a> {
    /// Nothing of interest.
    #[default]
    Any,
    /// The name of a node.
    Node,
    /// The value of this field.
    Value(&'a str),
}

/// The list of the query that is being read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum List {
    #[default]
    Other,
    /// What the query reads from.
    Range,
    /// What it returns.
    Outputs,
}

#[derive(Default)]
struct Entry {
    is_relation: bool,
    relation: u32,
}

#[derive(Default)]
struct Target {
    number: Option<usize>,
    relation: Option<u32>,
    attribute: Option<i16>,
    junk: Option<bool>,
    /// Columns in its expression, by the number of the entry that they belong to.
    variables: Vec<(usize, i16)>,
    /// Whether something else may stand in its expression: a query of its own, a column of a query around it.
    opaque: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, token: &'a str) -> Option<()> {
        let expected = std::mem::take(&mut self.expected);
        match (token, expected) {
            ("(" | "{", _) => self.open(token, expected),
            (")" | "}", _) => self.close()?,
            (_, Expected::Node) => self.node(token),
            (_, Expected::Value(field)) => self.value(field, token)?,
            (_, Expected::Any) if token.starts_with(':') => self.expected = Expected::Value(token),
            (_, Expected::Any) => {}
        }
        Some(())
    }

    fn open(&mut self, bracket: &str, expected: Expected<'_>) {
        self.depth += 1;
        if self.depth == QUERY_DEPTH + 1 {
            self.list = match expected {
                Expected::Value(":rtable") => List::Range,
                Expected::Value(":targetList") => List::Outputs,
                Expected::Value(_) | Expected::Node | Expected::Any => List::Other,
            };
        }
        if bracket == "{" {
            self.expected = Expected::Node;
        }
    }

    fn close(&mut self) -> Option<()> {
        if self.depth == QUERY_DEPTH + 1 {
            self.list = List::Other;
        }
        self.depth = self.depth.checked_sub(1)?;
        Some(())
    }

    fn node(&mut self, name: &str) {
        match (self.list, self.depth) {
            (_, QUERY_DEPTH) => self.queries += 1,
            (List::Range, ENTRY_DEPTH) => self.range.push(Entry::default()),
            (List::Outputs, ENTRY_DEPTH) => self.outputs.push(Target::default()),
            (List::Outputs, _) => self.expression_node(name),
            (List::Range | List::Other, _) => {}
        }
    }

    fn expression_node(&mut self, name: &str) {
        let Some(target) = self.outputs.last_mut() else { return };
        match name {
            "VAR" => target.variables.push((0, 0)),
            "QUERY" | "SUBLINK" => target.opaque = true,
            _ => {}
        }
    }

    fn value(&mut self, field: &str, value: &str) -> Option<()> {
        match field {
            ":relid" if value != "0" => drop(self.relations.insert(value.parse().ok()?)),
            ":varattno" if value == "0" => self.whole_rows = true,
            _ if CALLS.contains(&field) && value.parse::<u32>().ok()? >= FIRST_OF_OTHERS => self.call(),
            _ => {}
        }
        match (self.list, self.depth) {
            (List::Range, ENTRY_DEPTH) => self.range.last_mut()?.take(field, value),
            (List::Outputs, ENTRY_DEPTH) => self.outputs.last_mut()?.take(field, value),
            (List::Outputs, _) => self.outputs.last_mut()?.variable(field, value),
            (List::Range | List::Other, _) => Some(()),
        }
    }

    /// A function of others is called, perhaps in the expression of an output.
    fn call(&mut self) {
        self.calls = true;
        if let (List::Outputs, Some(target)) = (self.list, self.outputs.last_mut()) {
            target.opaque = true;
        }
    }

    fn finish(self) -> Option<RuleTree> {
        let Self { depth, queries, range, outputs, relations, whole_rows, calls, .. } = self;
        let outputs = outputs.into_iter().filter(|output| output.junk != Some(true));
        let numbered = outputs.enumerate().map(|(index, output)| output.finish(index + 1, &range));
        let outputs = numbered.collect::<Option<Vec<_>>>()?;
        let whole = depth == 0 && queries == 1 && !outputs.is_empty();
        whole.then_some(RuleTree { outputs, relations, whole_rows, calls })
    }
}

impl Entry {
    fn take(&mut self, field: &str, value: &str) -> Option<()> {
        match field {
            ":rtekind" => self.is_relation = value == RELATION,
            ":relid" => self.relation = value.parse().ok()?,
            _ => {}
        }
        Some(())
    }
}

impl Target {
    fn take(&mut self, field: &str, value: &str) -> Option<()> {
        match field {
            ":resno" => self.number = Some(value.parse().ok()?),
            ":resorigtbl" => self.relation = Some(value.parse().ok()?),
            ":resorigcol" => self.attribute = Some(value.parse().ok()?),
            ":resjunk" => self.junk = Some(value.parse().ok()?),
            _ => {}
        }
        Some(())
    }

    fn variable(&mut self, field: &str, value: &str) -> Option<()> {
        let variable = self.variables.last_mut();
        match (field, variable) {
            (":varno", Some((entry, _))) => *entry = value.parse().ok()?,
            (":varattno", Some((_, attribute))) => *attribute = value.parse().ok()?,
            (":varlevelsup", _) => self.opaque |= value != "0",
            _ => {}
        }
        Some(())
    }

    /// Output columns are numbered in order, from one: so are the columns of the view.
    fn finish(self, number: usize, range: &[Entry]) -> Option<Output> {
        let (origin, attribute) = (self.relation?, self.attribute?);
        if self.junk? || self.number? != number {
            return None;
        }
        if origin != 0 {
            return Some(Output::Column((origin, attribute)));
        }
        let source = |(entry, attribute): (usize, i16)| {
            let entry = range.get(entry.checked_sub(1)?).filter(|entry| entry.is_relation && entry.relation != 0)?;
            Some((entry.relation, attribute))
        };
        let sources: Option<BTreeSet<Source>> = self.variables.into_iter().map(source).collect();
        Some(sources.filter(|_| !self.opaque).map_or(Output::Anything, Output::Of))
    }
}

/// The tokens of a node tree, as `pg_strtok` reads them: brackets are tokens, a backslash keeps the next character.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\n', '\t']);
        let (token, after) = rest.split_at_checked(token_length(rest))?;
        rest = after;
        (!token.is_empty()).then_some(token)
    })
}

fn token_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'(' | b')' | b'{' | b'}' => return at.max(1),
            b' ' | b'\n' | b'\t' => return at,
            b'\\' => escaped = true,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let told = RuleTree::read(text).map_or_else(|| String::from("unreadable"), |tree| told(&tree));
        assert_eq!(told, expected, "{text}");
    }

    fn told(tree: &RuleTree) -> String {
        let source = |(relation, attribute): &Source| format!("{relation}.{attribute}");
        let output = |output: &Output| match output {
            Output::Column(column) => format!("[{}]", source(column)),
            Output::Of(sources) => format!("[{}]", sources.iter().map(source).collect::<Vec<_>>().join(" ")),
            Output::Anything => String::from("[anything]"),
        };
        let outputs: String = tree.outputs.iter().map(output).collect();
        let relations: Vec<String> = tree.relations.iter().map(u32::to_string).collect();
        let whole = if tree.whole_rows { ", whole rows" } else { "" };
        let calls = if tree.calls { ", calls" } else { "" };
        format!("{outputs} from {}{whole}{calls}", relations.join(" "))
    }

    fn target(number: u32, expression: &str, relation: u32, attribute: i16) -> String {
        format!(
            "{{TARGETENTRY :expr {expression} :resno {number} :resname x :ressortgroupref 0 :resorigtbl {relation} \
             :resorigcol {attribute} :resjunk false}}"
        )
    }

    fn bare(number: u32, relation: u32, attribute: i16) -> String {
        target(number, &variable(1, attribute), relation, attribute)
    }

    fn variable(entry: u32, attribute: i16) -> String {
        format!("{{VAR :varno {entry} :varattno {attribute} :vartype 25 :varlevelsup 0 :location 7}}")
    }

    fn query(outputs: &str) -> String {
        let range = "({RTE :rtekind 0 :relid 7} {RTE :rtekind 0 :relid 8} {RTE :rtekind 1 :relid 0})";
        format!("({{QUERY :commandType 1 :rtable {range} :targetList ({outputs}) :limitCount <>}})")
    }

    #[test]
    fn bare_columns() {
        check(&query(&bare(1, 7, 2)), "[7.2] from 7 8");
        check(&query(&(bare(1, 7, 2) + &bare(2, 9, 4))), "[7.2][9.4] from 7 8");
        check(&query(&bare(1, 7, 0)), "[7.0] from 7 8, whole rows");
        let junk = bare(2, 5, 5).replace(":resjunk false", ":resjunk true");
        check(&query(&(bare(1, 7, 2) + &junk)), "[7.2] from 7 8");
    }

    #[test]
    fn expressions() {
        let computed = |expression: &str| query(&target(1, expression, 0, 0));
        let function = |arguments: &str| format!("{{FUNCEXPR :funcid 871 :args ({arguments}) :location 4}}");
        check(&computed("{CONST :constvalue 4 [ 1 0 0 0 ]}"), "[] from 7 8");
        check(&computed(&function(&variable(1, 3))), "[7.3] from 7 8");
        check(&computed(&function(&(variable(1, 3) + &variable(2, 1)))), "[7.3 8.1] from 7 8");
        check(&computed(&function(&variable(2, 0))), "[8.0] from 7 8, whole rows");
        // A function of others, an operator of others.
        check(&computed("{FUNCEXPR :funcid 16384 :args <>}"), "[anything] from 7 8, calls");
        check(&computed("{OPEXPR :opno 99999 :opfuncid 0 :args <>}"), "[anything] from 7 8, calls");
        check(&computed("{AGGREF :aggfnoid 16383 :args <>}"), "[] from 7 8");
        // A column of a sub-select, of nothing, of a query around this one; a query inside.
        check(&computed(&variable(3, 1)), "[anything] from 7 8");
        check(&computed(&variable(4, 1)), "[anything] from 7 8");
        check(&computed(&variable(0, 1)), "[anything] from 7 8");
        check(&computed(&variable(1, 1).replace(":varlevelsup 0", ":varlevelsup 1")), "[anything] from 7 8");
        check(&computed("{SUBLINK :subselect <>}"), "[anything] from 7 8");
        check(&computed("{VAR :vartype 25}"), "[anything] from 7 8");
    }

    #[test]
    fn inner_queries_are_not_the_view_s() {
        let (one, inner) = (bare(1, 7, 1), bare(1, 8, 1));
        let select = format!("{{QUERY :rtable ({{RTE :rtekind 0 :relid 8}}) :targetList ({inner})}}");
        let tree = format!("({{QUERY :rtable ({{RTE :rtekind 1 :subquery {select}}}) :targetList ({one})}})");
        check(&tree, "[7.1] from 8");
        check(&format!("({{QUERY :targetList ({one}) :returningList ({inner})}})"), "[7.1] from ");
        let nested = target(1, &format!("{{SUBLINK :subselect {select}}}"), 0, 0);
        check(&format!("({{QUERY :targetList ({nested})}})"), "[anything] from 8");
    }

    #[test]
    fn names_cannot_imitate_the_tree() {
        let named = |name: &str| query(&bare(1, 7, 1).replace(":resname x", &format!(":resname {name}")));
        check(&named("a\\ :resorigtbl\\ 9"), "[7.1] from 7 8");
        check(&named("a\\}\\ :relid\\ 9"), "[7.1] from 7 8");
        check(&named(":resorigtbl"), "[7.1] from 7 8");
        check(&named("<>"), "[7.1] from 7 8");
    }

    #[test]
    fn what_looks_different_is_not_read() {
        let one = bare(1, 7, 1);
        check("", "unreadable");
        check("<>", "unreadable");
        check("({QUERY :targetList <>})", "unreadable");
        check(&format!("({{QUERY :targetList ({one})}} {{QUERY :targetList ({one})}})"), "unreadable");
        check(&format!("({{QUERY :targetList ({one})}}"), "unreadable");
        check(&format!("({{QUERY :targetList ({one})}})}}"), "unreadable");
        check(&query(&bare(2, 7, 1)), "unreadable");
        check(&query(&one.replace(":resorigtbl 7", "")), "unreadable");
        check(&query(&one.replace(":resorigtbl 7", ":resorigtbl x")), "unreadable");
        check(&query(&one.replace(":resjunk false", "")), "unreadable");
        check(&query(&one.replace(":varno 1", ":varno x")), "unreadable");
        check(&query(&one).replace(":relid 8", ":relid -1"), "unreadable");
    }

    #[test]
    fn columns_of_generated_columns() {
        let check = |text: &str, expected: Option<&[i16]>| {
            assert_eq!(attributes_used(text), expected.map(|used| used.iter().copied().collect()));
        };
        check("{FUNCEXPR :args ({VAR :varno 1 :varattno 3} {VAR :varno 1 :varattno 5})}", Some(&[3, 5]));
        check("{CONST :constvalue 4 [ 1 0 0 0 ]}", Some(&[]));
        check("{VAR :varno 1 :varattno 0}", None);
        check("{VAR :varno 1 :varattno x}", None);
        check("{VAR :varno 1 :varattno", None);
    }
}
