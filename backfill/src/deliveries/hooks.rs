//! Finding the hooks that send to us: of what the token administers, of accounts that are kept.

use github::client::{Administered, Answer, Asking};
use tracing::{debug, warn};

use crate::{
    ask::{Asker, JobError, now},
    schedule::Ended,
};

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
        let spots = match self.administered().await? {
            Some(administered) => self.deliveries().places(administered, now()),
            None => Vec::new(),
        };
        for spot in spots {
            let asking = Asking { etag: spot.etag.as_deref(), now: now().to_second() };
            let answer = self.github.hooks(spot.on.owner(), &asking).await?;
            self.deliveries().listed(&spot, answer, now());
        }
        self.tell_hooks();
        let lacks_hooks = self.deliveries().lacks_hooks();
        if lacks_hooks {
            warn!(
                "nothing can be pulled: of the accounts that are kept the token administers no webhook that sends to us"
            );
        }
        Ok(())
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
