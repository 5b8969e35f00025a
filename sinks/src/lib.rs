//! What goes out: files of new gists, each sent once to a sink, by way of an outbox.
//!
//! On a gist's journey this is its end. The fold of a poll says which files are to be sent; here each is read, an
//! attempt is appended and folded, and only then the call is made. What came of it is appended too. A call whose
//! outcome nobody knows is looked for at the sink, twice, before it is made again.
//!
//! *Architecture invariant*: nothing here writes the store, and nothing is sent of which no attempt is folded. What
//! this process knows beyond rows is only when to try again.

mod append;
mod metrics;
mod outbox;
mod pipedrive;
mod run;
mod sink;
mod texts;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use event_log::EventLog;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use view_store::{Hints, ViewStore};

pub use self::{
    metrics::Metrics,
    pipedrive::{Pipedrive, PipedriveSettings},
    sink::{Activity, Search, SendOutcome, Sink},
    texts::Texts,
};

/// Why the outbox ended before it was told to; the sentence names the cause and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Stopped(pub String);

/// What is wrong with the settings; the operator must change them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The address cannot be used.
    #[error("the address cannot be used: {0}")]
    Address(String),
    /// The token has characters that no header may hold.
    #[error("the token holds characters that cannot be sent")]
    Token,
    /// TLS cannot be set up on this machine.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Bounds of the work.
#[derive(Debug, Clone)]
pub struct SinkSettings {
    /// How long an unknown outcome waits before it is searched for, each of the two times.
    pub unknown_wait: Duration,
    /// How long something that came to nothing waits before it is tried again.
    pub retry_pause: Duration,
}

impl Default for SinkSettings {
    fn default() -> Self {
        SinkSettings { unknown_wait: Duration::from_secs(120), retry_pause: Duration::from_secs(5) }
    }
}

/// What the outbox works with.
pub struct Sinks {
    /// What it appends to.
    pub log: Arc<dyn EventLog>,
    /// What it reads.
    pub store: Arc<dyn ViewStore>,
    /// Whom it listens to.
    pub hints: Arc<dyn Hints>,
    /// Where files are sent.
    pub sink: Arc<dyn Sink>,
    /// Where their texts are read.
    pub texts: Texts,
    /// What it counts.
    pub metrics: Metrics,
    /// Its bounds.
    pub settings: SinkSettings,
    /// The partitions whose accounts are this process's: those that its projector holds and has caught up with. A
    /// rebuild sends nothing.
    pub partitions: watch::Receiver<BTreeSet<u32>>,
}

/// An outbox that already listens, so that it misses nothing of what is folded before it begins.
pub struct Listening(run::Loop);

impl Sinks {
    /// Starts to listen. Call it before the projector starts.
    pub fn listen(self) -> Listening {
        Listening(run::Loop::new(self))
    }
}

impl Listening {
    /// Sends until `shutdown`, or until nobody says any more which partitions are held.
    ///
    /// # Errors
    /// When log or store can no longer be used.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Stopped> {
        self.0.run(shutdown).await
    }
}
