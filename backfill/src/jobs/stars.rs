//! Stars: who starred a repository, in one or two passes over its list; and what each stargazer starred, which is told
//! to every repository among those whose neighbours somebody wants.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AccountId, Event, NeedKey, RepoId, StreamKey,
    event::{GazersListed, StarredReading, StarredRepository, StarsReading},
};
use github::client::{Answer, GivenStar, StargazersPage, StarredPage};

use super::Target;
use crate::{
    ask::{Asker, JobError, Moment, Told},
    schedule::Ended,
};

/// Pages of what one account starred: 3 000 stars. Who starred more is known in part, and the answer says so.
const STARRED_PAGES_MAX: usize = 30;

/// Stargazers that are asked about before other tasks have their turn.
const STARGAZERS_A_TURN: usize = 50;

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
        let event = Event::Stars(Box::new(StarsReading { listed, ..about(target.id) }));
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
                let event = Event::Stars(Box::new(StarsReading { gazers, ..about(target.id) }));
                self.append(begun, date, vec![Told::to(target.stream(), vec![event])]).await?;
            }
            next = follows;
            if next.is_none() {
                return Ok(Pass::Read { is_whole: true });
            }
        }
    }

    /// Reads what some of a repository's stargazers starred.
    pub(super) async fn ask_starred(&self, target: &Target) -> Result<Ended, JobError> {
        let unknown = self.rows().unknown_stargazers(target.account, target.id, STARGAZERS_A_TURN).await?;
        let mut last = None;
        for (user, login) in &unknown {
            last = Some(self.ask_starred_by(target, *user, login.as_deref()).await?);
        }
        if let Some(position) = last {
            self.folded.wait(position).await;
        }
        Ok(if unknown.len() == STARGAZERS_A_TURN { Ended::Part } else { Ended::Answered })
    }

    async fn ask_starred_by(
        &self,
        target: &Target,
        user: AccountId,
        login: Option<&str>,
    ) -> Result<event_log::Position, JobError> {
        let moment = self.moment();
        let mut stars: Vec<GivenStar> = Vec::new();
        let mut next: Option<String> = None;
        let mut date = moment.ms.to_second();
        let mut is_whole = login.is_some();
        for place in 0..=STARRED_PAGES_MAX {
            let Some(login) = login else { break };
            if place == STARRED_PAGES_MAX {
                is_whole = false;
                break;
            }
            let page = match &next {
                Some(url) => StarredPage::Next(url),
                None => StarredPage::First { login },
            };
            let answer = self.github.starred(page, &moment.anew()).await?;
            date = answer.date();
            next = match answer {
                Answer::Fresh(fresh) => {
                    stars.extend(fresh.body);
                    fresh.links.next().map(str::to_owned)
                }
                Answer::Empty { .. } => None,
                Answer::Refused { .. } => {
                    is_whole = false;
                    None
                }
                Answer::NotModified { .. } => {
                    return Err(JobError::Retry("a list that was asked for anew is not modified".to_owned()));
                }
            };
            if next.is_none() {
                break;
            }
        }
        let repositories: Vec<StarredRepository<'static>> =
            stars.into_iter().filter_map(|star| star.repository).collect();
        let mut wanted: BTreeMap<RepoId, AccountId> = BTreeMap::from([(target.id, target.account)]);
        for repo in &repositories {
            let stars = self.rows().stars(repo.owner, repo.id).await?;
            if stars.is_some_and(|stars| stars.wanted.is_some()) {
                wanted.insert(repo.id, repo.owner);
            }
        }
        let login = login.unwrap_or_default().to_owned();
        let reading = StarredReading { starrer: user, login: login.into(), repositories, is_whole };
        let told = wanted.into_iter().map(|(repo, owner)| {
            let starred = vec![reading.clone()];
            let event = Event::Stars(Box::new(StarsReading { starred, ..about(repo) }));
            Told::to(StreamKey::Account(owner), vec![event])
        });
        // That of the repository that was asked for last, so that it is the one that is waited for.
        let mut told: Vec<Told> = told.collect();
        told.sort_by_key(|told| told.stream == target.stream());
        self.append(&moment, date, told).await
    }
}

fn about(repo: RepoId) -> StarsReading<'static> {
    StarsReading { repo, gazers: Vec::new(), listed: None, starred: Vec::new() }
}
