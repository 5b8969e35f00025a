//! From a folder to ports that a migration has made; what a cluster adds is in `on_servers`.

use std::{
    future::{Future, poll_fn},
    path::Path,
    pin::pin,
    task::Poll,
    time::Duration,
};

use domain::{
    AccountId, Epoch, Event, Forge as ForgeTag, Row, RowKey, StreamKey, Version, ViewKey,
    directory::DeadLetter, event::TrackedBy,
};
use event_log::{
    EmbeddedLog, EmbeddedLogSettings, EventLog, Limit, Partition, Position, Record, embedded::PARTITIONS,
};
use fake_github::{Life, NewRepository, Weights};
use projector::ProjectorSettings;
use serde_json::Value;
use testkit::{
    answers::{Asker, AtOnce},
    deliveries::{self, Ear},
    forge::Forge,
    script::Script,
    stage::Stage,
};
use view_store::{EmbeddedStore, EmbeddedStoreSettings, ViewStore};

use super::*;

#[cfg(feature = "cluster")]
mod on_servers;

/// A small forge with a history, of which a folder heard the first part.
struct Story {
    script: Script,
    early: Vec<Record>,
    late: Vec<Record>,
    accounts: Vec<AccountId>,
}

impl Story {
    fn new() -> Self {
        let mut forge = Forge::new(3, fake_github::Second(1_780_000_000));
        for number in 0..3 {
            let owner = forge.world.create_user(&format!("owner-{number}")).unwrap();
            let repo = forge.world.create_repository(owner, NewRepository::public("repo")).unwrap();
            forge.world.push_commits(repo, "main", 3).unwrap();
        }
        forge.heard();
        let first = std::rc::Rc::new(forge.moment());
        let script = Script::new(vec![std::rc::Rc::clone(&first)], 0);
        let mut life = Life::new(3, Weights::default());
        let mut parts = [Vec::new(), Vec::new()];
        for part in &mut parts {
            for _ in 0..60 {
                forge.pass(life.pause_ms());
                forge.live(&mut life);
            }
            let heard = forge.heard();
            part.extend(heard.iter().flat_map(|event| deliveries::records(event, Ear::App, script.ours())));
        }
        let [early, late] = parts;
        Story { script, early, late, accounts: first.accounts.keys().copied().collect() }
    }

    /// What the folder hears before it is stopped, one record of it unreadable.
    async fn begin(&self, stage: &Stage) {
        for number in 0..3 {
            let login = format!("owner-{number}").into();
            let wanted = Event::LoginWanted { forge: ForgeTag::GitHub, login, by: TrackedBy::Person };
            stage.command(StreamKey::Service, self.script.ours(), vec![wanted]).await;
        }
        Asker::new(stage, &self.script, AtOnce).ask_all().await;
        for record in &self.early {
            stage.append(vec![record.clone()]).await;
        }
        let stream = StreamKey::Account(self.accounts[0]);
        stage.append(vec![stage.record(stream, "some.other.kind", self.script.ours(), b"{}".to_vec())]).await;
    }

    async fn go_on(&self, stage: &Stage) {
        for record in &self.late {
            stage.append(vec![record.clone()]).await;
        }
    }

    async fn shown(&self, stage: &Stage) -> Vec<Value> {
        let mut shown = Vec::new();
        for account in &self.accounts {
            let repositories = stage.rows().repositories(*account).await;
            let views = repositories.into_iter().map(|(repo, _)| ViewKey::Repository(repo));
            for view in views.chain([ViewKey::GithubPayload, ViewKey::Account]) {
                shown.extend(stage.view(*account, view).await.map(|view| view.json()));
            }
        }
        assert!(shown.len() >= 6, "there is something to compare");
        shown
    }
}

fn store_settings() -> EmbeddedStoreSettings {
    EmbeddedStoreSettings { generation: domain::GENERATION, ..EmbeddedStoreSettings::default() }
}

fn open(folder: &Path) -> (EmbeddedLog, EmbeddedStore) {
    let log = EmbeddedLog::open(folder, EmbeddedLogSettings::default()).unwrap();
    (log, EmbeddedStore::open(folder, &store_settings()).unwrap())
}

/// What a cluster's ports are here: a log and a store as a migration leaves them.
async fn empty_target() -> (EmbeddedLog, EmbeddedStore) {
    let store = EmbeddedStore::in_memory(&store_settings()).unwrap();
    let value = Epoch::FIRST.encode().into();
    store.write(vec![Row { key: RowKey::Epoch, version: Version::LEAST, value }]).await.unwrap();
    (EmbeddedLog::in_memory(EmbeddedLogSettings::default()).unwrap(), store)
}

async fn records_of(log: &dyn EventLog) -> Vec<Record> {
    let mut records = Vec::new();
    for bounds in log.bounds().await.unwrap() {
        let at = Position { partition: bounds.partition, offset: 0 };
        let limit = Limit { records_max: usize::MAX, bytes_max: usize::MAX };
        records.extend(log.read(at, limit).await.unwrap().into_iter().map(|(_, record)| record));
    }
    records
}

/// A folder that heard the first part of the story and was stopped.
async fn stopped_folder(story: &Story, folder: &Path) -> Stage {
    let (log, store) = open(folder);
    let stage = Stage::over(log, store, ProjectorSettings::default()).await;
    story.begin(&stage).await;
    stage.stop().await.unwrap();
    // One that never moved, to compare with.
    let stayed = Stage::new().await;
    story.begin(&stayed).await;
    stayed
}

/// A person who asks for the body of what could not be folded gets it from the new log.
async fn assert_dead_letter_found(stage: &Stage) {
    let letters = stage.rows().dead_letters().await;
    let [(stream, _, DeadLetter::Dead { partition, offset, .. })] = letters.as_slice() else {
        panic!("one dead letter was copied: {letters:?}");
    };
    let at = Position { partition: Partition(*partition), offset: *offset };
    let limit = Limit { records_max: 1, bytes_max: 0 };
    let (_, record) = stage.log().read(at, limit).await.unwrap().remove(0);
    assert_eq!((record.stream, record.kind.as_str()), (*stream, "some.other.kind"));
}

#[tokio::test]
async fn a_moved_service_goes_on_as_one_that_stayed() {
    let story = Story::new();
    let folder = tempfile::tempdir().unwrap();
    let stayed = stopped_folder(&story, folder.path()).await;
    let (log, store) = empty_target().await;

    let copied = copy(folder.path(), &log, &store).await.unwrap();
    assert_eq!(copied.records, records_of(&*stayed.log()).await.len() as u64);
    assert_eq!(copied.epoch, domain::Epoch(2));
    assert!(copied.compared.views >= 6 && copied.compared.rows > copied.compared.views);

    let moved = Stage::over(log, store, ProjectorSettings::default()).await;
    assert_eq!(story.shown(&moved).await, story.shown(&stayed).await);
    assert_dead_letter_found(&moved).await;
    for stage in [&moved, &stayed] {
        story.go_on(stage).await;
    }
    assert_eq!(story.shown(&moved).await, story.shown(&stayed).await);
}

/// Runs some work for so many steps, then drops it as a kill does; whether it ended before.
async fn killed_after<T>(steps: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = steps;
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn a_copy_that_is_killed_anywhere_goes_on_and_copies_nothing_twice() {
    let story = Story::new();
    let folder = tempfile::tempdir().unwrap();
    let stayed = stopped_folder(&story, folder.path()).await;
    let (from_log, from_store) = open(folder.path());
    let from_log = Arc::new(from_log);
    fold(&from_log, &from_store).await.unwrap();
    let (_, store) = empty_target().await;
    let stores = Stores { from: &from_store, to: &store };
    let epoch = stores.epoch().await.unwrap();
    // A log in a folder: what is on its way when the copy is killed is there or not when it begins again.
    let target = tempfile::tempdir().unwrap();
    let open_target = || EmbeddedLog::open(target.path(), EmbeddedLogSettings::default()).unwrap();
    let mut killed = 0;
    // Later and later.
    let copied = loop {
        let log = open_target();
        let logs = Logs { from: &*from_log, epoch, to: &log };
        match killed_after(killed, move_all(logs, stores)).await {
            Some(copied) => break copied.unwrap(),
            None => killed += 1,
        }
    };
    let log = open_target();
    assert!(killed > 10, "it was killed {killed} times");
    assert_eq!(copied.records, 0, "nothing was left for the last one");
    let (copies, originals) = (records_of(&log).await, records_of(&*stayed.log()).await);
    assert_eq!(copies.len(), originals.len());
    let moved = Stage::over(log, store, ProjectorSettings::default()).await;
    assert_eq!(story.shown(&moved).await, story.shown(&stayed).await);
}

#[tokio::test]
async fn what_holds_something_else_is_no_target() {
    let story = Story::new();
    let folder = tempfile::tempdir().unwrap();
    stopped_folder(&story, folder.path()).await;
    let refused = |outcome: Result<Copied, Failure>| outcome.unwrap_err().to_string();

    // A log with records of its own.
    let (log, store) = empty_target().await;
    log.append(vec![story.late[0].clone()]).await.unwrap();
    let sentence = refused(copy(folder.path(), &log, &store).await);
    assert!(sentence.contains("copy into a new topic"), "{sentence}");

    // A cluster that has lived since it was copied.
    let (log, store) = empty_target().await;
    copy(folder.path(), &log, &store).await.unwrap();
    let again = copy(folder.path(), &log, &store).await.unwrap();
    assert_eq!(again.records, 0, "a finished copy may be begun again");
    log.append(vec![story.late[0].clone()]).await.unwrap();
    let sentence = refused(copy(folder.path(), &log, &store).await);
    assert!(sentence.contains("copy into a new topic"), "{sentence}");

    // A copy of another folder.
    let other = tempfile::tempdir().unwrap();
    let (other_log, other_store) = open(other.path());
    let stage = Stage::over(other_log, other_store, ProjectorSettings::default()).await;
    story.go_on(&stage).await;
    stage.stop().await.unwrap();
    drop(stage);
    let (log, store) = empty_target().await;
    copy(other.path(), &log, &store).await.unwrap();
    let sentence = refused(copy(folder.path(), &log, &store).await);
    assert!(sentence.contains("copy into a new topic"), "{sentence}");

    // And a folder that is none.
    let nothing = tempfile::tempdir().unwrap();
    let (log, store) = empty_target().await;
    let sentence = refused(copy(nothing.path(), &log, &store).await);
    assert!(sentence.contains("no data folder"), "{sentence}");
    assert!(nothing.path().read_dir().unwrap().next().is_none(), "nothing was made there");
}

/// So often it is looked whether anything may be forgotten.
const LOOKS_MAX: usize = 600;

/// Has the log of a stage forget what it may.
async fn forget(stage: &Stage) {
    let store = stage.store();
    let aliases = store.clone();
    let retention = backfill::Retention {
        log: stage.log(),
        store: Arc::new(store),
        aliases: Arc::new(move || aliases.rows_of(domain::Family::Alias)),
        partitions: tokio::sync::watch::channel((0..PARTITIONS).collect()).1,
        metrics: backfill::RetentionMetrics::new().unwrap(),
        settings: backfill::RetentionSettings {
            age: Some(Duration::ZERO),
            bytes: None,
            every: Duration::ZERO,
            pace: Duration::ZERO,
        },
    };
    // Nothing goes before it is durable that it was folded, which a timer sees to.
    for _ in 0..LOOKS_MAX {
        retention.look_once().await.unwrap();
        if stage.log().bounds().await.unwrap().iter().any(|bounds| bounds.start > 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the log forgets nothing");
}

#[tokio::test]
async fn a_folder_that_has_forgotten_can_be_built_anew_where_it_was_copied_to() {
    let story = Story::new();
    let folder = tempfile::tempdir().unwrap();
    let (log, store) = open(folder.path());
    let stage = Stage::over(log, store, ProjectorSettings::default()).await;
    story.begin(&stage).await;
    forget(&stage).await;
    let shown = story.shown(&stage).await;
    stage.stop().await.unwrap();
    drop(stage);
    let (log, store) = empty_target().await;
    copy(folder.path(), &log, &store).await.unwrap();
    let again = copy(folder.path(), &log, &store).await.unwrap();
    assert_eq!(again.records, 0, "a finished copy may be begun again");

    let moved = Stage::over(log, store, ProjectorSettings::default()).await;
    assert_eq!(story.shown(&moved).await, shown);
    let (_, anew) = empty_target().await;
    // As `tallyhook epoch open` leaves it.
    let (epoch, version) = (Epoch(2), Version::new(Epoch(2), 0));
    anew.write(vec![Row { key: RowKey::Epoch, version, value: epoch.encode().into() }]).await.unwrap();
    moved.restart_on(anew).await;
    assert!(moved.progress().wait_caught_up().await, "it folds what is there");
    assert_eq!(story.shown(&moved).await, shown, "built anew");
    story.go_on(&moved).await;
}
