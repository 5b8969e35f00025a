//! The test suites and the minutes each may take on two cores, so that none is thinned without a word.

use std::time::{Duration, Instant};

use anyhow::bail;

use crate::command;

/// A suite of tests.
struct Suite {
    name: &'static str,
    about: &'static str,
    /// Words for `cargo test`.
    words: &'static [&'static str],
    minutes: u64,
}

const SUITES: &[Suite] = &[
    Suite {
        name: "build",
        about: "compiles every test, so that the others' minutes are for testing",
        words: &["--workspace", "--all-features", "--no-run"],
        minutes: 20,
    },
    Suite {
        name: "domain",
        about: "cases, snapshots, and the commit rule against a random forge",
        words: &["--package", "domain"],
        minutes: 3,
    },
    Suite {
        name: "github",
        about: "signatures, every example payload through translate, the client against a scripted forge",
        words: &["--package", "github", "--all-features"],
        minutes: 3,
    },
    Suite {
        name: "ports",
        about: "both contract suites on the embedded adapters, and on broken ones that must fail",
        words: &["--package", "event-log", "--package", "view-store", "--all-features"],
        minutes: 6,
    },
    Suite {
        name: "fake-github",
        about: "the oracle against real git and GitHub's own payload schemas",
        words: &["--package", "fake-github"],
        minutes: 4,
    },
    Suite {
        name: "rooms",
        about: "boot, ingest, projector, backfill, query-api, each through its own door",
        words: &[
            "--package",
            "boot",
            "--package",
            "ingest",
            "--package",
            "projector",
            "--package",
            "backfill",
            "--package",
            "query-api",
            "--package",
            "testkit",
            "--package",
            "xtask",
        ],
        minutes: 6,
    },
    Suite {
        name: "fuzz",
        about: "hostile input, a second for each target",
        words: &["--package", "fuzz"],
        minutes: 2,
    },
    Suite {
        name: "whole",
        about: "the binary against the fake GitHub: faults, convergence, kill -9",
        words: &["--package", "tallyhook"],
        minutes: 10,
    },
];

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
    let mut report = Vec::new();
    for suite in SUITES.iter().filter(|suite| names.is_empty() || names.iter().any(|name| name == suite.name))
    {
        println!("\n== {}: {}", suite.name, suite.about);
        let started = Instant::now();
        let mut test = command::cargo();
        test.args(["test", "--locked"]).args(suite.words);
        command::run_within(&mut test, Duration::from_secs(suite.minutes * 60))?;
        report.push((suite.name, started.elapsed(), suite.minutes));
    }
    println!();
    for (name, took, minutes) in report {
        println!("{name:12} {:>7.1} s of {minutes} min", took.as_secs_f64());
    }
    Ok(())
}
