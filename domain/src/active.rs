//! Which way of folding is served for a partition: the newest that has caught up with the log there.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    key::RowKey,
    row::Row,
    version::{Epoch, Version},
};

/// The encoding of a stored row.
const TAG: u8 = 1;

/// The generation that is served for a partition of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// As [`crate::GENERATION`].
    pub generation: u32,
}

impl Active {
    /// The row that says so. Its version rises with the generation, so that an older one never wins.
    pub fn row(self, partition: u32, epoch: Epoch) -> Row {
        let version = Version::new(epoch, u64::from(self.generation));
        Row { key: RowKey::Active(partition), version, value: codec::encode(TAG, &self).into() }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(TAG, bytes)
    }
}
