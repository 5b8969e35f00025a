//! What is stored of a row, and how rows get into a transaction: per key, the greatest version stays.

use bytes::Bytes;
use domain::Version;
use redb::{Durability, ReadableTable, Table as OpenTable, WriteTransaction};

use super::table::{Table, definition};
use crate::port::Row;

/// A stored value begins with its version, big-endian; frozen.
const VERSION_BYTES: usize = 8;

/// Then comes a crc32c over key, version and value, big-endian; frozen. redb checks no checksum on reads,
/// and a number that a disk has bent must not be served.
const CHECKSUM_BYTES: usize = 4;

/// What stands before the value.
const HEAD_BYTES: usize = VERSION_BYTES + CHECKSUM_BYTES;

/// A row on its way into the file.
#[derive(Debug)]
pub(super) struct StoredRow {
    table: Table,
    key: Vec<u8>,
    version: Version,
    value: Bytes,
}

impl StoredRow {
    pub(super) fn of(row: Row, generation: u32) -> Self {
        let key = row.key.encode();
        StoredRow {
            table: Table::of(key.family, generation),
            key: key.bytes,
            version: row.version,
            value: row.value,
        }
    }

    /// What it takes in memory and in the file, about.
    pub(super) fn bytes(&self) -> usize {
        self.key.len() + HEAD_BYTES + self.value.len()
    }
}

/// Reads what is stored under `key`.
pub(super) fn decode(key: &[u8], stored: &[u8]) -> Result<(Version, Bytes), redb::Error> {
    let damaged = || redb::Error::Corrupted("a row is damaged".to_owned());
    let (version, rest) = stored.split_first_chunk::<VERSION_BYTES>().ok_or_else(damaged)?;
    let (found, value) = rest.split_first_chunk::<CHECKSUM_BYTES>().ok_or_else(damaged)?;
    if *found != checksum(key, version, value) {
        return Err(damaged());
    }
    Ok((Version::from_raw(u64::from_be_bytes(*version)), Bytes::copy_from_slice(value)))
}

fn checksum(key: &[u8], version: &[u8; VERSION_BYTES], value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let head = crc32c::crc32c_append(crc32c::crc32c(key), version);
    crc32c::crc32c_append(head, value).to_be_bytes()
}

/// Puts rows, in the order in which they were given, into one commit that skips the disk. Returns
/// whether anything changed; if not, nothing is committed.
pub(super) fn write(database: &redb::Database, mut rows: Vec<StoredRow>) -> Result<bool, redb::Error> {
    // A table can be open only once in a transaction, and keys in order touch each page once. The sort
    // keeps the given order of rows with the same key, which decides between equal versions.
    rows.sort_by(|one, other| (one.table, &one.key).cmp(&(other.table, &other.key)));
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::None).expect("no savepoint is ever made here");
    let mut is_changed = false;
    for rows in rows.chunk_by(|one, other| one.table == other.table) {
        is_changed |= write_table(&transaction, rows)?;
    }
    if is_changed {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(is_changed)
}

fn write_table(transaction: &WriteTransaction, rows: &[StoredRow]) -> Result<bool, redb::Error> {
    let name = rows[0].table.name();
    let mut table = transaction.open_table(definition(&name))?;
    let mut is_changed = false;
    for versions in rows.chunk_by(|one, other| one.key == other.key) {
        // Of equal versions the later one: `max_by_key` takes the last.
        let newest = versions.iter().max_by_key(|row| row.version).expect("a chunk has at least one row");
        is_changed |= keep_greatest(&mut table, newest)?;
    }
    Ok(is_changed)
}

/// Writes the row unless a greater version is there. An equal version writes again (design invariant 7).
fn keep_greatest(
    table: &mut OpenTable<'_, &'static [u8], &'static [u8]>,
    row: &StoredRow,
) -> Result<bool, redb::Error> {
    if let Some(stored) = table.get(row.key.as_slice())?
        && stored_version(stored.value())? > row.version
    {
        return Ok(false);
    }
    let version = row.version.as_raw().to_be_bytes();
    let checksum = checksum(&row.key, &version, &row.value);
    let mut place = table.insert_reserve(row.key.as_slice(), HEAD_BYTES + row.value.len())?;
    let (head, value) = place.as_mut().split_at_mut(HEAD_BYTES);
    head[..VERSION_BYTES].copy_from_slice(&version);
    head[VERSION_BYTES..].copy_from_slice(&checksum);
    value.copy_from_slice(&row.value);
    Ok(true)
}

/// What was written, behind version and checksum.
pub(super) fn value_of(stored: &[u8]) -> &[u8] {
    stored.get(HEAD_BYTES..).unwrap_or_default()
}

fn stored_version(stored: &[u8]) -> Result<Version, redb::Error> {
    let version = stored
        .first_chunk::<VERSION_BYTES>()
        .ok_or_else(|| redb::Error::Corrupted("a row is damaged".to_owned()))?;
    Ok(Version::from_raw(u64::from_be_bytes(*version)))
}

/// Commits everything that was written before, with two fsyncs. After a crash the file opens at this
/// moment, or a later one, without being walked through.
pub(super) fn flush(database: &redb::Database) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    Ok(transaction.commit()?)
}
