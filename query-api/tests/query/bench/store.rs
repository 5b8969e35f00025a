//! A store whose reads can be counted, held up and made to fail.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::PATIENCE;
use async_trait::async_trait;
use domain::{RowKey, ScanKey};
use tokio::sync::Semaphore;
use view_store::{EmbeddedStore, Row, RowStream, StoreError, ViewStore};

pub(crate) struct WatchedStore {
    inner: EmbeddedStore,
    gates: Mutex<HashMap<RowKey, Arc<Gate>>>,
    reads: Mutex<HashMap<RowKey, usize>>,
    is_away: AtomicBool,
}

/// Where readers of a row stand, with the row in their hands.
pub(crate) struct Gate {
    arrived: Semaphore,
    open: Semaphore,
}

impl Gate {
    /// Waits for a reader that has read.
    pub(crate) async fn arrival(&self) {
        let arrival = tokio::time::timeout(PATIENCE, self.arrived.acquire()).await;
        arrival.expect("somebody reads the row").unwrap().forget();
    }

    /// Lets one reader go.
    pub(crate) fn let_go(&self) {
        self.open.add_permits(1);
    }
}

impl WatchedStore {
    pub(crate) fn new(inner: EmbeddedStore) -> Self {
        WatchedStore {
            inner,
            gates: Mutex::default(),
            reads: Mutex::default(),
            is_away: AtomicBool::new(false),
        }
    }

    /// Readers of this row stop after they have read it, from now on.
    pub(crate) fn gate(&self, key: RowKey) -> Arc<Gate> {
        let gate = Arc::new(Gate { arrived: Semaphore::new(0), open: Semaphore::new(0) });
        self.gates.lock().unwrap().insert(key, Arc::clone(&gate));
        gate
    }

    /// The rows of another generation in the same store.
    pub(crate) fn with_generation(&self, generation: u32) -> EmbeddedStore {
        self.inner.with_generation(generation)
    }

    pub(crate) fn reads_of(&self, key: &RowKey) -> usize {
        self.reads.lock().unwrap().get(key).copied().unwrap_or(0)
    }

    pub(crate) fn go_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }
}

#[async_trait]
impl ViewStore for WatchedStore {
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        *self.reads.lock().unwrap().entry(key.clone()).or_default() += 1;
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Retry("away".to_owned()));
        }
        let row = self.inner.get(key).await?;
        let gate = self.gates.lock().unwrap().get(key).cloned();
        if let Some(gate) = gate {
            gate.arrived.add_permits(1);
            gate.open.acquire().await.unwrap().forget();
        }
        Ok(row)
    }

    async fn scan(&self, range: &ScanKey) -> Result<RowStream, StoreError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Retry("away".to_owned()));
        }
        self.inner.scan(range).await
    }

    async fn write(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.inner.write(rows).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush().await
    }
}
