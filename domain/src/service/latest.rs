//! The newest public repositories while records are folded into them: loaded once, rendered once for many records.

use crate::{
    codec::DecodeError,
    entity::latest::Latest,
    event::{LatestReading, Stamp},
    id::{Forge, StreamKey},
    key::{EntityKey, RowKey, ViewKey},
    row::Row,
    version::Version,
    view::latest::Fragments,
};

/// The entity at hand.
#[derive(Debug, Clone, Default)]
pub struct LatestFold {
    latest: Latest,
    version: Version,
}

impl LatestFold {
    /// The row of the entity.
    pub fn key() -> RowKey {
        RowKey::Entity(StreamKey::Service, EntityKey::Latest(Forge::GitHub))
    }

    /// The row of its fragments.
    pub fn view_key() -> RowKey {
        RowKey::View(StreamKey::Service, ViewKey::Latest(Forge::GitHub))
    }

    /// What is stored so far.
    ///
    /// # Errors
    /// When the row was written by a newer release or is damaged.
    pub fn load(row: Option<&Row>) -> Result<Self, DecodeError> {
        let Some(row) = row else { return Ok(LatestFold::default()) };
        Ok(LatestFold { latest: Latest::decode(&row.value)?, version: row.version })
    }

    /// Folds an answer. A record that is folded already changes nothing; what it had changed is written again.
    pub fn evolve(&mut self, reading: &LatestReading, stamp: &Stamp) {
        if stamp.version > self.version {
            self.latest.evolve(reading, stamp);
            self.version = stamp.version;
        }
    }

    /// The rows to write.
    pub fn rows(&self) -> [Row; 2] {
        let version = self.version;
        [
            Row { key: Self::key(), version, value: self.latest.encode().into() },
            Row { key: Self::view_key(), version, value: Fragments::stored(&self.latest).encode() },
        ]
    }
}
