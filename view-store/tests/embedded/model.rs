//! Random writes, flushes, closings and power cuts against a map: the store is always at one moment of
//! its own history, and never before the last flush.

use std::collections::BTreeMap;

use crate::support::settings;
use domain::{EntityKey, MemberSet, RepoId, RowKey, ScanKey, StreamKey, Version, ViewKey};
use futures::TryStreamExt;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngSeed},
};
use view_store::{
    EmbeddedStore, Row, ViewStore,
    contract::power_loss::{PowerLossDisk, Unsynced},
    embedded::FILE_NAME,
};

const KEYS: u32 = 8;

#[derive(Debug, Clone)]
enum Step {
    /// Rows of (key, version, length of the value).
    Write(Vec<(u32, u64, usize)>),
    Flush,
    Close,
    CutPower(Unsynced),
    /// Writes and flushes while the power goes after so many operations of the disk.
    CutPowerWhile(Vec<(u32, u64, usize)>, u64, Unsynced),
}

fn rows() -> impl Strategy<Value = Vec<(u32, u64, usize)>> {
    vec(
        (0..KEYS, 1..30_u64, prop_oneof![8 => 0..300_usize, 2 => 0..9_000_usize, 1 => 0..400_000_usize]),
        1..8,
    )
}

fn unsynced() -> impl Strategy<Value = Unsynced> {
    prop_oneof![Just(Unsynced::Lost), Just(Unsynced::Kept), any::<u64>().prop_map(Unsynced::Mixed)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => rows().prop_map(Step::Write),
        3 => Just(Step::Flush),
        1 => Just(Step::Close),
        2 => unsynced().prop_map(Step::CutPower),
        3 => (rows(), 0..40_u64, unsynced()).prop_map(|(rows, after, kept)| Step::CutPowerWhile(rows, after, kept)),
    ]
}

fn key(number: u32) -> RowKey {
    let stream = StreamKey::Service;
    match number {
        0 => RowKey::Entity(stream, EntityKey::Door),
        1 => RowKey::View(stream, ViewKey::Account),
        2 => RowKey::Epoch,
        bucket => RowKey::Member {
            stream,
            set: MemberSet::Pulls,
            parent: RepoId::github(1),
            wipe: 0,
            bucket,
            id: vec![],
        },
    }
}

type Contents = BTreeMap<RowKey, Row>;

/// The store beside all it may be.
struct Model {
    disk: PowerLossDisk,
    store: Option<EmbeddedStore>,
    /// What it was after each write since the last flush; the first is what was flushed.
    history: Vec<Contents>,
    writes: u64,
}

impl Model {
    fn new() -> Self {
        let disk = PowerLossDisk::new();
        let mut model = Model { disk, store: None, history: vec![Contents::new()], writes: 0 };
        model.open();
        model
    }

    fn open(&mut self) {
        let opened = EmbeddedStore::open_backend(self.disk.open(), FILE_NAME, &settings());
        self.store = Some(opened.expect("a store opens after any power cut"));
    }

    fn store(&self) -> &EmbeddedStore {
        self.store.as_ref().expect("it is open between steps")
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Write(rows) => {
                self.write(rows).await.expect("a disk with power takes it");
                self.agrees_with_the_last().await;
            }
            Step::Flush => {
                self.store().flush().await.expect("a disk with power takes it");
                self.history.drain(..self.history.len() - 1);
            }
            Step::Close => {
                self.store = None;
                self.open();
                self.history.drain(..self.history.len() - 1);
                self.agrees_with_the_last().await;
            }
            Step::CutPower(unsynced) => self.cut_power(unsynced).await,
            Step::CutPowerWhile(rows, operations, unsynced) => {
                self.disk.cut_power_after(operations);
                let is_flushed = self.write(rows).await.is_ok() && self.store().flush().await.is_ok();
                if is_flushed {
                    self.history.drain(..self.history.len() - 1);
                }
                self.cut_power(unsynced).await;
            }
        }
    }

    async fn write(&mut self, rows: Vec<(u32, u64, usize)>) -> Result<(), view_store::StoreError> {
        let mut contents = self.history.last().expect("there is always one").clone();
        let mut batch = Vec::new();
        for (number, version, length) in rows {
            self.writes += 1;
            let value = format!("write {} {}", self.writes, "x".repeat(length)).into();
            let row = Row { key: key(number), version: Version::from_raw(version), value };
            if contents.get(&row.key).is_none_or(|kept| kept.version <= row.version) {
                contents.insert(row.key.clone(), row.clone());
            }
            batch.push(row);
        }
        // Also when the call fails, because it may have been done.
        self.history.push(contents);
        self.store().write(batch).await
    }

    async fn cut_power(&mut self, unsynced: Unsynced) {
        self.disk.cut_power(unsynced);
        self.store = None;
        self.open();
        let found = self.contents().await;
        let is_known = self.history.contains(&found);
        assert!(is_known, "after a power cut there is a state that never was since the last flush");
        self.history = vec![found];
    }

    async fn agrees_with_the_last(&self) {
        assert!(self.history.last() == Some(&self.contents().await), "the store is not as written");
    }

    async fn contents(&self) -> Contents {
        let mut contents = Contents::new();
        for number in 0..KEYS {
            let found = self.store().get(&key(number)).await.expect("it can be read");
            contents.extend(found.map(|row| (key(number), row)));
        }
        let members =
            self.store().scan(&ScanKey::Members(StreamKey::Service)).await.expect("it can be scanned");
        let members: Vec<Row> = members.try_collect().await.expect("it can be scanned");
        let read: Vec<&Row> =
            contents.values().filter(|row| matches!(row.key, RowKey::Member { .. })).collect();
        assert!(members.iter().eq(read), "scans and reads differ");
        contents
    }
}

proptest! {
    #![proptest_config(Config {
        cases: 200,
        rng_seed: RngSeed::Fixed(20_261_121),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn the_store_is_always_at_a_moment_of_its_history(steps in vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new();
            for step in steps {
                model.step(step).await;
            }
        });
    }
}
