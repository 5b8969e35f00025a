//! Where a test's cluster lives: a topic and a keyspace of its own on servers that tests share, or on servers of its
//! own where it kills them.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use event_log::kafka::{KafkaAddress, KafkaLog, KafkaLogSettings, OpenError};
use tempfile::TempDir;
use test_servers::{Cassandra, Kafka};

use crate::support::{forge::Forge, process::Setup, seconds, until};

/// A broker answers within this, however busy the machine is.
const ANSWER_MAX: Duration = seconds(60);

/// Two dozen changes of a schema, after each of which three busy servers must agree.
const MIGRATE_MAX: Duration = seconds(240);

/// Fewer than usual, so that every partition has something to do.
pub(crate) const PARTITIONS: &str = "6";

/// A member of the group that says nothing for so long is taken for dead.
pub(crate) const SESSION: Duration = seconds(6);

/// Both servers, of so many nodes each.
struct Servers {
    kafka: Kafka,
    cassandra: Cassandra,
}

static SHARED: LazyLock<Arc<Servers>> = LazyLock::new(|| Servers::start(1));

impl Servers {
    fn start(nodes: usize) -> Arc<Servers> {
        let kafka = Kafka::start_temporary(nodes).unwrap();
        let cassandra = Cassandra::start_temporary(nodes).unwrap();
        Arc::new(Servers { kafka, cassandra })
    }
}

/// A test's cluster.
pub(crate) struct Place {
    servers: Arc<Servers>,
    pub(crate) topic: String,
    pub(crate) keyspace: String,
    folder: TempDir,
}

impl Place {
    /// On servers that other tests use too; `None` where there are none.
    pub(crate) async fn shared(what: &str) -> Option<Place> {
        Self::on(what, || Arc::clone(&SHARED)).await
    }

    /// On servers that may be killed.
    pub(crate) async fn alone(what: &str) -> Option<Place> {
        Self::on(what, || Servers::start(1)).await
    }

    /// On three nodes of each server, which may be killed; everything is kept three times.
    pub(crate) async fn threefold(what: &str) -> Option<Place> {
        Self::on(what, || Servers::start(3)).await
    }

    async fn on(what: &str, servers: impl FnOnce() -> Arc<Servers> + Send + 'static) -> Option<Place> {
        static PLACES: AtomicU32 = AtomicU32::new(0);
        if test_servers::skipped(what) {
            return None;
        }
        let servers = tokio::task::spawn_blocking(servers).await.unwrap();
        let number = PLACES.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            servers,
            topic: format!("events-{number}"),
            keyspace: format!("tallyhook_{number}"),
            folder: TempDir::new().unwrap(),
        };
        Some(place)
    }

    pub(crate) fn cassandra(&self) -> &Cassandra {
        &self.servers.cassandra
    }

    /// Does something to Kafka, which takes a while.
    #[track_caller]
    pub(crate) fn to_kafka(&self, what: impl FnOnce(&Kafka) -> anyhow::Result<()>) {
        tokio::task::block_in_place(|| what(&self.servers.kafka)).unwrap();
    }

    /// The same to Cassandra.
    #[track_caller]
    pub(crate) fn to_cassandra(&self, what: impl FnOnce(&Cassandra) -> anyhow::Result<()>) {
        tokio::task::block_in_place(|| what(&self.servers.cassandra)).unwrap();
    }

    /// Settings of every process of this cluster, which asks this forge.
    pub(crate) fn setup(&self, forge: &Forge) -> Setup {
        let Servers { kafka, cassandra } = &*self.servers;
        let (kafka, cassandra) = (kafka.addresses().join(","), cassandra.addresses().join(","));
        let session = SESSION.as_millis();
        Setup::of(self.folder.path(), forge)
            .with("LOG", &format!("kafka://{kafka}/{}?session.timeout.ms={session}", self.topic))
            .with("STORE", &format!("scylla://{cassandra}/{}", self.keyspace))
            .with("TRACK", &forge.track())
            .with_variable("RUST_LOG", "info,rdkafka=error,librdkafka=error")
    }

    /// Deletes the topic of the log, and returns once brokers know of none.
    pub(crate) async fn delete_topic(&self) {
        self.ask_to_delete_topic();
        let address = format!("kafka://{}/{}", self.servers.kafka.addresses().join(","), self.topic);
        let address: KafkaAddress = address.parse().unwrap();
        until(ANSWER_MAX, "the topic to be gone", async || {
            match KafkaLog::open(&address, KafkaLogSettings::default()).await {
                Err(OpenError::NoTopic { .. }) => Ok(()),
                opened => Err(opened.map(drop)),
            }
        })
        .await;
    }

    /// DeleteTopics (20) in version 1 of Kafka's protocol.
    fn ask_to_delete_topic(&self) {
        let name = self.topic.as_bytes();
        let mut request = b"\0\x14\0\x01\0\0\0\x01\xff\xff\0\0\0\x01".to_vec();
        request.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        request.extend(name);
        request.extend(10_000_u32.to_be_bytes());
        let mut stream = TcpStream::connect(&self.servers.kafka.addresses()[0]).unwrap();
        stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(&request).unwrap();
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[answer.len() - 2..], [0, 0], "the topic was not deleted: {answer:?}");
    }

    /// Makes topics and tables.
    pub(crate) async fn migrate(&self, setup: &Setup) -> String {
        // Said, not counted by the command: a node that does not know of all others yet would count too few.
        let copies = self.cassandra().addresses().len().to_string();
        let said = ["migrate", "--partitions", PARTITIONS, "--replication", &copies];
        setup.run_within(MIGRATE_MAX, &said).await.done()
    }
}
