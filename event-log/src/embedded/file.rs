//! The open file: transactions on it while it is open, and the one moment in which it is closed.

use std::sync::{PoisonError, RwLock};

use redb::{Database, Durability, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::fault::{Fault, guarded};

/// An open `log.redb`. Closing waits for the transactions that are running and leaves nothing open, so that
/// the same process can open the file again at once, whoever still holds a handle.
pub(super) struct LogFile {
    database: RwLock<Option<Database>>,
    place: String,
}

impl LogFile {
    /// `place` is what a person calls the file, usually its path.
    pub(super) fn new(database: Database, place: String) -> Self {
        LogFile { database: RwLock::new(Some(database)), place }
    }

    /// What a person calls the file.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Runs `work` on a snapshot. It may touch the disk: call it where that may take a while.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.with(|database| work(&database.begin_read()?))
    }

    /// A snapshot to be kept for longer than a call.
    pub(super) fn read_transaction(&self) -> Result<ReadTransaction, Fault> {
        self.with(|database| Ok(database.begin_read()?))
    }

    /// Runs `work` and makes its changes durable, all or none.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.with(|database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            // Without it, a start after kill -9 walks the whole file: seconds per gigabyte.
            transaction.set_quick_repair(true);
            let outcome = work(&transaction)?;
            transaction.commit()?;
            Ok(outcome)
        })
    }

    /// Closes the file; later calls answer [`Fault::Closed`].
    pub(super) fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        // After an I/O error there is nothing to be done about a second one while closing.
        let _ = guarded(|| {
            drop(database);
            Ok(())
        });
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, Fault> {
        // A poisoned lock is fine: the only thing that happens under the write lock is `take`.
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(Fault::Closed)?;
        guarded(|| work(database))
    }
}
