//! The data folder: the embedded log and store, opened together.

use std::{fs, path::Path, sync::Arc};

use domain::{Epoch, Family, GENERATION, Row, RowKey, Version};
use event_log::{
    EventLog,
    embedded::{EmbeddedLog, EmbeddedLogSettings},
};
use view_store::{
    Hints, InProcessHints, ViewStore,
    embedded::{EmbeddedStore, EmbeddedStoreSettings},
    served::Generation,
};

use super::{Ending, Ports, RowPorts, older};
use crate::{
    backup::Backup,
    failure::{Failure, failed},
    forget::{Eraser, scrub_if_wanted},
};

/// Opens a data folder, or makes one.
pub(super) async fn open(data_dir: &Path) -> Result<Ports, Failure> {
    let (log, state) = open_both(data_dir).await?;
    let hints: Arc<dyn Hints> = Arc::new(InProcessHints::new());
    let broken = vec![log.broken(), state.broken()];
    let log = Arc::new(log);
    let backup = Backup::new(Arc::downgrade(&log), state.clone(), data_dir.to_owned());
    let eraser = Eraser::new(Arc::downgrade(&log), state.clone(), data_dir.to_owned());
    let log: Arc<dyn EventLog> = log;
    let store: Arc<dyn ViewStore> = Arc::new(state.clone());
    let aliases = state.clone();
    let served = older::served(&log, &store, &hints, shown_of(&*log, &state).await?).await?;
    Ok(Ports {
        broken,
        log,
        backup: Some(backup),
        eraser: Some(eraser),
        rows: Some(RowPorts {
            store,
            served,
            told: Arc::clone(&hints),
            near: Arc::clone(&hints),
            far: hints,
            cache_age_max: None,
            aliases: Some(Arc::new(move || aliases.rows_of(Family::Alias))),
            older: Some(OlderGenerations(state)),
        }),
        is_cluster: false,
        remedy: None,
        ending: Ending::Nothing,
    })
}

/// The older generations that readers must be shown, as far as their rows are there.
async fn shown_of(log: &dyn EventLog, state: &EmbeddedStore) -> Result<Vec<Generation>, Failure> {
    let there = state.generations().map_err(failed)?;
    let wanted = older::wanted(log, state).await?;
    let shown = wanted.into_iter().filter(|number| there.contains(number));
    let generation = |number| Generation {
        number,
        store: Arc::new(state.with_generation(number)),
        // Nobody folds it any more.
        hints: Arc::new(InProcessHints::new()),
    };
    Ok(shown.map(generation).collect())
}

/// Opens a data folder's log and store, or makes them.
pub(crate) async fn open_both(data_dir: &Path) -> Result<(EmbeddedLog, EmbeddedStore), Failure> {
    let (log, state) = open_files(data_dir).await?;
    begin_epoch(&state).await?;
    Ok((log, state))
}

async fn open_files(data_dir: &Path) -> Result<(EmbeddedLog, EmbeddedStore), Failure> {
    fs::create_dir_all(data_dir).map_err(|error| {
        Failure::Failed(format!(
            "the data folder {} (--data-dir, TALLYHOOK_DATA_DIR) cannot be made: {error}",
            data_dir.display()
        ))
    })?;
    let folder = data_dir.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        scrub_if_wanted(&folder);
        let log = EmbeddedLog::open(&folder, EmbeddedLogSettings::default()).map_err(failed)?;
        let settings = EmbeddedStoreSettings { generation: GENERATION, ..EmbeddedStoreSettings::default() };
        let state = EmbeddedStore::open(&folder, &settings).map_err(failed)?;
        Ok::<_, Failure>((log, state))
    });
    opened.await.map_err(failed)?
}

/// A new store begins in the first epoch. So does one that was lost: it is rebuilt from the log.
async fn begin_epoch(store: &EmbeddedStore) -> Result<(), Failure> {
    if store.get(&RowKey::Epoch).await.map_err(failed)?.is_some() {
        return Ok(());
    }
    write_epoch(store, Epoch::FIRST, Version::LEAST).await
}

async fn write_epoch(store: &EmbeddedStore, epoch: Epoch, version: Version) -> Result<(), Failure> {
    let row = Row { key: RowKey::Epoch, version, value: epoch.encode().into() };
    store.write(vec![row]).await.map_err(failed)?;
    store.flush().await.map_err(failed)
}

/// What older ways of folding left in the data folder.
pub(crate) struct OlderGenerations(EmbeddedStore);

impl OlderGenerations {
    /// Drops them; call it once this way of folding has caught up.
    pub(crate) async fn retire(self) {
        let older = match self.0.generations() {
            Ok(generations) => generations.into_iter().filter(|generation| *generation < GENERATION),
            Err(error) => return tracing::warn!(%error, "older generations could not be listed"),
        };
        for generation in older {
            match self.0.retire(generation).await {
                Ok(()) => tracing::info!(generation, "retired an older generation of rows"),
                Err(error) => tracing::warn!(generation, %error, "an older generation was not retired"),
            }
        }
    }
}
