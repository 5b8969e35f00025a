//! What the door counts.

use boot::metrics::Collectors;
use domain::Millis;
use github::translate::{known_event, known_events};
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// The label of webhook events that we do not know.
const OTHER: &str = "other";

/// The label of bodies that no secret of ours signed.
const UNSIGNED: &str = "none";

/// What the door counts.
#[derive(Clone)]
pub struct IngestMetrics {
    deliveries: IntCounterVec,
    signatures: IntCounterVec,
    last_used: IntGaugeVec,
    unsigned: IntCounter,
    pub(crate) ack_seconds: Histogram,
    pub(crate) append_seconds: Histogram,
    pub(crate) bytes_in_flight: IntGauge,
    pub(crate) encoded_secrets: IntCounter,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Duplicate,
    Pong,
    Refused,
    Unavailable,
}

impl Outcome {
    const ALL: [Outcome; 5] =
        [Outcome::Accepted, Outcome::Duplicate, Outcome::Pong, Outcome::Refused, Outcome::Unavailable];

    /// The label, and the word in logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Duplicate => "duplicate",
            Outcome::Pong => "pong",
            Outcome::Refused => "refused",
            Outcome::Unavailable => "unavailable",
        }
    }
}

impl IngestMetrics {
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
            Box::new(self.deliveries.clone()),
            Box::new(self.signatures.clone()),
            Box::new(self.last_used.clone()),
            Box::new(self.ack_seconds.clone()),
            Box::new(self.append_seconds.clone()),
            Box::new(self.bytes_in_flight.clone()),
            Box::new(self.encoded_secrets.clone()),
        ]
    }

    /// Makes the metrics.
    ///
    /// # Errors
    /// When one of them is ill-formed.
    pub fn new() -> prometheus::Result<Self> {
        let signatures = IntCounterVec::new(
            Opts::new(
                "tallyhook_signatures_total",
                "Signatures checked, by the name of the secret that fits; none where none does.",
            ),
            &["secret"],
        )?;
        let metrics = IngestMetrics {
            deliveries: IntCounterVec::new(
                Opts::new("tallyhook_deliveries_total", "Deliveries answered, by webhook event and result."),
                &["event", "result"],
            )?,
            unsigned: signatures.with_label_values(&[UNSIGNED]),
            signatures,
            last_used: IntGaugeVec::new(
                Opts::new(
                    "tallyhook_secret_used_timestamp_seconds",
                    "When a delivery came last that was signed with this secret, in seconds since 1970; 0 when none \
                     has since the start.",
                ),
                &["secret"],
            )?,
            ack_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "tallyhook_delivery_ack_seconds",
                    "From a delivery's headers to the answer that it is durable (accepted or duplicate).",
                )
                .buckets(seconds()),
            )?,
            append_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "tallyhook_log_append_seconds",
                    "How long the log took over a delivery, also when the sender no longer waited.",
                )
                .buckets(seconds()),
            )?,
            bytes_in_flight: IntGauge::new(
                "tallyhook_ingest_bytes_in_flight",
                "Bytes that bodies of deliveries hold, from their arrival until they are durable.",
            )?,
            encoded_secrets: IntCounter::new(
                "tallyhook_encoded_secrets_total",
                "Signed deliveries that brought the webhook's secret along; it was dropped, but rotate it.",
            )?,
        };
        // So that a rate can be told from the first one on.
        for event in ["push", OTHER] {
            for outcome in Outcome::ALL {
                metrics.deliveries.with_label_values(&[event, outcome.as_str()]);
            }
        }
        for event in known_events() {
            metrics.deliveries.with_label_values(&[event, Outcome::Unavailable.as_str()]);
        }
        Ok(metrics)
    }

    /// Counts a delivery by its result. The label is from a closed list whatever the sender wrote.
    pub(crate) fn count(&self, event: Option<&str>, outcome: Outcome) {
        let event = event.and_then(known_event).unwrap_or(OTHER);
        self.deliveries.with_label_values(&[event, outcome.as_str()]).inc();
    }

    /// Shows these secrets' counts from the start: a secret that nobody uses any more is seen by its zero.
    pub(crate) fn expect_secrets<'n>(&self, names: impl Iterator<Item = &'n str>) {
        for name in names {
            self.signatures.with_label_values(&[name]);
            self.last_used.with_label_values(&[name]);
        }
    }

    /// Counts a signature that fits, by the name of its secret.
    pub(crate) fn signed_with(&self, secret: &str, received_at: Millis) {
        self.signatures.with_label_values(&[secret]).inc();
        self.last_used.with_label_values(&[secret]).set(received_at.0 / 1000);
    }

    /// Counts a signature that is missing or does not fit.
    pub(crate) fn unsigned(&self) {
        self.unsigned.inc();
    }
}

/// From a fast disk's sync to GitHub's time-out.
fn seconds() -> Vec<f64> {
    vec![
        0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0, 10.0,
    ]
}
