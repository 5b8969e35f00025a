//! The users of S2, and how far each of them has seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    event::{GistUserFound, Stamp, Told},
    id::AccountId,
    need::Need,
    time::Millis,
    version::Version,
};

/// The encoding of these rows.
const TAG: u8 = 1;

/// A user's id is below this: whatever a JSON number holds exactly.
pub const USER_ID_END: u64 = 1 << 53;

/// All users, by lower-cased login.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GistUsers(pub BTreeMap<String, GistUser>);

/// One user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GistUser {
    /// The login as it was given.
    pub login: String,
    /// The id that it was given with.
    pub id: u64,
    /// The record that added it.
    pub added_at: Version,
    /// Which account it is, once the forge has said.
    pub account: Option<AccountId>,
    /// What was folded before the forge was last asked.
    pub asked_at: Version,
    /// When to ask for one that was not found again, on our clock.
    pub next_ms: Millis,
}

impl GistUsers {
    /// Folds a new user; one whose login or id is taken changes nothing.
    pub fn add(&mut self, login: &str, id: u64, stamp: &Stamp) {
        let lower = login.to_lowercase();
        if self.0.contains_key(&lower) || self.0.values().any(|user| user.id == id) {
            return;
        }
        let user = GistUser {
            login: login.to_owned(),
            id,
            added_at: stamp.version,
            account: None,
            asked_at: Version::NONE,
            next_ms: Millis(0),
        };
        self.0.insert(lower, user);
    }

    /// Folds which account a user is.
    pub fn found(&mut self, found: &GistUserFound, stamp: &Stamp) {
        let Told::Answer(asked) = stamp.told else { return };
        let Some(user) = self.0.get_mut(&found.login) else { return };
        if asked.asked_at >= user.asked_at {
            user.asked_at = asked.asked_at;
            // A login that means nobody now still was this account.
            user.account = found.account.or(user.account);
            user.next_ms = found.next_ms;
        }
    }

    /// Whether it must still be asked which account a user is.
    pub fn need(&self, login: &str) -> Need {
        match self.0.get(login) {
            Some(user) if user.account.is_none() => {
                let is_asked = user.asked_at >= user.added_at;
                Need::Open {
                    is_doubt: !is_asked,
                    raised_at: user.added_at.max(user.asked_at),
                    not_before: user.next_ms,
                }
            }
            _ => Need::Met,
        }
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

/// How far a user has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GistVisit {
    /// The version of the view that the last visit showed.
    pub seen: Version,
}

impl GistVisit {
    /// Folds a visit. Two at once may come in any order.
    pub fn visited(&mut self, seen: Version) {
        self.seen = self.seen.max(seen);
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
