//! Bytes per language.

use domain::{Event, NeedKey};
use github::client::Answer;

use super::Target;
use crate::{
    ask::{Asker, JobError, Told},
    schedule::Ended,
};

/// The cursor under which the answer's `ETag` is kept.
pub(super) const ETAG: &str = "languages";

impl Asker {
    pub(super) async fn ask_languages(&self, target: &Target) -> Result<Ended, JobError> {
        let stream = target.stream();
        let etag = match &target.repo.languages.bytes {
            // Only answers change them, so any answer's tag will do.
            Some(_) => self.rows().etag(stream, ETAG, Some(target.id), domain::Version::NONE).await?,
            None => None,
        };
        let moment = self.moment();
        let mut answer =
            self.github.languages(target.path(), &moment.unless_unchanged(etag.as_ref())).await?;
        if let Answer::Refused { .. } = answer {
            let Some(path) = self.look_again(target).await? else { return Ok(Ended::Answered) };
            answer = self.github.languages(path, &moment.anew()).await?;
        }
        let date = answer.date();
        let repo = target.id;
        let about = NeedKey::Languages(repo);
        let told = match answer {
            Answer::Fresh(fresh) => {
                let asked_at = moment.version(stream, &*self.log);
                Told::to(stream, vec![Event::Languages { repo, bytes: fresh.body }]).etag(
                    ETAG,
                    Some(repo),
                    fresh.etag,
                    asked_at,
                )
            }
            Answer::NotModified { .. } => Told::to(stream, vec![Event::Checked { about }]),
            Answer::Empty { .. } => Told::to(stream, vec![Event::Languages { repo, bytes: Vec::new() }]),
            Answer::Refused { status, .. } => Told::to(stream, vec![Event::Refused { about, status }]),
        };
        self.append(&moment, date, vec![told]).await?;
        Ok(Ended::Answered)
    }
}
