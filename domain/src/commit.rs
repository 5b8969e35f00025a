//! Names of commits.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::Text;

/// The name of a commit: 20 bytes of SHA-1, or 32 of SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId {
    bytes: [u8; 32],
    length: u8,
}

/// Not 40 or 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a commit's name: 40 or 64 hex digits")]
pub struct CommitIdError;

impl CommitId {
    /// Git's "no commit": forty zeros, before the first push and after the last.
    pub const ZERO: CommitId = CommitId { bytes: [0; 32], length: 20 };

    /// Whether it says "no commit".
    pub fn is_zero(&self) -> bool {
        self.bytes == [0; 32]
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl FromStr for CommitId {
    type Err = CommitIdError;

    fn from_str(text: &str) -> Result<Self, CommitIdError> {
        let length = match text.len() {
            40 => 20,
            64 => 32,
            _ => return Err(CommitIdError),
        };
        let mut bytes = [0; 32];
        const_hex::decode_to_slice(text, &mut bytes[..usize::from(length)]).map_err(|_| CommitIdError)?;
        Ok(CommitId { bytes, length })
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&const_hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for CommitId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(self.as_bytes())
        }
    }
}

impl<'de> Deserialize<'de> for CommitId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Text::deserialize(deserializer)?.parse().map_err(de::Error::custom)
        } else {
            let stored = <&'de [u8]>::deserialize(deserializer)?;
            if !matches!(stored.len(), 20 | 32) {
                return Err(de::Error::custom(CommitIdError));
            }
            let mut bytes = [0; 32];
            bytes[..stored.len()].copy_from_slice(stored);
            Ok(CommitId { bytes, length: if stored.len() == 20 { 20 } else { 32 } })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lengths_survive_both_encodings() {
        for text in ["6dcb09b5b57875f334f61aebed695e2e4193db5e".to_owned(), "ab".repeat(32)] {
            let id: CommitId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(serde_json::from_str::<CommitId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
            assert_eq!(postcard::from_bytes::<CommitId>(&postcard::to_stdvec(&id).unwrap()).unwrap(), id);
        }
        assert!("0".repeat(40).parse::<CommitId>().unwrap().is_zero());
        assert_eq!("main".parse::<CommitId>(), Err(CommitIdError));
    }
}
