//! The thread that sends what was gathered.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};
use tokio::sync::watch;
use tracing::debug;

use super::{
    CLOSE_TIME_MAX, FOLDED_EVERY, GATHER_TIME, HintsError,
    gathered::{Gathered, Parcel},
    message, unusable,
};
use crate::{Hint, Positions};

/// Far below what a topic takes by default, far above what one gathering usually needs.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Sends hints from a thread of its own.
pub(super) struct Teller {
    shared: Arc<Shared>,
    ended: watch::Receiver<bool>,
}

#[derive(Default)]
struct Shared {
    gathered: Mutex<Gathered>,
    /// A message was not delivered.
    was_lost: AtomicBool,
    is_ending: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Teller {
    pub(super) fn start(config: &ClientConfig, topic: &str, partitions: i32) -> Result<Self, HintsError> {
        let shared = Arc::new(Shared::default());
        let mut config = config.clone();
        config
            .set("client.id", "tallyhook-hints")
            // What a dead leader takes along is told again, or noticed by the age of a cache.
            .set("acks", "1")
            .set("linger.ms", "0")
            .set("compression.type", "lz4")
            .set("message.timeout.ms", "10000")
            .set("queue.buffering.max.kbytes", "16384")
            .set("allow.auto.create.topics", "false");
        let producer: BaseProducer<Receipts> = config
            .create_with_context(Receipts(Arc::clone(&shared)))
            .map_err(|error| unusable(topic, error))?;
        // Order is kept within a partition, so a process keeps to one.
        let partition = i32::try_from(std::process::id() % u32::try_from(partitions.max(1)).unwrap_or(1));
        let line = Line { producer, topic: topic.to_owned(), partition: partition.unwrap_or(0) };
        let (end, ended) = watch::channel(false);
        let telling = Arc::clone(&shared);
        let run = move || {
            line.run(&telling);
            end.send_replace(true);
        };
        thread::Builder::new()
            .name("hints-out".to_owned())
            .spawn(run)
            .map_err(|error| unusable(topic, error))?;
        Ok(Teller { shared, ended })
    }

    pub(super) fn tell(&self, hints: &[Hint]) {
        self.shared.lock().add(hints);
    }

    /// Sends the last and ends; resolves when it has.
    pub(super) fn end(&self) -> impl Future<Output = ()> + Send + use<> {
        self.shared.is_ending.store(true, Ordering::Relaxed);
        let mut ended = self.ended.clone();
        async move {
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.shared.is_ending.store(true, Ordering::Relaxed);
    }
}

/// Hears of messages that did not arrive.
struct Receipts(Arc<Shared>);

impl ClientContext for Receipts {}

impl ProducerContext for Receipts {
    type DeliveryOpaque = ();

    fn delivery(&self, receipt: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = receipt {
            debug!(%error, partition = message.partition(), "hints were not delivered");
            self.0.was_lost.store(true, Ordering::Relaxed);
        }
    }
}

/// The way to one partition of the topic.
struct Line {
    producer: BaseProducer<Receipts>,
    topic: String,
    partition: i32,
}

impl Line {
    fn run(&self, shared: &Shared) {
        let mut told = Positions::default();
        let mut told_at = Instant::now();
        loop {
            let is_ending = shared.is_ending.load(Ordering::Relaxed);
            // Takes in receipts, and takes as long as it is told to.
            self.producer.poll(GATHER_TIME);
            let mut gathered = shared.lock();
            if shared.was_lost.swap(false, Ordering::Relaxed) {
                gathered.lose();
            }
            let mut parcel = gathered.take();
            drop(gathered);
            if told_at.elapsed() >= FOLDED_EVERY {
                told = Positions::default();
                told_at = Instant::now();
            }
            let news = parcel.folded.other_than(&told);
            told = std::mem::replace(&mut parcel.folded, news);
            if !self.send(parcel) {
                shared.was_lost.store(true, Ordering::Relaxed);
            }
            if is_ending {
                let _ = self.producer.flush(CLOSE_TIME_MAX);
                return;
            }
        }
    }

    /// Whether everything could be handed over.
    fn send(&self, parcel: Parcel) -> bool {
        let hints = message::encode(parcel.rows, parcel.folded, MESSAGE_BYTES_MAX);
        let first = parcel.is_lossy.then(message::missed);
        first.into_iter().chain(hints).all(|message| {
            let record = BaseRecord::<(), [u8]>::to(&self.topic).partition(self.partition).payload(&message);
            self.producer.send(record).is_ok()
        })
    }
}
