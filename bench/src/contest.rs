//! Contenders that are measured in turn, several rounds of each, so that whatever else the machine does meets
//! all of them; of each the round in the middle counts.

use crate::{
    load::{Seen, Spec},
    process,
    run::Bench,
    table::{self, Table},
};

/// Who takes part.
pub(crate) struct Contender<'a> {
    pub(crate) name: &'static str,
    /// Its process.
    pub(crate) id: u32,
    /// What to send; asked anew for each round.
    pub(crate) spec: Box<dyn Fn() -> Spec + 'a>,
}

/// What came of one contender.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) seen: Seen,
    /// Processor time of the server for one request, in microseconds.
    pub(crate) cpu_us: f64,
}

/// Runs all contenders in turn, so many rounds.
pub(crate) fn contest(
    bench: &Bench,
    rounds: usize,
    contenders: &[Contender<'_>],
) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = vec![Vec::with_capacity(rounds); contenders.len()];
    for _ in 0..rounds {
        for (contender, outcomes) in contenders.iter().zip(&mut outcomes) {
            let before = process::cpu_seconds(contender.id)?;
            let seen = bench.load(&(contender.spec)())?;
            let used = process::cpu_seconds(contender.id)? - before;
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
            let cpu_us = used * 1e6 / seen.all_requests.max(1) as f64;
            eprintln!(
                "   {:24} {:>9.0}/s  {cpu_us:>7.1} us cpu  p50 {} us  p99 {} us  generator {:.0} %  errors {}",
                contender.name,
                seen.per_second,
                seen.p50_us,
                seen.p99_us,
                seen.busy * 100.0,
                seen.errors
            );
            outcomes.push(Outcome { name: contender.name, seen, cpu_us });
        }
    }
    Ok(outcomes.into_iter().map(middle).collect())
}

/// The round in the middle by speed, with the processor time in the middle.
fn middle(mut rounds: Vec<Outcome>) -> Outcome {
    rounds.sort_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us));
    let cpu_us = rounds[rounds.len() / 2].cpu_us;
    rounds.sort_by(|a, b| a.seen.per_second.total_cmp(&b.seen.per_second));
    let middle = rounds.len() / 2;
    Outcome { cpu_us, ..rounds.swap_remove(middle) }
}

/// A table of capacity: the first outcome is ours, the others its peers.
pub(crate) fn capacity(what: &str, outcomes: &[Outcome]) -> Table {
    let mut table = Table::new(&[
        what,
        "per second",
        "ours ÷ it",
        "server µs each",
        "its µs ÷ ours",
        "generator busy",
        "errors",
    ]);
    let Some(ours) = outcomes.first() else { return table };
    for outcome in outcomes {
        let is_ours = outcome.name == ours.name;
        let ratio = |ratio: f64| if is_ours { "1".to_owned() } else { format!("**{ratio:.2}**") };
        table.row(vec![
            outcome.name.to_owned(),
            table::thousands(outcome.seen.per_second),
            ratio(ours.seen.per_second / outcome.seen.per_second),
            format!("{:.1}", outcome.cpu_us),
            ratio(outcome.cpu_us / ours.cpu_us),
            format!("{:.0} %", outcome.seen.busy * 100.0),
            outcome.seen.errors.to_string(),
        ]);
    }
    table
}

/// A table of latencies.
pub(crate) fn latency(what: &str, outcomes: &[Outcome]) -> Table {
    let mut table = Table::new(&[what, "per second", "p50", "p90", "p99", "p99.9", "most", "errors"]);
    for Outcome { name, seen, .. } in outcomes {
        let mut row = vec![(*name).to_owned(), table::thousands(seen.per_second)];
        row.extend([seen.p50_us, seen.p90_us, seen.p99_us, seen.p999_us, seen.max_us].map(table::micros));
        row.push(seen.errors.to_string());
        table.row(row);
    }
    table
}
