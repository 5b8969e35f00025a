//! Hints over a topic of a real Kafka.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{AccountId, Epoch, RowKey, Version};
use rdkafka::ClientConfig;
use test_servers::Kafka;
use view_store::{
    Follower, Heard, Hint, Hints,
    hints::kafka::{HintsError, KafkaHints, create_topic},
};

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::find().unwrap());

/// Fifty milliseconds of gathering and the way there; a busy machine may take seconds.
const HEARD_WITHIN: Duration = Duration::from_secs(90);

async fn config() -> ClientConfig {
    let brokers = tokio::task::spawn_blocking(|| KAFKA.addresses().join(",")).await.unwrap();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}

/// A topic of a test's own.
async fn topic() -> (ClientConfig, String) {
    static TOPICS: AtomicU32 = AtomicU32::new(0);
    let config = config().await;
    let topic = format!("hints-{}-{}", std::process::id(), TOPICS.fetch_add(1, Ordering::Relaxed));
    assert!(create_topic(&config, &topic, None).await.unwrap(), "it is made");
    assert!(!create_topic(&config, &topic, None).await.unwrap(), "it is there");
    (config, topic)
}

fn version(offset: u64) -> Version {
    Version::new(Epoch::FIRST, offset)
}

fn row(id: u64, offset: u64) -> Hint {
    let value = Some(b"of the publisher alone".as_slice().into());
    Hint::Row { key: RowKey::Directory(AccountId::github(id)), version: version(offset), value }
}

fn folded(partition: u32, offset: u64) -> Hint {
    Hint::Folded { partition, version: version(offset) }
}

async fn next(follower: &mut Box<dyn Follower>) -> Heard {
    tokio::time::timeout(HEARD_WITHIN, follower.next()).await.expect("nothing is heard").unwrap()
}

/// Hears until `partition` is folded up to there; the rows heard before, by account.
async fn rows_before(
    follower: &mut Box<dyn Follower>,
    partition: u32,
    offset: u64,
) -> Vec<(RowKey, Version)> {
    let mut rows = Vec::new();
    loop {
        let Heard::Hints(hints) = next(follower).await else { panic!("nothing was lost") };
        for hint in hints.iter() {
            match hint {
                Hint::Row { key, version, value } => {
                    assert!(value.is_none(), "values stay at home");
                    rows.push((key.clone(), *version));
                }
                Hint::Folded { partition: at, version: until } => {
                    if *at == partition && *until >= version(offset) {
                        return rows;
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_hears_rows_before_it_hears_that_they_are_folded() {
    if test_servers::skipped("hints over a topic") {
        return;
    }
    let (config, topic) = topic().await;
    let one = KafkaHints::open(config.clone(), &topic).await.unwrap();
    let other = KafkaHints::open(config, &topic).await.unwrap();
    let mut followers = [one.follow(), other.follow()];
    // More than fits into one message, and one row again and again.
    let many: Vec<Hint> = (0..20_000).map(|id| row(id, 5)).collect();
    one.publish(many);
    for offset in 6..100 {
        one.publish(vec![row(1, offset)]);
    }
    one.publish(vec![folded(3, 99)]);
    for follower in &mut followers {
        let rows = rows_before(follower, 3, 99).await;
        let newest = |id: u64| {
            let key = RowKey::Directory(AccountId::github(id));
            rows.iter().filter(|(known, _)| *known == key).map(|(_, version)| *version).max()
        };
        assert_eq!(newest(1), Some(version(99)));
        assert_eq!(newest(19_999), Some(version(5)));
        assert!(rows.len() < 20_050, "{} hints for 20 000 rows: one row is told once a moment", rows.len());
        assert_eq!(follower.folded().get(3), Some(version(99)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_to_listen_is_told_how_far_everything_is() {
    if test_servers::skipped("hints over a topic") {
        return;
    }
    let (config, topic) = topic().await;
    let teller = KafkaHints::open(config.clone(), &topic).await.unwrap();
    teller.publish(vec![row(1, 7), folded(0, 7), folded(1, 9)]);
    let mut early = teller.follow();
    rows_before(&mut early, 1, 9).await;
    let late = KafkaHints::open(config, &topic).await.unwrap();
    let mut follower = late.follow();
    let rows = rows_before(&mut follower, 1, 9).await;
    assert_eq!(rows, [], "what was told before is not told again, but for positions");
    assert_eq!(late.follow().folded().get(0), Some(version(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_hints_of_a_process_are_sent_before_it_goes() {
    if test_servers::skipped("hints over a topic") {
        return;
    }
    let (config, topic) = topic().await;
    let stays = KafkaHints::open(config.clone(), &topic).await.unwrap();
    let mut follower = stays.follow();
    let goes = KafkaHints::open(config, &topic).await.unwrap();
    goes.publish(vec![row(1, 3), folded(2, 3)]);
    let begun = Instant::now();
    goes.close().await;
    assert!(begun.elapsed() < HEARD_WITHIN);
    drop(goes);
    assert_eq!(rows_before(&mut follower, 2, 3).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_missing_or_cannot_be_reached_is_refused_with_a_sentence() {
    if test_servers::skipped("hints over a topic") {
        return;
    }
    let missing = KafkaHints::open(config().await, "nobody-made-this").await;
    let error = missing.err().unwrap();
    assert!(matches!(error, HintsError::NoTopic(_)) && error.to_string().contains("migrate"), "{error}");
    let mut nowhere = ClientConfig::new();
    nowhere.set("bootstrap.servers", "127.0.0.1:9");
    let error = KafkaHints::open(nowhere, "hints").await.err().unwrap();
    assert!(matches!(error, HintsError::Unusable { .. }), "{error}");
}
