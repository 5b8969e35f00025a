//! The moment of the world over which a query runs. It owns what it shows: the executor keeps no borrow.

use std::{collections::HashMap, sync::Arc};

use crate::model::{
    AccountId, RepoId,
    account::Account,
    repository::Repository,
    state::{State, View},
};

/// A moment, as one caller may see it.
pub(super) struct Moment {
    state: State,
    /// Name and reach of each default branch's head.
    heads: HashMap<RepoId, (String, u64)>,
    html: String,
    viewer: Option<AccountId>,
    /// Counting commits fails for every second repository.
    pub(super) is_partial: bool,
}

impl Moment {
    pub(super) fn of(view: View<'_>, viewer: Option<AccountId>, is_partial: bool) -> Self {
        let heads = view.state.repositories.values().filter_map(|repo| {
            let head = view.commits.get(repo.head()?);
            Some((repo.id, (head.sha.to_string(), head.reaches)))
        });
        Moment {
            heads: heads.collect(),
            state: view.state.clone(),
            html: view.urls.html.clone(),
            viewer,
            is_partial,
        }
    }

    pub(super) fn account_named(&self, login: &str) -> Option<Arc<Account>> {
        let id = self.state.logins.get(&login.to_lowercase())?;
        self.state.accounts.get(id).cloned()
    }

    /// What the caller may see of an account's repositories, by name.
    pub(super) fn repositories_of(&self, owner: &Account) -> Vec<Arc<Repository>> {
        let sees_all = self.viewer.is_some_and(|who| who == owner.id || owner.members.contains(&who));
        let from = (owner.id, String::new());
        let until = (AccountId(owner.id.0 + 1), String::new());
        let owned = self.state.names.range(from..until).filter_map(|(_, id)| self.state.repositories.get(id));
        owned.filter(|repo| sees_all || repo.is_public()).cloned().collect()
    }

    pub(super) fn head(&self, repo: RepoId) -> Option<&(String, u64)> {
        self.heads.get(&repo)
    }

    /// The page of an account.
    pub(super) fn page(&self, account: &Account) -> String {
        format!("{}/{}", self.html, account.login)
    }

    /// `owner/name`
    pub(super) fn full_name(&self, repo: &Repository) -> String {
        let owner = self.state.accounts.get(&repo.owner).map_or("", |owner| owner.login.as_str());
        format!("{owner}/{}", repo.name)
    }

    pub(super) fn html(&self) -> &str {
        &self.html
    }
}
