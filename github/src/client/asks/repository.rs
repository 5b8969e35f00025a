//! `GET /repos/{owner}/{name}`: one repository, with what only this answer tells (its subscribers).

use domain::{RepoId, event::RepositoryReading};

use crate::{
    client::{Answer, AskError, Asking, Client, RepoPath, owned, path::Path},
    wire::{Repository, read_object},
};

impl Client {
    /// Asks for one repository.
    pub async fn repository(
        &self,
        repo: RepoPath<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<RepositoryReading<'static>>, AskError> {
        let endpoint = match repo {
            RepoPath::Name { .. } => "GET /repos/{owner}/{name}",
            RepoPath::Id(_) => "GET /repositories/{id}",
        };
        let answer = self.get_path(endpoint, Path::repo(repo), asking).await?;
        answer.read(endpoint, |fresh| {
            let reading = reading(&read_object(&fresh.body).ok()?)?;
            Some(RepositoryReading { is_whole: true, ..reading })
        })
    }
}

/// A repository as an answer tells it. Its gauges are as of the answer's `Date`, so that `counted_at`
/// stays empty.
pub(super) fn reading(repository: &Repository<'_>) -> Option<RepositoryReading<'static>> {
    let mut reading = repository.reading(RepoId::github(repository.id.get()?), None);
    reading.as_of = repository.newest();
    Some(owned::repository(reading))
}
