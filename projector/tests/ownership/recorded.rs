//! A log that is recorded once and folded many times: a random history with deliveries late and doubled, and
//! every question that it raises asked and answered.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use domain::{Event, Forge as ForgeName, StreamKey, event::TrackedBy};
use event_log::{Bounds, EventLog, Identity, Limit, Partition, Position, Record};
use fake_github::{Life, NewRepository, Weights};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use testkit::{
    answers::{Asker, AtOnce},
    deliveries::{self, Ear},
    forge::Forge,
    script::Script,
    stage::Stage,
};

const START: fake_github::Second = fake_github::Second(1_780_000_000);
/// Things that happen; with the questions they raise some fifty records.
const STEPS: usize = 14;

/// A log's records, by partition.
#[derive(Clone)]
pub(crate) struct Recorded {
    partitions: Arc<BTreeMap<Partition, Vec<Record>>>,
    identity: Identity,
}

impl Recorded {
    /// Records a log.
    pub(crate) fn of(seed: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(record(seed))
    }

    pub(crate) fn len(&self) -> usize {
        self.partitions.values().map(Vec::len).sum()
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    pub(crate) fn bounds(&self) -> Vec<Bounds> {
        let bounds = |(partition, records): (&Partition, &Vec<Record>)| Bounds {
            partition: *partition,
            start: 0,
            end: records.len() as u64,
        };
        self.partitions.iter().map(bounds).collect()
    }

    /// What is committed once everything is folded.
    pub(crate) fn ends(&self) -> BTreeMap<Partition, u64> {
        let ends = self.bounds().into_iter().map(|bounds| (bounds.partition, bounds.end));
        ends.filter(|(_, end)| *end > 0).collect()
    }

    pub(crate) fn from(&self, from: Position, records_max: usize) -> Vec<(Position, Record)> {
        let records = self.partitions.get(&from.partition).map_or(&[][..], Vec::as_slice);
        let offsets = from.offset..;
        let rest = records.iter().skip(usize::try_from(from.offset).unwrap()).take(records_max);
        offsets.zip(rest).map(|(offset, record)| (Position { offset, ..from }, record.clone())).collect()
    }
}

async fn record(seed: u64) -> Recorded {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut forge = Forge::new(seed, START);
    let ada = forge.world.create_user("ada").unwrap();
    let owners = [ada, forge.world.create_organization("bytes", ada).unwrap()];
    for (at, owner) in owners.into_iter().enumerate() {
        forge.world.create_repository(owner, NewRepository::public(format!("first-{at}"))).unwrap();
    }
    let mut life = Life::new(seed, Weights::default()).within(owners.to_vec());
    forge.heard();
    let mut moments = vec![Rc::new(forge.moment())];
    let mut arrivals = Vec::new();
    for _ in 0..STEPS {
        forge.pass(life.pause_ms().max(1));
        forge.live(&mut life);
        for event in forge.heard() {
            // Late and in any order, and some come twice.
            for _ in 0..1 + usize::from(rng.random_bool(0.2)) {
                arrivals.push((forge.now_ms() + rng.random_range(1..20_000), event.clone()));
            }
        }
        moments.push(Rc::new(forge.moment()));
    }

    let stage = Stage::new().await;
    let script = Script::new(moments, 0);
    let asker = Asker::new(&stage, &script, AtOnce);
    for login in ["ada", "bytes"] {
        let wanted =
            Event::LoginWanted { forge: ForgeName::GitHub, login: login.into(), by: TrackedBy::Person };
        stage.command(StreamKey::Service, script.ours(), vec![wanted]).await;
    }
    arrivals.sort_by_key(|(at, _)| *at);
    for (at, event) in &arrivals {
        script.set(*at);
        stage.append(deliveries::records(event, Ear::App, script.ours())).await;
        if rng.random_bool(0.3) {
            asker.ask_all().await;
        }
    }
    asker.ask_all().await;
    stage.stop().await.unwrap();

    let log = stage.log();
    let mut partitions = BTreeMap::new();
    for Bounds { partition, start, .. } in log.bounds().await.unwrap() {
        let limit = Limit { records_max: usize::MAX, bytes_max: usize::MAX };
        let mut records = Vec::new();
        let mut next = Position { partition, offset: start };
        loop {
            let read = log.read(next, limit).await.unwrap();
            let Some((last, _)) = read.last() else { break };
            next.offset = last.offset + 1;
            records.extend(read.into_iter().map(|(_, record)| record));
        }
        partitions.insert(partition, records);
    }
    Recorded { partitions: Arc::new(partitions), identity: log.identity() }
}
