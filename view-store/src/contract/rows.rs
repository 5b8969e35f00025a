//! Rows that the cases write, and the comparisons that several of them make.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use domain::{
    AccountId, EntityKey, Epoch, Forge, MemberSet, NeedKey, RepoId, RowKey, ScanKey, StreamKey, Version,
    ViewKey,
    key::{BUCKETS, bucket_of},
    trail::Field,
};
use futures::TryStreamExt;

use super::harness::{Outcome, ensure};
use crate::port::{Row, ViewStore};

/// The version of the record at this offset, in the first epoch.
pub(super) fn version(offset: u64) -> Version {
    Version::new(Epoch::FIRST, offset)
}

pub(super) fn row(key: &RowKey, version: Version, value: impl Into<Bytes>) -> Row {
    Row { key: key.clone(), version, value: value.into() }
}

/// A value from which its key and version can be told, so that a mixture of two writes is seen.
pub(super) fn telling_row(key: &RowKey, version: Version) -> Row {
    row(key, version, format!("{key:?} as of {version}"))
}

/// The stream of GitHub's account of this number.
pub(super) fn stream(account: u64) -> StreamKey {
    StreamKey::Account(AccountId::github(account))
}

/// One of many keys that lie together, in the order of their numbers.
pub(super) fn member(stream: StreamKey, bucket: u32) -> RowKey {
    let (set, parent) = (MemberSet::Pulls, RepoId::github(1_296_269));
    RowKey::Member { stream, set, parent, wipe: 0, bucket, id: Vec::new() }
}

/// Bytes that differ from place to place, so that a lost or swapped part is seen.
pub(super) fn pattern(length: usize, seed: u8) -> Bytes {
    // A period that no page or block size divides.
    const PERIOD: usize = 251;
    let cycle: Vec<u8> =
        (0..PERIOD).map(|at| seed.wrapping_add(u8::try_from(at).expect("under 251"))).collect();
    let mut bytes = Vec::with_capacity(length + PERIOD);
    while bytes.len() < length {
        bytes.extend_from_slice(&cycle);
    }
    bytes.truncate(length);
    Bytes::from(bytes)
}

/// Streams whose bytes are neighbours: a service's and accounts', numbers at the borders of bytes, and
/// ids of different lengths.
pub(super) fn neighbouring_streams() -> Vec<StreamKey> {
    let mut streams = vec![StreamKey::Service];
    streams.extend([0, 1, 255, 256, 257, 65_535, u64::MAX - 1, u64::MAX].map(stream));
    streams.extend(
        [0, 1, 1 << 64, (1 << 64) + 1, u128::from(u64::MAX) << 64, u128::MAX]
            .map(|uuid| StreamKey::Account(AccountId::bitbucket(uuid))),
    );
    streams
}

/// Keys of every family and kind in the streams of [`neighbouring_streams`].
pub(super) fn every_key() -> Vec<RowKey> {
    let mut keys: Vec<RowKey> = neighbouring_streams().into_iter().flat_map(keys_of_stream).collect();
    for forge in [Forge::GitHub, Forge::Bitbucket] {
        for login in ["octocat", "octocat-2", "ünï"] {
            keys.push(RowKey::Entity(StreamKey::Service, EntityKey::Login(forge, login.into())));
            keys.push(RowKey::Need(StreamKey::Service, NeedKey::Login(forge, login.into())));
            keys.push(RowKey::Alias(forge, login.into()));
        }
    }
    keys.push(RowKey::Entity(StreamKey::Service, EntityKey::Door));
    keys.push(RowKey::Epoch);
    for partition in [0, 1, 255, 256, u32::MAX] {
        keys.push(RowKey::Seen(partition));
        keys.push(RowKey::Active(partition));
        keys.extend([0, 255, 256, u32::MAX].map(|slot| RowKey::Delivery(partition, slot)));
    }
    keys
}

fn keys_of_stream(stream: StreamKey) -> Vec<RowKey> {
    let mut keys = vec![
        RowKey::Entity(stream, EntityKey::Account),
        RowKey::View(stream, ViewKey::GithubPayload),
        RowKey::View(stream, ViewKey::Account),
        RowKey::View(stream, ViewKey::RepositoryIndex),
        RowKey::Need(stream, NeedKey::Everything),
        RowKey::Need(stream, NeedKey::Profile),
        RowKey::Need(stream, NeedKey::Repositories),
        RowKey::Cursor(stream, "repositories".into()),
        RowKey::Cursor(stream, "stars of a repository".into()),
        RowKey::DeadLetter(stream, version(7)),
        RowKey::DeadLetter(stream, Version::new(Epoch(2), 0)),
    ];
    for repo in [RepoId::github(255), RepoId::github(256), RepoId::bitbucket(255)] {
        keys.extend([
            RowKey::Entity(stream, EntityKey::Repository(repo)),
            RowKey::View(stream, ViewKey::Repository(repo)),
            RowKey::Need(stream, NeedKey::Repository(repo)),
            RowKey::Need(stream, NeedKey::Commits(repo)),
            RowKey::Need(stream, NeedKey::Pulls(repo)),
            RowKey::Need(stream, NeedKey::Pull(repo, 1347)),
            RowKey::Need(stream, NeedKey::Languages(repo)),
        ]);
        for (wipe, bucket, id) in [(0, 0, vec![]), (0, 1, vec![0]), (1, 0, vec![0xff, 0])] {
            keys.push(RowKey::Member { stream, set: MemberSet::Pulls, parent: repo, wipe, bucket, id });
        }
        if let Some(account) = stream.account() {
            keys.push(RowKey::Hidden(account, Some(repo)));
            for field in [Field::Commits, Field::Languages] {
                keys.extend([0, 31].map(|slot| RowKey::Trail(account, repo, field, slot)));
            }
        }
    }
    if let Some(account) = stream.account() {
        keys.push(RowKey::RepoName(account, "hello-world".into()));
        keys.push(RowKey::RepoName(account, "hello-world-2".into()));
        keys.push(RowKey::Directory(account));
        keys.push(RowKey::Hidden(account, None));
    }
    keys
}

/// Every range that can hold one of the keys.
pub(super) fn every_range(keys: &[RowKey]) -> Vec<ScanKey> {
    let mut streams: Vec<StreamKey> = keys.iter().filter_map(RowKey::stream).collect();
    streams.sort_unstable();
    streams.dedup();
    let mut ranges = Vec::new();
    for stream in streams {
        ranges.extend([
            ScanKey::Entities(stream),
            ScanKey::Members(stream),
            ScanKey::NeedsOf(stream),
            ScanKey::Cursors(stream),
        ]);
        ranges.extend(stream.account().map(ScanKey::RepoNames));
    }
    for bucket in 0..BUCKETS {
        ranges.extend([
            ScanKey::Directory(bucket),
            ScanKey::Needs(bucket),
            ScanKey::Hidden(bucket),
            ScanKey::DeadLetters(bucket),
        ]);
    }
    let trails: BTreeSet<_> = keys.iter().filter_map(repository_of_step).collect();
    ranges.extend(trails.into_iter().map(|(account, repo)| ScanKey::Trail(account, repo)));
    let partitions: BTreeSet<u32> = keys.iter().filter_map(partition_of_delivery).collect();
    ranges.extend(partitions.into_iter().map(ScanKey::Deliveries));
    ranges
}

fn repository_of_step(key: &RowKey) -> Option<(AccountId, RepoId)> {
    match key {
        RowKey::Trail(account, repo, ..) => Some((*account, *repo)),
        _ => None,
    }
}

fn partition_of_delivery(key: &RowKey) -> Option<u32> {
    match key {
        RowKey::Delivery(partition, _) => Some(*partition),
        _ => None,
    }
}

/// Whether the range holds the key, by the meaning of both and not by their bytes.
pub(super) fn is_in(range: ScanKey, key: &RowKey) -> bool {
    let is_of = |stream: StreamKey| key.stream() == Some(stream);
    let is_in_bucket = |bucket: u8| key.stream().map(bucket_of) == Some(bucket);
    match range {
        ScanKey::Entities(stream) => matches!(key, RowKey::Entity(..)) && is_of(stream),
        ScanKey::Members(stream) => matches!(key, RowKey::Member { .. }) && is_of(stream),
        ScanKey::NeedsOf(stream) => matches!(key, RowKey::Need(..)) && is_of(stream),
        ScanKey::Cursors(stream) => matches!(key, RowKey::Cursor(..)) && is_of(stream),
        ScanKey::RepoNames(account) => {
            matches!(key, RowKey::RepoName(..)) && is_of(StreamKey::Account(account))
        }
        ScanKey::Directory(bucket) => matches!(key, RowKey::Directory(..)) && is_in_bucket(bucket),
        ScanKey::Needs(bucket) => matches!(key, RowKey::Need(..)) && is_in_bucket(bucket),
        ScanKey::Hidden(bucket) => matches!(key, RowKey::Hidden(..)) && is_in_bucket(bucket),
        ScanKey::DeadLetters(bucket) => matches!(key, RowKey::DeadLetter(..)) && is_in_bucket(bucket),
        ScanKey::Deliveries(partition) => partition_of_delivery(key) == Some(partition),
        ScanKey::Trail(account, repo) => repository_of_step(key) == Some((account, repo)),
    }
}

/// Reads a whole range and makes sure that it is in key order, each key once.
pub(super) async fn scan(store: &Arc<dyn ViewStore>, range: ScanKey) -> Outcome<Vec<Row>> {
    let rows: Vec<Row> = store.scan(&range).await?.try_collect().await?;
    for pair in rows.windows(2) {
        let (before, after) = (pair[0].key.encode(), pair[1].key.encode());
        ensure!(
            before.bytes < after.bytes,
            "the scan of {range:?} gives {:?} before {:?}",
            pair[0].key,
            pair[1].key
        );
    }
    Ok(rows)
}

/// Makes sure that a read gives exactly this row.
pub(super) async fn expect_row(store: &Arc<dyn ViewStore>, expected: &Row) -> Outcome {
    let found = store.get(&expected.key).await?;
    ensure!(
        found.as_ref() == Some(expected),
        "{} was to be read, and there is {}",
        brief(Some(expected)),
        brief(found.as_ref())
    );
    Ok(())
}

/// Makes sure that the rows of a scan are exactly these, in any order given.
pub(super) fn expect_rows(range: ScanKey, found: &[Row], expected: &[Row]) -> Outcome {
    let expected: BTreeMap<_, _> = expected.iter().map(|row| (row.key.encode().bytes, row)).collect();
    for row in found {
        let wanted = expected.get(&row.key.encode().bytes);
        ensure!(wanted.is_some(), "the scan of {range:?} gives {}, which is not in it", brief(Some(row)));
        ensure!(
            wanted == Some(&row),
            "the scan of {range:?} gives {} for {}",
            brief(Some(row)),
            brief(wanted.copied())
        );
    }
    ensure!(
        found.len() == expected.len(),
        "the scan of {range:?} gives {} rows of {}",
        found.len(),
        expected.len()
    );
    Ok(())
}

/// A row in a sentence; its value may be large.
pub(super) fn brief(row: Option<&Row>) -> String {
    const SHOWN_BYTES_MAX: usize = 80;
    match row {
        None => "no row".to_owned(),
        Some(Row { key, version, value }) => {
            let shown = String::from_utf8_lossy(&value[..value.len().min(SHOWN_BYTES_MAX)]);
            format!("{key:?} at {version} with {} bytes {shown:?}", value.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Family;

    use super::*;

    #[test]
    fn the_sample_keys_are_of_every_family_and_differ() {
        let keys = every_key();
        for family in Family::ALL {
            assert!(keys.iter().any(|key| key.family() == family), "{family:?}");
        }
        let mut encoded: Vec<_> = keys.iter().map(RowKey::encode).collect();
        encoded.sort_unstable();
        encoded.dedup();
        assert_eq!(encoded.len(), keys.len());
    }

    #[test]
    fn every_scannable_sample_key_is_in_its_ranges_and_no_other() {
        let keys = every_key();
        let ranges = every_range(&keys);
        for key in &keys {
            let holding = ranges.iter().filter(|range| is_in(**range, key)).count();
            let expected = match key.family() {
                Family::View | Family::Alias | Family::Epoch | Family::Seen | Family::Active => 0,
                // By bucket and by stream.
                Family::Need => 2,
                _ => 1,
            };
            assert_eq!(holding, expected, "{key:?}");
        }
    }
}
