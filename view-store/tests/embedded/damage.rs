//! Files that were cut short or torn: the store recovers or refuses with a sentence, and never panics.

use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use crate::support::settings;
use domain::{AccountId, EntityKey, MemberSet, RepoId, RowKey, ScanKey, StreamKey, Version, ViewKey};
use futures::TryStreamExt;
use view_store::{EmbeddedStore, OpenError, Row, StoreError, ViewStore, embedded::FILE_NAME};

const REMEDY: &str = "move state.redb away; it is rebuilt from the log at the next start";
const ROWS: u32 = 300;

fn key(number: u32) -> RowKey {
    let account = StreamKey::Account(AccountId::github(u64::from(number)));
    let (set, parent) = (MemberSet::Pulls, RepoId::github(1));
    match number % 3 {
        0 => RowKey::Entity(account, EntityKey::Account),
        1 => RowKey::View(account, ViewKey::Account),
        _ => {
            let stream = StreamKey::Service;
            RowKey::Member { stream, set, parent, wipe: 0, bucket: number, id: Vec::new() }
        }
    }
}

fn row(number: u32, version: u64) -> Row {
    let length = (number as usize * 37) % 7_000;
    Row {
        key: key(number),
        version: Version::from_raw(version),
        value: format!("{version} {number:0length$}").into(),
    }
}

fn rows(version: u64) -> Vec<Row> {
    (0..ROWS).map(|number| row(number, version)).collect()
}

/// The bytes of a file that was closed, and of one whose process was killed after its second flush.
async fn files() -> [Vec<u8>; 2] {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    let store = EmbeddedStore::open(dir.path(), &settings()).unwrap();
    for version in [1, 2] {
        store.write(rows(version)).await.unwrap();
        store.flush().await.unwrap();
    }
    store.write(rows(3)).await.unwrap();
    let killed = fs::read(&path).unwrap();
    drop(store);
    [fs::read(&path).unwrap(), killed]
}

/// What became of a damaged file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    RefusedToOpen,
    StoppedLater,
    Recovered { rows_are_as_written: bool },
}

/// Opens the file and uses all of it; makes sure of the sentences on the way.
fn try_out(bytes: &[u8]) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE_NAME), bytes).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let tried = catch_unwind(AssertUnwindSafe(|| runtime.block_on(use_it(dir.path()))));
    tried.expect("nobody who uses the store has to catch a panic")
}

async fn use_it(dir: &Path) -> Outcome {
    let store = match EmbeddedStore::open(dir, &settings()) {
        Ok(store) => store,
        Err(error) => {
            assert!(matches!(error, OpenError::Damaged { .. } | OpenError::NotOurs { .. }), "{error}");
            assert!(error.to_string().ends_with(REMEDY), "{error}");
            return Outcome::RefusedToOpen;
        }
    };
    match read_and_write(&store).await {
        Ok(rows_are_as_written) => {
            assert_eq!(*store.broken().borrow(), None);
            Outcome::Recovered { rows_are_as_written }
        }
        Err(StoreError::Stop(sentence)) => {
            assert!(sentence.ends_with(REMEDY), "{sentence}");
            assert_eq!(store.broken().borrow().as_deref(), Some(sentence.as_str()));
            Outcome::StoppedLater
        }
        Err(StoreError::Retry(sentence)) => panic!("trying again does not mend a file: {sentence}"),
    }
}

async fn read_and_write(store: &EmbeddedStore) -> Result<bool, StoreError> {
    let is_written = |found: &Row, number: u32| (1..=3).any(|version| *found == row(number, version));
    let mut is_as_written = true;
    for number in 0..ROWS {
        let found = store.get(&key(number)).await?;
        is_as_written &= found.is_some_and(|row| is_written(&row, number));
    }
    let members: Vec<Row> = store.scan(&ScanKey::Members(StreamKey::Service)).await?.try_collect().await?;
    is_as_written &= members.len() == ROWS as usize / 3;
    store.write(rows(4)).await?;
    store.flush().await?;
    for number in 0..ROWS {
        is_as_written &= store.get(&key(number)).await? == Some(row(number, 4));
    }
    Ok(is_as_written)
}

/// Numbers that look random and are the same in every run.
fn chance(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whole_files_are_recovered() {
    for file in files().await {
        let tried = tokio::task::spawn_blocking(move || try_out(&file)).await.unwrap();
        assert_eq!(tried, Outcome::Recovered { rows_are_as_written: true });
    }
}

#[test]
fn a_file_cut_short_is_refused() {
    let files = tokio::runtime::Runtime::new().unwrap().block_on(files());
    for file in files {
        let mut chance = chance(file.len() as u64);
        let mut lengths: Vec<usize> = (0..60).map(|_| chance(file.len())).collect();
        lengths.extend([1, 8, 9, 64, 319, 320, 4_095, 4_096, 4_097, file.len() - 4_096, file.len() - 1]);
        for length in lengths {
            assert_eq!(try_out(&file[..length]), Outcome::RefusedToOpen, "cut to {length} of {}", file.len());
        }
    }
}

#[test]
fn a_torn_file_is_refused_or_used_without_a_panic() {
    let files = tokio::runtime::Runtime::new().unwrap().block_on(files());
    let mut outcomes: BTreeMap<Outcome, u32> = BTreeMap::new();
    for seed in 0..100 {
        let mut chance = chance(seed);
        let mut file = files[chance(2)].clone();
        for _ in 0..=chance(6) {
            let start = chance(file.len() / 512) * 512;
            let end = (start + 512 * (1 + chance(16))).min(file.len());
            match chance(3) {
                0 => file[start..end].fill(0),
                1 => file[start..end].fill_with(|| u8::try_from(chance(256)).unwrap()),
                _ => {
                    let other = chance(file.len() - (end - start));
                    file.copy_within(other..other + (end - start), start);
                }
            }
        }
        *outcomes.entry(try_out(&file)).or_default() += 1;
    }
    // Some tears hit what is needed to open, some hit rows, some hit nothing. None gives a row that was not
    // written so: each carries a checksum.
    let times = |outcome: Outcome| outcomes.get(&outcome).copied().unwrap_or_default();
    assert!(times(Outcome::RefusedToOpen) + times(Outcome::StoppedLater) > 10, "{outcomes:?}");
    assert!(times(Outcome::Recovered { rows_are_as_written: true }) > 10, "{outcomes:?}");
    assert_eq!(times(Outcome::Recovered { rows_are_as_written: false }), 0, "{outcomes:?}");
}
