//! What damage is done to: real deliveries of a lived-in world, and the rows that they are folded into.

use std::collections::HashMap;

use domain::{
    AccountId, Epoch, Event, Ledger, Millis, Row, Stamp, StreamKey, Told, Version, event::TrackedBy,
    ledger::LargeViews,
};
use fake_github::{Clock, Emitted, Life, Second, Urls, Weights, World};
use github::{
    route,
    translate::{Delivery, translate},
};

const START: Second = Second(1_795_000_000);
/// A day after the world began.
pub(crate) const NOW: Millis = Millis((1_795_000_000 + 86_400) * 1000);
/// Enough that every kind of thing happens.
const STEPS: usize = 400;

/// Deliveries of everything that can happen.
pub(crate) fn deliveries() -> Vec<Emitted> {
    let clock = Clock::scripted(START);
    let mut world = World::new(7, clock.clone(), Urls::default());
    world.populate(3).unwrap();
    let mut life = Life::new(7, Weights::default());
    for _ in 0..STEPS {
        life.step(&mut world).unwrap();
        clock.advance_ms(life.pause_ms().min(60_000));
    }
    world.take_events()
}

/// Rows of all families that folding those deliveries writes.
pub(crate) fn rows() -> Vec<Row> {
    let mut ledgers: HashMap<AccountId, Ledger> = HashMap::new();
    let mut rows = HashMap::new();
    for (offset, emitted) in (0..).zip(deliveries()) {
        for stream in route(emitted.event, &emitted.body).unwrap() {
            let Some(account) = stream.account() else { continue };
            let ledger = ledgers.entry(account).or_insert_with(|| tracked(account));
            let version = Version::new(Epoch::FIRST, 1 + offset);
            fold(ledger, stream, version, emitted.event, &emitted.body);
            drain(ledger, &mut rows);
        }
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    rows.sort_by_key(|row| row.key.encode());
    rows
}

/// An account that is kept, so that everything about it is rendered.
pub(crate) fn tracked(account: AccountId) -> Ledger {
    let mut ledger = Ledger::load(account, []).unwrap();
    let stamp = Stamp { version: Version::new(Epoch::FIRST, 0), received_at: NOW, told: Told::Command };
    ledger.evolve(&stamp, &[Event::Tracked(TrackedBy::Person)]);
    ledger
}

/// Folds a delivery as the projector does; what cannot be read puts everything in doubt.
pub(crate) fn fold(ledger: &mut Ledger, stream: StreamKey, version: Version, event: &str, body: &[u8]) {
    let stamp = Stamp { version, received_at: NOW, told: Told::Delivery };
    match translate(&Delivery { stream, event, received_at: NOW, body }) {
        Ok(translated) => ledger.evolve(&stamp, &translated.events),
        Err(_) => ledger.unreadable(&stamp),
    }
}

/// Takes all rows that are to be written.
pub(crate) fn drain(ledger: &mut Ledger, rows: &mut HashMap<domain::key::bytes::KeyBytes, Row>) {
    loop {
        let drained = ledger.drain(LargeViews::Render);
        rows.extend(drained.rows.into_iter().map(|row| (row.key.encode(), row)));
        if !drained.has_more {
            return;
        }
    }
}
