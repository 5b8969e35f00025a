//! The oracle: what is true of the world now, in numbers that a test compares with what it got.

use std::collections::BTreeMap;

use super::{
    account::AccountKind,
    id::{AccountId, RepoId},
    pull::PullCounts,
    repository::{Repository, Visibility},
    second::Second,
    sha::Sha,
    state::View,
    world::World,
};

/// What is true of a repository.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RepoTruth {
    /// Its id.
    pub id: RepoId,
    /// Its owner's id.
    pub owner: AccountId,
    /// Its owner's login.
    pub owner_login: String,
    /// Its name.
    pub name: String,
    /// `owner/name`.
    pub full_name: String,
    /// Its page.
    pub html_url: String,
    /// The line below the name.
    pub description: Option<String>,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether it is a fork.
    pub fork: bool,
    /// Whether it is archived.
    pub archived: bool,
    /// Taken down for legal reasons: answers are 451.
    pub blocked: bool,
    /// The name of the default branch, which an empty repository has too.
    pub default_branch: String,
    /// The head of the default branch; none while it is empty.
    pub head: Option<Sha>,
    /// How many commits that head reaches.
    pub commits: u64,
    /// Pull requests by state.
    pub pulls: PullCounts,
    /// `stargazers_count`.
    pub stars: u64,
    /// `forks_count`.
    pub forks: u64,
    /// `subscribers_count`.
    pub watchers: u64,
    /// `open_issues_count`: pull requests included.
    pub open_issues: u64,
    /// Bytes per language.
    pub languages: BTreeMap<String, u64>,
    /// Sorted.
    pub topics: Vec<String>,
    /// The SPDX id.
    pub license: Option<String>,
    /// When it was made.
    pub created_at: Second,
    /// When its settings or stars last changed.
    pub updated_at: Second,
    /// When any of its refs last moved.
    pub pushed_at: Second,
}

/// What is true of an account, and of its public repositories.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AccountTruth {
    /// Its id.
    pub id: AccountId,
    /// User or organisation.
    pub kind: AccountKind,
    /// Its login.
    pub login: String,
    /// The name in its profile.
    pub name: Option<String>,
    /// Its page.
    pub html_url: String,
    /// Its picture.
    pub avatar_url: String,
    /// The public e-mail address of its profile.
    pub email: Option<String>,
    /// How many follow it.
    pub followers: u64,
    /// How many public gists it has.
    pub public_gists: u64,
    /// Its public repositories that answer, by name in byte order.
    pub repositories: Vec<RepoTruth>,
}

impl World {
    /// What is true of a repository, public or not; `None` when it is not there.
    pub fn truth(&self, id: RepoId) -> Option<RepoTruth> {
        let view = self.view();
        view.repository(id).map(|repo| repo_truth(view, repo))
    }

    /// What is true of an account and its public repositories; `None` when no account has this login now.
    pub fn account_truth(&self, login: &str) -> Option<AccountTruth> {
        let view = self.view();
        let account = view.account_named(login)?;
        let mut repositories: Vec<RepoTruth> = (view.repositories_of(account.id).iter())
            .filter(|repo| repo.is_public() && repo.blocked_at.is_none())
            .map(|repo| repo_truth(view, repo))
            .collect();
        repositories.sort_by(|a, b| a.name.cmp(&b.name));
        Some(AccountTruth {
            id: account.id,
            kind: account.kind,
            login: account.login.clone(),
            name: account.name.clone(),
            html_url: format!("{}/{}", view.urls.html, account.login),
            avatar_url: format!("https://avatars.githubusercontent.com/u/{}?v=4", account.id),
            email: account.email.clone(),
            followers: account.followers,
            public_gists: account.public_gists,
            repositories,
        })
    }

    /// The repositories that are there, by id.
    pub fn repositories(&self) -> Vec<RepoId> {
        self.state.repositories.keys().copied().collect()
    }

    /// The repository that has this name now, public or not.
    pub fn repository_id(&self, owner: &str, name: &str) -> Option<RepoId> {
        let account = self.state.logins.get(&owner.to_lowercase())?;
        self.state.names.get(&(*account, name.to_lowercase())).copied()
    }

    /// All accounts, by id.
    pub fn accounts(&self) -> Vec<AccountId> {
        self.state.accounts.keys().copied().collect()
    }

    /// An account's login now.
    pub fn login(&self, id: AccountId) -> Option<&str> {
        self.state.accounts.get(&id).map(|account| account.login.as_str())
    }

    /// The account that has this login now.
    pub fn account_id(&self, login: &str) -> Option<AccountId> {
        self.state.logins.get(&login.to_lowercase()).copied()
    }

    /// How many commits a commit reaches, itself included; `None` when it was never made.
    pub fn commit_count(&self, commit: Sha) -> Option<u64> {
        self.commits.find(commit).map(|index| self.commits.get(index).reaches)
    }

    /// The head of a branch.
    pub fn branch_head(&self, id: RepoId, branch: &str) -> Option<Sha> {
        let head = self.repository(id).ok()?.branches.get(branch)?;
        Some(self.commits.get(*head).sha)
    }

    /// The names of a repository's branches.
    pub fn branches(&self, id: RepoId) -> Vec<String> {
        self.repository(id).map(|repo| repo.branches.keys().cloned().collect()).unwrap_or_default()
    }

    /// Who starred a repository, and when.
    pub fn stargazers(&self, id: RepoId) -> BTreeMap<AccountId, Second> {
        self.repository(id).map(|repo| repo.stars.clone()).unwrap_or_default()
    }
}

fn repo_truth(view: View<'_>, repo: &Repository) -> RepoTruth {
    let full_name = view.full_name(repo);
    let head = repo.head().map(|index| view.commits.get(index));
    RepoTruth {
        id: repo.id,
        owner: repo.owner,
        owner_login: view.account(repo.owner).login.clone(),
        name: repo.name.clone(),
        html_url: format!("{}/{full_name}", view.urls.html),
        full_name,
        description: repo.description.clone(),
        visibility: repo.visibility,
        fork: repo.fork_of.is_some(),
        archived: repo.archived,
        blocked: repo.blocked_at.is_some(),
        default_branch: repo.default_branch.clone(),
        head: head.map(|commit| commit.sha),
        commits: head.map_or(0, |commit| commit.reaches),
        pulls: PullCounts::of(repo.pulls.values()),
        stars: repo.stars.len() as u64,
        forks: repo.forks.len() as u64,
        watchers: repo.subscribers,
        open_issues: repo.open_issues(),
        languages: repo.languages.clone(),
        topics: repo.topics.clone(),
        license: repo.license.map(|license| license.spdx_id.to_owned()),
        created_at: repo.created_at,
        updated_at: repo.updated_at,
        pushed_at: repo.pushed_at,
    }
}
