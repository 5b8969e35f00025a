//! One repository: names, visibility, gauges; and whether it is still there, and still this account's.

use domain::{Event, NeedKey, Second, event::RepositoryReading};
use github::client::{Answer, Fresh, RepoPath};

use super::{Place, Target};
use crate::{
    ask::{Asker, JobError, Moment, Told, now},
    schedule::Ended,
};

/// The cursor under which the answer's `ETag` is kept.
pub(super) const ETAG: &str = "repository";

/// So long a name is believed after an answer used it: a first load asks everything about a repository within
/// seconds. Later its name may lead to another repository, and what is asked below it would be that one's.
const NAME_BELIEVED_MS: i64 = 60_000;

/// What asking for a repository found.
pub(super) enum Found {
    /// It is there, and this account's.
    Here(Box<Fresh<RepositoryReading<'static>>>, Place),
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
        let position = self.append(&moment, date, vec![told]).await?;
        self.folded.wait(position).await;
        Ok(Ended::Answered)
    }

    /// The repository at the address where it answers, so that what is asked below that is its own; `None`
    /// where it does not answer as this account's, which then is told.
    pub(super) async fn located(&self, mut target: Target) -> Result<Option<Target>, JobError> {
        let believed_until = target.repo.facts_check.checked_ms.plus(NAME_BELIEVED_MS);
        if target.repo.facts.doubt.is_none() && !target.is_owner_in_doubt && now() < believed_until {
            return Ok(Some(target));
        }
        let etag = self.repository_etag(&target).await?;
        let place = self.place_of(&target, etag.as_ref()).await?;
        Ok(place.map(|place| {
            target.place = place;
            target
        }))
    }

    /// Where to ask once more for a part of a repository that was refused. A refusal may only mean that the
    /// repository is no longer, or for a moment was not, where it was asked; `None` where it does not answer
    /// as this account's, which then is told.
    pub(super) async fn look_again<'t>(&self, target: &'t Target) -> Result<Option<RepoPath<'t>>, JobError> {
        let place = self.place_of(target, None).await?;
        Ok(place.map(|place| target.path_at(place)))
    }

    /// Whether a repository still answers, with this default branch; what is found is told.
    pub(super) async fn has_default_branch(&self, target: &Target, branch: &str) -> Result<bool, JobError> {
        let moment = self.moment();
        let found = self.find_repository(target, &moment, None).await?;
        let is_so = match &found {
            Found::Here(fresh, _) => {
                fresh.body.default_branch.as_ref().is_some_and(|name| name.as_str() == branch)
            }
            Found::Unchanged(_) => true,
            Found::Elsewhere(..) => found.is_untold(),
        };
        self.tell(target, &moment, found).await?;
        Ok(is_so)
    }

    /// Looks for a repository and tells what is found; where it is, if it is this account's.
    async fn place_of(&self, target: &Target, etag: Option<&String>) -> Result<Option<Place>, JobError> {
        let moment = self.moment();
        let found = self.find_repository(target, &moment, etag).await?;
        let place = match &found {
            Found::Here(_, place) => Some(*place),
            Found::Unchanged(_) => Some(target.place),
            Found::Elsewhere(..) => found.is_untold().then_some(target.place),
        };
        self.tell(target, &moment, found).await?;
        Ok(place)
    }

    async fn tell(&self, target: &Target, moment: &Moment, found: Found) -> Result<(), JobError> {
        let date = found.date();
        let told = self.tell_repository(target, moment, found);
        self.append(moment, date, vec![told]).await.map(drop)
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
        let path = target.path_at(Place::Name);
        let answer = self.github.repository(path, &moment.unless_unchanged(etag)).await?;
        let by_name = matches!(path, RepoPath::Name { .. });
        let (answer, place) = match answer {
            Answer::Fresh(fresh) if fresh.body.id == target.id => (Answer::Fresh(fresh), Place::Name),
            Answer::Fresh(_) | Answer::Refused { .. } if by_name => {
                let by_id = self.github.repository(RepoPath::Id(target.number), &moment.anew()).await?;
                match (by_id, answer) {
                    // Nobody answers to the name, and ids are not offered: that the name was refused counts.
                    (Answer::Refused { .. }, answer @ Answer::Refused { .. }) => (answer, Place::Name),
                    (by_id, _) => (by_id, Place::Id),
                }
            }
            answer => (answer, Place::Name),
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
                _ => Found::Here(Box::new(fresh), place),
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
            Found::Here(fresh, _) => {
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

    /// Whether the forge does not tell repositories at all; their parts it may.
    pub(super) fn is_untold(&self) -> bool {
        matches!(self, Found::Elsewhere(_, event) if matches!(**event, Event::Refused { .. }))
    }

    pub(super) fn date(&self) -> Second {
        match self {
            Found::Here(fresh, _) => fresh.date,
            Found::Unchanged(date) | Found::Elsewhere(date, _) => *date,
        }
    }
}
