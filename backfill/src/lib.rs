//! What asks the forges: first loads, needs, the rolling sweep. Its answers are records like any other.
//!
//! On a backfill's journey this is the source: a need row says what is open, a job asks the forge, and what
//! it answered is appended to the account's stream with the moment at which it was asked. The projector
//! folds it by the same rules as deliveries. A need that an answer did not settle is still a row, and is
//! asked again.
//!
//! *Architecture invariant*: nothing here writes the store. How far a long job got is a row too, written by
//! the fold of the answers that carry it.

mod ask;
mod folded;
mod jobs;
mod latest;
mod metrics;
mod plan;
mod rows;
mod run;
mod schedule;
mod sweep;

use std::{sync::Arc, time::Duration};

use event_log::EventLog;
use github::client::Client;
use tokio_util::sync::CancellationToken;
use view_store::{Hints, ViewStore};

pub use metrics::Metrics;
pub use plan::{Plan, plan};

/// Why backfill ended before it was told to; the sentence names the cause and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Stopped(pub String);

/// Bounds of the work.
#[derive(Debug, Clone)]
pub struct BackfillSettings {
    /// How many questions are worked on at once; requests in flight are bounded by the client.
    pub concurrency: usize,
    /// How often everything about an account is asked again; `None`: never.
    pub reconcile: Option<Duration>,
    /// How often the newest public repositories are asked for; `None`: never.
    pub latest_poll: Option<Duration>,
    /// How long an account that is kept only because somebody read it is kept without a reader.
    pub unread_max: Duration,
}

impl Default for BackfillSettings {
    fn default() -> Self {
        BackfillSettings {
            concurrency: 8,
            reconcile: Some(Duration::from_secs(24 * 60 * 60)),
            latest_poll: Some(Duration::from_secs(60)),
            unread_max: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

/// What backfill works with.
pub struct Backfill {
    /// What it appends to.
    pub log: Arc<dyn EventLog>,
    /// What it reads.
    pub store: Arc<dyn ViewStore>,
    /// Whom it listens to.
    pub hints: Arc<dyn Hints>,
    /// Whom it asks.
    pub github: Client,
    /// What it counts.
    pub metrics: Metrics,
    /// Its bounds.
    pub settings: BackfillSettings,
}

/// A backfill that already listens, so that it misses nothing of what is folded before it begins.
pub struct Listening(run::Loop);

impl Backfill {
    /// Starts to listen. Call it before the projector starts.
    pub fn listen(self) -> Listening {
        Listening(run::Loop::new(self))
    }
}

impl Listening {
    /// Asks until `shutdown`. Call it once the projector has caught up: a rebuild asks nobody.
    ///
    /// # Errors
    /// When log or store can no longer be used.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Stopped> {
        self.0.run(shutdown).await
    }
}
