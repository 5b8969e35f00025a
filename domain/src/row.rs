//! A row: what the projector writes, a store keeps, and everything else reads.

use bytes::Bytes;

use crate::{key::RowKey, version::Version};

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
