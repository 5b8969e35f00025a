//! A pull request.

use super::{
    graph::CommitIndex,
    id::{AccountId, RepoId},
    second::Second,
};

#[derive(Debug, Clone)]
pub(crate) struct Pull {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) user: AccountId,
    pub(crate) draft: bool,
    pub(crate) created_at: Second,
    pub(crate) updated_at: Second,
    pub(crate) closed_at: Option<Second>,
    pub(crate) merged: Option<Merged>,
    pub(crate) head: Side,
    pub(crate) base: Side,
}

/// How a pull request was merged.
#[derive(Debug, Clone)]
pub(crate) struct Merged {
    pub(crate) at: Second,
    pub(crate) by: AccountId,
    pub(crate) commit: CommitIndex,
}

/// One end of a pull request. The repository of a head may have gone since.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    pub(crate) repo: RepoId,
    /// The owner of that repository, which outlives it in the label.
    pub(crate) owner: AccountId,
    pub(crate) branch: String,
    pub(crate) commit: CommitIndex,
}

impl Pull {
    pub(crate) fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }
}

/// How many pull requests a repository has, by state. Total is their sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct PullCounts {
    /// Open, drafts included.
    pub open: u64,
    /// Merged.
    pub merged: u64,
    /// Closed without a merge.
    pub closed: u64,
    /// All of them.
    pub total: u64,
    /// The highest number that a pull request has; 0 when there is none.
    pub newest: u64,
}

impl PullCounts {
    pub(crate) fn of<'a>(pulls: impl Iterator<Item = &'a Pull>) -> Self {
        let mut counts = PullCounts::default();
        for pull in pulls {
            match (&pull.merged, pull.closed_at) {
                (Some(_), _) => counts.merged += 1,
                (None, Some(_)) => counts.closed += 1,
                (None, None) => counts.open += 1,
            }
            counts.total += 1;
            counts.newest = counts.newest.max(pull.number);
        }
        counts
    }
}
