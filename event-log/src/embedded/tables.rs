//! The tables of `log.redb` and what its `log` table says about the file. Names and encodings are frozen.

use std::ops::RangeInclusive;

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use super::fault::Fault;
use crate::port::Identity;

/// How many partitions a new log gets: more than one, so that races between partitions run in every test
/// and on every laptop; few, because one process reads them all. Fixed in each file at its creation.
pub const PARTITIONS: u32 = 4;

/// What a file may say: a count outside of it is damage, not a log.
const PARTITIONS_SANE: RangeInclusive<u32> = 1..=1024;

/// The newest layout of the file as a whole that this release knows. A new file has the first one; what an older
/// release would misread counts up when it is first done.
pub(super) const FORMAT: u32 = FORMAT_TRIMMED;

/// Everything is there.
const FORMAT_WHOLE: u32 = 1;

/// Records before [`STARTS`] may be missing.
const FORMAT_TRIMMED: u32 = 2;

/// What this file is: `format` and `partitions` as 4 bytes, `incarnation` as 16, all big endian.
const LOG: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("log");
const FORMAT_KEY: &str = "format";
const INCARNATION_KEY: &str = "incarnation";
const PARTITIONS_KEY: &str = "partitions";

/// Rows of dedupe keys: one per group of appends, in the order in which they were written.
pub(super) const DEDUPE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("dedupe");

/// Group and partition → the offset to continue from.
pub(super) const OFFSETS: TableDefinition<'_, (&str, u32), u64> = TableDefinition::new("offsets");

/// Partition → the offset from which on every record is there; none where nothing was forgotten.
pub(super) const STARTS: TableDefinition<'_, u32, u64> = TableDefinition::new("starts");

/// Partition → the stored bytes of its records before an offset, and that offset. Written now and then: what is
/// appended after it is weighed at the next start.
pub(super) const WEIGHTS: TableDefinition<'_, u32, (u64, u64)> = TableDefinition::new("weights");

/// Offset → stored record, one table per partition.
pub(super) type Records<'a> = TableDefinition<'a, u64, &'static [u8]>;

/// The name of a partition's table.
pub(super) fn records_name(partition: u32) -> String {
    format!("records_{partition}")
}

/// What a file says about itself.
pub(super) enum About {
    /// It is a log that this release can use.
    Log(Identity),
    /// It is a database, and no log.
    NotALog,
    /// A later release wrote it.
    Newer { format: u32 },
}

/// Makes a new log of an empty database.
pub(super) fn create(transaction: &WriteTransaction, identity: Identity) -> Result<(), Fault> {
    let mut log = transaction.open_table(LOG)?;
    log.insert(FORMAT_KEY, FORMAT_WHOLE.to_be_bytes().as_slice())?;
    log.insert(INCARNATION_KEY, identity.incarnation.to_be_bytes().as_slice())?;
    log.insert(PARTITIONS_KEY, identity.partitions.to_be_bytes().as_slice())?;
    for partition in 0..identity.partitions {
        transaction.open_table(Records::new(&records_name(partition)))?;
    }
    transaction.open_table(DEDUPE)?;
    transaction.open_table(OFFSETS)?;
    Ok(())
}

/// Notes that records may be missing: an older release must not take that for damage.
pub(super) fn note_trimmed(transaction: &WriteTransaction) -> Result<(), Fault> {
    transaction.open_table(LOG)?.insert(FORMAT_KEY, FORMAT_TRIMMED.to_be_bytes().as_slice())?;
    Ok(())
}

/// Reads what the file says about itself.
pub(super) fn about(transaction: &ReadTransaction) -> Result<About, Fault> {
    let log = match transaction.open_table(LOG) {
        Ok(log) => log,
        Err(redb::TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Ok(About::NotALog),
    };
    let Some(format) = number(&log, FORMAT_KEY)? else { return Ok(About::NotALog) };
    let format = u32::from_be_bytes(format);
    if format > FORMAT {
        return Ok(About::Newer { format });
    }
    let (Some(incarnation), Some(partitions)) =
        (number(&log, INCARNATION_KEY)?, number(&log, PARTITIONS_KEY)?)
    else {
        return Ok(About::NotALog);
    };
    let partitions = u32::from_be_bytes(partitions);
    if !PARTITIONS_SANE.contains(&partitions) {
        return Ok(About::NotALog);
    }
    Ok(About::Log(Identity { incarnation: u128::from_be_bytes(incarnation), partitions }))
}

fn number<const BYTES: usize>(
    log: &impl ReadableTable<&'static str, &'static [u8]>,
    key: &str,
) -> Result<Option<[u8; BYTES]>, Fault> {
    Ok(log.get(key)?.and_then(|value| value.value().try_into().ok()))
}
