//! Where rows lie: one enum of row keys, and the ranges that can be scanned. Their bytes are in
//! [`bytes`].

pub mod bytes;

use serde::{Deserialize, Serialize};

use crate::{
    event::LoginHash,
    id::{AccountId, Forge, RepoId, StreamKey},
    trail::Field,
    version::Version,
};

/// How many buckets spread the families that are scanned as a whole (needs, directory, hidden, dead
/// letters); 64 keeps each scan of a cluster short and the number of scans small.
pub const BUCKETS: u8 = 64;

/// The bucket of everything that belongs to `stream`.
pub fn bucket_of(stream: StreamKey) -> u8 {
    u8::try_from(stream.stable_hash() % u64::from(BUCKETS)).expect("BUCKETS fits a byte")
}

/// A table of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Folded facts: one account, one repository, one wanted login.
    Entity,
    /// Slices of a set that is too large for its entity's row.
    Member,
    /// Rendered payloads.
    View,
    /// Repository name to id, or "moved to".
    RepoName,
    /// The accounts that are kept, with how they are doing.
    Directory,
    /// What a forge must be asked.
    Need,
    /// Repositories and accounts that no public answer may mention.
    Hidden,
    /// How far long jobs got.
    Cursor,
    /// Records that could not be folded.
    DeadLetter,
    /// Login to account.
    Alias,
    /// The lives of the log.
    Epoch,
    /// The last folded record of each partition.
    Seen,
    /// The generation that is served for each partition.
    Active,
    /// When each of the newest deliveries of a partition was applied.
    Delivery,
    /// By which records the numbers of a repository became what they are.
    Trail,
}

impl Family {
    /// Every family, in table order.
    pub const ALL: [Family; 15] = [
        Family::Entity,
        Family::Member,
        Family::View,
        Family::RepoName,
        Family::Directory,
        Family::Need,
        Family::Hidden,
        Family::Cursor,
        Family::DeadLetter,
        Family::Alias,
        Family::Epoch,
        Family::Seen,
        Family::Active,
        Family::Delivery,
        Family::Trail,
    ];

    /// The table's name, without the generation. (`view` alone is a reserved word in CQL.)
    pub fn table(self) -> &'static str {
        match self {
            Family::Entity => "entities",
            Family::Member => "members",
            Family::View => "views",
            Family::RepoName => "repo_names",
            Family::Directory => "directory",
            Family::Need => "needs",
            Family::Hidden => "hidden",
            Family::Cursor => "cursors",
            Family::DeadLetter => "dead_letters",
            Family::Alias => "aliases",
            Family::Epoch => "epochs",
            Family::Seen => "seen",
            Family::Active => "active",
            Family::Delivery => "deliveries",
            Family::Trail => "trail",
        }
    }

    /// Whether each generation has a table of its own.
    pub fn is_generational(self) -> bool {
        !matches!(self, Family::Alias | Family::Epoch | Family::Active)
    }
}

/// A folded thing within a stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntityKey {
    /// The account that owns the stream.
    Account,
    /// One of its repositories.
    Repository(RepoId),
    /// A login that somebody wants, lower-cased; `Service` stream only.
    Login(Forge, String),
    /// The times at which our door opened; `Service` stream only.
    Door,
    /// The newest public repositories of a forge; `Service` stream only.
    Latest(Forge),
    /// The account's gists.
    Gists,
    /// All users of S2; `Service` stream only.
    GistUsers,
    /// How far a user of S2 has seen, by lower-cased login; `Service` stream only.
    GistVisit(String),
    /// How the stars of one of its repositories stand.
    Stars(RepoId),
    /// An API key, by its id; `Service` stream only.
    ApiKey(String),
    /// Whether what the account itself starred must be asked for.
    Starrer,
    /// What one of its webhooks sent by the hour, by GitHub's id of the webhook.
    Hook(u64),
    /// That a login was forgotten; `Service` stream only.
    ForgottenLogin(LoginHash),
}

/// A set whose members have rows of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemberSet {
    /// States of a repository's pull requests, many numbers a row.
    Pulls,
    /// Who starred a repository, many accounts a row.
    Stargazers,
    /// What each of a repository's stargazers starred; the id is the account's.
    Starred,
    /// When the forge last confirmed that; the id is the account's.
    StarredChecks,
}

/// A rendered payload within a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ViewKey {
    /// S0's user payload.
    GithubPayload,
    /// `/v1/accounts/{login}`.
    Account,
    /// The order of `/v1/accounts/{login}/repos`.
    RepositoryIndex,
    /// `/v1/repos/{owner}/{name}`.
    Repository(RepoId),
    /// What the account adds to `/health-check`.
    Summary,
    /// S4's newest public repositories, as fragments; `Service` stream only.
    Latest(Forge),
    /// `/v1/accounts/{login}/gists`.
    Gists,
    /// What S2 shows of the account's new gists.
    NewGists,
    /// S2's `/users`; `Service` stream only.
    GistUsers,
    /// S3's neighbours of a repository: what stands beside its chunks.
    Neighbours(RepoId),
    /// A chunk of them, from 0.
    NeighboursChunk(RepoId, u32),
    /// Up to which record they changed, where that is not shown yet.
    NeighboursMark(RepoId),
    /// The gap ledger: sums over what its webhooks sent.
    Gaps,
}

/// Something that a forge must be asked, within a stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeedKey {
    /// Which account a login means, and whether it exists; `Service` stream only.
    Login(Forge, String),
    /// Everything about the account, because a record about it could not be folded.
    Everything,
    /// The account itself: name, followers, current login.
    Profile,
    /// The list of the account's repositories.
    Repositories,
    /// One repository: names, visibility, gauges.
    Repository(RepoId),
    /// Head and commit count of the default branch, as one pair.
    Commits(RepoId),
    /// Number and states of the pull requests.
    Pulls(RepoId),
    /// The state of one pull request.
    Pull(RepoId, u64),
    /// Bytes per language.
    Languages(RepoId),
    /// Which account a user of S2 is, by lower-cased login; `Service` stream only.
    GistUser(String),
    /// The account's gists.
    Gists,
    /// Files of the account's gists that are to be sent; not a forge is asked, but the sink.
    Outbox,
    /// Who starred a repository.
    Stargazers(RepoId),
    /// What some of a repository's stargazers starred.
    Starred(RepoId),
    /// What the account itself starred, for repositories of others whose neighbours somebody wants.
    OwnStars,
}

/// The address of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKey {
    /// See [`Family::Entity`].
    Entity(StreamKey, EntityKey),
    /// See [`Family::Member`]. `wipe` counts how often the set was emptied; `id` is set-specific.
    Member {
        /// The owner's stream.
        stream: StreamKey,
        /// Which set.
        set: MemberSet,
        /// The repository whose set it is.
        parent: RepoId,
        /// Which filling of the set.
        wipe: u32,
        /// Slice of the set.
        bucket: u32,
        /// The member within the slice; empty where a slice is one row.
        id: Vec<u8>,
    },
    /// See [`Family::View`].
    View(StreamKey, ViewKey),
    /// See [`Family::RepoName`]; the name is lower-cased.
    RepoName(AccountId, String),
    /// See [`Family::Directory`].
    Directory(AccountId),
    /// See [`Family::Need`].
    Need(StreamKey, NeedKey),
    /// See [`Family::Hidden`]; `None` hides the whole account.
    Hidden(AccountId, Option<RepoId>),
    /// See [`Family::Cursor`].
    Cursor(StreamKey, String),
    /// See [`Family::DeadLetter`]; the version of the record.
    DeadLetter(StreamKey, Version),
    /// See [`Family::Alias`]; the login is lower-cased.
    Alias(Forge, String),
    /// See [`Family::Epoch`]; there is one row.
    Epoch,
    /// See [`Family::Seen`]; a partition of the log.
    Seen(u32),
    /// See [`Family::Active`]; a partition of the log.
    Active(u32),
    /// See [`Family::Delivery`]; a partition of the log, and a place among its own ([`crate::delivery::slot`]).
    Delivery(u32, u32),
    /// See [`Family::Trail`]; a number of a repository, and a place among its steps.
    Trail(AccountId, RepoId, Field, u8),
}

/// A range of rows that can be read in key order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScanKey {
    /// All entities of a stream.
    Entities(StreamKey),
    /// All members of all sets of a stream.
    Members(StreamKey),
    /// All repository names of an account.
    RepoNames(AccountId),
    /// The kept accounts of one bucket.
    Directory(u8),
    /// The needs of one bucket.
    Needs(u8),
    /// The needs of one stream.
    NeedsOf(StreamKey),
    /// The hidden ids of one bucket.
    Hidden(u8),
    /// The dead letters of one bucket.
    DeadLetters(u8),
    /// All cursors of a stream.
    Cursors(StreamKey),
    /// The deliveries of a partition that are remembered.
    Deliveries(u32),
    /// The steps of all numbers of a repository.
    Trail(AccountId, RepoId),
}

impl RowKey {
    /// The table that holds the row.
    pub fn family(&self) -> Family {
        match self {
            RowKey::Entity(..) => Family::Entity,
            RowKey::Member { .. } => Family::Member,
            RowKey::View(..) => Family::View,
            RowKey::RepoName(..) => Family::RepoName,
            RowKey::Directory(..) => Family::Directory,
            RowKey::Need(..) => Family::Need,
            RowKey::Hidden(..) => Family::Hidden,
            RowKey::Cursor(..) => Family::Cursor,
            RowKey::DeadLetter(..) => Family::DeadLetter,
            RowKey::Alias(..) => Family::Alias,
            RowKey::Epoch => Family::Epoch,
            RowKey::Seen(_) => Family::Seen,
            RowKey::Active(_) => Family::Active,
            RowKey::Delivery(..) => Family::Delivery,
            RowKey::Trail(..) => Family::Trail,
        }
    }

    /// The stream whose fold writes this row; `None` for rows that belong to the log as a whole.
    pub fn stream(&self) -> Option<StreamKey> {
        match self {
            RowKey::Entity(stream, _)
            | RowKey::Member { stream, .. }
            | RowKey::View(stream, _)
            | RowKey::Need(stream, _)
            | RowKey::Cursor(stream, _)
            | RowKey::DeadLetter(stream, _) => Some(*stream),
            RowKey::RepoName(account, _)
            | RowKey::Directory(account)
            | RowKey::Hidden(account, _)
            | RowKey::Trail(account, ..) => Some(StreamKey::Account(*account)),
            RowKey::Alias(..)
            | RowKey::Epoch
            | RowKey::Seen(_)
            | RowKey::Active(_)
            | RowKey::Delivery(..) => None,
        }
    }
}

impl NeedKey {
    /// The repository that the need is about.
    pub fn repository(&self) -> Option<RepoId> {
        match self {
            NeedKey::Repository(repo)
            | NeedKey::Commits(repo)
            | NeedKey::Pulls(repo)
            | NeedKey::Pull(repo, _)
            | NeedKey::Languages(repo)
            | NeedKey::Stargazers(repo)
            | NeedKey::Starred(repo) => Some(*repo),
            NeedKey::Login(..)
            | NeedKey::Everything
            | NeedKey::Profile
            | NeedKey::Repositories
            | NeedKey::GistUser(_)
            | NeedKey::Gists
            | NeedKey::Outbox
            | NeedKey::OwnStars => None,
        }
    }
}
