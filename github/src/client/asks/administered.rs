//! `GET /user/repos`: whose hooks the token may see.

use domain::{AccountId, RepoId, Text};
use serde::Deserialize;

use crate::{
    client::{Answer, AskError, Asking, Client, path::Path},
    wire::{Account, Field, object, read_array},
};

/// A repository that the token's owner administers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administered {
    /// The repository.
    pub repo: RepoId,
    /// Its name, without the owner's.
    pub name: String,
    /// Whose it is.
    pub owner: AccountId,
    /// The owner's login.
    pub login: String,
    /// Whether the owner is an organisation.
    pub is_organization: bool,
}

impl Client {
    /// Asks for a page of the repositories that the token's owner has to do with; tells those of which it is an
    /// administrator. `None` is the first page, else the address that the page before gave.
    pub async fn administered(
        &self,
        next: Option<&str>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Vec<Administered>>, AskError> {
        let endpoint = "GET /user/repos";
        let answer = match next {
            None => {
                self.get_path(endpoint, Path::new("/user/repos?per_page=100&sort=full_name"), asking).await?
            }
            Some(url) => self.get_given(endpoint, url, asking).await?,
        };
        answer.read(endpoint, |fresh| {
            let listed = read_array::<Listed<'_>>(&fresh.body)?;
            Some(listed.iter().filter_map(Listed::administered).collect())
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed<'a> {
    id: Field<u64>,
    #[serde(borrow)]
    name: Field<Text<'a>>,
    #[serde(borrow)]
    owner: Field<Account<'a>>,
    permissions: Field<Permissions>,
}
object!(Listed<'a>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Permissions {
    admin: Field<bool>,
}
object!(Permissions);

impl Listed<'_> {
    fn administered(&self) -> Option<Administered> {
        let is_admin = self.permissions.value()?.admin.get() == Some(true);
        let owner = self.owner.value()?;
        let administered = Administered {
            repo: RepoId::github(self.id.get()?),
            name: self.name.value()?.to_string(),
            owner: AccountId::github(owner.id.get()?),
            login: owner.login.value()?.to_string(),
            is_organization: owner.kind.value().is_some_and(|kind| kind.as_str() == "Organization"),
        };
        is_admin.then_some(administered)
    }
}
