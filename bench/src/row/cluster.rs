//! The rows about Kafka and Cassandra: Tallyhook's roles beside bare clients of the same servers.

use std::{fmt::Write as _, time::Instant};

use super::ack::{PUSH_BYTES, Sender};
use crate::{
    cluster::{
        Place, Role,
        job::{Done, Job},
    },
    contest::{self, Outcome},
    delivery::Kind,
    fill::History,
    load::{Pace, Seen, Spec, Wait, Work},
    process, program,
    run::Bench,
    shape::Shape,
    table::{self, Table},
};

/// As many senders as the goal speaks of.
const IN_FLIGHT: usize = 64;
/// Deliveries a second beside which a change is to become visible.
const BESIDE_PER_SECOND: f64 = 500.0;
/// Connections of those: an answer takes some milliseconds.
const BESIDE_CONNECTIONS: usize = 16;
/// Rows of the store are about as large: a view of a small account.
const ROW_BYTES: usize = 1_500;

/// The element in the middle by `speed`.
fn middle<T>(mut rounds: Vec<T>, speed: impl Fn(&T) -> f64) -> T {
    rounds.sort_by(|one, other| speed(one).total_cmp(&speed(other)));
    rounds.swap_remove(rounds.len() / 2)
}

fn fill(bench: &Bench, place: &Place, shape: Shape) -> anyhow::Result<u64> {
    bench.job(&Job::Fill { place: place.clone(), shape })
}

pub(super) fn ack(bench: &Bench) -> anyhow::Result<String> {
    let place = bench.servers()?.place(bench)?;
    let folder = bench.folder()?;
    let mut ingest = Role::start(bench, &place, folder.path(), "ingest")?;
    ingest.ready()?;
    let sender = Sender::new(bench, Shape::new(1, 100, 64, 0));
    let milliseconds = bench.pick(2_000, 6_000);
    let produce = |is_bare| -> anyhow::Result<Done> {
        let (place, tasks, bytes) = (place.clone(), IN_FLIGHT, PUSH_BYTES);
        bench.job(&Job::Produce { place, tasks, bytes, milliseconds, is_bare })
    };
    let (mut doors, mut logs, mut bares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.pick(2, 5) {
        let spec = sender.spec(ingest.api, IN_FLIGHT, PUSH_BYTES, Pace::Closed);
        doors.push(bench.load(&spec)?);
        logs.push(produce(false)?);
        bares.push(produce(true)?);
        if let (Some(door), Some(log), Some(bare)) = (doors.last(), logs.last(), bares.last()) {
            eprintln!(
                "   ingest {:.0}/s, our log {:.0}/s, bare producer {:.0}/s",
                door.per_second, log.per_second, bare.per_second
            );
        }
    }
    let door: Seen = middle(doors, |door| door.per_second);
    let log = middle(logs, |log| log.per_second);
    let bare = middle(bares, |bare| bare.per_second);
    let mut table =
        Table::new(&["7 KiB pushes, 64 in flight", "per second", "it ÷ bare", "p50", "p99", "errors"]);
    let mut row = |name: &str, per_second: f64, p50_us, p99_us, errors: u64| {
        table.row(vec![
            name.to_owned(),
            table::thousands(per_second),
            format!("**{:.2}**", per_second / bare.per_second),
            table::micros(p50_us),
            table::micros(p99_us),
            errors.to_string(),
        ]);
    };
    row("`tallyhook ingest`, HTTP and HMAC", door.per_second, door.p50_us, door.p99_us, door.errors);
    row("Tallyhook's log alone", log.per_second, log.p50_us, log.p99_us, 0);
    row("bare producer", bare.per_second, bare.p50_us, bare.p99_us, 0);
    ingest.end()?;
    Ok(format!("{table}\n"))
}

pub(super) fn visible(bench: &Bench) -> anyhow::Result<String> {
    let place = bench.servers()?.place(bench)?;
    let shape = Shape::new(1, 100, bench.pick(14, 20), 10);
    let records = fill(bench, &place, shape)?;
    let folder = bench.folder()?;
    let start = |role| Role::start(bench, &place, folder.path(), role);
    let (mut ingest, mut projector, mut query) = (start("ingest")?, start("projector")?, start("query-api")?);
    ingest.ready()?;
    query.ready()?;
    projector.wait("it folded what was filled", |ops| {
        let folded = program::metric(ops, "tallyhook_projected_records_total").ok()?;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let all = records as f64;
        (folded >= all).then_some(())
    })?;
    let sender = Sender::new(bench, shape);
    let (warm_up_ms, measured_ms) = (bench.pick(2_000, 4_000), bench.pick(8_000, 30_000));
    let watched = || Spec {
        address: ingest.api,
        connections: 8,
        pace: Pace::Closed,
        warm_up_ms,
        measured_ms,
        work: Work::Visible {
            deliveries: sender.deliveries(Kind::Push, PUSH_BYTES),
            rest_ms: 50,
            reader: Some(query.api),
            // Kafka and Cassandra need the cores.
            wait: Wait::Asleep,
        },
    };
    let beside = |per_second| Spec {
        address: ingest.api,
        connections: BESIDE_CONNECTIONS,
        pace: Pace::Open { per_second, wait: Wait::Asleep },
        warm_up_ms,
        // Until the watched ones are over.
        measured_ms: measured_ms + 1_000,
        work: Work::Deliver(sender.deliveries(Kind::Push, PUSH_BYTES)),
    };
    let alone = bench.load(&watched())?;
    let (text, watch) = (serde_json::to_string(&beside(BESIDE_PER_SECOND))?, watched());
    let mut command = bench.generator();
    let (loaded, seen) = std::thread::scope(|scope| -> anyhow::Result<(Seen, Seen)> {
        let loading = scope.spawn(move || process::converse(&mut command, &text));
        let seen = bench.load(&watch)?;
        let said = loading.join().map_err(|_| anyhow::anyhow!("the load beside it panicked"))??;
        Ok((serde_json::from_str(&said)?, seen))
    })?;
    let outcome = |name, seen| Outcome { name, seen, cpu_us: 0.0 };
    let outcomes = [
        outcome("8 senders and nothing else", alone),
        outcome("the same beside 500 deliveries a second", seen),
        outcome("answers to those 500", loaded),
    ];
    let mut figures = String::new();
    writeln!(figures, "{}", contest::latency("delivery → first GET that shows it", &outcomes))?;
    for role in [query, projector, ingest] {
        role.end()?;
    }
    Ok(figures)
}

pub(super) fn replay(bench: &Bench) -> anyhow::Result<String> {
    let place = bench.servers()?.place(bench)?;
    let shape = Shape::new(1, bench.pick(100, 200), 10, 10);
    let filled = fill(bench, &place, shape)?;
    let history = History { shape, kind: Kind::Push, bytes: PUSH_BYTES, each: bench.pick(8, 25) };
    let delivered: u64 = bench.job(&Job::Deliver { place: place.clone(), history })?;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let records = (filled + delivered) as f64;
    let bare_before: Done = bench.job(&Job::Consume { place: place.clone() })?;

    let folder = bench.folder()?;
    let mut projector = Role::start(bench, &place, folder.path(), "projector")?;
    // From the first records that it folded: joining the group takes seconds, whatever there is to fold.
    let first = projector.wait("it began to fold", |ops| {
        let folded = program::metric(ops, "tallyhook_projected_records_total").ok()?;
        (folded > 0.0).then_some(folded)
    })?;
    let begun = Instant::now();
    projector.ready()?;
    let took = begun.elapsed().as_secs_f64();
    let folded = projector.metric("tallyhook_projected_records_total")?;
    let rows = projector.metric("tallyhook_projector_rows_total")?;
    let bytes = projector.metric("tallyhook_projector_row_bytes_total")?;
    let cpu_us = process::cpu_seconds(projector.id())? * 1e6 / folded;
    projector.end()?;
    let ours = (records - first) / took;

    let bare_after: Done = bench.job(&Job::Consume { place: place.clone() })?;
    let consumer = (bare_before.per_second + bare_after.per_second) / 2.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts and sizes")]
    let (rows_written, row_bytes) = (rows.max(1.0) as u64, (bytes / rows.max(1.0)) as usize);
    let driver: Done =
        bench.job(&Job::Write { place, rows: rows_written, bytes: row_bytes, is_bare: true })?;
    let together = records / (records / consumer + rows / driver.per_second);

    let mut table = Table::new(&["7 KiB pushes", "count", "per second", "records per second", "it ÷ bare"]);
    let mut row = |name: String, count: f64, per_second: f64, records_per_second: Option<f64>| {
        table.row(vec![
            name,
            table::thousands(count),
            table::thousands(per_second),
            records_per_second.map_or_else(String::new, table::thousands),
            records_per_second.map_or_else(String::new, |rate| format!("**{:.2}**", rate / together)),
        ]);
    };
    row(format!("`tallyhook projector` ({cpu_us:.0} core µs a record)"), records, ours, Some(ours));
    row("bare consumer".to_owned(), records, consumer, None);
    row(format!("bare driver, rows of {row_bytes} bytes"), rows, driver.per_second, None);
    row("both, one after the other".to_owned(), records, together, Some(together));
    Ok(format!("{table}\n"))
}

pub(super) fn rows(bench: &Bench) -> anyhow::Result<String> {
    let place = bench.servers()?.place(bench)?;
    let rows = bench.pick(10_000, 40_000);
    let write = |is_bare| -> anyhow::Result<Done> {
        bench.job(&Job::Write { place: place.clone(), rows, bytes: ROW_BYTES, is_bare })
    };
    let (mut ours, mut bares) = (Vec::new(), Vec::new());
    for _ in 0..bench.pick(2, 5) {
        ours.push(write(false)?.per_second);
        bares.push(write(true)?.per_second);
    }
    let (ours, bare) = (middle(ours, |rate| *rate), middle(bares, |rate| *rate));
    let mut table = Table::new(&["rows of 1 500 bytes, 256 in flight", "per second", "it ÷ bare"]);
    for (name, rate) in [("Tallyhook's store", ours), ("bare driver", bare)] {
        table.row(vec![name.to_owned(), table::thousands(rate), format!("**{:.2}**", rate / bare)]);
    }
    Ok(format!("{table}\n"))
}
