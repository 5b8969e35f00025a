//! What the projector counts.

use boot::metrics::Collectors;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// What the projector counts.
#[derive(Clone)]
pub struct Metrics {
    pub(crate) projected: IntCounterVec,
    pub(crate) rows: IntCounter,
    pub(crate) row_bytes: IntCounter,
    pub(crate) lag_records: IntGauge,
    pub(crate) lag_seconds: prometheus::Gauge,
    pub(crate) partitions: IntGauge,
    pub(crate) freshness: Histogram,
    pub(crate) dead_letters: IntGauge,
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
            Box::new(self.projected.clone()),
            Box::new(self.rows.clone()),
            Box::new(self.row_bytes.clone()),
            Box::new(self.lag_records.clone()),
            Box::new(self.lag_seconds.clone()),
            Box::new(self.partitions.clone()),
            Box::new(self.freshness.clone()),
            Box::new(self.dead_letters.clone()),
        ]
    }

    /// Makes the metrics.
    ///
    /// # Errors
    /// When one of them is ill-formed.
    pub fn new() -> prometheus::Result<Self> {
        let metrics = Metrics {
            projected: IntCounterVec::new(
                Opts::new("tallyhook_projected_records_total", "Records folded, by what came of them."),
                &["result"],
            )?,
            rows: IntCounter::new("tallyhook_projector_rows_total", "Rows written to the store.")?,
            row_bytes: IntCounter::new(
                "tallyhook_projector_row_bytes_total",
                "Bytes of the values of rows written to the store.",
            )?,
            lag_records: IntGauge::new("tallyhook_projector_lag_records", "Records that wait to be folded.")?,
            lag_seconds: prometheus::Gauge::new(
                "tallyhook_projector_lag_seconds",
                "Age of the record that was folded last, while others wait, and how long none was folded since; 0 \
                 when none waits.",
            )?,
            partitions: IntGauge::new(
                "tallyhook_projector_partitions",
                "Partitions of the log that this process folds.",
            )?,
            freshness: Histogram::with_opts(
                HistogramOpts::new(
                    "tallyhook_freshness_seconds",
                    "From a delivery's receipt until its change is visible.",
                )
                .buckets(vec![
                    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
                ]),
            )?,
            dead_letters: IntGauge::new(
                "tallyhook_dead_letters",
                "Records that could not be folded, of the partitions that this process holds.",
            )?,
        };
        for result in ["projected", "ignored", "unknown", "dead", "base"] {
            metrics.projected.with_label_values(&[result]);
        }
        Ok(metrics)
    }
}
