//! What the suite needs of an adapter under test, and how it tells what it found.

use std::sync::Arc;

use async_trait::async_trait;

use super::Case;
use crate::port::{StoreError, ViewStore};

/// A store under test. Each case gets a harness whose store holds nothing.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A handle on this generation of the store's rows. Handles taken before a crash see one another's
    /// writes and are dead after it.
    ///
    /// # Errors
    /// Why the store cannot be opened; the case fails with it.
    async fn open(&self, generation: u32) -> Result<Arc<dyn ViewStore>, String>;

    /// Ends the store without warning, as a kill or a power cut would. What it kept is there when it is
    /// opened again.
    async fn crash(&self);

    /// What can be asked of this store.
    fn capabilities(&self) -> Capabilities;
}

/// What not every store can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Flushed rows are there after [`Harness::crash`]. A store in memory has none.
    pub survives_crashes: bool,
}

/// A promise that an adapter does not keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{case}: {found}")]
pub struct Failure {
    /// Which promise.
    pub case: Case,
    /// What was seen instead.
    pub found: String,
}

/// What a case found wrong.
#[derive(Debug)]
pub(super) struct Finding(pub(super) String);

pub(super) type Outcome<T = ()> = Result<T, Finding>;

impl From<StoreError> for Finding {
    fn from(error: StoreError) -> Self {
        Finding(format!("the store answered an error: {error}"))
    }
}

/// Fails the case with a sentence unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($sentence:tt)+) => {
        if !$holds {
            return Err($crate::contract::harness::Finding(format!($($sentence)+)));
        }
    };
}
pub(super) use ensure;

/// Opens the first generation.
pub(super) async fn open(harness: &dyn Harness) -> Outcome<Arc<dyn ViewStore>> {
    open_generation(harness, 1).await
}

/// Opens one of several generations.
pub(super) async fn open_generation(harness: &dyn Harness, generation: u32) -> Outcome<Arc<dyn ViewStore>> {
    harness.open(generation).await.map_err(|cause| Finding(format!("cannot open the store: {cause}")))
}
