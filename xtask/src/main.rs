//! `cargo xtask …`: what maintainers run.

mod arrows;
mod bench;
mod command;
mod deploy;
mod docs;
mod features;
mod files;
mod fuzz;
mod lint;
mod servers;
mod suites;

use clap::{Parser, Subcommand};

/// What maintainers of Tallyhook run.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that must hold before a change lands: lint, then test.
    Ci,
    /// Formatting, clippy, tidy, and whether the generated pages are current.
    Lint,
    /// Whether the tree keeps its own rules: the arrows between rooms, what each may use, file sizes.
    Tidy,
    /// All test suites, each within its own minutes; or those named.
    Test {
        /// Names of suites; all when none is given.
        suites: Vec<String>,
        /// Only list them.
        #[arg(long)]
        list: bool,
    },
    /// Hostile input for long: every target for so many minutes, or the one that is named.
    Fuzz {
        /// Name of a target.
        target: Option<String>,
        /// For each target.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
    },
    /// Builds for release and measures; writes the figures of docs/BENCHMARKS.md.
    Bench(bench::Arguments),
    /// Whether the files under deploy/ are in order, by the tools that are there.
    Deploy,
    /// Writes the generated pages under docs/reference.
    Docs {
        /// Fail where a page is not current, and write nothing.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Ci => {
            lint::run()?;
            suites::run(&[])
        }
        Task::Lint => lint::run(),
        Task::Tidy => lint::tidy(),
        Task::Test { list: true, .. } => {
            suites::list();
            Ok(())
        }
        Task::Test { suites, list: false } => suites::run(&suites),
        Task::Fuzz { target, minutes } => fuzz::run(target.as_deref(), minutes),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Deploy => deploy::run(),
        Task::Docs { check } => docs::run(check),
    }
}
