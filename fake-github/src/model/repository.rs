//! A repository: its settings, refs, pull requests, issues and stars. Commits are in the graph.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    graph::{CommitIndex, Commits},
    id::{AccountId, RepoId},
    issue::Issue,
    license::License,
    pull::Pull,
    second::Second,
};

/// Who may see a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody.
    Public,
    /// The owner, or the organisation's members.
    Private,
}

impl Visibility {
    /// GitHub's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Visibility::Public => "public",
            Visibility::Private => "private",
        }
    }
}

/// What a repository offers beside its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// Issues.
    pub issues: bool,
    /// Projects.
    pub projects: bool,
    /// Downloads.
    pub downloads: bool,
    /// A wiki.
    pub wiki: bool,
    /// Pages.
    pub pages: bool,
    /// Discussions.
    pub discussions: bool,
    /// Whether it may be forked.
    pub forking: bool,
}

impl Default for Features {
    /// What a new repository has.
    fn default() -> Self {
        Features {
            issues: true,
            projects: true,
            downloads: true,
            wiki: true,
            pages: false,
            discussions: false,
            forking: true,
        }
    }
}

/// Where a fork came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForkOf {
    pub(crate) parent: RepoId,
    pub(crate) source: RepoId,
}

#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) id: RepoId,
    pub(crate) owner: AccountId,
    pub(crate) name: String,
    pub(crate) visibility: Visibility,
    pub(crate) fork_of: Option<ForkOf>,
    pub(crate) forks: BTreeSet<RepoId>,
    pub(crate) archived: bool,
    /// Taken down: answers are 451.
    pub(crate) blocked_at: Option<Second>,
    pub(crate) description: Option<String>,
    pub(crate) homepage: Option<String>,
    pub(crate) topics: Vec<String>,
    pub(crate) license: Option<License>,
    pub(crate) features: Features,
    pub(crate) languages: BTreeMap<String, u64>,
    /// A push to the default branch has not been looked at by the language statistics yet.
    pub(crate) languages_due: bool,
    pub(crate) subscribers: u64,
    pub(crate) created_at: Second,
    pub(crate) updated_at: Second,
    pub(crate) pushed_at: Second,
    pub(crate) default_branch: String,
    pub(crate) branches: BTreeMap<String, CommitIndex>,
    /// Old names of renamed branches.
    pub(crate) former_branches: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, CommitIndex>,
    /// Every commit that was ever pushed here; holds the ancestors of each of its members.
    pub(crate) pushed: HashSet<CommitIndex>,
    pub(crate) newest_number: u64,
    pub(crate) pulls: BTreeMap<u64, Pull>,
    pub(crate) issues: BTreeMap<u64, Issue>,
    pub(crate) stars: BTreeMap<AccountId, Second>,
    /// Whether only its own people may see who starred it.
    pub(crate) are_stargazers_closed: bool,
}

impl Repository {
    pub(crate) fn is_public(&self) -> bool {
        self.visibility == Visibility::Public
    }

    /// The head of the default branch; none while the repository is empty.
    pub(crate) fn head(&self) -> Option<CommitIndex> {
        self.branches.get(&self.default_branch).copied()
    }

    /// Whether nothing was ever pushed, as GitHub's 409 means it.
    pub(crate) fn is_empty(&self) -> bool {
        self.branches.is_empty()
    }

    /// Issues and pull requests together, as GitHub counts them.
    pub(crate) fn open_issues(&self) -> u64 {
        let issues = self.issues.values().filter(|issue| issue.closed_at.is_none()).count();
        let pulls = self.pulls.values().filter(|pull| pull.is_open()).count();
        (issues + pulls) as u64
    }

    /// The language with the most bytes; of equals the first by name.
    pub(crate) fn language(&self) -> Option<&str> {
        self.languages_by_size().first().map(|(name, _)| *name)
    }

    /// Languages as GitHub lists them: most bytes first.
    pub(crate) fn languages_by_size(&self) -> Vec<(&str, u64)> {
        let mut list: Vec<(&str, u64)> =
            self.languages.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        list.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        list
    }

    /// Kilobytes on disk: a number that grows with the history.
    pub(crate) fn size(&self) -> u64 {
        self.pushed.len() as u64 * 3
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        self.newest_number += 1;
        self.newest_number
    }

    /// Notes a pushed head; returns the commits that were never pushed here before.
    pub(crate) fn note_pushed(&mut self, commits: &Commits, head: CommitIndex) -> HashSet<CommitIndex> {
        let mut fresh = HashSet::new();
        let mut waiting = vec![head];
        while let Some(index) = waiting.pop() {
            if self.pushed.insert(index) {
                fresh.insert(index);
                waiting.extend(&commits.get(index).parents);
            }
        }
        fresh
    }

    /// A commit by name: a branch, a tag, or the hash of any commit ever pushed here.
    pub(crate) fn resolve(&self, commits: &Commits, name: &str) -> Option<CommitIndex> {
        let branch = name.strip_prefix("refs/heads/").or(name.strip_prefix("heads/"));
        let tag = name.strip_prefix("refs/tags/").or(name.strip_prefix("tags/"));
        if let Some(found) = self.branches.get(branch.unwrap_or(name)) {
            return Some(*found);
        }
        if let Some(found) = self.tags.get(tag.unwrap_or(name)) {
            return Some(*found);
        }
        commits.find(name.parse().ok()?).filter(|index| self.pushed.contains(index))
    }
}
