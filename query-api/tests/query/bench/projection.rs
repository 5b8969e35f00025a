//! The log folded into rows by the real ledger, written and hinted in the projector's order.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use domain::{
    AccountId, Epoch, Event, Family, Ledger, Row, RowKey, Stamp, StreamKey, Told, Version,
    delivery::{self, Delivery},
    directory::DeadLetter,
    ledger::LargeViews,
    record::{ANSWER, ATTEMPT_CURSOR, Answer, COMMAND, Command, CursorNote},
    service::{self, LatestFold},
    trail::Source,
};
use event_log::{EmbeddedLog, EventLog, Limit, Next, Partition, Position, Record, Subscription};
use tokio::sync::watch;
use view_store::{EmbeddedStore, Hint, Hints, ViewStore};

/// Records of the forge itself; their bodies are commands' here.
pub(crate) const DELIVERY: &str = "test.delivery";
/// The same, but it cannot be folded until it is mended.
pub(crate) const POISON: &str = "test.poison";

pub(crate) struct Projection {
    partitions: u32,
    store: EmbeddedStore,
    hints: Arc<dyn Hints>,
    subscription: Box<dyn Subscription>,
    ledgers: HashMap<AccountId, Ledger>,
    folded: watch::Sender<BTreeMap<Partition, u64>>,
    is_mended: Arc<AtomicBool>,
    held: watch::Receiver<bool>,
}

impl Projection {
    pub(crate) async fn start(
        log: Arc<EmbeddedLog>,
        store: EmbeddedStore,
        hints: Arc<dyn Hints>,
        is_mended: Arc<AtomicBool>,
        held: watch::Receiver<bool>,
    ) -> (Self, watch::Receiver<BTreeMap<Partition, u64>>) {
        let subscription = log.subscribe("projection").await.unwrap();
        let (folded, reader) = watch::channel(BTreeMap::new());
        let (ledgers, partitions) = (HashMap::new(), log.identity().partitions);
        (Projection { partitions, store, hints, subscription, ledgers, folded, is_mended, held }, reader)
    }

    /// Folds until the log is closed.
    pub(crate) async fn run(mut self) {
        let limit = Limit { records_max: 100, bytes_max: 1 << 20 };
        while let Ok(next) = self.subscription.next(limit).await {
            match next {
                Next::Assigned(assignments) => {
                    for assignment in assignments {
                        let start = Position { partition: assignment.partition, offset: 0 };
                        self.subscription.seek(start).await.unwrap();
                    }
                }
                Next::Records(records) => {
                    for (position, record) in records {
                        if self.held.wait_for(|held| !held).await.is_err() {
                            return;
                        }
                        self.fold(position, &record).await;
                    }
                }
                Next::Revoked(_) | Next::Lost(_) => {}
            }
        }
    }

    async fn fold(&mut self, position: Position, record: &Record) {
        let version = Version::new(Epoch::FIRST, position.offset);
        let rows = match self.said(record) {
            None => vec![dead_letter(position, version, record)],
            Some((told, events, cursors)) => {
                let stamp = Stamp { version, received_at: record.received_at, told };
                let notes = notes(record.stream, version, &events, &cursors);
                let folded = match record.stream {
                    StreamKey::Service => self.fold_service(&stamp, &events).await,
                    StreamKey::Account(account) => {
                        self.fold_account(account, &stamp, source_of(record), &events)
                    }
                };
                let delivery = (record.kind == DELIVERY).then(|| self.delivery(position, record, version));
                folded.into_iter().chain(notes).chain(delivery).collect()
            }
        };
        let hints: Vec<Hint> = rows.iter().filter(|row| is_followed(&row.key)).map(hint_of).collect();
        self.store.write(rows).await.unwrap();
        self.hints.publish(hints);
        self.hints.publish(vec![Hint::Folded { partition: position.partition.0, version }]);
        self.folded.send_modify(|folded| {
            folded.insert(position.partition, position.offset + 1);
        });
    }

    fn delivery(&self, position: Position, record: &Record, version: Version) -> Row {
        let delivery = Delivery {
            id: record.id.clone(),
            event: "push".to_owned(),
            hook: None,
            streams: 1,
            offset: position.offset,
            outcome: delivery::Outcome::Projected,
            received_ms: record.received_at,
            applied_ms: record.received_at.plus(2),
            visible_ms: Some(record.received_at.plus(3)),
        };
        delivery.row(position.partition.0, self.partitions, version)
    }

    fn said<'r>(&self, record: &'r Record) -> Option<(Told, Vec<Event<'r>>, Vec<CursorNote<'r>>)> {
        match record.kind.as_str() {
            ANSWER => {
                let answer = Answer::decode(&record.body).unwrap();
                Some((Told::Answer(answer.asked), answer.events, answer.cursors))
            }
            COMMAND => Some((Told::Command, Command::decode(&record.body).unwrap().events, Vec::new())),
            POISON if !self.is_mended.load(Ordering::Relaxed) => None,
            _ => Some((Told::Delivery, Command::decode(&record.body).unwrap().events, Vec::new())),
        }
    }

    async fn fold_service(&mut self, stamp: &Stamp, events: &[Event<'_>]) -> Vec<Row> {
        let mut written: HashMap<RowKey, Row> = HashMap::new();
        for event in events {
            let Some(key) = service::touched(event) else { continue };
            let known = match written.get(&key) {
                Some(row) => Some(row.clone()),
                None => self.store.get(&key).await.unwrap(),
            };
            for row in service::evolve(known.as_ref(), stamp, event).unwrap() {
                written.insert(row.key.clone(), row);
            }
        }
        written.into_values().chain(self.fold_latest(stamp, events).await).collect()
    }

    async fn fold_latest(&mut self, stamp: &Stamp, events: &[Event<'_>]) -> Vec<Row> {
        let mut rows = Vec::new();
        for event in events {
            if let Event::Latest(reading) = event {
                let known = self.store.get(&LatestFold::key()).await.unwrap();
                let mut latest = LatestFold::load(known.as_ref()).unwrap();
                latest.evolve(reading, stamp);
                rows.extend(latest.rows());
            }
        }
        rows
    }

    fn fold_account(
        &mut self,
        account: AccountId,
        stamp: &Stamp,
        source: Source<'_>,
        events: &[Event<'_>],
    ) -> Vec<Row> {
        let ledger = self.ledgers.entry(account).or_insert_with(|| Ledger::load(account, []).unwrap());
        ledger.evolve_from(stamp, source, events);
        let mut rows = Vec::new();
        loop {
            let drained = ledger.drain(LargeViews::Render);
            rows.extend(drained.rows);
            if !drained.has_more {
                return rows;
            }
        }
    }
}

fn source_of(record: &Record) -> Source<'_> {
    Source { id: &record.id, event: record.header("x-github-event").unwrap_or_default() }
}

fn notes(stream: StreamKey, version: Version, events: &[Event<'_>], cursors: &[CursorNote<'_>]) -> Vec<Row> {
    let cursors = cursors.iter().map(|note| Row {
        key: RowKey::Cursor(stream, note.kind.to_string()),
        version,
        value: note.value.as_bytes().to_vec().into(),
    });
    let ended = events.iter().filter_map(|event| match event {
        Event::DeadLetterEnded { version: ended } => Some(Row {
            key: RowKey::DeadLetter(stream, *ended),
            version,
            value: DeadLetter::Ended.encode().into(),
        }),
        _ => None,
    });
    cursors.chain(ended).collect()
}

fn dead_letter(position: Position, version: Version, record: &Record) -> Row {
    let letter = DeadLetter::Dead {
        id: record.id.clone(),
        kind: record.kind.clone(),
        partition: position.partition.0,
        offset: position.offset,
        received_ms: record.received_at,
        reason: "it is poison".to_owned(),
    };
    Row { key: RowKey::DeadLetter(record.stream, version), version, value: letter.encode().into() }
}

/// As the projector chooses.
fn is_followed(key: &RowKey) -> bool {
    match key.family() {
        Family::Member | Family::Seen | Family::Epoch | Family::Active | Family::Delivery | Family::Trail => {
            false
        }
        Family::Cursor => matches!(key, RowKey::Cursor(_, kind) if kind.starts_with(ATTEMPT_CURSOR)),
        Family::Entity => matches!(key, RowKey::Entity(StreamKey::Service, _)),
        _ => true,
    }
}

fn hint_of(row: &Row) -> Hint {
    Hint::Row { key: row.key.clone(), version: row.version, value: Some(row.value.clone()) }
}
