//! Forks.

use super::NewRepository;
use crate::{
    model::{
        event::Audience,
        id::{AccountId, RepoId},
        refused::Refused,
        repository::{ForkOf, Visibility},
        world::World,
    },
    wire,
};

impl World {
    /// Forks a public repository into an account: `fork` on the parent, `repository.created` on the fork.
    ///
    /// # Errors
    /// When it is private or empty, or the account has a repository of that name.
    pub fn fork(&mut self, id: RepoId, into: AccountId) -> Result<RepoId, Refused> {
        let parent = self.repository(id)?;
        if !parent.is_public() || parent.is_empty() {
            return Err(Refused::NotAllowed("only public repositories that have commits are forked"));
        }
        if parent.owner == into {
            return Err(Refused::NotAllowed("an account cannot fork its own repository"));
        }
        let parent = parent.clone();
        let new = NewRepository {
            name: parent.name.clone(),
            visibility: Visibility::Public,
            description: parent.description.clone(),
            default_branch: parent.default_branch.clone(),
        };
        let source = parent.fork_of.map_or(parent.id, |fork| fork.source);
        let forkee = self.place_repository(into, new, Some(ForkOf { parent: id, source }))?;
        let by = self.view().actor(into);
        let repo = self.repository_mut(forkee)?;
        repo.branches = parent.branches;
        repo.tags = parent.tags;
        repo.pushed = parent.pushed;
        repo.languages = parent.languages;
        repo.license = parent.license;
        repo.pushed_at = parent.pushed_at;
        repo.updated_at = parent.updated_at.min(repo.created_at);
        self.repository_mut(id)?.forks.insert(forkee);
        self.emit("fork", None, id, by, Audience::ALL, |o, view| {
            let Some(forkee) = view.repository(forkee) else { return };
            o.object("forkee", |o| wire::repository(o, view, forkee, wire::Form::Forkee));
        });
        self.emit("repository", Some("created"), forkee, by, Audience::ALL, |_, _| {});
        Ok(forkee)
    }
}
