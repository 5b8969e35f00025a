//! The bench: how fast the program is, beside the least that could do its job, measured in one run on the same
//! cores. `cargo xtask bench` builds and runs it; `docs/BENCHMARKS.md` says what the figures mean.
//!
//! ```text
//!  run ──starts──► program, peers   (one core)
//!   │  ──starts──► load             (another core)
//!   └──rows──► page: docs/BENCHMARKS.md, plots: docs/benchmarks/*.svg
//!  instructions ──starts──► drive under callgrind ──► instructions.toml
//! ```
//!
//! - A `row` measures one thing; `contest` runs contenders in turn and takes medians.
//! - `fill` makes data folders, `delivery` the deliveries, `load` sends them.
//! - `drive` holds small programs that do one thing so many times, to count their instructions.
//!
//! Nothing here asserts a time: figures are published, and only instruction counts are a gate.

#[cfg(feature = "cluster")]
mod cluster;
mod contest;
mod delivery;
mod drive;
mod fill;
mod fill_latest;
mod instructions;
mod load;
mod machine;
mod page;
mod peer;
mod plot;
mod process;
mod program;
mod row;
mod run;
mod shape;
mod table;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Measures Tallyhook.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    #[command(subcommand)]
    call: Call,
}

#[derive(Subcommand)]
enum Call {
    /// Measures, and writes what came of it into docs/BENCHMARKS.md.
    Run(RunArguments),
    /// Counts instructions and compares them with bench/instructions.toml.
    Instructions(InstructionsArguments),
    /// Makes the log of a data folder; shapes as JSON.
    #[command(hide = true)]
    Fill { folder: PathBuf, shapes: String },
    /// Makes the log of a data folder that holds the newest public repositories.
    #[command(hide = true)]
    FillLatest { folder: PathBuf },
    /// Appends deliveries to that log; which, as JSON.
    #[command(hide = true)]
    Deliver { folder: PathBuf, history: String },
    /// Does something to Kafka or to Cassandra; what as JSON on the standard input.
    #[cfg(feature = "cluster")]
    #[command(hide = true)]
    Job,
    /// Sends load; what to do as JSON on the standard input.
    #[command(hide = true)]
    Load,
    /// Runs a peer.
    #[command(hide = true)]
    Peer {
        #[command(subcommand)]
        peer: peer::Peer,
    },
    /// Does one thing so many times.
    #[command(hide = true)]
    Drive { what: drive::What, times: u32 },
}

/// How to measure.
#[derive(Args)]
pub(crate) struct RunArguments {
    /// Smaller folders and shorter runs: some four minutes in all.
    #[arg(long, conflicts_with = "long")]
    short: bool,
    /// The largest folders too; takes an hour or more.
    #[arg(long)]
    long: bool,
    /// The rows about Kafka and Cassandra instead, on servers of its own; some six minutes, short ones two.
    #[arg(long, conflicts_with = "long")]
    cluster: bool,
    /// Only this row; may be given more than once.
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// List the rows.
    #[arg(long)]
    list: bool,
    /// The root of the tree, where docs/ is.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

/// What to compare with.
#[derive(Args)]
pub(crate) struct InstructionsArguments {
    /// Write what was counted as the new baseline.
    #[arg(long)]
    accept: bool,
    /// The root of the tree.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().call {
        Call::Run(arguments) => run::run(&arguments),
        Call::Instructions(arguments) => instructions::run(&arguments),
        Call::Fill { folder, shapes } => {
            let shapes: Vec<shape::Shape> = serde_json::from_str(&shapes)?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            println!("{}", runtime.block_on(fill::fill_folder(&folder, &shapes))?);
            Ok(())
        }
        Call::FillLatest { folder } => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(fill_latest::fill_latest(&folder))
        }
        Call::Deliver { folder, history } => {
            let history: fill::History = serde_json::from_str(&history)?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            println!("{}", runtime.block_on(fill::deliver(&folder, &history))?);
            Ok(())
        }
        #[cfg(feature = "cluster")]
        Call::Job => cluster::job::run(),
        Call::Load => load::run(),
        Call::Peer { peer } => peer.run(),
        Call::Drive { what, times } => drive::run(what, times),
    }
}
