//! Which account a wanted login means.

use domain::{Event, NeedKey, StreamKey, event::ProfileReading};
use github::client::{AccountPath, Answer};

use crate::{
    ask::{Asker, JobError, Told},
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
        let answer: Answer<ProfileReading<'static>> = if login.typed == TOKEN_OWNER {
            self.github.whoami(&moment.anew()).await?
        } else {
            self.github.profile(AccountPath::Login(&login.typed), &moment.anew()).await?
        };
        let date = answer.date();
        let found = |account| Event::LoginFound { forge: *forge, login: name.clone().into(), account };
        let told = match answer {
            Answer::Fresh(fresh) => {
                let account = fresh.body.owner.id;
                let events = vec![Event::Tracked(login.by), Event::Profile(fresh.body)];
                vec![
                    Told::to(StreamKey::Account(account), events),
                    Told::to(StreamKey::Service, vec![found(Some(account))]),
                ]
            }
            Answer::Refused { .. } => vec![Told::to(StreamKey::Service, vec![found(None)])],
            Answer::NotModified { .. } | Answer::Empty { .. } => return Ok(Ended::Failed),
        };
        self.append(&moment, date, told).await?;
        Ok(Ended::Answered)
    }
}
