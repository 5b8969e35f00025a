//! Stars. Both ways move the repository's `updated_at`.

use crate::model::{
    event::Audience,
    id::{AccountId, RepoId},
    refused::Refused,
    world::World,
};

impl World {
    /// Stars a repository: `star.created`, and `watch.started`, the old name of the same act.
    ///
    /// # Errors
    /// When it is starred already, or private.
    pub fn star(&mut self, id: RepoId, by: AccountId) -> Result<(), Refused> {
        let repo = self.repository(id)?;
        if !repo.is_public() {
            return Err(Refused::NotAllowed("the repository is private"));
        }
        if repo.stars.contains_key(&by) {
            return Err(Refused::NotAllowed("it is starred already"));
        }
        let now = self.begin();
        let repo = self.repository_mut(id)?;
        repo.stars.insert(by, now);
        repo.updated_at = now;
        self.emit("star", Some("created"), id, by, Audience::ALL, |o, _| o.text("starred_at", now));
        self.emit("watch", Some("started"), id, by, Audience::ALL, |_, _| {});
        Ok(())
    }

    /// Keeps the list of stargazers from all but the repository's own people, or shows it to everybody again. Nothing
    /// is sent for it.
    ///
    /// # Errors
    /// When the repository is not there.
    pub fn close_stargazers(&mut self, id: RepoId, closed: bool) -> Result<(), Refused> {
        self.repository_mut(id)?.are_stargazers_closed = closed;
        Ok(())
    }

    /// Takes a star back: `star.deleted`.
    ///
    /// # Errors
    /// When there is none.
    pub fn unstar(&mut self, id: RepoId, by: AccountId) -> Result<(), Refused> {
        let now = self.begin();
        let repo = self.repository_mut(id)?;
        repo.stars.remove(&by).ok_or(Refused::Missing("star"))?;
        repo.updated_at = now;
        self.emit("star", Some("deleted"), id, by, Audience::ALL, |o, _| o.null("starred_at"));
        Ok(())
    }
}
