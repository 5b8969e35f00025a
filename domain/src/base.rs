//! A base: the rows of one partition of the log as records of that partition, from which rows are built anew where
//! the records that they were folded from are gone.
//!
//! It lies between a beginning, which names the first record that must be folded on top of it, and an end, which says
//! how much it is. Rows of an account are records of the account's own stream. Each row has its own version, so that
//! what was folded while they were read is not folded into them again (design invariant 7). What is derived from other
//! rows of an account (its views, the directory, what is hidden) is not part of it, but made anew.
//!
//! Encodings here are frozen.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    id::{AccountId, Forge, StreamKey},
    key::{Family, RowKey, ScanKey, ViewKey},
    row::Row,
    version::Version,
    view::body,
};

const BEGIN_TAG: u8 = 55;
const ROWS_TAG: u8 = 56;
const END_TAG: u8 = 57;

/// A record of a base holds no more rows once they have so many bytes: small beside what a log takes at once.
pub const PART_BYTES_MAX: usize = 256 * 1024;

/// Where a base begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// Tells its records from those of another one.
    pub id: u128,
    /// The first record that must be folded on top of it: everything before was folded and durable when its rows were
    /// read.
    pub from: Version,
    /// Whether the log does not hold everything before that, so that rows cannot be built without this base, or a
    /// later one.
    pub is_needed: bool,
}

/// Rows of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Of which base.
    pub id: u128,
    /// Counted from 0.
    pub number: u32,
    /// The rows.
    pub rows: Vec<Row>,
}

/// Where a base ends: it is whole if all of this is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Of which base.
    pub id: u128,
    /// How many records of rows it has.
    pub parts: u32,
    /// The sum of the hashes of their bodies.
    pub checksum: u64,
}

/// A record of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The first.
    Begin(Begin),
    /// In between.
    Rows(Rows),
    /// The last.
    End(End),
}

#[derive(Serialize, Deserialize)]
struct StoredRow<'a> {
    family: u8,
    #[serde(borrow)]
    key: &'a [u8],
    version: Version,
    value: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct StoredRows<'a> {
    id: u128,
    number: u32,
    #[serde(borrow)]
    rows: Vec<StoredRow<'a>>,
}

/// The number of a family whose rows are part of a base; `None` for those that are not. Views are so only where the
/// service's are meant: an account's are rendered from its other rows.
fn number_of(family: Family) -> Option<u8> {
    match family {
        Family::Entity => Some(0),
        Family::Member => Some(1),
        Family::View => Some(2),
        Family::RepoName => Some(3),
        Family::Need => Some(4),
        Family::Cursor => Some(5),
        Family::DeadLetter => Some(6),
        Family::Alias => Some(7),
        Family::Trail => Some(8),
        // Derived from an account's entities when these are loaded.
        Family::Directory | Family::Hidden => None,
        // Of this log and this store; and when what was received long ago was applied is told by nobody.
        Family::Epoch | Family::Seen | Family::Active | Family::Delivery => None,
    }
}

/// The ranges of a stream's rows that a base holds.
pub fn ranges(stream: StreamKey) -> Vec<ScanKey> {
    // Entities first: what is decided for a whole account is then never newer than what it was decided about.
    let mut ranges = vec![ScanKey::Entities(stream)];
    if let StreamKey::Account(account) = stream {
        ranges.extend([ScanKey::Members(stream), ScanKey::RepoNames(account)]);
    }
    ranges.extend([ScanKey::NeedsOf(stream), ScanKey::Cursors(stream)]);
    ranges
}

/// Rows of a stream that a base holds beside its ranges.
pub fn single_rows(stream: StreamKey) -> Vec<RowKey> {
    match stream {
        StreamKey::Service => vec![RowKey::View(stream, ViewKey::Latest(Forge::GitHub))],
        StreamKey::Account(_) => Vec::new(),
    }
}

/// The stream of a base's first and last record: one that is in the partition, and no account's.
pub fn carrier(is_there: impl Fn(StreamKey) -> bool) -> StreamKey {
    // Forges count from 1 and are not near the end.
    let mut streams = (0..=u64::MAX).rev().map(|id| StreamKey::Account(AccountId::github(id)));
    streams.find(|stream| is_there(*stream)).unwrap_or(StreamKey::Service)
}

impl Part {
    /// Reads a record's body.
    ///
    /// # Errors
    /// When it is none, or was written by a newer release.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        match body.first() {
            Some(&BEGIN_TAG) => codec::decode(BEGIN_TAG, body).map(Part::Begin),
            Some(&END_TAG) => codec::decode(END_TAG, body).map(Part::End),
            Some(&ROWS_TAG) => decode_rows(body).map(Part::Rows),
            Some(&other) => Err(DecodeError::Tag(other)),
            None => Err(DecodeError::Damaged),
        }
    }
}

fn decode_rows(body: &[u8]) -> Result<Rows, DecodeError> {
    let stored: StoredRows<'_> = postcard::from_bytes(&body[1..]).map_err(|_| DecodeError::Damaged)?;
    let families = |number: u8| Family::ALL.into_iter().find(|family| number_of(*family) == Some(number));
    let rows = stored.rows.into_iter().map(|row| {
        let family = families(row.family).ok_or(DecodeError::Tag(row.family))?;
        let key = RowKey::decode(family, row.key).ok_or(DecodeError::Damaged)?;
        Ok(Row { key, version: row.version, value: Bytes::copy_from_slice(row.value) })
    });
    Ok(Rows { id: stored.id, number: stored.number, rows: rows.collect::<Result<_, _>>()? })
}

impl Rows {
    /// The body of the record.
    pub fn encode(&self) -> Vec<u8> {
        let keys: Vec<_> = self.rows.iter().map(|row| row.key.encode()).collect();
        let stored = self.rows.iter().zip(&keys).filter_map(|(row, key)| {
            let family = number_of(key.family)?;
            Some(StoredRow { family, key: &key.bytes, version: row.version, value: &row.value })
        });
        codec::encode(ROWS_TAG, &StoredRows { id: self.id, number: self.number, rows: stored.collect() })
    }
}

/// Cuts rows into the bodies of records.
#[derive(Debug)]
pub struct Cutter {
    id: u128,
    number: u32,
    checksum: u64,
    rows: Vec<Row>,
    bytes: usize,
}

impl Cutter {
    /// A new base, and the body of its first record.
    pub fn begin(begin: Begin) -> (Self, Vec<u8>) {
        let cutter = Cutter { id: begin.id, number: 0, checksum: 0, rows: Vec::new(), bytes: 0 };
        (cutter, codec::encode(BEGIN_TAG, &begin))
    }

    /// Takes a row; gives a body once there is enough for one. Rows of families that are not part of a base are left
    /// out.
    pub fn take(&mut self, row: Row) -> Option<Vec<u8>> {
        number_of(row.key.family())?;
        self.bytes += row.value.len();
        self.rows.push(row);
        if self.bytes < PART_BYTES_MAX { None } else { self.cut() }
    }

    /// The body of the rows that are left; what comes next is of another stream.
    pub fn cut(&mut self) -> Option<Vec<u8>> {
        if self.rows.is_empty() {
            return None;
        }
        let rows = std::mem::take(&mut self.rows);
        let body = Rows { id: self.id, number: self.number, rows }.encode();
        self.bytes = 0;
        self.number += 1;
        self.checksum = self.checksum.wrapping_add(body::hash(&body));
        Some(body)
    }

    /// The body of the last record.
    pub fn end(&self) -> Vec<u8> {
        codec::encode(END_TAG, &End { id: self.id, parts: self.number, checksum: self.checksum })
    }
}

/// A whole base in a partition of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What its beginning says.
    pub begin: Begin,
    /// The offset of its first record.
    pub first: u64,
    /// The offset of its last record.
    pub last: u64,
    /// The size of its bodies.
    pub bytes: u64,
}

/// Looks for whole bases among the records of a partition.
#[derive(Debug, Default)]
pub struct Finder {
    open: BTreeMap<u128, Open>,
    found: Option<Found>,
}

#[derive(Debug)]
struct Open {
    begin: Begin,
    first: u64,
    parts: BTreeSet<u32>,
    checksum: u64,
    bytes: u64,
    /// Records since its beginning whose body was erased, which may have been its own.
    erased: u64,
    /// Whether a part of one of its records was erased: then no checksum tells anything.
    is_shorter: bool,
}

impl Finder {
    /// Takes the body of the next record of the partition: of those whose label is [`crate::record::BASE`], and of any
    /// that is empty, because it was erased. `is_shorter`: a part of it was erased.
    pub fn take(&mut self, offset: u64, body: &[u8], is_shorter: bool) {
        if body.is_empty() {
            self.open.values_mut().for_each(|open| open.erased += 1);
            return;
        }
        match Part::decode(body) {
            Ok(Part::Begin(begin)) => {
                self.open.entry(begin.id).or_insert(Open::new(begin, offset));
            }
            Ok(Part::Rows(rows)) => {
                if let Some(open) = self.open.get_mut(&rows.id)
                    && open.parts.insert(rows.number)
                {
                    open.checksum = open.checksum.wrapping_add(body::hash(body));
                    open.is_shorter |= is_shorter;
                    open.bytes += body.len() as u64;
                }
            }
            Ok(Part::End(end)) => {
                if let Some(open) = self.open.remove(&end.id)
                    && open.is_whole(&end)
                {
                    let Open { begin, first, bytes, .. } = open;
                    self.found = Some(Found { begin, first, last: offset, bytes });
                }
            }
            // Of a newer release, or damaged: its base is not whole.
            Err(_) => {}
        }
    }

    /// The newest whole base so far.
    pub fn newest(&self) -> Option<Found> {
        self.found
    }
}

impl Open {
    fn new(begin: Begin, first: u64) -> Self {
        let parts = BTreeSet::new();
        Open { begin, first, parts, checksum: 0, bytes: 0, erased: 0, is_shorter: false }
    }

    fn is_whole(&self, end: &End) -> bool {
        let missing = u64::from(end.parts).checked_sub(self.parts.len() as u64);
        match missing {
            Some(0) => self.is_shorter || self.checksum == end.checksum,
            // What was erased on purpose is of an account that is to be forgotten.
            Some(missing) => missing <= self.erased,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::RepoId, key::EntityKey, version::Epoch};

    fn row(id: u64, bytes: usize) -> Row {
        let stream = StreamKey::Account(AccountId::github(7));
        let key = RowKey::Entity(stream, EntityKey::Repository(RepoId::github(id)));
        Row { key, version: Version::new(Epoch::FIRST, id), value: vec![1; bytes].into() }
    }

    fn begin(id: u128) -> Begin {
        Begin { id, from: Version::new(Epoch::FIRST, 40), is_needed: false }
    }

    /// The bodies of a base with so many rows, each of which fills a record.
    fn bodies(id: u128, rows: u64) -> Vec<Vec<u8>> {
        let (mut cutter, first) = Cutter::begin(begin(id));
        let mut bodies = vec![first];
        bodies.extend((0..rows).filter_map(|number| cutter.take(row(number, PART_BYTES_MAX))));
        bodies.push(cutter.end());
        bodies
    }

    fn found(bodies: &[Vec<u8>]) -> Option<Found> {
        let mut finder = Finder::default();
        (50..).zip(bodies).for_each(|(offset, body)| finder.take(offset, body, false));
        finder.newest()
    }

    #[test]
    fn bodies_are_frozen_and_read_back() {
        let (mut cutter, first) = Cutter::begin(begin(0x0102));
        assert_eq!(cutter.take(row(3, 2)), None);
        let alias = RowKey::Alias(Forge::GitHub, "octocat".into());
        cutter.take(Row { key: alias.clone(), version: Version::LEAST, value: vec![9].into() });
        // Rows that are made anew are left out.
        let hidden = RowKey::Hidden(AccountId::github(7), None);
        cutter.take(Row { key: hidden, version: Version::LEAST, value: vec![9].into() });
        let rows = cutter.cut().unwrap();
        let end = cutter.end();
        assert_eq!(const_hex::encode(&first), "378202a8808080802000");
        assert_eq!(
            const_hex::encode(&rows),
            "38820200020013010000000000000007010100000000000000038380808080200201010708016f63746f636174010109"
        );
        assert_eq!(const_hex::encode(&end[..4]), "39820201");
        assert_eq!(Part::decode(&first).unwrap(), Part::Begin(begin(0x0102)));
        let Part::Rows(read) = Part::decode(&rows).unwrap() else { panic!("rows are rows") };
        assert_eq!((read.number, &read.rows[0], &read.rows[1].key), (0, &row(3, 2), &alias));
        assert!(matches!(Part::decode(&end), Ok(Part::End(End { parts: 1, .. }))));
    }

    #[test]
    fn only_a_whole_base_is_found_and_the_newest_of_them() {
        let whole = bodies(1, 3);
        assert_eq!(found(&whole).map(|found| (found.first, found.last)), Some((50, 54)));
        for missing in 0..whole.len() {
            let mut cut = whole.clone();
            cut.remove(missing);
            assert_eq!(found(&cut), None, "without its record {missing}");
        }
        // A record that landed twice is one.
        let mut doubled = whole.clone();
        doubled.insert(2, whole[2].clone());
        assert!(found(&doubled).is_some());
        let mut changed = whole.clone();
        changed[2] = bodies(1, 4)[4].clone();
        assert_eq!(found(&changed), None, "another record in the place of one");
        let both = [whole, bodies(2, 1), bodies(3, 2)[..3].to_vec()].concat();
        assert_eq!(found(&both).map(|found| found.begin.id), Some(2), "the third has no end");
    }

    #[test]
    fn erased_records_leave_a_base_whole() {
        let mut erased = bodies(1, 3);
        erased[2].clear();
        assert!(found(&erased).is_some());
        erased.remove(1);
        assert_eq!(found(&erased), None, "two are missing, of which one was erased");
    }

    #[test]
    fn a_record_of_which_a_part_was_erased_leaves_a_base_whole() {
        let mut bodies = bodies(1, 3);
        let Ok(Part::Rows(mut rows)) = Part::decode(&bodies[2]) else { panic!("rows are rows") };
        rows.rows.clear();
        bodies[2] = rows.encode();
        assert_eq!(found(&bodies), None, "nothing says that it was erased");
        let mut finder = Finder::default();
        (0..).zip(&bodies).for_each(|(place, body)| finder.take(50 + place, body, place == 2));
        assert!(finder.newest().is_some());
    }

    #[test]
    fn a_carrier_is_in_its_partition_and_no_account() {
        for partitions in [1, 4, 12, 1024] {
            for partition in 0..partitions {
                let stream = carrier(|stream| stream.stable_hash() % partitions == partition);
                assert_eq!(stream.stable_hash() % partitions, partition);
                let id = stream.account().and_then(AccountId::as_github);
                assert!(id.is_some_and(|id| id > u64::MAX - 100_000), "{id:?}");
            }
        }
    }
}
