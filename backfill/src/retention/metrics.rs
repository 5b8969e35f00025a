//! What is told of the log's size and age.

use boot::metrics::Collectors;
use domain::Millis;
use event_log::Trimmed;
use prometheus::{Gauge, IntCounter, IntGauge, Registry};

/// What is told of the log's size and age.
#[derive(Clone)]
pub struct RetentionMetrics {
    bytes: IntGauge,
    oldest_seconds: Gauge,
    base_seconds: Gauge,
    bases: IntCounter,
    trimmed_records: IntCounter,
    trimmed_bytes: IntCounter,
}

impl RetentionMetrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// When another metric of the same name is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self::new()?;
        boot::metrics::register(registry, metrics.collectors())?;
        Ok(metrics)
    }

    /// Makes the metrics.
    ///
    /// # Errors
    /// Never: their names are valid.
    pub fn new() -> prometheus::Result<Self> {
        Ok(RetentionMetrics {
            bytes: IntGauge::new("tallyhook_log_bytes", "What the log's records take as stored.")?,
            oldest_seconds: Gauge::new(
                "tallyhook_log_oldest_record_seconds",
                "Age of the oldest record that the log has not forgotten, commands aside.",
            )?,
            base_seconds: Gauge::new(
                "tallyhook_log_last_base_timestamp_seconds",
                "When this process last made a base, in seconds since 1970; 0: not since its start.",
            )?,
            bases: IntCounter::new("tallyhook_log_bases_total", "Bases made, each of a partition.")?,
            trimmed_records: IntCounter::new(
                "tallyhook_log_trimmed_records_total",
                "Records that the log has forgotten because they were past its retention.",
            )?,
            trimmed_bytes: IntCounter::new(
                "tallyhook_log_trimmed_bytes_total",
                "What these took as stored.",
            )?,
        })
    }

    /// All of them, to register or to describe.
    pub fn collectors(&self) -> Collectors {
        vec![
            Box::new(self.bytes.clone()),
            Box::new(self.oldest_seconds.clone()),
            Box::new(self.base_seconds.clone()),
            Box::new(self.bases.clone()),
            Box::new(self.trimmed_records.clone()),
            Box::new(self.trimmed_bytes.clone()),
        ]
    }

    pub(super) fn looked(&self, bytes: Option<u64>, oldest_ms: Option<i64>) {
        self.bytes.set(i64::try_from(bytes.unwrap_or(0)).unwrap_or(i64::MAX));
        #[expect(clippy::cast_precision_loss, reason = "an age in seconds")]
        self.oldest_seconds.set(oldest_ms.unwrap_or(0).max(0) as f64 / 1000.0);
    }

    pub(super) fn base_made(&self, at: Millis) {
        self.bases.inc();
        #[expect(clippy::cast_precision_loss, reason = "a time in seconds")]
        self.base_seconds.set(at.0 as f64 / 1000.0);
    }

    pub(super) fn trimmed(&self, trimmed: &Trimmed) {
        self.trimmed_records.inc_by(trimmed.records);
        self.trimmed_bytes.inc_by(trimmed.bytes);
    }
}
