//! The adapter for Apache Kafka: a topic is the log, its partitions are the log's, its consumer groups are the
//! groups.
//!
//! `append` hands each record to librdkafka and waits until all in-sync replicas have it; a member of a group has
//! a thread of its own that joins and fetches, and another one that commits; `read` and `bounds` go through a client outside of groups.
//!
//! *Architecture invariant*: a stream's partition is chosen by [`EventLog::partition_of`], never by Kafka, so the
//! number of partitions never changes: streams would move, and one would be folded by two owners. Nothing that was
//! fetched is skipped: what is no record of ours is delivered as one that says so (see [`UNREADABLE`]).
//!
//! Duplicates are not known here: what was appended twice is there twice, and folding it again changes nothing.

mod address;
mod client;
mod committer;
mod context;
mod member;
mod message;
mod offsets;
mod place;
mod producer;
mod reader;
mod settings;
mod shared;
mod subscription;
mod topic;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::watch;

pub use self::{
    address::{BadAddress, KafkaAddress},
    message::UNREADABLE,
    producer::RECORD_BYTES_MAX,
    settings::{KafkaLogSettings, KafkaObserver, MemberStats, ProducerStats},
    topic::{Created, OpenError, TopicSettings, create_topic, delete_group},
};
use self::{producer::Producer, reader::Reader, subscription::KafkaSubscription, topic::Topic};
use crate::{
    port::{
        AppendError, Appended, Bounds, EventLog, Identity, Limit, LogError, Partition, Position, Subscription,
    },
    record::Record,
};

/// How long closing waits for appends that are on their way.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long closing waits for members that are leaving their groups; one that does not make it is taken for dead
/// when its session ends.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(8);

/// A log on Kafka.
///
/// Dropping it forgets what waits to be appended; [`KafkaLog::close`] does not.
pub struct KafkaLog {
    address: KafkaAddress,
    settings: KafkaLogSettings,
    identity: Identity,
    producer: Arc<Producer>,
    reader: Arc<Reader>,
    /// Members that have not left their groups yet.
    members: watch::Sender<usize>,
}

impl KafkaLog {
    /// Opens the log: looks at the topic, and waits until an append takes no longer than usual.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(address: &KafkaAddress, settings: KafkaLogSettings) -> Result<Self, OpenError> {
        let new_producer = {
            let (address, settings) = (address.clone(), settings.clone());
            move || Producer::new(&address, &settings)
        };
        let refused = |error: &_| topic::refusal(address, topic::client_reason(error));
        let producer = Arc::new(new_producer().map_err(|error| refused(&error))?);
        let identity = Topic::connect(address, &settings)?.open().await?;
        let reader = Reader::new(address, &settings, identity.partitions).map_err(|error| refused(&error))?;
        producer.warm_up().await;
        Ok(KafkaLog {
            address: address.clone(),
            settings,
            identity,
            producer,
            reader: Arc::new(reader),
            members: watch::Sender::new(0),
        })
    }

    /// Why the log can no longer be used, once it cannot: the process must stop then.
    pub fn broken(&self) -> watch::Receiver<Option<String>> {
        self.producer.broken()
    }

    /// Waits until appends that are on their way have their answers, and until subscriptions that were dropped have
    /// left their groups; both within a bound.
    pub async fn close(&self) {
        let producer = Arc::clone(&self.producer);
        let flushed = tokio::task::spawn_blocking(move || producer.flush(FLUSH_WAIT_MAX)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!(
                "the log is closed before every append was answered; their senders were told nothing"
            );
        }
        let mut members = self.members.subscribe();
        if tokio::time::timeout(LEAVE_WAIT_MAX, members.wait_for(|count| *count == 0)).await.is_err() {
            tracing::warn!(
                "the log is closed before its groups were left; others wait for the end of a session"
            );
        }
    }

    fn check_partition(&self, partition: Partition) -> Result<(), LogError> {
        if partition.0 < self.identity.partitions {
            return Ok(());
        }
        Err(LogError::Stop(format!(
            "the log has {} partitions and no partition {}",
            self.identity.partitions, partition.0
        )))
    }
}

#[async_trait]
impl EventLog for KafkaLog {
    async fn append(&self, records: Vec<Record>) -> Result<Appended, AppendError> {
        let records = records.into_iter().map(|record| (self.partition_of(record.stream), record)).collect();
        self.producer.append(records).await.map(Appended::New)
    }

    async fn subscribe(&self, group: &str) -> Result<Box<dyn Subscription>, LogError> {
        let partitions = self.identity.partitions;
        let joined =
            KafkaSubscription::join(&self.address, &self.settings, group, partitions, &self.members)?;
        Ok(Box::new(joined))
    }

    async fn read(&self, from: Position, limit: Limit) -> Result<Vec<(Position, Record)>, LogError> {
        self.check_partition(from.partition)?;
        reader::ask(&self.reader, move |reader| reader.read(from, limit)).await
    }

    async fn bounds(&self) -> Result<Vec<Bounds>, LogError> {
        reader::ask(&self.reader, Reader::bounds).await
    }

    fn identity(&self) -> Identity {
        self.identity
    }
}
