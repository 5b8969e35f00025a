//! What can go wrong between us and the file, and how panics of the storage engine become one of these.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::encoding::Damage;
use crate::port::Position;

/// Why the file could not be read or written. None of these goes away while the process runs: after an I/O
/// error the engine refuses everything else, because it no longer knows what is on the disk.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Engine(#[from] redb::Error),
    #[error("the record at {0} is damaged: {1}")]
    Record(Position, Damage),
    #[error("{0}")]
    Damaged(&'static str),
    /// The engine asserts where it meets pages that it did not write.
    #[error("the storage engine gave up: {0}")]
    Panicked(String),
    #[error("the log was closed")]
    Closed,
}

macro_rules! engine_errors {
    ($($error:ty),+) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Fault::Engine(error.into())
            }
        })+
    };
}

engine_errors!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError,
    redb::SetDurabilityError
);

/// Runs `work`, and turns a panic inside it into a [`Fault`]. What the panic left behind is not used again:
/// every fault ends the use of the file.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Fault::Panicked(panic_text(panic.as_ref()))))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given");
    // One sentence for a person; an assertion's operands follow on further lines.
    text.lines().next().unwrap_or_default().to_owned()
}
