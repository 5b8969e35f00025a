//! Random sequences of appends, commits, crashes and restarts against a model of what must hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use event_log::{
    Appended, DedupeKey, EmbeddedLog, EventLog, Limit, Next, Partition, Position, Record, Subscription, Wait,
    contract::power_loss::{PowerLossDisk, Unsynced},
    embedded::PARTITIONS,
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use tokio::task::JoinSet;

use crate::{
    harness::open,
    sample::{ALL, read_all, sized},
};

const CASES: u32 = 300;

/// One append: the accounts and body sizes of its records, and which of a few keys it has.
#[derive(Debug, Clone)]
struct Append {
    records: Vec<(u64, usize)>,
    key: Option<u8>,
}

#[derive(Debug, Clone)]
enum Step {
    /// Several appends at once, all awaited.
    Append(Vec<Append>),
    /// Several appends at once, and a crash as soon as so many are answered.
    CrashAmong {
        appends: Vec<Append>,
        answered: usize,
        unsynced: Unsynced,
    },
    Crash(Unsynced),
    Restart,
    /// Reads some of what the group has not seen, and commits where it got, or a little before.
    Follow {
        records_max: usize,
        held_back: u64,
        wait: Wait,
    },
    /// Starts over, as a rebuild does.
    SeekToStart,
}

fn append() -> impl Strategy<Value = Append> {
    let size = prop_oneof![4 => 0..300usize, 1 => 3000..6000usize, 1 => 20_000..60_000usize];
    (vec((0..12u64, size), 1..4), prop::option::weighted(0.6, 0..20u8))
        .prop_map(|(records, key)| Append { records, key })
}

fn unsynced() -> impl Strategy<Value = Unsynced> {
    prop_oneof![
        Just(Unsynced::Kept),
        Just(Unsynced::Lost),
        any::<u64>().prop_map(|seed| Unsynced::Torn { seed })
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![Just(Wait::No), Just(Wait::Durable)];
    prop_oneof![
        4 => vec(append(), 1..6).prop_map(Step::Append),
        3 => (vec(append(), 2..12), 0..6usize, unsynced()).prop_map(|(appends, answered, unsynced)| {
            Step::CrashAmong { appends, answered, unsynced }
        }),
        1 => unsynced().prop_map(Step::Crash),
        1 => Just(Step::Restart),
        4 => (1..40usize, 0..3u64, wait).prop_map(|(records_max, held_back, wait)| {
            Step::Follow { records_max, held_back, wait }
        }),
        1 => Just(Step::SeekToStart),
    ]
}

/// What must hold, whatever happened.
#[derive(Default)]
struct Model {
    present: BTreeMap<Position, Record>,
    keys: BTreeSet<DedupeKey>,
    /// Appends that a crash left without an answer.
    unanswered: Vec<Vec<Record>>,
    /// Per partition: the durable commit, and those after it that nobody waited for.
    durable: BTreeMap<Partition, u64>,
    hoped_for: BTreeMap<Partition, Vec<u64>>,
    /// Where the group's member stands.
    place: BTreeMap<Partition, u64>,
    /// The least offset that may be committed now.
    floor: BTreeMap<Partition, u64>,
    numbers: u64,
}

impl Model {
    fn records(&mut self, append: &Append) -> Vec<Record> {
        let key = append.key.map(|key| DedupeKey([key; 16]));
        let mut records = Vec::new();
        for (account, body_bytes) in &append.records {
            self.numbers += 1;
            records.push(Record { dedupe: key, ..sized(*account, self.numbers, *body_bytes) });
        }
        records
    }

    fn answered(&mut self, records: Vec<Record>, appended: Appended) {
        let key = records[0].dedupe;
        match appended {
            Appended::New(positions) => {
                assert!(key.is_none_or(|key| self.keys.insert(key)), "a key is new a second time");
                assert_eq!(positions.len(), records.len());
                for (position, record) in positions.into_iter().zip(records) {
                    let before = self.present.insert(position, record);
                    assert!(before.is_none(), "{position} was given out twice");
                }
            }
            Appended::Duplicate => {
                let key = key.expect("only keys make duplicates");
                let maybe_first = self.unanswered.iter().any(|append| append[0].dedupe == Some(key));
                assert!(self.keys.contains(&key) || maybe_first, "a new key is taken for a known one");
            }
        }
    }

    /// After a start: what was acknowledged is there, and of what was not, each append wholly or not at all.
    async fn check_and_adopt(&mut self, log: &EmbeddedLog) {
        let found: BTreeMap<Position, Record> = read_all(log).await.into_iter().collect();
        for (position, record) in &self.present {
            assert_eq!(found.get(position), Some(record), "{position} was acknowledged");
        }
        let mut surplus: BTreeMap<&str, &Record> = BTreeMap::new();
        for (position, record) in &found {
            if !self.present.contains_key(position) {
                surplus.insert(&record.id, record);
            }
        }
        for append in std::mem::take(&mut self.unanswered) {
            let there =
                append.iter().filter(|record| surplus.remove(record.id.as_str()) == Some(record)).count();
            assert!(there == 0 || there == append.len(), "{there} of {} records are there", append.len());
            if there > 0
                && let Some(key) = append[0].dedupe
            {
                assert!(self.keys.insert(key), "a duplicate was written");
            }
        }
        assert!(surplus.is_empty(), "{surplus:?} was never appended");
        for (position, record) in &found {
            assert_eq!(log.partition_of(record.stream), position.partition);
        }
        self.present = found;
    }

    /// After a start: the group stands at a commit that it made, and at no earlier one than it waited for.
    fn check_committed(&mut self, assignments: &[event_log::Assignment]) {
        for assignment in assignments {
            let partition = assignment.partition;
            let durable = self.durable.get(&partition).copied();
            let hoped_for = self.hoped_for.remove(&partition).unwrap_or_default();
            let is_right =
                assignment.committed == durable || hoped_for.iter().any(|o| Some(*o) == assignment.committed);
            assert!(is_right, "{assignment:?}, durable {durable:?}, hoped for {hoped_for:?}");
            let place = assignment.committed.unwrap_or(0);
            self.durable.extend(assignment.committed.map(|offset| (partition, offset)));
            self.place.insert(partition, place);
            self.floor.insert(partition, place);
        }
    }
}

struct Run {
    disk: PowerLossDisk,
    log: Option<Arc<EmbeddedLog>>,
    member: Option<Box<dyn Subscription>>,
    model: Model,
}

impl Run {
    async fn start(&mut self) {
        let log = Arc::new(open(&self.disk).unwrap());
        self.model.check_and_adopt(&log).await;
        let mut member = log.subscribe("group").await.unwrap();
        let Next::Assigned(assignments) = member.next(ALL).await.unwrap() else { panic!("not assigned") };
        self.model.check_committed(&assignments);
        for (partition, offset) in self.model.place.clone() {
            member.seek(Position { partition, offset }).await.unwrap();
        }
        self.log = Some(log);
        self.member = Some(member);
    }

    fn stop(&mut self) {
        self.member = None;
        self.log = None;
    }

    async fn append(&mut self, appends: &[Append], answered: Option<usize>) {
        let log = self.log.clone().unwrap();
        let mut running = JoinSet::new();
        let mut started = BTreeMap::new();
        for (index, append) in appends.iter().enumerate() {
            let (log, records) = (log.clone(), self.model.records(append));
            started.insert(index, records.clone());
            running.spawn(async move { (index, log.append(records).await) });
        }
        let mut outcomes = Vec::new();
        while outcomes.len() < answered.unwrap_or(appends.len()).min(appends.len()) {
            let (index, outcome) = running.join_next().await.unwrap().unwrap();
            outcomes.push((started.remove(&index).unwrap(), outcome.unwrap()));
        }
        self.model.unanswered = started.into_values().collect();
        // A copy may be answered before its first is.
        outcomes.sort_by_key(|(_, appended)| *appended == Appended::Duplicate);
        for (records, appended) in outcomes {
            self.model.answered(records, appended);
        }
        // What is still running is cut off by the crash that follows.
    }

    async fn follow(&mut self, records_max: usize, held_back: u64, wait: Wait) {
        let ends = self.log.as_ref().unwrap().bounds().await.unwrap();
        let is_behind = ends.iter().any(|bounds| self.model.place[&bounds.partition] < bounds.end);
        let member = self.member.as_mut().unwrap();
        if is_behind {
            let limit = Limit { records_max, bytes_max: 50_000 };
            let Next::Records(records) = member.next(limit).await.unwrap() else { panic!("no records") };
            assert!(records.len() <= records_max && !records.is_empty());
            for (position, record) in records {
                let place = self.model.place.get_mut(&position.partition).unwrap();
                assert_eq!(position.offset, *place, "delivered out of order");
                assert_eq!(self.model.present.get(&position), Some(&record));
                *place += 1;
            }
        }
        let next: Vec<Position> = (0..PARTITIONS)
            .map(Partition)
            .map(|partition| Position {
                partition,
                offset: self.model.place[&partition].saturating_sub(held_back),
            })
            .collect();
        member.commit(&next, wait).await.unwrap();
        for Position { partition, offset } in next {
            if offset >= self.model.floor[&partition] {
                self.model.floor.insert(partition, offset);
                self.model.hoped_for.entry(partition).or_default().push(offset);
            }
            if wait == Wait::Durable
                && let Some(newest) = self.model.hoped_for.remove(&partition).and_then(|o| o.last().copied())
            {
                self.model.durable.insert(partition, newest);
            }
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Append(appends) => self.append(&appends, None).await,
            Step::CrashAmong { appends, answered, unsynced } => {
                self.append(&appends, Some(answered)).await;
                self.disk.crash(unsynced).unwrap();
                self.stop();
                self.start().await;
            }
            Step::Crash(unsynced) => {
                self.disk.crash(unsynced).unwrap();
                self.stop();
                self.start().await;
            }
            Step::Restart => {
                self.stop();
                // A clean stop saves what was hoped for.
                for (partition, offsets) in std::mem::take(&mut self.model.hoped_for) {
                    self.model.durable.extend(offsets.last().map(|offset| (partition, *offset)));
                }
                self.start().await;
            }
            Step::Follow { records_max, held_back, wait } => self.follow(records_max, held_back, wait).await,
            Step::SeekToStart => {
                for partition in (0..PARTITIONS).map(Partition) {
                    let start = Position { partition, offset: 0 };
                    self.member.as_mut().unwrap().seek(start).await.unwrap();
                    self.model.place.insert(partition, 0);
                    self.model.floor.insert(partition, 0);
                }
            }
        }
    }
}

#[test]
fn any_sequence_of_appends_commits_and_crashes_keeps_what_was_acknowledged() {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    TestRunner::new_with_rng(config, rng)
        .run(&vec(step(), 1..14), |steps| {
            runtime.block_on(async {
                let disk = PowerLossDisk::in_memory();
                let mut run = Run { disk, log: None, member: None, model: Model::default() };
                run.start().await;
                for step in steps {
                    run.take(step).await;
                }
                run.stop();
                run.start().await;
            });
            Ok(())
        })
        .unwrap();
}
