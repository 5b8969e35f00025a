//! The stars of one repository in the working set: the star set, what its stargazers starred, and the neighbours that
//! come of both.
//!
//! Which stars count, which are in doubt and who shares what are all derived here from rows that stand alone, so that a
//! crash between the writes of one record loses nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    entity::{
        repository::Repository,
        stargazers::{Given, StarBucket, bucket_of},
        starred::Starred,
        stars::Stars,
    },
    event::{Asked, Stamp, StarredReading, StarsReading},
    id::{AccountId, RepoId, StreamKey},
    key::{EntityKey, MemberSet, NeedKey, RowKey, ViewKey},
    ledger::LARGE_VIEW_BYTES,
    need::Need,
    row::Row,
    time::{Millis, Second},
    version::Version,
    view::{
        body::{self, Meta},
        neighbours::{Chunk, Head, Neighbourhood, StoredHead},
    },
};

/// Where the forge's number of stars and the set differ and nothing else is wrong, the list is read again at most this
/// often: the forge counts accounts that it does not list.
const DRIFT_MS: i64 = 3_600_000;

/// The stars of one repository.
#[derive(Debug)]
pub struct StarCell {
    repo: RepoId,
    /// How they stand.
    pub stars: Stars,
    version: Version,
    buckets: BTreeMap<u32, (StarBucket, Version)>,
    /// Empty while nobody wants it.
    hood: Neighbourhood,
    /// Members of whom only a later list can tell, by the record that made them so.
    doubtful: BTreeMap<AccountId, Version>,
    /// Stars that count.
    given: BTreeSet<AccountId>,
    /// The newest star given.
    newest: Second,
    dirty: DirtyStars,
    /// What was last rendered, and of what.
    shown: Option<Rendered>,
}

/// What of the stars must be written.
#[derive(Debug, Default)]
struct DirtyStars {
    entity: bool,
    buckets: BTreeSet<u32>,
    starred: Vec<(AccountId, Version, Vec<u8>)>,
    view: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rendered {
    /// The name that it was rendered for; `None`: there is none any more.
    name: Option<String>,
    hash: u64,
    length: usize,
}

impl StarCell {
    pub(super) fn new(repo: RepoId) -> Self {
        StarCell {
            repo,
            stars: Stars::default(),
            version: Version::NONE,
            buckets: BTreeMap::new(),
            hood: Neighbourhood::new(repo),
            doubtful: BTreeMap::new(),
            given: BTreeSet::new(),
            newest: Second(0),
            dirty: DirtyStars::default(),
            shown: None,
        }
    }

    /// Takes in the stored entity.
    pub(super) fn load(&mut self, stars: Stars, version: Version) {
        (self.stars, self.version) = (stars, version);
    }

    /// Takes in a stored slice of the set.
    pub(super) fn load_bucket(&mut self, number: u32, bucket: StarBucket, version: Version) {
        self.buckets.insert(number, (bucket, version));
    }

    /// Takes in a stored row of what a stargazer starred.
    pub(super) fn load_starred(&mut self, user: AccountId, starred: &Starred, version: Version) {
        self.hood.starred(user, starred, version);
    }

    /// Derives everything anew.
    pub(super) fn derive(&mut self) {
        let users: Vec<AccountId> =
            self.buckets.values().flat_map(|(bucket, _)| bucket.members()).map(|(user, _)| user).collect();
        for user in users {
            self.derive_member(user);
        }
    }

    /// Folds what only the entity holds, unless this record is in it already.
    pub(super) fn change(&mut self, before: Version, stamp: &Stamp, change: impl FnOnce(&mut Stars)) {
        self.dirty.entity = true;
        self.dirty.view = true;
        if before < stamp.version {
            change(&mut self.stars);
            self.version = stamp.version;
            self.derive();
        }
    }

    /// The record that last changed the entity.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// The record that last changed the slice which holds an account.
    pub(super) fn bucket_version(&self, user: AccountId) -> Version {
        self.buckets.get(&bucket_of(user)).map_or(Version::NONE, |(_, version)| *version)
    }

    /// Changes the slice that holds an account; `before` is its version before this record.
    pub(super) fn change_member(
        &mut self,
        user: AccountId,
        before: Version,
        stamp: &Stamp,
        change: impl FnOnce(&mut StarBucket),
    ) {
        let number = bucket_of(user);
        self.dirty.buckets.insert(number);
        self.dirty.view = true;
        if before < stamp.version {
            let (bucket, version) = self.buckets.entry(number).or_default();
            change(bucket);
            *version = stamp.version;
            self.derive_member(user);
        }
    }

    /// The record that last said what a stargazer starred.
    pub(super) fn starred_version(&self, user: AccountId) -> Version {
        self.hood.row_version(user)
    }

    /// Folds what a stargazer starred.
    pub(super) fn read_starred(&mut self, reading: &StarredReading<'_>, asked: &Asked, stamp: &Stamp) {
        let user = reading.starrer;
        let starred = Starred::of(reading, asked);
        let is_taken = self.hood.starred(user, &starred, stamp.version);
        // Taken before, from this very record: it may sit on a minority of replicas.
        if is_taken || self.hood.row_version(user) == stamp.version {
            self.dirty.starred.push((user, stamp.version, starred.encode()));
            self.dirty.view = true;
        }
    }

    /// The needs about them.
    pub(super) fn needs(&self, repo: &Repository, is_shown: bool) -> [(NeedKey, Need); 2] {
        let (list, starred) = match &self.stars.wanted {
            Some(wanted) if is_shown => (self.list_need(repo, wanted.at), self.starred_need()),
            _ => (Need::Met, Need::Met),
        };
        [(NeedKey::Stargazers(self.repo), list), (NeedKey::Starred(self.repo), starred)]
    }

    fn list_need(&self, repo: &Repository, wanted_at: Version) -> Need {
        if self.stars.is_closed() {
            // Asked again by the sweep.
            return Need::Met;
        }
        let Some(listed) = &self.stars.listed else {
            return Need::Open { is_doubt: true, raised_at: wanted_at, not_before: Millis(0) };
        };
        if let Some(raised_at) = self.doubtful.values().max() {
            let not_before = repo.quiet_from(repo.told_ms);
            return Need::Open { is_doubt: true, raised_at: *raised_at, not_before };
        }
        let size = self.given.len() as u64;
        let is_drifting = |gauge: &crate::entity::gauge::Gauge| gauge.value != size && gauge.at > listed.date;
        if listed.is_whole && repo.stars.as_ref().is_some_and(is_drifting) {
            let not_before = self.stars.list_check.checked_ms.plus(DRIFT_MS);
            return Need::Open { is_doubt: false, raised_at: listed.since, not_before };
        }
        Need::Met
    }

    fn starred_need(&self) -> Need {
        match self.hood.missing().next_back() {
            Some((raised_at, _)) => Need::Open { is_doubt: true, raised_at, not_before: Millis(0) },
            None => Need::Met,
        }
    }

    /// Whether the neighbours are large, so that they are rendered less often.
    pub(super) fn is_large(&self) -> bool {
        self.shown.as_ref().is_some_and(|shown| shown.length > LARGE_VIEW_BYTES)
    }

    /// Rough size in memory, in bytes.
    pub(super) fn weight(&self) -> usize {
        /// A member with its login and its marks.
        const MEMBER: usize = 180;
        let members: usize = self.buckets.values().map(|(bucket, _)| bucket.len()).sum();
        members * MEMBER + self.hood.weight()
    }

    /// The rows of facts that must be written.
    pub(super) fn drain(&mut self, stream: StreamKey, rows: &mut Vec<Row>) {
        let parent = self.repo;
        if std::mem::take(&mut self.dirty.entity) && self.version > Version::NONE {
            let key = RowKey::Entity(stream, EntityKey::Stars(parent));
            rows.push(Row { key, version: self.version, value: self.stars.encode().into() });
        }
        let member = |set, bucket, id| RowKey::Member { stream, set, parent, wipe: 0, bucket, id };
        for number in std::mem::take(&mut self.dirty.buckets) {
            if let Some((bucket, version)) = self.buckets.get(&number) {
                let key = member(MemberSet::Stargazers, number, Vec::new());
                rows.push(Row { key, version: *version, value: bucket.encode().into() });
            }
        }
        for (user, version, value) in std::mem::take(&mut self.dirty.starred) {
            let mut id = Vec::new();
            user.write_key(&mut id);
            let key = member(MemberSet::Starred, bucket_of(user), id);
            rows.push(Row { key, version, value: value.into() });
        }
    }

    /// Whether the neighbours must be rendered: they changed, or are to be shown under another name, or no more, or a
    /// replayed record may have been written to a minority only.
    pub(super) fn must_render(&self, name: Option<&str>, replayed: bool) -> bool {
        let is_ready = self.stars.listed.is_some() || self.stars.is_closed();
        if self.stars.wanted.is_none() || !is_ready {
            return false;
        }
        match &self.shown {
            _ if replayed => true,
            Some(shown) => shown.name.as_deref() != name || (self.dirty.view && name.is_some()),
            // What was written before the rows were loaded is not known here.
            None => true,
        }
    }

    /// The rows of the neighbours, if they are others than were written last; all, where records are replayed.
    pub(super) fn render(
        &mut self,
        stream: StreamKey,
        name: Option<&str>,
        touched_at: Version,
        replayed: bool,
        rows: &mut Vec<Row>,
    ) {
        self.dirty.view = false;
        let key = RowKey::View(stream, ViewKey::Neighbours(self.repo));
        let Some(name) = name else {
            let gone = Rendered { name: None, hash: 0, length: 0 };
            if self.shown.replace(gone.clone()) != Some(gone) || replayed {
                rows.push(Row { key, version: touched_at, value: StoredHead::Gone.encode().into() });
            }
            return;
        };
        let chunks = Chunk::render(touched_at, self.hood.ranked());
        let length: usize = chunks.iter().flat_map(|chunk| &chunk.pieces).map(|piece| piece.json.len()).sum();
        let checked = self.stars.list_check.checked_ms;
        let meta = Meta {
            hash: Chunk::hash(&chunks),
            length: u32::try_from(length).unwrap_or(u32::MAX),
            as_of: self.newest,
            checked_ms: Some(self.hood.checked_ms().map_or(checked, |oldest| oldest.min(checked))),
            complete: self.stars.is_whole() && self.doubtful.is_empty() && self.hood.is_complete(),
            name: name.to_owned(),
        };
        let is_closed = self.stars.is_closed() && self.given.is_empty();
        let hash = body::hash(&crate::codec::encode(0, &(&meta, is_closed)));
        let rendered = Rendered { name: Some(name.to_owned()), hash, length };
        if self.shown.replace(rendered.clone()) == Some(rendered) && !replayed {
            return;
        }
        let count = u32::try_from(chunks.len()).expect("ten thousand neighbours fill fewer chunks");
        for (number, chunk) in (0u32..).zip(&chunks) {
            let key = RowKey::View(stream, ViewKey::NeighboursChunk(self.repo, number));
            rows.push(Row { key, version: touched_at, value: chunk.encode() });
        }
        // Last, so that who is told of it finds the chunks.
        let head = Head { version: touched_at, chunks: count, meta, is_closed };
        rows.push(Row { key, version: touched_at, value: StoredHead::Head(head).encode().into() });
    }

    /// Brings what is derived of one member up to its row.
    fn derive_member(&mut self, user: AccountId) {
        let Some((bucket, _)) = self.buckets.get(&bucket_of(user)) else { return };
        let Some(member) = bucket.get(user) else { return };
        if self.stars.listed.is_some_and(|listed| member.is_doubtful(&listed)) {
            self.doubtful.insert(user, member.told_at);
        } else {
            self.doubtful.remove(&user);
        }
        if member.is_given && !self.stars.is_erased(member.at) {
            self.given.insert(user);
            self.newest = self.newest.max(member.at);
            if self.stars.wanted.is_some() {
                self.hood.add(user, member.told_at);
            }
        } else {
            self.given.remove(&user);
            self.hood.remove(user);
        }
    }
}

/// The accounts whose slices an answer changes, each with what it says of them.
pub(super) fn members_of<'r>(reading: &'r StarsReading<'_>) -> impl Iterator<Item = Given<'r>> {
    reading.gazers.iter().map(|gazer| Given {
        user: gazer.id,
        login: Some(gazer.login.as_str()),
        is_given: true,
        at: gazer.at,
    })
}
