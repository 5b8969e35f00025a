//! The thread that hears what others send, from the end of the topic on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use tracing::{info, warn};

use super::{
    CONNECT_TIME_MAX, HintsError,
    message::{self, Message},
    unusable,
};
use crate::{Hints as _, InProcessHints};

/// How long the thread waits for a message before it looks whether it should end.
const POLL_TIME: Duration = Duration::from_millis(100);

/// Brokers that are away are complained about this often at most.
const COMPLAINT_EVERY: Duration = Duration::from_secs(60);

/// A pause after an attempt to begin anew that failed.
const ANEW_PAUSE: Duration = Duration::from_millis(500);

/// Hears hints on a thread of its own.
pub(super) struct Listener {
    pub(super) partitions: i32,
    is_ending: Arc<AtomicBool>,
}

impl Listener {
    /// Returns once it is settled from where it hears.
    pub(super) fn start(
        config: &ClientConfig,
        topic: &str,
        heard: Arc<InProcessHints>,
    ) -> Result<Self, HintsError> {
        let mut config = config.clone();
        config
            .set("client.id", "tallyhook-hints")
            // The client wants a name though no group is joined.
            .set("group.id", "tallyhook-hints")
            .set("enable.auto.commit", "false")
            // Hints that are gone must be noticed.
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "50")
            .set("queued.max.messages.kbytes", "16384")
            .set("allow.auto.create.topics", "false");
        let consumer: BaseConsumer = config.create().map_err(|error| unusable(topic, error))?;
        let partitions = partitions(&consumer, topic)?;
        let ear = Ear { consumer, topic: topic.to_owned(), partitions, heard };
        ear.begin_at_the_end().map_err(|error| unusable(topic, error))?;
        let is_ending = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&is_ending);
        thread::Builder::new()
            .name("hints-in".to_owned())
            .spawn(move || ear.run(&ending))
            .map_err(|error| unusable(topic, error))?;
        Ok(Listener { partitions, is_ending })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> Result<i32, HintsError> {
    let metadata =
        consumer.fetch_metadata(Some(topic), CONNECT_TIME_MAX).map_err(|error| unusable(topic, error))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
    match found.map(|found| found.partitions().len()) {
        None | Some(0) => Err(HintsError::NoTopic(topic.to_owned())),
        Some(count) => i32::try_from(count).map_err(|error| unusable(topic, error)),
    }
}

struct Ear {
    consumer: BaseConsumer,
    topic: String,
    partitions: i32,
    heard: Arc<InProcessHints>,
}

impl Ear {
    /// Offsets rather than "the end", which would be looked up later: what is sent from now on is heard.
    fn begin_at_the_end(&self) -> KafkaResult<()> {
        let mut places = TopicPartitionList::new();
        for partition in 0..self.partitions {
            let (_, end) = self.consumer.fetch_watermarks(&self.topic, partition, CONNECT_TIME_MAX)?;
            places.add_partition_offset(&self.topic, partition, Offset::Offset(end))?;
        }
        self.consumer.assign(&places)
    }

    fn run(&self, is_ending: &AtomicBool) {
        let mut complained_at: Option<Instant> = None;
        while !is_ending.load(Ordering::Relaxed) {
            match self.consumer.poll(POLL_TIME) {
                None => {}
                Some(Ok(message)) => match message::decode(message.payload().unwrap_or_default()) {
                    Message::Hints(hints) => self.heard.publish(hints),
                    Message::Missed => self.heard.tell_missed(),
                },
                Some(Err(error)) if is_gone(&error) => {
                    info!(%error, "hints are gone that were not heard; listening anew");
                    self.begin_anew(is_ending);
                }
                // The client tries again by itself; what is sent meanwhile is heard then.
                Some(Err(error)) if complained_at.is_none_or(|at| at.elapsed() > COMPLAINT_EVERY) => {
                    warn!(%error, "hints cannot be heard; what is kept is looked at again by its age");
                    complained_at = Some(Instant::now());
                }
                Some(Err(_)) => {}
            }
        }
    }

    fn begin_anew(&self, is_ending: &AtomicBool) {
        while !is_ending.load(Ordering::Relaxed) {
            if self.begin_at_the_end().is_ok() {
                // After the new beginning, so that nothing is between the two.
                self.heard.tell_missed();
                return;
            }
            thread::sleep(ANEW_PAUSE);
        }
    }
}

/// Whether the place to hear from is no longer there: deleted by age, or with its topic.
fn is_gone(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
        )
    )
}
