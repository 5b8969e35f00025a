//! Who an account is now, and whether it is still there.

use domain::{AccountId, Event, NeedKey, StreamKey};
use github::client::{AccountPath, Answer, Asking, RepositoriesPage};

use crate::{
    ask::{Asker, JobError, Moment, Told},
    schedule::Ended,
};

/// The cursor under which the answer's `ETag` is kept.
const ETAG: &str = "profile";

impl Asker {
    /// Asks for an account's profile: by its id, which survives renames, else by its login.
    pub(super) async fn ask_profile(&self, account: AccountId) -> Result<Ended, JobError> {
        let Some(number) = account.as_github() else { return Ok(Ended::Failed) };
        let stream = StreamKey::Account(account);
        let known = self.rows().account(account).await?;
        let changed_at = known.profile_check.changed_at;
        let etag = match known.profile_doubt {
            Some(_) => None,
            None => self.rows().etag(stream, ETAG, None, changed_at).await?,
        };
        let moment = self.moment();
        let login = known.profile.login.as_deref();

        let mut answer =
            self.github.profile(AccountPath::Id(number), &moment.unless_unchanged(etag.as_ref())).await?;
        if let (Answer::Refused { .. }, Some(login)) = (&answer, login) {
            answer = self
                .github
                .profile(AccountPath::Login(login), &moment.unless_unchanged(etag.as_ref()))
                .await?;
        }
        let date = answer.date();
        let asked_at = moment.version(stream, &*self.log);
        let told = match answer {
            Answer::Fresh(fresh) if fresh.body.owner.id == account => {
                let renamed_from = login.filter(|login| *login != fresh.body.owner.login.as_str());
                if let Some(former) = renamed_from {
                    self.ask_former_login(former, account).await?;
                }
                Told::to(stream, vec![Event::Profile(fresh.body)]).etag(ETAG, None, fresh.etag, asked_at)
            }
            Answer::NotModified { .. } => Told::to(stream, vec![Event::Checked { about: NeedKey::Profile }]),
            // Somebody else has the login, and nobody the id.
            Answer::Fresh(_) => Told::to(stream, vec![Event::NoSuchAccount]),
            Answer::Refused { status, .. } => {
                let event = if self.shows_signs_of_life(account, login, &moment).await? {
                    Event::Refused { about: NeedKey::Profile, status }
                } else {
                    Event::NoSuchAccount
                };
                Told::to(stream, vec![event])
            }
            Answer::Empty { .. } => return Ok(Ended::Failed),
        };
        let position = self.append(&moment, date, vec![told]).await?;
        self.folded.wait(position).await;
        Ok(Ended::Answered)
    }

    /// Whether an account has another login than this one by now.
    pub(super) async fn was_renamed(&self, account: AccountId, login: &str) -> Result<bool, JobError> {
        self.ask_profile(account).await?;
        Ok(self.rows().account(account).await?.profile.login.is_some_and(|now| now != login))
    }

    /// A missing endpoint is no proof that an account is gone: its list, or one of its repositories, may
    /// still be there.
    async fn shows_signs_of_life(
        &self,
        account: AccountId,
        login: Option<&str>,
        moment: &Moment,
    ) -> Result<bool, JobError> {
        let Some(login) = login else { return Ok(false) };
        let list = self.github.repositories(RepositoriesPage::First { login }, &moment.anew()).await?;
        if matches!(list, Answer::Fresh(_)) {
            return Ok(true);
        }
        let repositories = self.rows().repositories(account).await?;
        let Some((_, repo)) = repositories.iter().find(|(_, repo)| repo.visibility.is_public()) else {
            return Ok(false);
        };
        let Some(name) = repo.name() else { return Ok(false) };
        let path = github::client::RepoPath::Name { owner: login, name };
        let repository = self.github.repository(path, &moment.anew()).await?;
        Ok(
            matches!(repository, Answer::Fresh(fresh) if fresh.body.owner.as_ref().is_none_or(|owner| owner.id == account)),
        )
    }

    /// After a rename the former login may be somebody else's by now: then it leads there. It says so in
    /// that account's own stream.
    async fn ask_former_login(&self, former: &str, account: AccountId) -> Result<(), JobError> {
        let moment = self.moment();
        let asking = Asking::anew(moment.ms.to_second());
        if let Answer::Fresh(fresh) = self.github.profile(AccountPath::Login(former), &asking).await?
            && fresh.body.owner.id != account
        {
            let stream = StreamKey::Account(fresh.body.owner.id);
            self.append(&moment, fresh.date, vec![Told::to(stream, vec![Event::Profile(fresh.body)])])
                .await?;
        }
        Ok(())
    }
}
