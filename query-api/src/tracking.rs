//! Accounts that become tracked because somebody reads them: asked for once, and so many an hour.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{
    AccountId, Event, Forge, StreamKey,
    event::{GistsWantedBy, TrackedBy},
};
use event_log::Record;
use prometheus::IntCounter;
use tokio::time::Instant;

use crate::{
    QuerySettings,
    claims::{Claimed, Claims},
    commands::{Commands, NotAppended},
    protocol::problem::Problem,
};

/// What the hourly bound is counted over.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// From when a wish is appended until its row must be visible; later readers look at the row. A projector that
/// is further behind gets the same wish once more, which changes nothing.
const WISH_LASTS: Duration = Duration::from_secs(10);
/// Wishes within that time; only without an hourly bound can there be more, and then they wait.
const WISHES_MAX: usize = 4096;

/// Makes accounts tracked.
pub(crate) struct Tracking {
    commands: Commands,
    is_on: bool,
    budget: Budget,
    wishes: Claims<Wish>,
    counter: IntCounter,
}

/// What is wished for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Wish {
    /// To know which account a login means, lower-cased, and to keep it.
    Login(Forge, String),
    /// To keep an account again.
    Account(AccountId),
    /// To keep the gists of an account that is kept.
    Gists(AccountId),
}

impl Tracking {
    pub(crate) fn new(commands: Commands, settings: &QuerySettings, counter: IntCounter) -> Self {
        Tracking {
            commands,
            is_on: settings.track_on_read,
            budget: Budget::new(settings.track_on_read_per_hour),
            wishes: Claims::new(WISH_LASTS, WISHES_MAX),
            counter,
        }
    }

    /// Asks for an account; `login` is as the reader typed it. Returns once the wish is in the log, or when it
    /// is too late for this reader.
    pub(crate) async fn wish(&self, wish: Wish, login: &str, deadline: Instant) -> Result<(), Problem> {
        // The account is kept already, whoever wanted that.
        let is_new = !matches!(wish, Wish::Gists(_));
        if !self.is_on && is_new {
            return Err(Problem::not_tracked(login));
        }
        match self.wishes.take(wish.clone()) {
            Claimed::Now => {}
            Claimed::Already => return Ok(()),
            Claimed::Full => return Err(Problem::too_many_accounts(WISH_LASTS)),
        }
        if is_new && let Err(wait) = self.budget.spend() {
            self.wishes.release(&wish);
            return Err(Problem::too_many_accounts(wait));
        }
        match self.commands.append(vec![self.record(&wish, login)], deadline).await {
            Ok(_) => {
                self.counter.inc_by(u64::from(is_new));
                Ok(())
            }
            // It is on its way, and this reader's time is over.
            Err(NotAppended::Unknown) => Ok(()),
            Err(refused) => {
                if is_new {
                    self.budget.refund();
                }
                self.wishes.release(&wish);
                Err(refused.into())
            }
        }
    }

    fn record(&self, wish: &Wish, login: &str) -> Record {
        let by = TrackedBy::Read;
        let (stream, event) = match wish {
            Wish::Login(forge, _) => {
                let event = Event::LoginWanted { forge: *forge, login: login.into(), by };
                (StreamKey::Service, event)
            }
            Wish::Account(account) => (StreamKey::Account(*account), Event::Tracked(by)),
            Wish::Gists(account) => (StreamKey::Account(*account), Event::GistsWanted(GistsWantedBy::Read)),
        };
        self.commands.record(stream, format!("read {login}"), vec![event])
    }
}

/// So many within any hour.
struct Budget {
    per_hour: Option<usize>,
    spent: Mutex<VecDeque<Instant>>,
}

impl Budget {
    fn new(per_hour: Option<u32>) -> Self {
        let per_hour = per_hour.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        Budget { per_hour, spent: Mutex::default() }
    }

    /// Takes one, or says when there is one again.
    fn spend(&self) -> Result<(), Duration> {
        let Some(per_hour) = self.per_hour else { return Ok(()) };
        let now = Instant::now();
        let mut spent = self.lock();
        while spent.front().is_some_and(|at| now - *at >= HOUR) {
            spent.pop_front();
        }
        if spent.len() >= per_hour {
            return Err(spent.front().map_or(HOUR, |oldest| HOUR - (now - *oldest)));
        }
        spent.push_back(now);
        Ok(())
    }

    fn refund(&self) {
        self.lock().pop_back();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Instant>> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_budget_holds_within_any_hour() {
        let budget = Budget::new(Some(2));
        assert!(budget.spend().is_ok());
        tokio::time::advance(HOUR / 2).await;
        assert!(budget.spend().is_ok());
        assert_eq!(budget.spend(), Err(HOUR / 2));
        tokio::time::advance(HOUR / 2).await;
        assert!(budget.spend().is_ok(), "the first is an hour old");
        assert_eq!(budget.spend(), Err(HOUR / 2));
        budget.refund();
        assert!(budget.spend().is_ok());
        assert_eq!(Budget::new(Some(0)).spend(), Err(HOUR));
        assert!((0..1000).all(|_| Budget::new(None).spend().is_ok()));
    }
}
