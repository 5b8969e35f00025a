//! What backfill counts.

use boot::metrics::Collectors;
use github::client::{Observer, Outcome, RateBudget, Spender};
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// What backfill counts.
#[derive(Clone)]
pub struct Metrics {
    pub(crate) pending: IntGauge,
    requests: IntCounterVec,
    bitbucket_requests: IntCounterVec,
    remaining: IntGaugeVec,
    limit: IntGaugeVec,
    reset: IntGaugeVec,
    spent: IntCounterVec,
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
            Box::new(self.pending.clone()),
            Box::new(self.requests.clone()),
            Box::new(self.bitbucket_requests.clone()),
            Box::new(self.remaining.clone()),
            Box::new(self.limit.clone()),
            Box::new(self.reset.clone()),
            Box::new(self.spent.clone()),
        ]
    }

    /// Makes the metrics.
    ///
    /// # Errors
    /// When one of them is ill-formed.
    pub fn new() -> prometheus::Result<Self> {
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
            bitbucket_requests: IntCounterVec::new(
                Opts::new("tallyhook_bitbucket_requests_total", "Requests to Bitbucket, by status."),
                &["status"],
            )?,
            remaining: IntGaugeVec::new(
                Opts::new(
                    "tallyhook_github_rate_remaining",
                    "Requests that GitHub still allows in this hour.",
                ),
                &["resource"],
            )?,
            limit: IntGaugeVec::new(
                Opts::new("tallyhook_github_rate_limit", "Requests that GitHub allows in an hour."),
                &["resource"],
            )?,
            reset: IntGaugeVec::new(
                Opts::new(
                    "tallyhook_github_rate_reset_timestamp_seconds",
                    "When GitHub's hour ends and all requests are allowed again, in seconds since 1970; what remains \
                     was true of the hour before once that is past.",
                ),
                &["resource"],
            )?,
            spent: IntCounterVec::new(
                Opts::new(
                    "tallyhook_github_spent_total",
                    "What was taken of GitHub's limits, by resource (requests; of `graphql` points) and by what it was \
                     asked for.",
                ),
                &["resource", "spender"],
            )?,
        };
        Ok(metrics)
    }
}

impl Observer for Metrics {
    fn answered(&self, resource: &'static str, outcome: Outcome) {
        self.requests.with_label_values(&[resource, &outcome.to_string()]).inc();
    }

    fn budget(&self, budget: RateBudget) {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.remaining.with_label_values(&[budget.resource]).set(whole(budget.remaining));
        self.limit.with_label_values(&[budget.resource]).set(whole(budget.limit));
        self.reset.with_label_values(&[budget.resource]).set(budget.reset.0);
    }

    fn spent(&self, resource: &'static str, spender: Spender, count: u64) {
        self.spent.with_label_values(&[resource, spender.as_str()]).inc_by(count);
    }
}

impl bitbucket::client::Observer for Metrics {
    fn answered(&self, outcome: bitbucket::client::Outcome) {
        self.bitbucket_requests.with_label_values(&[&outcome.to_string()]).inc();
    }
}
