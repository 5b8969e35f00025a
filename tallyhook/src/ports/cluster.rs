//! Kafka and ScyllaDB: the log and the store of many processes, and hints between them over a topic.

use std::{sync::Arc, time::Duration};

use domain::{EntityKey, GENERATION, RowKey, StreamKey};
use event_log::{
    EventLog,
    kafka::{KafkaLog, KafkaLogSettings},
};
use prometheus::Registry;
use tracing::warn;
use view_store::{
    Follower, Heard, Hint, Hints, InProcessHints, ViewStore,
    cql::{CqlStore, CqlStoreSettings},
    hints::kafka::{HintsError, KafkaHints},
    served::Generation,
};

use super::{Ending, Ports, RowPorts, kafka_metrics::KafkaMetrics, older};
use crate::{
    failure::{Failure, failed},
    places::Cluster,
    roles::Roles,
};

/// A copy of a row lives so long at most without being looked at again: hints of a cluster can be lost.
const CACHE_AGE_MAX: Duration = Duration::from_secs(30);

const REMEDY: &str = "If the topic was made anew, restored or lost its end for good, stop every process and run \
                      `tallyhook epoch open`: what the log has now is folded again, and counts from then on. If not, \
                      name the right topic (TALLYHOOK_LOG)";

/// Where hints about one generation of a log's rows go. Of two that stand side by side each has its own, so that
/// nobody takes word of one for word of the other.
pub(crate) fn hints_topic(places: &Cluster, generation: u32) -> String {
    format!("{}-hints-g{generation}", places.log.topic())
}

/// Opens what these roles need. Once it returns, an append takes no longer than usual.
pub(super) async fn open(places: &Cluster, roles: Roles, registry: &Registry) -> Result<Ports, Failure> {
    let metrics = KafkaMetrics::register(registry).map_err(failed)?;
    let settings = KafkaLogSettings {
        client_id: format!("tallyhook-{}", roles.name()),
        observer: Some(Arc::new(metrics)),
        ..KafkaLogSettings::default()
    };
    let log = Arc::new(KafkaLog::open(&places.log, settings).await.map_err(failed)?);
    // Who only takes deliveries in reads and writes no rows.
    let (rows, hints) = if roles.projector || roles.query_api {
        let (mut rows, store, hints) = open_rows(places).await?;
        if roles.query_api {
            let log: Arc<dyn EventLog> = Arc::clone(&log) as Arc<dyn EventLog>;
            let shown = shown_of(places, &*log, &store).await?;
            rows.served = older::served(&log, &rows.store, &rows.far, shown).await?;
        }
        (Some(rows), Some(hints))
    } else {
        (None, None)
    };
    let ending = Ending::Cluster(Closing { log: Arc::clone(&log), hints });
    Ok(Ports {
        broken: vec![log.broken()],
        log,
        rows,
        is_cluster: true,
        backup: None,
        eraser: None,
        remedy: Some(REMEDY),
        ending,
    })
}

async fn open_rows(places: &Cluster) -> Result<(RowPorts, CqlStore, Arc<KafkaHints>), Failure> {
    let settings = CqlStoreSettings { generation: GENERATION, ..CqlStoreSettings::default() };
    let opened = CqlStore::open(&places.store, settings).await.map_err(failed)?;
    let store: Arc<dyn ViewStore> = Arc::new(opened.clone());
    let config = places.log.client_config();
    let far = Arc::new(KafkaHints::open(config, &hints_topic(places, GENERATION)).await.map_err(failed)?);
    let near = Arc::new(InProcessHints::new());
    tokio::spawn(relay(far.follow(), Arc::clone(&near), Arc::clone(&store)));
    let told = Everywhere { near: Arc::clone(&near), far: Arc::clone(&far) };
    let rows = RowPorts {
        store,
        told: Arc::new(told),
        near,
        far: Arc::clone(&far) as Arc<dyn Hints>,
        cache_age_max: Some(CACHE_AGE_MAX),
        // Kafka keeps everything.
        aliases: None,
        served: None,
        older: None,
    };
    Ok((rows, opened, far))
}

/// The older generations that readers must be shown, as far as their tables are there.
async fn shown_of(
    places: &Cluster,
    log: &dyn EventLog,
    store: &CqlStore,
) -> Result<Vec<Generation>, Failure> {
    let wanted = older::wanted(log, store).await?;
    let there = if wanted.is_empty() { Vec::new() } else { store.generations().await.map_err(failed)? };
    let mut shown = Vec::new();
    for number in wanted.into_iter().filter(|number| there.contains(number)) {
        let topic = hints_topic(places, number);
        let hints: Arc<dyn Hints> = match KafkaHints::open(places.log.client_config(), &topic).await {
            Ok(hints) => Arc::new(hints),
            // What is kept of its rows is looked at again by its age.
            Err(HintsError::NoTopic(_)) => Arc::new(InProcessHints::new()),
            Err(error) => return Err(failed(error)),
        };
        let rows = store.with_generation(number).await.map_err(failed)?;
        shown.push(Generation { number, store: Arc::new(rows), hints });
    }
    Ok(shown)
}

/// What is closed at the end.
pub(super) struct Closing {
    log: Arc<KafkaLog>,
    hints: Option<Arc<KafkaHints>>,
}

impl Closing {
    pub(super) async fn close(&self) {
        if let Some(hints) = &self.hints {
            hints.close().await;
        }
        self.log.close().await;
    }
}

/// Hints to this process at once, and to all over the topic.
struct Everywhere {
    near: Arc<InProcessHints>,
    far: Arc<KafkaHints>,
}

impl Hints for Everywhere {
    fn publish(&self, hints: Vec<Hint>) {
        self.far.tell(&hints);
        self.near.publish(hints);
    }

    fn follow(&self) -> Box<dyn Follower> {
        self.near.follow()
    }
}

/// Tells this process what it must know of partitions that others hold: how far they are folded, so that answers
/// which concern them are not taken for older than they are, and when our door opened.
async fn relay(mut far: Box<dyn Follower>, near: Arc<InProcessHints>, store: Arc<dyn ViewStore>) {
    let door = RowKey::Entity(StreamKey::Service, EntityKey::Door);
    while let Some(heard) = far.next().await {
        let (folded, has_door) = match heard {
            Heard::Hints(hints) => {
                let is_door = |hint: &Hint| matches!(hint, Hint::Row { key, .. } if *key == door);
                let is_folded = |hint: &&Hint| matches!(hint, Hint::Folded { .. });
                (hints.iter().filter(is_folded).cloned().collect(), hints.iter().any(is_door))
            }
            Heard::Missed => (far.folded().hints(), true),
        };
        near.publish(folded);
        if has_door {
            match store.get(&door).await {
                Ok(Some(row)) => {
                    let value = Some(row.value);
                    near.publish(vec![Hint::Row { key: row.key, version: row.version, value }]);
                }
                Ok(None) => {}
                Err(error) => {
                    warn!(%error, "it is not known when the door opened; the next sweep comes by itself");
                }
            }
        }
    }
}
