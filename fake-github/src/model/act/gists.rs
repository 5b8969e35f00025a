//! Gists. GitHub tells nobody of them: whoever wants to know asks.

use std::sync::Arc;

use rand::RngExt;

use crate::model::{
    gist::{Gist, NewGist, owned},
    id::AccountId,
    refused::Refused,
    world::World,
};

impl World {
    /// Makes a gist, and returns its id.
    ///
    /// # Errors
    /// When the owner is not there, or there is no file in it.
    pub fn create_gist(&mut self, owner: AccountId, new: NewGist) -> Result<String, Refused> {
        if new.files.is_empty() {
            return Err(Refused::NotAllowed("a gist has files"));
        }
        let now = self.begin();
        let account = self.account_mut(owner)?;
        account.public_gists += u64::from(new.public);
        let id = self.hex();
        let version = self.hex();
        let gist = Gist {
            id: id.clone(),
            owner,
            public: new.public,
            description: new.description,
            versions: vec![(version, sorted(new.files))],
            created_at: now,
            updated_at: now,
        };
        self.state.gists.insert(id.clone(), Arc::new(gist));
        Ok(id)
    }

    /// Gives a gist other files: those that are there already under a name get the new text, no file goes.
    ///
    /// # Errors
    /// When the gist is not there.
    pub fn edit_gist(&mut self, id: &str, files: &[(&str, &str)]) -> Result<(), Refused> {
        let now = self.begin();
        let version = self.hex();
        let gist = self.state.gists.get_mut(id).map(Arc::make_mut).ok_or(Refused::Missing("gist"))?;
        let mut present = gist.present().1.to_vec();
        present.retain(|(name, _)| !files.iter().any(|(new, _)| new == name));
        present.extend(owned(files));
        gist.versions.push((version, sorted(present)));
        gist.updated_at = now;
        Ok(())
    }

    /// Takes a gist away, with the texts of all its versions.
    ///
    /// # Errors
    /// When the gist is not there.
    pub fn delete_gist(&mut self, id: &str) -> Result<(), Refused> {
        self.begin();
        let gist = self.state.gists.remove(id).ok_or(Refused::Missing("gist"))?;
        let account = self.account_mut(gist.owner)?;
        account.public_gists -= u64::from(gist.public);
        Ok(())
    }

    fn hex(&mut self) -> String {
        format!("{:032x}", self.rng.random::<u128>())
    }
}

fn sorted(mut files: Vec<(String, String)>) -> Vec<(String, String)> {
    files.sort();
    files
}
