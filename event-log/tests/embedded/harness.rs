//! Embedded logs for the contract suite to work on.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use event_log::{
    EmbeddedLog, EmbeddedLogSettings, EventLog, OpenError,
    contract::{
        Capabilities, Failure, Harness,
        power_loss::{PowerLossDisk, Unsynced},
    },
};
use tempfile::TempDir;

/// Far more than any case takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What stands between the suite and the log it was given; gets the number of the start, from 0.
pub(crate) type Decorate = Box<dyn Fn(EmbeddedLog, u64) -> Arc<dyn EventLog> + Send + Sync>;

/// How the log on a disk is opened.
pub(crate) type Open = fn(&PowerLossDisk) -> Result<EmbeddedLog, OpenError>;

/// Opens it as it is meant to be.
pub(crate) fn open(disk: &PowerLossDisk) -> Result<EmbeddedLog, OpenError> {
    EmbeddedLog::with_backend(disk.backend(), "the disk", EmbeddedLogSettings::default())
}

/// A log on a disk whose supply can fail.
pub(crate) struct DiskHarness {
    pub(crate) disk: PowerLossDisk,
    /// What the n-th crash does to what was not synced.
    pub(crate) unsynced: fn(u64) -> Unsynced,
    pub(crate) open: Open,
    pub(crate) decorate: Decorate,
    pub(crate) patience: Duration,
    starts: AtomicU64,
    crashes: AtomicU64,
}

impl DiskHarness {
    pub(crate) fn new(disk: PowerLossDisk, unsynced: fn(u64) -> Unsynced) -> Self {
        DiskHarness {
            disk,
            unsynced,
            open,
            decorate: Box::new(|log, _| Arc::new(log)),
            patience: PATIENCE,
            starts: AtomicU64::new(0),
            crashes: AtomicU64::new(0),
        }
    }
}

fn capabilities(patience: Duration) -> Capabilities {
    Capabilities { remembers_duplicates: true, appends_are_atomic: true, patience }
}

#[async_trait]
impl Harness for DiskHarness {
    fn capabilities(&self) -> Capabilities {
        capabilities(self.patience)
    }

    async fn open(&self) -> Result<Arc<dyn EventLog>, Failure> {
        let log = (self.open)(&self.disk).map_err(|error| Failure(error.to_string()))?;
        Ok((self.decorate)(log, self.starts.fetch_add(1, Ordering::Relaxed)))
    }

    async fn crash(&self) -> Result<(), Failure> {
        let unsynced = (self.unsynced)(self.crashes.fetch_add(1, Ordering::Relaxed));
        self.disk.crash(unsynced).map_err(|error| Failure(error.to_string()))
    }

    async fn open_another(&self) -> Result<Arc<dyn EventLog>, Failure> {
        let log = (self.open)(&PowerLossDisk::in_memory());
        Ok((self.decorate)(log.map_err(|error| Failure(error.to_string()))?, 0))
    }
}

/// A log in a folder, opened as the program opens it. A crash is a clean stop here: a process cannot kill a
/// part of itself. Crashes are the disk harness's, and a real kill -9 is tested beside the suite.
pub(crate) struct FolderHarness {
    folder: TempDir,
}

impl FolderHarness {
    pub(crate) fn new() -> Self {
        FolderHarness { folder: TempDir::new().unwrap() }
    }

    fn open_in(&self, name: &str) -> Result<Arc<dyn EventLog>, Failure> {
        let dir: PathBuf = self.folder.path().join(name);
        let log = EmbeddedLog::open(&dir, EmbeddedLogSettings::default());
        Ok(Arc::new(log.map_err(|error| Failure(error.to_string()))?))
    }
}

#[async_trait]
impl Harness for FolderHarness {
    fn capabilities(&self) -> Capabilities {
        capabilities(PATIENCE)
    }

    async fn open(&self) -> Result<Arc<dyn EventLog>, Failure> {
        self.open_in("data")
    }

    async fn crash(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn open_another(&self) -> Result<Arc<dyn EventLog>, Failure> {
        self.open_in("another")
    }
}
