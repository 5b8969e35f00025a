//! How values are stored: one tag byte, then postcard. A tag's encoding never changes; a change of shape
//! is a new tag (design invariant 11).

use serde::{Serialize, de::DeserializeOwned};

/// A stored value that this release cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer release, or not by us.
    #[error("unknown encoding {0}")]
    Tag(u8),
    /// Shorter than a tag, or damaged.
    #[error("damaged value")]
    Damaged,
}

/// Writes `value` behind `tag`.
pub fn encode<T: Serialize>(tag: u8, value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![tag]).expect("our values have known lengths and serialize")
}

/// Reads a value that [`encode`] wrote with the same tag.
///
/// # Errors
/// When the tag is another one, or the bytes do not parse.
pub fn decode<T: DeserializeOwned>(tag: u8, bytes: &[u8]) -> Result<T, DecodeError> {
    match bytes.split_first() {
        Some((&found, rest)) if found == tag => postcard::from_bytes(rest).map_err(|_| DecodeError::Damaged),
        Some((&found, _)) => Err(DecodeError::Tag(found)),
        None => Err(DecodeError::Damaged),
    }
}
