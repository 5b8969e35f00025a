//! What records say, in our own words: past-tense facts, whoever told them.
//!
//! `github::translate` makes events from deliveries, [`crate::snapshot`] from answers, [`crate::command`]
//! from commands. Nothing here names a payload field or a row.

mod api_key;
mod forgotten;
mod gists;
mod hooks;
mod latest;
mod stars;

use serde::{Deserialize, Serialize};

pub use self::api_key::ApiKeyMade;
pub use self::forgotten::{LoginHash, LoginsForgotten};
pub use self::gists::{
    GistFacts, GistFile, GistUserFound, GistsReading, GistsWantedBy, SendingNote, SendingStep,
};
pub use self::hooks::{HookReading, HourReading, Touched};
pub use self::latest::{LatestFacts, LatestFeatures, LatestLanguages, LatestList, LatestReading, LatestTold};
pub use self::stars::{
    Gazer, GazersListed, PageTag, StarredConfirmed, StarredReading, StarredRepository, StarrerReading,
    StarsReading,
};
use crate::{
    commit::CommitId,
    id::{AccountId, Forge, RepoId},
    key::NeedKey,
    text::Text,
    time::{Millis, Second},
    version::Version,
};

/// Where and when a record was told; goes with every event of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The record's version.
    pub version: Version,
    /// When its source got it, on our clock.
    pub received_at: Millis,
    /// Who told it.
    pub told: Told,
}

/// Who told a fact: it decides how far the fact may overrule what is known (reference A5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The forge, by itself; may be late, doubled and out of order.
    Delivery,
    /// The forge, because it was asked.
    Answer(Asked),
    /// A person, or one of our own sources.
    Command,
}

/// When a forge was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What of this stream was folded before the first request was sent.
    pub asked_at: Version,
    /// The same moment on our clock.
    pub asked_ms: Millis,
    /// The response's own `Date`: the forge's second.
    pub date: Second,
}

/// A fact. In answers only the variants below `Answers` occur, in deliveries those above.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event<'a> {
    // ---- Deliveries and answers
    /// A `repository` object was in a payload or an answer.
    #[serde(borrow)]
    Repository(Box<RepositoryReading<'a>>),
    /// The account itself was named by a payload.
    Owner(OwnerReading<'a>),
    /// A repository now belongs to another account.
    RepositoryMoved {
        /// The repository.
        repo: RepoId,
        /// Its new owner.
        to: AccountId,
        /// When, by the forge.
        at: Second,
    },

    // ---- Deliveries
    /// The account became one to keep.
    Tracked(TrackedBy),
    /// A branch moved.
    Push(Push<'a>),
    /// A branch was created or deleted.
    BranchTouched {
        /// The repository.
        repo: RepoId,
        /// The branch.
        branch: Text<'a>,
    },
    /// Another branch became the default one.
    DefaultBranchChanged {
        /// The repository.
        repo: RepoId,
    },
    /// A pull request was seen.
    Pull(PullReading),
    /// A star was given or taken.
    #[serde(borrow)]
    Star(StarReading<'a>),
    /// A repository went private or was deleted.
    RepositoryHidden {
        /// The repository.
        repo: RepoId,
        /// When, by the forge.
        at: Second,
        /// Why.
        why: HiddenWhy,
    },
    /// A repository was made public.
    RepositoryPublished {
        /// The repository.
        repo: RepoId,
        /// When, by the forge.
        at: Second,
    },
    /// A repository had another name before.
    RenamedFrom {
        /// The repository.
        repo: RepoId,
        /// The former name.
        name: Text<'a>,
        /// When it ended, by the forge.
        at: Second,
    },
    /// Repositories of which only ids are told came into reach; the list must be asked.
    RepositoriesAdded,
    /// Repositories left our reach; `None` means all of the account.
    InstallationLeft {
        /// The repositories.
        repos: Option<Vec<RepoId>>,
    },
    /// Something happened that a payload does not tell whole.
    Unclear(NeedKey),

    // ---- Answers
    /// The account's profile.
    Profile(ProfileReading<'a>),
    /// The account does not exist, asked by id and by login.
    NoSuchAccount,
    /// All pages of the repository list that was asked for at `since` are in.
    RepositoriesListed {
        /// What was folded before the first page was asked for.
        since: Version,
    },
    /// The repository is gone, asked by id and by name.
    RepositoryGone {
        /// The repository.
        repo: RepoId,
    },
    /// Head and count of the default branch, read together.
    Commits(CommitsReading<'a>),
    /// How many pull requests there are, and the highest number.
    PullCount {
        /// The repository.
        repo: RepoId,
        /// How many, in all states.
        total: u64,
        /// The highest number; 0 when there is none.
        newest: u64,
    },
    /// A page of pull requests.
    Pulls {
        /// The repository.
        repo: RepoId,
        /// Number, state, and the forge's `updated_at`.
        pulls: Vec<(u64, PullState, Second)>,
    },
    /// All pages of the pull request list that was asked for at `since` are in.
    PullsListed {
        /// The repository.
        repo: RepoId,
        /// What was folded before the first page was asked for.
        since: Version,
    },
    /// The pull request is gone, asked by its number.
    PullGone {
        /// The repository.
        repo: RepoId,
        /// Its number.
        number: u64,
    },
    /// Bytes per language.
    Languages {
        /// The repository.
        repo: RepoId,
        /// Name and bytes.
        bytes: Vec<(Text<'a>, u64)>,
    },
    /// The forge will not tell this (404, 403 or 501 for one kind of data).
    Refused {
        /// What was asked.
        about: NeedKey,
        /// The status.
        status: u16,
    },
    /// What is known was confirmed without news (304).
    Checked {
        /// What was asked.
        about: NeedKey,
    },
    /// What a wanted login means; `None` when it does not exist.
    LoginFound {
        /// Where.
        forge: Forge,
        /// The login as it was asked for.
        login: Text<'a>,
        /// The account.
        account: Option<AccountId>,
    },

    /// What the forge said of its newest public repositories; `Service` stream.
    Latest(Box<LatestReading>),
    /// What the forge said of the account's gists.
    Gists(Box<GistsReading>),
    /// Which account a user of S2 is; `Service` stream.
    GistUserFound(GistUserFound),
    /// What the forge said of a repository's stars.
    #[serde(borrow)]
    Stars(Box<StarsReading<'a>>),
    /// The account was asked what it starred itself.
    #[serde(borrow)]
    StarrerAsked(StarrerReading<'a>),
    /// What the record of a webhook says against what we hold.
    HookLooked(Box<HookReading>),
    /// A sweep that began then, on our clock, has asked about everything of the account.
    Swept {
        /// When it began.
        begun_ms: Millis,
    },

    // ---- Commands
    /// Somebody wants a login kept; `Service` stream.
    LoginWanted {
        /// Where.
        forge: Forge,
        /// The login as it was given.
        login: Text<'a>,
        /// Who.
        by: TrackedBy,
    },
    /// The account is muted.
    Untracked,
    /// A kept account that nobody read for long is let go.
    Dropped,
    /// Somebody read the account's views.
    Read,
    /// Somebody wants to know which repositories share stargazers with one of the account's.
    NeighboursWanted {
        /// The repository.
        repo: RepoId,
    },
    /// Everything about the account is to be asked again now.
    CheckWanted,
    /// An API key was made; `Service` stream.
    #[serde(borrow)]
    ApiKeyMade(Box<ApiKeyMade<'a>>),
    /// An API key is no longer taken; `Service` stream.
    ApiKeyRevoked {
        /// Which.
        id: Text<'a>,
    },
    /// Somebody used an API key, told at most once a day; `Service` stream.
    ApiKeyUsed {
        /// Which.
        id: Text<'a>,
    },
    /// Our door opened; deliveries before this moment may have been refused. `Service` stream.
    DoorOpened,
    /// The account's gists are to be kept.
    GistsWanted(GistsWantedBy),
    /// Somebody became a user of S2; `Service` stream.
    GistUserAdded {
        /// The login as it was given.
        login: Text<'a>,
        /// The id that it was given with.
        id: u64,
    },
    /// A user of S2 was shown what is new; `Service` stream.
    GistsVisited {
        /// The user.
        login: Text<'a>,
        /// The version of the view that was shown.
        seen: Version,
    },
    /// The sending of a file of the account's gists came a step further.
    GistSending(SendingNote),
    /// A dead letter of this stream was given up, or its record appended again.
    DeadLetterEnded {
        /// The record's version.
        version: Version,
    },
    /// The account is erased, and nothing is heard of it until a person tracks it; alone in its record.
    Forgotten,
    /// What the service keeps of an account that was forgotten is erased; `Service` stream.
    LoginsForgotten(LoginsForgotten),
    /// A person wants a forgotten login kept again; `Service` stream.
    LoginRemembered(LoginHash),
}

/// Why an account is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackedBy {
    /// A delivery about one of its repositories arrived.
    Delivery,
    /// Somebody asked for it by `tallyhook track`; this alone ends a mute.
    Person,
    /// The settings name it.
    Settings,
    /// Somebody read it.
    Read,
}

/// An account as a payload names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerReading<'a> {
    /// The account.
    pub id: AccountId,
    /// Its login at that time.
    #[serde(borrow)]
    pub login: Text<'a>,
    /// `User` or `Organization`.
    pub kind: Option<Text<'a>>,
    /// The html URL.
    pub url: Option<Text<'a>>,
    /// The picture.
    pub avatar_url: Option<Text<'a>>,
}

/// A repository as a payload or answer shows it. What it leaves out is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryReading<'a> {
    /// The repository.
    pub id: RepoId,
    /// Whose it is.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerReading<'a>>,
    /// Its name, without the owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<'a>>,
    /// The html URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Text<'a>>,
    /// Anything but public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
    /// Whether it is a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<bool>,
    /// Whether it is archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// The default branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<Text<'a>>,
    /// `Some(None)`: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub description: Option<Option<Text<'a>>>,
    /// The licence's SPDX id; `Some(None)`: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub license: Option<Option<Text<'a>>>,
    /// Topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<Vec<Text<'a>>>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Second>,
    /// The forge's time of most facts about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Second>,
    /// The newest push to any branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<Second>,
    /// Stars, by `updated_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stars: Option<u64>,
    /// Forks, by `counted_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forks: Option<u64>,
    /// Open issues and pull requests, by `counted_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_issues: Option<u64>,
    /// Subscribers; only an answer about this one repository tells them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchers: Option<u64>,
    /// In a delivery: the newest of `updated_at`, `pushed_at`, the issue's or pull request's
    /// `updated_at` and the fork's `created_at`. Answers use their `Date` instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_at: Option<Second>,
    /// The newest forge time in the whole payload; never the time of a poll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Second>,
    /// An answer about this one repository: what it leaves out the forge does not tell. A list leaves out
    /// more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_whole: bool,
}

impl<'a> RepositoryReading<'a> {
    /// A reading that tells nothing but which repository it is about.
    pub fn of(id: RepoId) -> Self {
        RepositoryReading {
            id,
            owner: None,
            name: None,
            url: None,
            private: None,
            fork: None,
            archived: None,
            default_branch: None,
            description: None,
            license: None,
            topics: None,
            created_at: None,
            updated_at: None,
            pushed_at: None,
            stars: None,
            forks: None,
            open_issues: None,
            watchers: None,
            counted_at: None,
            as_of: None,
            is_whole: false,
        }
    }

    /// The forge's time of names, flags and texts: the newer of `updated_at` and `pushed_at`.
    pub fn clock(&self) -> Option<Second> {
        self.updated_at.max(self.pushed_at)
    }
}

/// Tells `null` (present, and none) from a missing field.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A push, as far as its payload tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push<'a> {
    /// The repository.
    pub repo: RepoId,
    /// The branch; `None` where the payload does not say.
    #[serde(borrow)]
    pub branch: Option<Text<'a>>,
    /// The repository's default branch, by the same payload.
    pub default_branch: Option<Text<'a>>,
    /// The head before; zeros for a new branch.
    pub before: Option<CommitId>,
    /// The head after; zeros for a deleted branch.
    pub after: Option<CommitId>,
    /// How many commits it added, when that is certain: neither created, deleted nor forced, the list
    /// not empty, not capped, and ending at `after`.
    pub added: Option<u32>,
    /// When, by the forge.
    pub pushed_at: Option<Second>,
}

/// State of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    /// Open, drafts included.
    Open,
    /// Closed without merge.
    Closed,
    /// Merged; final.
    Merged,
}

/// A pull request as a payload shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullReading {
    /// The repository.
    pub repo: RepoId,
    /// Its number.
    pub number: u64,
    /// Its state.
    pub state: PullState,
    /// When it last changed, by the forge.
    pub updated_at: Second,
}

/// A star given or taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarReading<'a> {
    /// The repository.
    pub repo: RepoId,
    /// Whose repository it is.
    pub owner: AccountId,
    /// Who starred.
    pub starrer: AccountId,
    /// Their login.
    #[serde(borrow)]
    pub login: Option<Text<'a>>,
    /// Whether the star was given or taken.
    pub given: bool,
    /// When, by the forge.
    pub at: Second,
}

/// Why a repository or account is out of every public answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenWhy {
    /// It is private or internal.
    Private,
    /// It was deleted.
    Deleted,
    /// The forge does not know it any more, asked by id and by name.
    Gone,
    /// The installation that told us of it ended.
    Installation,
    /// Another account owns it.
    Moved(AccountId),
}

/// An account's profile as the forge answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileReading<'a> {
    /// Login, kind, URL and picture.
    #[serde(borrow)]
    pub owner: OwnerReading<'a>,
    /// The name people read.
    pub name: Option<Text<'a>>,
    /// The public address.
    pub email: Option<Text<'a>>,
    /// Followers; `None` where the forge does not say.
    pub followers: Option<u64>,
    /// Public gists; `None` where the forge does not say.
    pub public_gists: Option<u64>,
    /// Public repositories; `None` where the forge does not say.
    pub public_repos: Option<u64>,
    /// The newest `*_at` field of the profile.
    pub as_of: Option<Second>,
}

/// Head and count of a default branch, read together: such a pair stays true for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitsReading<'a> {
    /// The repository.
    pub repo: RepoId,
    /// The default branch.
    #[serde(borrow)]
    pub branch: Text<'a>,
    /// Its head; `None` when the repository is empty.
    pub head: Option<CommitId>,
    /// Commits reachable from the head.
    pub count: u64,
    /// The repository's `pushed_at`, read before the pair.
    pub pushed_at: Option<Second>,
}
