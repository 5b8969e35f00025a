//! Rows in memory: decoded once, bounded in bytes, kept right by hints.
//!
//! *Invariant*: a row that is handed out is at least as new as the newest hint heard for its key when it was
//! asked for. Everything that changes what is kept (a load that ends, a hint) happens under one lock, so each
//! sees the other whole: a load notes the hints that came while it was under way, and its row is dropped for
//! a newer hint.

mod address;
mod content;
mod flight;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use domain::{Row, RowKey, Version};
use event_log::EventLog;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, sync::Cache};
use tokio::time::Instant;
use tracing::{error, warn};
use view_store::{StoreError, ViewStore};

pub(crate) use self::{
    address::Address,
    content::{CachedRow, Content},
};
use self::{
    address::CacheKey,
    content::Versioned,
    flight::{Boarding, Flight, Heard, Lead, Reconciled},
};
use crate::metrics::Metrics;

/// A load reads the store again when a newer hint came meanwhile, at most so often: hints come after writes,
/// so a second look suffices unless the row changes without pause.
const READS_MAX: usize = 4;

/// An entry that is larger than a shard of the cache is not kept, so shards are not made smaller than this.
const SHARD_BYTES_MIN: usize = 8 * 1024 * 1024;
/// More shards than this serve no machine that we know.
const SHARDS_MAX: usize = 64;
/// About how large an entry is; only sizes the cache's own tables.
const ENTRY_BYTES: usize = 4 * 1024;

/// Why a row cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    /// Ask again in a moment.
    #[error("the store did not answer")]
    Unavailable,
    /// The row was written by a newer release, or is damaged.
    #[error("a row cannot be read")]
    Unreadable,
}

/// Rows by key.
pub(crate) struct Rows {
    store: Arc<dyn ViewStore>,
    log: Arc<dyn EventLog>,
    cache: Cache<CacheKey, Arc<CachedRow>, content::Weighter>,
    flights: Mutex<Flights>,
    age_max: Option<Duration>,
    metrics: Metrics,
}

/// Loads under way, and whether hints are heard at all.
#[derive(Default)]
struct Flights {
    by_key: HashMap<RowKey, Flight>,
    is_deaf: bool,
    /// How often everything was forgotten.
    era: u64,
}

impl Rows {
    pub(crate) fn new(
        store: Arc<dyn ViewStore>,
        log: Arc<dyn EventLog>,
        bytes_max: usize,
        age_max: Option<Duration>,
        metrics: Metrics,
    ) -> Self {
        let options = OptionsBuilder::new()
            .shards((bytes_max / SHARD_BYTES_MIN).clamp(1, SHARDS_MAX))
            .estimated_items_capacity((bytes_max / ENTRY_BYTES).max(64))
            .weight_capacity(u64::try_from(bytes_max).unwrap_or(u64::MAX))
            .build()
            .expect("capacity and estimate are given");
        let cache = Cache::with_options(
            options,
            content::Weighter,
            DefaultHashBuilder::default(),
            quick_cache::sync::DefaultLifecycle::default(),
        );
        Rows { store, log, cache, flights: Mutex::default(), age_max, metrics }
    }

    /// The row at an address; absence is a row too.
    pub(crate) async fn get(&self, address: Address<'_>) -> Result<Arc<CachedRow>, ReadError> {
        if let Some(row) = self.kept(&address) {
            self.metrics.cache_hits.inc();
            return Ok(row);
        }
        // In a box, so that the requests that find their rows kept carry no room for a load.
        Box::pin(self.load(address.to_key())).await
    }

    /// The row at a key, looked at within this time where hints may be lost. Where they may be, a row that was not
    /// there is looked for again: it may have been made in another process a moment ago.
    pub(crate) async fn get_within(&self, key: &RowKey, age: Duration) -> Result<Arc<CachedRow>, ReadError> {
        let address = Address::from(key);
        if self.age_max.is_some() {
            let is_old = |row: &Arc<CachedRow>| row.is_absent() || row.looked_at.elapsed() > age;
            if self.cache.peek(&address).is_some_and(|row| is_old(&row)) {
                self.cache.remove(&address);
            }
        }
        self.get(address).await
    }

    /// Whether a row is kept ready; absence is none.
    pub(crate) fn has(&self, key: &RowKey) -> bool {
        self.cache.peek(&Address::from(key)).is_some_and(|row| !row.is_absent())
    }

    fn kept(&self, address: &Address<'_>) -> Option<Arc<CachedRow>> {
        let row = self.cache.get(address)?;
        match self.age_max {
            Some(age_max) if row.looked_at.elapsed() > age_max => None,
            _ => Some(row),
        }
    }

    async fn load(&self, key: RowKey) -> Result<Arc<CachedRow>, ReadError> {
        loop {
            match self.board(&key) {
                Boarding::Kept(row) => return Ok(row),
                Boarding::Lead(lead) => return self.fly(lead).await,
                // Whoever loaded it went away without an outcome: somebody else must.
                Boarding::Join(mut landed) => {
                    if let Ok(outcome) = landed.wait_for(Option::is_some).await {
                        return outcome.clone().expect("waited for an outcome");
                    }
                }
            }
        }
    }

    /// Joins the load of a row that is under way, or begins one.
    fn board(&self, key: &RowKey) -> Boarding<'_> {
        let mut flights = self.lock();
        if let Some(row) = self.kept(&Address::from(key)) {
            return Boarding::Kept(row);
        }
        if let Some(flight) = flights.by_key.get(key) {
            return Boarding::Join(flight.landed.clone());
        }
        self.metrics.cache_misses.inc();
        let (lead, flight) = Lead::new(self, key.clone());
        flights.by_key.insert(key.clone(), flight);
        Boarding::Lead(lead)
    }

    async fn fly(&self, lead: Lead<'_>) -> Result<Arc<CachedRow>, ReadError> {
        let mut reads_left = READS_MAX;
        loop {
            reads_left -= 1;
            let read = self.store.get(lead.key()).await;
            if let Some(outcome) = self.land(lead.key(), read, reads_left) {
                lead.finish(outcome.clone());
                return outcome;
            }
        }
    }

    /// Compares what was read with what was heard meanwhile; `None`: read again. With an outcome the load is
    /// over. With no reads left there is always one.
    fn land(
        &self,
        key: &RowKey,
        read: Result<Option<Row>, StoreError>,
        reads_left: usize,
    ) -> Option<Result<Arc<CachedRow>, ReadError>> {
        let mut flights = self.lock();
        let (may_keep, era) = (!flights.is_deaf, flights.era);
        let flight = flights.by_key.get_mut(key).expect("a flight ends where it lands");
        let missed = std::mem::take(&mut flight.missed);
        if missed && reads_left > 0 {
            return None;
        }
        let outcome = match read {
            Err(error) => {
                warn!(%error, "a row could not be read");
                Err(ReadError::Unavailable)
            }
            Ok(row) => match flight.reconcile(row.map(Versioned::from)) {
                Reconciled::ReadAgain if reads_left > 0 => return None,
                Reconciled::ReadAgain => Err(ReadError::Unavailable),
                Reconciled::Newest { row, is_certain } => {
                    let decoded = self.decode(key, row, era);
                    if let Ok(row) = &decoded
                        && is_certain
                        && may_keep
                        && !missed
                    {
                        self.cache.insert(CacheKey(key.clone()), Arc::clone(row));
                    }
                    decoded
                }
            },
        };
        flights.by_key.remove(key);
        self.metrics.cache_bytes.set(i64::try_from(self.cache.weight()).unwrap_or(i64::MAX));
        Some(outcome)
    }

    fn decode(&self, key: &RowKey, row: Option<Versioned>, era: u64) -> Result<Arc<CachedRow>, ReadError> {
        let partition = |stream| self.log.partition_of(stream);
        let content = Content::decode(key, row.as_ref(), partition).map_err(|error| {
            error!(%error, ?key, "a row cannot be read: written by a newer release, or damaged");
            ReadError::Unreadable
        })?;
        let version = row.map_or(Version::NONE, |row| row.version);
        Ok(Arc::new(CachedRow { version, era, content, looked_at: Instant::now() }))
    }

    /// Takes note that a row was written; `value` where the hint brings it along.
    pub(crate) fn hear(&self, key: &RowKey, version: Version, value: Option<&Bytes>) {
        if !Content::is_kept(key) {
            return;
        }
        let mut flights = self.lock();
        if let Some(flight) = flights.by_key.get_mut(key) {
            flight.hear(Heard { version, value: value.cloned() });
        }
        let address = Address::from(key);
        let Some(kept) = self.cache.peek(&address) else { return };
        if version < kept.version {
            return;
        }
        let row = value.map(|value| Versioned { version, value: value.clone() });
        let replaced = match row.map(|row| self.decode(key, Some(row), flights.era)) {
            Some(Ok(row)) => self.cache.replace(CacheKey(key.clone()), row, true).is_ok(),
            Some(Err(_)) | None => false,
        };
        if !replaced {
            self.cache.remove(&address);
        }
    }

    /// Hints were lost: whatever is kept, or being loaded, may be stale.
    pub(crate) fn forget_all(&self) {
        let mut flights = self.lock();
        flights.era += 1;
        for flight in flights.by_key.values_mut() {
            flight.missed = true;
        }
        self.cache.clear();
    }

    /// Nobody tells of changes any more: nothing can be kept from now on.
    pub(crate) fn deafen(&self) {
        self.lock().is_deaf = true;
        self.forget_all();
    }

    fn lock(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
