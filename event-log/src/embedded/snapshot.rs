//! The log as it is at one moment, written to another file while it is used: a backup.

use std::path::Path;

use redb::{Database, Key, ReadTransaction, TableDefinition, Value};

use super::{
    EmbeddedLog,
    fault::{Fault, guarded},
    file::LogFile,
    open::FILE_NAME,
    tables::{self, DEDUPE, OFFSETS, Records, STARTS, records_name},
};
use crate::port::{Identity, LogError};

/// Rows that one transaction of the copy takes: some megabytes of records, so that the copy's memory stays small.
const STEP_ROWS_MAX: usize = 4_096;

/// A log at one moment. Appends go on; pages that this shows are not used again while it is held, so the file grows
/// by what is written meanwhile.
pub struct LogSnapshot {
    transaction: ReadTransaction,
    identity: Identity,
}

/// Why a copy could not be written, as a sentence; the log itself is as well as before.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SnapshotError(String);

impl EmbeddedLog {
    /// Holds the log as it is now.
    ///
    /// # Errors
    /// When the log can no longer be used.
    pub fn snapshot(&self) -> Result<LogSnapshot, LogError> {
        let transaction = self.shared.file.read_transaction().map_err(|fault| {
            LogError::Stop(format!("{} could not be read ({fault})", self.shared.file.place()))
        })?;
        Ok(LogSnapshot { transaction, identity: self.shared.identity })
    }
}

impl LogSnapshot {
    /// Writes it into `dir`, which has no log yet. Blocks for as long as the disk takes; when it returns, the copy is
    /// durable. It is the same log: a store that was folded from the one is at home with the other.
    ///
    /// # Errors
    /// See [`SnapshotError`]; what was begun is left in `dir`.
    pub fn write(&self, dir: &Path) -> Result<(), SnapshotError> {
        let path = dir.join(FILE_NAME);
        let written = guarded(|| {
            let file = LogFile::new(Database::create(&path)?, path.display().to_string());
            file.write(|transaction| tables::create(transaction, self.identity))?;
            for partition in 0..self.identity.partitions {
                self.copy(&file, Records::new(&records_name(partition)))?;
            }
            if self.has(STARTS)? {
                file.write(tables::note_trimmed)?;
                self.copy(&file, STARTS)?;
            }
            self.copy(&file, DEDUPE)?;
            self.copy(&file, OFFSETS)
        });
        written.map_err(|fault| SnapshotError(format!("{} could not be written: {fault}", path.display())))
    }

    /// Whether the file has this table; an older one does not have all of them.
    fn has<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<bool, Fault> {
        match self.transaction.open_table(table) {
            Ok(_) => Ok(true),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn copy<K: Key + 'static, V: Value + 'static>(
        &self,
        file: &LogFile,
        table: TableDefinition<'_, K, V>,
    ) -> Result<(), Fault> {
        let from = self.transaction.open_table(table)?;
        let mut rows = from.range::<K::SelfType<'_>>(..)?.peekable();
        while rows.peek().is_some() {
            file.write(|transaction| {
                let mut to = transaction.open_table(table)?;
                for row in rows.by_ref().take(STEP_ROWS_MAX) {
                    let (key, value) = row?;
                    to.insert(key.value(), value.value())?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}
