//! Which account a wanted login means.

use domain::{Event, Forge, NeedKey, Second, StreamKey, event::ProfileReading};
use github::client::{AccountPath, Answer};

use crate::{
    ask::{Asker, JobError, Moment, Told},
    schedule::Ended,
};

/// What settings write for the owner of the token.
const TOKEN_OWNER: &str = "@me";

impl Asker {
    /// Asks who a login is; an account that is found is kept from now on.
    pub(super) async fn ask_login(&self, key: &NeedKey) -> Result<Ended, JobError> {
        let NeedKey::Login(forge, name) = key else { return Ok(Ended::Failed) };
        let Some(login) = self.rows().login(key).await? else { return Ok(Ended::Failed) };
        let moment = self.moment();
        let answered = match forge {
            Forge::GitHub => self.ask_github_login(&login.typed, &moment).await?,
            Forge::Bitbucket => Some(self.ask_bitbucket_name(&login.typed, &moment).await?),
        };
        let Some((date, profile)) = answered else { return Ok(Ended::Failed) };
        let found = |account| Event::LoginFound { forge: *forge, login: name.clone().into(), account };
        let told = match profile {
            Some(profile) => {
                let account = profile.owner.id;
                let events = vec![Event::Tracked(login.by), Event::Profile(profile)];
                vec![
                    Told::to(StreamKey::Account(account), events),
                    Told::to(StreamKey::Service, vec![found(Some(account))]),
                ]
            }
            None => vec![Told::to(StreamKey::Service, vec![found(None)])],
        };
        self.append(&moment, date, told).await?;
        Ok(Ended::Answered)
    }

    /// Who a login is at GitHub, `Some(None)` for nobody; `None` for an answer to another question.
    pub(super) async fn ask_github_login(
        &self,
        login: &str,
        moment: &Moment,
    ) -> Result<Option<(Second, Option<ProfileReading<'static>>)>, JobError> {
        let answer: Answer<ProfileReading<'static>> = if login == TOKEN_OWNER {
            self.github.whoami(&moment.anew()).await?
        } else {
            self.github.profile(AccountPath::Login(login), &moment.anew()).await?
        };
        let date = answer.date();
        Ok(match answer {
            Answer::Fresh(fresh) => Some((date, Some(fresh.body))),
            Answer::Refused { .. } => Some((date, None)),
            Answer::NotModified { .. } | Answer::Empty { .. } => None,
        })
    }
}
