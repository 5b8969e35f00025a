//! Write, flush, commit, in that order; hints after writes; and storage that does not answer is asked again. Seen
//! from the ports: the adapters are the embedded ones, and what passes between them and the projector is noted.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{Epoch, Row, RowKey, ScanKey, StreamKey, Version};
use event_log::{Appended, EmbeddedLog, EmbeddedLogSettings, EventLog, Position, Record};
use futures::TryStreamExt;
use projector::{Metrics, Progress, Projector, ProjectorSettings};
use testkit::{
    stage::Stage,
    watched::{WatchedLog, Watcher},
};
use tokio_util::sync::CancellationToken;
use view_store::{EmbeddedStore, Follower, Hint, Hints, InProcessHints, RowStream, StoreError, ViewStore};

use crate::scene::{Scene, records};

/// What was seen at a port, when it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Written(RowKey, Version),
    Flushed,
    Hinted(RowKey, Version),
    Committed(Position),
}

/// Everything that passed, in order.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<Step>>>);

impl Notes {
    fn add(&self, steps: impl IntoIterator<Item = Step>) {
        self.0.lock().unwrap().extend(steps);
    }

    fn all(&self) -> Vec<Step> {
        self.0.lock().unwrap().clone()
    }
}

struct NotedStore {
    store: EmbeddedStore,
    notes: Notes,
    /// So many writes are not answered.
    refusals_left: AtomicUsize,
}

#[async_trait]
impl ViewStore for NotedStore {
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        self.store.get(key).await
    }

    async fn scan(&self, range: &ScanKey) -> Result<RowStream, StoreError> {
        self.store.scan(range).await
    }

    async fn write(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let left = |left: usize| left.checked_sub(1);
        if self.refusals_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok() {
            return Err(StoreError::Retry("away for a moment".to_owned()));
        }
        let written: Vec<Step> = rows.iter().map(|row| Step::Written(row.key.clone(), row.version)).collect();
        self.store.write(rows).await?;
        self.notes.add(written);
        Ok(())
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.store.flush().await?;
        self.notes.add([Step::Flushed]);
        Ok(())
    }
}

struct NotedHints {
    hints: InProcessHints,
    notes: Notes,
}

impl Hints for NotedHints {
    fn publish(&self, hints: Vec<Hint>) {
        let rows = hints.iter().filter_map(|hint| match hint {
            Hint::Row { key, version, .. } => Some(Step::Hinted(key.clone(), *version)),
            Hint::Folded { .. } => None,
        });
        self.notes.add(rows);
        self.hints.publish(hints);
    }

    fn follow(&self) -> Box<dyn Follower> {
        self.hints.follow()
    }
}

/// Hears of commits.
struct NotedCommits(Notes);

impl Watcher for NotedCommits {
    fn commits(&self, next_offsets: &[Position]) {
        self.0.add(next_offsets.iter().copied().map(Step::Committed));
    }
}

/// Folds these records one append at a time until the last is committed; what was seen meanwhile.
async fn folded(records: Vec<Record>, refusals: usize) -> (Vec<Step>, EmbeddedStore) {
    let notes = Notes::default();
    let log = EmbeddedLog::in_memory(EmbeddedLogSettings::default()).unwrap();
    let log = Arc::new(WatchedLog::over(Arc::new(log), NotedCommits(notes.clone())));
    let store = Stage::empty_store();
    let epoch = Row { key: RowKey::Epoch, version: Version::LEAST, value: Epoch::FIRST.encode().into() };
    store.write(vec![epoch]).await.unwrap();
    let noted = NotedStore { store: store.clone(), notes: notes.clone(), refusals_left: refusals.into() };
    let (progress, mut reader) = Progress::new();
    let projector = Projector {
        log: log.clone(),
        store: Arc::new(noted),
        hints: Arc::new(NotedHints { hints: InProcessHints::new(), notes: notes.clone() }),
        progress,
        metrics: Metrics::register(&prometheus::Registry::new()).unwrap(),
        settings: ProjectorSettings { flush_every: Duration::from_millis(1), ..ProjectorSettings::default() },
    };
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(projector.run(shutdown.clone()));
    for record in records {
        let Appended::New(positions) = log.append(vec![record]).await.unwrap() else { panic!("no copies") };
        let at = positions[0];
        assert!(reader.wait_folded(at.partition, at.offset).await);
        // Until it is committed by the timer, so that what a timer does is seen as well as what an end does.
        let is_committed = |step: &Step| matches!(step, Step::Committed(next) if next.partition == at.partition && next.offset > at.offset);
        while !notes.all().iter().any(is_committed) {
            tokio::task::yield_now().await;
        }
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
    (notes.all(), store)
}

fn some_records() -> Vec<Record> {
    let mut scene = Scene::new();
    let repo = scene.repository("repo-0");
    let repo_id = scene.end().repositories[&repo].truth.id;
    scene.chapter(|world| {
        world.push_commits(repo_id, "main", 2).unwrap();
    });
    let script = scene.script();
    scene.emitted.iter().flatten().flat_map(|event| records(event, &script)).collect()
}

/// What is stored of the account's entities and needs.
async fn facts(store: &EmbeddedStore) -> Vec<Row> {
    let stream = StreamKey::Account(Scene::new().account("owner-0"));
    let mut rows = Vec::new();
    for range in [ScanKey::Entities(stream), ScanKey::NeedsOf(stream)] {
        rows.extend(store.scan(&range).await.unwrap().try_collect::<Vec<_>>().await.unwrap());
    }
    rows
}

#[tokio::test]
async fn commits_follow_flushes_and_flushes_follow_writes() {
    let (steps, _) = folded(some_records(), 0).await;
    let mut commits = 0;
    for (place, step) in steps.iter().enumerate() {
        let Step::Committed(next) = step else { continue };
        commits += 1;
        let flushed = steps[..place].iter().rposition(|step| *step == Step::Flushed);
        let flushed = flushed.unwrap_or_else(|| panic!("{step:?} before any flush:\n{steps:#?}"));
        let is_seen = |step: &Step| {
            matches!(step, Step::Written(RowKey::Seen(partition), version)
                if *partition == next.partition.0 && version.offset() + 1 >= next.offset)
        };
        assert!(steps[..flushed].iter().any(is_seen), "{step:?} before its rows are durable:\n{steps:#?}");
    }
    assert!(commits > 1, "{steps:#?}");
}

#[tokio::test]
async fn nobody_is_told_of_a_row_before_it_is_written() {
    let (steps, _) = folded(some_records(), 0).await;
    let mut hints = 0;
    for (place, step) in steps.iter().enumerate() {
        let Step::Hinted(key, version) = step else { continue };
        hints += 1;
        let is_it = |step: &Step| matches!(step, Step::Written(of, at) if of == key && at == version);
        assert!(steps[..place].iter().any(is_it), "{key:?} at {version} was told first");
    }
    assert!(hints > 1, "{steps:#?}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_asked_until_it_does() {
    let (_, undisturbed) = folded(some_records(), 0).await;
    let expected = facts(&undisturbed).await;
    assert!(!expected.is_empty());
    let (_, store) = folded(some_records(), 1).await;
    assert_eq!(facts(&store).await, expected);
}
