//! How far each partition is folded, as heard from hints.

use std::{collections::BTreeMap, time::Duration};

use domain::{StreamKey, Version};
use event_log::{EventLog, Position};
use tokio::sync::watch;

/// An answer is folded within milliseconds; this long means that the projector is busy or away, and then
/// the job goes on with what it knows.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How far each partition is folded.
#[derive(Debug, Clone)]
pub(crate) struct Folded {
    versions: watch::Sender<BTreeMap<u32, Version>>,
}

/// What of every stream was folded at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot(BTreeMap<u32, Version>);

impl Folded {
    pub(crate) fn new() -> Self {
        Folded { versions: watch::Sender::new(BTreeMap::new()) }
    }

    pub(crate) fn note(&self, partition: u32, version: Version) {
        self.versions.send_modify(|versions| {
            let known = versions.entry(partition).or_insert(version);
            *known = version.max(*known);
        });
    }

    /// What is folded now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.versions.borrow().clone())
    }

    /// Waits until the record at `position` is folded, for a while.
    pub(crate) async fn wait(&self, position: Position) {
        let mut versions = self.versions.subscribe();
        let is_folded = |versions: &BTreeMap<u32, Version>| {
            versions.get(&position.partition.0).is_some_and(|version| version.offset() >= position.offset)
        };
        let _ = tokio::time::timeout(WAIT_MAX, versions.wait_for(is_folded)).await;
    }
}

impl Snapshot {
    /// That this of a stream was folded, and nothing is said of others.
    pub(crate) fn only(stream: StreamKey, version: Version, log: &dyn EventLog) -> Self {
        Snapshot(BTreeMap::from([(log.partition_of(stream).0, version)]))
    }

    /// What of a stream was folded. Never [`Version::NONE`], which means "never asked".
    pub(crate) fn of(&self, stream: StreamKey, log: &dyn EventLog) -> Version {
        let partition = log.partition_of(stream);
        self.0.get(&partition.0).copied().unwrap_or(Version::LEAST).max(Version::LEAST)
    }
}
