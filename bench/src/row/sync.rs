//! Appends without HTTP: a plain file with one sync for each group, and our log with as many callers.

use std::fmt::Write as _;

use crate::{
    peer::Appended,
    run::Bench,
    table::{self, Table},
};

const BYTES: usize = 8 << 10;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<String> {
    let milliseconds = bench.pick(700, 3000);
    let mut table = Table::new(&[
        "8 KiB records, group of",
        "plain file, per second",
        "p50",
        "our log, per second",
        "p50",
        "p99",
        "log ÷ file",
    ]);
    for group in [1, 4, 16, 64, 256] {
        let ask = |peer: &str| -> anyhow::Result<Appended> {
            let folder = bench.folder()?;
            let words = [peer.to_owned(), group.to_string(), BYTES.to_string(), milliseconds.to_string()];
            Ok(serde_json::from_str(&bench.ask_peer(folder.path(), &words)?)?)
        };
        let (plain, log) = (ask("append")?, ask("log")?);
        table.row(vec![
            group.to_string(),
            table::thousands(plain.per_second),
            table::micros(plain.p50_us),
            table::thousands(log.per_second),
            table::micros(log.p50_us),
            table::micros(log.p99_us),
            format!("**{:.2}**", log.per_second / plain.per_second),
        ]);
        eprintln!("   group {group}: file {:.0}/s, log {:.0}/s", plain.per_second, log.per_second);
    }
    let mut figures = String::new();
    writeln!(figures, "{table}")?;
    Ok(figures)
}
