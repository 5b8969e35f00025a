//! What librdkafka says to a member while it is polled: what the group decided, how it goes, and what is wrong.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use rdkafka::{
    ClientContext, Statistics, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
    types::RDKafkaRespErr,
};

use super::{client::Voice, settings::MemberStats};
use crate::port::Partition;

/// What the group decided, not carried out yet.
pub(super) enum Change {
    Assign(Vec<Partition>),
    Revoke(Vec<Partition>),
}

/// Hears librdkafka while it is polled.
pub(super) struct Context {
    voice: Voice,
    group: String,
    changes: Mutex<Vec<Change>>,
    /// Set when nobody looks at `changes` any more: partitions are let go at once.
    is_closing: AtomicBool,
}

impl Context {
    pub(super) fn new(voice: Voice, group: &str) -> Self {
        Context {
            voice,
            group: group.to_owned(),
            changes: Mutex::default(),
            is_closing: AtomicBool::new(false),
        }
    }

    pub(super) fn group(&self) -> &str {
        &self.group
    }

    /// What the group decided since the last time.
    pub(super) fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut self.changes.lock().expect("nothing panics with it"))
    }

    /// Nobody takes changes any more.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.voice.log(level, facility, line);
    }

    fn stats(&self, statistics: Statistics) {
        if let Some(observer) = &self.voice.observer {
            observer.member(&self.group, &MemberStats::read(&statistics));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.voice.error(&error, reason);
    }
}

impl ConsumerContext for Context {
    /// Only notes it: the answer may be given at any time, and must be given late where the caller has to flush.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        decision: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if self.is_closing.load(Ordering::Acquire) {
            // Everything goes; what cannot be given back now is taken when the session ends.
            let _ = consumer.unassign();
            return;
        }
        let partitions = partitions.elements();
        let partitions = partitions.iter().filter_map(|p| u32::try_from(p.partition()).ok().map(Partition));
        let change = match decision {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Change::Assign(partitions.collect()),
            _ => Change::Revoke(partitions.collect()),
        };
        self.changes.lock().expect("nothing panics with it").push(change);
    }
}
