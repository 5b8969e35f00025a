//! What is remembered of the newest deliveries: when each was accepted and applied, and since when its change is
//! shown. It says nothing of what a delivery is about: no account, no repository, no name.
//!
//! These rows are the one place where the projector's clock is written. Nothing is ever folded from them.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    key::RowKey,
    row::Row,
    time::Millis,
    version::Version,
};

/// The encoding of a stored row.
const TAG: u8 = 30;

/// So many rows are kept in all, at about a hundred bytes each, whatever the log's number of partitions; a log of so
/// many partitions that each would get fewer than [`SLOTS_MIN`] keeps more.
pub const SLOTS: u32 = 65_536;

/// A partition remembers no fewer deliveries than come in while somebody looks for theirs.
pub const SLOTS_MIN: u32 = 256;

/// How many places one partition has, in a log of so many partitions. What came among its newest records
/// of that number is remembered; anything older may be overwritten.
pub fn slots(partitions: u32) -> u32 {
    (SLOTS / partitions.max(1)).max(SLOTS_MIN)
}

/// The place of the record at `offset` among those of its partition.
pub fn slot(offset: u64, partitions: u32) -> u32 {
    u32::try_from(offset % u64::from(slots(partitions))).expect("below a u32")
}

/// One delivery, in the stream of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The forge's id of it: a GUID, which the hooks of an event share.
    pub id: String,
    /// The forge's name of the event; empty where it gave none.
    pub event: String,
    /// Which hook sent it, where it said so.
    pub hook: Option<String>,
    /// In how many streams it is.
    pub streams: u8,
    /// Its place in the log.
    pub offset: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// When the last view that shows it was written. None while a large view waits for its turn.
    ///
    /// It stands before what a crash may change: of two rows at one version a cluster keeps the one with the greater
    /// bytes, and that must be the one that is shown.
    pub visible_ms: Option<Millis>,
    /// When its headers were read.
    pub received_ms: Millis,
    /// When what it changed was written; again after a crash, if that was not durable.
    pub applied_ms: Millis,
}

/// What came of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was folded.
    Projected,
    /// It is of a known kind that tells nothing of what is kept.
    Ignored,
    /// It is of a kind that this release does not know.
    Unknown,
    /// It could not be folded and is a dead letter.
    Dead,
}

impl Outcome {
    /// The name of it, as metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Projected => "projected",
            Outcome::Ignored => "ignored",
            Outcome::Unknown => "unknown",
            Outcome::Dead => "dead",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Outcome::Projected, Outcome::Ignored, Outcome::Unknown, Outcome::Dead];
        all.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

impl Delivery {
    /// Its row, in a log of so many partitions.
    pub fn row(&self, partition: u32, partitions: u32, version: Version) -> Row {
        let key = RowKey::Delivery(partition, slot(self.offset, partitions));
        Row { key, version, value: self.encode().into() }
    }

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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_places_together_are_bounded_and_each_has_room() {
        for partitions in [1, 4, 12, 100, 256] {
            assert!(u64::from(slots(partitions)) * u64::from(partitions) <= u64::from(SLOTS));
        }
        assert_eq!(slots(4), 16_384);
        assert_eq!(slots(1000), SLOTS_MIN);
        let places = u64::from(slots(4));
        assert_eq!(slot(7 + places, 4), slot(7, 4), "the newer of two in one place stays");
        assert_ne!(slot(6 + places, 4), slot(7, 4));
    }

    #[test]
    fn of_two_rows_of_one_record_that_one_is_kept_that_is_shown() {
        let row = |applied, visible: Option<i64>| Delivery {
            id: "a".into(),
            event: "push".into(),
            hook: None,
            streams: 1,
            offset: 1,
            outcome: Outcome::Projected,
            visible_ms: visible.map(Millis),
            received_ms: Millis(1),
            applied_ms: Millis(applied),
        };
        for (before, after) in [(5, 900), (900, 5), (127, 128), (63, 64)] {
            assert!(row(before, None).encode() < row(after, Some(1)).encode(), "{before} {after}");
        }
    }

    #[test]
    fn outcomes_are_named_as_in_the_metrics() {
        for name in ["projected", "ignored", "unknown", "dead"] {
            assert_eq!(Outcome::named(name).map(Outcome::as_str), Some(name));
        }
        assert_eq!(Outcome::named("other"), None);
    }
}
