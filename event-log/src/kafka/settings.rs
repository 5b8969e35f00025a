//! What a caller may choose about a log on Kafka, and what it may hear from it.

use std::{fmt, sync::Arc, time::Duration};

use rdkafka::Statistics;

use crate::port::Partition;

/// What a caller may choose.
#[derive(Clone)]
pub struct KafkaLogSettings {
    /// What brokers' logs and quotas call this process.
    pub client_id: String,
    /// How many bytes may wait to be appended; beyond it an append is refused as full. librdkafka's own
    /// default would be 1 GiB.
    pub waiting_bytes_max: usize,
    /// Hears how the clients are doing, every five seconds.
    pub observer: Option<Arc<dyn KafkaObserver>>,
}

impl Default for KafkaLogSettings {
    fn default() -> Self {
        KafkaLogSettings { client_id: "tallyhook".to_owned(), waiting_bytes_max: 120 << 20, observer: None }
    }
}

impl fmt::Debug for KafkaLogSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaLogSettings")
            .field("client_id", &self.client_id)
            .field("waiting_bytes_max", &self.waiting_bytes_max)
            .field("observer", &self.observer.is_some())
            .finish()
    }
}

/// Hears how the clients are doing. Called on threads of the clients: it must return at once.
pub trait KafkaObserver: Send + Sync {
    /// How appending goes; every five seconds.
    fn producer(&self, _stats: &ProducerStats) {}
    /// How a member of `group` follows; every five seconds.
    fn member(&self, _group: &str, _stats: &MemberStats) {}
    /// A broker could not be reached or answered with an error; librdkafka tries again by itself.
    fn trouble(&self) {}
}

/// How appending goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProducerStats {
    /// Messages that no broker has acknowledged yet.
    pub waiting_messages: u64,
    /// Their size in bytes.
    pub waiting_bytes: u64,
    /// Requests that failed on their way since the start.
    pub transmit_errors: u64,
    /// Requests that were sent again since the start.
    pub transmit_retries: u64,
    /// Of the slowest broker, the 99th percentile of what a message waits before it is sent.
    pub queue_p99: Duration,
    /// Of the slowest broker, the 99th percentile of a request's round trip.
    pub round_trip_p99: Duration,
    /// How many brokers are connected.
    pub brokers_up: usize,
}

/// How a member of a group follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberStats {
    /// Of each partition that is being delivered, how many records lie between what the group committed and the end.
    pub lag: Vec<(Partition, u64)>,
    /// How often partitions were given out anew since the start.
    pub rebalances: u64,
    /// Messages that were fetched and not taken yet.
    pub fetched_messages: u64,
    /// Their size in bytes.
    pub fetched_bytes: u64,
    /// Of the slowest broker, the 99th percentile of a request's round trip; a fetch waits for new messages.
    pub round_trip_p99: Duration,
    /// How many brokers are connected.
    pub brokers_up: usize,
}

impl ProducerStats {
    pub(super) fn read(statistics: &Statistics) -> Self {
        let brokers = statistics.brokers.values();
        ProducerStats {
            waiting_messages: statistics.msg_cnt,
            waiting_bytes: statistics.msg_size,
            transmit_errors: brokers.clone().map(|broker| broker.txerrs).sum(),
            transmit_retries: brokers.clone().map(|broker| broker.txretries).sum(),
            queue_p99: slowest(
                brokers.clone().filter_map(|broker| broker.int_latency.as_ref()).map(|w| w.p99),
            ),
            round_trip_p99: slowest(brokers.filter_map(|broker| broker.rtt.as_ref()).map(|w| w.p99)),
            brokers_up: brokers_up(statistics),
        }
    }
}

impl MemberStats {
    pub(super) fn read(statistics: &Statistics) -> Self {
        let partitions = || {
            let topics = statistics.topics.values();
            // librdkafka counts what belongs to no partition under -1.
            topics.flat_map(|topic| topic.partitions.values()).filter(|partition| partition.partition >= 0)
        };
        let mut lag: Vec<(Partition, u64)> = partitions()
            .filter_map(|partition| {
                let lag = u64::try_from(partition.consumer_lag).ok()?;
                Some((Partition(u32::try_from(partition.partition).ok()?), lag))
            })
            .collect();
        lag.sort_unstable_by_key(|(partition, _)| *partition);
        let brokers = statistics.brokers.values();
        let group = statistics.cgrp.as_ref();
        MemberStats {
            lag,
            rebalances: group.and_then(|group| u64::try_from(group.rebalance_cnt).ok()).unwrap_or(0),
            fetched_messages: partitions().filter_map(|p| u64::try_from(p.fetchq_cnt).ok()).sum(),
            fetched_bytes: partitions().map(|partition| partition.fetchq_size).sum(),
            round_trip_p99: slowest(brokers.filter_map(|broker| broker.rtt.as_ref()).map(|w| w.p99)),
            brokers_up: brokers_up(statistics),
        }
    }
}

/// The greatest of librdkafka's windows, which are in microseconds.
fn slowest(microseconds: impl Iterator<Item = i64>) -> Duration {
    Duration::from_micros(microseconds.max().and_then(|p99| u64::try_from(p99).ok()).unwrap_or(0))
}

fn brokers_up(statistics: &Statistics) -> usize {
    // Those known by id; an address to start from is counted under -1.
    statistics.brokers.values().filter(|broker| broker.nodeid >= 0 && broker.state == "UP").count()
}
