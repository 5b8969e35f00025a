//! Embedded stores for the contract suite: in memory, in a folder, on a disk that loses power.

// Each test binary uses some of these, and none of them is a library.
use std::{
    fs,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use tempfile::TempDir;
use view_store::{
    EmbeddedStore, EmbeddedStoreSettings, OpenError, ViewStore,
    contract::{
        CASES, Capabilities, Case, Failure, Harness,
        power_loss::{PowerLossDisk, Unsynced},
        run,
    },
};

/// Small, so that tests also see pages leave the cache.
pub(crate) fn settings() -> EmbeddedStoreSettings {
    EmbeddedStoreSettings { generation: 1, cache_bytes: 2 * 1024 * 1024 }
}

/// What a harness has open at the moment.
type Open = Mutex<Option<EmbeddedStore>>;

fn open_once(
    open: &Open,
    generation: u32,
    make: impl FnOnce() -> Result<EmbeddedStore, OpenError>,
) -> Result<Arc<dyn ViewStore>, String> {
    let mut open = open.lock().unwrap();
    if open.is_none() {
        *open = Some(make().map_err(|error| error.to_string())?);
    }
    Ok(Arc::new(open.as_ref().unwrap().with_generation(generation)))
}

#[derive(Default)]
pub(crate) struct InMemory {
    open: Open,
}

#[async_trait]
impl Harness for InMemory {
    async fn open(&self, generation: u32) -> Result<Arc<dyn ViewStore>, String> {
        open_once(&self.open, generation, || EmbeddedStore::in_memory(&settings()))
    }

    async fn crash(&self) {
        *self.open.lock().unwrap() = None;
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { survives_crashes: false }
    }
}

/// A crash is a kill: the next process finds the file as it is at that moment, cached pages not written.
pub(crate) struct InFolder {
    open: Open,
    folder: Mutex<TempDir>,
}

impl Default for InFolder {
    fn default() -> Self {
        InFolder { open: Open::default(), folder: Mutex::new(tempfile::tempdir().unwrap()) }
    }
}

#[async_trait]
impl Harness for InFolder {
    async fn open(&self, generation: u32) -> Result<Arc<dyn ViewStore>, String> {
        let folder = self.folder.lock().unwrap().path().to_owned();
        open_once(&self.open, generation, || EmbeddedStore::open(&folder, &settings()))
    }

    async fn crash(&self) {
        let next = tempfile::tempdir().unwrap();
        let mut folder = self.folder.lock().unwrap();
        let file = view_store::embedded::FILE_NAME;
        fs::copy(folder.path().join(file), next.path().join(file)).unwrap();
        *self.open.lock().unwrap() = None;
        *folder = next;
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { survives_crashes: true }
    }
}

/// A crash is a power cut that keeps some of what was not synced.
pub(crate) struct OnPowerLossDisk {
    open: Open,
    pub disk: PowerLossDisk,
    unsynced: Unsynced,
}

impl OnPowerLossDisk {
    pub(crate) fn new(unsynced: Unsynced) -> Self {
        OnPowerLossDisk { open: Open::default(), disk: PowerLossDisk::new(), unsynced }
    }
}

#[async_trait]
impl Harness for OnPowerLossDisk {
    async fn open(&self, generation: u32) -> Result<Arc<dyn ViewStore>, String> {
        open_once(&self.open, generation, || {
            EmbeddedStore::open_backend(self.disk.open(), "state.redb", &settings())
        })
    }

    async fn crash(&self) {
        self.disk.cut_power(self.unsynced);
        *self.open.lock().unwrap() = None;
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { survives_crashes: true }
    }
}

/// Runs every case that applies, each on a harness of its own; returns what failed.
pub(crate) async fn run_all<H: Harness>(make: impl Fn() -> H) -> Vec<Failure> {
    let mut failures = Vec::new();
    for case in CASES {
        let harness = make();
        if case.applies_to(harness.capabilities()) {
            failures.extend(run(*case, &harness).await.err());
        }
    }
    failures
}

/// Runs one case on a fresh harness.
pub(crate) async fn run_one<H: Harness>(case: Case, harness: H) -> Result<(), Failure> {
    run(case, &harness).await
}
