//! An API key: who has it, until when, and a hash by which it is known again. The key itself is never stored.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    event::{ApiKeyMade, Stamp},
    time::Millis,
};

/// The encoding of a stored key.
const TAG: u8 = 1;

/// What is kept of an API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// What it is for, in its maker's words.
    pub name: String,
    /// Whom to write to about it.
    pub email: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// When it was made, on our clock.
    pub made_ms: Millis,
    /// From when on it is no longer taken.
    pub expires_ms: Option<Millis>,
    /// When it was revoked.
    pub revoked_ms: Option<Millis>,
    /// When somebody used it last, to the day; 0 before the first time.
    pub used_ms: Millis,
}

impl ApiKey {
    /// Folds the making of a key.
    pub fn made(made: &ApiKeyMade<'_>, stamp: &Stamp) -> Self {
        ApiKey {
            name: made.name.to_string(),
            email: made.email.to_string(),
            hash: made.hash,
            made_ms: stamp.received_at,
            expires_ms: made.expires_ms,
            revoked_ms: None,
            used_ms: Millis(0),
        }
    }

    /// Folds a revocation; the first one counts.
    pub fn revoked(&mut self, stamp: &Stamp) {
        self.revoked_ms.get_or_insert(stamp.received_at);
    }

    /// Folds a use.
    pub fn used(&mut self, stamp: &Stamp) {
        self.used_ms = self.used_ms.max(stamp.received_at);
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: Millis) -> bool {
        self.expires_ms.is_some_and(|expires| now >= expires)
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
