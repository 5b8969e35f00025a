//! What a forge answered about stars (S3): who starred a repository, and what else they starred.

use serde::{Deserialize, Serialize};

use crate::{
    id::{AccountId, RepoId},
    text::Text,
    time::{Millis, Second},
    version::Version,
};

/// Answers about the stars of one repository; in the stream of its owner only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarsReading<'a> {
    /// The repository.
    pub repo: RepoId,
    /// A page of its stargazers.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub gazers: Vec<Gazer<'a>>,
    /// What a list that was read to its end says besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<GazersListed>,
    /// What some of its stargazers starred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starred: Vec<StarredReading<'a>>,
    /// Of whom the forge confirmed that what they starred is what it said before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmed: Vec<StarredConfirmed>,
}

impl StarsReading<'_> {
    /// A reading that says nothing yet.
    pub fn of(repo: RepoId) -> Self {
        StarsReading { repo, gazers: Vec::new(), listed: None, starred: Vec::new(), confirmed: Vec::new() }
    }
}

/// Somebody who starred a repository, as its list shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gazer<'a> {
    /// Who.
    pub id: AccountId,
    /// Their login.
    #[serde(borrow)]
    pub login: Text<'a>,
    /// When, by the forge.
    pub at: Second,
}

/// The end of a list of stargazers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GazersListed {
    /// What was folded before the first page was asked for.
    pub since: Version,
    /// Whether the forge showed all of it: it shows the oldest 40 000 only.
    pub is_whole: bool,
    /// Stargazers that were known at `since` and that two passes did not show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<AccountId>,
}

/// What one account starred, all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarredReading<'a> {
    /// Who.
    pub starrer: AccountId,
    /// Their login.
    #[serde(borrow)]
    pub login: Text<'a>,
    /// The public repositories; in any order.
    pub repositories: Vec<StarredRepository<'a>>,
    /// Whether these are all; `false` where the forge did not tell, or there were too many.
    pub is_whole: bool,
    /// Where only the newest were asked for: when the older ones were, on our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_ms: Option<Millis>,
    /// The pages of the list, in order, by which it can be asked whether anything changed; empty where they are not
    /// known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<PageTag>,
}

/// A page of a list, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageTag {
    /// Its address, as the page before gave it; `None`: the first.
    pub url: Option<String>,
    /// Its `ETag`.
    pub etag: String,
}

/// What an account starred has not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarredConfirmed {
    /// Who.
    pub starrer: AccountId,
    /// When the answer was asked for that is confirmed, on our clock.
    pub read_ms: Millis,
}

/// An account was asked what it starred; in its own stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarrerReading<'a> {
    /// Its login.
    #[serde(borrow)]
    pub login: Text<'a>,
    /// A repository whose owner was told, because somebody wants its neighbours, and whose it is; `None`: the forge did
    /// not show what the account starred.
    pub target: Option<(AccountId, RepoId)>,
}

/// A repository that somebody starred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarredRepository<'a> {
    /// The repository.
    pub id: RepoId,
    /// Whose it is.
    pub owner: AccountId,
    /// `owner/name`.
    #[serde(borrow)]
    pub full_name: Text<'a>,
}
