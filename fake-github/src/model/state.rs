//! Everything the world holds at one moment. Cheap to clone, so that old moments can be kept for answers
//! from a replica that lags.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    account::Account,
    app::App,
    gist::Gist,
    graph::Commits,
    hook::{Hook, HookTarget},
    id::{AccountId, HookId, RepoId},
    repository::Repository,
    second::Second,
    urls::Urls,
};

#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) accounts: BTreeMap<AccountId, Arc<Account>>,
    pub(crate) repositories: BTreeMap<RepoId, Arc<Repository>>,
    /// Lower-cased login → account.
    pub(crate) logins: BTreeMap<String, AccountId>,
    /// Owner and lower-cased name → repository.
    pub(crate) names: BTreeMap<(AccountId, String), RepoId>,
    /// Lower-cased former login and name → repository: GitHub redirects these until the name is taken.
    pub(crate) former_names: BTreeMap<(String, String), RepoId>,
    pub(crate) hooks: BTreeMap<HookId, Arc<Hook>>,
    /// By id.
    pub(crate) gists: BTreeMap<String, Arc<Gist>>,
    pub(crate) app: Option<Arc<App>>,
    pub(crate) tokens: Arc<HashMap<String, AccountId>>,
    /// When the tokens of an account end, where they do.
    pub(crate) token_ends: Arc<HashMap<AccountId, Second>>,
}

/// What a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    Here(RepoId),
    Moved(RepoId),
}

/// A moment of the world, with the commits and hosts that it needs to be shown.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) state: &'a State,
    pub(crate) commits: &'a Commits,
    pub(crate) urls: &'a Urls,
}

impl<'a> View<'a> {
    pub(crate) fn account(&self, id: AccountId) -> &'a Account {
        self.state.accounts.get(&id).expect("accounts are never removed")
    }

    pub(crate) fn account_named(&self, login: &str) -> Option<&'a Account> {
        let id = self.state.logins.get(&login.to_lowercase())?;
        Some(self.account(*id))
    }

    pub(crate) fn repository(&self, id: RepoId) -> Option<&'a Repository> {
        self.state.repositories.get(&id).map(AsRef::as_ref)
    }

    /// What `owner/name` leads to; former names lead on, while their repository is there.
    pub(crate) fn repository_named(&self, owner: &str, name: &str) -> Option<Named> {
        let (owner, name) = (owner.to_lowercase(), name.to_lowercase());
        if let Some(account) = self.state.logins.get(&owner)
            && let Some(id) = self.state.names.get(&(*account, name.clone()))
        {
            return Some(Named::Here(*id));
        }
        let id = self.state.former_names.get(&(owner, name))?;
        self.repository(*id).map(|repo| Named::Moved(repo.id))
    }

    pub(crate) fn full_name(&self, repo: &Repository) -> String {
        format!("{}/{}", self.account(repo.owner).login, repo.name)
    }

    /// The repositories of an account, by name.
    pub(crate) fn repositories_of(&self, owner: AccountId) -> Vec<&'a Repository> {
        let from = (owner, String::new());
        let until = (AccountId(owner.0 + 1), String::new());
        self.state
            .names
            .range(from..until)
            .map(|(_, id)| self.repository(*id).expect("a name leads to a repository that is there"))
            .collect()
    }

    /// Whether an account may see a private repository and administer a public one.
    pub(crate) fn acts_for(&self, who: Option<AccountId>, owner: AccountId) -> bool {
        who.is_some_and(|who| who == owner || self.account(owner).members.contains(&who))
    }

    /// Who acts in a repository when nobody else is named: its owner, or the organisation's owner.
    pub(crate) fn actor(&self, owner: AccountId) -> AccountId {
        self.account(owner).members.first().copied().unwrap_or(owner)
    }

    pub(crate) fn hooks_of(&self, target: HookTarget) -> impl Iterator<Item = &'a Hook> {
        self.state.hooks.values().map(AsRef::as_ref).filter(move |hook| hook.settings.target == target)
    }
}
