//! The world: all accounts and repositories, and the events that GitHub would send about them.
//! What can be done to it stands in the files of `act/`; this one holds what they share.

use std::{collections::HashMap, sync::Arc};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    account::Account,
    event::{Audience, Emitted},
    graph::Commits,
    hook::{Hook, HookTarget},
    id::{AccountId, RepoId},
    lag::{Lag, Moments},
    refused::Refused,
    repository::Repository,
    second::Second,
    state::{State, View},
    urls::Urls,
};
use crate::{
    clock::Clock,
    wire::{self, Object},
};

/// A GitHub without a wire: deterministic from its seed, its clock and what is done to it.
#[derive(Debug)]
pub struct World {
    pub(crate) state: State,
    pub(crate) commits: Commits,
    pub(crate) urls: Urls,
    clock: Clock,
    /// While the past is being made up: its second.
    pub(crate) staged: Option<Second>,
    latest: Second,
    pub(crate) rng: ChaCha8Rng,
    next_id: u64,
    events: Vec<Emitted>,
    /// By code.
    manifests: HashMap<String, String>,
    moments: Moments,
}

impl World {
    /// An empty world. Ids, GUIDs and contents come from the seed.
    pub fn new(seed: u64, clock: Clock, urls: Urls) -> Self {
        World {
            state: State::default(),
            commits: Commits::default(),
            urls,
            clock,
            staged: None,
            latest: Second(0),
            rng: ChaCha8Rng::seed_from_u64(seed),
            next_id: 10_000,
            events: Vec::new(),
            manifests: HashMap::new(),
            moments: Moments::default(),
        }
    }

    /// The events since the last call, in the order in which they happened.
    pub fn take_events(&mut self) -> Vec<Emitted> {
        std::mem::take(&mut self.events)
    }

    /// The forge's second. It never goes back.
    pub fn now(&self) -> Second {
        self.staged.unwrap_or_else(|| self.clock.now()).max(self.latest)
    }

    /// Keeps old moments from now on (or stops), so that answers can lag behind.
    pub(crate) fn keep_moments(&mut self, on: bool) {
        self.moments.keep(on);
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { state: &self.state, commits: &self.commits, urls: &self.urls }
    }

    pub(crate) fn view_behind(&self, lag: Lag) -> View<'_> {
        let state = self.moments.behind(lag, self.now()).unwrap_or(&self.state);
        View { state, commits: &self.commits, urls: &self.urls }
    }

    /// Keeps a manifest that somebody agreed to; says by which code it is asked for.
    pub(crate) fn keep_manifest(&mut self, manifest: String) -> String {
        let code = format!("{:040x}", self.rng.random::<u128>());
        self.manifests.insert(code.clone(), manifest);
        code
    }

    /// A manifest, which is given out once.
    pub(crate) fn take_manifest(&mut self, code: &str) -> Option<String> {
        self.manifests.remove(code)
    }

    /// Every operation begins here: it keeps the moment that it ends, and returns the second in which it
    /// happens.
    pub(crate) fn begin(&mut self) -> Second {
        let now = self.now();
        self.latest = now;
        self.moments.note(now, &self.state);
        now
    }

    /// A new id: rising, with gaps, as on a forge where others are busy too.
    pub(crate) fn new_id(&mut self) -> u64 {
        self.next_id += self.rng.random_range(1..6);
        self.next_id
    }

    pub(crate) fn account_mut(&mut self, id: AccountId) -> Result<&mut Account, Refused> {
        self.state.accounts.get_mut(&id).map(Arc::make_mut).ok_or(Refused::Missing("account"))
    }

    pub(crate) fn repository(&self, id: RepoId) -> Result<&Repository, Refused> {
        self.view().repository(id).ok_or(Refused::Missing("repository"))
    }

    pub(crate) fn repository_mut(&mut self, id: RepoId) -> Result<&mut Repository, Refused> {
        self.state.repositories.get_mut(&id).map(Arc::make_mut).ok_or(Refused::Missing("repository"))
    }

    /// A repository that takes pushes, issues and pull requests.
    pub(crate) fn live_repository(&self, id: RepoId) -> Result<&Repository, Refused> {
        let repo = self.repository(id)?;
        if repo.archived {
            return Err(Refused::NotAllowed("the repository is archived"));
        }
        Ok(repo)
    }

    /// Emits an event about a repository; `fields` are those of this event. The payload shows the world as
    /// it stands now.
    pub(crate) fn emit(
        &mut self,
        event: &'static str,
        action: Option<&'static str>,
        repo: RepoId,
        by: AccountId,
        audience: Audience,
        fields: impl FnOnce(&mut Object<'_>, View<'_>),
    ) {
        let view = self.view();
        let repository = view.repository(repo).expect("events are about repositories that are there");
        let owner = repository.owner;
        let body = wire::object(|o| {
            if let Some(action) = action {
                o.text("action", action);
            }
            fields(o, view);
            let form = if event == "push" { wire::Form::Push } else { wire::Form::Webhook };
            o.object("repository", |o| wire::repository(o, view, repository, form));
            wire::organization_if_any(o, view, owner);
            o.object("sender", |o| wire::user(o, view, view.account(by), wire::UserForm::Webhook));
        });
        self.keep(event, action, Some(repo), owner, audience, body);
    }

    /// Emits an event about an account.
    pub(crate) fn emit_account(
        &mut self,
        event: &'static str,
        action: &'static str,
        account: AccountId,
        by: AccountId,
        audience: Audience,
        fields: impl FnOnce(&mut Object<'_>, View<'_>),
    ) {
        let view = self.view();
        let body = wire::object(|o| {
            o.text("action", action);
            fields(o, view);
            wire::organization_if_any(o, view, account);
            o.object("sender", |o| wire::user(o, view, view.account(by), wire::UserForm::Webhook));
        });
        self.keep(event, Some(action), None, account, audience, body);
    }

    /// Emits an event to one hook alone, with this body.
    pub(crate) fn emit_to(
        &mut self,
        hook: Arc<Hook>,
        event: &'static str,
        action: Option<&'static str>,
        body: String,
    ) {
        let (repository, account) = match hook.settings.target {
            HookTarget::Repository(repo) => {
                (Some(repo), self.repository(repo).map_or(AccountId(0), |repo| repo.owner))
            }
            HookTarget::Organization(account) => (None, account),
            HookTarget::App | HookTarget::Installations => (None, AccountId(0)),
        };
        self.keep(event, action, repository, account, Audience::NONE, body);
        if let Some(last) = self.events.last_mut() {
            last.recipients = vec![hook];
        }
    }

    fn keep(
        &mut self,
        event: &'static str,
        action: Option<&'static str>,
        repository: Option<RepoId>,
        account: AccountId,
        audience: Audience,
        body: String,
    ) {
        let hears = |hook: &Hook| match hook.settings.target {
            HookTarget::Repository(id) => audience.repository && repository == Some(id),
            HookTarget::Organization(id) => audience.organization && account == id,
            HookTarget::App => audience.app,
            HookTarget::Installations => {
                audience.app && self.state.app.as_ref().is_some_and(|app| app.hears(account, repository))
            }
        };
        let recipients =
            self.state.hooks.values().filter(|hook| hears(hook) && hook.wants(event)).cloned().collect();
        let guid = guid(self.rng.random());
        let at = self.now();
        let body = body.into();
        self.events.push(Emitted {
            event,
            action,
            guid,
            at,
            repository,
            account,
            audience,
            recipients,
            body,
        });
    }
}

/// A version 4 UUID of these bits.
fn guid(bits: u128) -> String {
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_are_version_4() {
        assert_eq!(guid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(guid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
