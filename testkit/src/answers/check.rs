//! Everything about an account: what the sweep does.

use domain::{AccountId, Event, Millis, NeedKey, RepoId, StreamKey, Version, need::Need};

use super::{Asker, Asking, Target, Told};

impl Asker<'_> {
    /// What was heard since the check began, or since its need was raised, is not asked twice.
    pub(super) async fn check(&self, account: AccountId, is_need: bool) {
        let stream = StreamKey::Account(account);
        let known = self.rows().account(account).await;
        if !known.is_kept() {
            return;
        }
        let begun = self.asking();
        let since = self.check_since(account, is_need, &begun).await;
        if known.profile_check.asked_at < since {
            self.ask_profile(account).await;
        }
        if known.list_check.asked_at < since {
            self.ask_repositories(account).await;
        }
        for (id, repo) in self.rows().repositories(account).await {
            if repo.visibility.is_public() {
                self.check_repository(account, id, since).await;
            }
        }
        let ended = Told::to(stream, vec![Event::Checked { about: NeedKey::Everything }]);
        self.append_since(stream, since, ended).await;
        if !is_need {
            self.sweeps.borrow_mut().remove(&account);
        }
    }

    async fn check_since(&self, account: AccountId, is_need: bool, begun: &Asking) -> Version {
        let stream = StreamKey::Account(account);
        if is_need && let Need::Open { raised_at, .. } = self.rows().need(stream, NeedKey::Everything).await {
            return raised_at;
        }
        *self.sweeps.borrow_mut().entry(account).or_insert(self.version(begun, stream))
    }

    async fn append_since(&self, stream: StreamKey, since: Version, told: Told) {
        let wait = self.pace.borrow_mut().append();
        self.script.sleep(wait).await;
        let at = self.script.ours();
        let asked = domain::Asked { asked_at: since, asked_ms: at, date: at.to_second() };
        self.stage.answer(asked, at, stream, told.events, told.cursors).await;
    }

    async fn check_repository(&self, account: AccountId, id: RepoId, since: Version) {
        let Some(target) = self.quiet_target(account, id, self.script.ours()).await else { return };
        if target.repo.commits_check.asked_at < since {
            self.ask_commits(&target).await;
        } else if target.repo.asked_alone_at < since {
            self.ask_repository(&target).await;
        }
        let Some(target) = self.target(account, id).await else { return };
        if !target.repo.visibility.is_public() {
            return;
        }
        if target.repo.pulls_check.asked_at < since {
            self.sweep_pulls(&target).await;
        }
        if target.repo.languages_check.asked_at < since {
            self.ask_languages(&target).await;
        }
    }

    /// A repository, once deliveries about it have been quiet for a moment.
    async fn quiet_target(&self, account: AccountId, id: RepoId, begun: Millis) -> Option<Target> {
        loop {
            let target = self.target(account, id).await?;
            if !target.repo.visibility.is_public() {
                return None;
            }
            let rest = target.repo.quiet_from(begun).0 - self.script.ours().0;
            if rest <= 0 {
                return Some(target);
            }
            self.script.sleep(rest).await;
        }
    }
}
