//! `GET /repos/{owner}/{name}/branches/{branch}`: where a branch is.

use domain::{CommitId, Text};
use serde::Deserialize;

use crate::{
    client::{Answer, AskError, Asking, Client, RepoPath, path::Path},
    wire::{Field, object, read_array, read_object},
};

impl Client {
    /// Asks where a branch is. Servers without branches are asked for the newest commit of it instead;
    /// the etag belongs to whichever of the two answered.
    pub async fn head(
        &self,
        repo: RepoPath<'_>,
        branch: &str,
        asking: &Asking<'_>,
    ) -> Result<Answer<CommitId>, AskError> {
        let endpoint = "GET /repos/{owner}/{name}/branches/{branch}";
        let path = Path::repo(repo).fixed("/branches").name(branch);
        let answer = self.get_path(endpoint, path, asking).await?;
        match answer {
            Answer::Refused { status: 403 | 404 | 501, .. } => self.newest_commit(repo, branch, asking).await,
            answer => answer.read(endpoint, |fresh| {
                let branch: Branch<'_> = read_object(&fresh.body).ok()?;
                branch.commit.value()?.id()
            }),
        }
    }

    async fn newest_commit(
        &self,
        repo: RepoPath<'_>,
        branch: &str,
        asking: &Asking<'_>,
    ) -> Result<Answer<CommitId>, AskError> {
        let endpoint = "GET /repos/{owner}/{name}/commits?sha={branch}";
        let path = Path::repo(repo).fixed("/commits?sha=").value(branch).fixed("&per_page=1");
        let answer = self.get_path(endpoint, path, asking).await?;
        let date = answer.date();
        let answer = answer.read(endpoint, |fresh| {
            let commits = read_array::<Commit<'_>>(&fresh.body)?;
            match commits.first() {
                Some(commit) => commit.id().map(Some),
                None => Some(None),
            }
        })?;
        Ok(match answer {
            Answer::Fresh(fresh) if fresh.body.is_none() => Answer::Empty { date },
            answer => answer.read(endpoint, |fresh| fresh.body)?,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Branch<'a> {
    #[serde(borrow)]
    commit: Field<Commit<'a>>,
}
object!(Branch<'a>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Commit<'a> {
    #[serde(borrow)]
    sha: Field<Text<'a>>,
}
object!(Commit<'a>);

impl Commit<'_> {
    fn id(&self) -> Option<CommitId> {
        self.sha.value()?.parse().ok()
    }
}
