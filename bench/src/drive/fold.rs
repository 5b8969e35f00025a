//! From a record's bytes to rows, without log and store.

use anyhow::ensure;
use domain::{
    Epoch, Ledger, Millis, Stamp, StreamKey, Told, Version,
    ledger::LargeViews,
    record::{ANSWER, Answer, COMMAND, Command},
};
use event_log::{EmbeddedLog, EmbeddedLogSettings, EventLog as _, Limit, Position};
use github::translate::{Delivery, translate as to_events};

use super::{PUSH_BYTES, What};
use crate::{
    delivery::{Kind, Template},
    fill,
    shape::Shape,
};

/// Later than everything that was filled.
const RECEIVED_AT: Millis = Millis(1_900_000_000_000);
/// Records between two renderings, where they come in crowds.
const CROWD: u32 = 100;

pub(super) fn translate(what: What, times: u32) -> anyhow::Result<()> {
    let shape = Shape::new(1, 1, 1, 1000);
    let kind = if what == What::TranslatePull { Kind::Pull } else { Kind::Push };
    let template = Template::new(kind, PUSH_BYTES)?;
    let mut body = Vec::new();
    template.fill(shape.place(0), 1, shape.pulls, &mut body);
    let stream = StreamKey::Account(shape.place(0).account_id());
    let delivery = Delivery { stream, event: template.event, received_at: RECEIVED_AT, body: &body };
    for _ in 0..times {
        ensure!(!to_events(&delivery)?.events.is_empty(), "a delivery tells something");
    }
    Ok(())
}

pub(super) async fn fold(what: What, times: u32) -> anyhow::Result<()> {
    let (shape, kind) = match what {
        What::FoldPull => (Shape::new(1, 1, 1, 1000), Kind::Pull),
        _ => (Shape::new(1, 1, 10, 10), Kind::Push),
    };
    let crowd = if what == What::FoldPushAlone { 1 } else { CROWD };
    let (mut ledger, mut offset) = ledger(&shape).await?;
    let template = Template::new(kind, PUSH_BYTES)?;
    let stream = StreamKey::Account(shape.place(0).account_id());
    let mut body = Vec::new();
    let mut rows = 0;
    for time in 0..times {
        let place = shape.place(time % shape.places());
        // The order of pushes to one repository is that of their numbers.
        template.fill(place, u64::from(time / shape.places()) + 1, shape.pulls, &mut body);
        let delivery = Delivery { stream, event: template.event, received_at: RECEIVED_AT, body: &body };
        let translated = to_events(&delivery)?;
        offset += 1;
        let version = Version::new(Epoch::FIRST, offset);
        let stamp = Stamp { version, received_at: RECEIVED_AT, told: Told::Delivery };
        ledger.evolve(&stamp, &translated.events);
        if (time + 1) % crowd == 0 {
            rows += drain(&mut ledger);
        }
    }
    ensure!(times < crowd || rows > 0, "a fold writes rows");
    Ok(())
}

/// The ledger of an account of this shape, and the offset of the last record folded into it.
async fn ledger(shape: &Shape) -> anyhow::Result<(Ledger, u64)> {
    let log = EmbeddedLog::in_memory(EmbeddedLogSettings::default())?;
    fill::fill(&log, std::slice::from_ref(shape)).await?;
    let account = shape.place(0).account_id();
    let partition = log.partition_of(StreamKey::Account(account));
    let all = Limit { records_max: usize::MAX, bytes_max: usize::MAX };
    let mut ledger = Ledger::load(account, [])?;
    let mut last = 0;
    for (position, record) in log.read(Position { partition, offset: 0 }, all).await? {
        if record.stream != StreamKey::Account(account) {
            continue;
        }
        let (told, events) = match record.kind.as_str() {
            ANSWER => {
                let answer = Answer::decode(&record.body)?;
                (Told::Answer(answer.asked), answer.events)
            }
            COMMAND => (Told::Command, Command::decode(&record.body)?.events),
            other => anyhow::bail!("nothing here appends a {other}"),
        };
        let version = Version::new(Epoch::FIRST, position.offset);
        ledger.evolve(&Stamp { version, received_at: record.received_at, told }, &events);
        last = position.offset;
    }
    drain(&mut ledger);
    Ok((ledger, last))
}

fn drain(ledger: &mut Ledger) -> usize {
    let mut rows = 0;
    loop {
        let drained = ledger.drain(LargeViews::Render);
        rows += drained.rows.len();
        if !drained.has_more {
            return rows;
        }
    }
}
