//! What asks the forges: first loads, needs, what webhooks have sent in vain, the rolling sweep. Its answers are
//! records like any other.
//!
//! On a backfill's journey this is the source: a need row says what is open, a job asks the forge, and what
//! it answered is appended to the account's stream with the moment at which it was asked. The projector
//! folds it by the same rules as deliveries. A need that an answer did not settle is still a row, and is
//! asked again.
//!
//! *Architecture invariant*: nothing here writes the store. How far a long job got is a row too, written by
//! the fold of the answers that carry it.

mod ask;
mod attempt;
mod deliveries;
mod drift;
mod folded;
mod held;
mod jobs;
mod lanes;
mod latest;
mod metrics;
mod plan;
mod retention;
mod rows;
mod run;
mod schedule;
mod sweep;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{Forge, Second};
use event_log::EventLog;
use github::client::Client;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use view_store::{Hints, ViewStore};

pub use deliveries::{Habit, HookState, is_ours};
pub use metrics::Metrics;
pub use plan::{Plan, plan};
pub use retention::{Aliases, Retention, RetentionMetrics, RetentionSettings, make_base};

/// Why backfill ended before it was told to; the sentence names the cause and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Stopped(pub String);

/// Bounds of the work.
#[derive(Debug, Clone)]
pub struct BackfillSettings {
    /// How many questions to GitHub are worked on at once, of those that repair and of the rest each; requests in
    /// flight are bounded by the client.
    pub concurrency: usize,
    /// The same for Bitbucket.
    pub bitbucket_concurrency: usize,
    /// Whether what a delivery left in doubt is asked for at once, or left to the sweep.
    pub recount: bool,
    /// How often everything about an account is asked again; `None`: never.
    pub reconcile: Option<Duration>,
    /// How often the newest public repositories are asked for; `None`: never.
    pub latest_poll: Option<Duration>,
    /// How often the gists of an account whose gists are wanted are asked for; `None`: never.
    pub gist_poll: Option<Duration>,
    /// Gists that were made before this second are left out.
    pub gists_since: Option<Second>,
    /// How often it is looked through what our webhooks have sent; `None`: never.
    pub deliveries_poll: Option<Duration>,
    /// Whether everything that they have sent is taken so, and not only what we did not acknowledge.
    pub pull: bool,
    /// Where our webhooks send to; `None`: to a path of ours, at whatever host.
    pub hook_url: Option<String>,
    /// How long an account that is kept only because somebody read it is kept without a reader.
    pub unread_max: Duration,
}

impl Default for BackfillSettings {
    fn default() -> Self {
        BackfillSettings {
            concurrency: 8,
            bitbucket_concurrency: 8,
            recount: true,
            reconcile: Some(Duration::from_secs(24 * 60 * 60)),
            latest_poll: Some(Duration::from_secs(60)),
            gist_poll: Some(Duration::from_secs(15 * 60)),
            gists_since: None,
            deliveries_poll: Some(Duration::from_secs(60)),
            pull: false,
            hook_url: None,
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
    /// Whom it asks for accounts of Bitbucket.
    pub bitbucket: bitbucket::client::Client,
    /// What it counts.
    pub metrics: Metrics,
    /// Its bounds.
    pub settings: BackfillSettings,
    /// The partitions whose accounts are this process's to ask about: those that its projector holds and has
    /// caught up with. A rebuild asks nobody.
    pub partitions: watch::Receiver<BTreeSet<u32>>,
}

/// A backfill that already listens, so that it misses nothing of what is folded before it begins.
///
/// Each forge has a loop of its own, so that one that is away, or slow, holds up no other.
pub struct Listening([run::Loop; 2]);

impl Backfill {
    /// Starts to listen. Call it before the projector starts.
    pub fn listen(self) -> Listening {
        Listening([Forge::GitHub, Forge::Bitbucket].map(|forge| run::Loop::new(&self, forge)))
    }
}

impl Listening {
    /// Asks until `shutdown`, or until nobody says any more which partitions are held.
    ///
    /// # Errors
    /// When log or store can no longer be used.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Stopped> {
        let [github, bitbucket] = self.0;
        tokio::try_join!(github.run(shutdown.clone()), bitbucket.run(shutdown))?;
        Ok(())
    }
}
