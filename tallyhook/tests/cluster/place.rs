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

use tempfile::TempDir;
use test_servers::{Cassandra, Kafka};

use crate::support::{forge::Forge, process::Setup, seconds};

/// A broker answers within this, however busy the machine is.
const ANSWER_MAX: Duration = seconds(60);

/// Fewer than usual, so that every partition has something to do.
pub(crate) const PARTITIONS: &str = "6";

/// A member of the group that says nothing for so long is taken for dead.
pub(crate) const SESSION: Duration = seconds(6);

static SHARED: LazyLock<(Arc<Kafka>, Arc<Cassandra>)> = LazyLock::new(start);

fn start() -> (Arc<Kafka>, Arc<Cassandra>) {
    (Arc::new(Kafka::start_temporary(1).unwrap()), Arc::new(Cassandra::start_temporary(1).unwrap()))
}

/// A test's cluster.
pub(crate) struct Place {
    pub(crate) kafka: Arc<Kafka>,
    pub(crate) cassandra: Arc<Cassandra>,
    pub(crate) topic: String,
    pub(crate) keyspace: String,
    folder: TempDir,
}

impl Place {
    /// On servers that other tests use too; `None` where there are none.
    pub(crate) async fn shared(what: &str) -> Option<Place> {
        Self::on(what, || SHARED.clone()).await
    }

    /// On servers that may be killed.
    pub(crate) async fn alone(what: &str) -> Option<Place> {
        Self::on(what, start).await
    }

    async fn on(
        what: &str,
        servers: impl FnOnce() -> (Arc<Kafka>, Arc<Cassandra>) + Send + 'static,
    ) -> Option<Place> {
        static PLACES: AtomicU32 = AtomicU32::new(0);
        if test_servers::skipped(what) {
            return None;
        }
        let (kafka, cassandra) = tokio::task::spawn_blocking(servers).await.unwrap();
        let number = PLACES.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            kafka,
            cassandra,
            topic: format!("events-{number}"),
            keyspace: format!("tallyhook_{number}"),
            folder: TempDir::new().unwrap(),
        };
        Some(place)
    }

    /// Settings of every process of this cluster, which asks this forge.
    pub(crate) fn setup(&self, forge: &Forge) -> Setup {
        let (kafka, cassandra) = (self.kafka.addresses().join(","), self.cassandra.addresses().join(","));
        let session = SESSION.as_millis();
        Setup::of(self.folder.path(), forge)
            .with("LOG", &format!("kafka://{kafka}/{}?session.timeout.ms={session}", self.topic))
            .with("STORE", &format!("scylla://{cassandra}/{}", self.keyspace))
            .with("TRACK", &forge.track())
            .with_variable("RUST_LOG", "info,rdkafka=error,librdkafka=error")
    }

    /// Deletes the topic of the log: DeleteTopics (20) in version 1 of Kafka's protocol.
    pub(crate) fn delete_topic(&self) {
        let name = self.topic.as_bytes();
        let mut request = b"\0\x14\0\x01\0\0\0\x01\xff\xff\0\0\0\x01".to_vec();
        request.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        request.extend(name);
        request.extend(10_000_u32.to_be_bytes());
        let mut stream = TcpStream::connect(&self.kafka.addresses()[0]).unwrap();
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
        setup.run(&["migrate", "--partitions", PARTITIONS]).await.done()
    }
}
