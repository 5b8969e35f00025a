//! The brokers that the tests use; the only place that knows where they come from.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use event_log::kafka::{KafkaAddress, KafkaLog, KafkaLogSettings, OpenError, TopicSettings, create_topic};
use test_servers::Kafka;
use tokio::sync::{Mutex, MutexGuard};

use crate::follow::PATIENCE;

/// Serves every test that does no harm to it.
static SHARED: LazyLock<Kafka> = LazyLock::new(|| Kafka::find().unwrap());

/// Is killed and paused, by one test at a time.
static KILLABLE: LazyLock<Mutex<Kafka>> = LazyLock::new(|| Mutex::new(Kafka::start_temporary(1).unwrap()));

/// Few enough that every test is quick, enough to be shared by two.
pub(crate) const PARTITIONS: u32 = 4;

/// Whether there is nothing to test on.
pub(crate) fn is_missing() -> bool {
    test_servers::skipped("event-log on Kafka")
}

/// The broker that every test uses.
pub(crate) async fn shared() -> String {
    tokio::task::spawn_blocking(|| SHARED.addresses().join(",")).await.unwrap()
}

/// A broker for one test alone, to kill and to pause.
pub(crate) struct Broker(MutexGuard<'static, Kafka>);

pub(crate) async fn killable() -> Broker {
    let kafka = tokio::task::spawn_blocking(|| &*KILLABLE).await.unwrap();
    Broker(kafka.lock().await)
}

impl Broker {
    pub(crate) fn addresses(&self) -> String {
        self.0.addresses().join(",")
    }

    /// kill -9.
    pub(crate) fn kill(&self) {
        tokio::task::block_in_place(|| self.0.kill(0)).unwrap();
    }

    /// Starts it again with its data, and waits until it serves.
    pub(crate) fn restart(&self) {
        tokio::task::block_in_place(|| self.0.restart(0)).unwrap();
    }

    /// Makes it answer nobody.
    pub(crate) fn pause(&self) {
        tokio::task::block_in_place(|| self.0.pause(0)).unwrap();
    }

    /// Makes it answer again.
    pub(crate) fn resume(&self) {
        tokio::task::block_in_place(|| self.0.resume(0)).unwrap();
    }
}

/// The address of a topic that nobody else uses; not made yet. `query` starts with `?` or is empty.
pub(crate) fn unused(brokers: &str, query: &str) -> KafkaAddress {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("kafka://{brokers}/events-{}-{number}{query}", std::process::id()).parse().unwrap()
}

/// A new topic.
pub(crate) async fn made(brokers: &str, query: &str) -> KafkaAddress {
    let address = unused(brokers, query);
    let settings = topic_settings();
    once_answered(|| create_topic(&address, &settings)).await.unwrap();
    address
}

/// Asks again where a broker that was just started, or paused, does not answer yet or is no member of its own
/// cluster yet.
pub(crate) async fn once_answered<T, F: Future<Output = Result<T, OpenError>>>(
    mut ask: impl FnMut() -> F,
) -> Result<T, OpenError> {
    let started = Instant::now();
    loop {
        match ask().await {
            Err(error) if is_passing(&error) && started.elapsed() < PATIENCE => {
                tokio::task::yield_now().await;
            }
            asked => return asked,
        }
    }
}

fn is_passing(error: &OpenError) -> bool {
    match error {
        OpenError::Unreachable { .. } => true,
        OpenError::Refused { reason, .. } => reason.contains("InvalidReplicationFactor"),
        OpenError::NoTopic { .. } => false,
    }
}

pub(crate) fn topic_settings() -> TopicSettings {
    TopicSettings { partitions: PARTITIONS, replication: None }
}

pub(crate) async fn open(address: &KafkaAddress) -> KafkaLog {
    open_with(address, KafkaLogSettings::default()).await
}

pub(crate) async fn open_with(address: &KafkaAddress, settings: KafkaLogSettings) -> KafkaLog {
    once_answered(|| KafkaLog::open(address, settings.clone())).await.unwrap()
}
