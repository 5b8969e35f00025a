//! `tallyhook copy`: from the folder of one machine to a cluster, without asking any forge again.
//!
//! The folder is folded to its log's end first, so that its rows are final. Records and rows keep their versions;
//! the cluster begins an epoch above them, before anything else, so that whatever it takes in later is newer.
//! Every step may be repeated: a copy that was killed is begun again with the same words.

mod bases;
mod handover;
mod records;
mod rows;

use std::{path::Path, sync::Arc};

use event_log::{EmbeddedLog, EventLog, embedded::FILE_NAME};
use projector::{Progress, Projector, ProjectorSettings};
use prometheus::Registry;
use tokio_util::sync::CancellationToken;
use view_store::{EmbeddedStore, InProcessHints, ViewStore};

use self::{records::Logs, rows::Stores};
use crate::{
    failure::{Failure, failed},
    ports::embedded::open_both,
};

/// What a copy did, for the person who waits for it.
#[derive(Debug)]
pub(crate) struct Copied {
    /// Records that were not there before.
    pub(crate) records: u64,
    pub(crate) compared: rows::Compared,
    pub(crate) epoch: domain::Epoch,
}

/// Copies a stopped folder into an empty cluster, or goes on with a copy that was interrupted.
pub(crate) async fn copy(
    folder: &Path,
    to_log: &dyn EventLog,
    to_store: &dyn ViewStore,
) -> Result<Copied, Failure> {
    if !folder.join(FILE_NAME).is_file() {
        let folder = folder.display();
        return Err(Failure::Usage(format!("there is no data folder at {folder}: it has no {FILE_NAME}")));
    }
    let (log, store) = open_both(folder).await?;
    let log = Arc::new(log);
    fold(&log, &store).await?;
    let stores = Stores { from: &store, to: to_store };
    let epoch = stores.epoch().await.map_err(failed)?;
    let logs = Logs { from: &*log, epoch, to: to_log };
    move_all(logs, stores).await.map_err(|error| Failure::Failed(format!("{error:#}")))
}

async fn move_all(logs: Logs<'_>, stores: Stores<'_>) -> anyhow::Result<Copied> {
    let epoch = stores.begin_epoch(logs.epoch).await?;
    let has_forgotten = bases::are_needed(logs.from).await?;
    if has_forgotten {
        bases::announce(logs).await?;
    }
    let records = logs.copy().await?;
    stores.copy(logs).await?;
    let compared = stores.compare(logs).await?;
    // Only now: whoever starts before this folds the whole log again.
    handover::hand_over(logs, stores, epoch).await?;
    if has_forgotten {
        bases::make(logs, stores).await?;
    }
    projector::recognise(logs.to, stores.to, &ProjectorSettings::default()).await?;
    Ok(Copied { records, compared, epoch })
}

/// Folds what the folder's log holds and its rows do not.
async fn fold(log: &Arc<EmbeddedLog>, store: &EmbeddedStore) -> Result<(), Failure> {
    let settings = ProjectorSettings::default();
    projector::recognise(&**log, store, &settings).await.map_err(failed)?;
    let (progress, mut reader) = Progress::new();
    let projector = Projector {
        log: Arc::clone(log) as Arc<dyn EventLog>,
        store: Arc::new(store.clone()),
        hints: Arc::new(InProcessHints::new()),
        progress,
        metrics: projector::Metrics::register(&Registry::new()).map_err(failed)?,
        settings,
    };
    let stop = CancellationToken::new();
    let until_caught_up = async {
        reader.wait_caught_up().await;
        stop.cancel();
    };
    let (folded, ()) = tokio::join!(projector.run(stop.clone()), until_caught_up);
    folded.map_err(failed)
}

#[cfg(test)]
mod tests;
