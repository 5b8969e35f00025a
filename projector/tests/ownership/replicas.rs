//! Three replicas, read and written by quorums, at their worst: a write that was not answered may have reached one
//! of them, or reach it much later. Each keeps the cell with the greatest stamp, of equal stamps that with the
//! greater value, as Cassandra and ScyllaDB do.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{Epoch, Family, Row, RowKey, ScanKey, Version, key::bytes::KeyBytes};
use futures::StreamExt;
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use view_store::{RowStream, StoreError, ViewStore};

use crate::gate::Gate;

/// The pairs that make a quorum.
const QUORUMS: [[usize; 2]; 3] = [[0, 1], [1, 2], [0, 2]];

/// What somebody might do to save work, and must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortcut {
    /// A row that stands there with the same version is not written again.
    SkipEqual,
    /// The last write wins, by the writer's clock.
    WallClock,
    /// Offsets are committed when records are read.
    CommitEarly,
    /// Every record is folded into every row, whether it was before or not.
    FoldTwice,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    stamp: u64,
    value: Bytes,
    version: Version,
}

type Replica = BTreeMap<KeyBytes, Cell>;

/// Rows as a quorum shows them.
pub(crate) type Rows = BTreeMap<KeyBytes, (Version, Bytes)>;

/// The replicas, and what is on its way to them.
pub(crate) struct Replicas {
    replicas: [Replica; 3],
    late: Vec<(usize, KeyBytes, Cell)>,
    clock: u64,
    rng: ChaCha8Rng,
    /// Whether anything goes wrong between a writer and a replica.
    is_unruly: bool,
}

impl Replicas {
    /// Empty ones, in the first epoch.
    pub(crate) fn new(seed: u64, is_unruly: bool) -> Arc<Mutex<Self>> {
        let mut replicas = Replicas {
            replicas: Default::default(),
            late: Vec::new(),
            clock: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            is_unruly,
        };
        let value = Epoch::FIRST.encode().into();
        let epoch = Cell { stamp: 0, value, version: Version::LEAST };
        for replica in 0..3 {
            replicas.put(replica, &RowKey::Epoch.encode(), epoch.clone());
        }
        Arc::new(Mutex::new(replicas))
    }

    /// Every row but those that tell how far the fold is, as each quorum shows them. Rows of deliveries hold times of
    /// whoever wrote them, and nothing is folded from them.
    pub(crate) fn rows(&self) -> [Rows; 3] {
        QUORUMS.map(|quorum| {
            let mut rows = Rows::new();
            for key in quorum.iter().flat_map(|replica| self.replicas[*replica].keys()) {
                if !matches!(key.family, Family::Seen | Family::Delivery)
                    && let Some(cell) = self.cell(quorum, key)
                {
                    rows.insert(key.clone(), (cell.version, cell.value));
                }
            }
            rows
        })
    }

    /// Lets one write arrive that was on its way; whether there was one.
    pub(crate) fn surface(&mut self) -> bool {
        if self.late.is_empty() {
            return false;
        }
        let at = self.rng.random_range(0..self.late.len());
        let (replica, key, cell) = self.late.swap_remove(at);
        self.put(replica, &key, cell);
        true
    }

    fn put(&mut self, replica: usize, key: &KeyBytes, cell: Cell) {
        let kept = self.replicas[replica].get(key);
        if kept.is_none_or(|kept| (kept.stamp, &kept.value) < (cell.stamp, &cell.value)) {
            self.replicas[replica].insert(key.clone(), cell);
        }
    }

    fn cell(&self, quorum: [usize; 2], key: &KeyBytes) -> Option<Cell> {
        quorum.iter().filter_map(|replica| self.replicas[*replica].get(key)).max().cloned()
    }

    fn quorum(&mut self) -> [usize; 2] {
        QUORUMS[self.rng.random_range(0..3)]
    }

    /// What a write does before it is answered: it may have reached one replica, or be on its way to one.
    fn begin(&mut self, key: &KeyBytes, cell: &Cell) {
        if !self.is_unruly {
            return;
        }
        let replica = self.rng.random_range(0..3);
        match self.rng.random_range(0..10) {
            0..3 => self.put(replica, key, cell.clone()),
            3..5 => self.late.push((replica, key.clone(), cell.clone())),
            _ => {}
        }
    }

    /// Two replicas take it, and the third does, will, or never hears of it.
    fn finish(&mut self, key: &KeyBytes, cell: &Cell) {
        let mut order = [0, 1, 2];
        order.shuffle(&mut self.rng);
        self.put(order[0], key, cell.clone());
        self.put(order[1], key, cell.clone());
        match self.rng.random_range(0..10) {
            0..3 if self.is_unruly => {}
            3..6 if self.is_unruly => self.late.push((order[2], key.clone(), cell.clone())),
            _ => self.put(order[2], key, cell.clone()),
        }
    }
}

/// The replicas as one owner reaches them.
pub(crate) struct Quorum {
    pub(crate) replicas: Arc<Mutex<Replicas>>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) shortcut: Option<Shortcut>,
}

impl Quorum {
    fn lock(&self) -> MutexGuard<'_, Replicas> {
        self.replicas.lock().unwrap()
    }

    fn row(&self, key: &KeyBytes, cell: Cell) -> Row {
        let is_folded = matches!(key.family, Family::Entity | Family::Member);
        let forgets = self.shortcut == Some(Shortcut::FoldTwice) && is_folded;
        Row {
            key: RowKey::decode(key.family, &key.bytes).expect("what was written is read"),
            version: if forgets { Version::NONE } else { cell.version },
            value: cell.value,
        }
    }

    async fn write_row(&self, row: Row) {
        let key = row.key.encode();
        let cell = {
            let mut replicas = self.lock();
            replicas.clock += 1;
            let stamp = match self.shortcut {
                Some(Shortcut::WallClock) => replicas.clock,
                _ => row.version.as_raw(),
            };
            let quorum = replicas.quorum();
            let kept = replicas.cell(quorum, &key);
            let is_there = kept.is_some_and(|kept| kept.version == row.version);
            if self.shortcut == Some(Shortcut::SkipEqual) && is_there {
                return;
            }
            let cell = Cell { stamp, value: row.value, version: row.version };
            replicas.begin(&key, &cell);
            cell
        };
        self.gate.pass().await;
        self.lock().finish(&key, &cell);
    }
}

#[async_trait]
impl ViewStore for Quorum {
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        self.gate.pass().await;
        let mut replicas = self.lock();
        let quorum = replicas.quorum();
        let key = key.encode();
        Ok(replicas.cell(quorum, &key).map(|cell| self.row(&key, cell)))
    }

    async fn scan(&self, range: &ScanKey) -> Result<RowStream, StoreError> {
        self.gate.pass().await;
        let mut replicas = self.lock();
        let quorum = replicas.quorum();
        let (family, prefix) = range.encode();
        let mut rows = BTreeMap::new();
        for replica in quorum {
            let from = KeyBytes { family, bytes: prefix.clone(), split: 0 };
            let range = replicas.replicas[replica].range(from..);
            for (key, _) in
                range.take_while(|(key, _)| key.family == family && key.bytes.starts_with(&prefix))
            {
                let cell = replicas.cell(quorum, key).expect("one of them has it");
                rows.insert(key.clone(), self.row(key, cell));
            }
        }
        let rows: Vec<_> = rows.into_values().map(Ok).collect();
        Ok(futures::stream::iter(rows).boxed())
    }

    async fn write(&self, mut rows: Vec<Row>) -> Result<(), StoreError> {
        // Rows of one call have no order among themselves, but that steps come first.
        let fails_at = {
            let mut replicas = self.lock();
            rows.shuffle(&mut replicas.rng);
            rows.sort_by_key(|row| row.key.family() != Family::Trail);
            let fails = replicas.is_unruly && replicas.rng.random_range(0..10) == 0;
            fails.then(|| replicas.rng.random_range(0..rows.len().max(1)))
        };
        for (at, row) in rows.into_iter().enumerate() {
            if fails_at == Some(at) {
                return Err(StoreError::Retry("too few replicas answered".to_owned()));
            }
            self.write_row(row).await;
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.gate.pass().await;
        Ok(())
    }
}
