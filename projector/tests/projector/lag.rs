//! The lag is told while the store is away, which is when somebody must know of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{Epoch, Row, RowKey, ScanKey, Version};
use event_log::{EmbeddedLog, EmbeddedLogSettings, EventLog};
use projector::{Lag, Metrics, Progress, Projector, ProjectorSettings};
use testkit::stage::Stage;
use tokio_util::sync::CancellationToken;
use view_store::{EmbeddedStore, InProcessHints, RowStream, StoreError, ViewStore};

use crate::scene::{Scene, records};

/// A busy machine looks at the lag later than once a second.
const WITHIN: Duration = Duration::from_secs(60);

/// A store that takes no rows while it is away.
struct Leaving {
    store: EmbeddedStore,
    is_away: Arc<AtomicBool>,
}

#[async_trait]
impl ViewStore for Leaving {
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        self.store.get(key).await
    }

    async fn scan(&self, range: &ScanKey) -> Result<RowStream, StoreError> {
        self.store.scan(range).await
    }

    async fn write(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Retry("away".to_owned()));
        }
        self.store.write(rows).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.store.flush().await
    }
}

#[tokio::test]
async fn records_that_wait_for_the_store_are_counted_and_grow_older() {
    let log = Arc::new(EmbeddedLog::in_memory(EmbeddedLogSettings::default()).unwrap());
    let store = Stage::empty_store();
    let epoch = Row { key: RowKey::Epoch, version: Version::LEAST, value: Epoch::FIRST.encode().into() };
    store.write(vec![epoch]).await.unwrap();
    let is_away = Arc::new(AtomicBool::new(false));
    let (progress, mut reader) = Progress::new();
    let projector = Projector {
        log: log.clone(),
        store: Arc::new(Leaving { store, is_away: Arc::clone(&is_away) }),
        hints: Arc::new(InProcessHints::new()),
        progress,
        metrics: Metrics::register(&prometheus::Registry::new()).unwrap(),
        settings: ProjectorSettings::default(),
    };
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(projector.run(shutdown.clone()));
    assert!(reader.wait_caught_up().await);

    is_away.store(true, Ordering::Relaxed);
    let scene = Scene::new();
    let script = scene.script();
    let waiting: Vec<_> = scene.emitted.iter().flatten().flat_map(|event| records(event, &script)).collect();
    let count = u64::try_from(waiting.len()).unwrap();
    log.append(waiting).await.unwrap();
    let lag = |what: fn(Lag, u64, f64) -> bool, since: f64| {
        let reader = &reader;
        async move {
            tokio::time::timeout(WITHIN, async {
                while !what(reader.lag(), count, since) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                reader.lag()
            })
            .await
            .unwrap_or_else(|_| panic!("the lag is {:?}", reader.lag()))
        }
    };
    let first = lag(|lag, count, _| lag.records == count, 0.0).await;
    lag(|lag, count, since| lag.records == count && lag.seconds > since + 1.0, first.seconds).await;

    is_away.store(false, Ordering::Relaxed);
    assert_eq!(lag(|lag, _, _| lag.records == 0, 0.0).await, Lag::default());
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
