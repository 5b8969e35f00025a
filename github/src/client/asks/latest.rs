//! `GET /repositories?since=`: all public repositories by rising id; and one of them with all that S4 shows.

use domain::{RepoId, event::LatestFacts};

use crate::{
    client::{Answer, AskError, Asking, Client, RepoPath, path::Path},
    wire::{PublicRepository, read_list, read_object},
};

/// A page of the list of all public repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicPage<'a> {
    /// That of the ids above this one.
    Since(u64),
    /// The one whose address the page before gave.
    Next(&'a str),
}

/// A repository that tells itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRepository {
    /// Whether everybody may see it: a token may open more.
    pub is_public: bool,
    /// What it tells.
    pub facts: LatestFacts,
}

impl Client {
    /// Asks for a page of all public repositories, by rising id, as ids and `owner/name`; `links.next()` leads to
    /// the next one. Entries without an id are left out: GitHub's list has empty ones now and then.
    pub async fn public_repositories(
        &self,
        page: PublicPage<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Vec<(RepoId, String)>>, AskError> {
        let endpoint = "GET /repositories";
        let answer = match page {
            PublicPage::Since(id) => {
                let path = Path::new("/repositories?since=").value(&id.to_string());
                self.get_path(endpoint, path, asking).await?
            }
            PublicPage::Next(url) => self.get_given(endpoint, url, asking).await?,
        };
        answer.read(endpoint, |fresh| {
            let listed = read_list::<PublicRepository<'_>>(&fresh.body)?;
            let public = listed.iter().filter(|repository| repository.is_public());
            Some(public.filter_map(|repository| Some((repository.id()?, repository.full_name()))).collect())
        })
    }

    /// Asks for one repository, with all that S4 shows but its languages.
    pub async fn public_repository(
        &self,
        repo: RepoPath<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<ToldRepository>, AskError> {
        let endpoint = match repo {
            RepoPath::Name { .. } => "GET /repos/{owner}/{name}",
            RepoPath::Id(_) => "GET /repositories/{id}",
        };
        let answer = self.get_path(endpoint, Path::repo(repo), asking).await?;
        answer.read(endpoint, |fresh| {
            let repository: PublicRepository<'_> = read_object(&fresh.body).ok()?;
            Some(ToldRepository { is_public: repository.is_public(), facts: repository.facts()? })
        })
    }
}
