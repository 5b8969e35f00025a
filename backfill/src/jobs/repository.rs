//! One repository: names, visibility, gauges; and whether it is still there, and still this account's.

use domain::{Event, NeedKey, Second, event::RepositoryReading};
use github::client::{Answer, Fresh, RepoPath};

use super::Target;
use crate::{
    ask::{Asker, JobError, Moment, Told},
    schedule::Ended,
};

/// The cursor under which the answer's `ETag` is kept.
const ETAG: &str = "repository";

/// What asking for a repository found.
pub(super) enum Found {
    /// It is there, and this account's.
    Here(Box<Fresh<RepositoryReading<'static>>>),
    /// Nothing about it changed.
    Unchanged(Second),
    /// It is another account's, is gone, or is not to be had; what that says.
    Elsewhere(Second, Box<Event<'static>>),
}

impl Asker {
    pub(super) async fn ask_repository(&self, target: &Target) -> Result<Ended, JobError> {
        let moment = self.moment();
        let etag = self.repository_etag(target).await?;
        let found = self.find_repository(target, &moment, etag.as_ref()).await?;
        let date = found.date();
        let told = self.tell_repository(target, &moment, found);
        self.append(&moment, date, vec![told]).await?;
        Ok(Ended::Answered)
    }

    /// The `ETag` to ask with; none where something is in doubt that the answer must settle.
    pub(super) async fn repository_etag(&self, target: &Target) -> Result<Option<String>, JobError> {
        let repo = &target.repo;
        if repo.facts_doubts().next().is_some() || repo.asked_alone_at == domain::Version::NONE {
            return Ok(None);
        }
        let changed_at = repo.facts_check.changed_at;
        Ok(self.rows().etag(target.stream(), ETAG, Some(target.id), changed_at).await?)
    }

    /// Asks by name, and by id where the name is another one's or nobody's.
    pub(super) async fn find_repository(
        &self,
        target: &Target,
        moment: &Moment,
        etag: Option<&String>,
    ) -> Result<Found, JobError> {
        let answer = self.github.repository(target.path(), &moment.unless_unchanged(etag)).await?;
        let by_name = matches!(target.path(), RepoPath::Name { .. });
        let answer = match answer {
            Answer::Fresh(fresh) if fresh.body.id == target.id => Answer::Fresh(fresh),
            Answer::Fresh(_) | Answer::Refused { .. } if by_name => {
                let by_id = self.github.repository(RepoPath::Id(target.number), &moment.anew()).await?;
                match (by_id, answer) {
                    // Nobody answers to the name, and ids are not offered: that the name was refused counts.
                    (Answer::Refused { .. }, answer @ Answer::Refused { .. }) => answer,
                    (by_id, _) => by_id,
                }
            }
            answer => answer,
        };
        let date = answer.date();
        Ok(match answer {
            Answer::Fresh(fresh) => match &fresh.body.owner {
                Some(owner) if owner.id != target.account => {
                    let at = fresh.body.clock().unwrap_or(date);
                    Found::elsewhere(date, Event::RepositoryMoved { repo: target.id, to: owner.id, at })
                }
                _ if fresh.body.id != target.id => {
                    Found::elsewhere(date, Event::RepositoryGone { repo: target.id })
                }
                _ => Found::Here(Box::new(fresh)),
            },
            Answer::NotModified { date } => Found::Unchanged(date),
            Answer::Refused { status: 501, .. } | Answer::Empty { .. } => {
                let about = NeedKey::Repository(target.id);
                Found::elsewhere(date, Event::Refused { about, status: 501 })
            }
            Answer::Refused { .. } => Found::elsewhere(date, Event::RepositoryGone { repo: target.id }),
        })
    }

    /// What was found, as the stream is told.
    pub(super) fn tell_repository(&self, target: &Target, moment: &Moment, found: Found) -> Told {
        let stream = target.stream();
        match found {
            Found::Here(fresh) => {
                let asked_at = moment.version(stream, &*self.log);
                Told::to(stream, vec![Event::Repository(Box::new(fresh.body))]).etag(
                    ETAG,
                    Some(target.id),
                    fresh.etag,
                    asked_at,
                )
            }
            Found::Unchanged(_) => {
                Told::to(stream, vec![Event::Checked { about: NeedKey::Repository(target.id) }])
            }
            Found::Elsewhere(_, event) => Told::to(stream, vec![*event]),
        }
    }
}

impl Found {
    fn elsewhere(date: Second, event: Event<'static>) -> Self {
        Found::Elsewhere(date, Box::new(event))
    }

    pub(super) fn date(&self) -> Second {
        match self {
            Found::Here(fresh) => fresh.date,
            Found::Unchanged(date) | Found::Elsewhere(date, _) => *date,
        }
    }
}
