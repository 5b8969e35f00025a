//! Positions that can be compared across the lives of a log.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError};

/// How many low bits of a [`Version`] hold the offset (design §4). Versions stay below 2⁵⁰, far under
/// "now in microseconds", which is what a CQL store compares them with.
const OFFSET_BITS: u32 = 40;

/// One life of a log's offsets: a new one starts when a log was lost, replaced or moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epoch(pub u16);

impl Epoch {
    /// The epoch that a new data folder starts in.
    pub const FIRST: Epoch = Epoch(1);

    /// The stored form: a store's epoch is one row, written when the store is created.
    pub fn encode(self) -> Vec<u8> {
        codec::encode(1, &self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(1, bytes)
    }
}

/// Which record of its partition produced a value; a store keeps the row with the greatest.
///
/// Only versions of one partition compare in a meaningful way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub struct Version(u64);

impl Version {
    /// Before every record.
    pub const NONE: Version = Version(0);
    /// Loses against every record's version; an alias known only from a payload carries it.
    pub const LEAST: Version = Version(1);

    /// The version of the record at `offset` in `epoch`.
    pub fn new(epoch: Epoch, offset: u64) -> Self {
        debug_assert!(offset < 1 << OFFSET_BITS, "an offset fits 40 bits");
        Version((u64::from(epoch.0) << OFFSET_BITS) | offset)
    }

    /// A version that was stored or sent before.
    pub fn from_raw(raw: u64) -> Self {
        Version(raw)
    }

    /// The number as stored and sent.
    pub fn as_raw(self) -> u64 {
        self.0
    }

    /// The epoch it belongs to.
    pub fn epoch(self) -> Epoch {
        Epoch(u16::try_from(self.0 >> OFFSET_BITS).unwrap_or(u16::MAX))
    }

    /// The offset within its partition and epoch.
    pub fn offset(self) -> u64 {
        self.0 & ((1 << OFFSET_BITS) - 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch().0, self.offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_epoch_beats_any_offset_of_an_earlier_one() {
        let old = Version::new(Epoch(1), (1 << OFFSET_BITS) - 1);
        let new = Version::new(Epoch(2), 0);
        assert!(new > old);
        assert_eq!((new.epoch(), new.offset()), (Epoch(2), 0));
        assert!(Version::LEAST < Version::new(Epoch::FIRST, 0));
    }
}
