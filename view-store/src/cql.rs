//! The adapter of a cluster: rows in ScyllaDB or Apache Cassandra.
//!
//! A row's version is the write time of its one cell, so the servers themselves keep the greatest, whoever
//! writes late or twice. Writes and reads ask a quorum of the own datacenter; a write is durable when it
//! returns, and a flush has nothing to do. Where one call may have to wait for servers it does so for
//! [`CqlStoreSettings::patience`] and then says [`StoreError::Retry`]; who must not lose a row calls again.
//!
//! What lives below: the line of text that names a cluster (`address`), the connection (`session`), what is
//! sent (`statements`) and where it goes (`place`), the cell (`cell`) and values too large for one (`chunks`),
//! ranges (`scan`), failures that pass (`retry`), and the tables: their texts and checksums (`steps`), who makes
//! them (`migrate`), how they are dropped (`retire`), and the life of the log that they belong to (`epoch`).
//!
//! *Architecture invariant*: no row is ever deleted, no write depends on a read, and no write of a row goes out
//! without its version. What is deleted is dead: chunks of a value that was replaced, tables of a generation
//! that was retired.

mod address;
mod cell;
mod chunks;
mod epoch;
mod migrate;
mod open_error;
mod place;
mod retire;
mod retry;
mod scan;
mod session;
mod statements;
mod steps;
#[cfg(feature = "cql-tls")]
mod tls;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{Family, RowKey, ScanKey, Version, key::bytes::KeyBytes};
use futures::{StreamExt, TryStreamExt, future, stream};
use scylla::{
    deserialize::row::DeserializeRow,
    response::query_result::{QueryResult, QueryRowsResult},
    serialize::row::SerializeRow,
    statement::prepared::PreparedStatement,
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// What [`connect`] gives.
pub use scylla::client::session::Session;

pub use self::{
    address::{CqlAddress, CqlAddressError},
    epoch::epoch_open,
    migrate::{Applied, MigrateSettings, migrate},
    open_error::OpenError,
    session::{LosingTimestamps, connect},
};
use self::{
    cell::{Cell, Chunked, Read},
    statements::Statements,
};
use crate::{
    port::{Row, RowStream, StoreError, ViewStore},
    table::Table,
};

/// So often is a row read again whose chunks another writer is replacing. Each time a newer version was there,
/// so it takes a writer of large values that is faster than this reader, that many times.
const CELL_READS_MAX: usize = 8;
/// How long a store that took the connection may be too busy to answer the questions with which it is opened.
const OPEN_MAX: Duration = Duration::from_secs(30);
/// Before they are asked again.
const OPEN_PAUSE: Duration = Duration::from_secs(1);

/// Bounds of a store in a cluster.
#[derive(Debug, Clone)]
pub struct CqlStoreSettings {
    /// The build of all views to read and write.
    pub generation: u32,
    /// Writes on their way to the servers at a time, over all calls.
    pub writes_at_once: usize,
    /// Reads on their way at a time, over all calls; a page of a scan is one.
    pub reads_at_once: usize,
    /// How long one statement is tried again while servers are away. One last attempt may begin just before
    /// the end and take five seconds more.
    pub patience: Duration,
}

impl Default for CqlStoreSettings {
    fn default() -> Self {
        CqlStoreSettings {
            generation: 1,
            // More only wait in the servers' queues: three servers of eight cores are busy with this.
            writes_at_once: 256,
            // Apart from the writes, so that a rebuild does not hold up readers.
            reads_at_once: 256,
            // Longer than a server's restart or a leader's change, shorter than what a reader waits for.
            patience: Duration::from_secs(10),
        }
    }
}

/// Rows in a cluster, seen through one generation. Clones share the connection and its bounds;
/// [`Self::with_generation`] shares the connection.
#[derive(Clone)]
pub struct CqlStore {
    base: Arc<Base>,
}

impl CqlStore {
    /// Connects, makes sure that the tables are this release's, and prepares every statement.
    ///
    /// # Errors
    /// See [`OpenError`]; the sentences are for the person who started the process. Only
    /// [`OpenError::Unreachable`] may pass by itself.
    pub async fn open(address: &CqlAddress, settings: CqlStoreSettings) -> Result<Self, OpenError> {
        let session = Arc::new(connect(address).await?);
        Self::on(session, address, settings).await
    }

    /// The rows of another generation, over the same connection. Families without generations are shared.
    ///
    /// # Errors
    /// As [`Self::open`]; [`OpenError::NotMigrated`] when it has no tables.
    pub async fn with_generation(&self, generation: u32) -> Result<Self, OpenError> {
        let settings = CqlStoreSettings { generation, ..self.base.settings.clone() };
        Self::on(Arc::clone(&self.base.session), &self.base.address, settings).await
    }

    async fn look(session: &Session, address: &CqlAddress, generation: u32) -> Result<Statements, OpenError> {
        steps::check(session, address, generation).await?;
        Statements::prepare(session, address, generation).await
    }

    async fn on(
        session: Arc<Session>,
        address: &CqlAddress,
        settings: CqlStoreSettings,
    ) -> Result<Self, OpenError> {
        let started = Instant::now();
        let statements = loop {
            match Self::look(&session, address, settings.generation).await {
                // There is a connection, so somebody is there, and only busy.
                Err(OpenError::Unreachable { cause, .. }) if started.elapsed() < OPEN_MAX => {
                    tracing::warn!(cause, "the store does not answer yet; asking again");
                    tokio::time::sleep(OPEN_PAUSE).await;
                }
                looked => break looked?,
            }
        };
        let base = Base {
            session,
            statements,
            address: address.clone(),
            writes: Semaphore::new(settings.writes_at_once.max(1)),
            reads: Semaphore::new(settings.reads_at_once.max(1)),
            settings,
        };
        Ok(CqlStore { base: Arc::new(base) })
    }

    /// The generation whose rows this handle reads and writes.
    pub fn generation(&self) -> u32 {
        self.base.settings.generation
    }

    /// The generations that have tables, in rising order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn generations(&self) -> Result<Vec<u32>, StoreError> {
        retire::generations(&self.base).await
    }

    /// Drops the tables of a generation older than this handle's. Who still uses it is told to stop.
    ///
    /// # Errors
    /// [`StoreError::Stop`] when the generation is this handle's or a newer one, and see [`StoreError`].
    pub async fn retire(&self, generation: u32) -> Result<(), StoreError> {
        retire::retire(&self.base, generation).await
    }
}

#[async_trait]
impl ViewStore for CqlStore {
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        Ok(self.base.get(key).await?.filter(|row| !row.is_erased()))
    }

    async fn scan(&self, range: &ScanKey) -> Result<RowStream, StoreError> {
        let rows = scan::rows(Arc::clone(&self.base), range);
        Ok(rows.try_filter(|row| future::ready(!row.is_erased())).boxed())
    }

    /// The rows go out side by side and in no order; of two values of one version and key the one with the
    /// greater bytes stays.
    async fn write(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let at_once = self.base.settings.writes_at_once;
        let (steps, others): (Vec<&Row>, Vec<&Row>) =
            rows.iter().partition(|row| row.key.family() == Family::Trail);
        for rows in [steps, others] {
            let rows = stream::iter(rows.into_iter().map(Ok));
            rows.try_for_each_concurrent(at_once, |row| self.base.write(row)).await?;
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl fmt::Debug for CqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CqlStore")
            .field("address", &self.base.address)
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

/// What all handles on one connection share.
struct Base {
    session: Arc<Session>,
    statements: Statements,
    address: CqlAddress,
    settings: CqlStoreSettings,
    writes: Semaphore,
    reads: Semaphore,
}

impl Base {
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        let encoded = key.encode();
        let mut missed = None;
        for _ in 0..CELL_READS_MAX {
            let Some((version, cell)) = self.cell(&encoded).await? else { return Ok(None) };
            let chunked = match cell {
                Read::Whole(value) => return Ok(Some(Row { key: key.clone(), version, value })),
                Read::Chunked(chunked) => chunked,
            };
            if let Some(value) = chunks::read(self, &encoded, version, &chunked).await? {
                return Ok(Some(Row { key: key.clone(), version, value }));
            }
            // Chunks go only when a later version is there for every quorum.
            if missed.replace((version, chunked)) == Some((version, chunked)) {
                return Err(self.damaged(encoded.family));
            }
        }
        Err(StoreError::Retry("a large row is written again faster than it can be read".to_owned()))
    }

    async fn cell(&self, key: &KeyBytes) -> Result<Option<(Version, Read)>, StoreError> {
        let statement = &self.statements.rows(key.family).get;
        let _permit = self.read_permit().await;
        let found = self.first_row::<(Option<Bytes>, Option<i64>)>(statement, place::columns(key)).await?;
        let (value, time) = match found {
            None => return Ok(None),
            Some((Some(value), Some(time))) => (value, time),
            Some(_) => return Err(self.damaged(key.family)),
        };
        let cell = cell::read(&value).ok_or_else(|| self.damaged(key.family))?;
        Ok(Some((cell::version(time), cell)))
    }

    async fn write(&self, row: &Row) -> Result<(), StoreError> {
        let key = row.key.encode();
        if row.value.len() <= chunks::WHOLE_BYTES_MAX {
            return self.write_cell(&key, row.version, Cell::Whole(&row.value)).await;
        }
        let replaced = self.cell(&key).await?;
        let chunked = chunks::describe(&row.value);
        chunks::write(self, &key, row.version, &chunked, &row.value).await?;
        self.write_cell(&key, row.version, Cell::Chunked(chunked)).await?;
        match replaced {
            Some((version, Read::Chunked(old))) if version < row.version => {
                self.remove_replaced(&key, version, &old).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn write_cell(&self, key: &KeyBytes, version: Version, cell: Cell<'_>) -> Result<(), StoreError> {
        let statement = &self.statements.rows(key.family).write;
        let (partition_key, row_key) = place::columns(key);
        let values = (partition_key, row_key, cell, cell::write_time(version)?);
        let _permit = self.write_permit().await;
        self.execute(statement, values).await.map(drop)
    }

    /// The row is written; what is left behind only takes room.
    async fn remove_replaced(&self, key: &KeyBytes, version: Version, chunked: &Chunked) {
        if let Err(error) = chunks::remove(self, key, version, chunked).await {
            tracing::debug!(%error, table = key.family.table(), "chunks of a replaced value were not deleted");
        }
    }

    async fn execute(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<QueryResult, StoreError> {
        retry::until_done(self.settings.patience, || self.session.execute_unpaged(statement, &values)).await
    }

    async fn first_row<R: for<'frame> DeserializeRow<'frame, 'frame>>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Option<R>, StoreError> {
        let result = self.rows_result(statement, values).await?;
        result.maybe_first_row::<R>().map_err(|error| self.unreadable(&error))
    }

    async fn all_rows<R: for<'frame> DeserializeRow<'frame, 'frame>>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Vec<R>, StoreError> {
        let result = self.rows_result(statement, values).await?;
        let rows = result.rows::<R>().map_err(|error| self.unreadable(&error))?;
        rows.map(|row| row.map_err(|error| self.unreadable(&error))).collect()
    }

    async fn rows_result(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<QueryRowsResult, StoreError> {
        let result = self.execute(statement, values).await?;
        result.into_rows_result().map_err(|error| self.unreadable(&error))
    }

    async fn write_permit(&self) -> SemaphorePermit<'_> {
        self.writes.acquire().await.expect("the semaphore is never closed")
    }

    async fn read_permit(&self) -> SemaphorePermit<'_> {
        self.reads.acquire().await.expect("the semaphore is never closed")
    }

    fn unreadable(&self, error: &dyn fmt::Display) -> StoreError {
        StoreError::Stop(format!("an answer of the store {} cannot be read: {error}", self.address))
    }

    fn damaged(&self, family: Family) -> StoreError {
        let table = Table::of(family, self.settings.generation).name();
        StoreError::Stop(format!(
            "a row of {table} in the store {} is damaged, or was not written by Tallyhook; restore the keyspace, or \
             move to an empty one: it is rebuilt from the log",
            self.address
        ))
    }
}
