//! An account's list in GraphQL: a page tells everything about fifty repositories in one request. Where it is not to be
//! had, or tells less than the list is, the same is asked in REST: the answers that are appended are of the same kinds.

use domain::{
    AccountId, Event, Millis, RepoId, Second, StreamKey, Version, entity::repository::Repository, record,
};
use github::client::{AskError, WHOLE_PAGE_MAX, WaitWhy, Whole, WholePage, WholePulls, WholeRepository};
use serde::{Deserialize, Serialize};

use super::{
    check, pulls,
    repositories::{self, Pages},
};
use crate::{
    ask::{Asker, JobError, Moment, Told},
    rows::Etag,
};

/// How far such a list got; an address of a page in REST is kept apart.
const CURSOR: &str = "repositories/graphql";

/// The cursors under which REST keeps the `ETag`s of what a page tells too.
const ETAGS: [&str; 5] = [
    super::repository::ETAG,
    super::commits::ETAG,
    super::languages::ETAG,
    pulls::COUNT_ETAG,
    pulls::CHANGES_ETAG,
];

/// How a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// In GraphQL, with everything about each repository. `is_watched`: somebody looks at how far it got.
    Whole { is_watched: bool },
    /// In REST. Everything else is asked by itself, and what has not changed costs nothing.
    Rest,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    /// Everything was told, beginning at this moment on our clock.
    Whole(Millis),
    /// The list is to be read in REST.
    ByRest,
}

/// Where a list that was interrupted goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Page {
    after: Option<String>,
    since: Version,
    begun: Millis,
    told: usize,
    /// Whether everything on the pages so far could be read.
    is_whole: bool,
}

impl Asker {
    /// Reads the whole list with everything about each repository, if GraphQL is to be had.
    pub(super) async fn list_whole(
        &self,
        account: AccountId,
        login: &str,
        is_watched: bool,
    ) -> Result<Listed, JobError> {
        if !self.github.offers_graphql() {
            return Ok(Listed::ByRest);
        }
        let stream = StreamKey::Account(account);
        let mut at = self.begin_whole(stream).await?;
        let mut size = WHOLE_PAGE_MAX;
        let mut pages = Pages::default();
        loop {
            let moment = self.moment();
            let asked =
                self.github.whole_repositories(login, size, at.after.as_deref(), &moment.anew()).await;
            let page = match asked {
                Ok(Whole::Page(page)) if page.owner == account => page,
                Ok(Whole::TooHeavy) if size > 1 => {
                    size /= 2;
                    continue;
                }
                // Somebody else's, too heavy even alone, or its hour is used up: REST has limits of its own.
                Ok(Whole::Page(_) | Whole::TooHeavy | Whole::NotOffered)
                | Err(AskError::Wait { why: WaitWhy::Primary | WaitWhy::Reserved, .. }) => {
                    return self.end_whole(stream, &moment).await;
                }
                Err(error) => return Err(error.into()),
            };
            at.is_whole &= page.is_whole;
            let ids = page.repositories.iter().map(|repo| repo.reading.id);
            if !pages.goes_on(ids, page.next.is_some()) {
                return self.end_whole(stream, &moment).await;
            }
            let WholePage { repositories, next, date, total, .. } = page;
            at.told += repositories.len();
            at.after = next;
            let mut told = Vec::with_capacity(repositories.len() + 1);
            for repo in repositories {
                told.push(self.tell_whole(account, repo, &moment, date).await?);
            }
            let is_last = at.after.is_none();
            let mut end = Told::to(stream, Vec::new());
            if is_watched && let Some(total) = total {
                end = end.cursor(check::CURSOR.to_owned(), check::progress(at.told, total));
            }
            if is_last {
                if at.is_whole {
                    end.events.push(Event::RepositoriesListed { since: at.since });
                    end = end.cursor(repositories::CURSOR.to_owned(), String::new());
                }
                end = end.cursor(CURSOR.to_owned(), String::new());
            } else {
                let value = serde_json::to_string(&at).expect("a text and numbers serialize");
                end = end.cursor(CURSOR.to_owned(), value);
            }
            told.push(end);
            let position = self.append(&moment, date, told).await?;
            if is_last {
                self.folded.wait(position).await;
                // What could not be read is found in REST.
                return Ok(if at.is_whole { Listed::Whole(at.begun) } else { Listed::ByRest });
            }
        }
    }

    async fn begin_whole(&self, stream: StreamKey) -> Result<Page, JobError> {
        let resumed: Option<Page> = self.rows().cursor(stream, CURSOR).await?;
        Ok(resumed.unwrap_or_else(|| {
            let moment = self.moment();
            Page {
                after: None,
                since: moment.version(stream, &*self.log),
                begun: moment.ms,
                told: 0,
                is_whole: true,
            }
        }))
    }

    /// What was told so far stays told; the next such list begins anew.
    async fn end_whole(&self, stream: StreamKey, moment: &Moment) -> Result<Listed, JobError> {
        let is_begun: Option<Page> = self.rows().cursor(stream, CURSOR).await?;
        if is_begun.is_some() {
            let told = Told::to(stream, Vec::new()).cursor(CURSOR.to_owned(), String::new());
            self.append(moment, moment.ms.to_second(), vec![told]).await?;
        }
        Ok(Listed::ByRest)
    }

    /// What a page says of one repository, in one record, so that no need is raised that it meets.
    async fn tell_whole(
        &self,
        account: AccountId,
        whole: WholeRepository,
        moment: &Moment,
        date: Second,
    ) -> Result<Told, JobError> {
        let stream = StreamKey::Account(account);
        let WholeRepository { mut reading, commits, pulls, languages } = whole;
        let id = reading.id;
        let known = self.rows().repository(account, id).await?;
        // Replicas lag: of a repository that deliveries were about a moment ago only what carries a time of its own is
        // told, as a list in REST tells it. The rest is asked once it has been quiet.
        if known.as_ref().is_some_and(|repo| repo.quiet_from(moment.ms) > moment.ms) {
            (reading.watchers, reading.is_whole) = (None, false);
            return Ok(Told::to(stream, vec![Event::Repository(Box::new(reading))]));
        }
        let mut told = Told::to(stream, vec![Event::Repository(Box::new(reading))]);
        if known.is_some() {
            told = self.without_etags(told, stream, id).await?;
        }
        told.events.extend(commits.map(Event::Commits));
        if let Some(pulls) = pulls {
            let asked = (moment.version(stream, &*self.log), date);
            told = self.tell_whole_pulls(told, (id, known.as_ref()), pulls, asked).await?;
        }
        told.events.extend(languages.map(|bytes| Event::Languages { repo: id, bytes }));
        Ok(told)
    }

    async fn tell_whole_pulls(
        &self,
        mut told: Told,
        (repo, known): (RepoId, Option<&Repository>),
        pulls: WholePulls,
        (asked_at, date): (Version, Second),
    ) -> Result<Told, JobError> {
        let stream = told.stream;
        let kind = pulls::cursor_kind(repo);
        let is_listed = known.is_some_and(|known| known.pulls.is_listed());
        let mut cursor: pulls::Cursor = self.rows().cursor(stream, &kind).await?.unwrap_or_default();
        let reaches_back = pulls.is_all || (is_listed && cursor.is_reached_by(&pulls.changed));
        if is_listed && !reaches_back {
            // More has changed than was told: asked by itself, with the count.
            return Ok(told);
        }
        let (total, newest) = (pulls.total, pulls.newest);
        told.events.push(Event::PullCount { repo, total, newest });
        if reaches_back {
            told.events.push(Event::Pulls { repo, pulls: pulls.changed });
            // Begun before the count, as where the two are asked one after the other: a count that contradicts the
            // states shows that one of them vanished.
            told.events.push(Event::PullsListed { repo, since: before(asked_at) });
            cursor.whole_at(date);
            told = told.cursor(kind, cursor.encode());
        }
        Ok(told)
    }

    /// Ends the `ETag`s of a repository: what they stand for is not what is known any more, so that "not modified"
    /// would confirm something else.
    async fn without_etags(&self, mut told: Told, stream: StreamKey, repo: RepoId) -> Result<Told, JobError> {
        for what in ETAGS {
            let kind = record::etag_cursor(what, Some(repo));
            let known: Option<Etag> = self.rows().cursor(stream, &kind).await?;
            if known.is_some() {
                told = told.cursor(kind, String::new());
            }
        }
        Ok(told)
    }
}

/// The version before this one, within its epoch.
fn before(version: Version) -> Version {
    match version.offset().checked_sub(1) {
        Some(offset) if version > Version::LEAST => Version::new(version.epoch(), offset),
        _ => version,
    }
}
