//! Which deliveries are in the log already: rows of keys in the file, all of them in memory while it is open.
//!
//! Each group of appends that has keys adds one row to the `dedupe` table, in the transaction that makes the
//! records durable, so a key is known if and only if its records are. Rows are frozen: `tag (1) ++ newest
//! received_at (8, big endian) ++ keys (16 each)`.
//!
//! A row is dropped once it is [`REMEMBERED_MS`] older than the newest record of the group that is being
//! written. "Now" is taken from records and not from a clock, so that folding the same log forgets the same
//! keys on any day; from the group alone and not from everything seen, so that one record from a clock that
//! ran ahead does not make the log forget for ever. Rows that outlive their time (no appends came) are known
//! for longer, which harms nobody.

use std::{collections::HashSet, sync::Mutex};

use domain::Millis;
use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::{fault::Fault, tables::DEDUPE};
use crate::record::DedupeKey;

/// For how long a delivery is remembered at least: 72 hours, GitHub's limit for redelivering, in
/// milliseconds of `received_at`.
pub(super) const REMEMBERED_MS: i64 = 72 * 60 * 60 * 1000;

/// How many old rows one commit drops at most. It adds one, so more than one catches up; few, so that no
/// append waits for the cleaning.
const DROPPED_PER_COMMIT_MAX: usize = 4;

const TAG: u8 = 1;
const PREFIX_BYTES: usize = 9;
const KEY_BYTES: usize = 16;

/// Every key of the file. About 40 bytes a key: 72 hours at ten deliveries a second are 2.6 million keys
/// and 100 MB.
pub(super) struct Known {
    keys: Mutex<HashSet<DedupeKey, foldhash::fast::RandomState>>,
}

impl Known {
    /// Reads all rows, and the number of the next one.
    pub(super) fn load(transaction: &ReadTransaction) -> Result<(Self, u64), Fault> {
        let mut keys = HashSet::default();
        let mut next = 0;
        for row in transaction.open_table(DEDUPE)?.iter()? {
            let (number, row) = row?;
            keys.extend(decode(row.value())?.1);
            next = number.value() + 1;
        }
        Ok((Known { keys: Mutex::new(keys) }, next))
    }

    /// Whether records with this key are durable.
    pub(super) fn contains(&self, key: &DedupeKey) -> bool {
        self.keys().contains(key)
    }

    /// Takes over what a commit changed.
    pub(super) fn change(&self, added: impl IntoIterator<Item = DedupeKey>, dropped: &[DedupeKey]) {
        let mut keys = self.keys();
        for key in dropped {
            keys.remove(key);
        }
        keys.extend(added);
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, HashSet<DedupeKey, foldhash::fast::RandomState>> {
        self.keys.lock().expect("nothing panics while it holds the keys")
    }
}

/// Adds the row of a group, drops a few old ones, and returns the keys that went with them. `newest` is
/// the newest `received_at` of the group's records, of which there may be none.
pub(super) fn write(
    transaction: &WriteTransaction,
    number: u64,
    newest: Option<Millis>,
    keys: &[DedupeKey],
) -> Result<Vec<DedupeKey>, Fault> {
    let Some(newest) = newest else { return Ok(Vec::new()) };
    let mut table = transaction.open_table(DEDUPE)?;
    if !keys.is_empty() {
        table.insert(number, encode(newest, keys).as_slice())?;
    }
    let mut dropped = Vec::new();
    for _ in 0..DROPPED_PER_COMMIT_MAX {
        let Some((oldest, received_at)) = oldest(&table)? else { break };
        if received_at >= newest.plus(-REMEMBERED_MS) {
            break;
        }
        if let Some(row) = table.remove(oldest)? {
            dropped.extend(decode(row.value())?.1);
        }
    }
    Ok(dropped)
}

fn oldest(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<Option<(u64, Millis)>, Fault> {
    let Some((number, row)) = table.first()? else { return Ok(None) };
    Ok(Some((number.value(), decode(row.value())?.0)))
}

fn encode(newest: Millis, keys: &[DedupeKey]) -> Vec<u8> {
    let mut row = Vec::with_capacity(PREFIX_BYTES + keys.len() * KEY_BYTES);
    row.push(TAG);
    row.extend_from_slice(&newest.0.to_be_bytes());
    for key in keys {
        row.extend_from_slice(&key.0);
    }
    row
}

fn decode(row: &[u8]) -> Result<(Millis, impl Iterator<Item = DedupeKey>), Fault> {
    const DAMAGED: Fault = Fault::Damaged("a row of remembered deliveries cannot be decoded");
    let (&tag, rest) = row.split_first().ok_or(DAMAGED)?;
    let (newest, keys) = rest.split_first_chunk().ok_or(DAMAGED)?;
    let (keys, []) = keys.as_chunks::<KEY_BYTES>() else { return Err(DAMAGED) };
    if tag != TAG {
        return Err(DAMAGED);
    }
    Ok((Millis(i64::from_be_bytes(*newest)), keys.iter().copied().map(DedupeKey)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_frozen() {
        let keys = [DedupeKey([1; 16]), DedupeKey([2; 16])];
        let row = encode(Millis(0x0102_0304), &keys);
        assert_eq!(
            const_hex::encode(&row),
            "0100000000010203040101010101010101010101010101010102020202020202020202020202020202"
        );
        let (newest, decoded) = decode(&row).unwrap();
        assert_eq!((newest, decoded.collect::<Vec<_>>()), (Millis(0x0102_0304), keys.to_vec()));
    }

    #[test]
    fn a_row_that_is_cut_or_unknown_is_damage() {
        let row = encode(Millis(1), &[DedupeKey([1; 16])]);
        assert!(decode(&row[..row.len() - 1]).is_err());
        assert!(decode(&row[..4]).is_err());
        assert!(decode(&[]).is_err());
        assert!(decode(&[&[2], &row[1..]].concat()).is_err());
    }
}
