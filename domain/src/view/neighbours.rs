//! S3's payload: the repositories that share stargazers with one, folded stargazer by stargazer. A new star costs what
//! its giver starred, however many stars there are.
//!
//! Repositories, their names and stargazers are numbered here, and a star is one such number: twelve million of them
//! take 50 MB, and their repositories what they take. Who shares what is not kept for each repository, only how many
//! do: of the ten thousand that are shown it is gathered in one walk over all stars. The numbers are of this process,
//! and never stored.

mod chunk;

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

pub use self::chunk::{
    CHUNK_BYTES_MAX, Chunk, Head, Mark, Piece, ReadError, Reader, Renderer, Shown, StoredHead,
};
use crate::{
    entity::starred::{Repo, Starred, StarredCheck},
    id::{AccountId, RepoId},
    time::{Millis, Second},
    version::Version,
};

/// So many repositories are shown, the most shared first (contract S3, `neighbours_max`).
pub const NEIGHBOURS_MAX: usize = 10_000;

/// One element of S3's payload. The payload is joined from ready pieces, so that no value is ever built of it.
#[cfg(feature = "schema")]
#[derive(utoipa::ToSchema)]
#[schema(as = StarNeighbour)]
#[expect(dead_code, reason = "it describes bytes that are joined")]
pub struct Neighbour {
    /// `owner/name`.
    repo: String,
    /// Logins of the stargazers that both have, sorted.
    stargazers: Vec<String>,
}

type FastMap<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Stargazers of one repository, what each of them starred, and what they share.
#[derive(Debug)]
pub struct Neighbourhood {
    of: RepoId,
    users: Vec<User>,
    user_numbers: FastMap<AccountId, u32>,
    repos: Vec<Known>,
    repo_numbers: FastMap<RepoId, u32>,
    /// Every name that an answer said of a repository; a star is the number of one.
    labels: Vec<Label>,
    /// Repositories of which answers said several names.
    renamed: usize,
    /// Stargazers of whom it is not known what they starred, by the record that made them stargazers.
    missing: BTreeSet<(Version, AccountId)>,
    /// Stargazers of whom not everything is known.
    partial: BTreeSet<AccountId>,
    /// Stargazers by when what they starred was checked, on our clock.
    checked: BTreeSet<(Millis, AccountId)>,
    /// Stars of all users.
    edges: usize,
    /// Stars of those who count.
    counted: usize,
    /// Bytes of all names.
    name_bytes: usize,
    /// Rises with everything that changes what is shown.
    changes: u64,
}

#[derive(Debug)]
struct User {
    id: AccountId,
    login: Box<str>,
    /// The record that starred the repository; `None`: it is no stargazer, or no more.
    starred_at: Option<Version>,
    /// What it starred; `None` until that is known.
    starred: Option<UserStars>,
    /// The newest confirmation, with its row's version.
    check: Option<(StarredCheck, Version)>,
}

#[derive(Debug)]
struct UserStars {
    /// The row's version.
    version: Version,
    asked: (Version, Second),
    read_ms: Millis,
    checked_ms: Millis,
    is_whole: bool,
    /// Numbers of labels.
    edges: Box<[u32]>,
}

#[derive(Debug)]
struct Known {
    id: RepoId,
    /// The number of the name that was said first.
    label: u32,
    /// How many stargazers share it.
    shared: u32,
}

#[derive(Debug)]
struct Label {
    /// The number of the repository.
    repo: u32,
    /// The number of its next name; [`LAST`]: there is none.
    next: u32,
    owner: AccountId,
    full_name: Box<str>,
}

/// Ends a chain of names.
const LAST: u32 = u32::MAX;

/// A neighbour that is shown, as numbers; of the neighbourhood that ranked it.
#[derive(Debug)]
pub struct Ranked {
    label: u32,
    /// Stargazers, by login.
    users: Vec<u32>,
}

impl Neighbourhood {
    /// Of a repository without stargazers.
    pub fn new(of: RepoId) -> Self {
        Neighbourhood {
            of,
            users: Vec::new(),
            user_numbers: FastMap::default(),
            repos: Vec::new(),
            repo_numbers: FastMap::default(),
            labels: Vec::new(),
            renamed: 0,
            missing: BTreeSet::new(),
            partial: BTreeSet::new(),
            checked: BTreeSet::new(),
            edges: 0,
            counted: 0,
            name_bytes: 0,
            changes: 0,
        }
    }

    /// Somebody starred the repository, by the record at this version.
    pub fn add(&mut self, user: AccountId, told_at: Version) {
        let number = self.user(user);
        if self.users[number as usize].starred_at.is_none() {
            self.count(number);
        }
        self.forget_marks(number);
        self.users[number as usize].starred_at = Some(told_at);
        self.mark(number);
    }

    /// Somebody took the star back.
    pub fn remove(&mut self, user: AccountId) {
        let Some(&number) = self.user_numbers.get(&user) else { return };
        if self.users[number as usize].starred_at.is_some() {
            self.forget_marks(number);
            self.users[number as usize].starred_at = None;
            self.discount(number);
        }
    }

    /// What a stargazer starred is known, from a row or an answer at this version. An older answer, or an older row,
    /// changes nothing. Returns whether it was taken.
    pub fn starred(&mut self, user: AccountId, starred: &Starred, version: Version) -> bool {
        let number = self.user(user);
        let at = number as usize;
        let known = self.users[at].starred.as_ref();
        if known.is_some_and(|known| known.version >= version || known.asked > starred.asked) {
            return false;
        }
        let is_stargazer = self.users[at].starred_at.is_some();
        if is_stargazer {
            self.forget_marks(number);
            self.discount(number);
        }
        let mut edges = Vec::with_capacity(starred.repositories.len());
        let of = self.of;
        for repo in starred.repositories.iter().filter(|repo| repo.id != of) {
            edges.push(self.label_of(repo));
        }
        let user = &mut self.users[at];
        self.edges -= user.starred.as_ref().map_or(0, |before| before.edges.len());
        self.edges += edges.len();
        user.login = starred.login.as_str().into();
        user.starred = Some(UserStars {
            version,
            asked: starred.asked,
            read_ms: starred.asked_ms,
            checked_ms: starred.checked_ms,
            is_whole: starred.is_whole,
            edges: edges.into(),
        });
        if is_stargazer {
            self.count(number);
            self.mark(number);
        }
        true
    }

    /// The forge confirmed what it had said of somebody, by a row or an answer at this version; an older one changes
    /// nothing. Returns whether it was taken.
    pub fn confirm(&mut self, user: AccountId, check: StarredCheck, version: Version) -> bool {
        let number = self.user(user);
        let known = self.users[number as usize].check;
        if known.is_some_and(|(known, at)| at >= version || known.checked_ms > check.checked_ms) {
            return false;
        }
        self.forget_marks(number);
        self.users[number as usize].check = Some((check, version));
        self.mark(number);
        true
    }

    /// The version of the row of what somebody starred.
    pub fn row_version(&self, user: AccountId) -> Version {
        let stars = self.get(user).and_then(|user| user.starred.as_ref());
        stars.map_or(Version::NONE, |stars| stars.version)
    }

    /// The newest confirmation of what somebody starred, with the version of its row.
    pub fn check(&self, user: AccountId) -> Option<(StarredCheck, Version)> {
        self.get(user)?.check
    }

    /// Stargazers of whom it is not known what they starred, the longest known first.
    pub fn missing(&self) -> impl DoubleEndedIterator<Item = (Version, AccountId)> {
        self.missing.iter().copied()
    }

    /// Whether it is known of every stargazer what they starred, all of it.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.partial.is_empty()
    }

    /// When that of the stargazer was checked which was checked longest ago, on our clock; `None` if there is none.
    pub fn checked_ms(&self) -> Option<Millis> {
        self.checked.first().map(|(checked_ms, _)| *checked_ms)
    }

    /// A number that rises with everything that changes what is shown.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How many stars count.
    pub fn counted(&self) -> usize {
        self.counted
    }

    /// The neighbours that are shown: by shared stargazers descending, then by name; with the logins, sorted.
    pub fn ranked(&self) -> Vec<Shown<'_>> {
        self.ranking().iter().map(|ranked| self.shown(ranked)).collect()
    }

    /// The same as numbers, which stay what they are while more is folded. One walk over all stars, or two.
    pub fn ranking(&self) -> Vec<Ranked> {
        let present = self.present_labels();
        let label = |known: &Known| present.get(&known.label).copied().unwrap_or(known.label);
        let shared = (0u32..).zip(&self.repos).filter(|(_, known)| known.shared > 0);
        let mut ranked: Vec<(u32, u32)> = shared.map(|(number, known)| (number, label(known))).collect();
        let compare = |a: &(u32, u32), b: &(u32, u32)| self.rank(*a).cmp(&self.rank(*b));
        // Only what is shown is put in order: there may be millions.
        if ranked.len() > NEIGHBOURS_MAX {
            ranked.select_nth_unstable_by(NEIGHBOURS_MAX, compare);
            ranked.truncate(NEIGHBOURS_MAX);
        }
        ranked.sort_unstable_by(compare);

        let mut places = vec![LAST; self.repos.len()];
        let mut shown: Vec<Ranked> = Vec::with_capacity(ranked.len());
        for (place, (number, label)) in (0u32..).zip(&ranked) {
            places[*number as usize] = place;
            let count = self.repos[*number as usize].shared as usize;
            shown.push(Ranked { label: *label, users: Vec::with_capacity(count) });
        }
        // By login, so that every list comes out sorted.
        let mut gazers: Vec<(u32, &User, &UserStars)> = (0u32..)
            .zip(&self.users)
            .filter(|(_, user)| user.starred_at.is_some())
            .filter_map(|(number, user)| Some((number, user, user.starred.as_ref()?)))
            .collect();
        gazers.sort_unstable_by(|(_, a, _), (_, b, _)| (&a.login, a.id).cmp(&(&b.login, b.id)));
        for (number, _, stars) in gazers {
            for edge in &stars.edges {
                let place = places[self.labels[*edge as usize].repo as usize];
                if place != LAST {
                    shown[place as usize].users.push(number);
                }
            }
        }
        shown
    }

    /// A neighbour with its names.
    pub fn shown<'n>(&'n self, ranked: &Ranked) -> Shown<'n> {
        let label = &self.labels[ranked.label as usize];
        Shown {
            id: self.repos[label.repo as usize].id,
            owner: label.owner,
            full_name: &label.full_name,
            stargazers: ranked.users.iter().map(|user| &*self.users[*user as usize].login).collect(),
        }
    }

    /// Rough size in memory, in bytes.
    pub fn weight(&self) -> usize {
        /// A stargazer with its marks and its number.
        const USER: usize = 400;
        /// A repository with its number, and a name's place.
        const REPO: usize = size_of::<Known>() + 2 * (size_of::<RepoId>() + 8) + size_of::<Label>() + 24;
        self.users.len() * USER + self.repos.len() * REPO + self.name_bytes + self.edges * size_of::<u32>()
    }

    fn get(&self, user: AccountId) -> Option<&User> {
        self.user_numbers.get(&user).map(|number| &self.users[*number as usize])
    }

    /// The present names of repositories that have several, by their first: what the newest of the answers that count
    /// says.
    fn present_labels(&self) -> FastMap<u32, u32> {
        type Said<'n> = (Second, &'n str, AccountId);
        let mut present: FastMap<u32, (Said<'_>, u32)> = FastMap::default();
        if self.renamed == 0 {
            return FastMap::default();
        }
        for user in self.users.iter().filter(|user| user.starred_at.is_some()) {
            let Some(stars) = &user.starred else { continue };
            for &edge in &stars.edges {
                let label = &self.labels[edge as usize];
                let first = self.repos[label.repo as usize].label;
                if self.labels[first as usize].next == LAST {
                    continue;
                }
                let said: Said<'_> = (stars.asked.1, &label.full_name, label.owner);
                let newest = present.entry(first).or_insert((said, edge));
                if newest.0 < said {
                    *newest = (said, edge);
                }
            }
        }
        present.into_iter().map(|(first, (_, label))| (first, label)).collect()
    }

    /// The order of neighbours.
    fn rank(&self, (number, label): (u32, u32)) -> (Reverse<u32>, &[u8], RepoId) {
        let known = &self.repos[number as usize];
        (Reverse(known.shared), self.labels[label as usize].full_name.as_bytes(), known.id)
    }

    fn user(&mut self, id: AccountId) -> u32 {
        *self.user_numbers.entry(id).or_insert_with(|| {
            self.users.push(User { id, login: "".into(), starred_at: None, starred: None, check: None });
            next_number(self.users.len())
        })
    }

    /// The number of the name by which an answer calls a repository.
    fn label_of(&mut self, repo: &Repo) -> u32 {
        let number = *self.repo_numbers.entry(repo.id).or_insert_with(|| {
            self.repos.push(Known { id: repo.id, label: LAST, shared: 0 });
            next_number(self.repos.len())
        });
        let first = self.repos[number as usize].label;
        let (mut at, mut last) = (first, LAST);
        while at != LAST {
            let label = &self.labels[at as usize];
            if label.owner == repo.owner && *label.full_name == *repo.full_name.as_str() {
                return at;
            }
            (last, at) = (at, label.next);
        }
        let full_name: Box<str> = repo.full_name.as_str().into();
        self.name_bytes += full_name.len();
        self.labels.push(Label { repo: number, next: LAST, owner: repo.owner, full_name });
        let new = next_number(self.labels.len());
        match last {
            LAST => self.repos[number as usize].label = new,
            last => {
                self.renamed += usize::from(last == first);
                self.labels[last as usize].next = new;
            }
        }
        new
    }

    /// Counts a stargazer at everything it starred.
    fn count(&mut self, user: u32) {
        self.changes += 1;
        for edge in self.users[user as usize].starred.iter().flat_map(|stars| &stars.edges) {
            self.repos[self.labels[*edge as usize].repo as usize].shared += 1;
            self.counted += 1;
        }
    }

    fn discount(&mut self, user: u32) {
        self.changes += 1;
        for edge in self.users[user as usize].starred.iter().flat_map(|stars| &stars.edges) {
            self.repos[self.labels[*edge as usize].repo as usize].shared -= 1;
            self.counted -= 1;
        }
    }

    fn mark(&mut self, number: u32) {
        let user = &self.users[number as usize];
        let Some(starred_at) = user.starred_at else { return };
        match &user.starred {
            None => {
                self.missing.insert((starred_at, user.id));
            }
            Some(stars) => {
                self.checked.insert((stars.checked(user), user.id));
                if !stars.is_whole {
                    self.partial.insert(user.id);
                }
            }
        }
    }

    fn forget_marks(&mut self, number: u32) {
        let user = &self.users[number as usize];
        let Some(starred_at) = user.starred_at else { return };
        self.missing.remove(&(starred_at, user.id));
        self.partial.remove(&user.id);
        if let Some(stars) = &user.starred {
            self.checked.remove(&(stars.checked(user), user.id));
        }
    }
}

impl UserStars {
    fn checked(&self, user: &User) -> Millis {
        StarredCheck::last(user.check.map(|(check, _)| check), self.read_ms, self.checked_ms)
    }
}

fn next_number(length: usize) -> u32 {
    u32::try_from(length - 1).expect("fewer than 2^32 repositories and users fit in memory")
}
