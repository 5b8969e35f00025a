//! That a login was forgotten: whoever names it is told so, without anybody asking the forge whose it is.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    id::AccountId,
};

/// The encoding of the stored form.
const TAG: u8 = 51;

/// A login that was forgotten; which one stands in its key as a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgottenLogin {
    /// Whose it was.
    pub account: AccountId,
}

impl ForgottenLogin {
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
