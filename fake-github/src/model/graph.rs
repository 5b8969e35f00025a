//! Every commit of the world, shared by all repositories: a fork costs nothing, and a pull request from
//! a fork finds its commits. Repositories only hold names of commits.
//!
//! A commit's index is greater than those of its parents, so walking from the greatest index down visits
//! every child before its parents.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    commit::{Commit, Draft},
    sha::Sha,
};

/// Where a commit stands in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CommitIndex(u32);

/// All commits. Only grows.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    list: Vec<Commit>,
    by_sha: HashMap<Sha, CommitIndex>,
}

impl Commits {
    /// Adds a commit; one that is there already keeps its place.
    pub(crate) fn add(&mut self, draft: Draft) -> CommitIndex {
        let parents: Vec<Sha> = draft.parents.iter().map(|parent| self.get(*parent).sha).collect();
        let reaches = match draft.parents.as_slice() {
            [] => 1,
            [first, others @ ..] => {
                let mut seen: BTreeSet<CommitIndex> = BTreeSet::new();
                for other in others {
                    seen.extend(self.between(Some(*first), *other));
                }
                self.get(*first).reaches + seen.len() as u64 + 1
            }
        };
        let commit = Commit::new(draft, &parents, reaches);
        if let Some(known) = self.by_sha.get(&commit.sha) {
            return *known;
        }
        let index = CommitIndex(u32::try_from(self.list.len()).expect("fewer than 2^32 commits are made"));
        self.by_sha.insert(commit.sha, index);
        self.list.push(commit);
        index
    }

    pub(crate) fn get(&self, index: CommitIndex) -> &Commit {
        &self.list[index.0 as usize]
    }

    pub(crate) fn find(&self, sha: Sha) -> Option<CommitIndex> {
        self.by_sha.get(&sha).copied()
    }

    /// Everything that a head reaches, newest first.
    pub(crate) fn newest_first(&self, head: CommitIndex) -> NewestFirst<'_> {
        NewestFirst { commits: self, waiting: BTreeSet::from([head]) }
    }

    /// Whether `head` reaches `other`; a commit reaches itself.
    pub(crate) fn reaches(&self, head: CommitIndex, other: CommitIndex) -> bool {
        self.newest_first(head).take_while(|index| *index >= other).any(|index| index == other)
    }

    /// What `after` reaches and `before` does not (`git rev-list before..after`), oldest first.
    pub(crate) fn between(&self, before: Option<CommitIndex>, after: CommitIndex) -> Vec<CommitIndex> {
        // The value says whether `before` reaches the commit.
        let mut waiting: BTreeMap<CommitIndex, bool> = BTreeMap::from([(after, false)]);
        if let Some(before) = before {
            waiting.insert(before, true);
        }
        let mut wanted = usize::from(before != Some(after));
        let mut found = Vec::new();
        while wanted > 0 {
            let Some((index, is_old)) = waiting.pop_last() else { break };
            if !is_old {
                found.push(index);
                wanted -= 1;
            }
            for parent in &self.get(index).parents {
                match waiting.get(parent) {
                    None => {
                        waiting.insert(*parent, is_old);
                        wanted += usize::from(!is_old);
                    }
                    Some(false) if is_old => {
                        waiting.insert(*parent, true);
                        wanted -= 1;
                    }
                    Some(_) => {}
                }
            }
        }
        found.reverse();
        found
    }
}

/// See [`Commits::newest_first`].
pub(crate) struct NewestFirst<'a> {
    commits: &'a Commits,
    waiting: BTreeSet<CommitIndex>,
}

impl Iterator for NewestFirst<'_> {
    type Item = CommitIndex;

    fn next(&mut self) -> Option<CommitIndex> {
        let index = self.waiting.pop_last()?;
        self.waiting.extend(&self.commits.get(index).parents);
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::model::{AccountId, Second, commit::Person};

    fn add(commits: &mut Commits, parents: &[CommitIndex]) -> CommitIndex {
        let person = Arc::new(Person {
            account: AccountId(1),
            login: "a".into(),
            name: "a".into(),
            email: "a@b".into(),
        });
        let content = commits.list.len().to_string();
        commits.add(Draft {
            parents: parents.to_vec(),
            author: person.clone(),
            committer: person,
            authored_at: Second(0),
            committed_at: Second(0),
            zone_minutes: 0,
            message: "m".into(),
            content,
        })
    }

    #[test]
    fn counts_and_ranges_are_those_of_sets_in_any_graph() {
        for seed in 0..30 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut commits = Commits::default();
            let mut reached: Vec<BTreeSet<CommitIndex>> = Vec::new();
            for _ in 0..40 {
                let count = if reached.is_empty() { 0 } else { rng.random_range(0..4_usize).min(3) };
                let mut parents: Vec<CommitIndex> = Vec::new();
                for _ in 0..count {
                    let from = reached.len().saturating_sub(12);
                    let parent = CommitIndex(u32::try_from(rng.random_range(from..reached.len())).unwrap());
                    if !parents.contains(&parent) {
                        parents.push(parent);
                    }
                }
                let index = add(&mut commits, &parents);
                let mut set: BTreeSet<CommitIndex> =
                    parents.iter().flat_map(|parent| reached[parent.0 as usize].clone()).collect();
                set.insert(index);
                assert_eq!(commits.get(index).reaches, set.len() as u64, "seed {seed}");
                reached.push(set);
            }
            for (one, from_one) in (0..).map(CommitIndex).zip(&reached) {
                for (two, from_two) in (0..).map(CommitIndex).zip(&reached) {
                    let difference: Vec<CommitIndex> = from_two.difference(from_one).copied().collect();
                    assert_eq!(commits.between(Some(one), two), difference, "seed {seed}");
                    assert_eq!(commits.reaches(one, two), from_one.contains(&two), "seed {seed}");
                }
            }
        }
    }

    #[test]
    fn counts_and_ranges_hold_over_merges_and_several_roots() {
        let mut commits = Commits::default();
        let root = add(&mut commits, &[]);
        let left = add(&mut commits, &[root]);
        let right = add(&mut commits, &[root]);
        let merge = add(&mut commits, &[left, right]);
        let other_root = add(&mut commits, &[]);
        let joined = add(&mut commits, &[merge, other_root]);
        let criss = add(&mut commits, &[right, joined]);
        for (head, reaches) in [(root, 1), (left, 2), (merge, 4), (other_root, 1), (joined, 6), (criss, 7)] {
            assert_eq!(commits.get(head).reaches, reaches);
            assert_eq!(commits.newest_first(head).count() as u64, reaches);
        }
        assert_eq!(commits.between(Some(left), joined), [right, merge, other_root, joined]);
        assert_eq!(commits.between(Some(joined), left), []);
        assert_eq!(commits.between(Some(merge), merge), []);
        assert_eq!(commits.between(None, merge), [root, left, right, merge]);
        assert!(commits.reaches(joined, left));
        assert!(!commits.reaches(left, right));
    }
}
