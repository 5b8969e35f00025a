//! `GET /repos/{owner}/{name}/pulls?state=all&per_page=1`: how many pull requests there are and the
//! newest one's number, of one moment.

use crate::{
    client::{Answer, AskError, Asking, Client, RepoPath, path::Path},
    wire::{PullRequest, read_array},
};

/// How many pull requests there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullCount {
    /// In all states.
    pub total: u64,
    /// The highest number; 0 when there is none.
    pub newest: u64,
}

impl Client {
    /// Asks how many pull requests there are.
    pub async fn pull_count(
        &self,
        repo: RepoPath<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<PullCount>, AskError> {
        let endpoint = "GET /repos/{owner}/{name}/pulls?per_page=1";
        let path = Path::repo(repo).fixed("/pulls?state=all&sort=created&direction=desc&per_page=1");
        let answer = self.get_path(endpoint, path, asking).await?;
        answer.read(endpoint, |fresh| {
            let pulls = read_array::<PullRequest<'_>>(&fresh.body)?;
            let total = match (fresh.links.last_page(), fresh.links.next()) {
                (Some(pages), _) => pages,
                (None, None) => u64::try_from(pulls.len()).ok()?,
                (None, Some(_)) => return None,
            };
            match pulls.first() {
                Some(newest) => Some(PullCount { total, newest: newest.number.get()? }),
                None => Some(PullCount { total: 0, newest: 0 }),
            }
        })
    }
}
