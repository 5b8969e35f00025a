//! What a test does with the nodes of either server.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

use crate::node::Node;

/// So many nodes fit on one small machine.
pub(crate) const NODES_MAX: usize = 3;

/// How often other ports are tried when a server meets a taken one.
pub(crate) const START_TRIES_MAX: usize = 5;

/// Whether a node is ready, given its address and how many nodes run.
pub(crate) type IsReady = fn(SocketAddr, usize) -> bool;

/// Running nodes; they end when this is dropped, or when the process dies.
pub struct Cluster {
    nodes: Vec<Node>,
    is_ready: IsReady,
    temporary: Option<PathBuf>,
    /// Of servers that were there already; then there are no nodes of ours.
    found: Vec<String>,
}

impl Cluster {
    /// `temporary`: the folder that goes with the nodes.
    pub(crate) fn new(nodes: Vec<Node>, is_ready: IsReady, temporary: Option<PathBuf>) -> Cluster {
        Cluster { nodes, is_ready, temporary, found: Vec::new() }
    }

    /// Servers of which only the addresses are known, separated by commas.
    pub(crate) fn found(addresses: &str, is_ready: IsReady) -> Cluster {
        let found = addresses.split(',').map(|address| address.trim().to_owned()).collect();
        Cluster { nodes: Vec::new(), is_ready, temporary: None, found }
    }

    /// Starts all nodes side by side and waits until each sees all; on a taken port, nothing is left running.
    pub(crate) fn start(&self) -> Result<(), NotStarted> {
        for node in &self.nodes {
            node.start()?;
        }
        for node in &self.nodes {
            let is_ready = |address| (self.is_ready)(address, self.nodes.len());
            if let Err(error) = node.wait_until(is_ready) {
                return Err(match self.nodes.iter().any(Node::met_taken_port) {
                    true => NotStarted::PortTaken(error),
                    false => NotStarted::Failed(error),
                });
            }
        }
        Ok(())
    }

    /// `host:port` of each node, in their order.
    pub fn addresses(&self) -> Vec<String> {
        let ours = self.nodes.iter().map(|node| node.address.to_string());
        ours.chain(self.found.iter().cloned()).collect()
    }

    /// A node's process id, for signals that this crate does not send.
    ///
    /// # Errors
    ///
    /// The node does not run.
    pub fn process_id(&self, node: usize) -> anyhow::Result<u32> {
        self.node(node)?.id()
    }

    /// Ends a node by SIGKILL; its data stays. Returns once its port is closed.
    ///
    /// # Errors
    ///
    /// The node does not run or is not ours.
    pub fn kill(&self, node: usize) -> anyhow::Result<()> {
        self.node(node)?.kill()
    }

    /// Ends a node by SIGTERM, and by SIGKILL when it does not end; its data stays.
    ///
    /// # Errors
    ///
    /// The node is not ours or cannot be ended.
    pub fn stop(&self, node: usize) -> anyhow::Result<()> {
        self.node(node)?.stop()
    }

    /// Starts a killed or stopped node with its data, on its old port, and waits until it serves and sees those
    /// that run.
    ///
    /// # Errors
    ///
    /// The node runs, is not ours, or does not become ready; then the end of its log is in the error.
    pub fn restart(&self, node: usize) -> anyhow::Result<()> {
        let node = self.node(node)?;
        node.start()?;
        let running = self.nodes.iter().filter(|node| node.is_running()).count();
        node.wait_until(|address| (self.is_ready)(address, running))
    }

    /// Stops a node's process by SIGSTOP: connections stay and nothing answers.
    ///
    /// # Errors
    ///
    /// The node does not run or is not ours.
    pub fn pause(&self, node: usize) -> anyhow::Result<()> {
        self.node(node)?.pause()
    }

    /// Lets a paused node go on.
    ///
    /// # Errors
    ///
    /// The node does not run or is not ours.
    pub fn resume(&self, node: usize) -> anyhow::Result<()> {
        self.node(node)?.resume()
    }

    /// The file that a node writes its log to.
    ///
    /// # Errors
    ///
    /// The node is not ours.
    pub fn log(&self, node: usize) -> anyhow::Result<PathBuf> {
        Ok(crate::supervised::log(&self.node(node)?.folder))
    }

    fn node(&self, node: usize) -> anyhow::Result<&Node> {
        self.nodes
            .get(node)
            .with_context(|| format!("no node {node} of ours: there are {}", self.nodes.len()))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.nodes.clear();
        if let Some(folder) = &self.temporary {
            // The last server's shell has removed it already, unless no server was left.
            drop(fs::remove_dir_all(folder));
        }
    }
}

/// Why a cluster did not start.
pub(crate) enum NotStarted {
    /// Other ports may do.
    PortTaken(anyhow::Error),
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for NotStarted {
    fn from(error: anyhow::Error) -> NotStarted {
        NotStarted::Failed(error)
    }
}

/// Makes clusters on new ports until none of them is taken.
pub(crate) fn start(make: impl Fn() -> anyhow::Result<Cluster>) -> anyhow::Result<Cluster> {
    let mut tries = 1;
    loop {
        let cluster = make()?;
        match cluster.start() {
            Ok(()) => return Ok(cluster),
            Err(NotStarted::PortTaken(_)) if tries < START_TRIES_MAX => tries += 1,
            Err(NotStarted::PortTaken(error) | NotStarted::Failed(error)) => return Err(error),
        }
    }
}

/// The folder of a node inside the cluster's, empty of settings of an earlier try.
pub(crate) fn folder(parent: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::path::absolute(parent)?.join(name);
    let shown = folder.display().to_string();
    ensure!(!shown.contains([' ', '\t', '\n', ':']), "servers cannot live in `{shown}`: no spaces or colons");
    fs::create_dir_all(folder.join("data")).with_context(|| format!("making {shown}"))?;
    Ok(folder)
}

/// A folder for a cluster that goes with it.
pub(crate) fn temporary_folder() -> anyhow::Result<PathBuf> {
    // Kept: it goes with its servers, even where this process is killed.
    Ok(tempfile::Builder::new().prefix("test-servers-").tempdir()?.keep())
}

/// Fills the `{names}` of a settings file.
pub(crate) fn filled(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}
