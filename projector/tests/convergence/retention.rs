//! A log that forgets while a history is played: bases are made and the records before them forgotten, whatever else
//! goes on. A store that is built anew from what is left has the rows that one from the whole log would have.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use backfill::{Retention, RetentionMetrics, RetentionSettings};
use bytes::Bytes;
use domain::{Family, RowKey, StreamKey, Version};
use event_log::{EventLog, embedded::PARTITIONS};
use futures::TryStreamExt;
use testkit::stage::Stage;
use tokio::{sync::watch, task::JoinHandle};
use view_store::ViewStore;

/// Looks at the log of a stage, after which everything that was received before is forgotten behind bases.
#[derive(Default)]
pub(crate) struct Forgetting {
    looking: Option<JoinHandle<()>>,
    /// How many looks went on to their end.
    pub(crate) looks: usize,
}

impl Forgetting {
    /// Begins a look beside whatever comes next, unless one is on its way.
    pub(crate) async fn begin(&mut self, stage: &Stage) {
        if self.looking.as_ref().is_some_and(|looking| !looking.is_finished()) {
            return;
        }
        self.end().await;
        let store = stage.store();
        let aliases = store.clone();
        let (_, partitions) = watch::channel((0..PARTITIONS).collect());
        let retention = Retention {
            log: stage.log(),
            store: Arc::new(store),
            aliases: Arc::new(move || aliases.rows_of(Family::Alias)),
            partitions,
            metrics: RetentionMetrics::new().expect("their names are valid"),
            settings: RetentionSettings {
                // Histories are of long ago.
                age: Some(Duration::ZERO),
                bytes: None,
                every: Duration::ZERO,
                pace: Duration::ZERO,
            },
        };
        self.looking = Some(tokio::spawn(async move {
            if let Err(error) = retention.look_once().await {
                panic!("the log could not forget: {error}");
            }
        }));
    }

    /// Waits for the look that is on its way.
    pub(crate) async fn end(&mut self) {
        if let Some(looking) = self.looking.take() {
            looking.await.expect("a log in memory forgets what it is told to");
            self.looks += 1;
        }
    }

    /// Kills it wherever it is.
    pub(crate) async fn kill(&mut self) {
        if let Some(looking) = self.looking.take() {
            looking.abort();
            // Whatever it says, it has ended.
            let _ = looking.await;
        }
    }
}

/// What each login leads to, which no stream's rows say.
pub(crate) async fn aliases(stage: &Stage) -> BTreeMap<RowKey, (Version, Bytes)> {
    let rows = stage.store().rows_of(Family::Alias).expect("a store in memory answers");
    rows.map_ok(|row| (row.key, (row.version, row.value)))
        .try_collect()
        .await
        .expect("a store in memory answers")
}

/// What the service's views show.
pub(crate) async fn of_service(stage: &Stage) -> Vec<Option<Bytes>> {
    let mut found = Vec::new();
    for key in domain::base::single_rows(StreamKey::Service) {
        let row = stage.store().get(&key).await.expect("a store in memory answers");
        found.push(row.map(|row| row.value));
    }
    found
}

/// Whether every partition that has many records has forgotten some.
pub(crate) async fn has_forgotten(stage: &Stage, records_min: u64) -> bool {
    let bounds = stage.log().bounds().await.expect("a log in memory answers");
    bounds.iter().all(|bounds| bounds.start > 0 || bounds.end < records_min)
}
