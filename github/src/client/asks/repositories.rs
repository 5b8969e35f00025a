//! `GET /users/{login}/repos`: the repositories of an account, by pages of 100.

use domain::event::RepositoryReading;

use super::repository::reading;
use crate::{
    client::{Answer, AskError, Asking, Client, path::Path},
    wire::{Repository, read_array},
};

/// A page of an account's repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepositoriesPage<'a> {
    /// The first, of this login.
    First {
        /// The owner's login.
        login: &'a str,
    },
    /// The one whose address the page before gave.
    Next(&'a str),
}

impl Client {
    /// Asks for a page of an account's repositories, by name; `links.next()` leads to the next one.
    pub async fn repositories(
        &self,
        page: RepositoriesPage<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Vec<RepositoryReading<'static>>>, AskError> {
        let endpoint = "GET /users/{login}/repos";
        let answer = match page {
            RepositoriesPage::First { login } => {
                let path =
                    Path::new("/users").name(login).fixed("/repos?per_page=100&type=owner&sort=full_name");
                self.get_path(endpoint, path, asking).await?
            }
            RepositoriesPage::Next(url) => self.get_given(endpoint, url, asking).await?,
        };
        answer.read(endpoint, |fresh| {
            let repositories = read_array::<Repository<'_>>(&fresh.body)?;
            repositories.iter().map(reading).collect()
        })
    }
}
