//! Who an account is now.

use domain::{AccountId, Event, NeedKey, StreamKey};

use super::{Asker, Told, etag_of};

const ETAG: &str = "profile";

impl Asker<'_> {
    pub(super) async fn ask_profile(&self, account: AccountId) {
        let stream = StreamKey::Account(account);
        let known = self.rows().account(account).await;
        let etag = match known.profile_doubt {
            Some(_) => None,
            None => self.etag(stream, ETAG, None, known.profile_check.changed_at).await,
        };
        let asking = self.asking();
        let (world, date) = self.hear().await;
        let Some(moment) = world.accounts.get(&account) else {
            return self.append(&asking, date, vec![Told::to(stream, vec![Event::NoSuchAccount])]).await;
        };
        let reading = moment.reading();
        let told = if etag == Some(etag_of(&reading)) {
            Told::to(stream, vec![Event::Checked { about: NeedKey::Profile }])
        } else {
            if let Some(former) = &known.profile.login
                && *former != reading.owner.login.as_str()
            {
                self.ask_former_login(former, account).await;
            }
            let asked_at = self.version(&asking, stream);
            let etag = etag_of(&reading);
            Told::to(stream, vec![Event::Profile(reading)]).etag(ETAG, None, etag, asked_at)
        };
        self.append(&asking, date, vec![told]).await;
    }

    /// After a rename the former login may be somebody else's by now; that is said in their stream.
    async fn ask_former_login(&self, former: &str, account: AccountId) {
        let asking = self.asking();
        let (world, date) = self.hear().await;
        if let Some((other, moment)) = world.account_named(former)
            && other != account
        {
            let told = Told::to(StreamKey::Account(other), vec![Event::Profile(moment.reading())]);
            self.append(&asking, date, vec![told]).await;
        }
    }
}
