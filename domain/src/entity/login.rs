//! A login that somebody wants kept, until the forge has said which account it means.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    event::{Asked, Stamp, TrackedBy},
    id::AccountId,
    time::Millis,
    version::Version,
};

/// The encoding of a stored login.
const TAG: u8 = 1;

/// What is known of a wanted login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The login as it was first given; forges are asked with it.
    pub typed: String,
    /// The strongest reason for which it is wanted.
    pub by: TrackedBy,
    /// The newest record that wants it.
    pub wanted_at: Version,
    /// What the forge said last.
    pub found: Option<Found>,
}

/// What the forge said about a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The account; `None` when there is none of that name.
    pub account: Option<AccountId>,
    /// What was folded before it was asked.
    pub asked_at: Version,
    /// The same moment on our clock.
    pub asked_ms: Millis,
}

impl Login {
    /// Folds a wish.
    pub fn wanted(known: Option<Login>, typed: &str, by: TrackedBy, stamp: &Stamp) -> Self {
        match known {
            Some(login) => Login {
                by: if by == TrackedBy::Person { by } else { login.by },
                wanted_at: stamp.version,
                ..login
            },
            None => Login { typed: typed.to_owned(), by, wanted_at: stamp.version, found: None },
        }
    }

    /// Folds an answer.
    pub fn found(&mut self, account: Option<AccountId>, asked: &Asked) {
        if self.found.is_none_or(|found| asked.asked_at >= found.asked_at) {
            self.found = Some(Found { account, asked_at: asked.asked_at, asked_ms: asked.asked_ms });
        }
    }

    /// Whether the forge must still be asked.
    pub fn is_open(&self) -> bool {
        self.found.is_none_or(|found| found.asked_at < self.wanted_at)
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
