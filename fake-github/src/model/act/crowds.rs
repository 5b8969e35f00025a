//! Many public repositories at once, of which nobody hears: what the rest of a forge is busy with.

use rand::RngExt;

use super::NewRepository;
use crate::model::{
    id::{AccountId, RepoId},
    license::LICENSES,
    refused::Refused,
    repository::Features,
    words,
    world::World,
};

impl World {
    /// Makes so many public repositories of these owners in turn, each with a description, languages, a licence
    /// and features of its own; some have none. There are no commits in them and no events about them, so that
    /// tens of thousands take a moment. Returns them by rising id.
    ///
    /// # Errors
    /// When an owner is not there.
    pub fn create_crowd(&mut self, owners: &[AccountId], count: usize) -> Result<Vec<RepoId>, Refused> {
        let mut made = Vec::with_capacity(count);
        for place in 0..count {
            let owner = *owners.get(place % owners.len().max(1)).ok_or(Refused::Missing("account"))?;
            // An id of its own keeps it apart from all others of the owner.
            let number = self.new_id();
            let mut new = NewRepository::public(format!("{}-{number}", words::name(&mut self.rng)));
            new.description = self.rng.random_bool(0.8).then(|| words::line(&mut self.rng));
            let id = self.place_repository(owner, new, None)?;
            let languages = match self.rng.random_range(0..10) {
                0 => Vec::new(),
                _ => words::languages(&mut self.rng),
            };
            let license = LICENSES.get(self.rng.random_range(0..LICENSES.len() + 2)).copied();
            let features = self.some_features();
            let repo = self.repository_mut(id)?;
            repo.languages = languages.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
            repo.license = license;
            repo.features = features;
            made.push(id);
        }
        Ok(made)
    }

    fn some_features(&mut self) -> Features {
        let mut maybe = || self.rng.random_bool(0.5);
        Features {
            issues: maybe(),
            projects: maybe(),
            downloads: maybe(),
            wiki: maybe(),
            pages: maybe(),
            discussions: maybe(),
            forking: maybe(),
        }
    }
}
