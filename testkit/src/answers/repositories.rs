//! Which repositories an account has, and what became of those that the list leaves out.

use domain::{AccountId, Event, StreamKey, Version};

use super::{Asker, Told};

impl Asker<'_> {
    pub(super) async fn ask_repositories(&self, account: AccountId) {
        let stream = StreamKey::Account(account);
        if self.rows().account(account).await.profile.login.is_none() {
            return;
        }
        let asking = self.asking();
        let since = self.version(&asking, stream);
        let (world, date) = self.hear().await;
        let readings = world.list(account).into_iter().map(|reading| Event::Repository(Box::new(reading)));
        let mut events: Vec<Event<'static>> = readings.collect();
        events.push(Event::RepositoriesListed { since });
        self.append(&asking, date, vec![Told::to(stream, events)]).await;
        self.ask_left_out(account, since).await;
    }

    async fn ask_left_out(&self, account: AccountId, since: Version) {
        for (id, repo) in self.rows().repositories(account).await {
            if repo.visibility.is_public()
                && repo.facts_check.asked_at < since
                && let Some(target) = self.target(account, id).await
            {
                self.ask_repository(&target).await;
            }
        }
    }
}
