//! A log, a store, and the real projector between them, in one test.
//!
//! Nothing is mocked: both ports are the embedded adapters, in memory unless a test hands over others. A
//! stage is used from one thread; what it appends is folded when [`Stage::append`] returns.

mod disks;
mod rows;
mod shown;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    AccountId, Asked, Epoch, Event, Millis, NeedKey, Row, RowKey, StreamKey, Version,
    need::Need,
    record::{ANSWER, Answer, COMMAND, Command, CursorNote},
};
use event_log::{
    Appended, EmbeddedLog, EmbeddedLogSettings, EventLog, Partition, Position, Record, embedded::PARTITIONS,
};
use projector::{Metrics, Progress, ProgressReader, Projector, ProjectorSettings, Stopped};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use view_store::{EmbeddedStore, EmbeddedStoreSettings, Hints, InProcessHints, ViewStore};

pub use disks::{Cut, Disks};
pub use rows::TypedRows;
pub use shown::Shown;

/// A log, a store, and the projector between them.
pub struct Stage {
    ports: RefCell<Ports>,
    hints: Arc<InProcessHints>,
    settings: ProjectorSettings,
    running: RefCell<Option<Running>>,
    /// The end of each partition, as far as this stage appended to it.
    ends: RefCell<BTreeMap<Partition, u64>>,
    streams: RefCell<BTreeSet<StreamKey>>,
    appended: Cell<u64>,
    /// Open needs of streams that nothing was appended to since they were read.
    needs: RefCell<BTreeMap<StreamKey, Vec<(NeedKey, Need)>>>,
}

#[derive(Clone)]
struct Ports {
    log: Arc<EmbeddedLog>,
    store: EmbeddedStore,
}

struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), Stopped>>,
    progress: ProgressReader,
}

/// What of every partition was folded at one moment, as whoever asks a forge notes it.
#[derive(Debug, Clone)]
pub struct Folded(BTreeMap<Partition, Version>);

impl Stage {
    /// A stage in memory, with the projector running.
    pub async fn new() -> Self {
        Self::with(ProjectorSettings::default()).await
    }

    /// A stage in memory, with these bounds.
    pub async fn with(settings: ProjectorSettings) -> Self {
        let log = EmbeddedLog::in_memory(EmbeddedLogSettings::default()).expect("a log fits into memory");
        Self::over(log, Self::empty_store(), settings).await
    }

    /// A stage over this log and store.
    pub async fn over(log: EmbeddedLog, store: EmbeddedStore, settings: ProjectorSettings) -> Self {
        let stage = Stage {
            ports: RefCell::new(Ports { log: Arc::new(log), store }),
            hints: Arc::new(InProcessHints::new()),
            settings,
            running: RefCell::new(None),
            ends: RefCell::new(BTreeMap::new()),
            streams: RefCell::new(BTreeSet::new()),
            appended: Cell::new(0),
            needs: RefCell::new(BTreeMap::new()),
        };
        stage.start().await;
        stage
    }

    /// An empty store in memory.
    pub fn empty_store() -> EmbeddedStore {
        EmbeddedStore::in_memory(&EmbeddedStoreSettings::default()).expect("a store fits into memory")
    }

    /// The log.
    pub fn log(&self) -> Arc<EmbeddedLog> {
        Arc::clone(&self.ports.borrow().log)
    }

    /// The store.
    pub fn store(&self) -> EmbeddedStore {
        self.ports.borrow().store.clone()
    }

    /// Where the projector tells what it wrote.
    pub fn hints(&self) -> Arc<InProcessHints> {
        Arc::clone(&self.hints)
    }

    /// Every stream that was appended to.
    pub fn streams(&self) -> Vec<StreamKey> {
        self.streams.borrow().iter().copied().collect()
    }

    /// Every account whose stream was appended to.
    pub fn accounts(&self) -> Vec<AccountId> {
        self.streams.borrow().iter().filter_map(|stream| stream.account()).collect()
    }

    /// Appends, and waits until it is folded. Returns where the records stand.
    pub async fn append(&self, records: Vec<Record>) -> Vec<Position> {
        let positions = self.append_only(records).await;
        self.settle().await;
        positions
    }

    /// Appends, and waits for nothing else.
    pub async fn append_only(&self, records: Vec<Record>) -> Vec<Position> {
        if records.is_empty() {
            return Vec::new();
        }
        self.streams.borrow_mut().extend(records.iter().map(|record| record.stream));
        // Every row of a stream is written from that stream alone.
        self.needs.borrow_mut().retain(|stream, _| records.iter().all(|record| record.stream != *stream));
        let appended = self.log().append(records).await.expect("a log in memory takes what it is given");
        let Appended::New(positions) = appended else { panic!("nothing here has a dedupe key") };
        let mut ends = self.ends.borrow_mut();
        for position in &positions {
            let end = ends.entry(position.partition).or_default();
            *end = (*end).max(position.offset + 1);
        }
        drop(ends);
        positions
    }

    /// Appends what a forge answered.
    pub async fn answer(
        &self,
        asked: Asked,
        received_at: Millis,
        stream: StreamKey,
        events: Vec<Event<'static>>,
        cursors: Vec<CursorNote<'static>>,
    ) -> Vec<Position> {
        let body = Answer { asked, events, cursors }.encode();
        self.append(vec![self.record(stream, ANSWER, received_at, body)]).await
    }

    /// Appends a command.
    pub async fn command(&self, stream: StreamKey, received_at: Millis, events: Vec<Event<'static>>) {
        let body = Command { events }.encode();
        self.append(vec![self.record(stream, COMMAND, received_at, body)]).await;
    }

    /// A record of our own sources.
    pub fn record(&self, stream: StreamKey, kind: &str, received_at: Millis, body: Vec<u8>) -> Record {
        self.appended.set(self.appended.get() + 1);
        Record {
            stream,
            id: format!("job-{}", self.appended.get()),
            dedupe: None,
            kind: kind.to_owned(),
            received_at,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// Waits until everything that was appended is folded.
    ///
    /// # Panics
    /// When the projector stopped: with its sentence.
    pub async fn settle(&self) {
        let ends = self.ends.borrow().clone();
        for (partition, end) in ends {
            let mut progress = self.progress();
            if !progress.wait_folded(partition, end - 1).await {
                panic!("the projector stopped: {:?}", self.join().await);
            }
        }
    }

    /// What is folded now.
    pub fn folded(&self) -> Folded {
        let progress = self.progress();
        let partitions = (0..PARTITIONS).map(Partition);
        Folded(partitions.map(|partition| (partition, progress.folded(partition))).collect())
    }

    /// How far the projector is.
    pub fn progress(&self) -> ProgressReader {
        self.running.borrow().as_ref().expect("the projector runs").progress.clone()
    }

    /// Starts the projector, where none runs. A new store begins in the first epoch, as in a new data folder.
    ///
    /// # Panics
    /// Where one runs.
    pub async fn start(&self) {
        let Ports { log, store } = self.ports.borrow().clone();
        begin_epoch(&store).await;
        self.needs.borrow_mut().clear();
        let (progress, reader) = Progress::new();
        let metrics = Metrics::register(&prometheus::Registry::new()).expect("a new registry has no metrics");
        let hints: Arc<dyn Hints> = self.hints();
        let projector = Projector {
            log,
            store: Arc::new(store) as Arc<dyn ViewStore>,
            hints,
            progress,
            metrics,
            settings: self.settings.clone(),
        };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(projector.run(shutdown.clone()));
        let before = self.running.borrow_mut().replace(Running { shutdown, task, progress: reader });
        assert!(before.is_none(), "one projector at a time writes a store");
    }

    /// Lets the projector finish what it has, and waits for its end.
    ///
    /// # Errors
    /// Why it stopped by itself before.
    pub async fn stop(&self) -> Result<(), Stopped> {
        let running = self.running.borrow_mut().take();
        let Some(running) = running else { return Ok(()) };
        running.shutdown.cancel();
        running.task.await.expect("the projector does not panic")
    }

    /// Waits for a projector that stops by itself, and says why it did.
    pub async fn join(&self) -> Result<(), Stopped> {
        let running = self.running.borrow_mut().take();
        let Some(running) = running else { return Ok(()) };
        running.task.await.expect("the projector does not panic")
    }

    /// A new projector on the same log and store, after the old one has finished.
    pub async fn restart(&self) {
        self.stop().await.expect("a projector that is told to stop does so");
        self.start().await;
        self.settle().await;
    }

    /// Ends the projector wherever it is, as kill -9 does; another one is [`Stage::start`]ed by the caller.
    pub async fn kill(&self) {
        let running = self.running.borrow_mut().take();
        if let Some(running) = running {
            running.task.abort();
            // Whatever it says, it has ended.
            let _ = running.task.await;
        }
    }

    /// A new projector on the same log and an empty store.
    pub async fn rebuild(&self) {
        self.restart_on(Self::empty_store()).await;
    }

    /// A new projector on the same log and another store.
    pub async fn restart_on(&self, store: EmbeddedStore) {
        self.stop().await.expect("a projector that is told to stop does so");
        let log = self.log();
        self.ports.replace(Ports { log, store });
        self.start().await;
        self.settle().await;
    }

    /// A new projector on a log and a store that `open` opens again, after everything that held the old ones
    /// has let go of them.
    pub async fn reopen(&self, open: impl FnOnce() -> (EmbeddedLog, EmbeddedStore)) {
        self.kill().await;
        // The old files are closed before they are opened again.
        let placeholder = Ports {
            log: Arc::new(
                EmbeddedLog::in_memory(EmbeddedLogSettings::default()).expect("a log fits into memory"),
            ),
            store: Self::empty_store(),
        };
        drop(self.ports.replace(placeholder));
        let (log, store) = open();
        self.ports.replace(Ports { log: Arc::new(log), store });
        self.start().await;
        self.settle().await;
    }
}

impl Drop for Stage {
    /// A projector that nobody ends holds its log and its store in memory for as long as the runtime lives, and a test
    /// of a thousand histories makes some thousands of them.
    fn drop(&mut self) {
        if let Some(running) = self.running.get_mut().take() {
            running.task.abort();
        }
    }
}

async fn begin_epoch(store: &EmbeddedStore) {
    if store.get(&RowKey::Epoch).await.expect("a store in memory answers").is_none() {
        let value = Epoch::FIRST.encode().into();
        let row = Row { key: RowKey::Epoch, version: Version::LEAST, value };
        store.write(vec![row]).await.expect("a store in memory takes what it is given");
        store.flush().await.expect("a store in memory takes what it is given");
    }
}

impl Folded {
    /// What of a stream was folded. Never [`Version::NONE`], which means "never asked".
    pub fn of(&self, stream: StreamKey, log: &dyn EventLog) -> Version {
        let version = self.0.get(&log.partition_of(stream)).copied();
        version.unwrap_or(Version::LEAST).max(Version::LEAST)
    }
}
