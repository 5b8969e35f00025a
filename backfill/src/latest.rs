//! The newest public repositories of all accounts (S4), followed by one round of questions per poll: what is new in
//! the forge's list, what vanished from it, what each repository says of itself, and its languages.
//!
//! Nothing here is kept in memory but the budget: what a round learns is appended at once, and the next one begins
//! with what was folded. A round that was interrupted, or that the budget cut short, is simply continued by the next.

mod allowance;
mod list;
mod poll;
mod repositories;
mod search;

use domain::{Event, Millis, Second, StreamKey, entity::latest::Latest, event::LatestReading};
use event_log::Position;
use github::client::AskError;
use tracing::warn;

pub(crate) use self::{allowance::Allowance, poll::Poll};
use crate::{
    ask::{Asker, JobError, Moment, Told},
    schedule::Ended,
};

/// Rounds of looking for lower ids, and of asking repositories, within one poll: each answers what the one before left
/// open, so that more would mean that the forge changes faster than it answers.
const TURNS_MAX: usize = 20;

/// Why a round stops.
enum Pause {
    /// The share of the budget is used up; the next poll goes on.
    Allowance,
    Failed(JobError),
}

impl From<JobError> for Pause {
    fn from(error: JobError) -> Self {
        Pause::Failed(error)
    }
}

impl From<AskError> for Pause {
    fn from(error: AskError) -> Self {
        Pause::Failed(error.into())
    }
}

impl From<crate::rows::ReadError> for Pause {
    fn from(error: crate::rows::ReadError) -> Self {
        Pause::Failed(error.into())
    }
}

/// What one group of questions learnt.
struct Learnt {
    /// Before the first of them.
    moment: Moment,
    /// The earliest `Date` of their answers.
    date: Option<Second>,
    reading: LatestReading,
}

impl Asker {
    /// One round.
    pub(crate) async fn follow_latest(&self) -> Result<Ended, JobError> {
        match self.latest_round().await {
            Ok(()) | Err(Pause::Allowance) => Ok(Ended::Answered),
            // What only an operator can mend about this list must not hold up questions about accounts.
            Err(Pause::Failed(JobError::Final(sentence))) => {
                warn!(
                    sentence,
                    "the newest public repositories cannot be followed; trying again at the next poll"
                );
                Ok(Ended::Answered)
            }
            Err(Pause::Failed(error)) => Err(error),
        }
    }

    async fn latest_round(&self) -> Result<(), Pause> {
        let missing = self.read_list().await?;
        self.ask_missing(missing).await?;
        for _ in 0..TURNS_MAX {
            let latest = self.rows().latest().await?;
            if latest.needs_lower() {
                self.list_lower(&latest).await?;
            } else if !self.ask_unasked(&latest).await? {
                break;
            }
        }
        self.ask_languages_of_latest().await?;
        self.check_latest().await?;
        // Checks show which languages have changed.
        self.ask_languages_of_latest().await
    }

    /// Whether one more request may be sent.
    fn allow(&self) -> Result<(), Pause> {
        let budget = self.github.budgets().into_iter().find(|budget| budget.resource == "core");
        if self.allowance().take(budget, std::time::Instant::now()) { Ok(()) } else { Err(Pause::Allowance) }
    }

    /// Whether the list may be looked at once more.
    fn allow_list(&self) -> Result<(), Pause> {
        let is_first_for_long = self.allowance().lists(std::time::Instant::now());
        if is_first_for_long { Ok(()) } else { self.allow() }
    }

    fn allowance(&self) -> std::sync::MutexGuard<'_, Allowance> {
        self.allowance.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Appends what was learnt and waits until it is folded, so that what is asked next is known to be asked later.
    async fn tell_latest(&self, learnt: Learnt) -> Result<Option<Position>, JobError> {
        if learnt.reading == LatestReading::default() {
            return Ok(None);
        }
        let date = learnt.date.unwrap_or(learnt.moment.ms.to_second());
        let event = Event::Latest(Box::new(learnt.reading));
        let told = Told::to(StreamKey::Service, vec![event]);
        let position = self.append(&learnt.moment, date, vec![told]).await?;
        self.folded.wait(position).await;
        Ok(Some(position))
    }

    fn begin_learning(&self) -> Learnt {
        Learnt { moment: self.moment(), date: None, reading: LatestReading::default() }
    }
}

impl Learnt {
    fn dated(&mut self, date: Second) {
        self.date = Some(self.date.map_or(date, |known| known.min(date)));
    }
}

/// What is checked was checked before this moment, to be checked again.
fn before(now: Millis, ms: i64) -> Millis {
    now.plus(-ms)
}

/// Whether `latest` was ever listed.
fn is_new(latest: &Latest) -> bool {
    latest.newest == 0
}
