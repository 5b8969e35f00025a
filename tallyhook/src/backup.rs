//! A copy of a data folder that is in use: log and store of one moment, made by the process that has them open.
//!
//! The store's moment is the earlier one by a hair, so that no row is newer than the log: a start from the copy folds
//! what is between, as after any crash. The copy has its name only once it was opened and fits together.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use domain::GENERATION;
use event_log::{
    EventLog,
    embedded::{EmbeddedLog, EmbeddedLogSettings},
};
use projector::ProjectorSettings;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::{info, warn};
use view_store::embedded::{EmbeddedStore, EmbeddedStoreSettings};

use crate::{app_file, forget, webhook_secret};

/// What a copy that is not finished is called, beside the one that it becomes.
const UNFINISHED: &str = "unfinished";

/// What copies the data folder of this process.
#[derive(Clone)]
pub(crate) struct Backup {
    // Not held: whoever closes the log waits for nobody.
    log: Weak<EmbeddedLog>,
    store: EmbeddedStore,
    data_dir: PathBuf,
    state: Arc<Mutex<Progress>>,
}

/// What became of the copy that was asked for last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Progress {
    /// None was asked for since the start.
    #[default]
    None,
    /// It is being written.
    Running,
    /// It is there.
    Done {
        /// So many records are in its log.
        records: u64,
        /// Its size.
        bytes: u64,
    },
    /// It is not there.
    Failed {
        /// Why.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    dir: PathBuf,
}

impl Backup {
    pub(crate) fn new(log: Weak<EmbeddedLog>, store: EmbeddedStore, data_dir: PathBuf) -> Self {
        Backup { log, store, data_dir, state: Arc::default() }
    }

    /// `POST /admin/backup {"dir"}` begins a copy, `GET /admin/backup` tells what became of it.
    pub(crate) fn router(self) -> Router {
        Router::new().route("/admin/backup", get(progress).post(begin)).with_state(self)
    }

    fn state(&self) -> MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, dir: &Path) -> Result<Progress, String> {
        let unfinished = unfinished(dir)?;
        let written = self.write(&unfinished).await;
        let renamed = written.and_then(|made| {
            fs::rename(&unfinished, dir).map_err(|error| cannot(dir, &error))?;
            sync(dir.parent().unwrap_or(dir)).map_err(|error| cannot(dir, &error))?;
            Ok(made)
        });
        if renamed.is_err() {
            // It does no harm where it is.
            let _ = fs::remove_dir_all(&unfinished);
        }
        renamed
    }

    async fn write(&self, unfinished: &Path) -> Result<Progress, String> {
        let log = self.log.upgrade().ok_or("the process is ending")?;
        let store = self.store.snapshot().map_err(|error| error.to_string())?;
        let log = log.snapshot().map_err(|error| error.to_string())?;
        let (data_dir, target) = (self.data_dir.clone(), unfinished.to_owned());
        let opened = tokio::task::spawn_blocking(move || {
            // It holds what only the process's user may read.
            DirBuilder::new().mode(0o700).create(&target).map_err(|error| cannot(&target, &error))?;
            log.write(&target).map_err(|error| error.to_string())?;
            store.write(&target).map_err(|error| error.to_string())?;
            copy_secrets(&data_dir, &target).map_err(|error| cannot(&target, &error))?;
            forget::copy_mark(&data_dir, &target).map_err(|error| cannot(&target, &error))?;
            sync(&target).map_err(|error| cannot(&target, &error))?;
            let log = EmbeddedLog::open(&target, EmbeddedLogSettings::default());
            let settings =
                EmbeddedStoreSettings { generation: GENERATION, ..EmbeddedStoreSettings::default() };
            let store = EmbeddedStore::open(&target, &settings);
            Ok::<_, String>((
                log.map_err(|error| error.to_string())?,
                store.map_err(|error| error.to_string())?,
            ))
        });
        let (log, store) = opened.await.map_err(|error| error.to_string())??;
        let settings = ProjectorSettings::default();
        projector::recognise(&log, &store, &settings).await.map_err(|error| error.to_string())?;
        let bounds = log.bounds().await.map_err(|error| error.to_string())?;
        let records = bounds.iter().map(|bounds| bounds.end - bounds.start).sum();
        // Closing waits for the disk.
        let closed = tokio::task::spawn_blocking(move || drop((log, store)));
        closed.await.map_err(|error| error.to_string())?;
        let bytes = bytes_in(unfinished).map_err(|error| cannot(unfinished, &error))?;
        Ok(Progress::Done { records, bytes })
    }
}

async fn progress(State(backup): State<Backup>) -> Json<Progress> {
    Json(backup.state().clone())
}

async fn begin(
    State(backup): State<Backup>,
    Json(Wanted { dir }): Json<Wanted>,
) -> (StatusCode, Json<Value>) {
    let refused = |status: StatusCode, detail: String| {
        let problem = json!({
            "type": "https://tallyhook.dev/errors/backup-refused",
            "title": "No copy was begun",
            "status": status.as_u16(),
            "detail": detail,
        });
        (status, Json(problem))
    };
    if !dir.is_absolute() {
        return refused(StatusCode::BAD_REQUEST, format!("{} is no absolute path", dir.display()));
    }
    if dir.exists() {
        return refused(
            StatusCode::CONFLICT,
            format!("{} is there already; name a folder to make", dir.display()),
        );
    }
    if std::mem::replace(&mut *backup.state(), Progress::Running) == Progress::Running {
        return refused(StatusCode::CONFLICT, "another copy is being written".to_owned());
    }
    let copying = backup.clone();
    tokio::spawn(async move {
        let made = copying.make(&dir).await;
        match &made {
            Ok(_) => info!(dir = %dir.display(), "the data folder was copied"),
            Err(reason) => warn!(dir = %dir.display(), reason, "the data folder was not copied"),
        }
        *copying.state() = made.unwrap_or_else(|reason| Progress::Failed { reason });
    });
    (StatusCode::ACCEPTED, Json(json!({ "state": "running" })))
}

/// Where the copy is until it is finished; on the same disk, so that it can be renamed.
fn unfinished(dir: &Path) -> Result<PathBuf, String> {
    let name = dir.file_name().ok_or_else(|| format!("{} names no folder", dir.display()))?;
    let unique = uuid::Uuid::new_v4().simple();
    Ok(dir.with_file_name(format!("{}.{UNFINISHED}-{unique}", name.display())))
}

/// A secret that we made, or an App that was set up here, belongs to the data: deliveries would be refused after a
/// restore. A copy is for nobody else to read either.
fn copy_secrets(data_dir: &Path, target: &Path) -> io::Result<()> {
    for at in [webhook_secret::path, app_file::path] {
        let (secret, copy) = (at(data_dir), at(target));
        if !secret.exists() {
            continue;
        }
        fs::copy(secret, &copy)?;
        File::open(copy)?.sync_all()?;
    }
    Ok(())
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn bytes_in(dir: &Path) -> io::Result<u64> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

fn cannot(dir: &Path, error: &io::Error) -> String {
    format!("{} cannot be made: {error}; the process itself writes it, and must be allowed to", dir.display())
}
