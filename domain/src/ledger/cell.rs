//! One repository in the working set: its entity, its pull requests, and what was last made of them.

use std::collections::BTreeSet;

use crate::{
    entity::{pulls::PullStates, repository::Repository},
    id::RepoId,
    key::NeedKey,
    ledger::stars::StarCell,
    need::{self, Need},
    version::Version,
    view::repository::Figures,
};

/// One repository in the working set.
#[derive(Debug)]
pub struct Cell {
    /// What is known of it.
    pub repo: Repository,
    /// The record that last changed it.
    pub version: Version,
    /// The states of its pull requests.
    pub states: PullStates,
    /// Its stars, where any were told of or are wanted.
    pub stars: Option<Box<StarCell>>,
    /// What it adds to its account's totals, as last derived.
    pub figures: Option<Figures>,
    /// What it adds to S0's payload.
    pub fragment: Vec<u8>,
    /// Its open needs after the last record.
    pub needs: Vec<(NeedKey, Need)>,
    /// Hash of what its view last showed, with what stands beside it.
    pub shown: Option<u64>,
    /// Whether the store was told that it is hidden.
    pub is_hidden_written: bool,
    /// Its size in memory as last counted into its ledger's.
    pub weight: usize,
    /// Whether its neighbours must be written whether or not they changed.
    pub are_neighbours_replayed: bool,
    /// What must be written.
    pub dirty: Dirty,
}

/// What of a repository must be written.
#[derive(Debug, Default)]
pub struct Dirty {
    /// The last record that touched it since it was written; `None` when nothing is to be written.
    pub touched_at: Option<Version>,
    /// The first such record; the log must not be committed past it.
    pub since: Option<Version>,
    /// Write everything, changed or not: a replayed record may have been written to a minority only.
    pub replayed: bool,
    /// Rows of pull requests.
    pub buckets: BTreeSet<u32>,
    /// Needs that any record since changed, also where a later one changed them back: another owner may have
    /// written what was between.
    pub needs: BTreeSet<NeedKey>,
    /// Whether any record since hid it or showed it again.
    pub hidden: bool,
}

/// Rows beside a repository's entity.
#[derive(Debug, Default)]
pub struct Stray {
    /// The states of its pull requests.
    pub states: PullStates,
    /// Its stars.
    pub stars: Option<Box<StarCell>>,
    /// Its needs.
    pub needs: Vec<(NeedKey, Need)>,
}

impl Stray {
    /// Its stars; none so far, where none are stored.
    pub(super) fn stars(&mut self, repo: RepoId) -> &mut StarCell {
        self.stars.get_or_insert_with(|| Box::new(StarCell::new(repo)))
    }
}

impl Cell {
    /// A repository as stored, or a new one.
    pub fn new(repo: Repository, version: Version, states: PullStates) -> Self {
        Cell {
            is_hidden_written: repo.visibility.is_hidden(),
            repo,
            version,
            states,
            stars: None,
            figures: None,
            fragment: Vec::new(),
            needs: Vec::new(),
            shown: None,
            weight: 0,
            are_neighbours_replayed: false,
            dirty: Dirty::default(),
        }
    }

    /// Takes in what is stored beside the entity.
    pub fn adopt(&mut self, stray: Stray) {
        self.states = stray.states;
        self.stars = stray.stars;
        self.dirty.needs.extend(stray.needs.iter().map(|(key, _)| key.clone()));
        self.needs = stray.needs;
    }

    /// Notes which needs changed.
    pub fn note_needs(&mut self, id: RepoId, is_kept: bool) {
        let mut derived = need::of_repository(id, &self.repo, &self.states, is_kept);
        if let Some(stars) = &self.stars {
            derived.extend(stars.needs(&self.repo, is_kept && self.repo.visibility.is_public()));
        }
        note_changed(&mut self.needs, derived, &mut self.dirty.needs, self.dirty.replayed);
    }

    /// Marks it to be written by the record at `version`.
    pub fn touch(&mut self, version: Version) {
        self.dirty.touched_at = self.dirty.touched_at.max(Some(version));
        self.dirty.since.get_or_insert(version);
    }

    /// Rough size in memory, in bytes.
    pub fn measure(&self) -> usize {
        /// Entity, figures and index entries of a repository with short texts, as measured.
        const BASE: usize = 2_500;
        /// An entry of a pull request's state.
        const PULL: usize = 64;
        let pulls = usize::try_from(self.states.counts().total()).unwrap_or(usize::MAX);
        let stars = self.stars.as_ref().map_or(0, |stars| stars.weight());
        BASE.saturating_add(self.fragment.len())
            .saturating_add(pulls.saturating_mul(PULL))
            .saturating_add(stars)
    }
}

/// Brings needs up to what was derived, and notes those that are others now; all, where records are replayed.
pub(super) fn note_changed(
    needs: &mut Vec<(NeedKey, Need)>,
    mut derived: Vec<(NeedKey, Need)>,
    changed: &mut BTreeSet<NeedKey>,
    replayed: bool,
) {
    for (key, need) in &derived {
        let before = needs.iter().find(|(other, _)| other == key).map_or(Need::Met, |(_, need)| *need);
        if replayed || before != *need {
            changed.insert(key.clone());
        }
    }
    let is_derived = |key: &NeedKey| derived.iter().any(|(other, _)| other == key);
    changed.extend(needs.iter().map(|(key, _)| key).filter(|key| !is_derived(key)).cloned());
    // Mostly none is open, and then nothing is held in memory for it.
    derived.retain(|(_, need)| need.is_open());
    *needs = if derived.is_empty() { Vec::new() } else { derived };
}
