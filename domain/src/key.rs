//! Where rows lie: one enum of row keys, their bytes, and the ranges that can be scanned.
//!
//! Encodings here are frozen (design invariant 11): a store of an older release is read by them. A key is
//! `partition ++ clustering`; both parts delimit themselves, so that a prefix of a key is a range.

use serde::{Deserialize, Serialize};

use crate::{
    id::{AccountId, Forge, RepoId, StreamKey},
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
}

impl Family {
    /// Every family, in table order.
    pub const ALL: [Family; 13] = [
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
}

/// A set whose members have rows of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemberSet {
    /// States of a repository's pull requests, many numbers a row.
    Pulls,
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
}

/// The bytes of a [`RowKey`]: which rows lie together, and their order there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyBytes {
    /// The table.
    pub family: Family,
    /// `partition ++ clustering`.
    pub bytes: Vec<u8>,
    /// Where `clustering` begins.
    pub split: usize,
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
            RowKey::RepoName(account, _) | RowKey::Directory(account) | RowKey::Hidden(account, _) => {
                Some(StreamKey::Account(*account))
            }
            RowKey::Alias(..) | RowKey::Epoch | RowKey::Seen(_) | RowKey::Active(_) => None,
        }
    }

    /// The row's address in bytes.
    pub fn encode(&self) -> KeyBytes {
        let mut bytes = Vec::with_capacity(40);
        let split = match self {
            RowKey::Entity(stream, key) => {
                stream.write_key(&mut bytes);
                let split = bytes.len();
                key.write(&mut bytes);
                split
            }
            RowKey::Member { stream, set, parent, wipe, bucket, id } => {
                stream.write_key(&mut bytes);
                let split = bytes.len();
                bytes.push(set.tag());
                parent.write_key(&mut bytes);
                bytes.extend_from_slice(&wipe.to_be_bytes());
                bytes.extend_from_slice(&bucket.to_be_bytes());
                bytes.extend_from_slice(id);
                split
            }
            RowKey::View(stream, key) => {
                stream.write_key(&mut bytes);
                let split = bytes.len();
                key.write(&mut bytes);
                split
            }
            RowKey::RepoName(account, name) => {
                account.write_key(&mut bytes);
                let split = bytes.len();
                bytes.extend_from_slice(name.as_bytes());
                split
            }
            RowKey::Directory(account) => {
                bytes.push(bucket_of(StreamKey::Account(*account)));
                account.write_key(&mut bytes);
                1
            }
            RowKey::Need(stream, key) => {
                bytes.push(bucket_of(*stream));
                stream.write_key(&mut bytes);
                key.write(&mut bytes);
                1
            }
            RowKey::Hidden(account, repo) => {
                bytes.push(bucket_of(StreamKey::Account(*account)));
                account.write_key(&mut bytes);
                if let Some(repo) = repo {
                    repo.write_key(&mut bytes);
                }
                1
            }
            RowKey::Cursor(stream, kind) => {
                stream.write_key(&mut bytes);
                let split = bytes.len();
                bytes.extend_from_slice(kind.as_bytes());
                split
            }
            RowKey::DeadLetter(stream, version) => {
                bytes.push(bucket_of(*stream));
                stream.write_key(&mut bytes);
                bytes.extend_from_slice(&version.as_raw().to_be_bytes());
                1
            }
            RowKey::Alias(forge, login) => {
                write_name(&mut bytes, *forge, login);
                bytes.len()
            }
            RowKey::Epoch => 0,
            RowKey::Seen(partition) | RowKey::Active(partition) => {
                bytes.extend_from_slice(&partition.to_be_bytes());
                bytes.len()
            }
        };
        KeyBytes { family: self.family(), bytes, split }
    }

    /// Reads what [`Self::encode`] wrote; `None` if this release never writes such a key.
    pub fn decode(family: Family, bytes: &[u8]) -> Option<Self> {
        let key = match family {
            Family::Entity => {
                let (stream, rest) = StreamKey::read_key(bytes)?;
                RowKey::Entity(stream, EntityKey::read(rest)?)
            }
            Family::Member => {
                let (stream, rest) = StreamKey::read_key(bytes)?;
                let (&tag, rest) = rest.split_first()?;
                let (parent, rest) = RepoId::read_key(rest)?;
                let (wipe, rest) = rest.split_first_chunk()?;
                let (bucket, id) = rest.split_first_chunk()?;
                RowKey::Member {
                    stream,
                    set: MemberSet::from_tag(tag)?,
                    parent,
                    wipe: u32::from_be_bytes(*wipe),
                    bucket: u32::from_be_bytes(*bucket),
                    id: id.to_vec(),
                }
            }
            Family::View => {
                let (stream, rest) = StreamKey::read_key(bytes)?;
                RowKey::View(stream, ViewKey::read(rest)?)
            }
            Family::RepoName => {
                let (account, name) = AccountId::read_key(bytes)?;
                RowKey::RepoName(account, text(name)?)
            }
            Family::Directory => match AccountId::read_key(bytes.get(1..)?)? {
                (account, []) => RowKey::Directory(account),
                _ => return None,
            },
            Family::Need => {
                let (stream, rest) = StreamKey::read_key(bytes.get(1..)?)?;
                RowKey::Need(stream, NeedKey::read(rest)?)
            }
            Family::Hidden => match AccountId::read_key(bytes.get(1..)?)? {
                (account, []) => RowKey::Hidden(account, None),
                (account, rest) => RowKey::Hidden(account, Some(whole_repo(rest)?)),
            },
            Family::Cursor => {
                let (stream, kind) = StreamKey::read_key(bytes)?;
                RowKey::Cursor(stream, text(kind)?)
            }
            Family::DeadLetter => {
                let (stream, version) = StreamKey::read_key(bytes.get(1..)?)?;
                RowKey::DeadLetter(stream, Version::from_raw(u64::from_be_bytes(version.try_into().ok()?)))
            }
            Family::Alias => {
                let (forge, login) = read_name(bytes)?;
                RowKey::Alias(forge, login)
            }
            Family::Epoch => RowKey::Epoch,
            Family::Seen => RowKey::Seen(u32::from_be_bytes(bytes.try_into().ok()?)),
            Family::Active => RowKey::Active(u32::from_be_bytes(bytes.try_into().ok()?)),
        };
        Some(key)
    }
}

impl ScanKey {
    /// The table and the bytes with which every key of the range begins. They hold a whole partition key
    /// and, for a part of a bucket, the beginning of the clustering key.
    pub fn encode(&self) -> (Family, Vec<u8>) {
        match self {
            ScanKey::Entities(stream) => (Family::Entity, stream.to_bytes()),
            ScanKey::Members(stream) => (Family::Member, stream.to_bytes()),
            ScanKey::RepoNames(account) => (Family::RepoName, StreamKey::Account(*account).to_bytes()),
            ScanKey::Directory(bucket) => (Family::Directory, vec![*bucket]),
            ScanKey::Needs(bucket) => (Family::Need, vec![*bucket]),
            ScanKey::NeedsOf(stream) => {
                let mut prefix = vec![bucket_of(*stream)];
                stream.write_key(&mut prefix);
                (Family::Need, prefix)
            }
            ScanKey::Hidden(bucket) => (Family::Hidden, vec![*bucket]),
            ScanKey::DeadLetters(bucket) => (Family::DeadLetter, vec![*bucket]),
            ScanKey::Cursors(stream) => (Family::Cursor, stream.to_bytes()),
        }
    }
}

impl EntityKey {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            EntityKey::Account => out.push(0),
            EntityKey::Repository(repo) => {
                out.push(1);
                repo.write_key(out);
            }
            EntityKey::Login(forge, login) => {
                out.push(2);
                write_name(out, *forge, login);
            }
            EntityKey::Door => out.push(3),
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (0, []) => Some(EntityKey::Account),
            (1, rest) => whole_repo(rest).map(EntityKey::Repository),
            (2, rest) => read_name(rest).map(|(forge, login)| EntityKey::Login(forge, login)),
            (3, []) => Some(EntityKey::Door),
            _ => None,
        }
    }
}

impl MemberSet {
    fn tag(self) -> u8 {
        match self {
            MemberSet::Pulls => 0,
        }
    }

    fn from_tag(tag: u8) -> Option<Self> {
        (tag == 0).then_some(MemberSet::Pulls)
    }
}

impl ViewKey {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            ViewKey::GithubPayload => out.push(0),
            ViewKey::Account => out.push(1),
            ViewKey::RepositoryIndex => out.push(2),
            ViewKey::Repository(repo) => {
                out.push(3);
                repo.write_key(out);
            }
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (0, []) => Some(ViewKey::GithubPayload),
            (1, []) => Some(ViewKey::Account),
            (2, []) => Some(ViewKey::RepositoryIndex),
            (3, rest) => whole_repo(rest).map(ViewKey::Repository),
            _ => None,
        }
    }
}

impl NeedKey {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            NeedKey::Login(forge, login) => {
                out.push(0);
                write_name(out, *forge, login);
            }
            NeedKey::Everything => out.push(1),
            NeedKey::Profile => out.push(2),
            NeedKey::Repositories => out.push(3),
            NeedKey::Repository(repo) => write_tagged_repo(out, 4, *repo),
            NeedKey::Commits(repo) => write_tagged_repo(out, 5, *repo),
            NeedKey::Pulls(repo) => write_tagged_repo(out, 6, *repo),
            NeedKey::Pull(repo, number) => {
                write_tagged_repo(out, 7, *repo);
                out.extend_from_slice(&number.to_be_bytes());
            }
            NeedKey::Languages(repo) => write_tagged_repo(out, 8, *repo),
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (0, rest) => read_name(rest).map(|(forge, login)| NeedKey::Login(forge, login)),
            (1, []) => Some(NeedKey::Everything),
            (2, []) => Some(NeedKey::Profile),
            (3, []) => Some(NeedKey::Repositories),
            (4, rest) => whole_repo(rest).map(NeedKey::Repository),
            (5, rest) => whole_repo(rest).map(NeedKey::Commits),
            (6, rest) => whole_repo(rest).map(NeedKey::Pulls),
            (7, rest) => {
                let (repo, number) = RepoId::read_key(rest)?;
                Some(NeedKey::Pull(repo, u64::from_be_bytes(number.try_into().ok()?)))
            }
            (8, rest) => whole_repo(rest).map(NeedKey::Languages),
            _ => None,
        }
    }

    /// The repository that the need is about.
    pub fn repository(&self) -> Option<RepoId> {
        match self {
            NeedKey::Repository(repo)
            | NeedKey::Commits(repo)
            | NeedKey::Pulls(repo)
            | NeedKey::Pull(repo, _)
            | NeedKey::Languages(repo) => Some(*repo),
            NeedKey::Login(..) | NeedKey::Everything | NeedKey::Profile | NeedKey::Repositories => None,
        }
    }
}

fn write_tagged_repo(out: &mut Vec<u8>, tag: u8, repo: RepoId) {
    out.push(tag);
    repo.write_key(out);
}

fn write_name(out: &mut Vec<u8>, forge: Forge, name: &str) {
    out.push(match forge {
        Forge::GitHub => 1,
        Forge::Bitbucket => 2,
    });
    out.extend_from_slice(name.as_bytes());
}

fn read_name(bytes: &[u8]) -> Option<(Forge, String)> {
    let (forge, name) = match bytes.split_first()? {
        (1, name) => (Forge::GitHub, name),
        (2, name) => (Forge::Bitbucket, name),
        _ => return None,
    };
    Some((forge, text(name)?))
}

fn whole_repo(bytes: &[u8]) -> Option<RepoId> {
    match RepoId::read_key(bytes)? {
        (repo, []) => Some(repo),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Epoch;

    fn samples() -> Vec<RowKey> {
        let account = AccountId::github(583_231);
        let stream = StreamKey::Account(account);
        let repo = RepoId::github(1_296_269);
        vec![
            RowKey::Entity(stream, EntityKey::Account),
            RowKey::Entity(stream, EntityKey::Repository(repo)),
            RowKey::Entity(StreamKey::Service, EntityKey::Login(Forge::GitHub, "octocat".into())),
            RowKey::Entity(StreamKey::Service, EntityKey::Door),
            RowKey::Member {
                stream,
                set: MemberSet::Pulls,
                parent: repo,
                wipe: 0,
                bucket: 2,
                id: Vec::new(),
            },
            RowKey::View(stream, ViewKey::GithubPayload),
            RowKey::View(stream, ViewKey::Account),
            RowKey::View(stream, ViewKey::RepositoryIndex),
            RowKey::View(stream, ViewKey::Repository(repo)),
            RowKey::RepoName(account, "hello-world".into()),
            RowKey::Directory(account),
            RowKey::Need(StreamKey::Service, NeedKey::Login(Forge::Bitbucket, "team".into())),
            RowKey::Need(stream, NeedKey::Everything),
            RowKey::Need(stream, NeedKey::Profile),
            RowKey::Need(stream, NeedKey::Repositories),
            RowKey::Need(stream, NeedKey::Repository(repo)),
            RowKey::Need(stream, NeedKey::Commits(repo)),
            RowKey::Need(stream, NeedKey::Pulls(repo)),
            RowKey::Need(stream, NeedKey::Pull(repo, 1347)),
            RowKey::Need(stream, NeedKey::Languages(repo)),
            RowKey::Hidden(account, None),
            RowKey::Hidden(account, Some(RepoId::bitbucket(9))),
            RowKey::Cursor(stream, "repositories".into()),
            RowKey::DeadLetter(stream, Version::new(Epoch(2), 77)),
            RowKey::Alias(Forge::GitHub, "octocat".into()),
            RowKey::Epoch,
            RowKey::Seen(3),
            RowKey::Active(3),
        ]
    }

    #[test]
    fn every_key_reads_back() {
        for key in samples() {
            let encoded = key.encode();
            assert_eq!(RowKey::decode(encoded.family, &encoded.bytes), Some(key.clone()), "{key:?}");
        }
    }

    #[test]
    fn scans_cover_the_whole_partition_of_their_keys() {
        let stream = StreamKey::Account(AccountId::github(583_231));
        for (scan, family) in [
            (ScanKey::Entities(stream), Family::Entity),
            (ScanKey::Members(stream), Family::Member),
            (ScanKey::Directory(bucket_of(stream)), Family::Directory),
            (ScanKey::Cursors(stream), Family::Cursor),
        ] {
            let (scanned, prefix) = scan.encode();
            assert_eq!(scanned, family);
            for key in samples().iter().filter(|key| key.family() == family && key.stream() == Some(stream)) {
                let encoded = key.encode();
                assert_eq!(&encoded.bytes[..encoded.split], prefix.as_slice(), "{key:?}");
            }
        }
    }

    #[test]
    fn key_bytes_are_frozen() {
        let written: Vec<String> = samples()
            .iter()
            .map(|key| {
                let encoded = key.encode();
                let (partition, clustering) = encoded.bytes.split_at(encoded.split);
                format!(
                    "{} {}|{}",
                    encoded.family.table(),
                    const_hex::encode(partition),
                    const_hex::encode(clustering)
                )
            })
            .collect();
        insta::assert_snapshot!(written.join("\n"));
    }
}
