//! Kafka and a CQL store for the suites that need them: containers where an engine answers, else servers that the
//! tests start from jars by themselves.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use crate::command;

/// Fetching the jars of both servers, or the images, once.
const FETCH_MINUTES: u64 = 15;

/// Where the containers listen; the variables are those of compose.yml.
const KAFKA_PORT: &str = "19092";
const CQL_PORT: &str = "19042";

/// Servers for the suites; containers end when this is dropped.
pub(crate) struct Servers {
    in_containers: bool,
}

impl Servers {
    /// Makes sure that servers can be started, or starts those in containers.
    pub(crate) fn prepare() -> anyhow::Result<Servers> {
        let in_containers = engine_answers() && up();
        if !in_containers {
            let mut fetch = command::cargo();
            fetch.args(["run", "--quiet", "--locked", "--package", "test-servers"]);
            command::run_within(&mut fetch, Duration::from_secs(FETCH_MINUTES * 60))?;
        }
        Ok(Servers { in_containers })
    }

    /// Tells a test where the containers are.
    pub(crate) fn tell(&self, test: &mut Command) {
        if self.in_containers {
            test.env("TALLYHOOK_TEST_KAFKA", format!("127.0.0.1:{KAFKA_PORT}"));
            test.env("TALLYHOOK_TEST_CQL", format!("127.0.0.1:{CQL_PORT}"));
        }
    }

    /// What the tests ran on.
    pub(crate) fn shown(&self) -> &'static str {
        if self.in_containers {
            "Kafka and ScyllaDB in containers; where servers are killed, Kafka and Cassandra from jars"
        } else {
            "Kafka and Cassandra from jars, unless a suite says `skipped`"
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if self.in_containers {
            drop(compose(&["down", "--volumes"]).status());
        }
    }
}

fn engine_answers() -> bool {
    let asked = Command::new("docker").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Whether the containers came up; where they do not, jars may still do.
fn up() -> bool {
    let mut up = compose(&["up", "--detach", "--wait"]);
    match command::run_within(&mut up, Duration::from_secs(FETCH_MINUTES * 60)) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("{error:#}; servers from jars instead");
            drop(compose(&["down", "--volumes"]).status());
            false
        }
    }
}

fn compose(words: &[&str]) -> Command {
    let mut compose = Command::new("docker");
    compose.current_dir(command::root()).args(["compose", "--file", "test-servers/compose.yml"]).args(words);
    compose.env("KAFKA_PORT", KAFKA_PORT).env("CQL_PORT", CQL_PORT);
    compose
}
