//! Repositories: made, renamed, moved, removed, made private or public.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use crate::{
    model::{
        account::AccountKind,
        event::Audience,
        hook::HookTarget,
        id::{AccountId, RepoId},
        refused::Refused,
        repository::{Features, ForkOf, Repository, Visibility},
        world::World,
    },
    wire,
};

/// What a new repository is to be.
#[derive(Debug, Clone)]
pub struct NewRepository {
    /// Letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// Who may see it.
    pub visibility: Visibility,
    /// The line below the name.
    pub description: Option<String>,
    /// The branch that the first push is expected on.
    pub default_branch: String,
}

impl NewRepository {
    /// A public one.
    pub fn public(name: impl Into<String>) -> Self {
        NewRepository {
            name: name.into(),
            visibility: Visibility::Public,
            description: None,
            default_branch: "main".into(),
        }
    }
}

impl World {
    /// Makes an empty repository: `repository.created`.
    ///
    /// # Errors
    /// When the name is taken or no name, or the owner is not there.
    pub fn create_repository(&mut self, owner: AccountId, new: NewRepository) -> Result<RepoId, Refused> {
        let id = self.place_repository(owner, new, None)?;
        let by = self.view().actor(owner);
        self.emit("repository", Some("created"), id, by, Audience::ALL, |_, _| {});
        Ok(id)
    }

    /// Gives a repository another name; the old one redirects until somebody takes it.
    ///
    /// # Errors
    /// When the name is taken or no name.
    pub fn rename_repository(&mut self, id: RepoId, name: &str) -> Result<(), Refused> {
        let owner = self.repository(id)?.owner;
        self.check_name(owner, name, Some(id))?;
        let now = self.begin();
        let from = self.repository(id)?.name.clone();
        self.leave_name(id);
        let repo = self.repository_mut(id)?;
        name.clone_into(&mut repo.name);
        repo.updated_at = now;
        self.take_name(id);
        let by = self.view().actor(owner);
        self.emit("repository", Some("renamed"), id, by, Audience::ALL, |o, _| {
            o.object("changes", |o| {
                o.object("repository", |o| o.object("name", |o| o.text("from", &from)));
            });
        });
        Ok(())
    }

    /// Moves a repository to another owner, who alone hears of it: `repository.transferred`.
    ///
    /// # Errors
    /// When the new owner has a repository of that name, or owns it already.
    pub fn transfer_repository(&mut self, id: RepoId, to: AccountId) -> Result<(), Refused> {
        let repo = self.repository(id)?;
        let (from, name) = (repo.owner, repo.name.clone());
        if from == to {
            return Err(Refused::NotAllowed("the account owns the repository already"));
        }
        if !self.state.accounts.contains_key(&to) {
            return Err(Refused::Missing("account"));
        }
        self.check_name(to, &name, None)?;
        let now = self.begin();
        let by = self.view().actor(from);
        self.leave_name(id);
        let repo = self.repository_mut(id)?;
        repo.owner = to;
        repo.updated_at = now;
        self.take_name(id);
        self.emit("repository", Some("transferred"), id, by, Audience::ALL, |o, view| {
            o.object("changes", |o| {
                o.object("owner", |o| {
                    o.object("from", |o| {
                        let account = view.account(from);
                        match account.kind {
                            AccountKind::User => {
                                o.object("user", |o| wire::user(o, view, account, wire::UserForm::Webhook));
                            }
                            AccountKind::Organization => {
                                o.object("organization", |o| wire::organization(o, view, account));
                            }
                        }
                    });
                });
            });
        });
        Ok(())
    }

    /// Removes a repository with all that is in it. Only the organisation's hooks hear of it. Of its forks
    /// the oldest becomes the root of the others.
    ///
    /// # Errors
    /// When it is not there.
    pub fn delete_repository(&mut self, id: RepoId) -> Result<(), Refused> {
        let repo = self.repository(id)?;
        let (owner, parent) = (repo.owner, repo.fork_of.map(|fork| fork.parent));
        self.begin();
        let by = self.view().actor(owner);
        self.emit("repository", Some("deleted"), id, by, Audience::ORGANIZATION, |_, _| {});
        self.split_network(id);
        if let Some(parent) = parent
            && let Ok(parent) = self.repository_mut(parent)
        {
            parent.forks.remove(&id);
        }
        let key = (owner, self.repository(id)?.name.to_lowercase());
        self.state.names.remove(&key);
        self.state.former_names.retain(|_, target| *target != id);
        self.state.repositories.remove(&id);
        self.state.hooks.retain(|_, hook| hook.settings.target != HookTarget::Repository(id));
        Ok(())
    }

    /// Makes a public repository private: stars and watchers are erased, and its forks go on without it.
    ///
    /// # Errors
    /// When it is private already, or a fork, whose visibility GitHub does not change.
    pub fn privatize_repository(&mut self, id: RepoId) -> Result<(), Refused> {
        let repo = self.repository(id)?;
        if !repo.is_public() {
            return Err(Refused::NotAllowed("the repository is private already"));
        }
        if repo.fork_of.is_some() {
            return Err(Refused::NotAllowed("the visibility of a fork cannot be changed"));
        }
        let owner = repo.owner;
        let now = self.begin();
        self.split_network(id);
        let repo = self.repository_mut(id)?;
        repo.visibility = Visibility::Private;
        repo.stars.clear();
        repo.subscribers = 0;
        repo.updated_at = now;
        let by = self.view().actor(owner);
        self.emit("repository", Some("privatized"), id, by, Audience::ALL, |_, _| {});
        Ok(())
    }

    /// Makes a private repository public: `public` and `repository.publicized`.
    ///
    /// # Errors
    /// When it is public already.
    pub fn publicize_repository(&mut self, id: RepoId) -> Result<(), Refused> {
        if self.repository(id)?.is_public() {
            return Err(Refused::NotAllowed("the repository is public already"));
        }
        let now = self.begin();
        let repo = self.repository_mut(id)?;
        repo.visibility = Visibility::Public;
        repo.updated_at = now;
        let owner = repo.owner;
        let by = self.view().actor(owner);
        self.emit("public", None, id, by, Audience::ALL, |_, _| {});
        self.emit("repository", Some("publicized"), id, by, Audience::ALL, |_, _| {});
        Ok(())
    }

    /// Puts a new repository in its place, without a word to anybody.
    pub(super) fn place_repository(
        &mut self,
        owner: AccountId,
        new: NewRepository,
        fork_of: Option<ForkOf>,
    ) -> Result<RepoId, Refused> {
        if !self.state.accounts.contains_key(&owner) {
            return Err(Refused::Missing("account"));
        }
        self.check_name(owner, &new.name, None)?;
        let now = self.begin();
        let id = RepoId(self.new_id());
        let repo = Repository {
            id,
            owner,
            name: new.name,
            visibility: new.visibility,
            fork_of,
            forks: BTreeSet::new(),
            archived: false,
            blocked_at: None,
            are_stargazers_closed: false,
            description: new.description,
            homepage: None,
            topics: Vec::new(),
            license: None,
            features: Features { issues: fork_of.is_none(), ..Features::default() },
            languages: BTreeMap::new(),
            languages_due: false,
            subscribers: u64::from(new.visibility == Visibility::Public),
            created_at: now,
            updated_at: now,
            pushed_at: now,
            default_branch: new.default_branch,
            branches: BTreeMap::new(),
            former_branches: BTreeMap::new(),
            tags: BTreeMap::new(),
            pushed: HashSet::new(),
            newest_number: 0,
            pulls: BTreeMap::new(),
            issues: BTreeMap::new(),
            stars: BTreeMap::new(),
        };
        self.state.repositories.insert(id, Arc::new(repo));
        self.take_name(id);
        Ok(id)
    }

    fn check_name(&self, owner: AccountId, name: &str, own: Option<RepoId>) -> Result<(), Refused> {
        let good = (1..=100).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            && name != "."
            && name != "..";
        if !good {
            return Err(Refused::NotAllowed(
                "a name has 1 to 100 letters, digits, dots, dashes, underscores",
            ));
        }
        match self.state.names.get(&(owner, name.to_lowercase())) {
            Some(other) if Some(*other) != own => Err(Refused::Taken(name.to_owned())),
            _ => Ok(()),
        }
    }

    /// The repository's present name becomes a former one.
    fn leave_name(&mut self, id: RepoId) {
        let view = self.view();
        let Some(repo) = view.repository(id) else { return };
        let (owner, name) = (repo.owner, repo.name.to_lowercase());
        let login = view.account(owner).login.to_lowercase();
        self.state.names.remove(&(owner, name.clone()));
        self.state.former_names.insert((login, name), id);
    }

    /// The repository's name leads to it, and no longer to whoever had it before.
    fn take_name(&mut self, id: RepoId) {
        let view = self.view();
        let Some(repo) = view.repository(id) else { return };
        let (owner, name) = (repo.owner, repo.name.to_lowercase());
        let login = view.account(owner).login.to_lowercase();
        self.state.former_names.remove(&(login, name.clone()));
        self.state.names.insert((owner, name), id);
    }

    /// The forks of a repository go on without it: the oldest becomes the root of the others.
    fn split_network(&mut self, id: RepoId) {
        let Ok(repo) = self.repository_mut(id) else { return };
        let forks = std::mem::take(&mut repo.forks);
        let Some(heir) = forks.first().copied() else { return };
        let others: BTreeSet<RepoId> = forks.into_iter().filter(|fork| *fork != heir).collect();
        for other in &others {
            if let Ok(fork) = self.repository_mut(*other) {
                fork.fork_of = Some(ForkOf { parent: heir, source: heir });
            }
        }
        if let Ok(fork) = self.repository_mut(heir) {
            fork.fork_of = None;
            fork.forks.extend(others);
        }
        self.adopt(heir, heir);
    }

    /// Everything below `parent` has this source.
    fn adopt(&mut self, parent: RepoId, source: RepoId) {
        let children = self.repository(parent).map(|repo| repo.forks.clone()).unwrap_or_default();
        for child in children {
            if let Ok(fork) = self.repository_mut(child) {
                fork.fork_of = Some(ForkOf { parent, source });
            }
            self.adopt(child, source);
        }
    }
}
