//! The only writer: reads the log in order, folds records into working sets, writes their rows.
//!
//! On a delivery's journey this is the middle: the record that `ingest` made durable is translated, folded
//! into its account's [`domain::Ledger`], and what changed is written to the store and hinted to whoever
//! keeps copies. Order of work, design invariant 7: write, flush, commit.
//!
//! *Architecture invariant*: nothing here asks a forge or serves a request. A forge's answers come through
//! the log like everything else.

mod batch;
mod dead_letters;
mod deliveries;
mod erased;
mod fold;
mod forget;
mod lag;
mod loads;
mod metrics;
mod neighbours;
mod progress;
mod retry;
mod run;
mod seen;
mod working_set;

use std::{sync::Arc, time::Duration};

use event_log::{EventLog, Limit};
use tokio_util::sync::CancellationToken;
use view_store::{Hints, ViewStore};

pub use erased::stand_in;
pub use metrics::Metrics;
pub use progress::{Lag, Progress, ProgressReader};
pub use seen::{recognise, seen_row};

/// Why the projector ended before it was told to; the sentence names the cause and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Stopped(pub String);

/// Bounds of the loop.
#[derive(Debug, Clone)]
pub struct ProjectorSettings {
    /// How much of the log is folded before its rows are written. A lone record is written at once.
    pub batch: Limit,
    /// How often what was written is made durable and committed.
    pub flush_every: Duration,
    /// How much memory working sets may take before those used longest ago are forgotten.
    pub working_set_bytes_max: usize,
    /// What an operator does when the log is not the one that the store was folded from; a sentence.
    pub remedy: &'static str,
}

/// What an operator of a data folder does when its log was replaced.
const EMBEDDED_REMEDY: &str = "If the log was restored or replaced for good, move state.redb away; it is rebuilt from \
                               the log at the next start. If not, bring the right log.redb back";

impl Default for ProjectorSettings {
    fn default() -> Self {
        ProjectorSettings {
            // 2 000 deliveries of 7 kB; larger batches render no fewer views per second.
            batch: Limit { records_max: 2_000, bytes_max: 16 * 1024 * 1024 },
            // A crash replays at most this much; more often would sync the disk for nothing.
            flush_every: Duration::from_millis(250),
            working_set_bytes_max: 256 * 1024 * 1024,
            remedy: EMBEDDED_REMEDY,
        }
    }
}

/// What the projector works with.
pub struct Projector {
    /// What it reads.
    pub log: Arc<dyn EventLog>,
    /// What it writes.
    pub store: Arc<dyn ViewStore>,
    /// Whom it tells.
    pub hints: Arc<dyn Hints>,
    /// Where it tells how far it is.
    pub progress: Progress,
    /// What it counts.
    pub metrics: Metrics,
    /// Its bounds.
    pub settings: ProjectorSettings,
}

impl Projector {
    /// The consumer group of this way of folding.
    pub fn group() -> String {
        Self::group_of(domain::GENERATION)
    }

    /// The consumer group of one way of folding.
    pub fn group_of(generation: u32) -> String {
        format!("projector-g{generation}")
    }

    /// Folds until `shutdown`, then writes, flushes and commits what it has.
    ///
    /// # Errors
    /// When log or store can no longer be used, or do not fit together.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Stopped> {
        let watch = lag::Watch {
            log: Arc::clone(&self.log),
            progress: self.progress.clone(),
            metrics: self.metrics.clone(),
        };
        let folding = async { run::Loop::start(self, shutdown).await?.run().await };
        tokio::select! {
            ended = folding => ended,
            never = watch.run() => match never {},
        }
    }
}
