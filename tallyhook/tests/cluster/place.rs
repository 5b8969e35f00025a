//! Where a test's cluster lives: a topic and a keyspace of its own on servers that tests share, or on servers of its
//! own where it kills them.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use test_servers::{Cassandra, Kafka};

use crate::support::{
    forge::Forge,
    process::{Ended, Running, Setup, is_listening},
    reader::Reader,
    seconds, until,
};

/// A process connects to both servers and starts; on a busy machine that takes some seconds.
const START_MAX: Duration = seconds(60);

/// The tables of a keyspace are made one after the other.
const MIGRATE_ATTEMPTS_MAX: usize = 3;

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
        stream.set_read_timeout(Some(START_MAX)).unwrap();
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
        let mut attempt = 0;
        loop {
            attempt += 1;
            let ended = setup.run(&["migrate", "--partitions", PARTITIONS]).await;
            if ended.code == Some(0) || attempt == MIGRATE_ATTEMPTS_MAX {
                return ended.done();
            }
        }
    }
}

/// One process of a cluster.
pub(crate) struct Process {
    pub(crate) running: Running,
    api: Option<SocketAddr>,
    pub(crate) ops: SocketAddr,
}

impl Process {
    /// Starts a role and returns once it listens.
    pub(crate) async fn start(setup: &Setup, role: &str) -> Process {
        match Self::try_start(setup, role).await {
            Ok(process) => process,
            Err(ended) => panic!("{role} ended before it listened: {ended:?}"),
        }
    }

    /// As [`Self::start`]; an error when it ended instead.
    pub(crate) async fn try_start(setup: &Setup, role: &str) -> Result<Process, Ended> {
        let running = setup.start(&[role, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
        let Some(line) = running.stderr.find(START_MAX, is_listening).await else {
            return Err(running.ended().await);
        };
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["role"], role);
        let address = |field: &str| line[field].as_str().map(|address| address.parse().unwrap());
        Ok(Process { running, api: address("api"), ops: address("ops").unwrap() })
    }

    /// Where deliveries go and readers ask.
    pub(crate) fn api(&self) -> SocketAddr {
        self.api.expect("this role is reached by the outside")
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::new(self.api())
    }

    /// Returns once `/readyz` says so.
    pub(crate) async fn ready(&self) {
        let ops = Reader::new(self.ops);
        until(START_MAX, "/readyz", async || {
            let answer = ops.get("/readyz").await;
            if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
    }

    /// kill -9.
    pub(crate) async fn kill(self) {
        self.running.kill().await;
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn terminate(self) -> Ended {
        self.running.signal("TERM").await;
        self.running.ended().await
    }

    /// One of its metrics; the sum where it has labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = Reader::new(self.ops).get("/metrics").await.ok().text();
        let of_name = |line: &&str| line.split(['{', ' ']).next() == Some(name);
        let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        text.lines().filter(of_name).filter_map(value).sum()
    }
}
