//! One load of a row, shared by everybody who asks for it meanwhile.

use std::sync::Arc;

use bytes::Bytes;
use domain::{RowKey, Version};
use tokio::sync::watch;

use super::{CachedRow, ReadError, Rows, content::Versioned};

type Outcome = Option<Result<Arc<CachedRow>, ReadError>>;

/// What somebody who asks for a row that is not kept finds.
pub(super) enum Boarding<'r> {
    /// It was kept after all.
    Kept(Arc<CachedRow>),
    /// It is being loaded; the outcome comes here.
    Join(watch::Receiver<Outcome>),
    /// It is to be loaded by whoever holds this.
    Lead(Lead<'r>),
}

/// What others see of a load.
pub(super) struct Flight {
    pub(super) landed: watch::Receiver<Outcome>,
    /// The newest hint that came since the load began.
    heard: Option<Heard>,
    /// Whether hints were lost since then.
    pub(super) missed: bool,
}

/// A hint that came during a load.
pub(super) struct Heard {
    pub(super) version: Version,
    pub(super) value: Option<Bytes>,
}

/// What a load and the hints during it come to.
pub(super) enum Reconciled {
    /// The newest row that is known. It may be kept only when certain.
    Newest { row: Option<Versioned>, is_certain: bool },
    /// A newer one was hinted at, without its value.
    ReadAgain,
}

impl Flight {
    pub(super) fn hear(&mut self, heard: Heard) {
        if self.heard.as_ref().is_none_or(|known| known.version <= heard.version) {
            self.heard = Some(heard);
        }
    }

    /// A tie goes to the hint, which is at least as new as what a load that began before it may have read.
    pub(super) fn reconcile(&self, read: Option<Versioned>) -> Reconciled {
        let version = read.as_ref().map_or(Version::NONE, |row| row.version);
        match &self.heard {
            Some(Heard { version: heard, value: Some(value) }) if *heard >= version => {
                let row = Versioned { version: *heard, value: value.clone() };
                Reconciled::Newest { row: Some(row), is_certain: true }
            }
            Some(heard) if heard.version > version => Reconciled::ReadAgain,
            Some(heard) if heard.version == version => Reconciled::Newest { row: read, is_certain: false },
            _ => Reconciled::Newest { row: read, is_certain: true },
        }
    }
}

/// The duty to load a row. Dropped without an outcome (its request went away), somebody else takes over.
pub(super) struct Lead<'r> {
    rows: &'r Rows,
    key: RowKey,
    landing: watch::Sender<Outcome>,
    is_over: bool,
}

impl<'r> Lead<'r> {
    pub(super) fn new(rows: &'r Rows, key: RowKey) -> (Self, Flight) {
        let (landing, landed) = watch::channel(None);
        (Lead { rows, key, landing, is_over: false }, Flight { landed, heard: None, missed: false })
    }

    pub(super) fn key(&self) -> &RowKey {
        &self.key
    }

    pub(super) fn finish(mut self, outcome: Result<Arc<CachedRow>, ReadError>) {
        self.is_over = true;
        // It fails when nobody joined.
        let _ = self.landing.send(Some(outcome));
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.rows.lock().by_key.remove(&self.key);
        }
    }
}
