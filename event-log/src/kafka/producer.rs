//! Appending: what waits to be acknowledged, and how its outcome reaches who waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    ClientContext, Message, Statistics,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer},
};
use tokio::sync::{oneshot, watch};

use super::{
    address::KafkaAddress,
    client::{self, MESSAGE_BYTES_MAX, Voice},
    message,
    settings::{KafkaLogSettings, ProducerStats},
};
use crate::{
    port::{AppendError, Partition, Position},
    record::Record,
};

/// The largest record: what is over the broker's bound on a batch must be refused before it is sent.
pub const RECORD_BYTES_MAX: usize = MESSAGE_BYTES_MAX - (64 << 10);

/// librdkafka copies what it is given. Up to this size the copy is shorter than handing it to another thread.
const COPIED_INLINE_BYTES_MAX: usize = 256 << 10;
/// How long a new producer waits for its id; without it the first append takes up to a second longer.
const WARM_UP_WAIT_MAX: Duration = Duration::from_secs(3);

/// The client that appends.
pub(super) struct Producer {
    client: ThreadedProducer<Context>,
    topic: String,
    room: Arc<Room>,
    warm: watch::Receiver<bool>,
}

/// What may wait at once.
struct Room {
    bytes_max: usize,
    taken: AtomicUsize,
}

/// The part of the room that a record takes until its outcome is known, also when nobody waits for it any more.
struct Space {
    room: Arc<Room>,
    bytes: usize,
}

/// What librdkafka keeps for a message and gives back with its outcome.
pub(super) struct Ticket {
    reply: oneshot::Sender<Result<i64, KafkaError>>,
    _space: Space,
}

pub(super) struct Context {
    voice: Voice,
    warm: watch::Sender<bool>,
    /// Why the client cannot go on, once it cannot.
    broken: watch::Sender<Option<String>>,
}

impl Producer {
    /// A client that has not reached anybody yet. Blocks for a moment.
    pub(super) fn new(address: &KafkaAddress, settings: &KafkaLogSettings) -> Result<Self, KafkaError> {
        let (warm, is_warm) = watch::channel(false);
        let context =
            Context { voice: Voice::new("producer", settings), warm, broken: watch::Sender::new(None) };
        let config = client::producer_config(address, settings);
        let client = ThreadedProducer::from_config_and_context(&config, context)?;
        let room = Room { bytes_max: settings.waiting_bytes_max, taken: AtomicUsize::new(0) };
        Ok(Producer { client, topic: address.topic().to_owned(), room: Arc::new(room), warm: is_warm })
    }

    /// Waits until the first append takes no longer than others.
    pub(super) async fn warm_up(&self) {
        let mut warm = self.warm.clone();
        if tokio::time::timeout(WARM_UP_WAIT_MAX, warm.wait_for(|warm| *warm)).await.is_err() {
            tracing::warn!("the brokers gave no producer id yet; the first append takes longer than others");
        }
    }

    /// Why no append will ever succeed again, once that is so.
    pub(super) fn broken(&self) -> watch::Receiver<Option<String>> {
        self.client.context().broken.subscribe()
    }

    /// Sends the records and waits until all are acknowledged.
    pub(super) async fn append(
        self: &Arc<Self>,
        records: Vec<(Partition, Record)>,
    ) -> Result<Vec<Position>, AppendError> {
        let mut bytes = 0;
        for (_, record) in &records {
            let message_bytes = message::message_bytes(record);
            if message_bytes > RECORD_BYTES_MAX {
                return Err(AppendError::TooLarge { bytes: message_bytes, bytes_max: RECORD_BYTES_MAX });
            }
            bytes += message_bytes;
        }
        if bytes > self.room.bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max: self.room.bytes_max });
        }
        let space = self.room.take(bytes).ok_or(AppendError::Full)?;
        let outcomes = if bytes <= COPIED_INLINE_BYTES_MAX {
            self.send(&records, space)?
        } else {
            let producer = Arc::clone(self);
            tokio::task::spawn_blocking(move || producer.send(&records, space))
                .await
                .map_err(|error| AppendError::Retry(format!("sending was interrupted: {error}")))??
        };
        let mut positions = Vec::with_capacity(outcomes.len());
        for (partition, outcome) in outcomes {
            positions.push(self.position(partition, outcome.await)?);
        }
        Ok(positions)
    }

    /// Hands the records to librdkafka; never waits.
    #[expect(clippy::type_complexity, reason = "each record's partition and outcome; named nowhere else")]
    fn send(
        &self,
        records: &[(Partition, Record)],
        mut space: Space,
    ) -> Result<Vec<(Partition, oneshot::Receiver<Result<i64, KafkaError>>)>, AppendError> {
        let mut outcomes = Vec::with_capacity(records.len());
        for (partition, record) in records {
            let (reply, outcome) = oneshot::channel();
            let ticket = Ticket { reply, _space: space.split(message::message_bytes(record)) };
            let key = message::key(record);
            let message = BaseRecord::with_opaque_to(&self.topic, Box::new(ticket))
                .partition(i32::try_from(partition.0).expect("a partition of Kafka fits i32"))
                .key(&key)
                .headers(message::headers(record))
                .payload(&record.body[..]);
            if let Err((error, _)) = self.client.send(message) {
                return Err(self.failure(&error, message::message_bytes(record)));
            }
            outcomes.push((*partition, outcome));
        }
        Ok(outcomes)
    }

    fn position(
        &self,
        partition: Partition,
        outcome: Result<Result<i64, KafkaError>, oneshot::error::RecvError>,
    ) -> Result<Position, AppendError> {
        let offset = outcome
            .map_err(|_| AppendError::Stop("the log was closed".to_owned()))?
            .map_err(|error| self.failure(&error, 0))?;
        // The broker knew a retry for a double and could not tell any more where the first one went.
        let offset = u64::try_from(offset)
            .map_err(|_| AppendError::Retry("the record is there, but not where is known".to_owned()))?;
        Ok(Position { partition, offset })
    }

    fn failure(&self, error: &KafkaError, bytes: usize) -> AppendError {
        if let Some((code, reason)) = self.client.client().fatal_error() {
            return AppendError::Stop(self.client.context().break_down(&format!("{code:?}: {reason}")));
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => AppendError::Full,
            Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize) => {
                AppendError::TooLarge { bytes, bytes_max: RECORD_BYTES_MAX }
            }
            Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => {
                AppendError::Stop("the log was closed".to_owned())
            }
            Some(code) => AppendError::Retry(code.to_string()),
            None => AppendError::Retry(error.to_string()),
        }
    }

    /// Waits until nothing waits any more; what is still there after `patience` stays. Blocks.
    pub(super) fn flush(&self, patience: Duration) -> Result<(), KafkaError> {
        self.client.flush(patience)
    }
}

impl Context {
    /// Notes that the client cannot go on; the sentence that says so.
    fn break_down(&self, reason: &str) -> String {
        let sentence = format!(
            "the Kafka client cannot go on ({reason}): start the process again, and look at the brokers should it \
             happen twice"
        );
        self.broken.send_if_modified(|broken| {
            let is_first = broken.is_none();
            broken.get_or_insert_with(|| sentence.clone());
            is_first
        });
        sentence
    }
}

impl Room {
    fn take(self: &Arc<Self>, bytes: usize) -> Option<Space> {
        let fits = |taken: usize| (taken + bytes <= self.bytes_max).then_some(taken + bytes);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Space { room: Arc::clone(self), bytes })
    }
}

impl Space {
    /// Takes a part of it away.
    fn split(&mut self, bytes: usize) -> Space {
        self.bytes -= bytes;
        Space { room: Arc::clone(&self.room), bytes }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        if facility == "GETPID" && line.contains("Acquired PID") {
            self.warm.send_replace(true);
        }
        self.voice.log(level, facility, line);
    }

    fn stats(&self, statistics: Statistics) {
        if let Some(observer) = &self.voice.observer {
            observer.producer(&ProducerStats::read(&statistics));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.break_down(reason);
        }
        self.voice.error(&error, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Context {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, outcome: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let outcome = match outcome {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        // Who no longer waits knows that it may have landed.
        let _ = ticket.reply.send(outcome);
    }
}

#[cfg(test)]
mod tests {
    use domain::StreamKey;
    use rdkafka::{
        mocking::MockCluster,
        types::{RDKafkaApiKey, RDKafkaRespErr},
    };

    use super::*;

    /// The brokers have lost count of what this client sent: it may not send anything again.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_cannot_go_on_says_so_to_who_appends_and_to_the_process() {
        let brokers = MockCluster::new(1).unwrap();
        brokers.create_topic("events", 1, 1).unwrap();
        let address = format!("kafka://{}/events", brokers.bootstrap_servers()).parse().unwrap();
        let producer = Arc::new(Producer::new(&address, &KafkaLogSettings::default()).unwrap());
        let mut broken = producer.broken();
        let append = || producer.append(vec![(Partition(0), record())]);
        append().await.unwrap();
        assert_eq!(*broken.borrow(), None);

        let lost_count = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        brokers.request_errors(RDKafkaApiKey::Produce, &[lost_count]);
        let Err(AppendError::Stop(sentence)) = append().await else { panic!("it went on") };
        assert!(sentence.contains("start the process again"), "{sentence}");
        let told = broken.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        assert!(told.contains("start the process again"), "{told}");
        assert!(matches!(append().await, Err(AppendError::Stop(_))), "it stays so");
    }

    fn record() -> Record {
        Record {
            stream: StreamKey::Service,
            id: "one".to_owned(),
            dedupe: None,
            kind: "some.kind".to_owned(),
            received_at: domain::Millis(0),
            headers: Vec::new(),
            body: bytes::Bytes::from_static(b"{}"),
        }
    }
}
