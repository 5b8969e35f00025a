//! Branches and tags: made, renamed, removed; and which branch is the default one.

use super::pushes::Moved;
use crate::model::{
    event::Audience,
    id::{AccountId, RepoId},
    refused::Refused,
    words,
    world::World,
};

impl World {
    /// Makes a branch at a branch, tag or commit: `push` and `create`.
    ///
    /// # Errors
    /// When the name is taken or `from` is not there.
    pub fn create_branch(
        &mut self,
        id: RepoId,
        branch: &str,
        from: &str,
        by: AccountId,
    ) -> Result<(), Refused> {
        let repo = self.live_repository(id)?;
        if repo.branches.contains_key(branch) {
            return Err(Refused::Taken(branch.to_owned()));
        }
        let head = repo.resolve(&self.commits, from).ok_or(Refused::Missing("commit"))?;
        self.move_branch(id, branch, head, by)
    }

    /// Removes a branch: `push` and `delete`. Open pull requests that need it are closed.
    ///
    /// # Errors
    /// When it is not there, or is the default branch.
    pub fn delete_branch(&mut self, id: RepoId, branch: &str, by: AccountId) -> Result<(), Refused> {
        if self.live_repository(id)?.default_branch == branch {
            return Err(Refused::NotAllowed("the default branch cannot be deleted"));
        }
        let now = self.begin();
        let repo = self.repository_mut(id)?;
        let before = Some(repo.branches.remove(branch).ok_or(Refused::Missing("branch"))?);
        repo.pushed_at = now;
        self.emit_push(id, Moved { reference: &format!("refs/heads/{branch}"), before, after: None }, by);
        self.emit_deleted(id, branch, "branch", by);
        self.close_pulls_of_branch(id, branch, by);
        Ok(())
    }

    /// Gives a branch another name; pull requests go with it, and its old name redirects. Of the default
    /// branch `repository.edited` tells too.
    ///
    /// # Errors
    /// When it is not there or the name is taken.
    pub fn rename_branch(&mut self, id: RepoId, from: &str, to: &str, by: AccountId) -> Result<(), Refused> {
        let repo = self.live_repository(id)?;
        let head = *repo.branches.get(from).ok_or(Refused::Missing("branch"))?;
        if repo.branches.contains_key(to) {
            return Err(Refused::Taken(to.to_owned()));
        }
        if !words::is_branch(to) {
            return Err(Refused::NotAllowed("that is no name of a branch"));
        }
        let now = self.begin();
        let repo = self.repository_mut(id)?;
        let was_default = repo.default_branch == from;
        repo.branches.remove(from);
        repo.branches.insert(to.to_owned(), head);
        repo.former_branches.remove(to);
        repo.former_branches.insert(from.to_owned(), to.to_owned());
        repo.pushed_at = now;
        if was_default {
            to.clone_into(&mut repo.default_branch);
            repo.updated_at = now;
        }
        self.retarget_pulls(id, from, to);
        let after = Some(head);
        self.emit_push(id, Moved { reference: &format!("refs/heads/{to}"), before: None, after }, by);
        self.emit_created(id, to, "branch", by);
        if was_default {
            self.emit_default_branch(id, from, by);
        }
        let before = Some(head);
        self.emit_push(id, Moved { reference: &format!("refs/heads/{from}"), before, after: None }, by);
        self.emit_deleted(id, from, "branch", by);
        Ok(())
    }

    /// Makes another branch the default one: `repository.edited`.
    ///
    /// # Errors
    /// When it is not there, or is the default branch already.
    pub fn set_default_branch(&mut self, id: RepoId, branch: &str) -> Result<(), Refused> {
        let repo = self.live_repository(id)?;
        if !repo.branches.contains_key(branch) {
            return Err(Refused::Missing("branch"));
        }
        if repo.default_branch == branch {
            return Err(Refused::NotAllowed("it is the default branch already"));
        }
        let by = self.view().actor(repo.owner);
        let now = self.begin();
        let repo = self.repository_mut(id)?;
        let from = std::mem::replace(&mut repo.default_branch, branch.to_owned());
        repo.updated_at = now;
        repo.languages_due = true;
        self.emit_default_branch(id, &from, by);
        Ok(())
    }

    /// Tags a commit and pushes the tag: `push` and `create`.
    ///
    /// # Errors
    /// When the name is taken or `at` is not there.
    pub fn create_tag(&mut self, id: RepoId, tag: &str, at: &str, by: AccountId) -> Result<(), Refused> {
        let repo = self.live_repository(id)?;
        if repo.tags.contains_key(tag) {
            return Err(Refused::Taken(tag.to_owned()));
        }
        let commit = repo.resolve(&self.commits, at).ok_or(Refused::Missing("commit"))?;
        let now = self.begin();
        let repo = self.repository_mut(id)?;
        repo.tags.insert(tag.to_owned(), commit);
        repo.pushed_at = now;
        let after = Some(commit);
        self.emit_push(id, Moved { reference: &format!("refs/tags/{tag}"), before: None, after }, by);
        self.emit_created(id, tag, "tag", by);
        Ok(())
    }

    /// Removes a tag: `push` and `delete`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn delete_tag(&mut self, id: RepoId, tag: &str, by: AccountId) -> Result<(), Refused> {
        self.live_repository(id)?;
        let now = self.begin();
        let repo = self.repository_mut(id)?;
        let before = Some(repo.tags.remove(tag).ok_or(Refused::Missing("tag"))?);
        repo.pushed_at = now;
        self.emit_push(id, Moved { reference: &format!("refs/tags/{tag}"), before, after: None }, by);
        self.emit_deleted(id, tag, "tag", by);
        Ok(())
    }

    fn emit_default_branch(&mut self, id: RepoId, from: &str, by: AccountId) {
        self.emit("repository", Some("edited"), id, by, Audience::ALL, |o, _| {
            o.object("changes", |o| o.object("default_branch", |o| o.text("from", from)));
        });
    }
}
