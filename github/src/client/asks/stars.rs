//! `GET /repos/{owner}/{name}/stargazers` and `GET /users/{login}/starred`: who starred a repository, oldest first, and
//! what somebody starred, newest first.

use domain::{
    AccountId, RepoId, Second,
    event::{Gazer, StarredRepository},
};

use crate::{
    client::{Answer, AskError, Asking, Client, RepoPath, path::Path},
    wire::{ListedGazer, ListedStar, read_array},
};

/// Without it the lists leave out when a star was given.
const WITH_TIMES: &str = "application/vnd.github.star+json";

/// A page of the stargazers of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StargazersPage<'a> {
    /// The first, of this repository.
    First(RepoPath<'a>),
    /// The one whose address the page before gave.
    Next(&'a str),
}

/// A page of what somebody starred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StarredPage<'a> {
    /// The first, of this login.
    First {
        /// Who starred.
        login: &'a str,
    },
    /// The one whose address the page before gave.
    Next(&'a str),
}

/// A repository that somebody starred, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenStar {
    /// The repository; `None`: one that not everybody may see, or that does not say which it is.
    pub repository: Option<StarredRepository<'static>>,
    /// When.
    pub at: Second,
}

impl Client {
    /// Asks for a page of a repository's stargazers, oldest first; `links.next()` leads to the next. GitHub shows the
    /// oldest 40 000 only, and answers 403 where the list is not for us.
    pub async fn stargazers(
        &self,
        page: StargazersPage<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Vec<Gazer<'static>>>, AskError> {
        let endpoint = "GET /repos/{owner}/{name}/stargazers";
        let answer = match page {
            StargazersPage::First(repo) => {
                let path = Path::repo(repo).fixed("/stargazers?per_page=100");
                self.get_path_as(endpoint, path, WITH_TIMES, asking).await?
            }
            StargazersPage::Next(url) => self.get_given_as(endpoint, url, WITH_TIMES, asking).await?,
        };
        answer.read(endpoint, |fresh| {
            let gazers = read_array::<ListedGazer<'_>>(&fresh.body)?;
            gazers.iter().map(gazer).collect()
        })
    }

    /// Asks for a page of what somebody starred, newest first; `links.next()` leads to the next.
    pub async fn starred(
        &self,
        page: StarredPage<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Vec<GivenStar>>, AskError> {
        let endpoint = "GET /users/{login}/starred";
        let answer = match page {
            StarredPage::First { login } => {
                let path = Path::new("/users").name(login).fixed("/starred?per_page=100&sort=created");
                self.get_path_as(endpoint, path, WITH_TIMES, asking).await?
            }
            StarredPage::Next(url) => self.get_given_as(endpoint, url, WITH_TIMES, asking).await?,
        };
        answer.read(endpoint, |fresh| {
            let stars = read_array::<ListedStar<'_>>(&fresh.body)?;
            stars.iter().map(star).collect()
        })
    }
}

fn gazer(listed: &ListedGazer<'_>) -> Option<Gazer<'static>> {
    let user = listed.user.value()?;
    Some(Gazer {
        id: AccountId::github(user.id.get()?),
        login: user.login.value()?.to_string().into(),
        at: listed.starred_at.get()?,
    })
}

fn star(listed: &ListedStar<'_>) -> Option<GivenStar> {
    Some(GivenStar { repository: repository(listed), at: listed.starred_at.get()? })
}

fn repository(listed: &ListedStar<'_>) -> Option<StarredRepository<'static>> {
    let repo = listed.repo.value().filter(|repo| repo.is_public())?;
    Some(StarredRepository {
        id: RepoId::github(repo.id.get()?),
        owner: AccountId::github(repo.owner.value()?.id.get()?),
        full_name: repo.full_name.value()?.to_string().into(),
    })
}
