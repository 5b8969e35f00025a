//! Accounts whose rows take long to read: others go on, and nothing of them is lost or folded out of order.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    AccountId, Asked, Epoch, Event, Millis, RepoId, Row, RowKey, ScanKey, Second, StreamKey, Version,
    ViewKey,
    event::{OwnerReading, RepositoryReading, TrackedBy},
    record::{ANSWER, Answer},
    view::body::Stored,
};
use event_log::{Appended, EmbeddedLog, EmbeddedLogSettings, EventLog, Position, Record};
use futures::TryStreamExt;
use projector::{Metrics, Progress, ProgressReader, Projector, ProjectorSettings, Stopped};
use testkit::{
    stage::Stage,
    watched::{WatchedLog, Watcher},
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use view_store::{EmbeddedStore, InProcessHints, RowStream, StoreError, ViewStore};

/// How long a test waits for what must come.
const COMES_WITHIN: Duration = Duration::from_secs(60);

fn slow() -> AccountId {
    AccountId::github(41)
}

/// A store that does not answer scans of one account until the gate is open.
struct GatedStore {
    store: EmbeddedStore,
    gate: watch::Receiver<bool>,
}

#[async_trait]
impl ViewStore for GatedStore {
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        self.store.get(key).await
    }

    async fn scan(&self, range: &ScanKey) -> Result<RowStream, StoreError> {
        if *range == ScanKey::Entities(StreamKey::Account(slow())) {
            let mut gate = self.gate.clone();
            gate.wait_for(|open| *open)
                .await
                .map_err(|_| StoreError::Retry("the test has ended".to_owned()))?;
        }
        self.store.scan(range).await
    }

    async fn write(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.store.write(rows).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.store.flush().await
    }
}

/// Hears how far is committed.
struct Commits(watch::Sender<Vec<Position>>);

impl Watcher for Commits {
    fn commits(&self, next_offsets: &[Position]) {
        self.0.send_modify(|all| all.extend_from_slice(next_offsets));
    }
}

/// A log, a store with a gate, and a projector between them that can be ended and started again.
struct Scene {
    log: Arc<WatchedLog<Commits>>,
    store: EmbeddedStore,
    commits: watch::Receiver<Vec<Position>>,
}

struct Running {
    gate: watch::Sender<bool>,
    progress: ProgressReader,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), Stopped>>,
}

impl Scene {
    async fn new() -> Self {
        let log = EmbeddedLog::in_memory(EmbeddedLogSettings::default()).unwrap();
        let (told, commits) = watch::channel(Vec::new());
        let store = Stage::empty_store();
        let epoch = Row { key: RowKey::Epoch, version: Version::LEAST, value: Epoch::FIRST.encode().into() };
        store.write(vec![epoch]).await.unwrap();
        Scene { log: Arc::new(WatchedLog::over(Arc::new(log), Commits(told))), store, commits }
    }

    fn start(&self, is_open: bool) -> Running {
        let (gate, is_gate_open) = watch::channel(is_open);
        let (progress, reader) = Progress::new();
        let projector = Projector {
            log: self.log.clone(),
            store: Arc::new(GatedStore { store: self.store.clone(), gate: is_gate_open }),
            hints: Arc::new(InProcessHints::new()),
            progress,
            metrics: Metrics::register(&prometheus::Registry::new()).unwrap(),
            settings: ProjectorSettings {
                flush_every: Duration::from_millis(1),
                ..ProjectorSettings::default()
            },
        };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(projector.run(shutdown.clone()));
        Running { gate, progress: reader, shutdown, task }
    }

    /// Another account of the same partition.
    fn neighbour(&self) -> AccountId {
        let partition = |account| self.log.partition_of(StreamKey::Account(account));
        (42..).map(AccountId::github).find(|other| partition(*other) == partition(slow())).unwrap()
    }

    /// Appends that the account's repository has another name since `second`.
    async fn rename(&self, account: AccountId, name: &str, second: i64) -> Position {
        let asked = Asked { asked_at: Version::LEAST, asked_ms: Millis(0), date: Second(second) };
        let events = vec![Event::Tracked(TrackedBy::Person), repository(account, name, second)];
        let record = Record {
            stream: StreamKey::Account(account),
            id: name.to_owned(),
            dedupe: None,
            kind: ANSWER.to_owned(),
            received_at: Millis(second * 1000),
            headers: Vec::new(),
            body: Answer { asked, events, cursors: Vec::new() }.encode().into(),
        };
        let Appended::New(positions) = self.log.append(vec![record]).await.unwrap() else { unreachable!() };
        positions[0]
    }

    async fn name(&self, account: AccountId) -> Option<String> {
        let Stored::Body(body) = Stored::decode(&self.page(account).await?.value).unwrap() else {
            return None;
        };
        Some(body.meta.name)
    }

    async fn page(&self, account: AccountId) -> Option<Row> {
        let view = ViewKey::Repository(RepoId::github(7));
        self.store.get(&RowKey::View(StreamKey::Account(account), view)).await.unwrap()
    }

    async fn shows(&self, account: AccountId, name: &str) {
        let shown = async {
            while self.name(account).await.as_deref() != Some(name) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(COMES_WITHIN, shown).await.unwrap_or_else(|_| panic!("{name} was never shown"));
    }

    async fn is_committed_past(&self, position: Position) {
        let is_past = |next: &Position| next.partition == position.partition && next.offset > position.offset;
        let mut commits = self.commits.clone();
        let committed = commits.wait_for(|all| all.iter().any(is_past));
        let _ = tokio::time::timeout(COMES_WITHIN, committed).await.unwrap().unwrap();
    }

    /// How far the partition is committed.
    fn committed(&self, position: Position) -> u64 {
        let commits = self.commits.borrow();
        let here = commits.iter().filter(|next| next.partition == position.partition);
        here.map(|next| next.offset).max().unwrap_or(0)
    }

    /// Everything that is stored of both accounts' facts and pages.
    async fn facts(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for account in [slow(), self.neighbour()] {
            let stream = StreamKey::Account(account);
            let entities = self.store.scan(&ScanKey::Entities(stream)).await.unwrap();
            rows.extend(entities.try_collect::<Vec<_>>().await.unwrap());
            rows.extend(self.page(account).await);
        }
        rows
    }
}

impl Running {
    async fn end(self) {
        self.shutdown.cancel();
        tokio::time::timeout(COMES_WITHIN, self.task).await.unwrap().unwrap().unwrap();
    }

    async fn has_folded(&mut self, position: Position) {
        let folded = self.progress.wait_folded(position.partition, position.offset);
        assert!(tokio::time::timeout(COMES_WITHIN, folded).await.unwrap());
    }
}

fn repository(account: AccountId, name: &str, second: i64) -> Event<'static> {
    Event::Repository(Box::new(RepositoryReading {
        owner: Some(OwnerReading {
            id: account,
            login: "octo".into(),
            kind: Some("User".into()),
            url: Some("https://forge.test/octo".into()),
            avatar_url: None,
        }),
        url: Some(format!("https://forge.test/octo/{name}").into()),
        name: Some(name.to_owned().into()),
        private: Some(false),
        updated_at: Some(Second(second)),
        ..RepositoryReading::of(RepoId::github(7))
    }))
}

/// What both accounts' rows are when nothing is slow.
async fn undisturbed() -> Vec<Row> {
    let scene = Scene::new().await;
    let mut running = scene.start(true);
    let last = play(&scene).await;
    running.has_folded(last).await;
    running.end().await;
    scene.facts().await
}

/// The neighbour between two records of the slow account; where the last of them stands.
async fn play(scene: &Scene) -> Position {
    scene.rename(slow(), "first", 50).await;
    scene.rename(scene.neighbour(), "other", 50).await;
    scene.rename(slow(), "second", 60).await;
    scene.rename(scene.neighbour(), "another", 60).await
}

#[tokio::test]
async fn others_go_on_while_an_account_is_read_and_its_records_are_folded_in_order() {
    let scene = Scene::new().await;
    let mut running = scene.start(false);
    let last = play(&scene).await;
    scene.shows(scene.neighbour(), "octo/another").await;
    assert_eq!(scene.name(slow()).await, None);
    assert_eq!(
        running.progress.folded(last.partition),
        Version::NONE,
        "nothing is told of as folded past what waits"
    );
    assert_eq!(scene.committed(last), 0, "nothing is committed past what waits");

    running.gate.send(true).unwrap();
    scene.shows(slow(), "octo/second").await;
    running.has_folded(last).await;
    scene.is_committed_past(last).await;
    running.end().await;
    assert_eq!(scene.facts().await, undisturbed().await);
}

#[tokio::test]
async fn what_waits_at_the_end_is_folded_by_the_next() {
    let scene = Scene::new().await;
    let running = scene.start(false);
    let last = play(&scene).await;
    scene.shows(scene.neighbour(), "octo/another").await;
    running.end().await;
    assert_eq!(scene.committed(last), 0);
    assert_eq!(scene.name(slow()).await, None);

    let mut running = scene.start(true);
    running.has_folded(last).await;
    running.end().await;
    assert_eq!(scene.committed(last), last.offset + 1);
    assert_eq!(scene.facts().await, undisturbed().await);
}
