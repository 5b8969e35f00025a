//! Who starred a repository, in one or two passes over its list.

use std::collections::BTreeSet;

use domain::{
    AccountId, Event, NeedKey,
    event::{GazersListed, StarsReading},
};
use github::client::{Answer, StargazersPage};

use super::Target;
use crate::{
    ask::{Asker, JobError, Moment, Told},
    schedule::Ended,
};

/// What one pass over a list came to.
enum Pass {
    /// The list is read; `is_whole`: all of it.
    Read { is_whole: bool },
    /// The forge refused its first page.
    Refused,
}

impl Asker {
    /// Reads who starred a repository. Whom the list leaves out is looked for in a second pass: pages shift while
    /// people take stars back.
    pub(super) async fn ask_stargazers(&self, target: &Target) -> Result<Ended, JobError> {
        let stream = target.stream();
        let first = self.moment();
        let since = first.version(stream, &*self.log);
        let known = self.rows().stargazers(target.account, target.id, since).await?;
        let mut seen = BTreeSet::new();
        let Pass::Read { mut is_whole } = self.list_stargazers(target, &first, &mut seen).await? else {
            return Ok(Ended::Answered);
        };
        let mut last = first;
        if !known.is_subset(&seen) {
            last = self.moment();
            match self.list_stargazers(target, &last, &mut seen).await? {
                Pass::Read { is_whole: again } => is_whole &= again,
                Pass::Refused => return Ok(Ended::Answered),
            }
        }
        // Of a list that is cut off nobody is known to be absent.
        let absent = if is_whole { known.difference(&seen).copied().collect() } else { Vec::new() };
        let listed = Some(GazersListed { since, is_whole, absent });
        let event = Event::Stars(Box::new(StarsReading { listed, ..StarsReading::of(target.id) }));
        let date = last.ms.to_second();
        let position = self.append(&last, date, vec![Told::to(stream, vec![event])]).await?;
        self.folded.wait(position).await;
        Ok(Ended::Answered)
    }

    /// Appends every page of the list, and notes whom it showed.
    async fn list_stargazers(
        &self,
        target: &Target,
        begun: &Moment,
        seen: &mut BTreeSet<AccountId>,
    ) -> Result<Pass, JobError> {
        let mut next: Option<String> = None;
        loop {
            let page = match &next {
                Some(url) => StargazersPage::Next(url),
                None => StargazersPage::First(target.path()),
            };
            let answer = self.github.stargazers(page, &begun.anew()).await?;
            let date = answer.date();
            let (gazers, follows) = match answer {
                Answer::Fresh(fresh) => (fresh.body, fresh.links.next().map(str::to_owned)),
                Answer::Empty { .. } => (Vec::new(), None),
                // The wall behind the oldest 40 000.
                Answer::Refused { .. } if next.is_some() => return Ok(Pass::Read { is_whole: false }),
                Answer::Refused { status, .. } => {
                    let event = Event::Refused { about: NeedKey::Stargazers(target.id), status };
                    self.append(begun, date, vec![Told::to(target.stream(), vec![event])]).await?;
                    return Ok(Pass::Refused);
                }
                Answer::NotModified { .. } => {
                    return Err(JobError::Retry("a list that was asked for anew is not modified".to_owned()));
                }
            };
            seen.extend(gazers.iter().map(|gazer| gazer.id));
            if !gazers.is_empty() {
                let event = Event::Stars(Box::new(StarsReading { gazers, ..StarsReading::of(target.id) }));
                self.append(begun, date, vec![Told::to(target.stream(), vec![event])]).await?;
            }
            next = follows;
            if next.is_none() {
                return Ok(Pass::Read { is_whole: true });
            }
        }
    }
}
