//! To real servers: other partitions, a group of its own, rows in tables.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use domain::{Family, GENERATION, ScanKey, view::body::Stored};
use event_log::{
    AppendError, Appended,
    kafka::{KafkaAddress, KafkaLog, KafkaLogSettings, TopicSettings, create_topic},
};
use futures::TryStreamExt;
use test_servers::{Cassandra, Kafka};
use testkit::watched::{WatchedLog, Watcher};
use tokio::sync::Notify;
use view_store::{
    RowStream, StoreError,
    cql::{CqlAddress, CqlStore, CqlStoreSettings, MigrateSettings, migrate},
};

use super::*;

const PARTITIONS: u32 = 12;
/// A group that is joined anew, on a busy machine.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Payloads of all views that are shown, as they lie in a store.
async fn payloads(keys: &EmbeddedStore, store: &dyn ViewStore) -> BTreeMap<RowKey, Vec<u8>> {
    let rows: Vec<Row> = keys.rows_of(Family::View).unwrap().try_collect().await.unwrap();
    let mut payloads = BTreeMap::new();
    for row in rows {
        let row = store.get(&row.key).await.unwrap().unwrap();
        if let Stored::Body(body) = Stored::decode(&row.value).unwrap() {
            payloads.insert(row.key, body.gzip.to_vec());
        }
    }
    payloads
}

fn folded(registry: &Registry) -> f64 {
    let families = registry.gather();
    let projected = families.iter().filter(|family| family.name() == "tallyhook_projected_records_total");
    projected.flat_map(|family| family.get_metric()).map(|metric| metric.get_counter().get_value()).sum()
}

/// So many appends and writes are answered before the target falls silent.
const ANSWERS: usize = 1;

/// When a target no longer answers.
struct Silence {
    answers_left: AtomicUsize,
    has_fallen: Notify,
}

impl Silence {
    fn after(answers: usize) -> Self {
        Silence { answers_left: answers.into(), has_fallen: Notify::new() }
    }

    /// Passes an answer on, or keeps it for ever.
    async fn answer<T>(&self, answer: T) -> T {
        let left = |left: usize| left.checked_sub(1);
        if self.answers_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_err() {
            self.has_fallen.notify_one();
            std::future::pending::<()>().await;
        }
        answer
    }
}

/// The log lands what it is given, and then answers no more.
#[async_trait]
impl Watcher for Silence {
    async fn append(&self, log: &dyn EventLog, records: Vec<Record>) -> Result<Appended, AppendError> {
        self.answer(log.append(records).await).await
    }
}

/// A store that keeps what it is given and then answers no more.
struct SilentStore<'a> {
    store: &'a CqlStore,
    silence: &'a Silence,
}

#[async_trait]
impl ViewStore for SilentStore<'_> {
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        self.store.get(key).await
    }

    async fn scan(&self, range: &ScanKey) -> Result<RowStream, StoreError> {
        self.store.scan(range).await
    }

    async fn write(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.silence.answer(self.store.write(rows).await).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.store.flush().await
    }
}

/// Copies once the folder is free: that of a killed copy is let go of by another thread.
async fn copy_when_free(folder: &Path, log: &dyn EventLog, store: &dyn ViewStore) -> Copied {
    let copied = async {
        loop {
            match copy(folder, log, store).await {
                Ok(copied) => break copied,
                Err(failure) => assert!(failure.to_string().contains("another process uses"), "{failure}"),
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT_MAX, copied).await.unwrap()
}

/// Copies until the target has fallen silent, and is dropped then as a kill does.
async fn killed_in(silence: &Silence, folder: &Path, log: &dyn EventLog, store: &dyn ViewStore) {
    tokio::select! {
        copied = copy_when_free(folder, log, store) => panic!("it had more to do: {copied:?}"),
        () = silence.has_fallen.notified() => {}
    }
}

async fn record_count(log: &dyn EventLog) -> u64 {
    log.bounds().await.unwrap().iter().map(|bounds| bounds.end - bounds.start).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_moved_to_a_cluster_goes_on_as_one_that_stayed() {
    if test_servers::skipped("moving to a cluster") {
        return;
    }
    let (kafka, cassandra) = (Kafka::find().unwrap(), Cassandra::find().unwrap());
    let topic: KafkaAddress = format!("kafka://{}/moved", kafka.addresses().join(",")).parse().unwrap();
    let settings = TopicSettings { partitions: PARTITIONS, ..TopicSettings::default() };
    create_topic(&topic, &settings).await.unwrap();
    let keyspace: CqlAddress = format!("scylla://{}/moved", cassandra.addresses().join(",")).parse().unwrap();
    migrate(&keyspace, MigrateSettings { generation: GENERATION, replication: None }).await.unwrap();
    let story = Story::new();
    let folder = tempfile::tempdir().unwrap();
    let stayed = stopped_folder(&story, folder.path()).await;

    let log = Arc::new(KafkaLog::open(&topic, KafkaLogSettings::default()).await.unwrap());
    let store_settings = CqlStoreSettings { generation: GENERATION, ..CqlStoreSettings::default() };
    let store = Arc::new(CqlStore::open(&keyspace, store_settings).await.unwrap());
    let originals = record_count(&*stayed.log()).await;
    // Killed while records are on their way, then while rows are, and begun again each time.
    let silent = WatchedLog::over(Arc::clone(&log) as Arc<dyn EventLog>, Silence::after(ANSWERS));
    killed_in(&silent.watcher, folder.path(), &silent, &*store).await;
    let landed = record_count(&*log).await;
    assert!(0 < landed && landed < originals, "{landed} of {originals} records");
    // The epoch is there already: this is about rows.
    let silence = Silence::after(ANSWERS);
    killed_in(&silence, folder.path(), &*log, &SilentStore { store: &store, silence: &silence }).await;
    assert_eq!(record_count(&*log).await, originals);
    let copied = copy_when_free(folder.path(), &*log, &*store).await;
    assert_eq!(copied.records, 0, "no record was left for the last one");
    assert_eq!(record_count(&*log).await, originals, "no record was copied twice");
    assert_eq!(copied.epoch, Epoch(2));
    let before = payloads(&stayed.store(), &*store).await;
    assert!(before.len() >= 6);
    assert_eq!(before, payloads(&stayed.store(), &stayed.store()).await);

    let registry = Registry::new();
    let (progress, mut reader) = Progress::new();
    let projector = Projector {
        log: Arc::clone(&log) as Arc<dyn EventLog>,
        store: Arc::clone(&store) as Arc<dyn ViewStore>,
        hints: Arc::new(InProcessHints::new()),
        progress,
        metrics: projector::Metrics::register(&registry).unwrap(),
        settings: ProjectorSettings::default(),
    };
    let stop = CancellationToken::new();
    let folding = tokio::spawn(projector.run(stop.clone()));
    assert!(tokio::time::timeout(WAIT_MAX, reader.wait_caught_up()).await.unwrap());
    assert_eq!(folded(&registry), 0.0, "what was copied is not folded again");

    for record in &story.late {
        let Appended::New(positions) = log.append(vec![record.clone()]).await.unwrap() else {
            panic!("nothing here has a dedupe key");
        };
        for at in positions {
            let waited = tokio::time::timeout(WAIT_MAX, reader.wait_folded(at.partition, at.offset)).await;
            assert!(waited.unwrap(), "the projector ended");
        }
    }
    story.go_on(&stayed).await;
    let after = payloads(&stayed.store(), &*store).await;
    assert_ne!(before, after, "something happened after the move");
    assert_eq!(after, payloads(&stayed.store(), &stayed.store()).await);
    stop.cancel();
    folding.await.unwrap().unwrap();
    log.close().await;
}
