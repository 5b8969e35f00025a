//! One process of a cluster: a role, started and ended by its own id.

use std::{net::SocketAddr, time::Duration};

use crate::support::{
    process::{Ended, Running, Setup, is_listening},
    reader::Reader,
    seconds, until,
};

/// A process connects to both servers and starts; on a busy machine that takes some seconds.
const START_MAX: Duration = seconds(60);

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

    /// Returns once it says in its log that a partition came to it.
    pub(crate) async fn has_partitions(&self) {
        let line = self.running.stderr.find(START_MAX, |line| line.contains("folding a partition")).await;
        assert!(line.is_some(), "it ended before a partition came");
    }

    /// kill -9.
    pub(crate) async fn kill(&mut self) {
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
