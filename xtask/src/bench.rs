//! `cargo xtask bench`: builds program and bench for release, and runs the bench.

use std::process::Command;

use clap::Args;

use crate::command;

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Smaller folders and shorter runs: some four minutes in all.
    #[arg(long, conflicts_with = "long")]
    short: bool,
    /// The largest folders too; takes an hour or more.
    #[arg(long)]
    long: bool,
    /// The rows about Kafka and Cassandra instead, on servers of its own: some six minutes, short ones two. The build
    /// needs what the cluster feature needs.
    #[arg(long, conflicts_with = "long")]
    cluster: bool,
    /// Only this row; may be given more than once.
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// List the rows.
    #[arg(long)]
    list: bool,
    /// Instead: count instructions, and fail where they differ from bench/instructions.toml.
    #[arg(long, conflicts_with_all = ["short", "long", "only", "list", "cluster"])]
    instructions: bool,
    /// Write what was counted as the new baseline.
    #[arg(long, requires = "instructions")]
    accept: bool,
}

/// Builds and runs.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.instructions {
        command::run(&mut build())?;
        return command::run(&mut count(arguments.accept));
    }
    let features: &[&str] =
        if arguments.cluster { &["--features", "tallyhook/cluster,bench/cluster"] } else { &[] };
    command::run(build().args(["--package", "tallyhook"]).args(features))?;
    let flags = [
        ("--short", arguments.short),
        ("--long", arguments.long),
        ("--list", arguments.list),
        ("--cluster", arguments.cluster),
    ];
    let mut bench =
        if arguments.cluster { bench_with(&["--features", "bench/cluster"], "run") } else { bench("run") };
    bench.args(flags.into_iter().filter_map(|(flag, given)| given.then_some(flag)));
    bench.args(arguments.only.iter().flat_map(|row| ["--only", row.as_str()]));
    command::run(&mut bench)
}

/// Builds what counts instructions.
/// Counts instructions and compares them with the baseline, or makes them the baseline.
pub(crate) fn count(accept: bool) -> Command {
    let mut count = bench("instructions");
    if accept {
        count.arg("--accept");
    }
    count
}

/// Builds what measures.
pub(crate) fn build() -> Command {
    let mut build = command::cargo();
    build.args(["build", "--release", "--locked", "--package", "bench"]);
    build
}

fn bench(call: &str) -> Command {
    bench_with(&[], call)
}

fn bench_with(features: &[&str], call: &str) -> Command {
    let mut bench = command::cargo();
    bench.args(["run", "--quiet", "--release", "--locked", "--package", "bench"]).args(features);
    bench.args(["--", call]);
    bench
}
