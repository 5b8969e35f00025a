//! Servers that die, hang and come back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{RowKey, ScanKey, ViewKey};
use futures::TryStreamExt;
use test_servers::Cassandra;
use tokio::{sync::watch, task::JoinSet};
use view_store::{
    Row, StoreError, ViewStore,
    cql::{CqlAddress, CqlStore, CqlStoreSettings},
};

use crate::server::{self, member, migrated, pattern, row, stream};

/// One attempt may hang for five seconds after patience is over; the rest is a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// A server's start, and the driver's longest pause between two attempts to connect.
const RETURN_MAX: Duration = Duration::from_secs(120);
/// For calls that a server which is there answers, however busy the machine is.
const PATIENT: Duration = Duration::from_secs(60);
/// For calls that are to fail.
const HASTY: Duration = Duration::from_secs(1);

/// Runs what blocks on a thread of its own.
async fn blocking(work: impl FnOnce() -> anyhow::Result<()> + Send + 'static) {
    tokio::task::spawn_blocking(work).await.unwrap().unwrap();
}

async fn open(address: &CqlAddress, patience: Duration) -> CqlStore {
    CqlStore::open(address, CqlStoreSettings { patience, ..CqlStoreSettings::default() }).await.unwrap()
}

/// Writes as the projector does: again until it is done.
async fn write_until_done(store: &CqlStore, rows: Vec<Row>) -> u32 {
    let mut retries = 0;
    loop {
        match store.write(rows.clone()).await {
            Ok(()) => return retries,
            Err(StoreError::Retry(_)) => retries += 1,
            Err(stop) => panic!("a server that is away stops nobody: {stop}"),
        }
    }
}

/// Writers that note what was acknowledged, until they are told to end.
struct Writers {
    is_ending: Arc<AtomicBool>,
    acknowledged: watch::Sender<usize>,
    tasks: JoinSet<(Vec<Row>, u32)>,
}

impl Writers {
    fn start(store: &CqlStore, account: u64) -> Self {
        let is_ending = Arc::new(AtomicBool::new(false));
        let count = watch::Sender::new(0);
        let mut tasks = JoinSet::new();
        for task in 0..8_u32 {
            let (store, is_ending, count) = (store.clone(), Arc::clone(&is_ending), count.clone());
            tasks.spawn(async move {
                let (mut acknowledged, mut retries) = (Vec::new(), 0);
                for number in 0.. {
                    if is_ending.load(Ordering::Relaxed) {
                        break;
                    }
                    let key = member(account, task * 1_000_000 + number);
                    let written = row(key, u64::from(number) + 1, pattern(700, u64::from(number)));
                    retries += write_until_done(&store, vec![written.clone()]).await;
                    acknowledged.push(written);
                    count.send_modify(|count| *count += 1);
                }
                (acknowledged, retries)
            });
        }
        Writers { is_ending, acknowledged: count, tasks }
    }

    /// Waits until so many more rows were acknowledged.
    async fn wait_for(&self, more: usize) {
        let enough = *self.acknowledged.borrow() + more;
        let mut acknowledged = self.acknowledged.subscribe();
        let waited = tokio::time::timeout(RETURN_MAX, acknowledged.wait_for(|count| *count >= enough)).await;
        waited.expect("writers go on by themselves").unwrap();
    }

    /// What was acknowledged, and how often somebody was told to try again.
    async fn end(self) -> (Vec<Row>, u32) {
        self.is_ending.store(true, Ordering::Relaxed);
        let ended = self.tasks.join_all().await;
        let retries = ended.iter().map(|(_, retries)| retries).sum();
        (ended.into_iter().flat_map(|(acknowledged, _)| acknowledged).collect(), retries)
    }
}

async fn expect_all(store: &CqlStore, account: u64, mut acknowledged: Vec<Row>) {
    let rows = store.scan(&ScanKey::Members(stream(account))).await.unwrap();
    let found: Vec<Row> = rows.try_collect().await.unwrap();
    acknowledged.sort_by_key(|row| row.key.encode());
    assert!(!acknowledged.is_empty());
    let missing = acknowledged
        .iter()
        .filter(|row| found.binary_search_by_key(&row.key.encode(), |found| found.key.encode()).is_err());
    assert_eq!(missing.count(), 0, "acknowledged rows are gone, of {}", acknowledged.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_writes_loses_nothing_that_was_acknowledged() {
    if server::skipped() {
        return;
    }
    let server = Arc::new(Cassandra::start_temporary(1).unwrap());
    let store = open(&migrated(&server, "killed").await, PATIENT).await;
    for round in 0..2 {
        let writers = Writers::start(&store, round);
        // Enough of them that the kill finds writes on their way.
        writers.wait_for(300).await;
        let killed = Arc::clone(&server);
        blocking(move || killed.kill(0).and_then(|()| killed.restart(0))).await;
        writers.wait_for(100).await;
        let (acknowledged, _) = writers.end().await;
        expect_all(&store, round, acknowledged).await;
    }
}

/// Away is killed, and away is hanging: both are said within a bound, and both pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_said_within_a_bound_and_used_when_it_is_back() {
    if server::skipped() {
        return;
    }
    let server = Arc::new(Cassandra::start_temporary(1).unwrap());
    let address = migrated(&server, "away").await;
    let (patient, store) = (open(&address, PATIENT).await, open(&address, HASTY).await);
    let kept = row(RowKey::View(stream(1), ViewKey::Account), 3, "kept");
    patient.write(vec![kept.clone()]).await.unwrap();
    // A range that is being read while its server dies.
    let many: Vec<Row> = (0..2_000).map(|number| row(member(7, number), 1, "value")).collect();
    patient.write(many.clone()).await.unwrap();
    let mut scanning = patient.scan(&ScanKey::Members(stream(7))).await.unwrap();
    assert!(scanning.try_next().await.unwrap().is_some());

    type Fault = fn(&Cassandra) -> anyhow::Result<()>;
    let faults: [(Fault, Fault); 2] = [
        (|server| server.kill(0), |server| server.restart(0)),
        (|server| server.pause(0), |server| server.resume(0)),
    ];
    for (goes, returns) in faults {
        let gone = Arc::clone(&server);
        blocking(move || goes(&gone)).await;
        let started = Instant::now();
        let read = store.get(&kept.key).await;
        assert!(matches!(read, Err(StoreError::Retry(_))), "{read:?}");
        assert!(started.elapsed() < ANSWER_MAX, "{:?}", started.elapsed());
        let started = Instant::now();
        let written = store.write(vec![row(kept.key.clone(), 2, "older")]).await;
        assert!(matches!(written, Err(StoreError::Retry(_))), "{written:?}");
        assert!(started.elapsed() < ANSWER_MAX, "{:?}", started.elapsed());
        let back = Arc::clone(&server);
        blocking(move || returns(&back)).await;

        let started = Instant::now();
        let found = loop {
            match store.get(&kept.key).await {
                Ok(found) => break found,
                Err(StoreError::Retry(_)) => assert!(started.elapsed() < RETURN_MAX, "it is back"),
                Err(stop) => panic!("{stop}"),
            }
        };
        assert_eq!(found, Some(kept.clone()));
    }
    let rest: Vec<Row> = scanning.try_collect().await.unwrap();
    assert_eq!(rest, many[1..], "a scan goes on where it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_servers_may_be_away_and_two_may_not() {
    if server::skipped() {
        return;
    }
    let server = Arc::new(Cassandra::start_temporary(3).unwrap());
    let address = migrated(&server, "of_three").await;
    let store = open(&address, PATIENT).await;
    let writers = Writers::start(&store, 1);
    writers.wait_for(100).await;
    let killed = Arc::clone(&server);
    blocking(move || killed.kill(1)).await;
    writers.wait_for(100).await;
    let (acknowledged, retries) = writers.end().await;
    assert_eq!(retries, 0, "nobody was told to try again");
    expect_all(&store, 1, acknowledged).await;
    // Whoever starts now does not need it either.
    let late = open(&address, PATIENT).await;
    let hasty = open(&address, HASTY).await;
    late.write(vec![row(member(2, 1), 1, "two copies")]).await.unwrap();

    let killed = Arc::clone(&server);
    blocking(move || killed.kill(2)).await;
    let refused = hasty.write(vec![row(member(2, 2), 1, "one copy")]).await;
    assert!(matches!(refused, Err(StoreError::Retry(_))), "{refused:?}");
    let back = Arc::clone(&server);
    blocking(move || back.restart(1)).await;
    write_until_done(&late, vec![row(member(2, 2), 1, "two copies again")]).await;
    assert_eq!(late.get(&member(2, 1)).await.unwrap().unwrap().value, "two copies");
}
