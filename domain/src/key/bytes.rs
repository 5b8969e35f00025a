//! Row keys in bytes, as every store keeps them.
//!
//! Encodings here are frozen (design invariant 11): a store of an older release is read by them. A key is
//! `partition ++ clustering`; both parts delimit themselves, so that a prefix of a key is a range.

use crate::{
    event::LoginHash,
    id::{AccountId, Forge, RepoId, StreamKey},
    key::{EntityKey, Family, MemberSet, NeedKey, RowKey, ScanKey, ViewKey, bucket_of},
    trail::Field,
    version::Version,
};

/// Of a log's partition, where keys begin with it.
const PARTITION_BYTES: usize = 4;

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
            RowKey::Delivery(partition, slot) => {
                bytes.extend_from_slice(&partition.to_be_bytes());
                bytes.extend_from_slice(&slot.to_be_bytes());
                PARTITION_BYTES
            }
            RowKey::Trail(account, repo, field, slot) => {
                account.write_key(&mut bytes);
                repo.write_key(&mut bytes);
                let split = bytes.len();
                bytes.extend_from_slice(&[field.tag(), *slot]);
                split
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
            Family::Delivery => {
                let (partition, slot) = bytes.split_first_chunk()?;
                let slot = u32::from_be_bytes(slot.try_into().ok()?);
                RowKey::Delivery(u32::from_be_bytes(*partition), slot)
            }
            Family::Trail => {
                let (account, rest) = AccountId::read_key(bytes)?;
                let (repo, rest) = RepoId::read_key(rest)?;
                let &[tag, slot] = rest else { return None };
                RowKey::Trail(account, repo, Field::from_tag(tag)?, slot)
            }
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
            ScanKey::Deliveries(partition) => (Family::Delivery, partition.to_be_bytes().to_vec()),
            ScanKey::Trail(account, repo) => {
                let mut prefix = StreamKey::Account(*account).to_bytes();
                repo.write_key(&mut prefix);
                (Family::Trail, prefix)
            }
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
            EntityKey::Latest(forge) => {
                out.push(8);
                write_name(out, *forge, "");
            }
            EntityKey::Gists => out.push(10),
            EntityKey::GistUsers => out.push(11),
            EntityKey::GistVisit(login) => {
                out.push(12);
                out.extend_from_slice(login.as_bytes());
            }
            EntityKey::Stars(repo) => write_tagged_repo(out, 15, *repo),
            EntityKey::ApiKey(id) => {
                out.push(16);
                out.extend_from_slice(id.as_bytes());
            }
            EntityKey::Starrer => out.push(17),
            EntityKey::Hook(id) => {
                out.push(60);
                out.extend_from_slice(&id.to_be_bytes());
            }
            EntityKey::ForgottenLogin(login) => {
                out.push(50);
                out.extend_from_slice(&login.0.to_be_bytes());
            }
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (0, []) => Some(EntityKey::Account),
            (1, rest) => whole_repo(rest).map(EntityKey::Repository),
            (2, rest) => read_name(rest).map(|(forge, login)| EntityKey::Login(forge, login)),
            (3, []) => Some(EntityKey::Door),
            (8, rest) => whole_forge(rest).map(EntityKey::Latest),
            (10, []) => Some(EntityKey::Gists),
            (11, []) => Some(EntityKey::GistUsers),
            (12, rest) => text(rest).map(EntityKey::GistVisit),
            (15, rest) => whole_repo(rest).map(EntityKey::Stars),
            (16, rest) => text(rest).map(EntityKey::ApiKey),
            (17, []) => Some(EntityKey::Starrer),
            (60, rest) => Some(EntityKey::Hook(u64::from_be_bytes(rest.try_into().ok()?))),
            (50, rest) => {
                Some(EntityKey::ForgottenLogin(LoginHash(u64::from_be_bytes(rest.try_into().ok()?))))
            }
            _ => None,
        }
    }
}

impl MemberSet {
    fn tag(self) -> u8 {
        match self {
            MemberSet::Pulls => 0,
            MemberSet::Stargazers => 15,
            MemberSet::Starred => 16,
            MemberSet::StarredChecks => 17,
        }
    }

    fn from_tag(tag: u8) -> Option<Self> {
        match tag {
            0 => Some(MemberSet::Pulls),
            15 => Some(MemberSet::Stargazers),
            16 => Some(MemberSet::Starred),
            17 => Some(MemberSet::StarredChecks),
            _ => None,
        }
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
            ViewKey::Summary => out.push(4),
            ViewKey::Latest(forge) => {
                out.push(8);
                write_name(out, forge, "");
            }
            ViewKey::Gists => out.push(10),
            ViewKey::NewGists => out.push(11),
            ViewKey::GistUsers => out.push(12),
            ViewKey::Neighbours(repo) => write_tagged_repo(out, 15, repo),
            ViewKey::NeighboursMark(repo) => write_tagged_repo(out, 17, repo),
            ViewKey::NeighboursChunk(repo, number) => {
                write_tagged_repo(out, 16, repo);
                out.extend_from_slice(&number.to_be_bytes());
            }
            ViewKey::Gaps => out.push(60),
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (0, []) => Some(ViewKey::GithubPayload),
            (1, []) => Some(ViewKey::Account),
            (2, []) => Some(ViewKey::RepositoryIndex),
            (3, rest) => whole_repo(rest).map(ViewKey::Repository),
            (4, []) => Some(ViewKey::Summary),
            (8, rest) => whole_forge(rest).map(ViewKey::Latest),
            (10, []) => Some(ViewKey::Gists),
            (11, []) => Some(ViewKey::NewGists),
            (12, []) => Some(ViewKey::GistUsers),
            (15, rest) => whole_repo(rest).map(ViewKey::Neighbours),
            (17, rest) => whole_repo(rest).map(ViewKey::NeighboursMark),
            (16, rest) => {
                let (repo, number) = RepoId::read_key(rest)?;
                Some(ViewKey::NeighboursChunk(repo, u32::from_be_bytes(number.try_into().ok()?)))
            }
            (60, []) => Some(ViewKey::Gaps),
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
            NeedKey::GistUser(login) => {
                out.push(10);
                out.extend_from_slice(login.as_bytes());
            }
            NeedKey::Gists => out.push(11),
            NeedKey::Outbox => out.push(12),
            NeedKey::Stargazers(repo) => write_tagged_repo(out, 15, *repo),
            NeedKey::Starred(repo) => write_tagged_repo(out, 16, *repo),
            NeedKey::OwnStars => out.push(17),
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
            (10, rest) => text(rest).map(NeedKey::GistUser),
            (11, []) => Some(NeedKey::Gists),
            (12, []) => Some(NeedKey::Outbox),
            (15, rest) => whole_repo(rest).map(NeedKey::Stargazers),
            (16, rest) => whole_repo(rest).map(NeedKey::Starred),
            (17, []) => Some(NeedKey::OwnStars),
            _ => None,
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

fn whole_forge(bytes: &[u8]) -> Option<Forge> {
    read_name(bytes).filter(|(_, name)| name.is_empty()).map(|(forge, _)| forge)
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
            RowKey::Entity(StreamKey::Service, EntityKey::Latest(Forge::GitHub)),
            RowKey::Entity(stream, EntityKey::Gists),
            RowKey::Entity(StreamKey::Service, EntityKey::GistUsers),
            RowKey::Entity(StreamKey::Service, EntityKey::GistVisit("octocat".into())),
            RowKey::Member {
                stream,
                set: MemberSet::Pulls,
                parent: repo,
                wipe: 0,
                bucket: 2,
                id: Vec::new(),
            },
            RowKey::Entity(stream, EntityKey::Stars(repo)),
            RowKey::Entity(StreamKey::Service, EntityKey::ApiKey("3f9a".into())),
            RowKey::Member {
                stream,
                set: MemberSet::Stargazers,
                parent: repo,
                wipe: 0,
                bucket: 63,
                id: Vec::new(),
            },
            RowKey::Member {
                stream,
                set: MemberSet::Starred,
                parent: repo,
                wipe: 0,
                bucket: 63,
                id: StreamKey::Account(AccountId::github(2)).to_bytes(),
            },
            RowKey::Member {
                stream,
                set: MemberSet::StarredChecks,
                parent: repo,
                wipe: 0,
                bucket: 63,
                id: StreamKey::Account(AccountId::github(2)).to_bytes(),
            },
            RowKey::Entity(stream, EntityKey::Starrer),
            RowKey::Need(stream, NeedKey::OwnStars),
            RowKey::View(stream, ViewKey::Neighbours(repo)),
            RowKey::View(stream, ViewKey::NeighboursChunk(repo, 2)),
            RowKey::View(stream, ViewKey::NeighboursMark(repo)),
            RowKey::Need(stream, NeedKey::Stargazers(repo)),
            RowKey::Need(stream, NeedKey::Starred(repo)),
            RowKey::View(stream, ViewKey::GithubPayload),
            RowKey::View(stream, ViewKey::Account),
            RowKey::View(stream, ViewKey::RepositoryIndex),
            RowKey::View(stream, ViewKey::Repository(repo)),
            RowKey::View(stream, ViewKey::Summary),
            RowKey::View(StreamKey::Service, ViewKey::Latest(Forge::GitHub)),
            RowKey::View(stream, ViewKey::Gists),
            RowKey::View(stream, ViewKey::NewGists),
            RowKey::View(StreamKey::Service, ViewKey::GistUsers),
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
            RowKey::Need(StreamKey::Service, NeedKey::GistUser("octocat".into())),
            RowKey::Need(stream, NeedKey::Gists),
            RowKey::Need(stream, NeedKey::Outbox),
            RowKey::Hidden(account, None),
            RowKey::Hidden(account, Some(RepoId::bitbucket(9))),
            RowKey::Cursor(stream, "repositories".into()),
            RowKey::DeadLetter(stream, Version::new(Epoch(2), 77)),
            RowKey::Alias(Forge::GitHub, "octocat".into()),
            RowKey::Epoch,
            RowKey::Seen(3),
            RowKey::Active(3),
            RowKey::Delivery(3, 258),
            RowKey::Trail(account, repo, Field::Commits, 0),
            RowKey::Trail(account, repo, Field::Languages, 15),
            RowKey::Entity(stream, EntityKey::Hook(292_430_182)),
            RowKey::View(stream, ViewKey::Gaps),
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
