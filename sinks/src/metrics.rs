//! What the outbox counts.

use prometheus::{IntCounterVec, Opts, Registry};

/// The outbox's metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(crate) calls: IntCounterVec,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let opts = Opts::new(
            "tallyhook_outbox_calls_total",
            "Files that were sent, by what came of it: made, not_made, unknown or refused; and searches for those \
             of unknown outcome: found or not_found.",
        );
        let calls = IntCounterVec::new(opts, &["outcome"])?;
        for outcome in ["made", "not_made", "unknown", "refused", "found", "not_found"] {
            calls.with_label_values(&[outcome]);
        }
        registry.register(Box::new(calls.clone()))?;
        Ok(Metrics { calls })
    }
}
