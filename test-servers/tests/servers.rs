//! Servers start, keep their data over SIGKILL, and end with whoever started them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use test_servers::{Cassandra, Kafka};

/// Longer than any of these waits takes on a busy machine.
const WAIT_TIME_MAX: Duration = Duration::from_secs(60);

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < WAIT_TIME_MAX, "not within {WAIT_TIME_MAX:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn listens(address: &str) -> bool {
    let address: SocketAddr = address.parse().expect("an address");
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// Sends one request of Kafka's protocol and returns the answer.
fn kafka(address: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("connecting");
    stream.set_read_timeout(Some(WAIT_TIME_MAX)).expect("a time-out");
    stream.write_all(&u32::try_from(request.len()).expect("short").to_be_bytes()).expect("writing");
    stream.write_all(request).expect("writing");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("reading");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).expect("reading");
    answer
}

/// CreateTopics (19), version 0: the topic `kept` with one partition.
const CREATE_TOPIC: &[u8] =
    b"\0\x13\0\x02\0\0\0\x01\xff\xff\0\0\0\x01\0\x04kept\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\0\x75\x30\0";

/// Metadata (3), version 0, of all topics.
const TOPICS: &[u8] = b"\0\x03\0\0\0\0\0\x01\xff\xff\0\0\0\0";

fn has_topic(address: &str) -> bool {
    kafka(address, TOPICS).windows(4).any(|bytes| bytes == b"kept")
}

#[test]
fn kafka_keeps_its_data_and_its_port_over_sigkill() {
    if test_servers::skipped("Kafka's start and end") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = Kafka::start(folder.path(), 1).expect("Kafka starts");
    let address = server.addresses().remove(0);
    assert!(!has_topic(&address), "a new broker has no topics");
    kafka(&address, CREATE_TOPIC);
    wait_until("the topic is there", || has_topic(&address));
    server.kill(0).expect("killed");
    assert!(!listens(&address), "a killed broker has let go of its port");
    assert!(server.kill(0).is_err(), "a dead node is not killed again");
    server.restart(0).expect("restarted");
    wait_until("the topic survived", || has_topic(&address));
    server.stop(0).expect("stopped");
    assert!(!listens(&address));
    drop(server);
    assert!(folder.path().join("kafka-1/data/meta.properties").exists(), "the data is the test's");
}

/// The first rows of a CQL answer as text.
fn cql(address: &str, query: &str) -> String {
    try_cql(address, query).unwrap_or_else(|error| panic!("{query}: {error}"))
}

fn try_cql(address: &str, query: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect(address).expect("connecting");
    stream.set_read_timeout(Some(WAIT_TIME_MAX)).expect("a time-out");
    stream.write_all(b"\x04\0\0\0\x01\0\0\0\x16\0\x01\0\x0bCQL_VERSION\0\x053.0.0").expect("writing");
    let mut header = [0; 9];
    stream.read_exact(&mut header).expect("reading");
    let length = u32::try_from(query.len()).expect("short");
    let mut request = vec![4, 0, 0, 0, 7];
    request.extend((length + 7).to_be_bytes());
    request.extend(length.to_be_bytes());
    request.extend(query.as_bytes());
    request.extend([0, 1, 0]);
    stream.write_all(&request).expect("writing");
    stream.read_exact(&mut header).expect("reading");
    let length = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
    let mut answer = vec![0; length as usize];
    stream.read_exact(&mut answer).expect("reading");
    let text = String::from_utf8_lossy(&answer).into_owned();
    if header[4] == 0 { Err(text) } else { Ok(text) }
}

#[test]
fn cassandra_keeps_what_it_acknowledged_over_sigkill() {
    if test_servers::skipped("Cassandra's start and end") {
        return;
    }
    let server = Cassandra::start_temporary(1).expect("Cassandra starts");
    let log = server.log(0).expect("a log");
    let address = server.addresses().remove(0);
    cql(
        &address,
        "CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    cql(&address, "CREATE TABLE kept.row (key int PRIMARY KEY, value text)");
    cql(&address, "INSERT INTO kept.row (key, value) VALUES (1, 'acknowledged')");
    server.kill(0).expect("killed");
    assert!(!listens(&address));
    server.restart(0).expect("restarted");
    assert!(cql(&address, "SELECT value FROM kept.row").contains("acknowledged"));
    drop(server);
    assert!(!listens(&address), "the server ends with its owner");
    let parent = log.parent().and_then(Path::parent).expect("a folder of the cluster");
    assert!(!parent.exists(), "a temporary folder goes with its server");
}

/// Not a test by itself: the process that the next test kills.
#[test]
fn owner_for_the_next_test() {
    if std::env::var_os("OWN_A_SERVER").is_none() {
        return;
    }
    let server = Kafka::start_temporary(1).expect("Kafka starts");
    println!("\naddress {} {}", server.addresses()[0], server.log(0).expect("a log").display());
    loop {
        std::thread::park();
    }
}

#[test]
fn a_server_ends_when_its_owner_is_killed() {
    if test_servers::skipped("the end of a killed owner's server") {
        return;
    }
    let mut owner = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "owner_for_the_next_test", "--nocapture"])
        .env("OWN_A_SERVER", "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program again");
    let output = BufReader::new(owner.stdout.take().expect("piped"));
    let line = output.lines().map_while(Result::ok).find(|line| line.starts_with("address "));
    owner.kill().expect("killed");
    owner.wait().expect("dead");
    let line = line.expect("the owner says where its server is");
    let mut words = line.split(' ').skip(1);
    let (address, log) = (words.next().expect("an address"), words.next().expect("a log"));
    wait_until("the server has ended", || !listens(address));
    let folder = Path::new(log).parent().and_then(Path::parent).expect("a folder of the cluster");
    wait_until("its folder is gone", || !folder.exists());
}

#[test]
fn three_nodes_of_each_see_each_other_and_go_on_without_one() {
    if test_servers::skipped("clusters of three") {
        return;
    }
    let cassandra = Cassandra::start_temporary(3).expect("three nodes of Cassandra");
    let addresses = cassandra.addresses();
    cql(
        &addresses[0],
        "CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
    );
    cql(&addresses[0], "CREATE TABLE kept.row (key int PRIMARY KEY, value text)");
    cassandra.kill(2).expect("killed");
    let insert = "INSERT INTO kept.row (key, value) VALUES (1, 'two of three')";
    wait_until("another node knows the table", || try_cql(&addresses[1], insert).is_ok());
    cassandra.restart(2).expect("restarted");
    drop(cassandra);

    let kafka_nodes = Kafka::start_temporary(3).expect("three brokers");
    kafka_nodes.kill(0).expect("killed");
    assert!(listens(&kafka_nodes.addresses()[1]));
    kafka_nodes.restart(0).expect("restarted");
}
