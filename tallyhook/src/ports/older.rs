//! Older generations of rows, which readers are shown until this one has caught up.

use std::{collections::BTreeSet, sync::Arc};

use domain::GENERATION;
use event_log::EventLog;
use view_store::{
    Hints, Served, ViewStore,
    served::{self, Generation, Partitions},
};

use crate::failure::{Failure, failed};

/// The older generations of which any partition's rows must be shown.
pub(super) async fn wanted(log: &dyn EventLog, store: &dyn ViewStore) -> Result<BTreeSet<u32>, Failure> {
    let active = served::active(store, log.identity().partitions).await.map_err(failed)?;
    Ok(active.into_iter().flatten().filter(|generation| *generation < GENERATION).collect())
}

/// What readers see instead of this generation's store alone; `None` where there is nothing else to show.
pub(super) async fn served(
    log: &Arc<dyn EventLog>,
    store: &Arc<dyn ViewStore>,
    hints: &Arc<dyn Hints>,
    older: Vec<Generation>,
) -> Result<Option<Served>, Failure> {
    if older.is_empty() {
        return Ok(None);
    }
    let numbers: Vec<u32> = older.iter().map(|generation| generation.number).collect();
    tracing::info!(shown = ?numbers, building = GENERATION, "readers see an older generation until this one is built");
    let own = Generation { number: GENERATION, store: Arc::clone(store), hints: Arc::clone(hints) };
    let dividing = Arc::clone(log);
    let partitions = Partitions {
        count: log.identity().partitions,
        of: Box::new(move |stream| dividing.partition_of(stream).0),
    };
    Served::open(own, older, partitions).await.map(Some).map_err(failed)
}
