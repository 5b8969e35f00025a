//! What backfill counts.

use github::client::{Observer, Outcome, RateBudget};
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// What backfill counts.
#[derive(Clone)]
pub struct Metrics {
    pub(crate) pending: IntGauge,
    requests: IntCounterVec,
    remaining: IntGaugeVec,
}

impl Metrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// When another metric of the same name is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Metrics {
            pending: IntGauge::new(
                "tallyhook_backfill_pending",
                "Questions to forges that wait to be asked.",
            )?,
            requests: IntCounterVec::new(
                Opts::new(
                    "tallyhook_github_requests_total",
                    "Requests to GitHub, by rate-limit resource and status.",
                ),
                &["resource", "status"],
            )?,
            remaining: IntGaugeVec::new(
                Opts::new(
                    "tallyhook_github_rate_remaining",
                    "Requests that GitHub still allows in this hour.",
                ),
                &["resource"],
            )?,
        };
        registry.register(Box::new(metrics.pending.clone()))?;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.remaining.clone()))?;
        Ok(metrics)
    }
}

impl Observer for Metrics {
    fn answered(&self, resource: &'static str, outcome: Outcome) {
        self.requests.with_label_values(&[resource, &outcome.to_string()]).inc();
    }

    fn budget(&self, budget: RateBudget) {
        let remaining = i64::try_from(budget.remaining).unwrap_or(i64::MAX);
        self.remaining.with_label_values(&[budget.resource]).set(remaining);
    }
}
