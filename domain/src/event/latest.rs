//! What a forge answered about its newest public repositories, of all accounts (S4). Copies of their own: they say
//! nothing to the account that owns a repository.

use serde::{Deserialize, Serialize};

use crate::{
    id::{AccountId, RepoId},
    time::Second,
};

/// The answers of one round of questions about the newest public repositories.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LatestReading {
    /// What lists of public repositories showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<LatestList>,
    /// Repositories that answered by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<LatestTold>,
    /// Repositories that answered that nothing of what they tell has changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unchanged: Vec<RepoId>,
    /// Repositories that do not answer: deleted, private or taken down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<RepoId>,
    /// Languages of some of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<LatestLanguages>,
}

/// A part of the list of all public repositories, which is ordered by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatestList {
    /// The id after which the list begins, by the forge's number.
    pub after: u64,
    /// The id up to which it is whole.
    pub through: u64,
    /// Whether there was nothing behind it.
    pub is_to_the_end: bool,
    /// What it showed, by rising id, with `owner/name`.
    pub repositories: Vec<(RepoId, String)>,
}

/// A repository as it tells itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatestTold {
    /// What it tells.
    pub facts: LatestFacts,
    /// The answer's `ETag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// Languages of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatestLanguages {
    /// The repository.
    pub repo: RepoId,
    /// Name and bytes; `None`: the forge does not tell.
    pub bytes: Option<Vec<(String, u64)>>,
}

/// What S4 shows of a repository, languages aside. What the forge leaves out is `None`; flags then are not set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LatestFacts {
    /// The repository.
    pub id: RepoId,
    /// Whose it is.
    pub owner_id: Option<AccountId>,
    /// The owner's login.
    pub owner: String,
    /// Its name, without the owner's.
    pub name: String,
    /// The page for people.
    pub html_url: String,
    /// Where the forge tells its languages.
    pub languages_url: String,
    /// One line about it.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Option<Second>,
    /// When its page last changed.
    pub updated_at: Option<Second>,
    /// The newest push.
    pub pushed_at: Option<Second>,
    /// Kilobytes.
    pub size: Option<u64>,
    /// The language with the most bytes.
    pub language: Option<String>,
    /// The licence's name.
    pub license: Option<String>,
    /// Forks.
    pub forks: Option<u64>,
    /// Open issues and pull requests.
    pub open_issues: Option<u64>,
    /// GitHub's `watchers_count`, which repeats the stars.
    pub watchers: Option<u64>,
    /// What it offers.
    pub features: LatestFeatures,
}

/// What a repository offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct LatestFeatures {
    /// Whether it may be forked.
    pub allow_forking: bool,
    /// Issues.
    pub issues: bool,
    /// Projects.
    pub projects: bool,
    /// Downloads.
    pub downloads: bool,
    /// A wiki.
    pub wiki: bool,
    /// Pages.
    pub pages: bool,
    /// Discussions.
    pub discussions: bool,
}
