//! What librdkafka says of itself, as metrics. Builds without it describe them too, in the reference page.

use boot::metrics::Collectors;
use prometheus::{Gauge, IntCounter, IntGauge};

/// Metrics of the clients of Kafka.
#[derive(Clone)]
pub(super) struct KafkaMetrics {
    waiting_messages: IntGauge,
    waiting_bytes: IntGauge,
    transmit_errors: IntGauge,
    transmit_retries: IntGauge,
    append_queue: Gauge,
    append_round_trip: Gauge,
    brokers_up: IntGauge,
    group_lag: IntGauge,
    rebalances: IntGauge,
    fetched_bytes: IntGauge,
    trouble: IntCounter,
}

impl KafkaMetrics {
    pub(super) fn new() -> prometheus::Result<Self> {
        Ok(KafkaMetrics {
            waiting_messages: IntGauge::new(
                "tallyhook_kafka_waiting_messages",
                "Appends that no broker has acknowledged yet.",
            )?,
            waiting_bytes: IntGauge::new("tallyhook_kafka_waiting_bytes", "The size of those appends.")?,
            transmit_errors: IntGauge::new(
                "tallyhook_kafka_transmit_errors",
                "Requests of the producer that failed on their way, since the start.",
            )?,
            transmit_retries: IntGauge::new(
                "tallyhook_kafka_transmit_retries",
                "Requests of the producer that were sent again, since the start.",
            )?,
            append_queue: Gauge::new(
                "tallyhook_kafka_append_queue_seconds",
                "How long appends wait to be sent: the 99th percentile of the slowest broker.",
            )?,
            append_round_trip: Gauge::new(
                "tallyhook_kafka_append_round_trip_seconds",
                "How long a broker takes to acknowledge: the 99th percentile of the slowest one.",
            )?,
            brokers_up: IntGauge::new(
                "tallyhook_kafka_brokers_up",
                "Brokers that the producer is connected to.",
            )?,
            group_lag: IntGauge::new(
                "tallyhook_kafka_group_lag_records",
                "Records between what was committed and the end, over the partitions held here.",
            )?,
            rebalances: IntGauge::new(
                "tallyhook_kafka_rebalances",
                "How often partitions were given out anew, since the start.",
            )?,
            fetched_bytes: IntGauge::new(
                "tallyhook_kafka_fetched_bytes",
                "Records that were fetched and not taken yet.",
            )?,
            trouble: IntCounter::new(
                "tallyhook_kafka_trouble_total",
                "Brokers that could not be reached or answered with an error.",
            )?,
        })
    }

    pub(super) fn collectors(&self) -> Collectors {
        vec![
            Box::new(self.waiting_messages.clone()),
            Box::new(self.waiting_bytes.clone()),
            Box::new(self.transmit_errors.clone()),
            Box::new(self.transmit_retries.clone()),
            Box::new(self.append_queue.clone()),
            Box::new(self.append_round_trip.clone()),
            Box::new(self.brokers_up.clone()),
            Box::new(self.group_lag.clone()),
            Box::new(self.rebalances.clone()),
            Box::new(self.fetched_bytes.clone()),
            Box::new(self.trouble.clone()),
        ]
    }
}

#[cfg(feature = "cluster")]
mod observed {
    use std::time::Duration;

    use event_log::kafka::{KafkaObserver, MemberStats, ProducerStats};
    use prometheus::Registry;

    use super::KafkaMetrics;

    impl KafkaMetrics {
        pub(in crate::ports) fn register(registry: &Registry) -> prometheus::Result<Self> {
            let metrics = Self::new()?;
            boot::metrics::register(registry, metrics.collectors())?;
            Ok(metrics)
        }
    }

    impl KafkaObserver for KafkaMetrics {
        fn producer(&self, stats: &ProducerStats) {
            self.waiting_messages.set(whole(stats.waiting_messages));
            self.waiting_bytes.set(whole(stats.waiting_bytes));
            self.transmit_errors.set(whole(stats.transmit_errors));
            self.transmit_retries.set(whole(stats.transmit_retries));
            self.append_queue.set(seconds(stats.queue_p99));
            self.append_round_trip.set(seconds(stats.round_trip_p99));
            self.brokers_up.set(i64::try_from(stats.brokers_up).unwrap_or(i64::MAX));
        }

        fn member(&self, _group: &str, stats: &MemberStats) {
            self.group_lag.set(whole(stats.lag.iter().map(|(_, lag)| lag).sum()));
            self.rebalances.set(whole(stats.rebalances));
            self.fetched_bytes.set(whole(stats.fetched_bytes));
        }

        fn trouble(&self) {
            self.trouble.inc();
        }
    }

    fn whole(number: u64) -> i64 {
        i64::try_from(number).unwrap_or(i64::MAX)
    }

    fn seconds(duration: Duration) -> f64 {
        duration.as_secs_f64()
    }
}
