//! What backfill counts.

use boot::metrics::Collectors;
use github::client::{Observer, Outcome, RateBudget, Spender};
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::{deliveries::HookState, drift};

/// What became of a delivery that was not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repaired {
    /// It was taken out of GitHub's record.
    Taken,
    /// We had it all the same.
    Held,
    /// GitHub was asked to send it again.
    Redelivered,
    /// It cannot be had.
    Lost,
}

impl Repaired {
    pub(crate) const ALL: [Repaired; 4] =
        [Repaired::Taken, Repaired::Held, Repaired::Redelivered, Repaired::Lost];

    fn as_str(self) -> &'static str {
        match self {
            Repaired::Taken => "taken",
            Repaired::Held => "held",
            Repaired::Redelivered => "redelivered",
            Repaired::Lost => "lost",
        }
    }

    /// Its place in [`Self::ALL`].
    pub(crate) fn place(self) -> usize {
        self as usize
    }
}

/// What backfill counts.
#[derive(Clone)]
pub struct Metrics {
    pub(crate) pending: IntGauge,
    hooks: IntGaugeVec,
    repaired: IntCounterVec,
    drift: IntCounterVec,
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
            Box::new(self.hooks.clone()),
            Box::new(self.repaired.clone()),
            Box::new(self.drift.clone()),
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
            hooks: IntGaugeVec::new(
                Opts::new(
                    "tallyhook_hooks",
                    "Webhooks that send to us and whose deliveries GitHub shows to our token, by how they are doing.",
                ),
                &["state"],
            )?,
            repaired: IntCounterVec::new(
                Opts::new(
                    "tallyhook_repaired_deliveries_total",
                    "Deliveries that were found in GitHub's record and not acknowledged by us, by what became of them.",
                ),
                &["result"],
            )?,
            drift: IntCounterVec::new(
                Opts::new(
                    "tallyhook_drift_total",
                    "Values of public repositories that were called complete and that a sweep found to be otherwise \
                     before any delivery told so, by field.",
                ),
                &["field"],
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
        // So that a rate can be told from the first one on.
        for repaired in Repaired::ALL {
            metrics.repaired.with_label_values(&[repaired.as_str()]);
        }
        for field in drift::labels() {
            metrics.drift.with_label_values(&[field]);
        }
        for state in HookState::ALL {
            metrics.hooks.with_label_values(&[state.as_str()]);
        }
        Ok(metrics)
    }

    /// Shows how many webhooks are in each state.
    pub(crate) fn show_hooks(&self, states: &[(HookState, usize)]) {
        for (state, count) in states {
            self.hooks.with_label_values(&[state.as_str()]).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }

    /// Counts a value that a sweep found to be otherwise than it was shown.
    pub(crate) fn count_drift(&self, field: &str) {
        self.drift.with_label_values(&[field]).inc();
    }

    /// Counts a delivery that was not acknowledged.
    pub(crate) fn count_repaired(&self, repaired: Repaired) {
        self.repaired.with_label_values(&[repaired.as_str()]).inc();
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
