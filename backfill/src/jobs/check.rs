//! Everything about an account: what the sweep does, and what `tallyhook backfill` asks for.

use domain::{AccountId, Event, NeedKey, RepoId, StreamKey, Version};
use futures::{StreamExt, stream};
use serde::Serialize;

use super::Target;
use crate::{
    ask::{Asker, JobError, Moment, Told, now},
    schedule::Ended,
};

/// Repositories of one account that are asked about at once; other accounts want their turn too.
const REPOSITORIES_AT_ONCE: usize = 4;

/// While somebody watches, progress is noted after so many repositories.
const NOTE_EVERY: usize = 10;

/// The cursor that a progress bar reads.
const CURSOR: &str = "check";

#[derive(Serialize)]
struct Progress {
    done: usize,
    total: usize,
}

impl Asker {
    /// Asks for profile, list and every repository. What was heard since the check began, or since the
    /// need was raised, is not asked twice: an interrupted check goes on where it was.
    pub(super) async fn check(&self, account: AccountId, need: Option<&NeedKey>) -> Result<Ended, JobError> {
        let stream = StreamKey::Account(account);
        let moment = self.moment();
        let known = self.rows().account(account).await?;
        // Before anything is noted: a check of an account that is not kept must not make the next one begin long ago.
        if !known.is_kept() {
            return Ok(Ended::Answered);
        }
        let since = self.check_since(account, need, &moment).await?;
        if !Target::is_fresh(known.profile_check.asked_at, since) {
            self.ask_profile(account).await?;
        }
        if !Target::is_fresh(known.list_check.asked_at, since) {
            self.ask_repositories(account).await?;
        }
        let repositories = self.rows().repositories(account).await?;
        let shown: Vec<RepoId> = repositories
            .into_iter()
            .filter(|(_, repo)| repo.visibility.is_public())
            .map(|(id, _)| id)
            .collect();
        self.check_repositories(account, since, need.is_some(), shown).await?;

        let asked = self.moment_at(stream, since);
        let mut told = Told::to(stream, vec![Event::Checked { about: NeedKey::Everything }]);
        if need.is_some() {
            told = told.cursor(CURSOR.to_owned(), String::new());
        }
        self.append(&asked, asked.ms.to_second(), vec![told]).await?;
        if need.is_none() {
            self.sweep_ended(account);
        }
        Ok(Ended::Answered)
    }

    /// What was folded when this check began; what was heard since need not be asked again.
    async fn check_since(
        &self,
        account: AccountId,
        need: Option<&NeedKey>,
        moment: &Moment,
    ) -> Result<Version, JobError> {
        let stream = StreamKey::Account(account);
        if let Some(key) = need
            && let domain::need::Need::Open { raised_at, .. } = self.rows().need(stream, key).await?
        {
            return Ok(raised_at);
        }
        Ok(self.sweep_since(account, moment.version(stream, &*self.log)))
    }

    async fn check_repositories(
        &self,
        account: AccountId,
        since: Version,
        is_watched: bool,
        repositories: Vec<RepoId>,
    ) -> Result<(), JobError> {
        let stream_key = StreamKey::Account(account);
        let total = repositories.len();
        let checks = stream::iter(repositories)
            .map(|repo| self.check_repository(account, repo, since))
            .buffer_unordered(REPOSITORIES_AT_ONCE);
        let mut checks = std::pin::pin!(checks.enumerate());
        while let Some((place, ended)) = checks.next().await {
            ended?;
            let done = place + 1;
            if is_watched && done % NOTE_EVERY == 0 {
                let progress = serde_json::to_string(&Progress { done, total }).unwrap_or_default();
                let moment = self.moment();
                let told = Told::to(stream_key, Vec::new()).cursor(CURSOR.to_owned(), progress);
                self.append(&moment, moment.ms.to_second(), vec![told]).await?;
            }
        }
        Ok(())
    }

    /// Asks for everything about a repository that was not heard of since.
    async fn check_repository(&self, account: AccountId, id: RepoId, since: Version) -> Result<(), JobError> {
        let begun = now();
        let Some(target) = self.quiet_target(account, id, begun).await? else { return Ok(()) };
        // Commits ask for the repository too.
        if !Target::is_fresh(target.repo.commits_check.asked_at, since) {
            self.ask_commits(&target).await?;
        } else if !Target::is_fresh(target.repo.asked_alone_at, since) {
            self.ask_repository(&target).await?;
        }
        let Some(target) = self.target(account, id).await? else { return Ok(()) };
        if !target.repo.visibility.is_public() {
            return Ok(());
        }
        let Some(target) = self.located(target).await? else { return Ok(()) };
        if !Target::is_fresh(target.repo.pulls_check.asked_at, since) {
            self.sweep_pulls(&target).await?;
        }
        if !Target::is_fresh(target.repo.languages_check.asked_at, since) {
            self.ask_languages(&target).await?;
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
