//! How far each partition is folded, as heard from hints.

use std::time::Duration;

use domain::{StreamKey, Version};
use event_log::{EventLog, Position};
use tokio::sync::watch;
use view_store::Positions;

/// An answer is folded within milliseconds; this long means that the projector is busy or away, and then
/// the job goes on with what it knows.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How far each partition is folded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Folded(watch::Sender<Positions>);

/// What of every stream was folded at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot(Positions);

impl Folded {
    pub(crate) fn note(&self, partition: u32, version: Version) {
        self.0.send_if_modified(|versions| versions.note(partition, version));
    }

    /// What is folded now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.borrow().clone())
    }

    /// Waits until the record at `position` is folded, for a while.
    pub(crate) async fn wait(&self, position: Position) {
        let mut versions = self.0.subscribe();
        let is_folded = |versions: &Positions| {
            versions.get(position.partition.0).is_some_and(|version| version.offset() >= position.offset)
        };
        let _ = tokio::time::timeout(WAIT_MAX, versions.wait_for(is_folded)).await;
    }
}

impl Snapshot {
    /// That this of a stream was folded, and nothing is said of others.
    pub(crate) fn only(stream: StreamKey, version: Version, log: &dyn EventLog) -> Self {
        Snapshot(Positions::from_iter([(log.partition_of(stream).0, version)]))
    }

    /// What of a stream was folded. Never [`Version::NONE`], which means "never asked".
    pub(crate) fn of(&self, stream: StreamKey, log: &dyn EventLog) -> Version {
        let partition = log.partition_of(stream);
        self.0.get(partition.0).unwrap_or(Version::LEAST).max(Version::LEAST)
    }
}
