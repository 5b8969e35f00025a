//! From a delivery's first byte to the first answer that shows it, on an idle program and beside other load.

use std::fmt::Write as _;

use super::ack::{PUSH_BYTES, Sender};
use crate::{
    contest::{self, Contender},
    delivery::Kind,
    load::{Pace, Spec, Wait, Work},
    run::Bench,
    shape::Shape,
};

pub(super) fn measure(bench: &Bench) -> anyhow::Result<String> {
    let shape = Shape::new(1, 100, 20, 10);
    let (data, _) = bench.filled(&[shape])?;
    let program = bench.program(data.path())?;
    let sender = Sender::new(bench, shape);
    let mut outcomes = Vec::new();
    for (name, connections, rest_ms) in [
        ("one sender, 20 ms apart", 1, 20),
        ("8 senders, 20 ms apart", 8, 20),
        ("16 senders without rest", 16, 0),
    ] {
        let spec = || Spec {
            address: program.api,
            connections,
            pace: Pace::Closed,
            warm_up_ms: bench.pick(300, 1000),
            measured_ms: bench.pick(2000, 10_000),
            work: Work::Visible {
                deliveries: sender.deliveries(Kind::Push, PUSH_BYTES),
                rest_ms,
                reader: None,
                wait: Wait::Awake,
            },
        };
        let contender = Contender { name, id: program.id(), spec: Box::new(spec) };
        outcomes.extend(contest::contest(bench, 1, &[contender])?);
    }
    let mut figures = String::new();
    writeln!(figures, "{}", contest::latency("delivery → first GET that shows it", &outcomes))?;
    Ok(figures)
}
