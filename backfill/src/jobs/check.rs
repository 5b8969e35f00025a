//! Everything about an account: what the sweep does, and what `tallyhook backfill` asks for.

use domain::{
    AccountId, Event, Millis, NeedKey, RepoId, StreamKey, Version,
    entity::{account::Account, check::Check, repository::Repository},
    need::Need,
};
use futures::{StreamExt, stream};
use serde::Serialize;

use super::{Target, whole::Way};
use crate::{
    ask::{Asker, JobError, Told, now},
    schedule::Ended,
};

/// Repositories of one account that are asked about at once; other accounts want their turn too.
pub(super) const REPOSITORIES_AT_ONCE: usize = 4;

/// While somebody watches, progress is noted after so many repositories.
const NOTE_EVERY: usize = 10;

/// The cursor that a progress bar reads.
pub(super) const CURSOR: &str = "check";

/// From when on an answer need not be asked for again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Since {
    /// From the record that raised the need.
    Raised(Version),
    /// From when the sweep began, on our clock: by that clock it was due. What was folded by then would not
    /// do: where nothing was folded since, an answer of long ago looks as if it were of now.
    Begun(Millis),
}

impl Since {
    /// How the list is asked for. The sweep finds most repositories unchanged, which costs nothing in REST.
    fn way(self) -> Way {
        match self {
            Since::Raised(_) => Way::Whole { is_watched: true },
            Since::Begun(_) => Way::Rest,
        }
    }

    /// Whether everything about a repository was heard since.
    fn is_before_all_of(self, repo: &Repository) -> bool {
        let checks = [&repo.facts_check, &repo.commits_check, &repo.pulls_check, &repo.languages_check];
        checks.into_iter().all(|check| self.is_before(check))
    }

    pub(super) fn is_before(self, check: &Check) -> bool {
        match self {
            Since::Raised(version) => check.asked_at >= version,
            Since::Begun(at) => check.checked_ms >= at,
        }
    }
}

#[derive(Serialize)]
struct Progress {
    done: usize,
    total: usize,
}

/// How far a check is, as the progress bar reads it.
pub(super) fn progress(done: usize, total: usize) -> String {
    serde_json::to_string(&Progress { done, total }).expect("two numbers serialize")
}

impl Asker {
    /// Asks for profile, list and every repository. What was asked since the check began, or since the
    /// need was raised, is not asked twice: an interrupted check goes on where it was.
    pub(super) async fn check(&self, account: AccountId, need: Option<&NeedKey>) -> Result<Ended, JobError> {
        let Some((since, known)) = self.begin_check(account, need).await? else { return Ok(Ended::Answered) };
        // What a person asks for anew, or was never listed, cannot have drifted.
        let is_sweep = matches!(since, Since::Begun(_)) && !known.list_check.is_unasked();
        let before = if is_sweep { Some(self.shown(account).await?) } else { None };
        if !since.is_before(&known.profile_check) {
            self.ask_profile(account).await?;
        }
        if !since.is_before(&known.list_check) {
            self.ask_repositories(account, since.way()).await?;
        }
        let repositories = self.rows().repositories(account).await?;
        let public = || repositories.iter().filter(|(_, repo)| repo.visibility.is_public());
        if let Some(before) = &before {
            for (repo, _) in public().filter(|(repo, _)| !before.contains_key(repo)) {
                self.tell_found(account, *repo).await?;
            }
        }
        let unheard = public().filter(|(_, repo)| !since.is_before_all_of(repo)).map(|(id, _)| *id).collect();
        self.check_repositories(account, since, unheard).await?;
        self.check_stargazers(account, since).await?;
        for (repo, before) in before.iter().flatten() {
            self.tell_drift(account, *repo, before).await?;
        }
        self.end_check(account, since).await
    }

    /// From when on answers count, and what is known of the account; `None` where there is nothing to check.
    pub(super) async fn begin_check(
        &self,
        account: AccountId,
        need: Option<&NeedKey>,
    ) -> Result<Option<(Since, Account)>, JobError> {
        let known = self.rows().account(account).await?;
        // Before anything is noted: a check of an account that is not kept must not make the next one begin long ago.
        if !known.is_kept() {
            return Ok(None);
        }
        let since = match need {
            Some(key) => match self.rows().need(StreamKey::Account(account), key).await? {
                Need::Open { raised_at, .. } => Since::Raised(raised_at),
                Need::Met => return Ok(None),
            },
            None => Since::Begun(self.sweep_begun(account)),
        };
        Ok(Some((since, known)))
    }

    /// Everything was asked.
    pub(super) async fn end_check(&self, account: AccountId, since: Since) -> Result<Ended, JobError> {
        match since {
            Since::Raised(version) => {
                let stream = StreamKey::Account(account);
                let asked = self.moment_at(stream, version);
                let told = Told::to(stream, vec![Event::Checked { about: NeedKey::Everything }])
                    .cursor(CURSOR.to_owned(), String::new());
                self.append(&asked, asked.ms.to_second(), vec![told]).await?;
            }
            // What each answer said of its part is all that there is to say, but to what did not arrive.
            Since::Begun(begun_ms) => {
                if self.rows().has_gaps(account).await? {
                    let moment = self.moment();
                    let told = Told::to(StreamKey::Account(account), vec![Event::Swept { begun_ms }]);
                    self.append(&moment, moment.ms.to_second(), vec![told]).await?;
                }
                self.sweep_ended(account);
                self.deliveries().swept(account, begun_ms);
            }
        }
        Ok(Ended::Answered)
    }

    async fn check_repositories(
        &self,
        account: AccountId,
        since: Since,
        repositories: Vec<RepoId>,
    ) -> Result<(), JobError> {
        let stream_key = StreamKey::Account(account);
        let total = repositories.len();
        let is_watched = matches!(since, Since::Raised(_));
        let checks = stream::iter(repositories)
            .map(|repo| self.check_repository(account, repo, since))
            .buffer_unordered(REPOSITORIES_AT_ONCE);
        let mut checks = std::pin::pin!(checks.enumerate());
        while let Some((place, ended)) = checks.next().await {
            ended?;
            let done = place + 1;
            if is_watched && done % NOTE_EVERY == 0 {
                let moment = self.moment();
                let told = Told::to(stream_key, Vec::new()).cursor(CURSOR.to_owned(), progress(done, total));
                self.append(&moment, moment.ms.to_second(), vec![told]).await?;
            }
        }
        Ok(())
    }

    /// Asks for everything about a repository that was not heard of since.
    async fn check_repository(&self, account: AccountId, id: RepoId, since: Since) -> Result<(), JobError> {
        let begun = now();
        let Some(target) = self.quiet_target(account, id, begun).await? else { return Ok(()) };
        // Commits ask for the repository too.
        if !since.is_before(&target.repo.commits_check) {
            self.ask_commits(&target).await?;
        } else if !since.is_before(&target.repo.facts_check) {
            self.ask_repository(&target).await?;
        }
        let Some(target) = self.target(account, id).await? else { return Ok(()) };
        let wants_pulls = !since.is_before(&target.repo.pulls_check);
        let wants_languages = !since.is_before(&target.repo.languages_check);
        if !target.repo.visibility.is_public() || !(wants_pulls || wants_languages) {
            return Ok(());
        }
        let Some(target) = self.located(target).await? else { return Ok(()) };
        if wants_pulls {
            self.sweep_pulls(&target).await?;
        }
        if wants_languages {
            self.ask_languages(&target).await?;
        }
        Ok(())
    }

    /// Asks who starred those repositories whose neighbours somebody wants; what is heard of an account at once says
    /// nothing of that.
    async fn check_stargazers(&self, account: AccountId, since: Since) -> Result<(), JobError> {
        for (repo, stars) in self.rows().wanted_stars(account).await? {
            if since.is_before(&stars.list_check) {
                continue;
            }
            let target = self.target(account, repo).await?;
            let Some(target) = target.filter(|target| target.repo.visibility.is_public()) else { continue };
            if let Some(target) = self.located(target).await? {
                self.ask_stargazers(&target).await?;
            }
        }
        Ok(())
    }

    /// A repository, once deliveries about it have been quiet for a moment.
    async fn quiet_target(
        &self,
        account: AccountId,
        id: RepoId,
        begun: domain::Millis,
    ) -> Result<Option<Target>, JobError> {
        loop {
            let Some(target) = self.target(account, id).await? else { return Ok(None) };
            let quiet_from = target.repo.quiet_from(begun);
            if !target.repo.visibility.is_public() {
                return Ok(None);
            }
            if quiet_from <= now() {
                return Ok(Some(target));
            }
            self.sleep_until(quiet_from).await?;
        }
    }
}
