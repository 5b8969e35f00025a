//! Users and organisations: made, renamed.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    model::{
        account::{Account, AccountKind},
        event::{Audience, installation_id},
        id::AccountId,
        refused::Refused,
        world::World,
    },
    wire,
};

impl World {
    /// Makes a user.
    ///
    /// # Errors
    /// When the login is taken or no login.
    pub fn create_user(&mut self, login: &str) -> Result<AccountId, Refused> {
        self.create_account(login, AccountKind::User, BTreeSet::new())
    }

    /// Makes an organisation that `owner` acts for.
    ///
    /// # Errors
    /// When the login is taken or no login, or the owner is not there.
    pub fn create_organization(&mut self, login: &str, owner: AccountId) -> Result<AccountId, Refused> {
        if !self.state.accounts.contains_key(&owner) {
            return Err(Refused::Missing("account"));
        }
        self.create_account(login, AccountKind::Organization, BTreeSet::from([owner]))
    }

    /// Gives an account another login. The id stays, the old login leads nowhere, and the old names of its
    /// repositories redirect until somebody takes them. An organisation says `organization.renamed`; an App
    /// hears `installation_target.renamed`; of a user nobody else hears.
    ///
    /// # Errors
    /// When the login is taken or no login.
    pub fn rename_account(&mut self, id: AccountId, login: &str) -> Result<(), Refused> {
        self.check_login(login)?;
        let now = self.begin();
        let account = self.account_mut(id)?;
        let from = std::mem::replace(&mut account.login, login.to_owned());
        account.updated_at = now;
        self.state.logins.remove(&from.to_lowercase());
        self.state.logins.insert(login.to_lowercase(), id);
        let names: Vec<_> =
            self.view().repositories_of(id).iter().map(|repo| (repo.name.to_lowercase(), repo.id)).collect();
        for (name, repo) in names {
            self.state.former_names.remove(&(login.to_lowercase(), name.clone()));
            self.state.former_names.insert((from.to_lowercase(), name), repo);
        }
        let by = self.view().actor(id);
        let is_organization = self.view().account(id).kind == AccountKind::Organization;
        let changes = |o: &mut wire::Object<'_>| {
            o.object("changes", |o| o.object("login", |o| o.text("from", &from)));
        };
        if is_organization {
            let audience = Audience { repository: false, organization: true, app: true };
            self.emit_account("organization", "renamed", id, by, audience, |o, _| changes(o));
        }
        self.emit_account("installation_target", "renamed", id, by, Audience::APP, |o, view| {
            changes(o);
            let account = view.account(id);
            o.object("account", |o| wire::installation_account(o, view, account));
            o.text("target_type", account.kind.as_str());
            o.object("installation", |o| {
                o.number("id", installation_id(id));
                o.text(
                    "node_id",
                    format_args!("MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9u{}", installation_id(id)),
                );
            });
        });
        Ok(())
    }

    fn create_account(
        &mut self,
        login: &str,
        kind: AccountKind,
        members: BTreeSet<AccountId>,
    ) -> Result<AccountId, Refused> {
        self.check_login(login)?;
        let now = self.begin();
        let id = AccountId(self.new_id());
        let account = Account {
            id,
            kind,
            login: login.to_owned(),
            name: None,
            email: None,
            description: None,
            followers: 0,
            following: 0,
            public_gists: 0,
            created_at: now,
            updated_at: now,
            members,
            is_gone: false,
        };
        self.state.accounts.insert(id, Arc::new(account));
        self.state.logins.insert(login.to_lowercase(), id);
        Ok(id)
    }

    fn check_login(&self, login: &str) -> Result<(), Refused> {
        let good = (1..=39).contains(&login.len())
            && login.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !good {
            return Err(Refused::NotAllowed("a login has 1 to 39 letters, digits and hyphens"));
        }
        if self.state.logins.contains_key(&login.to_lowercase()) {
            return Err(Refused::Taken(login.to_owned()));
        }
        Ok(())
    }
}
