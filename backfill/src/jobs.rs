//! The questions themselves, one file each: which requests, and what their answers say to the stream.

mod bitbucket;
mod check;
mod commits;
mod gists;
mod languages;
mod login;
mod profile;
mod pulls;
mod repositories;
mod repository;
mod starred;
mod stars;
#[cfg(test)]
mod tests;
mod whole;

use domain::{AccountId, NeedKey, RepoId, StreamKey, entity::repository::Repository};
use github::client::RepoPath;

use self::{bitbucket::Workspace, whole::Way};
pub(crate) use self::{gists::GistPolls, starred::StarProgress};
use crate::{
    ask::{Asker, JobError},
    schedule::{Ended, Task, What},
};

impl Asker {
    /// Does what a task says, and notes whether that came to anything.
    pub(crate) async fn run(&self, task: &Task) -> Result<Ended, JobError> {
        let ended = self.work_on(task).await;
        self.note_attempt(task, &ended).await?;
        ended
    }

    async fn work_on(&self, task: &Task) -> Result<Ended, JobError> {
        if let Some(workspace) = task.stream.account().and_then(Workspace::of) {
            return self.ask_bitbucket(workspace, &task.what).await;
        }
        match (task.stream, &task.what) {
            (StreamKey::Service, What::Need(key @ NeedKey::Login(..))) => self.ask_login(key).await,
            (StreamKey::Service, What::Need(NeedKey::GistUser(login))) => self.ask_gist_user(login).await,
            (StreamKey::Service, What::Latest) => self.follow_latest().await,
            (StreamKey::Service, What::Hooks) => self.find_hooks().await,
            (stream, What::Deliveries(hook)) => self.look_through(stream, *hook).await,
            (StreamKey::Account(account), What::Sweep) => self.check(account, None).await,
            (StreamKey::Account(account), What::Stars) => self.check_starred(account).await,
            (StreamKey::Account(account), What::Need(key)) => self.ask(account, key).await,
            // A row that this release does not write.
            (StreamKey::Service, _) | (StreamKey::Account(_), What::Latest | What::Hooks) => {
                Ok(Ended::Failed)
            }
        }
    }

    async fn ask(&self, account: AccountId, key: &NeedKey) -> Result<Ended, JobError> {
        if let Some(repo) = key.repository() {
            let Some(target) = self.target(account, repo).await? else { return Ok(Ended::Failed) };
            return self.ask_about(target, key).await;
        }
        match key {
            NeedKey::Profile => self.ask_profile(account).await,
            NeedKey::Repositories => {
                // They may be asked for because an App was installed.
                self.github.look_for_installation(account);
                self.ask_repositories(account, Way::Whole { is_watched: false }).await
            }
            NeedKey::Everything => self.check(account, Some(key)).await,
            NeedKey::Gists => self.ask_gists(account).await,
            NeedKey::OwnStars => self.ask_own_stars(account).await,
            _ => Ok(Ended::Failed),
        }
    }

    async fn ask_about(&self, target: Target, key: &NeedKey) -> Result<Ended, JobError> {
        match key {
            NeedKey::Commits(_) => return self.ask_commits(&target).await,
            NeedKey::Pulls(_) | NeedKey::Pull(..) | NeedKey::Languages(_) => {}
            NeedKey::Stargazers(_) | NeedKey::Starred(_) => {}
            _ => return self.ask_repository(&target).await,
        }
        let Some(target) = self.located(target).await? else { return Ok(Ended::Answered) };
        match key {
            NeedKey::Pulls(_) => self.ask_pulls(&target).await,
            NeedKey::Stargazers(_) => self.ask_stargazers(&target).await,
            NeedKey::Starred(_) => self.ask_starred(&target).await,
            NeedKey::Pull(_, number) => self.ask_pull(&target, *number).await,
            _ => self.ask_languages(&target).await,
        }
    }

    /// What is known of a repository that is asked about; `None` if nothing is.
    async fn target(&self, account: AccountId, id: RepoId) -> Result<Option<Target>, JobError> {
        let Some(number) = id.as_github() else { return Ok(None) };
        let Some(repo) = self.rows().repository(account, id).await? else { return Ok(None) };
        let owner = self.rows().account(account).await?;
        let is_owner_in_doubt = owner.profile_doubt.is_some();
        let login = owner.profile.login;
        Ok(Some(Target { account, id, number, login, is_owner_in_doubt, repo, place: Place::Name }))
    }
}

/// A repository that is asked about.
pub(crate) struct Target {
    account: AccountId,
    id: RepoId,
    number: u64,
    login: Option<String>,
    /// A payload named the account otherwise: names under its login may lead elsewhere.
    is_owner_in_doubt: bool,
    repo: Repository,
    place: Place,
}

/// Where a repository answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// By its name; look-alikes offer nothing else.
    Name,
    /// By its id alone: its name leads to another one, or to nothing.
    Id,
}

impl Target {
    fn stream(&self) -> StreamKey {
        StreamKey::Account(self.account)
    }

    fn path(&self) -> RepoPath<'_> {
        self.path_at(self.place)
    }

    fn path_at(&self, place: Place) -> RepoPath<'_> {
        match (place, &self.login, self.repo.name()) {
            (Place::Name, Some(owner), Some(name)) => RepoPath::Name { owner, name },
            _ => RepoPath::Id(self.number),
        }
    }
}
