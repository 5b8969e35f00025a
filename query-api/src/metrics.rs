//! What the query API counts.

use boot::metrics::Collectors;
use prometheus::{IntCounter, IntGauge, Registry};

/// What the query API counts.
#[derive(Clone)]
pub struct Metrics {
    pub(crate) cache_hits: IntCounter,
    pub(crate) cache_misses: IntCounter,
    pub(crate) cache_bytes: IntGauge,
    pub(crate) tracked_on_read: IntCounter,
    pub(crate) waiting: IntGauge,
}

impl Metrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// When another metric of the same name is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self::new()?;
        boot::metrics::register(registry, metrics.collectors())?;
        Ok(metrics)
    }

    /// All of them, to register or to describe.
    pub fn collectors(&self) -> Collectors {
        vec![
            Box::new(self.cache_hits.clone()),
            Box::new(self.cache_misses.clone()),
            Box::new(self.cache_bytes.clone()),
            Box::new(self.tracked_on_read.clone()),
            Box::new(self.waiting.clone()),
        ]
    }

    /// Makes the metrics.
    ///
    /// # Errors
    /// When one of them is ill-formed.
    pub fn new() -> prometheus::Result<Self> {
        let metrics = Metrics {
            cache_hits: IntCounter::new("tallyhook_query_cache_hits_total", "Rows answered from memory.")?,
            cache_misses: IntCounter::new(
                "tallyhook_query_cache_misses_total",
                "Rows that had to be read from the store.",
            )?,
            cache_bytes: IntGauge::new("tallyhook_query_cache_bytes", "Bytes of rows kept in memory.")?,
            tracked_on_read: IntCounter::new(
                "tallyhook_query_tracked_on_read_total",
                "Accounts that became tracked, or were wished for, because somebody read them.",
            )?,
            waiting: IntGauge::new(
                "tallyhook_query_waiting",
                "Requests that wait for an account to be known.",
            )?,
        };
        Ok(metrics)
    }
}
