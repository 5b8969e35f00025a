//! `GET /users/{login}/gists`: the public gists of a user, by pages of 100.

use domain::{AccountId, Second, event::GistFacts};

use crate::{
    client::{Answer, AskError, Asking, Client, path::Path},
    wire::{Gist, read_array},
};

/// A page of a user's gists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GistsPage<'a> {
    /// The first, of this login.
    First {
        /// The owner's login.
        login: &'a str,
        /// Only those that changed in this second or later; `None` for all.
        since: Option<Second>,
    },
    /// The one whose address the page before gave.
    Next(&'a str),
}

/// A gist of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGist {
    /// Whose it is; `None` where the list does not say.
    pub owner: Option<AccountId>,
    /// What is kept of it.
    pub facts: GistFacts,
}

impl Client {
    /// Asks for a page of a user's public gists; `links.next()` leads to the next one. A list in which one gist
    /// cannot be read is asked for again: leaving it out would say that it is gone.
    pub async fn gists(
        &self,
        page: GistsPage<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Vec<ListedGist>>, AskError> {
        let endpoint = "GET /users/{login}/gists";
        let answer = match page {
            GistsPage::First { login, since } => {
                let path = Path::new("/users").name(login).fixed("/gists?per_page=100");
                let path = match since {
                    Some(since) => path.fixed("&since=").value(&since.to_string()),
                    None => path,
                };
                self.get_path(endpoint, path, asking).await?
            }
            GistsPage::Next(url) => self.get_given(endpoint, url, asking).await?,
        };
        answer.read(endpoint, |fresh| {
            let gists = read_array::<Gist<'_>>(&fresh.body)?;
            let public = gists.iter().filter(|gist| gist.is_public());
            public.map(|gist| Some(ListedGist { owner: gist.owner(), facts: gist.facts()? })).collect()
        })
    }
}
