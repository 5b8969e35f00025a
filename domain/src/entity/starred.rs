//! What one account starred, as the stargazer of one repository: a row for each stargazer, beside the star set; and in a
//! small row beside it, when the forge last confirmed that nothing changed.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    event::{Asked, PageTag, StarredReading},
    id::{AccountId, RepoId},
    time::{Millis, Second},
    version::Version,
};

/// The encoding of the stored row.
const TAG: u8 = 2;

/// What one stargazer starred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Starred {
    /// Their login.
    pub login: String,
    /// When they were asked about: what was folded, and the forge's second.
    pub asked: (Version, Second),
    /// The same moment on our clock; by it a later answer says what it confirms.
    pub asked_ms: Millis,
    /// When the oldest part of it was asked for, on our clock: only what is new may have been asked for since.
    pub checked_ms: Millis,
    /// Whether these are all.
    pub is_whole: bool,
    /// By id, each once.
    pub repositories: Vec<Repo>,
    /// The pages of the list, in order; empty where they are not known.
    pub pages: Vec<PageTag>,
}

/// A repository that somebody starred.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Repo {
    /// The repository.
    pub id: RepoId,
    /// Whose it is.
    pub owner: AccountId,
    /// `owner/name` at that time.
    pub full_name: String,
}

impl Starred {
    /// An answer as it is kept.
    pub fn of(reading: &StarredReading<'_>, asked: &Asked) -> Self {
        let mut repositories: Vec<Repo> = reading
            .repositories
            .iter()
            .map(|it| Repo { id: it.id, owner: it.owner, full_name: it.full_name.to_string() })
            .collect();
        repositories.sort_unstable();
        repositories.dedup_by_key(|it| it.id);
        Starred {
            login: reading.login.to_string(),
            asked: (asked.asked_at, asked.date),
            asked_ms: asked.asked_ms,
            checked_ms: reading.older_ms.map_or(asked.asked_ms, |older| older.min(asked.asked_ms)),
            is_whole: reading.is_whole,
            repositories,
            pages: reading.pages.clone(),
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

/// The encoding of a stored confirmation.
const CHECK_TAG: u8 = 1;

/// The forge confirmed what it had said of one stargazer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarredCheck {
    /// When the answer was asked for that is confirmed, on our clock. Of any other answer nothing is said.
    pub read_ms: Millis,
    /// When it was confirmed, on our clock.
    pub checked_ms: Millis,
}

impl StarredCheck {
    /// When an answer that was asked for at `read_ms`, its oldest part at `checked_ms`, was last checked.
    pub fn last(check: Option<StarredCheck>, read_ms: Millis, checked_ms: Millis) -> Millis {
        let confirmed = check.filter(|check| check.read_ms == read_ms);
        confirmed.map_or(checked_ms, |check| check.checked_ms.max(checked_ms))
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(CHECK_TAG, self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(CHECK_TAG, bytes)
    }
}
