//! What happens after a storage error: the first one is kept as a sentence, and nothing is tried again.
//!
//! A file whose disk failed once may hold less than this process believes, so going on could lose rows
//! silently; a start from what was flushed, with the rest folded again from the log, cannot.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tokio::sync::watch;

use super::open::REMEDY_REBUILD;
use crate::port::StoreError;

/// Why an operation on the file failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The disk refused: full, broken, gone.
    Disk(String),
    /// The file does not hold what it must.
    Damage(String),
    /// Another operation met the cause, and tells it.
    Echo,
}

impl From<redb::Error> for Fault {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::PreviousIo | redb::Error::DatabaseClosed | redb::Error::LockPoisoned(_) => {
                Fault::Echo
            }
            redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Fault::Damage("it is shorter than it was".to_owned())
            }
            redb::Error::Io(error) => Fault::Disk(error.to_string()),
            other => Fault::Damage(other.to_string()),
        }
    }
}

/// Runs an operation on the file; what goes wrong in whichever way is a [`Fault`].
pub(super) fn guarded<T>(operation: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Fault> {
    match caught(operation) {
        Ok(result) => result.map_err(Fault::from),
        Err(panic) => Err(Fault::Damage(panic)),
    }
}

/// Turns a panic into its message: redb answers some damage of its file with one.
pub(super) fn caught<T>(operation: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(operation)).map_err(|panic| panic_message(panic.as_ref()))
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "it cannot be read".to_owned())
}

/// Whether the store still works, and why not.
pub(super) struct Health {
    file: String,
    broken: watch::Sender<Option<String>>,
}

impl Health {
    /// `file` is what sentences call the store.
    pub(super) fn new(file: String) -> Self {
        Health { file, broken: watch::Sender::new(None) }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Option<String>> {
        self.broken.subscribe()
    }

    /// Refuses once the store is broken.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match &*self.broken.borrow() {
            None => Ok(()),
            Some(sentence) => Err(StoreError::Stop(sentence.clone())),
        }
    }

    /// Notes a fault, if it is the first, and returns what every caller is told from now on.
    pub(super) fn fail(&self, fault: Fault) -> StoreError {
        let sentence = match fault {
            Fault::Disk(cause) => format!(
                "{} cannot be read or written: {cause}; mend that and start again (what was not flushed is folded again from the log)",
                self.file
            ),
            Fault::Damage(cause) => format!("{} is damaged: {cause}; {REMEDY_REBUILD}", self.file),
            // Whoever met the cause is about to note it; until then there is nothing better to say.
            Fault::Echo => {
                return self
                    .check()
                    .err()
                    .unwrap_or_else(|| StoreError::Stop(format!("{} cannot be read or written", self.file)));
            }
        };
        self.broken.send_if_modified(|broken| {
            let is_first = broken.is_none();
            broken.get_or_insert(sentence);
            is_first
        });
        StoreError::Stop(
            self.broken.borrow().clone().expect("a fault was noted just now, and none is ever taken back"),
        )
    }
}
