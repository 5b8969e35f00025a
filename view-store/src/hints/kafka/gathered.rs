//! What waits to be told: the newest version of each row, and how far each partition is folded.

use std::collections::HashMap;

use domain::{RowKey, Version};

use crate::{Hint, Positions};

/// More rows than this in one gathering are a rebuild: followers may as well look at everything again.
const ROWS_MAX: usize = 50_000;

/// Hints that wait to be sent.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    rows: HashMap<RowKey, Version>,
    folded: Positions,
    /// Some were not kept, or not sent.
    is_lossy: bool,
}

/// What is to be sent now, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parcel {
    /// Whether to say first that hints were lost.
    pub(super) is_lossy: bool,
    pub(super) rows: HashMap<RowKey, Version>,
    pub(super) folded: Positions,
}

impl Gathered {
    pub(super) fn add(&mut self, hints: &[Hint]) {
        for hint in hints {
            match hint {
                Hint::Row { key, version, .. } => self.add_row(key, *version),
                Hint::Folded { partition, version } => {
                    self.folded.note(*partition, *version);
                }
            }
        }
    }

    fn add_row(&mut self, key: &RowKey, version: Version) {
        if let Some(known) = self.rows.get_mut(key) {
            *known = (*known).max(version);
        } else if self.rows.len() < ROWS_MAX {
            self.rows.insert(key.clone(), version);
        } else {
            self.lose();
        }
    }

    /// What was gathered or sent cannot be relied on.
    pub(super) fn lose(&mut self) {
        self.rows.clear();
        self.is_lossy = true;
    }

    /// Takes what waits. How far partitions are folded stays, to be told again.
    pub(super) fn take(&mut self) -> Parcel {
        Parcel {
            is_lossy: std::mem::take(&mut self.is_lossy),
            rows: std::mem::take(&mut self.rows),
            folded: self.folded.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Epoch;

    use super::*;

    fn version(offset: u64) -> Version {
        Version::new(Epoch::FIRST, offset)
    }

    fn row(partition: u32, offset: u64) -> Hint {
        Hint::Row { key: RowKey::Seen(partition), version: version(offset), value: None }
    }

    #[test]
    fn a_row_is_told_once_with_its_newest_version() {
        let mut gathered = Gathered::default();
        gathered.add(&[row(1, 5), row(2, 6), row(1, 7), row(1, 4)]);
        gathered.add(&[Hint::Folded { partition: 0, version: version(7) }]);
        let parcel = gathered.take();
        assert_eq!(
            parcel.rows,
            HashMap::from([(RowKey::Seen(1), version(7)), (RowKey::Seen(2), version(6))])
        );
        let again = gathered.take();
        assert!(again.rows.is_empty());
        assert_eq!(again.folded, Positions::from_iter([(0, version(7))]), "a position is told again");
    }

    #[test]
    fn more_than_can_be_kept_is_told_as_a_loss() {
        let mut gathered = Gathered::default();
        let many: Vec<Hint> = (0..=u32::try_from(ROWS_MAX).unwrap()).map(|number| row(number, 1)).collect();
        gathered.add(&many);
        let parcel = gathered.take();
        assert!(parcel.is_lossy && parcel.rows.len() < ROWS_MAX);
        assert!(!gathered.take().is_lossy, "it is told once");
    }
}
