//! How far each partition is folded, as far as was told.

use std::collections::{BTreeMap, btree_map};

use domain::Version;

use super::Hint;

/// The version of the last folded record of each partition; the newest that was told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<u32, Version>);

impl Positions {
    /// Notes how far a partition is folded; whether that is further than was known.
    pub fn note(&mut self, partition: u32, version: Version) -> bool {
        let known = self.0.entry(partition).or_insert(Version::NONE);
        let is_further = *known < version;
        *known = version.max(*known);
        is_further
    }

    /// How far a partition is folded; `None` while nothing was told of it.
    pub fn get(&self, partition: u32) -> Option<Version> {
        self.0.get(&partition).copied()
    }

    /// Those of which `others` says something else, or nothing.
    #[cfg(feature = "kafka")]
    pub(super) fn other_than(&self, others: &Positions) -> Positions {
        let is_other = |(partition, version): &(&u32, &Version)| others.get(**partition) != Some(**version);
        Positions(self.0.iter().filter(is_other).map(|(partition, version)| (*partition, *version)).collect())
    }

    /// Word of each of them.
    pub fn hints(&self) -> Vec<Hint> {
        self.0.iter().map(|(&partition, &version)| Hint::Folded { partition, version }).collect()
    }
}

impl IntoIterator for Positions {
    type Item = (u32, Version);
    type IntoIter = btree_map::IntoIter<u32, Version>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(u32, Version)> for Positions {
    fn from_iter<I: IntoIterator<Item = (u32, Version)>>(told: I) -> Self {
        let mut positions = Positions::default();
        for (partition, version) in told {
            positions.note(partition, version);
        }
        positions
    }
}
