//! What the outbox counts.

use boot::metrics::Collectors;
use prometheus::{IntCounterVec, Opts, Registry};

/// The outbox's metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(crate) calls: IntCounterVec,
}

impl Metrics {
    /// Metrics that are registered nowhere yet.
    ///
    /// # Errors
    /// Never with these names; prometheus checks them at run time.
    pub fn new() -> prometheus::Result<Self> {
        let opts = Opts::new(
            "tallyhook_outbox_calls_total",
            "Files of new gists that were sent, by what came of it: made, not_made, unknown or refused; and searches \
             for those whose outcome was unknown: found or not_found.",
        );
        let calls = IntCounterVec::new(opts, &["outcome"])?;
        for outcome in ["made", "not_made", "unknown", "refused", "found", "not_found"] {
            calls.with_label_values(&[outcome]);
        }
        Ok(Metrics { calls })
    }

    /// Registers them.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self::new()?;
        boot::metrics::register(registry, metrics.collectors())?;
        Ok(metrics)
    }

    /// All of them.
    pub fn collectors(&self) -> Collectors {
        vec![Box::new(self.calls.clone())]
    }
}
