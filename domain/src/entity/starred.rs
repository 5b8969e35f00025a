//! What one account starred, as the stargazer of one repository: a row for each stargazer, beside the star set.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    event::{Asked, StarredReading},
    id::{AccountId, RepoId},
    time::{Millis, Second},
    version::Version,
};

/// The encoding of the stored row.
const TAG: u8 = 1;

/// What one stargazer starred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Starred {
    /// Their login.
    pub login: String,
    /// When they were asked about: what was folded, and the forge's second.
    pub asked: (Version, Second),
    /// The same moment on our clock.
    pub asked_ms: Millis,
    /// Whether these are all.
    pub is_whole: bool,
    /// By id, each once.
    pub repositories: Vec<Repo>,
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
            is_whole: reading.is_whole,
            repositories,
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
