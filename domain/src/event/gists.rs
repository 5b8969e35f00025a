//! What is said about gists (S2): what the forge answered, who wants them, who saw them, and how sending went.

use serde::{Deserialize, Serialize};

use crate::{
    id::AccountId,
    time::{Millis, Second},
    version::Version,
};

/// Why an account's gists are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GistsWantedBy {
    /// It is a user of S2: its new gists are shown to it, and sent.
    User,
    /// Somebody read them through our own API.
    Read,
}

/// What one poll of an account's gists came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GistsReading {
    /// Gists that were listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gists: Vec<GistFacts>,
    /// Known gists that a whole list did not show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// Whether every gist was listed, not only what changed lately.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_whole: bool,
    /// The newest change of any gist that was listed, those left out by settings included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Second>,
    /// The forge's refusal, where it will not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<u16>,
    /// When to ask again, on our clock.
    pub next_ms: Millis,
}

/// A gist as the forge lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GistFacts {
    /// The forge's own id.
    pub id: String,
    /// The owner's login at that time.
    pub owner: String,
    /// The page for people.
    pub url: String,
    /// One line about it.
    pub description: Option<String>,
    /// Its files, by name.
    pub files: Vec<GistFile>,
    /// When it was made.
    pub created_at: Option<Second>,
    /// When it last changed.
    pub updated_at: Second,
}

/// A file of a gist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GistFile {
    /// Its name.
    pub filename: String,
    /// What the forge takes it for.
    pub language: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
    /// Where its text is.
    pub raw_url: String,
}

/// Something about the sending of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendingNote {
    /// The gist.
    pub gist: String,
    /// The file's name.
    pub filename: String,
    /// What happened.
    pub step: SendingStep,
}

/// A step of sending a file. All but the first name the attempt that they are about by the version of the record
/// that began it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendingStep {
    /// A call will follow at once. Of several who say so at the same time one has begun: the first in the log.
    Began {
        /// How many attempts there were before.
        after: u32,
    },
    /// It is there.
    Sent {
        /// The attempt.
        attempt: Version,
    },
    /// It is certain that nothing was made; the next attempt may follow from this moment on our clock.
    NotSent {
        /// The attempt.
        attempt: Version,
        /// On our clock.
        not_before: Millis,
    },
    /// It was looked for after an unknown outcome and not found.
    NotFound {
        /// The attempt.
        attempt: Version,
        /// The next look, or the next attempt, may follow from this moment on our clock.
        not_before: Millis,
    },
    /// It will never be taken as it is.
    Refused {
        /// The attempt; [`Version::NONE`]: its text could not be read, so that there was none.
        attempt: Version,
        /// Why, in a sentence.
        reason: String,
    },
    /// A person wants a refused one tried again.
    Retried,
    /// A person gave it up.
    Dropped,
}

/// Which account a user of S2 is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GistUserFound {
    /// The user's login, lower-cased.
    pub login: String,
    /// The account; `None` when there is none of that name.
    pub account: Option<AccountId>,
    /// When to ask again, on our clock; only for one that was not found.
    pub next_ms: Millis,
}
