//! What a data folder of the bench holds: accounts of one size, named and numbered so that every name and id
//! has the same length and a delivery about any of them is made by overwriting a template in place.

use domain::{AccountId, CommitId, RepoId, Second};
use serde::{Deserialize, Serialize};

/// Accounts of one size.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Shape {
    /// The number of the first account; shapes of one folder do not overlap.
    pub(crate) first: u32,
    pub(crate) accounts: u32,
    /// Of each account.
    pub(crate) repositories: u32,
    /// Of each repository.
    pub(crate) pulls: u32,
}

/// A repository of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) account: u32,
    pub(crate) repository: u32,
}

/// Commits that each repository has before the first push.
pub(crate) const COMMITS: u64 = 100;

/// Everything in the folders happened before this second; pushes come one each second after it.
pub(crate) const EPOCH_SECONDS: i64 = 1_700_000_000;

/// Ids have ten digits.
const ACCOUNT_BASE: u64 = 1_000_000_000;
const REPOSITORY_BASE: u64 = 2_000_000_000;
/// More repositories than any account has.
const REPOSITORIES_MAX: u64 = 20_000;
/// Numbers of pull requests have seven digits.
const PULL_BASE: u64 = 1_000_000;

impl Shape {
    pub(crate) fn new(first: u32, accounts: u32, repositories: u32, pulls: u32) -> Self {
        Shape { first, accounts, repositories, pulls }
    }

    /// How many repositories it has in all.
    pub(crate) fn places(&self) -> u32 {
        self.accounts * self.repositories
    }

    /// Its repository with this number; neighbours are of different accounts.
    pub(crate) fn place(&self, number: u32) -> Place {
        Place { account: self.first + number % self.accounts, repository: number / self.accounts }
    }
}

impl Place {
    pub(crate) fn account_number(self) -> u64 {
        ACCOUNT_BASE + u64::from(self.account)
    }

    pub(crate) fn repository_number(self) -> u64 {
        REPOSITORY_BASE + u64::from(self.account) * REPOSITORIES_MAX + u64::from(self.repository)
    }

    pub(crate) fn account_id(self) -> AccountId {
        AccountId::github(self.account_number())
    }

    pub(crate) fn repository_id(self) -> RepoId {
        RepoId::github(self.repository_number())
    }

    pub(crate) fn login(self) -> String {
        login(self.account)
    }

    pub(crate) fn name(self) -> String {
        format!("repo{:06}", self.repository)
    }

    /// The head of the default branch after so many pushes, 40 hex digits.
    pub(crate) fn head(self, pushes: u64) -> String {
        format!("{:020x}{pushes:020x}", self.repository_number())
    }

    pub(crate) fn head_id(self, pushes: u64) -> CommitId {
        self.head(pushes).parse().expect("40 hex digits name a commit")
    }
}

pub(crate) fn login(account: u32) -> String {
    format!("acct{account:06}")
}

/// The number of a pull request, counted from 0.
pub(crate) fn pull_number(pull: u64) -> u64 {
    PULL_BASE + 1 + pull
}

/// When the push with this number, counted from 1, happened.
pub(crate) fn pushed_at(pushes: u64) -> Second {
    Second(EPOCH_SECONDS.saturating_add_unsigned(pushes))
}
