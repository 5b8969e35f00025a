//! Reading at any position, outside of groups: one client, one read at a time.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Message, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    address::KafkaAddress,
    client::{self, Voice},
    message,
    settings::KafkaLogSettings,
};
use crate::{
    limit::Allowance,
    port::{Bounds, Limit, LogError, Partition, Position},
    record::Record,
};

/// How long the brokers may take to tell the bounds; a leader change takes a few seconds.
const BOUNDS_WAIT_MAX: Duration = Duration::from_secs(8);
/// A question about offsets is asked so many times within its patience, of leaders that are looked up anew.
const ATTEMPTS: u32 = 3;
/// How long one read may take; a record of 25 MiB takes well under a second.
const READ_WAIT_MAX: Duration = Duration::from_secs(15);
/// How long one look for the next message takes at most, so that a deadline is noticed.
const LOOK: Duration = Duration::from_millis(100);

/// The client that reads.
pub(super) struct Reader {
    consumer: BaseConsumer<Context>,
    topic: String,
    partitions: u32,
    /// Held by the read whose turn it is, because a client has one assignment.
    turn: Mutex<()>,
}

pub(super) struct Context(Voice);

impl Reader {
    pub(super) fn new(
        address: &KafkaAddress,
        settings: &KafkaLogSettings,
        partitions: u32,
    ) -> Result<Self, KafkaError> {
        let consumer = client::reader_config(address, settings)
            .create_with_context(Context(Voice::new("reader", settings)))?;
        Ok(Reader { consumer, topic: address.topic().to_owned(), partitions, turn: Mutex::new(()) })
    }

    /// The bounds of every partition; each leader is asked twice. Blocks.
    pub(super) fn bounds(&self) -> Result<Vec<Bounds>, LogError> {
        let all = |offset| {
            let mut list = TopicPartitionList::new();
            for partition in 0..self.partitions {
                list.add_partition_offset(&self.topic, index(partition), offset)?;
            }
            self.offsets(&list, BOUNDS_WAIT_MAX)
        };
        let starts = all(Offset::Beginning).map_err(|error| retry(&error))?;
        let ends = all(Offset::End).map_err(|error| retry(&error))?;
        let bounds = (0..self.partitions).map(Partition).zip(starts.into_iter().zip(ends));
        Ok(bounds.map(|(partition, (start, end))| Bounds { partition, start, end }).collect())
    }

    /// Where the first or the next record of each listed partition is, in partition order.
    fn offsets(&self, list: &TopicPartitionList, patience: Duration) -> Result<Vec<u64>, KafkaError> {
        let patience = patience / ATTEMPTS;
        for _ in 1..ATTEMPTS {
            if let Ok(offsets) = self.ask_offsets(list.clone(), patience) {
                return Ok(offsets);
            }
            // Whoever only asks this keeps its leaders for minutes, and waits for a broker that is away; another
            // leads in its place within seconds.
            let _ = self.consumer.fetch_metadata(Some(&self.topic), patience);
        }
        self.ask_offsets(list.clone(), patience)
    }

    fn ask_offsets(&self, list: TopicPartitionList, patience: Duration) -> Result<Vec<u64>, KafkaError> {
        // The protocol asks for a start or an end as for a time before or after all others.
        let found = self.consumer.offsets_for_times(list, patience)?;
        let mut offsets: Vec<(i32, u64)> = Vec::new();
        for element in found.elements() {
            element.error()?;
            let offset = match element.offset() {
                Offset::Offset(offset) => u64::try_from(offset).unwrap_or(0),
                _ => return Err(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset)),
            };
            offsets.push((element.partition(), offset));
        }
        offsets.sort_unstable();
        Ok(offsets.into_iter().map(|(_, offset)| offset).collect())
    }

    /// See [`EventLog::read`](crate::EventLog::read). Blocks.
    pub(super) fn read(&self, from: Position, limit: Limit) -> Result<Vec<(Position, Record)>, LogError> {
        let deadline = Instant::now() + READ_WAIT_MAX;
        let bound = |offset| {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&self.topic, index(from.partition.0), offset)?;
            Ok(self.offsets(&list, BOUNDS_WAIT_MAX)?.into_iter().next().unwrap_or(0))
        };
        let end = bound(Offset::End).map_err(|error| retry(&error))?;
        if from.offset >= end {
            return Ok(Vec::new());
        }
        let start = bound(Offset::Beginning).map_err(|error| retry(&error))?;
        if from.offset < start {
            return Err(LogError::Gone { at: from, start });
        }
        let _turn = self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let outcome = self.read_turn(from, end, limit, deadline);
        // What was fetched beyond is dropped, and nothing more is fetched.
        self.consumer.unassign().map_err(|error| retry(&error))?;
        outcome
    }

    fn read_turn(
        &self,
        from: Position,
        end: u64,
        limit: Limit,
        deadline: Instant,
    ) -> Result<Vec<(Position, Record)>, LogError> {
        let partition = index(from.partition.0);
        let mut list = TopicPartitionList::new();
        let start = i64::try_from(from.offset)
            .map_err(|_| LogError::Stop(format!("{from} is no position of a Kafka topic")))?;
        list.add_partition_offset(&self.topic, partition, Offset::Offset(start))
            .map_err(|error| retry(&error))?;
        self.consumer.assign(&list).map_err(|error| retry(&error))?;
        let mut allowance = Allowance::new(limit);
        let mut records = Vec::new();
        loop {
            if Instant::now() > deadline {
                return Err(LogError::Retry(format!("nothing came within {READ_WAIT_MAX:?}")));
            }
            match self.consumer.poll(LOOK) {
                Some(Ok(message)) => {
                    let offset = u64::try_from(message.offset()).unwrap_or(0);
                    // One from an earlier read would be dropped by the client; this only makes sure.
                    if message.partition() != partition || offset < from.offset {
                        continue;
                    }
                    let body_bytes = message.payload().map_or(0, <[u8]>::len);
                    if offset >= end || !allowance.admit(body_bytes) {
                        return Ok(records);
                    }
                    let position = Position { offset, ..from };
                    records.push((position, message::record(&message, position, self.partitions)));
                    if offset + 1 >= end || allowance.is_spent() {
                        return Ok(records);
                    }
                }
                // The end holds no record of ours, as after a transaction of somebody else.
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(records),
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return Err(LogError::Stop(format!("the Kafka client cannot go on ({code})")));
                }
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                    return Err(LogError::Retry(format!("{from} went away while it was read")));
                }
                // The client was told (see its voice) and tries again by itself.
                Some(Err(_)) | None => {}
            }
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.0.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }
}

impl ConsumerContext for Context {}

/// Runs `question` on a thread for blocking work.
pub(super) async fn ask<T: Send + 'static>(
    reader: &Arc<Reader>,
    question: impl FnOnce(&Reader) -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let reader = Arc::clone(reader);
    tokio::task::spawn_blocking(move || question(&reader))
        .await
        .map_err(|error| LogError::Retry(format!("reading was interrupted: {error}")))?
}

/// A partition as librdkafka counts it.
pub(super) fn index(partition: u32) -> i32 {
    i32::try_from(partition).expect("a partition of Kafka fits i32")
}

pub(super) fn retry(error: &KafkaError) -> LogError {
    LogError::Retry(super::topic::client_reason(error))
}
