//! `cargo xtask bench`: builds program and bench for release, and runs the bench.

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
    /// Only this row; may be given more than once.
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// List the rows.
    #[arg(long)]
    list: bool,
    /// Instead: count instructions, and fail where they differ from bench/instructions.toml.
    #[arg(long, conflicts_with_all = ["short", "long", "only", "list"])]
    instructions: bool,
    /// Write what was counted as the new baseline.
    #[arg(long, requires = "instructions")]
    accept: bool,
}

/// Builds and runs.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let build = ["build", "--release", "--locked", "--package", "bench", "--package", "tallyhook"];
    command::run(command::cargo().args(build))?;
    let mut words = vec!["run", "--quiet", "--release", "--locked", "--package", "bench", "--"];
    words.push(if arguments.instructions { "instructions" } else { "run" });
    let flags = [
        ("--short", arguments.short),
        ("--long", arguments.long),
        ("--list", arguments.list),
        ("--accept", arguments.accept),
    ];
    words.extend(flags.into_iter().filter_map(|(flag, given)| given.then_some(flag)));
    words.extend(arguments.only.iter().flat_map(|row| ["--only", row.as_str()]));
    command::run(command::cargo().args(words))
}
