//! One server of a cluster: started, killed, restarted, stopped, always on the same ports and the same data.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use rustix::process::Signal;

use crate::{
    port,
    supervised::{self, Supervised, log, log_tail},
};

/// Three nodes that start at once on two busy cores need 10 s; a node with much data needs longer.
const READY_TIME_MAX: Duration = Duration::from_secs(180);

/// Cassandra waits 2 s before it stops, Kafka as long again under load.
const STOP_TIME_MAX: Duration = Duration::from_secs(60);

/// A busy machine stops a process of many threads one thread after the other.
const PAUSE_TIME_MAX: Duration = Duration::from_secs(30);

/// After SIGKILL.
const DEATH_TIME_MAX: Duration = Duration::from_secs(30);

/// A server and how it is started.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) address: SocketAddr,
    pub(crate) command: Vec<String>,
    /// The cluster's folder, if that goes with its nodes.
    pub(crate) temporary: Option<PathBuf>,
    running: Mutex<Option<Supervised>>,
}

impl Node {
    pub(crate) fn new(
        name: String,
        folder: PathBuf,
        address: SocketAddr,
        command: Vec<String>,
        temporary: Option<PathBuf>,
    ) -> Node {
        Node { name, folder, address, command, temporary, running: Mutex::new(None) }
    }

    /// Starts it and does not wait until it is ready.
    pub(crate) fn start(&self) -> anyhow::Result<()> {
        let mut running = self.running();
        ensure!(running.is_none(), "{} runs already", self.name);
        *running = Some(Supervised::start(&self.command, &self.folder, self.temporary.as_deref())?);
        Ok(())
    }

    /// Waits until `is_ready` says so of its address.
    pub(crate) fn wait_until(&self, is_ready: impl Fn(SocketAddr) -> bool) -> anyhow::Result<()> {
        let started = Instant::now();
        while !is_ready(self.address) {
            let is_dead = self.running().as_ref().is_none_or(Supervised::is_dead);
            if is_dead {
                bail!("{} died while it started:\n{}", self.name, log_tail(&self.folder));
            }
            if started.elapsed() > READY_TIME_MAX {
                let seconds = READY_TIME_MAX.as_secs();
                bail!("{} is not ready after {seconds} s:\n{}", self.name, log_tail(&self.folder));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Whether it could not start because another process has one of its ports.
    pub(crate) fn met_taken_port(&self) -> bool {
        let log = std::fs::read(log(&self.folder)).unwrap_or_default();
        String::from_utf8_lossy(&log).contains("Address already in use")
    }

    /// Whether it was started and has not been killed or stopped.
    pub(crate) fn is_running(&self) -> bool {
        self.running().is_some()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        self.running().as_ref().map(Supervised::id).with_context(|| format!("{} does not run", self.name))
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) -> anyhow::Result<()> {
        let server = self.running().take().with_context(|| format!("{} does not run", self.name))?;
        server.signal(Signal::KILL)?;
        self.bury(server)
    }

    /// SIGTERM, and SIGKILL when that does not help.
    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        let Some(server) = self.running().take() else { return Ok(()) };
        if !server.is_dead() {
            server.signal(Signal::TERM)?;
            if !server.wait_for_death(STOP_TIME_MAX) {
                server.signal(Signal::KILL)?;
            }
        }
        self.bury(server)
    }

    /// SIGSTOP: it keeps its ports and answers nothing. Returns once none of its threads runs any more.
    pub(crate) fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)?;
        let id = self.id()?;
        let started = Instant::now();
        while !supervised::is_stopped(id) {
            let seconds = PAUSE_TIME_MAX.as_secs();
            ensure!(started.elapsed() < PAUSE_TIME_MAX, "{} runs on {seconds} s after SIGSTOP", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.running().as_ref().with_context(|| format!("{} does not run", self.name))?.signal(signal)
    }

    fn bury(&self, server: Supervised) -> anyhow::Result<()> {
        let is_dead = server.wait_for_death(DEATH_TIME_MAX);
        server.release();
        ensure!(is_dead, "{} survived SIGKILL for {} s", self.name, DEATH_TIME_MAX.as_secs());
        let SocketAddr::V4(address) = self.address else { bail!("an address of ours is IPv4") };
        port::wait_until_closed(*address.ip(), address.port(), DEATH_TIME_MAX)
    }

    fn running(&self) -> MutexGuard<'_, Option<Supervised>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
