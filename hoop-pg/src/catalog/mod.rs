//! What a session's database says about protected columns: where their values can be read, and from which
//! relations a result column comes.

use std::collections::{BTreeMap, HashMap};

use hoopcore::ColumnName;
use hoopcore::mask::Origin;

/// The relations of one database as a session sees it, and the columns of them that expose a protected column.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Each relation that is known, with its highest attribute number.
    relations: HashMap<u32, i16>,
    /// Columns through which a protected column's value can be read, by relation and attribute number.
    columns: BTreeMap<(u32, i16), Vec<ColumnName>>,
    /// Relations any column of which may carry a protected column's value.
    whole: HashMap<u32, Vec<ColumnName>>,
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
        let exposed = self.exposed(relation, attribute);
        if !exposed.is_empty() {
            return Origin::Columns(exposed);
        }
        match self.relations.get(&relation) {
            Some(_) if attribute == 0 => Origin::Derived,
            Some(highest) if attribute <= *highest => Origin::Clean,
            Some(_) | None => Origin::Unknown,
        }
    }

    /// The protected columns whose values a column carries; a whole row (attribute 0) carries those of each column.
    fn exposed(&self, relation: u32, attribute: i16) -> Vec<ColumnName> {
        let whole = self.whole.get(&relation).into_iter().flatten();
        let attributes = if attribute == 0 { i16::MIN..=i16::MAX } else { attribute..=attribute };
        let columns = self.columns.range((relation, *attributes.start())..=(relation, *attributes.end()));
        let mut names: Vec<ColumnName> = whole.chain(columns.flat_map(|(_, names)| names)).cloned().collect();
        names.sort();
        names.dedup();
        names
    }
}
