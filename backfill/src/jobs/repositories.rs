//! Which repositories an account has. What vanished is named, not inferred: what the list leaves out is
//! asked for by itself.

use std::collections::HashSet;

use domain::{AccountId, Event, Millis, NeedKey, RepoId, StreamKey, Version, event::RepositoryReading};
use github::client::{Answer, RepositoriesPage};
use serde::{Deserialize, Serialize};

use super::whole::{Listed, Way};
use crate::{
    ask::{Asker, JobError, Told},
    schedule::Ended,
};

/// How far a list got.
pub(super) const CURSOR: &str = "repositories";

/// Where a list that was interrupted goes on.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) next: String,
    /// What was folded when the first page was asked for, and when that was, on our clock.
    pub(super) since: Version,
    pub(super) begun: Millis,
}

impl Page {
    pub(super) fn encode(&self) -> String {
        serde_json::to_string(self).expect("an address and two numbers serialize")
    }
}

/// More pages than this are no list: it would have 100 000 repositories.
const PAGES_MAX: usize = 1_000;

/// The pages of a list so far: they may go in a circle.
#[derive(Default)]
pub(super) struct Pages {
    count: usize,
    seen: HashSet<RepoId>,
}

impl Pages {
    /// Notes a page; `false` if another one is to follow although this one held nothing new, or if there were too
    /// many.
    pub(super) fn goes_on(&mut self, repos: impl Iterator<Item = RepoId>, has_next: bool) -> bool {
        self.count += 1;
        let mut has_new = false;
        for repo in repos {
            has_new |= self.seen.insert(repo);
        }
        !has_next || (has_new && self.count < PAGES_MAX)
    }
}

impl Asker {
    /// Asks for the whole list of an account's repositories, then for those that it leaves out.
    pub(super) async fn ask_repositories(&self, account: AccountId, way: Way) -> Result<Ended, JobError> {
        let stream = StreamKey::Account(account);
        let Some(login) = self.rows().account(account).await?.profile.login else { return Ok(Ended::Failed) };
        if let Way::Whole { is_watched } = way
            && let Listed::Whole(begun) = self.list_whole(account, &login, is_watched).await?
        {
            self.ask_left_out(account, begun).await?;
            return Ok(Ended::Answered);
        }
        let (mut next, since, begun) = self.begin_list(stream).await?;
        let mut pages = Pages::default();
        loop {
            let moment = self.moment();
            let page = match &next {
                Some(url) => RepositoriesPage::Next(url),
                None => RepositoriesPage::First { login: &login },
            };
            let answer = self.github.repositories(page, &moment.anew()).await?;
            let date = answer.date();
            let Answer::Fresh(fresh) = answer else {
                let status = match answer {
                    Answer::Refused { status, .. } => status,
                    _ => 404,
                };
                if self.was_renamed(account, &login).await? {
                    return Ok(Ended::Failed);
                }
                let refused = Event::Refused { about: NeedKey::Repositories, status };
                let told = Told::to(stream, vec![refused]).cursor(CURSOR.to_owned(), String::new());
                self.append(&moment, date, vec![told]).await?;
                return Ok(Ended::Answered);
            };
            let is_anothers = |reading: &RepositoryReading<'_>| {
                reading.owner.as_ref().is_some_and(|owner| owner.id != account)
            };
            if !fresh.body.is_empty()
                && fresh.body.iter().all(is_anothers)
                && self.was_renamed(account, &login).await?
            {
                // Somebody else has the login by now.
                return Ok(Ended::Failed);
            }
            if !pages.goes_on(fresh.body.iter().map(|reading| reading.id), fresh.links.next().is_some()) {
                self.give_up_list(stream).await?;
                return Err(JobError::Retry("the pages of a list go in a circle".to_owned()));
            }
            let mut events: Vec<Event<'static>> = Vec::with_capacity(fresh.body.len() + 1);
            for reading in fresh.body {
                // A list may hold what others own; that is theirs to tell.
                if !is_anothers(&reading) {
                    events.push(Event::Repository(Box::new(reading)));
                }
            }
            next = fresh.links.next().map(str::to_owned);
            let cursor = match &next {
                Some(next) => Page { next: next.clone(), since, begun }.encode(),
                None => {
                    events.push(Event::RepositoriesListed { since });
                    String::new()
                }
            };
            let told = Told::to(stream, events).cursor(CURSOR.to_owned(), cursor);
            let position = self.append(&moment, date, vec![told]).await?;
            if next.is_none() {
                self.folded.wait(position).await;
                break;
            }
        }
        self.ask_left_out(account, begun).await?;
        Ok(Ended::Answered)
    }

    /// Where a list goes on that was interrupted, with what was folded when it began and when that was; or the
    /// beginning of a new one.
    pub(super) async fn begin_list(
        &self,
        stream: StreamKey,
    ) -> Result<(Option<String>, Version, Millis), JobError> {
        let resumed: Option<Page> = self.rows().cursor(stream, CURSOR).await?;
        Ok(match resumed {
            Some(page) => (Some(page.next), page.since, page.begun),
            None => {
                let moment = self.moment();
                (None, moment.version(stream, &*self.log), moment.ms)
            }
        })
    }

    /// What cannot be followed to its end begins anew.
    pub(super) async fn give_up_list(&self, stream: StreamKey) -> Result<(), JobError> {
        let moment = self.moment();
        let told = Told::to(stream, Vec::new()).cursor(CURSOR.to_owned(), String::new());
        self.append(&moment, moment.ms.to_second(), vec![told]).await.map(drop)
    }

    /// Asks for each repository that is shown and that the list left out.
    async fn ask_left_out(&self, account: AccountId, begun: Millis) -> Result<(), JobError> {
        for (id, repo) in self.rows().repositories(account).await? {
            if repo.visibility.is_public()
                && repo.facts_check.checked_ms < begun
                && let Some(target) = self.target(account, id).await?
            {
                self.ask_repository(&target).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_where_a_page_brings_nothing_new_and_promises_another() {
        let page = |from: u64| (from..from + 2).map(RepoId::github);
        let mut pages = Pages::default();
        assert!(pages.goes_on(page(1), true));
        assert!(pages.goes_on(page(2), true), "lists shift while they are read");
        assert!(!pages.goes_on(page(1), true), "it goes in a circle");
        assert!(pages.goes_on(page(1), false), "a last page may hold anything");
        assert!(!Pages::default().goes_on(std::iter::empty(), true));

        let mut endless = Pages::default();
        let pages_read = (0..).take_while(|number| endless.goes_on(page(number * 2), true)).count();
        assert_eq!(pages_read, PAGES_MAX - 1);
    }
}
