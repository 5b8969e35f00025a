//! The adapter of one machine: rows in one redb file, `state.redb`, read and written in this process.
//!
//! One table per family, with the generation as a suffix where the family has generations. A write is
//! visible when it returns and durable after the next [`ViewStore::flush`]: writes are commits that skip
//! the disk, and a flush is the one that does not. A crash leaves the file at some moment between the
//! last flush and the crash, every row as it was then; the projector folds the rest again from the log.
//!
//! What lives below: opening and refusing files (`open`), names of tables (`table`), the thread that
//! writes (`writer`), what it commits (`commit`) and drops (`retire`), reading in pieces (`scan`), and what
//! happens after a storage error (`health`).

mod commit;
mod health;
mod open;
mod retire;
mod scan;
mod snapshot;
mod table;
mod writer;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use domain::{Family, RowKey, ScanKey};
use redb::{Database, ReadTransaction, ReadableDatabase, StorageBackend, TableHandle};
use tokio::sync::watch;

use self::{
    commit::StoredRow,
    health::{Health, guarded},
    table::Table,
    writer::Writer,
};
pub use self::{
    open::{EmbeddedStoreSettings, FILE_NAME, OpenError},
    snapshot::{SnapshotError, StoreSnapshot},
};
use crate::port::{Row, RowStream, StoreError, ViewStore};

/// Rows in one file of this machine, seen through one generation.
///
/// Clones and [`Self::with_generation`] share the file, the cache and the writing thread. Dropping the
/// last of them flushes and closes the file, which takes as long as a flush.
#[derive(Clone)]
pub struct EmbeddedStore {
    base: Arc<Base>,
    generation: u32,
}

impl EmbeddedStore {
    /// Opens `state.redb` in `dir`, making both if they are missing. Waits for the disk, so it belongs to a
    /// process's start; it takes milliseconds whatever the size and however the last process ended, because
    /// every flush keeps what a start needs.
    ///
    /// # Errors
    /// See [`OpenError`]; the sentences are for the person who started the process.
    pub fn open(dir: &Path, settings: &EmbeddedStoreSettings) -> Result<Self, OpenError> {
        let (database, file) = open::open_folder(dir, settings)?;
        Self::start(database, file, settings)
    }

    /// A store that lives and ends with this process.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn in_memory(settings: &EmbeddedStoreSettings) -> Result<Self, OpenError> {
        Self::open_backend(redb::backends::InMemoryBackend::new(), "the store in memory", settings)
    }

    /// Opens the store that `backend` holds, or makes one there if it is empty. `file` is what messages
    /// call it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_backend(
        backend: impl StorageBackend,
        file: &str,
        settings: &EmbeddedStoreSettings,
    ) -> Result<Self, OpenError> {
        let database = open::open_backend(backend, file, settings)?;
        Self::start(database, file.to_owned(), settings)
    }

    fn start(database: Database, file: String, settings: &EmbeddedStoreSettings) -> Result<Self, OpenError> {
        let database = Arc::new(database);
        let health = Arc::new(Health::new(file.clone()));
        let writer = Writer::start(Arc::clone(&database), Arc::clone(&health))
            .map_err(|cause| OpenError::Disk { file, cause: cause.to_string() })?;
        let base = Arc::new(Base { writer, database: Some(database), health });
        Ok(EmbeddedStore { base, generation: settings.generation })
    }

    /// The generation whose rows this handle reads and writes.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The same store seen through another generation. Families without generations are shared.
    #[must_use]
    pub fn with_generation(&self, generation: u32) -> Self {
        EmbeddedStore { base: Arc::clone(&self.base), generation }
    }

    /// The generations that have rows, in rising order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn generations(&self) -> Result<Vec<u32>, StoreError> {
        let tables = self.base.read(|transaction| Ok(tables(transaction)?.collect::<Vec<_>>()))?;
        let mut generations: Vec<u32> = tables.iter().filter_map(|table| table.generation).collect();
        generations.sort_unstable();
        generations.dedup();
        Ok(generations)
    }

    /// Every row of a family in key order, also of those that no range holds: for copying a whole store.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn rows_of(&self, family: Family) -> Result<RowStream, StoreError> {
        self.base.health.check()?;
        Ok(scan::rows(Arc::clone(&self.base), Table::of(family, self.generation), Vec::new()))
    }

    /// Drops the rows of a generation older than this handle's. When it returns they are durably out of
    /// reach; their room in the file is freed bit by bit afterwards, between other work, and used again
    /// (the file does not become shorter). A restart goes on with that.
    ///
    /// Whoever still reads the retired generation finds no rows, and a scan that is under way ends in an
    /// error.
    ///
    /// # Errors
    /// [`StoreError::Stop`] when the generation is this handle's or a newer one, and see [`StoreError`].
    pub async fn retire(&self, generation: u32) -> Result<(), StoreError> {
        if generation >= self.generation {
            return Err(StoreError::Stop(format!(
                "generation {generation} cannot be retired by generation {}: only older ones can",
                self.generation
            )));
        }
        self.base.writer.retire(generation).await
    }

    /// Tells when the store broke: `Some` sentence from the first storage error on. The process is to
    /// stop then; every call answers [`StoreError::Stop`] with that sentence.
    pub fn broken(&self) -> watch::Receiver<Option<String>> {
        self.base.health.subscribe()
    }
}

#[async_trait]
impl ViewStore for EmbeddedStore {
    /// Runs on the caller's thread: a row in the cache takes about 2 µs and one in the operating system's
    /// cache about 8 µs, where the way to a blocking thread and back alone takes 30 µs. A cold row costs a
    /// few disk accesses (150 µs in the median on an SSD), and nobody asks for one twice in a row: bytes
    /// that are asked for often are kept by whoever asks.
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        // Nothing here ever waits, so a loop over many keys would keep the executor from other tasks.
        tokio::task::coop::consume_budget().await;
        let encoded = key.encode();
        let table = Table::of(encoded.family, self.generation);
        let found = self.base.read(|transaction| {
            let Some(rows) = table.read(transaction)? else { return Ok(None) };
            let Some(stored) = rows.get(encoded.bytes.as_slice())? else { return Ok(None) };
            commit::decode(&encoded.bytes, stored.value()).map(Some)
        })?;
        let row = found.map(|(version, value)| Row { key: key.clone(), version, value });
        Ok(row.filter(|row| !row.is_erased()))
    }

    async fn scan(&self, range: &ScanKey) -> Result<RowStream, StoreError> {
        self.base.health.check()?;
        let (family, prefix) = range.encode();
        Ok(scan::rows(Arc::clone(&self.base), Table::of(family, self.generation), prefix))
    }

    async fn write(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let rows: Vec<StoredRow> = rows.into_iter().map(|row| StoredRow::of(row, self.generation)).collect();
        self.base.writer.write(rows).await
    }

    /// Makes two fsyncs if anything was written since the last flush, and none otherwise. Writes wait
    /// while it runs, reads do not.
    ///
    /// Pages that the last flush left are kept until the next one, in case of a crash. Between two flushes
    /// the file therefore needs room for a second copy of every row that is rewritten, once, however
    /// often; and the longer the time between flushes, the longer one takes.
    async fn flush(&self) -> Result<(), StoreError> {
        self.base.writer.flush().await
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// What all handles on one file share.
struct Base {
    // Dropped first, by hand: the thread ends before the database it writes to is closed.
    writer: Writer,
    // `None` only while being dropped.
    database: Option<Arc<Database>>,
    health: Arc<Health>,
}

impl Base {
    /// Reads at one moment of the file.
    ///
    /// Must be short: pages that a transaction could still look at are not used again, so that with a
    /// reader waiting somewhere each commit makes the file larger.
    fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.health.check()?;
        let database =
            self.database.as_ref().expect("the database is there until the last handle is dropped");
        guarded(|| read(&database.begin_read()?)).map_err(|fault| self.health.fail(fault))
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        self.writer.stop();
        let database = self.database.take();
        // Closing commits what was not flushed. On a damaged file redb may panic there, and this may be
        // any thread; what could not be closed properly is recovered by the next start.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
    }
}

/// The tables of rows in the file.
fn tables(transaction: &ReadTransaction) -> Result<impl Iterator<Item = Table>, redb::Error> {
    let handles = transaction.list_tables()?.collect::<Vec<_>>();
    Ok(handles.into_iter().filter_map(|handle| Table::from_name(handle.name())))
}
