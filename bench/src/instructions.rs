//! Instructions for one of a thing, counted by callgrind, against those in `instructions.toml`: the gate that
//! no noise of a machine can trip.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context, bail, ensure};
use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};

use crate::{InstructionsArguments, drive::What, process, table};

/// Done so often, so that what happens only at first is over.
const BEFORE: u32 = 100;
/// And so often more: these are counted.
const COUNTED: u32 = 400;

/// What is kept in the tree.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    /// How far a count may be from the one here, in percent, either way: a count that fell is to be accepted
    /// too, or it could rise again unseen.
    tolerance_percent: f64,
    /// Instructions for one.
    instructions: BTreeMap<String, u64>,
}

/// Counts and compares, or counts and accepts.
pub(crate) fn run(arguments: &InstructionsArguments) -> anyhow::Result<()> {
    if !process::is_installed("valgrind") {
        ensure!(
            std::env::var_os("CI").is_none(),
            "valgrind is not installed: the gate would let anything pass"
        );
        println!("skipped: valgrind is not installed");
        return Ok(());
    }
    let path = arguments.root.join("bench/instructions.toml");
    let mut baseline: Baseline = read(&path)?;
    let mut strays = Vec::new();
    let mut counted = BTreeMap::new();
    for what in What::value_variants() {
        let name = what.to_possible_value().context("every thing has a name")?.get_name().to_owned();
        let count = count(&name)?;
        let known = baseline.instructions.get(&name).copied();
        let change = known.map(|known| change_percent(known, count));
        let is_stray = change.is_none_or(|change| change.abs() > baseline.tolerance_percent);
        println!(
            "{name:18} {:>12}  {}{}",
            table::thousands(exact(count)),
            change.map_or_else(|| "new".to_owned(), |change| format!("{change:+.1} %")),
            if is_stray { "  !" } else { "" }
        );
        if is_stray {
            strays.push(name.clone());
        }
        counted.insert(name, count);
    }
    if arguments.accept {
        baseline.instructions = counted;
        return write(&path, &baseline);
    }
    ensure!(
        strays.is_empty(),
        "more than {} % from bench/instructions.toml: {}. If that is meant, run `cargo xtask bench --instructions \
         --accept` and say why in the commit",
        baseline.tolerance_percent,
        strays.join(", ")
    );
    Ok(())
}

fn count(name: &str) -> anyhow::Result<u64> {
    let few = total(name, BEFORE)?;
    let many = total(name, BEFORE + COUNTED)?;
    Ok(many.saturating_sub(few) / u64::from(COUNTED))
}

/// All instructions of a process that does it so many times.
fn total(name: &str, times: u32) -> anyhow::Result<u64> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["drive", name, &times.to_string()]);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{name} failed under valgrind: {said}");
    }
    let line = said.lines().find_map(|line| line.split_once("Collected :"));
    Ok(line.context("callgrind tells what it collected")?.1.trim().parse()?)
}

fn change_percent(known: u64, count: u64) -> f64 {
    (exact(count) / exact(known.max(1)) - 1.0) * 100.0
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn exact(count: u64) -> f64 {
    count as f64
}

fn read(path: &Path) -> anyhow::Result<Baseline> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

fn write(path: &Path, baseline: &Baseline) -> anyhow::Result<()> {
    let heading = "# Instructions for one of each thing, counted by callgrind: see bench/src/drive.rs and\n\
                   # docs/BENCHMARKS.md. Written by `cargo xtask bench --instructions --accept`.\n\n";
    fs::write(path, format!("{heading}{}", toml::to_string(baseline)?))?;
    println!("written to bench/instructions.toml");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_names_exactly_what_is_driven() {
        let baseline: Baseline = toml::from_str(include_str!("../instructions.toml")).unwrap();
        let driven: Vec<String> = What::value_variants()
            .iter()
            .map(|what| what.to_possible_value().unwrap().get_name().to_owned())
            .collect();
        let known: Vec<&String> = baseline.instructions.keys().collect();
        assert!(driven.iter().all(|name| known.contains(&name)), "{known:?}");
        assert_eq!(driven.len(), known.len());
    }

    #[test]
    fn a_change_is_told_with_its_direction() {
        assert!((change_percent(1000, 1050) - 5.0).abs() < 0.01);
        assert!((change_percent(1000, 900) + 10.0).abs() < 0.01);
    }
}
