//! Compares what is shown with what is true.

use domain::{
    AccountId, RepoId, StreamKey, ViewKey,
    directory::{DirectoryState, RepoName},
};
use serde_json::Value;
use testkit::{
    expected,
    forge::{AccountMoment, Moment},
    stage::{Shown, Stage},
};

use crate::{
    history::{Field, Untold},
    play::Served,
};

/// What is asked of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Where it is wrong, it says that it is not complete.
    Honest,
    /// It is right, and says that it is complete.
    Exact,
}

/// What is wrong with what is shown, in words; `untold` is left out of the comparison.
pub(crate) async fn complaints(
    stage: &Stage,
    world: &Moment,
    untold: &[Untold],
    strictness: Strictness,
) -> Vec<String> {
    let mut checker = Checker { stage, world, untold, strictness, complaints: Vec::new() };
    for account in stage.accounts() {
        let directory = stage.rows().directory(account).await;
        if directory.is_some_and(|directory| directory.state == DirectoryState::Kept) {
            checker.account(account).await;
        }
    }
    checker.complaints
}

/// Everything that is served.
pub(crate) async fn served(stage: &Stage) -> Served {
    let mut served = Served::new();
    for account in stage.accounts() {
        let repositories = stage.rows().repositories(account).await;
        let views = [ViewKey::GithubPayload, ViewKey::Account, ViewKey::RepositoryIndex];
        let of_repositories = repositories.into_iter().map(|(repo, _)| ViewKey::Repository(repo));
        for view in views.into_iter().chain(of_repositories) {
            if let Some(shown) = stage.view(account, view).await {
                served.insert((account, view), (shown.bytes, shown.meta.as_of, shown.meta.complete));
            }
        }
    }
    served
}

struct Checker<'c> {
    stage: &'c Stage,
    world: &'c Moment,
    untold: &'c [Untold],
    strictness: Strictness,
    complaints: Vec<String>,
}

impl Checker<'_> {
    async fn account(&mut self, account: AccountId) {
        let moment = &self.world.accounts[&account];
        let left_out = self.left_out_of(account);
        let payload = self.stage.view(account, ViewKey::GithubPayload).await;
        let wanted = expected::github_payload(&moment.truth);
        self.compare(account, "the payload", payload.as_ref(), Some(wanted), &left_out);
        let page = self.stage.view(account, ViewKey::Account).await;
        let wanted = expected::account(&moment.truth);
        let is_page_complete = page.as_ref().is_some_and(|page| page.meta.complete);
        self.compare(account, "the page", page.as_ref(), Some(wanted), &left_out);
        self.list(account, moment, is_page_complete).await;

        let known: Vec<RepoId> =
            self.stage.rows().repositories(account).await.into_iter().map(|(repo, _)| repo).collect();
        for repo in &known {
            let shown = self.stage.view(account, ViewKey::Repository(*repo)).await;
            let truth = self.world.public(*repo).map(|moment| &moment.truth);
            let truth = truth.filter(|truth| AccountId::github(truth.owner.0) == account);
            let wanted = truth.and_then(expected::repository);
            self.compare(
                account,
                &format!("repository {repo}"),
                shown.as_ref(),
                wanted,
                &self.left_out_of_repository(*repo),
            );
        }
        if self.strictness == Strictness::Exact {
            self.names(account, moment).await;
        }
    }

    /// The list's order, which has no word of its own about being complete: the account's page has.
    async fn list(&mut self, account: AccountId, moment: &AccountMoment, is_page_complete: bool) {
        let wanted: Vec<RepoId> =
            moment.truth.repositories.iter().map(|repo| RepoId::github(repo.id.0)).collect();
        let listed = self.stage.listed(account).await.unwrap_or_default();
        let exists = |repo: &RepoId| !self.is_untold(*repo, Field::Existence);
        let known: Vec<RepoId> = listed.iter().copied().filter(exists).collect();
        if wanted != known && (is_page_complete || self.strictness == Strictness::Exact) {
            self.complaints.push(format!("{account}: the list is {listed:?}, and {wanted:?} are there"));
        }
    }

    async fn names(&mut self, account: AccountId, moment: &AccountMoment) {
        let rows = self.stage.rows();
        for repo in &moment.truth.repositories {
            let id = RepoId::github(repo.id.0);
            let leads_to = rows.name(account, &repo.name).await;
            if leads_to != Some(RepoName::Is(id)) {
                self.complaints.push(format!("{}/{} leads to {leads_to:?}", repo.owner_login, repo.name));
            }
        }
        let login = &moment.truth.login;
        if rows.alias(login).await != Some(account) {
            self.complaints.push(format!("{login} leads to {:?}", rows.alias(login).await));
        }
        let directory = rows.directory(account).await.expect("a kept account is in the directory");
        let shown =
            (directory.login.as_deref(), directory.repositories, directory.complete, directory.listed);
        if shown != (Some(login.as_str()), moment.truth.repositories.len() as u64, true, true) {
            self.complaints.push(format!("the directory says of {account}: {directory:?}"));
        }
        let open = rows.open_needs(StreamKey::Account(account)).await;
        if !open.is_empty() {
            self.complaints.push(format!("{account} has open needs: {open:?}"));
        }
    }

    fn compare(
        &mut self,
        account: AccountId,
        what: &str,
        shown: Option<&Shown>,
        wanted: Option<Value>,
        left_out: &[&str],
    ) {
        let Some(shown) = shown else {
            if let Some(wanted) = wanted.filter(|_| self.strictness == Strictness::Exact) {
                self.complaints.push(format!("{account}: {what} is missing: {wanted}"));
            }
            return;
        };
        let json = shown.json();
        let freshness = json.get("freshness").cloned();
        if let Some(freshness) = &freshness
            && freshness["complete"] != Value::Bool(shown.meta.complete)
        {
            self.complaints.push(format!("{account}: {what}: body and header differ: {freshness}"));
        }
        let mut found = Some(expected::without_freshness(json));
        let mut wanted = wanted;
        for part in left_out {
            if part.is_empty() {
                return;
            }
            for value in [&mut found, &mut wanted] {
                if let Some(part) = value.as_mut().and_then(|value| value.pointer_mut(part)) {
                    *part = Value::Null;
                }
            }
        }
        let is_right = found == wanted;
        let is_wanted = match self.strictness {
            Strictness::Honest => is_right || !shown.meta.complete,
            Strictness::Exact => is_right && shown.meta.complete,
        };
        if !is_wanted {
            let wanted = wanted.map_or("nothing".to_owned(), |wanted| wanted.to_string());
            let found = found.unwrap_or_default();
            let freshness = freshness.unwrap_or(Value::Bool(shown.meta.complete));
            self.complaints.push(format!(
                "{account}: {what}\n     is {found}\n should {wanted}\n freshness {freshness}"
            ));
        }
    }

    fn is_untold(&self, repo: RepoId, field: Field) -> bool {
        self.untold.contains(&Untold { repo: Some(repo), field })
    }

    /// What the account's own pages are not to be compared in.
    fn left_out_of(&self, account: AccountId) -> Vec<&'static str> {
        let mut parts = Vec::new();
        for untold in self.untold {
            let owner =
                untold.repo.and_then(|repo| self.world.repositories.get(&repo)).map(|repo| repo.truth.owner);
            if owner.is_some_and(|owner| AccountId::github(owner.0) != account) {
                continue;
            }
            parts.extend_from_slice(match untold.field {
                Field::Existence => &[""],
                Field::Fork => &["/totals/repositories/original", "/totals/repositories/forked"][..],
                Field::Forks => &["/totals/forks"],
                Field::License => &[],
                Field::Stars => &["/totals/stars"],
                Field::Watchers => &["/totals/watchers"],
                Field::Languages => &["/totals/languages"],
                Field::Profile => &["/account", "/user", "/totals/gists"],
            });
        }
        parts
    }

    fn left_out_of_repository(&self, repo: RepoId) -> Vec<&'static str> {
        let mut parts = Vec::new();
        for untold in self.untold.iter().filter(|untold| untold.repo == Some(repo)) {
            parts.extend_from_slice(match untold.field {
                Field::Existence => &[""],
                Field::Fork => &["/repository/fork"][..],
                Field::Forks => &["/counts/forks"],
                Field::License => &["/repository/license", "/repository/updated_at"],
                Field::Stars => &["/counts/stars"],
                Field::Watchers => &["/counts/watchers"],
                Field::Languages => &["/languages"],
                Field::Profile => &[],
            });
        }
        parts
    }
}
