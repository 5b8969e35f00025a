//! Apache Cassandra: node i on 127.0.0.i, all on one port, as its drivers expect.

use std::{
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, SocketAddr},
    ops::Deref,
    path::Path,
};

use anyhow::{Context, ensure};

use crate::{
    cluster::{self, Cluster, NODES_MAX, filled},
    jars, java,
    node::Node,
    port, wire,
};

/// A running Cassandra; what can be done with its nodes is in [`Cluster`].
///
/// What was acknowledged survives SIGKILL. Keyspaces are the test's own: making one takes a quarter of a second.
pub struct Cassandra(Cluster);

impl Deref for Cassandra {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}

impl Cassandra {
    /// Starts so many nodes (1 to 3) with their data in a folder, and waits until all see each other: 3 to 10 s.
    ///
    /// # Errors
    ///
    /// There is no Java, the jars cannot be fetched, or a node does not become ready; then the end of its log is
    /// in the error.
    pub fn start(folder: impl AsRef<Path>, nodes: usize) -> anyhow::Result<Cassandra> {
        let start = || cluster(folder.as_ref(), nodes, None);
        Ok(Cassandra(cluster::start(start)?))
    }

    /// As [`Cassandra::start`], in a folder that goes with it.
    ///
    /// # Errors
    ///
    /// As [`Cassandra::start`].
    pub fn start_temporary(nodes: usize) -> anyhow::Result<Cassandra> {
        let start = || {
            let folder = cluster::temporary_folder()?;
            cluster(&folder, nodes, Some(&folder))
        };
        Ok(Cassandra(cluster::start(start)?))
    }

    /// The nodes that `TALLYHOOK_TEST_CQL` names, `host:port` separated by commas, ScyllaDB or Cassandra; without
    /// it one of our own. For tests that kill nothing.
    ///
    /// # Errors
    ///
    /// As [`Cassandra::start`].
    pub fn find() -> anyhow::Result<Cassandra> {
        match std::env::var("TALLYHOOK_TEST_CQL") {
            Ok(addresses) => Ok(Cassandra(Cluster::found(&addresses, is_ready))),
            Err(_) => Cassandra::start_temporary(1),
        }
    }
}

/// A table of the system's own with three replicas: so many must answer, so the node sees so many.
fn is_ready(address: SocketAddr, nodes: usize) -> bool {
    let query = "SELECT view_name FROM system_distributed.view_build_status \
                 WHERE keyspace_name = 'none' AND view_name = 'none'";
    let nodes = u8::try_from(nodes).expect("three nodes at most");
    wire::cql_answers(address, nodes, query).unwrap_or(false)
}

fn cluster(parent: &Path, nodes: usize, temporary: Option<&Path>) -> anyhow::Result<Cluster> {
    ensure!((1..=NODES_MAX).contains(&nodes), "1 to {NODES_MAX} nodes, not {nodes}");
    let jars = jars::CASSANDRA.jars()?;
    let agent = jars
        .iter()
        .find(|jar| jar.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("jamm-")))
        .context("Cassandra's jars are not all there: jamm is missing")?;
    let addresses: Vec<Ipv4Addr> = (1..).take(nodes).map(|last| Ipv4Addr::new(127, 0, 0, last)).collect();
    let [port, storage_port] = port::free(&addresses)?;
    let seeds: Vec<String> = addresses.iter().map(|address| format!("{address}:{storage_port}")).collect();
    let heap_mib = if nodes == 1 { 1024 } else { 640 };
    let mut made = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        let name = format!("cassandra-{}", index + 1);
        let folder = cluster::folder(parent, &name)?;
        let shown = folder.display().to_string();
        let settings = filled(
            include_str!("../config/cassandra.yaml"),
            &[
                ("token", &token(index, nodes).to_string()),
                ("seeds", &seeds.join(",")),
                ("address", &address.to_string()),
                ("port", &port.to_string()),
                ("storage_port", &storage_port.to_string()),
            ],
        );
        fs::write(folder.join("cassandra.yaml"), settings)?;
        fs::write(folder.join("logback.xml"), include_str!("../config/cassandra-logback.xml"))?;
        fs::write(folder.join("modules.args"), include_str!("../config/cassandra-modules.args"))?;
        let mut java = vec![java::program().display().to_string()];
        // The first heap stays small: Cassandra locks it into memory.
        java.extend(java::flags(128, heap_mib));
        java.extend([
            "-Xss512k".to_owned(),
            "-XX:MaxDirectMemorySize=256m".to_owned(),
            format!("-javaagent:{}", agent.display()),
            format!("-Dcassandra.config=file://{shown}/cassandra.yaml"),
            format!("-Dcassandra.storagedir={shown}/data"),
            format!("-Dlogback.configurationFile=file://{shown}/logback.xml"),
            format!("@{shown}/modules.args"),
        ]);
        java.extend(SHORT_WAITS.iter().map(|flag| (*flag).to_owned()));
        java.extend(java::class_path(&jars));
        java.push("org.apache.cassandra.service.CassandraDaemon".to_owned());
        made.push(Node::new(
            name,
            folder,
            SocketAddr::from((*address, port)),
            java,
            temporary.map(Path::to_path_buf),
        ));
    }
    Ok(Cluster::new(made, is_ready, temporary.map(Path::to_path_buf)))
}

/// Cassandra's waits are for real networks. The overhead of a row is what it would compute in 1.2 s at every start.
/// Not `-Dcassandra.unsafesystem=true`, which many recipes have: with it SIGKILL loses the schema and so all rows.
const SHORT_WAITS: &[&str] = &[
    "-Djdk.attach.allowAttachSelf=true",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dio.netty.allocator.maxOrder=11",
    "-Dcassandra-foreground=yes",
    "-Dcassandra.available_processors=2",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=1000",
    "-Dcassandra.shutdown_announce_in_ms=0",
    "-Dcassandra.memtable.row_overhead_size=180",
];

/// Evenly spaced over Murmur3's ring, from its least token.
fn token(index: usize, nodes: usize) -> i64 {
    let step = (1_i128 << 64) / i128::try_from(nodes).expect("three nodes at most");
    let token = i128::from(i64::MIN) + step * i128::try_from(index).expect("three nodes at most");
    i64::try_from(token).expect("inside the ring")
}
