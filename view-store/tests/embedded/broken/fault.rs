//! What can be wrong with an adapter, as a decorator that goes wrong in that way.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use domain::{RowKey, ScanKey, StreamKey, Version};
use futures::{StreamExt, TryStreamExt, stream};
use view_store::{Row, RowStream, StoreError, ViewStore};

use super::arrival::ByArrival;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    ReturnsBeforeVisible,
    CutsLargeValues,
    DropsTheTailOfACall,
    ForgetsAFamily,
    IgnoresVersions,
    MixesVersionAndValue,
    LastOfACallWins,
    SkipsEqualVersions,
    OneVersionForACall,
    IgnoresEpochs,
    ScansOutOfOrder,
    ScanMissesTheLastPiece,
    ScanGivesANeighbour,
    ScanPagesByNumber,
    ChecksThenWrites,
    ReadsInTwoSteps,
    LeaksGenerations,
    SharesNothing,
    RefusesIdleFlushes,
    DoesNotFlush,
    TearsByCrash,
    KeepsVersionsInMemory,
}

/// What a broken adapter keeps beside its store.
#[derive(Default)]
pub(crate) struct Memory {
    clock: Arc<AtomicU64>,
    versions: Mutex<BTreeMap<RowKey, Version>>,
    last_unflushed: Mutex<Option<Row>>,
    is_dirty: AtomicBool,
}

impl Memory {
    /// What a crash does to it.
    pub(crate) fn forget(&self) {
        self.versions.lock().unwrap().clear();
    }

    pub(crate) fn take_last_unflushed(&self) -> Option<Row> {
        self.last_unflushed.lock().unwrap().take()
    }
}

impl Fault {
    pub(crate) fn in_front_of(self, store: Arc<dyn ViewStore>, memory: &Arc<Memory>) -> Arc<dyn ViewStore> {
        let inner: Arc<dyn ViewStore> = match self {
            Fault::IgnoresVersions | Fault::ChecksThenWrites | Fault::KeepsVersionsInMemory => {
                Arc::new(ByArrival { inner: store, clock: Arc::clone(&memory.clock) })
            }
            _ => store,
        };
        Arc::new(Faulty { inner, fault: self, memory: Arc::clone(memory) })
    }
}

struct Faulty {
    inner: Arc<dyn ViewStore>,
    fault: Fault,
    memory: Arc<Memory>,
}

impl Faulty {
    async fn stored_version(&self, key: &RowKey) -> Result<Option<Version>, StoreError> {
        Ok(self.inner.get(key).await?.map(|row| row.version))
    }

    /// The rows whose versions pass the test against what is stored.
    async fn only(
        &self,
        rows: Vec<Row>,
        passes: impl Fn(Version, Version) -> bool,
    ) -> Result<Vec<Row>, StoreError> {
        let mut passed = Vec::new();
        for row in rows {
            if self.stored_version(&row.key).await?.is_none_or(|stored| passes(row.version, stored)) {
                passed.push(row);
            }
        }
        Ok(passed)
    }

    /// What the fault makes of a call's rows.
    async fn rows_written(&self, mut rows: Vec<Row>) -> Result<Vec<Row>, StoreError> {
        const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;
        match self.fault {
            Fault::CutsLargeValues => rows.iter_mut().for_each(|row| row.value.truncate(VALUE_BYTES_MAX)),
            Fault::DropsTheTailOfACall if rows.len() > 10 => rows.truncate(rows.len() - 1),
            Fault::ForgetsAFamily => rows.retain(|row| !matches!(row.key, RowKey::DeadLetter(..))),
            Fault::LastOfACallWins => {
                let last: BTreeMap<RowKey, Row> =
                    rows.into_iter().map(|row| (row.key.clone(), row)).collect();
                rows = last.into_values().collect();
            }
            Fault::SkipsEqualVersions => rows = self.only(rows, |written, stored| written > stored).await?,
            Fault::IgnoresEpochs => {
                rows = self.only(rows, |written, stored| written.offset() >= stored.offset()).await?;
            }
            Fault::OneVersionForACall => {
                let greatest = rows.iter().map(|row| row.version).max().unwrap_or_default();
                rows.iter_mut().for_each(|row| row.version = greatest);
            }
            Fault::MixesVersionAndValue => {
                for row in &mut rows {
                    if let Some(stored) = self.inner.get(&row.key).await? {
                        row.version = row.version.max(stored.version);
                        row.value = row.value.clone().max(stored.value);
                    }
                }
            }
            Fault::ChecksThenWrites => {
                rows = self.only(rows, |written, stored| written >= stored).await?;
                tokio::task::yield_now().await;
            }
            Fault::KeepsVersionsInMemory => {
                let mut versions = self.memory.versions.lock().unwrap();
                rows.retain(|row| versions.get(&row.key).is_none_or(|known| row.version >= *known));
                versions.extend(rows.iter().map(|row| (row.key.clone(), row.version)));
            }
            _ => {}
        }
        Ok(rows)
    }

    /// Reads again from the start for each page, and skips as many rows as it gave before.
    fn scan_by_number(&self, range: ScanKey) -> RowStream {
        const PAGE_ROWS: usize = 100;
        let inner = Arc::clone(&self.inner);
        stream::try_unfold(0, move |given| {
            let inner = Arc::clone(&inner);
            async move {
                let rows: Vec<Row> = inner.scan(&range).await?.try_collect().await?;
                let page: Vec<_> = rows.into_iter().skip(given).take(PAGE_ROWS).map(Ok).collect();
                let given = given + page.len();
                Ok((!page.is_empty()).then(|| (stream::iter(page), given)))
            }
        })
        .try_flatten()
        .boxed()
    }
}

/// The range of the service's stream that is like this one.
fn of_service(range: ScanKey) -> Option<ScanKey> {
    match range {
        ScanKey::Entities(stream) if stream != StreamKey::Service => {
            Some(ScanKey::Entities(StreamKey::Service))
        }
        ScanKey::Members(stream) if stream != StreamKey::Service => {
            Some(ScanKey::Members(StreamKey::Service))
        }
        _ => None,
    }
}

#[async_trait]
impl ViewStore for Faulty {
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        let found = self.inner.get(key).await?;
        if self.fault == Fault::ReadsInTwoSteps {
            tokio::task::yield_now().await;
            let version = self.stored_version(key).await?;
            return Ok(found.map(|row| Row { version: version.unwrap_or(row.version), ..row }));
        }
        Ok(found)
    }

    async fn scan(&self, range: &ScanKey) -> Result<RowStream, StoreError> {
        const PIECE_ROWS: usize = 512;
        if self.fault == Fault::ScanPagesByNumber {
            return Ok(self.scan_by_number(*range));
        }
        let rows = self.inner.scan(range).await?;
        match self.fault {
            Fault::ScansOutOfOrder => {
                let mut rows: Vec<Row> = rows.try_collect().await?;
                rows.sort_by_key(|row| row.version);
                Ok(stream::iter(rows).map(Ok).boxed())
            }
            Fault::ScanMissesTheLastPiece => {
                let rows: Vec<Row> = rows.try_collect().await?;
                let kept =
                    if rows.len() > PIECE_ROWS { rows.len() / PIECE_ROWS * PIECE_ROWS } else { rows.len() };
                Ok(stream::iter(rows).take(kept).map(Ok).boxed())
            }
            Fault::ScanGivesANeighbour => match of_service(*range) {
                Some(neighbour) => Ok(self.inner.scan(&neighbour).await?.chain(rows).boxed()),
                None => Ok(rows),
            },
            _ => Ok(rows),
        }
    }

    async fn write(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let rows = self.rows_written(rows).await?;
        self.memory.is_dirty.store(true, Ordering::SeqCst);
        *self.memory.last_unflushed.lock().unwrap() = rows.first().cloned();
        if self.fault == Fault::ReturnsBeforeVisible {
            let inner = Arc::clone(&self.inner);
            tokio::spawn(async move { inner.write(rows).await });
            return Ok(());
        }
        self.inner.write(rows).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.memory.take_last_unflushed();
        match self.fault {
            Fault::DoesNotFlush => Ok(()),
            Fault::RefusesIdleFlushes if !self.memory.is_dirty.swap(false, Ordering::SeqCst) => {
                Err(StoreError::Retry("there is nothing to flush".to_owned()))
            }
            _ => self.inner.flush().await,
        }
    }
}
