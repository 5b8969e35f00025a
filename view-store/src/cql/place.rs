//! Where a row lies: the frozen bytes of its key, cut into the two columns of its table.
//!
//! A range of the port is one partition, or a part of one. Partitions stay small by what the domain puts into
//! them: the families that are scanned as a whole lie in 64 buckets, an account's entities and sets are some
//! hundred bytes a repository, and a view, the one large thing, is never scanned and has its own partition.

use domain::{Family, RowKey, ScanKey, key::bytes::KeyBytes};

/// Partition of the one row whose key has no bytes; servers want some.
const EMPTY_KEY: &[u8] = &[0];
/// Above every row key: they begin with small tags or with UTF-8, which lack this byte, or are a delivery's
/// four bytes.
const ROW_KEY_END: &[u8] = &[0xff; 5];

/// Whether some range holds the family's rows.
pub(super) fn is_scanned(family: Family) -> bool {
    match family {
        Family::Entity
        | Family::Member
        | Family::RepoName
        | Family::Directory
        | Family::Need
        | Family::Hidden
        | Family::Cursor
        | Family::DeadLetter
        | Family::Delivery
        | Family::Trail => true,
        Family::View | Family::Alias | Family::Epoch | Family::Seen | Family::Active => false,
    }
}

/// The columns `partition_key` and `row_key` of a row.
pub(super) fn columns(key: &KeyBytes) -> (&[u8], &[u8]) {
    if is_scanned(key.family) {
        return key.bytes.split_at(key.split);
    }
    (if key.bytes.is_empty() { EMPTY_KEY } else { &key.bytes }, &[])
}

/// The rows of a range: one partition, and row keys from `start` up to but not including `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) family: Family,
    pub(super) partition_key: Vec<u8>,
    pub(super) start: Vec<u8>,
    pub(super) end: Vec<u8>,
}

impl Range {
    pub(super) fn of(range: &ScanKey) -> Self {
        let (family, mut partition_key) = range.encode();
        match range {
            // The beginning of the row keys of one bucket.
            ScanKey::NeedsOf(_) => {
                let start = partition_key.split_off(1);
                let end = successor(&start);
                Range { family, partition_key, start, end }
            }
            ScanKey::Entities(_)
            | ScanKey::Members(_)
            | ScanKey::RepoNames(_)
            | ScanKey::Directory(_)
            | ScanKey::Needs(_)
            | ScanKey::Hidden(_)
            | ScanKey::DeadLetters(_)
            | ScanKey::Cursors(_)
            | ScanKey::Deliveries(_)
            | ScanKey::Trail(..) => {
                Range { family, partition_key, start: Vec::new(), end: ROW_KEY_END.to_vec() }
            }
        }
    }

    /// What follows a row that was read.
    pub(super) fn after(self, row_key: &[u8]) -> Self {
        // The least key above it.
        let mut start = row_key.to_vec();
        start.push(0);
        Range { start, ..self }
    }

    /// The key of a row in this range.
    pub(super) fn key(&self, row_key: &[u8]) -> Option<RowKey> {
        RowKey::decode(self.family, &[&self.partition_key, row_key].concat())
    }
}

/// The least bytes above everything that begins with `prefix`.
fn successor(prefix: &[u8]) -> Vec<u8> {
    let kept = prefix.iter().rposition(|byte| *byte != 0xff).map_or(0, |last| last + 1);
    let mut successor = prefix[..kept].to_vec();
    match successor.last_mut() {
        Some(last) => *last += 1,
        None => successor = ROW_KEY_END.to_vec(),
    }
    successor
}

#[cfg(test)]
mod tests {
    use domain::{AccountId, NeedKey, StreamKey};

    use super::*;

    #[test]
    fn a_stream_of_a_bucket_ends_before_its_neighbour() {
        for account in [0, 1, 255, 256, u64::MAX] {
            let stream = StreamKey::Account(AccountId::github(account));
            let range = Range::of(&ScanKey::NeedsOf(stream));
            let inside = RowKey::Need(stream, NeedKey::Everything).encode();
            let (partition_key, row_key) = columns(&inside);
            assert_eq!(range.partition_key, partition_key);
            assert!(range.start.as_slice() <= row_key && row_key < range.end.as_slice(), "{account}");
            assert_eq!(range.key(row_key), Some(RowKey::Need(stream, NeedKey::Everything)));
            let neighbours = [account.checked_sub(1), account.checked_add(1)].into_iter().flatten();
            for neighbour in neighbours.map(|account| StreamKey::Account(AccountId::github(account))) {
                let outside = neighbour.to_bytes();
                assert!(outside < range.start || outside >= range.end, "{account}");
            }
        }
    }

    #[test]
    fn no_partition_key_is_empty() {
        let stream = StreamKey::Service;
        for key in [
            RowKey::Epoch,
            RowKey::Seen(0),
            RowKey::Directory(AccountId::github(0)),
            RowKey::Cursor(stream, String::new()),
        ] {
            assert!(!columns(&key.encode()).0.is_empty(), "{key:?}");
        }
    }
}
