//! Head and commit count of a default branch, as one pair. A count at a commit never changes, so the head is
//! asked first and the count at that very commit.

use domain::{Event, NeedKey, Second, event::CommitsReading};
use github::client::Answer;

use super::{Target, repository::Found};
use crate::{
    ask::{Asker, JobError, Told},
    schedule::Ended,
};

/// The cursor under which the head's `ETag` is kept.
pub(super) const ETAG: &str = "head";

impl Asker {
    /// Asks for the repository first: which branch, and the newest push that the pair is sure to hold.
    pub(super) async fn ask_commits(&self, target: &Target) -> Result<Ended, JobError> {
        let stream = target.stream();
        let repo = &target.repo;
        let moment = self.moment();
        let etag = self.repository_etag(target).await?;
        let found = self.find_repository(target, &moment, etag.as_ref()).await?;
        let known = || {
            (
                repo.facts.default_branch.as_ref().map(|branch| branch.value.clone()),
                repo.facts.pushed_at.unwrap_or(found.date()),
                target.path(),
            )
        };
        let (branch, pushed_at, path) = match &found {
            Found::Here(fresh, place) => (
                fresh.body.default_branch.as_ref().map(|branch| branch.to_string()),
                fresh.body.pushed_at.unwrap_or(fresh.date),
                target.path_at(*place),
            ),
            Found::Unchanged(_) => known(),
            Found::Elsewhere(..) if found.is_untold() => known(),
            Found::Elsewhere(..) => {
                let date = found.date();
                let told = self.tell_repository(target, &moment, found);
                let position = self.append(&moment, date, vec![told]).await?;
                self.folded.wait(position).await;
                return Ok(Ended::Answered);
            }
        };
        let mut told = self.tell_repository(target, &moment, found);
        let Some(branch) = branch else {
            told.events.push(Event::Refused { about: NeedKey::Commits(target.id), status: 404 });
            self.append(&moment, moment.ms.to_second(), vec![told]).await?;
            return Ok(Ended::Answered);
        };

        let known =
            repo.commits.pair.as_ref().filter(|pair| pair.branch == branch && repo.commits.doubt.is_none());
        let etag = match known {
            Some(_) => {
                let changed_at = repo.commits_check.changed_at;
                self.rows().etag(stream, ETAG, Some(target.id), changed_at).await?
            }
            None => None,
        };
        let head = self.github.head(path, &branch, &moment.unless_unchanged(etag.as_ref())).await?;
        let date = head.date();
        let refused = |told: Told, status| (told, Some(status));
        let (mut told, refused) = match head {
            Answer::NotModified { .. } => {
                told.events.push(Event::Checked { about: NeedKey::Commits(target.id) });
                (told, None)
            }
            Answer::Refused { status, .. } => refused(told, status),
            Answer::Empty { .. } => (with_pair(told, target, branch.clone(), None, 0, pushed_at), None),
            Answer::Fresh(fresh) => {
                let asked_at = moment.version(stream, &*self.log);
                let counted = match &repo.commits.pair {
                    Some(pair) if pair.head == fresh.body => Ok(pair.count),
                    _ => match self.github.commit_count(path, fresh.body, &moment.anew()).await? {
                        Answer::Fresh(count) => Ok(count.body),
                        Answer::Empty { .. } => Ok(0),
                        Answer::Refused { status, .. } => Err(status),
                        Answer::NotModified { .. } => return Ok(Ended::Failed),
                    },
                };
                match counted {
                    Ok(count) => {
                        let told =
                            with_pair(told, target, branch.clone(), Some(fresh.body), count, pushed_at);
                        (told.etag(ETAG, Some(target.id), fresh.etag, asked_at), None)
                    }
                    Err(status) => refused(told, status),
                }
            }
        };
        let mut ended = Ended::Answered;
        if let Some(status) = refused {
            // The branch may have gone, or the repository, between two requests: then it was not refused.
            if self.has_default_branch(target, &branch).await? {
                told.events.push(Event::Refused { about: NeedKey::Commits(target.id), status });
            } else {
                ended = Ended::Failed;
            }
        }
        let position = self.append(&moment, date, vec![told]).await?;
        self.folded.wait(position).await;
        Ok(ended)
    }
}

fn with_pair(
    mut told: Told,
    target: &Target,
    branch: String,
    head: Option<domain::CommitId>,
    count: u64,
    pushed_at: Second,
) -> Told {
    told.events.push(Event::Commits(CommitsReading {
        repo: target.id,
        branch: branch.into(),
        head,
        count,
        pushed_at: Some(pushed_at),
    }));
    told
}
