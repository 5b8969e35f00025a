//! Which account a wanted login means.

use domain::{Event, NeedKey, StreamKey};

use super::{Asker, Told};

impl Asker<'_> {
    pub(super) async fn ask_login(&self, key: &NeedKey) {
        let NeedKey::Login(forge, name) = key else { return };
        let Some(login) = self.rows().login(name).await else { return };
        let asking = self.asking();
        let (world, date) = self.hear().await;
        let found = |account| Event::LoginFound { forge: *forge, login: name.clone().into(), account };
        let told = match world.account_named(&login.typed) {
            Some((account, moment)) => {
                let events = vec![Event::Tracked(login.by), Event::Profile(moment.reading())];
                vec![
                    Told::to(StreamKey::Account(account), events),
                    Told::to(StreamKey::Service, vec![found(Some(account))]),
                ]
            }
            None => vec![Told::to(StreamKey::Service, vec![found(None)])],
        };
        self.append(&asking, date, told).await;
    }
}
