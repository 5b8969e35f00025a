//! Kafka, Cassandra, and the program's roles on them, for the rows about a cluster.

pub(crate) mod job;

use std::{
    cell::Cell,
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use test_servers::{Cassandra, Kafka};

use crate::{
    delivery::SECRET,
    process::{self, Running},
    program::{self, NO_FORGE},
    run::Bench,
};

/// A role is ready within this, also while a topic is folded.
const READY_MAX: Duration = Duration::from_secs(180);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// As `migrate` makes it unless told.
const PARTITIONS: u32 = 12;

/// One node of each, ended with this.
pub(crate) struct Servers {
    kafka: Kafka,
    cassandra: Cassandra,
    places: Cell<u32>,
}

/// A topic and a keyspace of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) brokers: String,
    pub(crate) topic: String,
    pub(crate) node: String,
    pub(crate) keyspace: String,
}

impl Place {
    pub(crate) fn log(&self) -> String {
        format!("kafka://{}/{}", self.brokers, self.topic)
    }

    pub(crate) fn store(&self) -> String {
        format!("scylla://{}/{}", self.node, self.keyspace)
    }
}

impl Servers {
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        eprintln!("   starting Kafka and Cassandra");
        let kafka = Kafka::start(folder, 1)?;
        let cassandra = Cassandra::start(folder, 1)?;
        Ok(Servers { kafka, cassandra, places: Cell::new(0) })
    }

    /// An empty log and store, made by the program itself.
    pub(crate) fn place(&self, bench: &Bench) -> anyhow::Result<Place> {
        let number = self.places.get() + 1;
        self.places.set(number);
        let place = Place {
            brokers: self.kafka.addresses().join(","),
            topic: format!("bench-{number}"),
            node: self.cassandra.addresses().join(","),
            keyspace: format!("bench_{number}"),
        };
        let folder = bench.folder()?;
        let mut migrate = role_command(bench, &place, folder.path(), "migrate");
        migrate.args(["--partitions", &PARTITIONS.to_string()]);
        process::converse(&mut migrate, "").context("making topic and tables")?;
        Ok(place)
    }
}

fn role_command(bench: &Bench, place: &Place, folder: &Path, role: &str) -> std::process::Command {
    let mut command = bench.tallyhook();
    program::forget_settings(&mut command);
    command
        .arg(role)
        .current_dir(folder)
        .env("TALLYHOOK_DATA_DIR", folder)
        .env("TALLYHOOK_LOG", place.log())
        .env("TALLYHOOK_STORE", place.store())
        .env("TALLYHOOK_WEBHOOK_SECRET", SECRET)
        .env("TALLYHOOK_GITHUB_API_URL", NO_FORGE)
        .env("RUST_LOG", "warn");
    command
}

/// A role of the program, running.
pub(crate) struct Role {
    running: Running,
    pub(crate) api: SocketAddr,
    ops: SocketAddr,
    said: PathBuf,
}

impl Role {
    /// Starts a role; it may not be ready yet.
    pub(crate) fn start(bench: &Bench, place: &Place, folder: &Path, role: &str) -> anyhow::Result<Self> {
        let (api, ops) = (program::free_address()?, program::free_address()?);
        let said = folder.join(format!("{role}-output"));
        let mut command = role_command(bench, place, folder, role);
        command
            .env("TALLYHOOK_LISTEN", api.to_string())
            .env("TALLYHOOK_OPS_LISTEN", ops.to_string())
            .stdout(Stdio::null())
            .stderr(File::create(&said)?);
        Ok(Role { running: Running::start(&mut command)?, api, ops, said })
    }

    /// Waits until a look gives something.
    pub(crate) fn wait<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(SocketAddr) -> Option<T>,
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(self.ops) {
                return Ok(found);
            }
            if let Some(status) = self.running.ended()? {
                let said = std::fs::read_to_string(&self.said).unwrap_or_default();
                bail!("a role ended ({status}) before {what}: {said}");
            }
            if begun.elapsed() > READY_MAX {
                bail!("{what}: not within {} s", READY_MAX.as_secs());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until it says that it is ready.
    pub(crate) fn ready(&mut self) -> anyhow::Result<()> {
        self.wait("it was ready", |ops| {
            program::get(ops, "/readyz").is_ok_and(|(status, _)| status == 200).then_some(())
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    /// The number of a metric.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<f64> {
        program::metric(self.ops, name)
    }

    pub(crate) fn end(self) -> anyhow::Result<()> {
        self.running.end()
    }
}
