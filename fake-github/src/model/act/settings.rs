//! A repository's settings: description, topics, licence, archived or not. All of them move `updated_at`.

use crate::model::{
    event::Audience,
    id::RepoId,
    license::License,
    refused::Refused,
    repository::{Features, Repository},
    world::World,
};

impl World {
    /// Changes the line below the name: `repository.edited`.
    ///
    /// # Errors
    /// When the repository is not there or archived.
    pub fn describe_repository(&mut self, id: RepoId, description: Option<&str>) -> Result<(), Refused> {
        let from = self.live_repository(id)?.description.clone();
        self.change(id, |repo| repo.description = description.map(str::to_owned))?;
        let by = self.view().actor(self.repository(id)?.owner);
        self.emit("repository", Some("edited"), id, by, Audience::ALL, |o, _| {
            o.object("changes", |o| o.object("description", |o| o.optional_text("from", from.as_deref())));
        });
        Ok(())
    }

    /// Changes the topics: `repository.edited`. They are kept sorted, lower-case.
    ///
    /// # Errors
    /// When the repository is not there or archived.
    pub fn set_topics(&mut self, id: RepoId, topics: &[&str]) -> Result<(), Refused> {
        let from = self.live_repository(id)?.topics.clone();
        let mut topics: Vec<String> = topics.iter().map(|topic| topic.to_lowercase()).collect();
        topics.sort();
        topics.dedup();
        self.change(id, |repo| repo.topics = topics)?;
        let by = self.view().actor(self.repository(id)?.owner);
        self.emit("repository", Some("edited"), id, by, Audience::ALL, |o, _| {
            o.object("changes", |o| {
                o.object("topics", |o| o.list("from", &from, |list, topic| list.text(topic)));
            });
        });
        Ok(())
    }

    /// Changes the licence, which GitHub reads from a file: no event of its own.
    ///
    /// # Errors
    /// When the repository is not there or archived.
    pub fn set_license(&mut self, id: RepoId, license: Option<License>) -> Result<(), Refused> {
        self.live_repository(id)?;
        self.change(id, |repo| repo.license = license)
    }

    /// Turns features on and off.
    ///
    /// # Errors
    /// When the repository is not there or archived.
    pub fn set_features(&mut self, id: RepoId, features: Features) -> Result<(), Refused> {
        self.live_repository(id)?;
        self.change(id, |repo| repo.features = features)
    }

    /// Archives a repository or brings it back: `repository.archived`, `repository.unarchived`.
    ///
    /// # Errors
    /// When it is so already.
    pub fn archive_repository(&mut self, id: RepoId, archived: bool) -> Result<(), Refused> {
        if self.repository(id)?.archived == archived {
            return Err(Refused::NotAllowed("it is so already"));
        }
        self.change(id, |repo| repo.archived = archived)?;
        let by = self.view().actor(self.repository(id)?.owner);
        let action = if archived { "archived" } else { "unarchived" };
        self.emit("repository", Some(action), id, by, Audience::ALL, |_, _| {});
        Ok(())
    }

    fn change(&mut self, id: RepoId, change: impl FnOnce(&mut Repository)) -> Result<(), Refused> {
        let now = self.begin();
        let repo = self.repository_mut(id)?;
        change(repo);
        repo.updated_at = now;
        Ok(())
    }
}
