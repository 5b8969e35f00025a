//! Apache Kafka: brokers that are their own controllers.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    ops::Deref,
    path::Path,
    process::Command,
};

use anyhow::{Context, ensure};

use crate::{
    cluster::{self, Cluster, NODES_MAX, filled},
    jars, java,
    node::Node,
    port, wire,
};

/// Any id serves; always the same one, so that a restarted cluster knows its data.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qk";

/// A running Kafka; what can be done with its nodes is in [`Cluster`].
///
/// Three nodes replicate threefold with two in sync; one node keeps one copy. Topics are never made by asking for
/// them. A message may have 32 MiB.
pub struct Kafka(Cluster);

impl Deref for Kafka {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}

impl Kafka {
    /// Starts so many nodes (1 to 3) with their data in a folder, and waits until all are ready: 2 to 6 s.
    ///
    /// # Errors
    ///
    /// There is no Java, the jars cannot be fetched, or a node does not become ready; then the end of its log is
    /// in the error.
    pub fn start(folder: impl AsRef<Path>, nodes: usize) -> anyhow::Result<Kafka> {
        let start = || cluster(folder.as_ref(), nodes, None);
        Ok(Kafka(cluster::start(start)?))
    }

    /// As [`Kafka::start`], in a folder that goes with it.
    ///
    /// # Errors
    ///
    /// As [`Kafka::start`].
    pub fn start_temporary(nodes: usize) -> anyhow::Result<Kafka> {
        let start = || {
            let folder = cluster::temporary_folder()?;
            cluster(&folder, nodes, Some(&folder))
        };
        Ok(Kafka(cluster::start(start)?))
    }

    /// The brokers that `TALLYHOOK_TEST_KAFKA` names, `host:port` separated by commas; without it one of our own.
    /// For tests that kill nothing.
    ///
    /// # Errors
    ///
    /// As [`Kafka::start`].
    pub fn find() -> anyhow::Result<Kafka> {
        match std::env::var("TALLYHOOK_TEST_KAFKA") {
            Ok(addresses) => Ok(Kafka(Cluster::found(&addresses, is_ready))),
            Err(_) => Kafka::start_temporary(1),
        }
    }
}

fn is_ready(address: SocketAddr, nodes: usize) -> bool {
    wire::kafka_brokers(address).is_ok_and(|brokers| brokers as usize >= nodes)
}

fn cluster(parent: &Path, nodes: usize, temporary: Option<&Path>) -> anyhow::Result<Cluster> {
    ensure!((1..=NODES_MAX).contains(&nodes), "1 to {NODES_MAX} nodes, not {nodes}");
    let jars = jars::KAFKA.jars()?;
    let ports: [u16; 2 * NODES_MAX] = port::free(&[Ipv4Addr::LOCALHOST])?;
    let (ports, controller_ports) = ports.split_at(NODES_MAX);
    let voters: Vec<String> =
        (0..nodes).map(|index| format!("{}@127.0.0.1:{}", index + 1, controller_ports[index])).collect();
    let (replication, in_sync) = if nodes == NODES_MAX { ("3", "2") } else { ("1", "1") };
    let heap_mib = if nodes == 1 { 384 } else { 256 };
    let mut made = Vec::new();
    for index in 0..nodes {
        let name = format!("kafka-{}", index + 1);
        let folder = cluster::folder(parent, &name)?;
        let properties = folder.join("server.properties");
        let text = filled(
            include_str!("../config/kafka.properties"),
            &[
                ("node", &(index + 1).to_string()),
                ("voters", &voters.join(",")),
                ("port", &ports[index].to_string()),
                ("controller_port", &controller_ports[index].to_string()),
                ("folder", &folder.display().to_string()),
                ("replication", replication),
                ("in_sync", in_sync),
            ],
        );
        fs::write(&properties, text)?;
        let log_settings = folder.join("log4j2.properties");
        fs::write(&log_settings, include_str!("../config/kafka-log4j2.properties"))?;
        let mut java = vec![java::program().display().to_string()];
        java.extend(java::flags(64, heap_mib));
        java.push(format!("-Dlog4j2.configurationFile={}", log_settings.display()));
        java.extend(java::class_path(&jars));
        if !folder.join("data/meta.properties").exists() {
            format(&java, &properties)?;
        }
        java.extend(["kafka.Kafka".to_owned(), properties.display().to_string()]);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports[index]));
        made.push(Node::new(name, folder, address, java, temporary.map(Path::to_path_buf)));
    }
    Ok(Cluster::new(made, is_ready, temporary.map(Path::to_path_buf)))
}

/// Gives a new node's data folder the id of its cluster: under a second.
fn format(java: &[String], properties: &Path) -> anyhow::Result<()> {
    let (program, flags) = java.split_first().context("a command begins with its program")?;
    let mut format = Command::new(program);
    format.args(flags).args([
        "kafka.tools.StorageTool",
        "format",
        "-t",
        CLUSTER_ID,
        "--ignore-formatted",
        "-c",
    ]);
    let output = format.arg(properties).output().context("starting Java")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "Kafka cannot format its folder: {said}");
    Ok(())
}
