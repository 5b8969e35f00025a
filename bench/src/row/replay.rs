//! Folding a log of real deliveries from its start, on one core: what a rebuild takes.

use std::{fmt::Write as _, fs};

use super::ack::PUSH_BYTES;
use crate::{
    delivery::Kind,
    fill::History,
    process,
    run::Bench,
    shape::Shape,
    table::{self, Table},
};

pub(super) fn measure(bench: &Bench) -> anyhow::Result<String> {
    let mut table = Table::new(&[
        "log",
        "records",
        "folded in",
        "records per second",
        "core µs each",
        "log on disk",
        "store on disk",
        "most memory",
    ]);
    let accounts = bench.pick(100, 500);
    let each = bench.pick(30, 100);
    for (name, kind, bytes) in [
        ("7 KiB pushes", Kind::Push, PUSH_BYTES),
        ("1 KiB pushes", Kind::Push, 1 << 10),
        ("pull requests", Kind::Pull, 0),
    ] {
        let shape = Shape::new(1, accounts, 10, 100);
        let (data, filled) = bench.filled(&[shape])?;
        // An empty log's share of the start is taken off.
        let base = bench.program(bench.folder()?.path())?.ready_after;
        let records = filled + bench.deliver(data.path(), &History { shape, kind, bytes, each })?;
        let program = bench.program(data.path())?;
        let took = program.ready_after.saturating_sub(base).as_secs_f64();
        let cpu = process::cpu_seconds(program.id())?;
        let (_, most) = process::memory(program.id())?;
        program.end()?;
        let size = |name: &str| fs::metadata(data.path().join(name)).map(|file| file.len());
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let count = records as f64;
        table.row(vec![
            format!("{name}, {accounts} accounts of 10 repositories"),
            table::thousands(count),
            table::seconds(took),
            format!("**{}**", table::thousands(count / took)),
            format!("{:.1}", cpu * 1e6 / count),
            table::bytes(size("log.redb")?),
            table::bytes(size("state.redb")?),
            table::bytes(most),
        ]);
        eprintln!("   {name}: {records} records in {took:.2} s");
    }
    let mut figures = String::new();
    writeln!(figures, "{table}")?;
    Ok(figures)
}
