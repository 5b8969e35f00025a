//! The data folder: the embedded log and store, opened together.

use std::{fs, path::Path, sync::Arc};

use domain::{Epoch, GENERATION, Row, RowKey, Version};
use event_log::{
    EventLog,
    embedded::{EmbeddedLog, EmbeddedLogSettings},
};
use tokio::sync::watch;
use view_store::{
    ViewStore,
    embedded::{EmbeddedStore, EmbeddedStoreSettings},
};

use crate::failure::{Failure, failed};

/// Both halves of a data folder.
pub(crate) struct Embedded {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) store: Arc<dyn ViewStore>,
    /// The same store, for what only the embedded one can do.
    pub(crate) state: EmbeddedStore,
    /// A sentence once the log can no longer be written.
    pub(crate) log_broken: watch::Receiver<Option<String>>,
    /// A sentence once the store can no longer be used.
    pub(crate) store_broken: watch::Receiver<Option<String>>,
}

impl Embedded {
    /// Opens a data folder, or makes one.
    pub(crate) async fn open(data_dir: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(data_dir).map_err(|error| {
            Failure::Failed(format!(
                "the data folder {} (--data-dir, TALLYHOOK_DATA_DIR) cannot be made: {error}",
                data_dir.display()
            ))
        })?;
        let folder = data_dir.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let log = EmbeddedLog::open(&folder, EmbeddedLogSettings::default()).map_err(failed)?;
            let settings =
                EmbeddedStoreSettings { generation: GENERATION, ..EmbeddedStoreSettings::default() };
            let state = EmbeddedStore::open(&folder, &settings).map_err(failed)?;
            Ok::<_, Failure>((log, state))
        });
        let (log, state) = opened.await.map_err(failed)??;
        let embedded = Embedded {
            log_broken: log.broken(),
            store_broken: state.broken(),
            log: Arc::new(log),
            store: Arc::new(state.clone()),
            state,
        };
        embedded.begin_epoch().await?;
        Ok(embedded)
    }

    /// A new store begins in the first epoch. So does one that was lost: it is rebuilt from the log.
    async fn begin_epoch(&self) -> Result<(), Failure> {
        if self.store.get(&RowKey::Epoch).await.map_err(failed)?.is_some() {
            return Ok(());
        }
        let row = Row { key: RowKey::Epoch, version: Version::LEAST, value: Epoch::FIRST.encode().into() };
        self.store.write(vec![row]).await.map_err(failed)?;
        self.store.flush().await.map_err(failed)
    }

    /// Drops the rows of older ways of folding; this one has caught up.
    pub(crate) async fn retire_older_generations(state: EmbeddedStore) {
        let older = match state.generations() {
            Ok(generations) => generations.into_iter().filter(|generation| *generation < GENERATION),
            Err(error) => return tracing::warn!(%error, "older generations could not be listed"),
        };
        for generation in older {
            match state.retire(generation).await {
                Ok(()) => tracing::info!(generation, "retired an older generation of rows"),
                Err(error) => tracing::warn!(generation, %error, "an older generation was not retired"),
            }
        }
    }
}
