//! The App: made, installed, suspended, removed; what it may see; its tokens.

use std::{collections::BTreeSet, sync::Arc};

use rand::RngExt;

use crate::{
    model::{
        app::{App, AppKeys, Installed, TOKEN_SECONDS, Token},
        event::{Audience, installation_id},
        hook::{HookTarget, NewHook},
        id::{AccountId, RepoId},
        refused::Refused,
        second::Second,
        world::World,
    },
    wire,
};

/// What an App is allowed unless it asks for something else.
const PERMISSIONS: [(&str, &str); 4] =
    [("contents", "read"), ("issues", "read"), ("metadata", "read"), ("pull_requests", "read")];

impl World {
    /// Makes the world's App, which sends to `url` what happens to the accounts that it is installed on. A world has
    /// one: a former one is gone with its installations.
    ///
    /// # Errors
    /// When the URL is not `http://`.
    pub fn create_app(&mut self, name: &str, url: &str, events: &[&str]) -> Result<AppKeys, Refused> {
        if let Some(former) = self.state.app.take() {
            self.state.hooks.remove(&former.hook);
        }
        let secret: u128 = self.rng.random();
        let webhook_secret = format!("{secret:032x}");
        let events: Vec<String> = events.iter().map(|event| (*event).to_owned()).collect();
        let mut hook = NewHook::new(HookTarget::Installations, url, &webhook_secret);
        // Of installations an App hears whatever it subscribes to.
        hook.events.clone_from(&events);
        hook.events.extend([
            "installation".into(),
            "installation_repositories".into(),
            "installation_target".into(),
        ]);
        let id = self.new_id();
        let hook = self.create_hook(hook)?;
        let mut app = App::new(id, name.to_owned(), hook);
        app.permissions = PERMISSIONS.map(|(name, right)| (name.to_owned(), right.to_owned())).into();
        app.events = events;
        let private_key = app.private_key().to_owned();
        self.state.app = Some(Arc::new(app));
        Ok(AppKeys { id, private_key, webhook_secret })
    }

    /// Lets the App send somewhere else from now on.
    ///
    /// # Errors
    /// When there is none.
    pub fn send_app_to(&mut self, url: &str) -> Result<(), Refused> {
        let hook = self.app()?.hook;
        let hook = self.state.hooks.get_mut(&hook).map(Arc::make_mut).ok_or(Refused::Missing("hook"))?;
        hook.settings.url = url.to_owned();
        Ok(())
    }

    /// What the App is allowed, and no more.
    ///
    /// # Errors
    /// When there is none.
    pub fn allow_app(&mut self, permissions: &[(&str, &str)]) -> Result<(), Refused> {
        let permissions = permissions.iter().map(|(name, right)| ((*name).to_owned(), (*right).to_owned()));
        self.app_mut()?.permissions = permissions.collect();
        Ok(())
    }

    /// Installs the App on an account, with all its repositories; says the installation's id.
    ///
    /// # Errors
    /// When there is no App or no such account.
    pub fn install_app(&mut self, account: AccountId) -> Result<u64, Refused> {
        let at = self.begin();
        self.account_mut(account)?;
        let installed = Installed { at, suspended_at: None, withdrawn: BTreeSet::new() };
        self.app_mut()?.installed.insert(account, installed);
        self.emit_installation("created", account);
        Ok(installation_id(account))
    }

    /// Suspends the App's installation on an account, or ends that.
    ///
    /// # Errors
    /// When it is not installed there.
    pub fn suspend_installation(&mut self, account: AccountId, suspended: bool) -> Result<(), Refused> {
        let now = self.begin();
        self.installed(account)?;
        if suspended {
            self.emit_installation("suspend", account);
        }
        self.installed(account)?.suspended_at = suspended.then_some(now);
        if !suspended {
            self.emit_installation("unsuspend", account);
        }
        Ok(())
    }

    /// Removes the App from an account.
    ///
    /// # Errors
    /// When it is not installed there.
    pub fn uninstall_app(&mut self, account: AccountId) -> Result<(), Refused> {
        self.begin();
        self.installed(account)?;
        self.emit_installation("deleted", account);
        let app = self.app_mut()?;
        app.installed.remove(&account);
        app.tokens.retain(|_, token| token.account != account);
        Ok(())
    }

    /// Takes a repository from the App's installation on its owner, or gives it back.
    ///
    /// # Errors
    /// When it is not there, or the App is not installed on its owner.
    pub fn withdraw_from_app(&mut self, repo: RepoId, withdrawn: bool) -> Result<(), Refused> {
        self.begin();
        let owner = self.repository(repo)?.owner;
        let all = &mut self.installed(owner)?.withdrawn;
        if withdrawn {
            all.insert(repo)
        } else {
            all.remove(&repo)
        };
        let action = if withdrawn { "removed" } else { "added" };
        let (app, by) = (self.app()?, self.view().actor(owner));
        self.emit_account("installation_repositories", action, owner, by, Audience::APP, |o, view| {
            o.object("installation", |o| wire::installation(o, view, &app, owner));
            o.text("repository_selection", "selected");
            for (field, is_filled) in
                [("repositories_added", !withdrawn), ("repositories_removed", withdrawn)]
            {
                let repos = is_filled.then(|| view.repository(repo)).flatten();
                o.list(field, repos, |items, repo| {
                    items.object(|o| wire::installed_repository(o, view, repo));
                });
            }
            o.null("requester");
        });
        Ok(())
    }

    /// A token for an installation, and when it ends.
    ///
    /// # Errors
    /// When it is suspended, or not there.
    pub(crate) fn make_installation_token(
        &mut self,
        account: AccountId,
    ) -> Result<(String, Second), Refused> {
        let ends_at = self.now().plus(TOKEN_SECONDS);
        if self.installed(account)?.suspended_at.is_some() {
            return Err(Refused::NotAllowed("the installation is suspended"));
        }
        let token = format!("ghs_{:032x}", self.rng.random::<u128>());
        self.app_mut()?.tokens.insert(token.clone(), Token { account, ends_at });
        Ok((token, ends_at))
    }

    fn emit_installation(&mut self, action: &'static str, account: AccountId) {
        let Ok(app) = self.app() else { return };
        let by = self.view().actor(account);
        self.emit_account("installation", action, account, by, Audience::APP, |o, view| {
            o.object("installation", |o| wire::installation(o, view, &app, account));
            o.list("repositories", view.repositories_of(account), |items, repo| {
                items.object(|o| wire::installed_repository(o, view, repo));
            });
            o.null("requester");
        });
    }

    fn app(&self) -> Result<Arc<App>, Refused> {
        self.state.app.clone().ok_or(Refused::Missing("App"))
    }

    fn app_mut(&mut self) -> Result<&mut App, Refused> {
        self.state.app.as_mut().map(Arc::make_mut).ok_or(Refused::Missing("App"))
    }

    fn installed(&mut self, account: AccountId) -> Result<&mut Installed, Refused> {
        self.app_mut()?.installed.get_mut(&account).ok_or(Refused::Missing("installation"))
    }
}
