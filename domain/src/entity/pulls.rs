//! Pull requests of a repository: how many there are, and the state of each, 512 numbers a row.
//!
//! The total is exact from one call (N requests, the highest number M) plus the numbers above M that
//! deliveries named; the split into open, merged and closed needs every state, so it is known once the list
//! was read whole (reference A5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    entity::doubt::Doubt,
    event::{PullState, Stamp, Told},
    time::{Millis, Second},
    version::Version,
};

/// The encoding of a stored row of states.
const TAG: u8 = 1;

/// How many numbers share a row: 100 000 pull requests load as 200 rows.
pub const NUMBERS_PER_BUCKET: u64 = 512;

/// The row that holds `number`.
pub fn bucket_of(number: u64) -> u32 {
    u32::try_from(number / NUMBERS_PER_BUCKET).unwrap_or(u32::MAX)
}

/// What the repository's row keeps about its pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PullTotals {
    /// The newest (N, M) answer.
    pub counted: Option<PullsCounted>,
    /// What was folded before the newest list that was read whole was begun.
    pub listed_since: Option<Version>,
    /// Raised by a payload that named a pull request but not its state.
    pub doubt: Option<Doubt>,
}

/// An (N, M) answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullsCounted {
    /// N: how many pull requests there were.
    pub total: u64,
    /// M: the highest number among them.
    pub newest: u64,
    /// What was folded before it was asked.
    pub asked_at: Version,
    /// The same moment on our clock.
    pub asked_ms: Millis,
}

impl PullTotals {
    /// Folds an (N, M) answer: the greatest M wins, with equal M the later question.
    pub fn count(&mut self, total: u64, newest: u64, stamp: &Stamp) -> bool {
        let Told::Answer(asked) = stamp.told else { return false };
        let is_newer =
            self.counted.is_none_or(|known| (newest, asked.asked_at) >= (known.newest, known.asked_at));
        let answer = PullsCounted { total, newest, asked_at: asked.asked_at, asked_ms: asked.asked_ms };
        let changed = is_newer && self.counted != Some(answer);
        if is_newer {
            self.counted = Some(answer);
        }
        changed
    }

    /// Folds the end of a whole list.
    pub fn listed(&mut self, since: Version) {
        self.listed_since = self.listed_since.max(Some(since));
        if self.doubt.is_some_and(|doubt| doubt.is_answered_by(since)) {
            self.doubt = None;
        }
    }

    /// Whether the list was read whole.
    pub fn is_listed(&self) -> bool {
        self.listed_since.is_some()
    }

    /// Whether the newest (N, M) contradicts the states at hand, and no list was begun since.
    pub fn is_contradicted_by(&self, states: &PullStates) -> bool {
        match (self.counted, self.listed_since) {
            (Some(counted), Some(since)) => {
                since < counted.asked_at && counted.total != states.known_up_to(counted.newest)
            }
            _ => false,
        }
    }
}

/// The state of one pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullEntry {
    /// Its state; `None` when the forge does not know it any more.
    pub state: Option<PullState>,
    /// The forge's `updated_at`.
    pub at: Second,
    /// Raised by another state in the same second.
    pub doubt: Option<Doubt>,
}

/// One row of states, by number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PullBucket {
    entries: BTreeMap<u64, PullEntry>,
}

impl PullBucket {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(TAG, self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(TAG, bytes)
    }

    /// The entry of a number.
    pub fn entry(&self, number: u64) -> Option<&PullEntry> {
        self.entries.get(&number)
    }

    /// All entries, by number.
    pub fn entries(&self) -> impl Iterator<Item = (u64, &PullEntry)> {
        self.entries.iter().map(|(number, entry)| (*number, entry))
    }

    /// Folds a state: newer replaces older, merged is final, another state in the same second is doubt.
    /// Returns whether anything changed.
    pub fn read(&mut self, number: u64, state: PullState, at: Second, stamp: &Stamp) -> bool {
        let Some(entry) = self.entries.get_mut(&number) else {
            self.entries.insert(number, PullEntry { state: Some(state), at, doubt: None });
            return true;
        };
        let before = *entry;
        let is_merged = [entry.state, Some(state)].contains(&Some(PullState::Merged));
        if is_merged {
            *entry = PullEntry { state: Some(PullState::Merged), at: entry.at.max(at), doubt: None };
        } else if at > entry.at {
            *entry = PullEntry { state: Some(state), at, doubt: None };
        } else if at == entry.at {
            match (stamp.told, entry.doubt) {
                (Told::Answer(asked), Some(doubt)) if doubt.is_answered_by(asked.asked_at) => {
                    *entry = PullEntry { state: Some(state), at, doubt: None };
                }
                (Told::Answer(_), Some(_)) => {}
                (Told::Answer(_), None) if entry.state != Some(state) => {
                    Doubt::raise(&mut entry.doubt, stamp);
                }
                (Told::Delivery | Told::Command, _) if entry.state != Some(state) => {
                    entry.state = Some(state);
                    Doubt::raise(&mut entry.doubt, stamp);
                }
                _ => {}
            }
        }
        *entry != before
    }

    /// The forge does not know the number any more; ignored where something newer is known than what was
    /// folded when it was asked.
    pub fn gone(&mut self, number: u64, stamp: &Stamp, row_version: Version) -> bool {
        let Told::Answer(asked) = stamp.told else { return false };
        if row_version > asked.asked_at {
            return false;
        }
        match self.entries.get_mut(&number) {
            Some(entry) if entry.state.is_some() => {
                *entry = PullEntry { state: None, at: asked.date.max(entry.at), doubt: None };
                true
            }
            _ => false,
        }
    }
}

/// How many are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PullCounts {
    /// Open.
    pub open: u64,
    /// Merged.
    pub merged: u64,
    /// Closed without merge.
    pub closed: u64,
}

impl PullCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.open + self.merged + self.closed
    }

    fn slot(&mut self, state: PullState) -> &mut u64 {
        match state {
            PullState::Open => &mut self.open,
            PullState::Merged => &mut self.merged,
            PullState::Closed => &mut self.closed,
        }
    }
}

/// All states of a repository, loaded, with running sums over the loaded set (never read back).
#[derive(Debug, Clone, Default)]
pub struct PullStates {
    buckets: BTreeMap<u32, (PullBucket, Version)>,
    counts: PullCounts,
    doubts: BTreeMap<u64, Doubt>,
}

impl PullStates {
    /// Adds a stored row.
    pub fn load(&mut self, bucket: u32, row: PullBucket, version: Version) {
        for (number, entry) in row.entries() {
            self.add(number, *entry);
        }
        self.buckets.insert(bucket, (row, version));
    }

    /// The version of the row that holds `number`.
    pub fn version_of(&self, bucket: u32) -> Version {
        self.buckets.get(&bucket).map_or(Version::NONE, |(_, version)| *version)
    }

    /// A row, for writing.
    pub fn bucket(&self, bucket: u32) -> Option<&(PullBucket, Version)> {
        self.buckets.get(&bucket)
    }

    /// Changes one row at the stamp's version and keeps the sums; returns whether anything changed.
    pub fn change(
        &mut self,
        number: u64,
        stamp: &Stamp,
        change: impl FnOnce(&mut PullBucket) -> bool,
    ) -> bool {
        let (bucket, version) = self.buckets.entry(bucket_of(number)).or_default();
        let before = bucket.entry(number).copied();
        let changed = change(bucket);
        let after = bucket.entry(number).copied();
        *version = stamp.version;
        if let Some(entry) = before {
            self.remove(number, entry);
        }
        if let Some(entry) = after {
            self.add(number, entry);
        }
        changed
    }

    /// How many are in each state.
    pub fn counts(&self) -> PullCounts {
        self.counts
    }

    /// The numbers whose state is in doubt.
    pub fn doubts(&self) -> &BTreeMap<u64, Doubt> {
        &self.doubts
    }

    /// How many numbers up to and including `newest` are known and not gone.
    pub fn known_up_to(&self, newest: u64) -> u64 {
        self.counts.total() - self.known_above(newest)
    }

    /// How many numbers above `newest` are known and not gone; those are few.
    pub fn known_above(&self, newest: u64) -> u64 {
        let above = self.buckets.range(bucket_of(newest)..).flat_map(|(_, (bucket, _))| {
            bucket.entries.range(newest.saturating_add(1)..).filter(|(_, entry)| entry.state.is_some())
        });
        above.count() as u64
    }

    fn add(&mut self, number: u64, entry: PullEntry) {
        if let Some(state) = entry.state {
            *self.counts.slot(state) += 1;
        }
        if let Some(doubt) = entry.doubt {
            self.doubts.insert(number, doubt);
        }
    }

    fn remove(&mut self, number: u64, entry: PullEntry) {
        if let Some(state) = entry.state {
            *self.counts.slot(state) -= 1;
        }
        self.doubts.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Asked, version::Epoch};

    fn stamp(offset: u64, asked_at: Option<u64>) -> Stamp {
        let told = asked_at.map_or(Told::Delivery, |asked_at| {
            Told::Answer(Asked {
                asked_at: Version::new(Epoch::FIRST, asked_at),
                asked_ms: Millis(0),
                date: Second(100),
            })
        });
        Stamp { version: Version::new(Epoch::FIRST, offset), received_at: Millis(0), told }
    }

    fn read(states: &mut PullStates, number: u64, state: PullState, at: i64, stamp: &Stamp) {
        states.change(number, stamp, |bucket| bucket.read(number, state, Second(at), stamp));
    }

    #[test]
    fn the_total_is_n_plus_the_known_numbers_above_m() {
        let mut states = PullStates::default();
        for number in [7, 9, 600, 1030] {
            read(&mut states, number, PullState::Open, 1, &stamp(number, None));
        }
        assert_eq!(states.known_above(9), 2);
        assert_eq!(states.known_above(600), 1);
        assert_eq!(states.known_up_to(600), 3);
    }

    #[test]
    fn merged_is_final_and_newer_beats_older_in_any_order() {
        let mut states = PullStates::default();
        read(&mut states, 1, PullState::Merged, 5, &stamp(1, None));
        read(&mut states, 1, PullState::Open, 6, &stamp(2, None));
        read(&mut states, 2, PullState::Closed, 6, &stamp(3, None));
        read(&mut states, 2, PullState::Open, 5, &stamp(4, None));
        assert_eq!(states.counts(), PullCounts { open: 0, merged: 1, closed: 1 });
        assert!(states.doubts().is_empty());
    }

    #[test]
    fn another_state_in_the_same_second_is_doubt_until_it_is_asked() {
        let mut states = PullStates::default();
        read(&mut states, 3, PullState::Closed, 5, &stamp(1, None));
        read(&mut states, 3, PullState::Open, 5, &stamp(2, None));
        assert!(!states.doubts().is_empty());
        read(&mut states, 3, PullState::Closed, 5, &stamp(3, Some(1)));
        assert!(!states.doubts().is_empty(), "asked before the doubt was raised");
        read(&mut states, 3, PullState::Closed, 5, &stamp(4, Some(3)));
        assert!(states.doubts().is_empty());
        assert_eq!(states.counts(), PullCounts { open: 0, merged: 0, closed: 1 });
    }

    #[test]
    fn a_number_that_changed_after_the_question_is_not_gone() {
        let mut states = PullStates::default();
        read(&mut states, 4, PullState::Open, 5, &stamp(10, None));
        let late = stamp(12, Some(9));
        let version = states.version_of(0);
        states.change(4, &late, |bucket| bucket.gone(4, &late, version));
        assert_eq!(states.counts().total(), 1);
        let current = stamp(13, Some(12));
        let version = Version::new(Epoch::FIRST, 10);
        states.change(4, &current, |bucket| bucket.gone(4, &current, version));
        assert_eq!(states.counts().total(), 0);
    }

    #[test]
    fn the_greatest_m_wins_whatever_the_order_of_answers() {
        let (older, newer) = (stamp(5, Some(1)), stamp(6, Some(4)));
        for order in [[(3, 4, &older), (5, 6, &newer)], [(5, 6, &newer), (3, 4, &older)]] {
            let mut totals = PullTotals::default();
            for (total, newest, stamp) in order {
                totals.count(total, newest, stamp);
            }
            assert_eq!(totals.counted.map(|counted| counted.total), Some(5));
        }
    }
}
