//! What GitHub changes without an event: only a reading tells.

use std::{collections::BTreeMap, sync::Arc};

use crate::model::{
    account::AccountKind,
    id::{AccountId, RepoId},
    refused::Refused,
    second::Second,
    world::World,
};

impl World {
    /// Sets how many people watch a repository (`subscribers_count`).
    ///
    /// # Errors
    /// When it is not there.
    pub fn set_subscribers(&mut self, id: RepoId, count: u64) -> Result<(), Refused> {
        self.begin();
        self.repository_mut(id)?.subscribers = count;
        Ok(())
    }

    /// Sets the bytes per language, as the statistics do some time after a push.
    ///
    /// # Errors
    /// When the repository is not there.
    pub fn set_languages(&mut self, id: RepoId, languages: &[(&str, u64)]) -> Result<(), Refused> {
        self.begin();
        let repo = self.repository_mut(id)?;
        repo.languages =
            languages.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect::<BTreeMap<_, _>>();
        repo.languages_due = false;
        Ok(())
    }

    /// Sets how many follow an account.
    ///
    /// # Errors
    /// When it is not there.
    pub fn set_followers(&mut self, id: AccountId, count: u64) -> Result<(), Refused> {
        self.begin();
        self.account_mut(id)?.followers = count;
        Ok(())
    }

    /// Sets how many public gists an account has.
    ///
    /// # Errors
    /// When it is not there.
    pub fn set_public_gists(&mut self, id: AccountId, count: u64) -> Result<(), Refused> {
        self.begin();
        self.account_mut(id)?.public_gists = count;
        Ok(())
    }

    /// Sets the name and public e-mail address of a profile.
    ///
    /// # Errors
    /// When the account is not there.
    pub fn set_profile(
        &mut self,
        id: AccountId,
        name: Option<&str>,
        email: Option<&str>,
    ) -> Result<(), Refused> {
        let now = self.begin();
        let account = self.account_mut(id)?;
        account.name = name.map(str::to_owned);
        account.email = email.map(str::to_owned);
        account.updated_at = now;
        Ok(())
    }

    /// Takes all stars of an account back, as GitHub does when it removes a spammer: no event, and no
    /// `updated_at` moves.
    ///
    /// # Errors
    /// When the account is not there.
    pub fn purge_stars(&mut self, of: AccountId) -> Result<(), Refused> {
        self.begin();
        if !self.state.accounts.contains_key(&of) {
            return Err(Refused::Missing("account"));
        }
        let starred: Vec<RepoId> = (self.state.repositories.values())
            .filter(|repo| repo.stars.contains_key(&of))
            .map(|repo| repo.id)
            .collect();
        for id in starred {
            self.repository_mut(id)?.stars.remove(&of);
        }
        Ok(())
    }

    /// Deletes a user with all its repositories, and takes its stars back. Nobody is told. What it did elsewhere
    /// stays.
    ///
    /// # Errors
    /// When it is not there, or an organisation.
    pub fn delete_user(&mut self, id: AccountId) -> Result<(), Refused> {
        if self.account_mut(id)?.kind != AccountKind::User {
            return Err(Refused::NotAllowed("an organisation is deleted by its owners"));
        }
        self.purge_stars(id)?;
        let owned: Vec<RepoId> = self.view().repositories_of(id).iter().map(|repo| repo.id).collect();
        for repo in owned {
            // A user's repositories have no hook that hears of it.
            self.delete_repository(repo)?;
        }
        let account = self.account_mut(id)?;
        account.is_gone = true;
        let login = account.login.to_lowercase();
        self.state.logins.remove(&login);
        Ok(())
    }

    /// Takes a repository down for legal reasons, or puts it up again: answers about it are 451.
    ///
    /// # Errors
    /// When it is not there.
    pub fn block_repository(&mut self, id: RepoId, blocked: bool) -> Result<(), Refused> {
        let now = self.begin();
        self.repository_mut(id)?.blocked_at = blocked.then_some(now);
        Ok(())
    }

    /// Lets a token act for an account.
    pub fn accept_token(&mut self, token: &str, account: AccountId) {
        Arc::make_mut(&mut self.state.tokens).insert(token.to_owned(), account);
    }

    /// Says in every answer to an account's tokens when they end.
    pub fn end_tokens_of(&mut self, account: AccountId, at: Second) {
        Arc::make_mut(&mut self.state.token_ends).insert(account, at);
    }
}
