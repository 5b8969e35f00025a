//! How far the projector is, as its hints tell: commands wait for it.

use domain::Version;
use event_log::Partition;
use tokio::{sync::watch, time::Instant};
use view_store::Positions;

/// The version up to which each partition is folded, its rows written and their hints taken in.
#[derive(Debug, Default)]
pub(crate) struct FoldedPositions(watch::Sender<Positions>);

/// It was not heard in time that a record is folded; it may be, or will be.
#[derive(Debug)]
pub(crate) struct Unconfirmed;

impl FoldedPositions {
    pub(crate) fn note(&self, partition: u32, version: Version) {
        self.0.send_if_modified(|folded| folded.note(partition, version));
    }

    /// As far as it is known.
    pub(crate) fn known(&self) -> Positions {
        self.0.borrow().clone()
    }

    /// Waits until all of these records are folded.
    pub(crate) async fn wait(
        &self,
        records: &[(Partition, Version)],
        deadline: Instant,
    ) -> Result<(), Unconfirmed> {
        let mut folded = self.0.subscribe();
        let all = folded.wait_for(|folded| {
            records
                .iter()
                .all(|(partition, version)| folded.get(partition.0).is_some_and(|done| done >= *version))
        });
        match tokio::time::timeout_at(deadline, all).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Unconfirmed),
        }
    }
}
