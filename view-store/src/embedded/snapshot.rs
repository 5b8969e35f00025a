//! The store as it is at one moment, written to another file while it is used: a backup.

use std::path::Path;

use redb::{Database, ReadTransaction, ReadableDatabase};

use super::{
    EmbeddedStore, commit,
    health::guarded,
    open::{self, EmbeddedStoreSettings},
    table::{Table, definition},
    tables,
};
use crate::port::StoreError;

/// Rows that one transaction of the copy takes: some megabytes, so that the copy's memory stays small.
const STEP_ROWS_MAX: usize = 4_096;

/// A store at one moment, of all generations. Writes go on; pages that this shows are not used again while it is held,
/// so the file grows by what is written meanwhile.
pub struct StoreSnapshot {
    transaction: ReadTransaction,
}

/// Why a copy could not be written, as a sentence; the store itself is as well as before.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SnapshotError(String);

impl EmbeddedStore {
    /// Holds the store as it is now, flushed or not.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn snapshot(&self) -> Result<StoreSnapshot, StoreError> {
        let base = &self.base;
        base.health.check()?;
        let database =
            base.database.as_ref().expect("the database is there until the last handle is dropped");
        let transaction = guarded(|| Ok(database.begin_read()?)).map_err(|fault| base.health.fail(fault))?;
        Ok(StoreSnapshot { transaction })
    }
}

impl StoreSnapshot {
    /// Writes it into `dir`, which has no store yet. Blocks for as long as the disk takes; when it returns, the copy is
    /// durable.
    ///
    /// # Errors
    /// See [`SnapshotError`]; what was begun is left in `dir`.
    pub fn write(&self, dir: &Path) -> Result<(), SnapshotError> {
        self.write_rows(dir, |_| true)
    }

    /// The same without what stands for rows that were erased: only where nothing older than them can be written any
    /// more, because the records that told it are erased too.
    ///
    /// # Errors
    /// See [`SnapshotError`]; what was begun is left in `dir`.
    pub fn write_without_erased(&self, dir: &Path) -> Result<(), SnapshotError> {
        self.write_rows(dir, |value| !domain::row::is_erased(value))
    }

    fn write_rows(&self, dir: &Path, is_copied: fn(&[u8]) -> bool) -> Result<(), SnapshotError> {
        let (database, file) = open::open_folder(dir, &EmbeddedStoreSettings::default())
            .map_err(|error| SnapshotError(error.to_string()))?;
        let written = guarded(|| {
            for table in tables(&self.transaction)? {
                self.copy(&database, table, is_copied)?;
            }
            Ok(())
        });
        written.map_err(|fault| SnapshotError(format!("{file} could not be written: {fault:?}")))
    }

    fn copy(
        &self,
        database: &Database,
        table: Table,
        is_copied: fn(&[u8]) -> bool,
    ) -> Result<(), redb::Error> {
        let Some(from) = table.read(&self.transaction)? else { return Ok(()) };
        let name = table.name();
        let mut rows = from.range::<&[u8]>(..)?.peekable();
        while rows.peek().is_some() {
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(true);
            {
                let mut to = transaction.open_table(definition(&name))?;
                for row in rows.by_ref().take(STEP_ROWS_MAX) {
                    let (key, value) = row?;
                    // Version and checksum stand before what was written.
                    if is_copied(commit::value_of(value.value())) {
                        to.insert(key.value(), value.value())?;
                    }
                }
            }
            transaction.commit()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use domain::{Epoch, Row, RowKey, Version};

    use super::*;
    use crate::ViewStore;

    #[tokio::test]
    async fn a_copy_has_what_was_there_and_not_what_came_after() {
        let [here, there] = [(); 2].map(|()| tempfile::TempDir::new().unwrap());
        let settings = EmbeddedStoreSettings::default();
        let store = EmbeddedStore::open(here.path(), &settings).unwrap();
        let row = |partition: u32, version: u64| Row {
            key: RowKey::Active(partition),
            version: Version::new(Epoch::FIRST, version),
            value: vec![u8::try_from(version).unwrap()].into(),
        };
        // More than one step, and none of it flushed.
        let rows: Vec<Row> = (0..10_000).map(|partition| row(partition, 1)).collect();
        store.write(rows).await.unwrap();
        let snapshot = store.snapshot().unwrap();
        store.write(vec![row(7, 2), row(20_000, 2)]).await.unwrap();
        snapshot.write(there.path()).unwrap();
        drop(snapshot);

        let copy = EmbeddedStore::open(there.path(), &settings).unwrap();
        for partition in [0, 7, 9_999] {
            assert_eq!(copy.get(&RowKey::Active(partition)).await.unwrap(), Some(row(partition, 1)));
        }
        assert_eq!(copy.get(&RowKey::Active(20_000)).await.unwrap(), None);
        assert_eq!(store.get(&RowKey::Active(7)).await.unwrap(), Some(row(7, 2)), "the store goes on");
    }
}
