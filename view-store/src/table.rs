//! Names of tables: one per family, with the generation as a suffix where the family has generations.

use domain::Family;

/// What stands between a family's name and its generation.
const GENERATION_MARK: &str = "_g";

/// One table of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Table {
    pub(crate) family: Family,
    /// `None` for families that all generations share.
    pub(crate) generation: Option<u32>,
}

impl Table {
    /// The table that holds rows of `family` for a handle on `generation`.
    pub(crate) fn of(family: Family, generation: u32) -> Self {
        Table { family, generation: family.is_generational().then_some(generation) }
    }

    /// The name as stored; frozen.
    pub(crate) fn name(self) -> String {
        match self.generation {
            Some(generation) => generation_name(self.family.table(), generation),
            None => self.family.table().to_owned(),
        }
    }

    /// Reads what [`Self::name`] made; `None` for tables that hold no rows.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Family::ALL.into_iter().find_map(|family| {
            let rest = name.strip_prefix(family.table())?;
            if family.is_generational() {
                let generation = rest.strip_prefix(GENERATION_MARK)?.parse().ok()?;
                Some(Table { family, generation: Some(generation) })
            } else {
                rest.is_empty().then_some(Table { family, generation: None })
            }
        })
    }
}

/// The name of one generation's table.
pub(crate) fn generation_name(base: &str, generation: u32) -> String {
    format!("{base}{GENERATION_MARK}{generation}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_frozen_and_read_back() {
        let names: Vec<String> = Family::ALL.iter().map(|family| Table::of(*family, 3).name()).collect();
        assert_eq!(
            names,
            [
                "entities_g3",
                "members_g3",
                "views_g3",
                "repo_names_g3",
                "directory_g3",
                "needs_g3",
                "hidden_g3",
                "cursors_g3",
                "dead_letters_g3",
                "aliases",
                "epochs",
                "seen_g3",
                "active",
                "deliveries_g3",
                "trail_g3"
            ]
        );
        for family in Family::ALL {
            let table = Table::of(family, 3);
            assert_eq!(Table::from_name(&table.name()), Some(table));
        }
        for other in ["views", "views_g", "views_gx", "aliases_g1", "format", ""] {
            assert_eq!(Table::from_name(other), None, "{other}");
        }
    }
}
