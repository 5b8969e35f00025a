//! What one event costs as there is more of everything: accounts, repositories of an account, pull requests of a
//! repository. Along each axis only one number grows.

use std::{fmt::Write as _, fs};

use super::ack::{PATH, PUSH_BYTES};
use crate::{
    delivery::Kind,
    load::{Deliveries, Pace, Spec, Wait, Work},
    plot::{Line, Plot},
    process,
    run::{Bench, Mode},
    shape::Shape,
    table::{self, Table},
};

/// An axis along which one number grows.
struct Axis {
    name: &'static str,
    file: &'static str,
    shape: fn(u32) -> Shape,
    short: &'static [u32],
    full: &'static [u32],
    long: &'static [u32],
    kinds: &'static [(&'static str, Kind)],
}

const PUSHES: (&str, Kind) = ("push", Kind::Push);

const AXES: [Axis; 3] = [
    Axis {
        name: "accounts (of 10 repositories)",
        file: "growth-accounts.svg",
        shape: |number| Shape::new(1, number, 10, 10),
        short: &[1, 10, 100],
        full: &[1, 10, 100, 1_000, 10_000],
        long: &[1, 10, 100, 1_000, 10_000],
        kinds: &[PUSHES],
    },
    Axis {
        name: "repositories of one account",
        file: "growth-repositories.svg",
        shape: |number| Shape::new(1, 1, number, 10),
        short: &[10, 100, 1_000],
        full: &[10, 100, 1_000],
        long: &[10, 100, 1_000, 10_000],
        kinds: &[PUSHES],
    },
    Axis {
        name: "pull requests of one repository",
        file: "growth-pulls.svg",
        shape: |number| Shape::new(1, 1, 1, number),
        short: &[100, 1_000, 10_000],
        full: &[100, 1_000, 10_000],
        long: &[100, 1_000, 10_000, 100_000],
        kinds: &[("pull request", Kind::Pull), ("star", Kind::Star)],
    },
];

/// What was seen at one point.
struct Point {
    replayed: f64,
    replay_seconds: f64,
    start_seconds: f64,
    memory: u64,
    disk: u64,
    events: Vec<Event>,
}

/// What one kind of event costs.
struct Event {
    name: &'static str,
    /// Of a lone event, from its first byte to its rows being written, in milliseconds.
    alone_ms: f64,
    /// Processor time of a lone event, from the socket to the store.
    alone_us: f64,
    /// Processor time of one of many.
    crowd_us: f64,
}

pub(super) fn measure(bench: &Bench) -> anyhow::Result<String> {
    let mut figures = String::new();
    for axis in &AXES {
        let points = match bench.mode {
            Mode::Short => axis.short,
            Mode::Full => axis.full,
            Mode::Long => axis.long,
        };
        let mut table = Table::new(&[
            axis.name,
            "event",
            "alone: ms to visible",
            "alone: core µs",
            "in a crowd: core µs",
            "replay, records per second",
            "second start",
            "memory",
            "disk",
        ]);
        let mut lines: Vec<Line> = Vec::new();
        for &number in points {
            let point = at(bench, (axis.shape)(number), axis.kinds)?;
            for event in &point.events {
                table.row(vec![
                    table::thousands(f64::from(number)),
                    event.name.to_owned(),
                    format!("{:.2}", event.alone_ms),
                    format!("{:.0}", event.alone_us),
                    format!("{:.0}", event.crowd_us),
                    table::thousands(point.replayed / point.replay_seconds),
                    table::seconds(point.start_seconds),
                    table::bytes(point.memory),
                    table::bytes(point.disk),
                ]);
                eprintln!("   {number} {}: {} {:.0} us", axis.name, event.name, event.alone_us);
                for (how, value) in [("alone", event.alone_us), ("in a crowd", event.crowd_us)] {
                    let name = format!("{}, {how}", event.name);
                    match lines.iter_mut().find(|line| line.name == name) {
                        Some(line) => line.points.push((f64::from(number), value)),
                        None => lines.push(Line { name, points: vec![(f64::from(number), value)] }),
                    }
                }
            }
        }
        let plot = Plot { title: "Processor time of one event", across: axis.name, up: "core µs", lines };
        plot.write(&bench.plots.join(axis.file))?;
        writeln!(figures, "{table}\n![{}](benchmarks/{})\n", axis.name, axis.file)?;
    }
    Ok(figures)
}

fn at(bench: &Bench, shape: Shape, kinds: &[(&'static str, Kind)]) -> anyhow::Result<Point> {
    let base = bench.program(bench.folder()?.path())?.ready_after;
    let (data, records) = bench.filled(&[shape])?;
    let first = bench.program(data.path())?;
    let replay_seconds = first.ready_after.saturating_sub(base).as_secs_f64().max(0.001);
    first.end()?;
    let program = bench.program(data.path())?;
    let start_seconds = program.ready_after.as_secs_f64();
    let mut events = Vec::new();
    let mut folded = program.metric("tallyhook_projected_records_total")?;
    // Alone first, then in a crowd, on other repositories where there are others.
    let lanes = shape.places().min(2);
    // Where there is only one repository, all go to it, one after the other.
    let mut before = 0;
    for (name, kind) in kinds {
        let mut costs = Vec::new();
        for (lane, connections, milliseconds) in [
            (0, 1, bench.pick(700, 3000)),
            (lanes - 1, shape.places().min(16) as usize, bench.pick(700, 3000)),
        ] {
            let connections = connections.min((shape.places().div_ceil(lanes)) as usize);
            let spec = Spec {
                address: program.api,
                connections,
                // Slow enough for one at a time, so that each is a batch of its own.
                pace: if lane == 0 && costs.is_empty() {
                    Pace::Open { per_second: 100.0, wait: Wait::Awake }
                } else {
                    Pace::Closed
                },
                warm_up_ms: 0,
                measured_ms: milliseconds,
                work: Work::Deliver(Deliveries {
                    path: PATH.to_owned(),
                    kind: *kind,
                    bytes: PUSH_BYTES,
                    shape,
                    lane,
                    lanes,
                    from: if shape.places() == 1 { before } else { 0 },
                    run: bench.next_run(),
                }),
            };
            let (cpu, sum, count) = seen(&program)?;
            let seen_by_load = bench.load(&spec)?;
            // A star is told to two accounts.
            let streams = if *kind == Kind::Star { 2.0 } else { 1.0 };
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
            let sent = seen_by_load.all_requests as f64;
            before += seen_by_load.all_requests;
            folded += sent * streams;
            program.wait_folded(folded)?;
            let (cpu_after, sum_after, count_after) = seen(&program)?;
            let fresh = (sum_after - sum) / (count_after - count).max(1.0);
            costs.push(((cpu_after - cpu) * 1e6 / sent, fresh * 1e3));
        }
        events.push(Event { name, alone_ms: costs[0].1, alone_us: costs[0].0, crowd_us: costs[1].0 });
    }
    let (memory, _) = process::memory(program.id())?;
    program.end()?;
    let size = |name: &str| fs::metadata(data.path().join(name)).map(|file| file.len());
    let disk = size("log.redb")? + size("state.redb")?;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let replayed = records as f64;
    Ok(Point { replayed, replay_seconds, start_seconds, memory, disk, events })
}

/// Processor time, and the sum and number of the times until records were visible.
fn seen(program: &crate::program::Program) -> anyhow::Result<(f64, f64, f64)> {
    Ok((
        process::cpu_seconds_of_threads(program.id())?,
        program.metric("tallyhook_freshness_seconds_sum")?,
        program.metric("tallyhook_freshness_seconds_count")?,
    ))
}
