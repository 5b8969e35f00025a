//! Finding the hooks that send to us: of what the token administers, of accounts that are kept.

use domain::{
    Event, StreamKey, Text,
    entity::account::Keeping,
    event::{OwnerReading, TrackedBy},
};
use github::client::{Administered, Answer, Asking, Fresh, Hook, HookOwner};
use tracing::{debug, warn};

use crate::{
    ask::{Asker, JobError, Told, now},
    schedule::Ended,
};

/// GitHub gives an App's hook no number of its own; no other has this one.
const APP_HOOK: u64 = 0;

/// More pages than this are not read: somebody who administers five thousand repositories names the rest by hand.
const PAGES_MAX: usize = 50;

impl Asker {
    /// Asks for the hooks of whatever the token administers.
    pub(crate) async fn find_hooks(&self) -> Result<Ended, JobError> {
        match self.search_hooks().await {
            // What only an operator can mend about hooks must not hold up questions about accounts.
            Err(JobError::Final(sentence)) => {
                warn!(sentence, "webhooks cannot be looked for; trying again later");
                Ok(Ended::Answered)
            }
            Err(error) => Err(error),
            Ok(()) => Ok(Ended::Answered),
        }
    }

    async fn search_hooks(&self) -> Result<(), JobError> {
        let looks_at_app = self.deliveries().looks_at_app();
        if looks_at_app {
            self.keep_installed().await?;
        }
        let administered = match self.github.tokens() {
            // An App's installation administers nothing.
            0 => None,
            _ => self.administered().await?,
        };
        let spots = match administered {
            Some(administered) => self.deliveries().places(administered, now()),
            None if self.github.is_app() => self.deliveries().places(Vec::new(), now()),
            None => Vec::new(),
        };
        for spot in spots {
            let asking = Asking { etag: spot.etag.as_deref(), now: now().to_second() };
            let answer = match spot.on.owner() {
                HookOwner::App => self.app_hooks(&asking).await?,
                owner => self.github.hooks(owner, &asking).await?,
            };
            self.deliveries().listed(&spot, answer, now());
        }
        self.tell_hooks();
        let lacks_hooks = self.deliveries().lacks_hooks();
        if lacks_hooks {
            warn!(
                "nothing can be pulled: of the accounts that are kept the token administers no webhook that sends to us, nor is \
                 there an App whose webhook does"
            );
        }
        Ok(())
    }

    /// Keeps accounts on which the App is installed and of which no word came: it may have been installed long before
    /// anybody listened.
    async fn keep_installed(&self) -> Result<(), JobError> {
        let installations = self.github.installations(now().to_second()).await?;
        for installation in installations.into_iter().filter(|installation| !installation.is_suspended) {
            let id = installation.account;
            if self.rows().account(id).await?.keeping != Keeping::Unknown {
                continue;
            }
            let login = Text(installation.login.into());
            let owner = OwnerReading { id, login, kind: None, url: None, avatar_url: None };
            let events = vec![Event::Tracked(TrackedBy::Delivery), Event::Owner(owner)];
            let told = vec![Told::to(StreamKey::Account(id), events)];
            self.append(&self.moment(), now().to_second(), told).await?;
        }
        Ok(())
    }

    /// The App's only hook, where it has one, in the form of any other's.
    async fn app_hooks(&self, asking: &Asking<'_>) -> Result<Answer<Vec<Hook>>, JobError> {
        Ok(match self.github.app_hook(asking).await? {
            Answer::Fresh(Fresh { body: hook, etag, links, date, url }) => {
                let hook = Hook {
                    id: APP_HOOK,
                    url: hook.url,
                    active: true,
                    events: Vec::new(),
                    last_status: None,
                    last_code: None,
                    content_type: hook.content_type,
                    verifies_tls: hook.verifies_tls,
                };
                Answer::Fresh(Fresh { body: vec![hook], etag, links, date, url })
            }
            Answer::NotModified { date } => Answer::NotModified { date },
            Answer::Empty { date } => Answer::Empty { date },
            Answer::Refused { status, date, message } => Answer::Refused { status, date, message },
        })
    }

    /// What the token administers; `None` where GitHub does not tell, as of an App's installation.
    async fn administered(&self) -> Result<Option<Vec<Administered>>, JobError> {
        let mut all = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let asking = Asking::anew(now().to_second());
            match self.github.administered(next.as_deref(), &asking).await? {
                Answer::Fresh(fresh) => {
                    next = fresh.links.next().map(str::to_owned);
                    all.extend(fresh.body);
                }
                Answer::Refused { status, .. } => {
                    debug!(
                        status,
                        "the token may not tell what it administers: no webhooks are looked after"
                    );
                    return Ok(None);
                }
                Answer::NotModified { .. } | Answer::Empty { .. } => return Ok(None),
            }
            if next.is_none() {
                break;
            }
        }
        Ok(Some(all))
    }

    /// Shows how many hooks are in which state.
    pub(super) fn tell_hooks(&self) {
        let states = self.deliveries().states();
        self.metrics.show_hooks(&states);
    }
}
