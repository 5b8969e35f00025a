//! The port: what the rest of Tallyhook asks of a store, whichever technology keeps it.

use async_trait::async_trait;
use domain::{RowKey, ScanKey};
use futures::stream::BoxStream;

pub use domain::Row;

/// Rows of a scan, in the byte order of their keys.
pub type RowStream = BoxStream<'static, Result<Row, StoreError>>;

/// Why a read or write failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Try again later.
    #[error("the store did not answer: {0}")]
    Retry(String),
    /// The store cannot be used by this process; the sentence names the cause and the remedy.
    #[error("{0}")]
    Stop(String),
}

/// Rows under keys, the greatest version of each. One that was erased ([`Row::erased`]) is found by no reader, and an
/// older value does not bring it back.
#[async_trait]
pub trait ViewStore: Send + Sync {
    /// The row as last written.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError>;

    /// All rows of a range, in key order. Rows written during the scan may or may not be seen; rows
    /// written before it are.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn scan(&self, range: &ScanKey) -> Result<RowStream, StoreError>;

    /// Writes rows; each is kept unless one with a greater version is there. An equal version writes
    /// again. Idempotent; a reader of this process sees the rows when it returns. On `Err` any of them
    /// may have been written, and a retry is safe.
    ///
    /// Steps ([`domain::Family::Trail`]) are written before the other rows, or together with them: a record that is
    /// in its entity's row is not folded into it again, so that nobody could write its steps later.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn write(&self, rows: Vec<Row>) -> Result<(), StoreError>;

    /// Returns once everything written before is durable.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn flush(&self) -> Result<(), StoreError>;
}
