//! `GET /repos/{owner}/{name}/pulls` and `/pulls/{number}`: the states of pull requests.

use domain::{Second, event::PullState};

use crate::{
    client::{Answer, AskError, Asking, Client, RepoPath, path::Path},
    wire::{PullRequest, PullTold, read_array, read_object},
};

/// A pull request: its number, its state, and when it last changed.
pub type ListedPull = (u64, PullState, Second);

/// A page of a repository's pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullsPage<'a> {
    /// The first, of this repository.
    First {
        /// The repository.
        repo: RepoPath<'a>,
        /// In which order.
        order: PullOrder,
    },
    /// The one whose address the page before gave.
    Next(&'a str),
}

/// The order of a list of pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullOrder {
    /// Newest first.
    Created,
    /// Latest changed first.
    Updated,
}

impl Client {
    /// Asks for a page of a repository's pull requests in all states; `links.next()` leads to the next.
    pub async fn pulls(
        &self,
        page: PullsPage<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Vec<ListedPull>>, AskError> {
        let endpoint = "GET /repos/{owner}/{name}/pulls";
        let answer = match page {
            PullsPage::First { repo, order } => {
                let query = match order {
                    PullOrder::Created => "/pulls?state=all&sort=created&direction=desc&per_page=100",
                    PullOrder::Updated => "/pulls?state=all&sort=updated&direction=desc&per_page=100",
                };
                self.get_path(endpoint, Path::repo(repo).fixed(query), asking).await?
            }
            PullsPage::Next(url) => self.get_given(endpoint, url, asking).await?,
        };
        answer.read(endpoint, |fresh| {
            let pulls = read_array::<PullRequest<'_>>(&fresh.body)?;
            pulls.iter().map(listed).collect()
        })
    }

    /// Asks for one pull request.
    pub async fn pull(
        &self,
        repo: RepoPath<'_>,
        number: u64,
        asking: &Asking<'_>,
    ) -> Result<Answer<ListedPull>, AskError> {
        let endpoint = "GET /repos/{owner}/{name}/pulls/{number}";
        let path = Path::repo(repo).fixed("/pulls").number(number);
        let answer = self.get_path(endpoint, path, asking).await?;
        answer.read(endpoint, |fresh| listed(&read_object(&fresh.body).ok()?))
    }
}

fn listed(pull: &PullRequest<'_>) -> Option<ListedPull> {
    let PullTold { number, state, updated_at } = pull.told(None)?;
    Some((number, state, updated_at))
}
