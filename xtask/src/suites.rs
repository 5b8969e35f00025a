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

use crate::command;

/// Building every test from nothing, on two cores.
const BUILD_MINUTES: u64 = 20;

/// Examples in the documentation; cargo alone can run them.
const DOC_MINUTES: u64 = 3;

/// A suite of tests.
struct Suite {
    name: &'static str,
    about: &'static str,
    packages: &'static [&'static str],
    minutes: u64,
}

const SUITES: &[Suite] = &[
    Suite {
        name: "domain",
        about: "cases, snapshots, and the commit rule against a random forge, with each guard left out once",
        packages: &["domain"],
        minutes: 3,
    },
    Suite {
        name: "github",
        about: "signatures, every example payload through translate, the client against a scripted forge",
        packages: &["github"],
        minutes: 2,
    },
    Suite {
        name: "bitbucket",
        about: "its JSON, its client against the fake, and the fake itself",
        packages: &["bitbucket", "fake-bitbucket"],
        minutes: 1,
    },
    Suite {
        name: "ports",
        about: "both contract suites on the embedded adapters, and on broken ones that must fail",
        packages: &["event-log", "view-store"],
        minutes: 5,
    },
    Suite {
        name: "fake-github",
        about: "the oracle against real git and GitHub's own payload schemas",
        packages: &["fake-github"],
        minutes: 3,
    },
    Suite {
        name: "projector",
        about: "histories that converge whatever breaks on the way; owners that crash, sleep and wake",
        packages: &["projector", "testkit"],
        minutes: 8,
    },
    Suite {
        name: "rooms",
        about: "boot, ingest, backfill, query-api, each through its own door",
        packages: &["boot", "ingest", "backfill", "query-api", "xtask", "bench"],
        minutes: 4,
    },
    Suite { name: "fuzz", about: "hostile input, a second for each target", packages: &["fuzz"], minutes: 2 },
    Suite {
        name: "whole",
        about: "the binary against the fake GitHub: good days, bad days, hostile clients, kill -9",
        packages: &["tallyhook"],
        minutes: 10,
    },
];

/// A built test.
struct Executable {
    package: String,
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
    for suite in SUITES.iter().filter(|suite| names.is_empty() || names.iter().any(|name| name == suite.name))
    {
        println!("\n== {}: {}", suite.name, suite.about);
        report.push((suite.name, suite.run(&executables)?, suite.minutes));
    }
    if names.is_empty() {
        println!("\n== doc: examples in the documentation");
        let started = Instant::now();
        let mut test = command::cargo();
        test.args(["test", "--workspace", "--all-features", "--doc", "--locked", "--quiet"]);
        command::run_within(&mut test, Duration::from_secs(DOC_MINUTES * 60))?;
        report.push(("doc", started.elapsed(), DOC_MINUTES));
    }
    println!();
    for (name, took, minutes) in report {
        println!("{name:12} {:>7.1} s of {minutes} min", took.as_secs_f64());
    }
    println!("on the embedded log and store");
    Ok(())
}

impl Suite {
    fn run(&self, executables: &[Executable]) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let limit = Duration::from_secs(self.minutes * 60);
        for package in self.packages {
            let mut is_tested = false;
            for executable in executables.iter().filter(|executable| executable.package == *package) {
                is_tested = true;
                let mut test = Command::new(&executable.path);
                test.current_dir(&executable.folder).env("CARGO_MANIFEST_DIR", &executable.folder);
                command::run_within(&mut test, limit.saturating_sub(started.elapsed()))?;
            }
            anyhow::ensure!(is_tested, "`{package}` has no tests, but suite `{}` names it", self.name);
        }
        Ok(started.elapsed())
    }
}

/// Builds every test of the workspace and says where each is.
fn build() -> anyhow::Result<Vec<Executable>> {
    let mut build = command::cargo();
    build.args(["test", "--workspace", "--all-features", "--no-run", "--locked"]);
    build.args(["--message-format", "json-render-diagnostics"]).stdout(Stdio::piped());
    println!("$ cargo test --workspace --all-features --no-run");
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
            executables.push(Executable { package, path: path.into(), folder: folder.into() });
        }
    }
    anyhow::ensure!(child.wait()?.success(), "a test does not build");
    executables.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(executables)
}
