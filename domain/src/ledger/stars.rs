//! The stars of one repository in the working set: the star set, what its stargazers starred, and the neighbours that
//! come of both.
//!
//! Which stars count, which are in doubt and who shares what are all derived here from rows that stand alone, so that a
//! crash between the writes of one record loses nothing.

mod render;

use std::collections::{BTreeMap, BTreeSet};

use self::render::{Rendered, Rendering};
use crate::{
    entity::{
        repository::Repository,
        stargazers::{Given, StarBucket, bucket_of},
        starred::{Starred, StarredCheck},
        stars::Stars,
    },
    event::{Asked, Stamp, StarredConfirmed, StarredReading, StarsReading},
    id::{AccountId, RepoId, StreamKey},
    key::{EntityKey, MemberSet, NeedKey, RowKey},
    need::Need,
    row::Row,
    time::{Millis, Second},
    version::Version,
    view::neighbours::Neighbourhood,
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
    /// Large neighbours that are being rendered, slice by slice.
    rendering: Option<Box<Rendering>>,
    /// The last record that was said to be missing in what is shown.
    marked_at: Version,
}

/// What of the stars must be written.
#[derive(Debug, Default)]
struct DirtyStars {
    entity: bool,
    buckets: BTreeSet<u32>,
    starred: Vec<(AccountId, Version, Vec<u8>)>,
    checks: BTreeSet<AccountId>,
    view: bool,
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
            rendering: None,
            marked_at: Version::NONE,
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

    /// Takes in a stored confirmation of it.
    pub(super) fn load_check(&mut self, user: AccountId, check: StarredCheck, version: Version) {
        self.hood.confirm(user, check, version);
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

    /// The record that last confirmed what a stargazer starred.
    pub(super) fn check_version(&self, user: AccountId) -> Version {
        self.hood.check(user).map_or(Version::NONE, |(_, version)| version)
    }

    /// Folds that the forge confirmed what it had said of a stargazer.
    pub(super) fn confirm_starred(&mut self, confirmed: &StarredConfirmed, asked: &Asked, stamp: &Stamp) {
        let user = confirmed.starrer;
        let check = StarredCheck { read_ms: confirmed.read_ms, checked_ms: asked.asked_ms };
        // Taken before, from this very record: it may sit on a minority of replicas.
        if self.hood.confirm(user, check, stamp.version) || self.check_version(user) == stamp.version {
            self.dirty.checks.insert(user);
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
            return Need::Open { is_doubt: false, raised_at: wanted_at, not_before: Millis(0) };
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
            // Nobody was told anything of them yet; and they may be very many.
            Some((raised_at, _)) => Need::Open { is_doubt: false, raised_at, not_before: Millis(0) },
            None => Need::Met,
        }
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
        for user in std::mem::take(&mut self.dirty.checks) {
            if let Some((check, version)) = self.hood.check(user) {
                let mut id = Vec::new();
                user.write_key(&mut id);
                let key = member(MemberSet::StarredChecks, bucket_of(user), id);
                rows.push(Row { key, version, value: check.encode().into() });
            }
        }
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
