//! The test suites and the minutes each may take on two cores, so that none is thinned without a word.
//!
//! Everything is built once, with one set of features, and then run suite by suite: `cargo test --package` would
//! choose other features for each package and build half of it again.

use std::{
    io::BufReader,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use cargo_metadata::Message;

use crate::{
    bench, command, features,
    servers::{self, Servers},
};

/// Building every test from nothing, on two cores.
const BUILD_MINUTES: u64 = 20;

/// Tests of this name start real servers; they run in suites of their own.
const ON_SERVERS: &[&str] = &["servers", "kafka", "cql", "cluster"];

/// So do unit tests in a module of this name.
const MODULE_ON_SERVERS: &str = "on_servers::";

/// Tests of these names need programs that a machine may lack, and are suites of their own.
const WITH_PROGRAMS: &[&str] = &["monitoring", "browser"];

/// A suite of tests.
struct Suite {
    name: &'static str,
    about: &'static str,
    work: Work,
    minutes: u64,
}

/// What a suite runs.
enum Work {
    /// The built tests of these packages, those on real servers aside.
    Tests(&'static [&'static str]),
    /// The built test of this name.
    Test(&'static str),
    /// The built tests of a package on real servers.
    TestsOnServers(&'static str),
    /// Examples in the documentation; cargo alone can run them.
    Examples,
    /// The gate that counts instructions, with its own release build.
    Instructions,
}

const SUITES: &[Suite] = &[
    Suite {
        name: "domain",
        about: "cases, snapshots, and the commit rule against a random forge, with each guard left out once",
        work: Work::Tests(&["domain"]),
        minutes: 3,
    },
    Suite {
        name: "github",
        about: "signatures, every example payload through translate, the client against a scripted forge",
        work: Work::Tests(&["github"]),
        minutes: 2,
    },
    Suite {
        name: "bitbucket",
        about: "its JSON, its client against the fake, and the fake itself",
        work: Work::Tests(&["bitbucket", "fake-bitbucket"]),
        minutes: 1,
    },
    Suite {
        name: "ports",
        about: "both contract suites on the embedded adapters, and on broken ones that must fail",
        work: Work::Tests(&["event-log", "view-store"]),
        minutes: 5,
    },
    Suite {
        name: "fake-github",
        about: "the oracle against real git and GitHub's own payload schemas",
        work: Work::Tests(&["fake-github"]),
        minutes: 3,
    },
    Suite {
        name: "projector",
        about: "histories that converge whatever breaks on the way; owners that crash, sleep and wake",
        work: Work::Tests(&["projector", "testkit"]),
        minutes: 14,
    },
    Suite {
        name: "rooms",
        about: "boot, ingest, backfill, query-api, sinks, each through its own door",
        work: Work::Tests(&[
            "boot",
            "ingest",
            "backfill",
            "query-api",
            "sinks",
            "fake-pipedrive",
            "xtask",
            "bench",
            "test-servers",
        ]),
        minutes: 4,
    },
    Suite {
        name: "fuzz",
        about: "hostile input, a second for each target",
        work: Work::Tests(&["fuzz"]),
        minutes: 2,
    },
    Suite {
        name: "whole",
        about: "the binary against the fake GitHub: good days, bad days, hostile clients, kill -9",
        work: Work::Tests(&["tallyhook"]),
        minutes: 18,
    },
    Suite {
        name: "monitoring",
        about: "rules and boards with the real Prometheus: each query finds data, alerts fire and end by real faults",
        work: Work::Test("monitoring"),
        minutes: 8,
    },
    Suite {
        name: "browser",
        about: "the pages for people in a real browser, with and without JavaScript, wide and narrow",
        work: Work::Test("browser"),
        minutes: 3,
    },
    Suite {
        name: "servers",
        about: "Kafka and Cassandra themselves: killed, restarted, ended with the test",
        work: Work::TestsOnServers("test-servers"),
        minutes: 8,
    },
    Suite {
        name: "kafka",
        about: "the log's contract suite on Kafka; members that hand over, sleep and wake; brokers killed under load",
        work: Work::TestsOnServers("event-log"),
        minutes: 15,
    },
    Suite {
        name: "cql",
        about: "the store's contract suite on Cassandra; torn values, servers killed under writes, schemas",
        work: Work::TestsOnServers("view-store"),
        minutes: 15,
    },
    Suite {
        name: "cluster",
        about: "roles as processes of their own on Kafka and Cassandra, against the fake GitHub and under faults; moving there",
        work: Work::TestsOnServers("tallyhook"),
        minutes: 30,
    },
    Suite {
        name: "instructions",
        about: "what a request and a record cost, counted by callgrind, against what they cost before",
        work: Work::Instructions,
        minutes: 20,
    },
    Suite { name: "doc", about: "examples in the documentation", work: Work::Examples, minutes: 3 },
];

/// A built test.
struct Executable {
    package: String,
    /// Of the test target.
    name: String,
    path: PathBuf,
    /// The package's folder, where cargo would run it.
    folder: PathBuf,
}

/// Prints the suites.
pub(crate) fn list() {
    for suite in SUITES {
        println!("{:12} {:2} min  {}", suite.name, suite.minutes, suite.about);
    }
}

/// Runs the named suites, or all.
pub(crate) fn run(names: &[String]) -> anyhow::Result<()> {
    if let Some(unknown) = names.iter().find(|name| SUITES.iter().all(|suite| suite.name != name.as_str())) {
        bail!("no suite is called `{unknown}`; `cargo xtask test --list` names them");
    }
    let started = Instant::now();
    let executables = build()?;
    if started.elapsed() > Duration::from_secs(BUILD_MINUTES * 60) {
        bail!("building the tests took longer than its {BUILD_MINUTES} minutes");
    }
    let mut report = vec![("build", started.elapsed(), BUILD_MINUTES)];
    let is_wanted = |suite: &&Suite| names.is_empty() || names.iter().any(|name| name == suite.name);
    let wanted: Vec<&Suite> = SUITES.iter().filter(is_wanted).collect();
    let servers = wanted.iter().any(|suite| suite.is_on_servers()).then(servers::find).transpose()?;
    for suite in wanted {
        println!("\n== {}: {}", suite.name, suite.about);
        let servers = match &servers {
            Some(Err(missing)) if suite.is_on_servers() => {
                println!("skipped: {}: {missing}", suite.name);
                continue;
            }
            Some(Ok(servers)) => Some(servers),
            _ => None,
        };
        report.push((suite.name, suite.run(&executables, servers)?, suite.minutes));
    }
    println!();
    for (name, took, minutes) in report {
        println!("{name:12} {:>7.1} s of {minutes} min", took.as_secs_f64());
    }
    println!("on the embedded log and store");
    match servers {
        Some(Ok(servers)) => println!("and on {}", servers.shown()),
        Some(Err(missing)) => println!("skipped: everything on Kafka and Cassandra: {missing}"),
        None => {}
    }
    Ok(())
}

impl Suite {
    fn is_on_servers(&self) -> bool {
        matches!(self.work, Work::TestsOnServers(_))
    }

    fn run(&self, executables: &[Executable], servers: Option<&Servers>) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let limit = Duration::from_secs(self.minutes * 60);
        let rest = || limit.saturating_sub(started.elapsed());
        match self.work {
            Work::Tests(packages) => {
                for package in packages {
                    run_tests(package, executables, None, rest)?;
                }
            }
            Work::Test(name) => {
                let built = executables.iter().find(|built| built.name == name);
                let test = built.and_then(|built| built.command(None));
                command::run_within(&mut test.with_context(|| format!("there is no test `{name}`"))?, limit)?;
            }
            Work::TestsOnServers(package) => run_tests(package, executables, servers, rest)?,
            Work::Examples => {
                let mut test = command::cargo();
                test.args(["test", "--workspace", "--doc", "--locked", "--quiet"]).args(features::all()?);
                command::run_within(&mut test, limit)?;
            }
            Work::Instructions => {
                command::run_within(&mut bench::build(), limit)?;
                command::run_within(&mut bench::count(false), rest())?;
            }
        }
        Ok(started.elapsed())
    }
}

/// Runs those tests of a package that start servers, where `servers` are given, and else the others.
fn run_tests(
    package: &str,
    executables: &[Executable],
    servers: Option<&Servers>,
    rest: impl Fn() -> Duration,
) -> anyhow::Result<()> {
    let of_package = executables
        .iter()
        .filter(|built| built.package == package && !WITH_PROGRAMS.contains(&built.name.as_str()));
    let tests: Vec<Command> = of_package.filter_map(|built| built.command(servers)).collect();
    anyhow::ensure!(!tests.is_empty(), "`{package}` has none of the tests that a suite names");
    for mut test in tests {
        command::run_within(&mut test, rest())?;
    }
    Ok(())
}

impl Executable {
    /// Whether it holds the tests that stand beside the code.
    fn is_of_units(&self) -> bool {
        self.name.replace('_', "-") == self.package
    }

    /// Runs its tests on these servers, or all others; `None` where it has none of those.
    fn command(&self, servers: Option<&Servers>) -> Option<Command> {
        let mut test = Command::new(&self.path);
        test.current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        match (ON_SERVERS.contains(&self.name.as_str()), servers) {
            (true, Some(_)) => {}
            (false, Some(_)) if self.is_of_units() => drop(test.arg(MODULE_ON_SERVERS)),
            (false, Some(_)) => return None,
            (true, None) => return None,
            (false, None) => drop(test.args(["--skip", MODULE_ON_SERVERS])),
        }
        if let Some(servers) = servers {
            servers.tell(&mut test);
        }
        Some(test)
    }
}

/// Builds every test of the workspace and says where each is.
fn build() -> anyhow::Result<Vec<Executable>> {
    let mut build = command::cargo();
    build.args(["test", "--workspace", "--no-run", "--locked"]).args(features::all()?);
    build.args(["--message-format", "json-render-diagnostics"]).stdout(Stdio::piped());
    println!("$ cargo test --workspace --no-run, with every feature that is tested");
    let mut child = build.spawn().context("starting cargo")?;
    let stdout = child.stdout.take().context("cargo's messages")?;
    let mut executables = Vec::new();
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message?
            && artifact.profile.test
            && let Some(path) = artifact.executable
            && let Some(folder) = artifact.manifest_path.parent()
        {
            let package = folder.file_name().unwrap_or_default().to_owned();
            let (name, path, folder) = (artifact.target.name, path.into(), folder.into());
            executables.push(Executable { package, name, path, folder });
        }
    }
    anyhow::ensure!(child.wait()?.success(), "a test does not build");
    executables.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(executables)
}
