//! S3's payload: the repositories that share stargazers with one, folded stargazer by stargazer. A new star costs what
//! its giver starred, however many stars there are.
//!
//! Repositories and stargazers are numbered here, so that twelve million stars take hundreds of megabytes and not
//! thousands; the numbers are of this process, and never stored.

mod chunk;

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

pub use self::chunk::{CHUNK_BYTES_MAX, Chunk, Head, Piece, ReadError, Reader, Shown, StoredHead};
use crate::{
    entity::starred::{Repo, Starred},
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
    /// Stargazers of whom it is not known what they starred, by the record that made them stargazers.
    missing: BTreeSet<(Version, AccountId)>,
    /// Stargazers of whom not everything is known.
    partial: BTreeSet<AccountId>,
    /// Stargazers by when they were asked about, on our clock.
    checked: BTreeSet<(Millis, AccountId)>,
    /// Edges of all users.
    edges: usize,
}

#[derive(Debug)]
struct User {
    id: AccountId,
    login: Box<str>,
    /// The record that starred the repository; `None`: it is no stargazer, or no more.
    starred_at: Option<Version>,
    /// What it starred; `None` until that is known.
    starred: Option<UserStars>,
}

#[derive(Debug)]
struct UserStars {
    /// The row's version.
    version: Version,
    asked: (Version, Second),
    asked_ms: Millis,
    is_whole: bool,
    edges: Box<[Edge]>,
}

/// A star, seen from who gave it.
#[derive(Debug, Clone, Copy)]
struct Edge {
    /// The number of the repository.
    repo: u32,
    /// Which of its names the answer said.
    label: u32,
}

/// A star, seen from the repository.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// The number of the stargazer.
    user: u32,
    label: u32,
}

#[derive(Debug)]
struct Known {
    id: RepoId,
    /// Every name that an answer said; nearly always one.
    labels: Vec<Label>,
    /// The stargazers that share it.
    shared: Vec<Share>,
}

#[derive(Debug, PartialEq, Eq)]
struct Label {
    owner: AccountId,
    full_name: Box<str>,
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
            missing: BTreeSet::new(),
            partial: BTreeSet::new(),
            checked: BTreeSet::new(),
            edges: 0,
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
        let edges: Box<[Edge]> = starred
            .repositories
            .iter()
            .filter(|repo| repo.id != self.of)
            .map(|repo| edge_to(&mut self.repo_numbers, &mut self.repos, repo))
            .collect();
        let user = &mut self.users[at];
        self.edges -= user.starred.as_ref().map_or(0, |before| before.edges.len());
        self.edges += edges.len();
        user.login = starred.login.as_str().into();
        user.starred = Some(UserStars {
            version,
            asked: starred.asked,
            asked_ms: starred.asked_ms,
            is_whole: starred.is_whole,
            edges,
        });
        if is_stargazer {
            self.count(number);
            self.mark(number);
        }
        true
    }

    /// The version of the row of what somebody starred.
    pub fn row_version(&self, user: AccountId) -> Version {
        let number = self.user_numbers.get(&user);
        let stars = number.and_then(|number| self.users[*number as usize].starred.as_ref());
        stars.map_or(Version::NONE, |stars| stars.version)
    }

    /// Stargazers of whom it is not known what they starred, the longest known first.
    pub fn missing(&self) -> impl DoubleEndedIterator<Item = (Version, AccountId)> {
        self.missing.iter().copied()
    }

    /// Whether it is known of every stargazer what they starred, all of it.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.partial.is_empty()
    }

    /// When the stargazer that was asked about longest ago was asked about, on our clock; `None` if there is none.
    pub fn checked_ms(&self) -> Option<Millis> {
        self.checked.first().map(|(asked_ms, _)| *asked_ms)
    }

    /// The neighbours that are shown: by shared stargazers descending, then by name; with the logins, sorted.
    pub fn ranked(&self) -> Vec<Shown<'_>> {
        let shared = self.repos.iter().filter(|known| !known.shared.is_empty());
        let mut ranked: Vec<(&Known, &Label)> = shared.map(|known| (known, self.label(known))).collect();
        let compare = |a: &(&Known, &Label), b: &(&Known, &Label)| rank(*a).cmp(&rank(*b));
        // Only what is shown is put in order: there may be millions.
        if ranked.len() > NEIGHBOURS_MAX {
            ranked.select_nth_unstable_by(NEIGHBOURS_MAX, compare);
            ranked.truncate(NEIGHBOURS_MAX);
        }
        ranked.sort_unstable_by(compare);
        ranked.into_iter().map(|(known, label)| self.shown(known, label)).collect()
    }

    /// Rough size in memory, in bytes.
    pub fn weight(&self) -> usize {
        /// A stargazer with its marks and its number.
        const USER: usize = 280;
        /// A repository with its name and its number.
        const REPO: usize = 220;
        /// A star, at the user and at the repository, and what a growing list has in reserve.
        const EDGE: usize = 22;
        self.users.len() * USER + self.repos.len() * REPO + self.edges * EDGE
    }

    fn shown<'n>(&'n self, known: &'n Known, label: &'n Label) -> Shown<'n> {
        let mut stargazers: Vec<&str> =
            known.shared.iter().map(|share| &*self.users[share.user as usize].login).collect();
        stargazers.sort_unstable();
        Shown { id: known.id, owner: label.owner, full_name: &label.full_name, stargazers }
    }

    /// The present name of a repository: what the newest of the answers that count says.
    fn label<'n>(&self, known: &'n Known) -> &'n Label {
        let newest = known.shared.iter().max_by_key(|share| {
            let stars = self.users[share.user as usize].starred.as_ref();
            let label = &known.labels[share.label as usize];
            (stars.map(|stars| stars.asked.1), &label.full_name, label.owner)
        });
        let newest = newest.filter(|_| known.labels.len() > 1);
        &known.labels[newest.map_or(0, |share| share.label as usize)]
    }

    fn user(&mut self, id: AccountId) -> u32 {
        *self.user_numbers.entry(id).or_insert_with(|| {
            self.users.push(User { id, login: "".into(), starred_at: None, starred: None });
            next_number(self.users.len())
        })
    }

    /// Counts a stargazer at everything it starred.
    fn count(&mut self, user: u32) {
        for edge in self.users[user as usize].starred.iter().flat_map(|stars| &stars.edges) {
            self.repos[edge.repo as usize].shared.push(Share { user, label: edge.label });
        }
    }

    fn discount(&mut self, user: u32) {
        for edge in self.users[user as usize].starred.iter().flat_map(|stars| &stars.edges) {
            let shared = &mut self.repos[edge.repo as usize].shared;
            if let Some(place) = shared.iter().position(|share| share.user == user) {
                shared.swap_remove(place);
            }
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
                self.checked.insert((stars.asked_ms, user.id));
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
            self.checked.remove(&(stars.asked_ms, user.id));
        }
    }
}

/// The order of neighbours.
fn rank<'n>((known, label): (&Known, &'n Label)) -> (Reverse<usize>, &'n [u8], RepoId) {
    (Reverse(known.shared.len()), label.full_name.as_bytes(), known.id)
}

fn edge_to(numbers: &mut FastMap<RepoId, u32>, repos: &mut Vec<Known>, repo: &Repo) -> Edge {
    let number = *numbers.entry(repo.id).or_insert_with(|| {
        repos.push(Known { id: repo.id, labels: Vec::new(), shared: Vec::new() });
        next_number(repos.len())
    });
    let labels = &mut repos[number as usize].labels;
    let is_it = |label: &Label| label.owner == repo.owner && *label.full_name == *repo.full_name.as_str();
    let label = labels.iter().position(is_it).unwrap_or_else(|| {
        labels.push(Label { owner: repo.owner, full_name: repo.full_name.as_str().into() });
        labels.len() - 1
    });
    Edge { repo: number, label: u32::try_from(label).expect("a name takes memory") }
}

fn next_number(length: usize) -> u32 {
    u32::try_from(length - 1).expect("fewer than 2^32 repositories and users fit in memory")
}
