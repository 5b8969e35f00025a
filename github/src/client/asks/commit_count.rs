//! `GET /repos/{owner}/{name}/commits?sha=…&per_page=1`: how many commits lead to one. The number of the
//! last page is the count, and a count at a commit never changes.

use domain::CommitId;
use serde::Deserialize;

use crate::{
    client::{Answer, AskError, Asking, Client, RepoPath, path::Path},
    wire::{object, read_array},
};

impl Client {
    /// Asks how many commits are reachable from this one, itself included.
    pub async fn commit_count(
        &self,
        repo: RepoPath<'_>,
        head: CommitId,
        asking: &Asking<'_>,
    ) -> Result<Answer<u64>, AskError> {
        let endpoint = "GET /repos/{owner}/{name}/commits?sha={sha}";
        let path = Path::repo(repo).fixed(&format!("/commits?sha={head}&per_page=1"));
        let answer = self.get_path(endpoint, path, asking).await?;
        answer.read(endpoint, |fresh| {
            let commits = read_array::<Commit>(&fresh.body)?;
            match (fresh.links.last_page(), fresh.links.next()) {
                (Some(pages), _) => Some(pages),
                (None, None) => u64::try_from(commits.len()).ok(),
                // There is more, and no word of how much.
                (None, Some(_)) => None,
            }
        })
    }
}

/// Only that there is one is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Commit {}
object!(Commit);
