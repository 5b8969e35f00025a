//! The last time our door opened: deliveries before it may have been refused, so what was checked with the
//! forge before it may have missed something.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    time::Millis,
};

/// The encoding of the stored door.
const TAG: u8 = 1;

/// The last opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Door {
    /// On our clock.
    pub opened_ms: Millis,
}

impl Door {
    /// Folds an opening.
    pub fn opened(&mut self, at: Millis) {
        self.opened_ms = self.opened_ms.max(at);
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
