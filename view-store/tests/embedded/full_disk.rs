//! A disk that is full or broken: the store stops with the cause, and what was flushed is there later.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use crate::support::settings;
use domain::{MemberSet, RepoId, RowKey, ScanKey, StreamKey, Version};
use futures::TryStreamExt;
use redb::StorageBackend;
use view_store::{
    EmbeddedStore, OpenError, Row, StoreError, ViewStore,
    contract::power_loss::{PowerLossBackend, PowerLossDisk, Unsynced},
    embedded::FILE_NAME,
};

/// What the operating system says when nothing more fits (`ENOSPC`), and when a disk fails (`EIO`).
const NO_SPACE: i32 = 28;
const BROKEN: i32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    Writes,
    Syncs,
}

/// A disk on which the operations of one kind fail after some that did not.
#[derive(Debug)]
struct FailingDisk {
    inner: PowerLossBackend,
    failing: Failing,
    left: Arc<AtomicI64>,
}

impl FailingDisk {
    fn spend(&self, kind: Failing, error: i32) -> io::Result<()> {
        if self.failing == kind && self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        Ok(())
    }
}

impl StorageBackend for FailingDisk {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.spend(Failing::Writes, NO_SPACE)?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.spend(Failing::Syncs, BROKEN)?;
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.spend(Failing::Writes, NO_SPACE)?;
        self.inner.write(offset, data)
    }
}

fn row(bucket: u32, version: u64) -> Row {
    let (set, parent) = (MemberSet::Pulls, RepoId::github(1));
    let key = RowKey::Member { stream: StreamKey::Service, set, parent, wipe: 0, bucket, id: Vec::new() };
    // Large enough that the cache overflows and writes also reach the disk without a flush.
    Row { key, version: Version::from_raw(version), value: format!("{version:30000}").into() }
}

const ROWS: u32 = 80;

async fn write_round(store: &EmbeddedStore, round: u64) -> Result<(), StoreError> {
    for bucket in 0..ROWS {
        let written = row(bucket, round);
        store.write(vec![written.clone()]).await?;
        assert_eq!(store.get(&written.key).await.unwrap(), Some(written), "a write that returned is visible");
    }
    store.flush().await
}

/// Writes and flushes until the disk fails; returns the last round that was flushed, and the error.
async fn fill(store: &EmbeddedStore) -> (u64, StoreError) {
    for round in 1.. {
        if let Err(error) = write_round(store, round).await {
            return (round - 1, error);
        }
    }
    unreachable!("the disk fails at some time")
}

async fn fails_after(failing: Failing, operations: i64) {
    let disk = PowerLossDisk::new();
    let left = Arc::new(AtomicI64::new(i64::MAX));
    let backend = FailingDisk { inner: disk.open(), failing, left: Arc::clone(&left) };
    let store = EmbeddedStore::open_backend(backend, FILE_NAME, &settings()).unwrap();
    let mut broken = store.broken();
    assert_eq!(*broken.borrow_and_update(), None);
    left.store(operations, Ordering::SeqCst);

    let (flushed, error) = fill(&store).await;
    let expected = io::Error::from_raw_os_error(if failing == Failing::Writes { NO_SPACE } else { BROKEN });
    let sentence = error.to_string();
    assert!(matches!(error, StoreError::Stop(_)));
    assert!(sentence.starts_with("state.redb cannot be read or written: "), "{sentence}");
    assert!(sentence.contains(&expected.to_string()), "{sentence}");

    // Everything answers the same from now on, also after the disk has room again.
    left.store(i64::MAX, Ordering::SeqCst);
    broken.changed().await.unwrap();
    assert_eq!(broken.borrow().as_deref(), Some(sentence.as_str()));
    let key = row(0, 1).key;
    let range = ScanKey::Members(StreamKey::Service);
    for answer in [
        store.get(&key).await.map(|_| ()),
        store.write(vec![row(0, 1_000_000)]).await,
        store.write(vec![]).await,
        store.flush().await,
        store.scan(&range).await.map(|_| ()),
        store.retire(0).await,
        store.generations().map(|_| ()),
    ] {
        assert_eq!(answer.unwrap_err().to_string(), sentence);
    }
    drop(store);

    // The next start finds every row as flushed, or as written later.
    disk.cut_power(Unsynced::Kept);
    let store = EmbeddedStore::open_backend(disk.open(), FILE_NAME, &settings()).unwrap();
    let rows: Vec<Row> = store.scan(&range).await.unwrap().try_collect().await.unwrap();
    for (bucket, found) in rows.iter().enumerate() {
        let version = found.version.as_raw();
        assert!((flushed..=flushed + 1).contains(&version), "{version} after {flushed} was flushed");
        assert_eq!(*found, row(u32::try_from(bucket).unwrap(), version));
    }
    assert!(flushed == 0 || rows.len() == ROWS as usize);
    write_round(&store, flushed + 2).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_stops_the_store_with_the_cause_and_loses_nothing_flushed() {
    // Every place within the first flushes, and then places further on.
    for operations in (0..60).chain((60..2_000).step_by(61)) {
        fails_after(Failing::Writes, operations).await;
    }
}

#[tokio::test]
async fn a_sync_that_fails_stops_the_store_with_the_cause_and_loses_nothing_flushed() {
    for operations in 0..8 {
        fails_after(Failing::Syncs, operations).await;
    }
}

#[test]
fn a_disk_that_is_full_at_the_start_refuses_it() {
    for operations in 0..12 {
        let disk = PowerLossDisk::new();
        let left = Arc::new(AtomicI64::new(operations));
        let backend = FailingDisk { inner: disk.open(), failing: Failing::Writes, left };
        match EmbeddedStore::open_backend(backend, FILE_NAME, &settings()) {
            Ok(_) => assert!(operations > 5, "a store was made with {operations} writes"),
            Err(OpenError::Disk { file, cause }) => {
                assert_eq!(file, FILE_NAME);
                assert!(cause.contains("os error 28"), "{cause}");
            }
            Err(other) => panic!("{other}"),
        }
    }
}
