//! Kafka and a CQL store for the suites that need them: containers where an engine answers, else servers that the
//! tests start from jars by themselves.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use crate::command;

/// Fetching the images, once.
const FETCH_MINUTES: u64 = 15;

/// Where the containers listen; the variables are those of compose.yml.
const KAFKA_PORT: &str = "19092";
const CQL_PORT: &str = "19042";

/// Where the servers for the suites come from; containers end when this is dropped.
pub(crate) struct Servers {
    in_containers: bool,
}

/// Servers, or why there are none here; where CI=true they must not be missing.
pub(crate) fn find() -> anyhow::Result<Result<Servers, String>> {
    if let Some(missing) = test_servers::unavailable() {
        anyhow::ensure!(
            std::env::var("CI").as_deref() != Ok("true"),
            "suites on Kafka and Cassandra must not be skipped where CI=true: {missing}"
        );
        return Ok(Err(missing));
    }
    // Those that are killed come from jars, wherever the others run.
    test_servers::fetch()?;
    Ok(Ok(Servers { in_containers: engine_answers() && up() }))
}

impl Servers {
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
            "Kafka and Cassandra from jars"
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
