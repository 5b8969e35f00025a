//! One sender that waits for each answer: what a sync costs, and what we add to it.

use std::fmt::Write as _;

use super::ack::{PUSH_BYTES, Sender};
use crate::{
    contest::{self, Contender},
    load::Pace,
    peer::Appended,
    run::Bench,
    shape::Shape,
    table::{self, Table},
};

pub(super) fn measure(bench: &Bench) -> anyhow::Result<String> {
    let shape = Shape::new(1, 100, 10, 10);
    let (data, _) = bench.filled(&[shape])?;
    let program = bench.program(data.path())?;
    let folders = [bench.folder()?, bench.folder()?];
    let (door, door_at) = bench.peer("door", Some(folders[0].path()))?;
    let (plain, plain_at) = bench.peer("hmac-log", Some(folders[1].path()))?;
    let sender = Sender::new(bench, shape);
    let sender = &sender;
    let contender = |name, id, address| Contender {
        name,
        id,
        spec: Box::new(move || sender.spec(address, 1, PUSH_BYTES, Pace::Closed)),
    };
    let contenders = [
        contender("Tallyhook's door and log", door.id(), door_at),
        contender("Tallyhook, the whole program", program.id(), program.api),
        contender("axum + HMAC + plain file, fdatasync", plain.id(), plain_at),
    ];
    // Between the rounds, because a disk is not the same from one moment to the next.
    let mut raw = Vec::new();
    let mut rounds = Vec::new();
    for _ in 0..bench.pick(2, 5) {
        raw.push(sync(bench)?);
        rounds.push(contest::contest(bench, 1, &contenders)?);
    }
    raw.sort_by_key(|appended| appended.p50_us);
    let raw = &raw[raw.len() / 2];
    let mut table = Table::new(&["7 KiB push, one connection", "p50", "p99", "p50 ÷ the bare sync's"]);
    table.row(vec![
        "8 KiB write + fdatasync, nothing else".to_owned(),
        table::micros(raw.p50_us),
        table::micros(raw.p99_us),
        "1".to_owned(),
    ]);
    for (number, contender) in contenders.iter().enumerate() {
        let mut outcomes: Vec<_> = rounds.iter().map(|round| &round[number].seen).collect();
        outcomes.sort_by_key(|seen| seen.p50_us);
        let seen = outcomes[outcomes.len() / 2];
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let ratio = seen.p50_us as f64 / raw.p50_us.max(1) as f64;
        table.row(vec![
            contender.name.to_owned(),
            table::micros(seen.p50_us),
            table::micros(seen.p99_us),
            format!("**{ratio:.1}**"),
        ]);
    }
    let mut figures = String::new();
    writeln!(figures, "{table}")?;
    Ok(figures)
}

fn sync(bench: &Bench) -> anyhow::Result<Appended> {
    let folder = bench.folder()?;
    let words = ["append", "1", "8192", bench.pick("400", "2000")].map(str::to_owned);
    Ok(serde_json::from_str(&bench.ask_peer(folder.path(), &words)?)?)
}
