//! Small rows that lead from names to things: aliases, repository names, the directory of kept accounts,
//! the list of what is hidden.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    event::TrackedBy,
    id::{AccountId, RepoId},
    time::{Millis, Second},
    version::Version,
};

/// The encoding of each of these rows.
const TAG: u8 = 1;

/// Which account a login means. Its version is the `Date` of the answer that said so, because answers
/// arrive in the streams of several accounts; a login known only from a payload has [`Version::LEAST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The account.
    pub account: AccountId,
}

impl Alias {
    /// The version of an alias that was answered at `date`.
    pub fn version(date: Second) -> Version {
        Version::from_raw(u64::try_from(date.0).unwrap_or(0)).max(Version::LEAST)
    }
}

/// What a repository name of an account leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RepoName {
    /// This repository has the name, or had it last.
    Is(RepoId),
    /// It belongs to another account now.
    Moved {
        /// The repository.
        repo: RepoId,
        /// Its owner.
        to: AccountId,
    },
    /// Nothing any more.
    Nothing,
}

/// An account as the directory shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Whether it is served.
    pub state: DirectoryState,
    /// Its present login; `None` until a payload or an answer told it.
    pub login: Option<String>,
    /// Why it is kept.
    pub by: Option<TrackedBy>,
    /// Since when, on our clock.
    pub since_ms: Millis,
    /// When somebody last read it, on our clock, to the day.
    pub read_ms: Millis,
    /// Whether the list of its repositories was read whole, or the forge will not tell it.
    pub listed: bool,
    /// Whether everything about it is known and nothing in doubt.
    pub complete: bool,
    /// When the part of it that was checked longest ago was checked; `None` while some part never was.
    pub checked_ms: Option<Millis>,
    /// How many public repositories it shows.
    pub repositories: u64,
}

/// Whether an account is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectoryState {
    /// It is.
    Kept,
    /// A person said `untrack`.
    Muted,
    /// Nobody read it for long.
    Dropped,
    /// It is gone, or its installation ended and the forge was not heard since.
    Hidden,
    /// A person had it erased.
    Forgotten,
}

/// Whether a repository or account is out of every public answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenRow {
    /// It is.
    pub hidden: bool,
}

/// Why a record is not in the numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeadLetter {
    /// It could not be folded.
    Dead {
        /// The record's id: a delivery's GUID, a job's id.
        id: String,
        /// The record's kind and, for a delivery, its event name.
        kind: String,
        /// The log's partition.
        partition: u32,
        /// The offset within it.
        offset: u64,
        /// When it was received, on our clock.
        received_ms: Millis,
        /// What was wrong, without a word of the body.
        reason: String,
    },
    /// A person gave it up, or appended it again.
    Ended,
}

macro_rules! stored {
    ($($row:ty),*) => {$(
        impl $row {
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
    )*};
}

stored!(Alias, RepoName, Directory, HiddenRow, DeadLetter);
