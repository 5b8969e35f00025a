//! Log, store and hints, opened together, whichever technology keeps them: nothing after this knows.

#[cfg(feature = "cluster")]
pub(crate) mod cluster;
pub(crate) mod embedded;
mod kafka_metrics;
mod older;

use std::{sync::Arc, time::Duration};

use boot::metrics::Collectors;
use event_log::EventLog;
use prometheus::{IntGauge, Registry};
use tokio::sync::watch;
use view_store::{Hints, Served, ViewStore};

use crate::{
    backup::Backup,
    failure::{Failure, failed},
    forget::Eraser,
    places::Places,
    roles::Roles,
    settings::Settings,
};

/// The log and what belongs to it.
pub(crate) struct Ports {
    pub(crate) log: Arc<dyn EventLog>,
    /// `None` for a process that only takes deliveries in.
    pub(crate) rows: Option<RowPorts>,
    /// Each a sentence once storage of this process can no longer be used.
    pub(crate) broken: Vec<watch::Receiver<Option<String>>>,
    /// Whether other processes share log and store.
    pub(crate) is_cluster: bool,
    /// What copies the data folder while it is used; `None` in a cluster.
    pub(crate) backup: Option<Backup>,
    /// What erases records in place; `None` in a cluster.
    pub(crate) eraser: Option<Eraser>,
    /// What an operator does when the log was replaced.
    pub(crate) remedy: Option<&'static str>,
    ending: Ending,
}

/// The store and word of its changes.
pub(crate) struct RowPorts {
    pub(crate) store: Arc<dyn ViewStore>,
    /// Where the projector tells.
    pub(crate) told: Arc<dyn Hints>,
    /// Where backfill hears of what its own projector folds, with values.
    pub(crate) near: Arc<dyn Hints>,
    /// Where the query API hears of what any projector folds.
    pub(crate) far: Arc<dyn Hints>,
    /// How long copies of rows are trusted; `None` where no hint can be lost unnoticed.
    pub(crate) cache_age_max: Option<Duration>,
    /// What readers see until this way of folding has caught up; `None` where there is nothing else to see.
    pub(crate) served: Option<Served>,
    /// All rows that say which account a login means, where the log forgets at our word.
    pub(crate) aliases: Option<backfill::Aliases>,
    /// Drops what older ways of folding left behind, where that is this process's to decide.
    pub(crate) older: Option<embedded::OlderGenerations>,
}

/// What is closed at the end.
enum Ending {
    Nothing,
    #[cfg(feature = "cluster")]
    Cluster(cluster::Closing),
}

impl Ports {
    /// Opens what these roles need.
    #[cfg_attr(not(feature = "cluster"), expect(unused_variables, reason = "a data folder knows no roles"))]
    pub(crate) async fn open(
        settings: &Settings,
        roles: Roles,
        registry: &Registry,
    ) -> Result<Ports, Failure> {
        let ports = match &settings.places {
            Places::Embedded => embedded::open(&settings.data_dir).await?,
            #[cfg(feature = "cluster")]
            Places::Cluster(places) => cluster::open(places, roles, registry).await?,
        };
        let partitions = partitions().map_err(failed)?;
        partitions.set(ports.log.identity().partitions.into());
        boot::metrics::register(registry, vec![Box::new(partitions)]).map_err(failed)?;
        Ok(ports)
    }

    /// Sends and flushes what is on its way, each within a bound.
    pub(crate) async fn close(&self) {
        match &self.ending {
            Ending::Nothing => {}
            #[cfg(feature = "cluster")]
            Ending::Cluster(closing) => closing.close().await,
        }
    }
}

/// Metrics of the clients of a cluster, for the reference page.
pub(crate) fn collectors() -> prometheus::Result<Collectors> {
    let mut all = kafka_metrics::KafkaMetrics::new()?.collectors();
    all.push(Box::new(partitions()?));
    Ok(all)
}

fn partitions() -> prometheus::Result<IntGauge> {
    IntGauge::new("tallyhook_log_partitions", "Partitions that the log has.")
}
