//! The door behind the accept loop, over a log in memory.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use boot::http::{Limits, Served, bind, serve};
use domain::{AccountId, StreamKey};
use event_log::{EmbeddedLog, EmbeddedLogSettings, EventLog, Limit, Position, Record};
use github::signature::Secrets;
use ingest::{Ingest, IngestDeps, IngestLimits, IngestMetrics, SharedSecrets};
use prometheus::{Registry, TextEncoder};
use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Answer, Client},
    delivery::{Delivery, PREVIOUS_SECRET, SECRET},
    logs,
};

/// Much shorter than in production; nothing is asserted to be faster than anything.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) done: JoinHandle<Served>,
    pub(crate) ingest: Ingest,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) secrets: SharedSecrets,
    registry: Registry,
}

pub(crate) fn memory() -> Arc<EmbeddedLog> {
    Arc::new(EmbeddedLog::in_memory(EmbeddedLogSettings::default()).unwrap())
}

pub(crate) fn secrets(pairs: &[(&str, &str)]) -> Secrets {
    let values: Vec<(&str, SecretString)> =
        pairs.iter().map(|(name, value)| (*name, SecretString::from(*value))).collect();
    Secrets::new(values.iter().map(|(name, value)| (*name, value))).unwrap()
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(memory(), IngestLimits::default())
    }

    pub(crate) fn with(log: Arc<dyn EventLog>, limits: IngestLimits) -> Self {
        let http = Limits { linger_timeout: Duration::from_secs(30), ..Limits::default() };
        Self::with_http(log, limits, http)
    }

    pub(crate) fn with_http(log: Arc<dyn EventLog>, limits: IngestLimits, http: Limits) -> Self {
        logs::collect();
        let registry = Registry::new();
        let metrics = IngestMetrics::register(&registry).unwrap();
        let secrets = SharedSecrets::new(secrets(&[("current", SECRET), ("previous", PREVIOUS_SECRET)]));
        let deps = IngestDeps { log: Arc::clone(&log), secrets: secrets.clone(), limits, metrics };
        let ingest = Ingest::new(deps);
        let listener = bind("127.0.0.1:0".parse().unwrap(), "--listen").unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let done = tokio::spawn(serve(listener, ingest.router(), http, shutdown.clone()));
        Server { address, shutdown, done, ingest, log, secrets, registry }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// The answer to these bytes on a connection of their own.
    pub(crate) async fn answer_to(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.answer().await
    }

    pub(crate) async fn deliver(&self, delivery: &Delivery) -> Answer {
        self.answer_to(delivery.bytes()).await
    }

    pub(crate) async fn status_of(&self, delivery: &Delivery) -> u16 {
        self.deliver(delivery).await.status
    }

    /// The records of a GitHub account, in order.
    pub(crate) async fn records_of(&self, account: u64) -> Vec<Record> {
        records_of(&*self.log, StreamKey::Account(AccountId::github(account))).await
    }

    /// How many records there are in all.
    pub(crate) async fn record_count(&self) -> u64 {
        self.log.bounds().await.unwrap().iter().map(|bounds| bounds.end - bounds.start).sum()
    }

    /// The value of a metric, written with its labels as Prometheus shows it.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    pub(crate) fn deliveries(&self, event: &str, result: &str) -> f64 {
        self.metric(&format!("tallyhook_deliveries_total{{event=\"{event}\",result=\"{result}\"}}"))
    }

    pub(crate) fn bytes_in_flight(&self) -> f64 {
        self.metric("tallyhook_ingest_bytes_in_flight")
    }
}

pub(crate) async fn records_of(log: &dyn EventLog, stream: StreamKey) -> Vec<Record> {
    let from = Position { partition: log.partition_of(stream), offset: 0 };
    let limit = Limit { records_max: 1000, bytes_max: usize::MAX };
    let records = log.read(from, limit).await.unwrap();
    records.into_iter().map(|(_, record)| record).filter(|record| record.stream == stream).collect()
}
