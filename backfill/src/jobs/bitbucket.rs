//! Everything that Bitbucket is asked: an account by its uuid, its list, and the watchers of each repository.
//!
//! A list tells all but the watchers, so that a repository costs one request as long as the list is fresh.

use std::collections::HashSet;

use bitbucket::{
    client::{AccountPath, Answer, PagePath},
    translate::Listed,
};
use domain::{
    AccountId, Event, NeedKey, RepoId, Second, StreamKey,
    entity::repository::Repository,
    event::{ProfileReading, RepositoryReading},
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    check::REPOSITORIES_AT_ONCE,
    repositories::{CURSOR, Page, Pages},
};
use crate::{
    ask::{Asker, JobError, Moment, Told, now},
    schedule::{Ended, What},
};

/// So long what a list said of a repository is believed, while its watchers are asked for.
const LISTED_BELIEVED_MS: i64 = 60_000;

/// An account of Bitbucket's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workspace {
    account: AccountId,
    uuid: u128,
}

impl Workspace {
    /// `None` where it is another forge's.
    pub(super) fn of(account: AccountId) -> Option<Self> {
        Some(Workspace { account, uuid: account.as_bitbucket()? })
    }

    fn stream(self) -> StreamKey {
        StreamKey::Account(self.account)
    }
}

impl Asker {
    /// Does what a task about an account says.
    pub(super) async fn ask_bitbucket(&self, workspace: Workspace, what: &What) -> Result<Ended, JobError> {
        match what {
            What::Sweep => self.check_workspace(workspace, None).await,
            What::Need(key @ NeedKey::Everything) => self.check_workspace(workspace, Some(key)).await,
            What::Need(NeedKey::Profile) => self.ask_workspace(workspace).await,
            What::Need(NeedKey::Repositories) => self.list_workspace(workspace).await,
            What::Need(NeedKey::Repository(repo)) => self.ask_watched(workspace, *repo).await,
            // Bitbucket is never asked for these; a row that says so is none of this release.
            What::Need(_) | What::Stars | What::Latest | What::Hooks | What::Deliveries(_) => {
                Ok(Ended::Failed)
            }
        }
    }

    /// Asks who a name is; `None` where there is nobody of that name.
    pub(super) async fn ask_bitbucket_name(
        &self,
        name: &str,
        moment: &Moment,
    ) -> Result<(Second, Option<ProfileReading<'static>>), JobError> {
        match self.bitbucket.profile(AccountPath::Name(name), moment.ms.to_second()).await? {
            Answer::Fresh { body, date } => Ok((date, Some(body))),
            Answer::Refused { date, .. } => Ok((date, None)),
        }
    }

    async fn ask_workspace(&self, workspace: Workspace) -> Result<Ended, JobError> {
        let moment = self.moment();
        let second = moment.ms.to_second();
        let (date, event) = match self.bitbucket.profile(AccountPath::Uuid(workspace.uuid), second).await? {
            Answer::Fresh { body, date } if body.owner.id == workspace.account => {
                (date, Event::Profile(body))
            }
            Answer::Fresh { .. } => {
                return Err(JobError::Retry("Bitbucket answered for another account".to_owned()));
            }
            Answer::Refused { status, date } => {
                // A profile that is not told is no proof that the account is gone: its list may still be there.
                let list = self.bitbucket.repositories(PagePath::First(workspace.uuid), second).await?;
                let event = match list {
                    Answer::Fresh { .. } => Event::Refused { about: NeedKey::Profile, status },
                    Answer::Refused { .. } => Event::NoSuchAccount,
                };
                (date, event)
            }
        };
        let told = Told::to(workspace.stream(), vec![event]);
        let position = self.append(&moment, date, vec![told]).await?;
        self.folded.wait(position).await;
        Ok(Ended::Answered)
    }

    /// Asks for the whole list, then for those that it leaves out.
    async fn list_workspace(&self, workspace: Workspace) -> Result<Ended, JobError> {
        let stream = workspace.stream();
        let (mut next, since, begun) = self.begin_list(stream).await?;
        let mut pages = Pages::default();
        loop {
            let moment = self.moment();
            let page = next.as_deref().map_or(PagePath::First(workspace.uuid), PagePath::Next);
            let answer = match self.bitbucket.repositories(page, moment.ms.to_second()).await {
                Ok(answer) => answer,
                Err(error @ bitbucket::client::AskError::Final(_)) if next.is_some() => {
                    // What cannot be followed is not tried again; the list begins anew.
                    self.give_up_list(stream).await?;
                    return Err(error.into());
                }
                Err(error) => return Err(error.into()),
            };
            let (body, date) = match answer {
                Answer::Fresh { body, date } => (body, date),
                Answer::Refused { status, date } => {
                    let refused = Event::Refused { about: NeedKey::Repositories, status };
                    let told = Told::to(stream, vec![refused]).cursor(CURSOR.to_owned(), String::new());
                    self.append(&moment, date, vec![told]).await?;
                    return Ok(Ended::Answered);
                }
            };
            if !pages.goes_on(body.repositories.iter().map(|listed| listed.reading.id), body.next.is_some()) {
                self.give_up_list(stream).await?;
                return Err(JobError::Retry("the pages of a list go in a circle".to_owned()));
            }
            let own = |listed: &Listed| {
                listed.reading.owner.as_ref().is_none_or(|owner| owner.id == workspace.account)
            };
            let mut events: Vec<Event<'static>> =
                body.repositories.into_iter().filter(own).flat_map(Listed::into_events).collect();
            next = body.next;
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
        for (id, repo) in self.rows().repositories(workspace.account).await? {
            if repo.visibility.is_public() && repo.facts_check.checked_ms < begun {
                self.ask_watched(workspace, id).await?;
            }
        }
        Ok(Ended::Answered)
    }

    /// Asks for a repository's watchers, and for the repository itself where what is known of it is old or in
    /// doubt, or where its watchers are refused.
    async fn ask_watched(&self, workspace: Workspace, id: RepoId) -> Result<Ended, JobError> {
        let Some(uuid) = id.as_bitbucket() else { return Ok(Ended::Failed) };
        let Some(known) = self.rows().repository(workspace.account, id).await? else {
            return Ok(Ended::Failed);
        };
        let moment = self.moment();
        let second = moment.ms.to_second();
        let mut itself = None;
        if !is_believed(&known) {
            itself = Some(self.bitbucket.repository(workspace.uuid, uuid, second).await?);
        }
        let is_there = !matches!(&itself, Some(Answer::Refused { .. }));
        let is_private =
            matches!(&itself, Some(Answer::Fresh { body, .. }) if body.reading.private == Some(true));
        let mut watchers = None;
        if is_there && !is_private {
            let answer = self.bitbucket.watchers(workspace.uuid, uuid, second).await?;
            if matches!(answer, Answer::Refused { .. }) && itself.is_none() {
                itself = Some(self.bitbucket.repository(workspace.uuid, uuid, second).await?);
            }
            watchers = Some(answer);
        }
        let (date, events) = told_of(workspace, id, itself, watchers.as_ref());
        let position = self.append(&moment, date, vec![Told::to(workspace.stream(), events)]).await?;
        self.folded.wait(position).await;
        Ok(Ended::Answered)
    }

    /// Everything about an account. What was asked since the check began, or since the need was raised, is not
    /// asked twice.
    async fn check_workspace(&self, workspace: Workspace, need: Option<&NeedKey>) -> Result<Ended, JobError> {
        let Some((since, known)) = self.begin_check(workspace.account, need).await? else {
            return Ok(Ended::Answered);
        };
        if !since.is_before(&known.profile_check) {
            self.ask_workspace(workspace).await?;
        }
        if !since.is_before(&known.list_check) {
            self.list_workspace(workspace).await?;
        }
        let repositories = self.rows().repositories(workspace.account).await?;
        let is_due =
            |repo: &Repository| repo.visibility.is_public() && !since.is_before(&repo.watchers_check);
        let due: HashSet<RepoId> =
            repositories.into_iter().filter(|(_, repo)| is_due(repo)).map(|(id, _)| id).collect();
        stream::iter(due)
            .map(|id| self.ask_watched(workspace, id))
            .buffer_unordered(REPOSITORIES_AT_ONCE)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        self.end_check(workspace.account, since).await
    }
}

fn is_believed(known: &Repository) -> bool {
    let checked = known.facts_check.checked_ms;
    let is_clear = known.visibility.is_public() && known.facts_doubts().next().is_none();
    is_clear && now() < checked.plus(LISTED_BELIEVED_MS)
}

/// What the answers about one repository say to its owner's stream.
fn told_of(
    workspace: Workspace,
    id: RepoId,
    itself: Option<Answer<Listed>>,
    watchers: Option<&Answer<Option<u64>>>,
) -> (Second, Vec<Event<'static>>) {
    let (date, mut reading, languages) = match itself {
        Some(Answer::Refused { status: 501, date }) => {
            return (date, vec![Event::Refused { about: NeedKey::Repository(id), status: 501 }]);
        }
        Some(Answer::Refused { date, .. }) => return (date, vec![Event::RepositoryGone { repo: id }]),
        Some(Answer::Fresh { body, date }) => {
            if let Some(owner) = &body.reading.owner
                && owner.id != workspace.account
            {
                let at = body.reading.clock().unwrap_or(date);
                return (date, vec![Event::RepositoryMoved { repo: id, to: owner.id, at }]);
            }
            let languages = body.language.map(|name| (name.into(), 0)).into_iter().collect();
            (Some(date), body.reading, Some(Event::Languages { repo: id, bytes: languages }))
        }
        None => (None, RepositoryReading::of(id), None),
    };
    let mut date = date;
    match watchers {
        Some(Answer::Fresh { body, date: told }) => {
            reading.watchers = *body;
            date = date.or(Some(*told));
        }
        Some(Answer::Refused { date: told, .. }) => date = date.or(Some(*told)),
        None => {}
    }
    reading.is_whole = true;
    let mut events = vec![Event::Repository(Box::new(reading))];
    events.extend(languages);
    (date.unwrap_or_default(), events)
}
