//! To real servers: other partitions, a group of its own, rows in tables.

use std::{collections::BTreeMap, time::Duration};

use domain::{Family, GENERATION, view::body::Stored};
use event_log::{
    Appended,
    kafka::{KafkaAddress, KafkaLog, KafkaLogSettings, TopicSettings, create_topic},
};
use futures::TryStreamExt;
use test_servers::{Cassandra, Kafka};
use view_store::cql::{CqlAddress, CqlStore, CqlStoreSettings, MigrateSettings, migrate};

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

/// Run it with `cargo test -p tallyhook --features cluster moved_to_a_cluster -- --ignored`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "where it kills the copy depends on how fast the servers are"]
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
    let originals = records_of(&*stayed.log()).await.len() as u64;
    // Killed somewhere in the middle, and begun again.
    let killed = killed_after(200, copy(folder.path(), &*log, &*store)).await;
    assert!(killed.is_none(), "it had more to do: {killed:?}");
    let copied = loop {
        match copy(folder.path(), &*log, &*store).await {
            Ok(copied) => break copied,
            // The folder of the killed copy is let go of by another thread.
            Err(failure) => assert!(failure.to_string().contains("another process uses"), "{failure}"),
        }
    };
    assert!(copied.records <= originals);
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
