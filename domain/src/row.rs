//! A row: what the projector writes, a store keeps, and everything else reads.

use bytes::Bytes;

use crate::{key::RowKey, version::Version};

/// The value of a row that was erased, frozen: no encoding begins with this tag, and no text has its second byte.
const ERASED: &[u8] = &[50, 0];

/// One value under one key, at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The address.
    pub key: RowKey,
    /// The version of the record that produced the value.
    pub version: Version,
    /// The value; opaque to the store.
    pub value: Bytes,
}

impl Row {
    /// What stands where a row was erased by the record at `version`. Readers do not find it, and an older value does
    /// not come back.
    pub fn erased(key: RowKey, version: Version) -> Self {
        Row { key, version, value: Bytes::from_static(ERASED) }
    }

    /// Whether it stands for a row that was erased.
    pub fn is_erased(&self) -> bool {
        is_erased(&self.value)
    }
}

/// Whether a stored value says that its row was erased.
pub fn is_erased(value: &[u8]) -> bool {
    value == ERASED
}
