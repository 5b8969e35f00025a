//! What the embedded adapter promises beyond the port: generations, idle disks, files that do not grow.

use std::{fs, sync::Arc};

use crate::support::settings;
use bytes::Bytes;
use domain::{AccountId, EntityKey, Forge, MemberSet, RepoId, RowKey, ScanKey, StreamKey, Version};
use futures::TryStreamExt;
use tokio::task::JoinSet;
use view_store::{
    EmbeddedStore, EmbeddedStoreSettings, Row, StoreError, ViewStore,
    contract::power_loss::{PowerLossDisk, Unsynced},
    embedded::FILE_NAME,
};

const STREAM: StreamKey = StreamKey::Service;

fn member(bucket: u32) -> RowKey {
    let (set, parent) = (MemberSet::Pulls, RepoId::github(1));
    RowKey::Member { stream: STREAM, set, parent, wipe: 0, bucket, id: Vec::new() }
}

fn row(key: RowKey, version: u64, value: impl Into<Bytes>) -> Row {
    Row { key, version: Version::from_raw(version), value: value.into() }
}

async fn count(store: &EmbeddedStore, range: ScanKey) -> usize {
    store.scan(&range).await.unwrap().try_collect::<Vec<_>>().await.unwrap().len()
}

/// Which of two values of one version stays is left open by the port; here it is the later one.
#[tokio::test]
async fn of_equal_versions_the_later_stays() {
    let store = EmbeddedStore::in_memory(&settings()).unwrap();
    store.write(vec![row(member(1), 5, "z"), row(member(1), 5, "m"), row(member(1), 4, "x")]).await.unwrap();
    assert_eq!(store.get(&member(1)).await.unwrap().unwrap().value, "m");
    store.write(vec![row(member(1), 5, "a")]).await.unwrap();
    assert_eq!(store.get(&member(1)).await.unwrap().unwrap().value, "a");
}

#[tokio::test]
async fn an_idle_store_does_not_sync() {
    let disk = PowerLossDisk::new();
    let store = EmbeddedStore::open_backend(disk.open(), FILE_NAME, &settings()).unwrap();
    let opened = disk.syncs();
    store.flush().await.unwrap();
    assert_eq!(disk.syncs(), opened, "nothing was written since it was opened");

    store.write(vec![row(member(1), 5, "a")]).await.unwrap();
    assert_eq!(disk.syncs(), opened, "a write waits for no disk");
    store.flush().await.unwrap();
    let flushed = disk.syncs();
    assert!(flushed > opened);

    store.flush().await.unwrap();
    store.write(vec![]).await.unwrap();
    store.write(vec![row(member(1), 4, "older")]).await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(disk.syncs(), flushed, "nothing changed since the last flush");
}

#[tokio::test]
async fn an_old_generation_is_retired_and_nothing_else() {
    let disk = PowerLossDisk::new();
    let settings = EmbeddedStoreSettings { generation: 3, ..settings() };
    let new = EmbeddedStore::open_backend(disk.open(), FILE_NAME, &settings).unwrap();
    assert_eq!(new.generations().unwrap(), Vec::<u32>::new());
    let (old, older) = (new.with_generation(2), new.with_generation(1));
    let alias = || RowKey::Alias(Forge::GitHub, "octocat".into());
    for store in [&new, &old, &older] {
        let generation = u64::from(store.generation());
        let entity = RowKey::Entity(StreamKey::Account(AccountId::github(1)), EntityKey::Account);
        let rows = (0..700).map(member).chain([RowKey::Seen(0), alias(), entity]);
        store.write(rows.map(|key| row(key, generation, "value")).collect()).await.unwrap();
    }
    assert_eq!(new.generations().unwrap(), [1, 2, 3]);
    new.flush().await.unwrap();

    for generation in [3, 4] {
        let refused = new.retire(generation).await;
        assert!(matches!(refused, Err(StoreError::Stop(_))), "generation {generation} is in use");
    }
    let mut scanning = old.scan(&ScanKey::Members(STREAM)).await.unwrap();
    assert!(scanning.try_next().await.unwrap().is_some());
    new.retire(2).await.unwrap();
    assert!(scanning.try_collect::<Vec<_>>().await.is_err(), "half of a range is not the range");

    // Durably: also without a flush of anybody's.
    disk.cut_power(Unsynced::Lost);
    drop((new, old, older));
    let new = EmbeddedStore::open_backend(disk.open(), FILE_NAME, &settings).unwrap();
    let (old, older) = (new.with_generation(2), new.with_generation(1));
    assert_eq!(new.generations().unwrap(), [1, 3]);
    assert_eq!(old.get(&RowKey::Seen(0)).await.unwrap(), None);
    assert_eq!(count(&old, ScanKey::Members(STREAM)).await, 0);
    for store in [&new, &older] {
        assert_eq!(count(store, ScanKey::Members(STREAM)).await, 700);
        assert!(store.get(&RowKey::Seen(0)).await.unwrap().is_some());
    }
    assert_eq!(old.get(&alias()).await.unwrap().unwrap().version, Version::from_raw(3));
    // It was not there before, and retiring it again is nothing.
    new.retire(2).await.unwrap();
}

/// The room of retired generations is used again, also when the process ends before all of it is free.
#[tokio::test]
async fn the_file_does_not_grow_with_the_number_of_generations() {
    const ROWS: u32 = 5_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    let value = Bytes::from(vec![7; 3_000]);
    let mut lengths = Vec::new();
    for generation in 1..=8 {
        let settings = EmbeddedStoreSettings { generation, ..settings() };
        let store = EmbeddedStore::open(dir.path(), &settings).unwrap();
        for batch in 0..50 {
            let keys = (0..ROWS / 50).map(|number| member(batch * ROWS / 50 + number));
            store.write(keys.map(|key| row(key, 1, value.clone())).collect()).await.unwrap();
        }
        store.flush().await.unwrap();
        if generation > 1 {
            store.retire(generation - 1).await.unwrap();
        }
        assert_eq!(count(&store, ScanKey::Members(STREAM)).await, ROWS as usize);
        assert_eq!(store.generations().unwrap(), [generation]);
        drop(store);
        lengths.push(fs::metadata(&path).unwrap().len());
    }
    // Room for the old generation, the new one, and one that is being emptied; redb's files double.
    assert!(lengths[7] <= 4 * lengths[0], "the file grew: {lengths:?}");
}

#[tokio::test]
async fn a_restart_goes_on_emptying_what_was_retired() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    let store = EmbeddedStore::open(dir.path(), &settings()).unwrap();
    store.write((0..3_000).map(|number| row(member(number), 1, "old")).collect()).await.unwrap();
    drop(store);
    // As a process leaves it that ends right after it retired the generation.
    let database = redb::Database::open(&path).unwrap();
    let renaming = database.begin_write().unwrap();
    let table = redb::TableDefinition::<&[u8], &[u8]>::new;
    renaming.rename_table(table("members_g1"), table("retired_0_members_g1")).unwrap();
    renaming.commit().unwrap();
    drop(database);

    let store = EmbeddedStore::open(dir.path(), &settings()).unwrap();
    assert_eq!(store.generations().unwrap(), Vec::<u32>::new());
    // Each call is followed by a bit of that.
    for version in 0..20 {
        store.write(vec![row(RowKey::Epoch, version, "")]).await.unwrap();
    }
    drop(store);
    let database = redb::Database::open(&path).unwrap();
    let reading = redb::ReadableDatabase::begin_read(&database).unwrap();
    let tables = reading.list_tables().unwrap();
    let mut names: Vec<String> = tables.map(|table| redb::TableHandle::name(&table).to_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, ["epochs", "tallyhook_view_store"]);
}

/// So that a slow reader holds little in memory, however many or large the rows are.
#[tokio::test]
async fn a_scan_does_not_read_far_ahead() {
    for (rows, value_bytes) in [(2_000, 10), (9, 300_000)] {
        let store = EmbeddedStore::in_memory(&settings()).unwrap();
        let written = |number, version| row(member(number), version, vec![7; value_bytes]);
        store.write((0..rows).map(|number| written(number, 1)).collect()).await.unwrap();
        let mut scanning = store.scan(&ScanKey::Members(STREAM)).await.unwrap();
        assert_eq!(scanning.try_next().await.unwrap(), Some(written(0, 1)));
        store.write(vec![written(1, 2), written(rows - 1, 2)]).await.unwrap();
        let rest: Vec<Row> = scanning.try_collect().await.unwrap();
        assert_eq!(rest.first(), Some(&written(1, 1)), "the first piece was read before");
        assert_eq!(rest.last(), Some(&written(rows - 1, 2)), "the last piece was not");
    }
}

/// Pages that an old reader could see cannot be used again, so a scan must not be an old reader.
#[tokio::test]
async fn a_stalled_scan_does_not_make_the_file_grow() {
    let without = file_bytes_after_rewrites(false).await;
    let with = file_bytes_after_rewrites(true).await;
    // A reader of all the time would have kept 6 000 × 8 kB = 48 MB.
    assert_eq!(with, without);
}

async fn file_bytes_after_rewrites(is_scanning: bool) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(dir.path(), &settings()).unwrap();
    let value = Bytes::from(vec![7; 6_000]);
    store.write((0..1_000).map(|bucket| row(member(bucket), 1, value.clone())).collect()).await.unwrap();
    store.flush().await.unwrap();

    let mut scanning = store.scan(&ScanKey::Members(STREAM)).await.unwrap();
    if is_scanning {
        assert!(scanning.try_next().await.unwrap().is_some());
    }
    for version in 2..6_002 {
        let rewritten = member(u32::try_from(version % 10).unwrap());
        store.write(vec![row(rewritten, version, value.clone())]).await.unwrap();
    }
    store.flush().await.unwrap();
    let rest = scanning.try_collect::<Vec<_>>().await.unwrap().len();
    assert_eq!(rest, if is_scanning { 999 } else { 1_000 });
    fs::metadata(dir.path().join(FILE_NAME)).unwrap().len()
}

/// Far more than the queue holds, in calls and in bytes, and single calls larger than the whole queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_wait_for_room_in_the_queue_and_all_get_through() {
    let store = Arc::new(EmbeddedStore::in_memory(&settings()).unwrap());
    let mut tasks = JoinSet::new();
    let large = Bytes::from(vec![1; 1024 * 1024]);
    for number in 0..3_000_u32 {
        let (store, large) = (Arc::clone(&store), large.clone());
        tasks.spawn(async move {
            let rows = match number {
                // 100 MiB of writes that all but the last lose to, so that they need no room in the file.
                1_000 => vec![row(member(number), 2, "small"); 1]
                    .into_iter()
                    .chain((0..100).map(|_| row(member(number), 1, large.clone())))
                    .collect(),
                _ if number % 50 == 0 => vec![row(member(number % 500), u64::from(number), large)],
                _ => vec![row(member(number), 1, "small")],
            };
            store.write(rows).await
        });
    }
    while let Some(written) = tasks.join_next().await {
        written.unwrap().unwrap();
    }
    assert_eq!(count(&store, ScanKey::Members(STREAM)).await, 3_000 - 60 + 10 + 1);
}
