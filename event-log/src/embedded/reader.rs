//! Reading records back from the file.

use redb::{ReadTransaction, ReadableTable, TableDefinition};

use super::{
    encoding::{Damage, Stored},
    fault::Fault,
    tables::{Records, STARTS, WEIGHTS, records_name},
};
use crate::{
    limit::Allowance,
    port::{Limit, Position},
    record::Record,
};

/// The records of `from.partition` in `from.offset..end`, as many as `limit` allows.
pub(super) fn records(
    transaction: &ReadTransaction,
    from: Position,
    end: u64,
    limit: Limit,
) -> Result<Vec<(Position, Record)>, Fault> {
    let table = transaction.open_table(Records::new(&records_name(from.partition.0)))?;
    let mut allowance = Allowance::new(limit);
    let mut records = Vec::new();
    for (expected, row) in (from.offset..).zip(table.range(from.offset..end)?) {
        let (offset, stored) = row?;
        let position = Position { offset: offset.value(), ..from };
        if position.offset != expected {
            return Err(Fault::Damaged("records are missing in the middle of a partition"));
        }
        let damaged = |damage: Damage| Fault::Record(position, damage);
        let stored = Stored::parse(stored.value()).map_err(damaged)?;
        if !allowance.admit(stored.body_bytes()) {
            break;
        }
        records.push((position, stored.into_record().map_err(damaged)?));
        if allowance.is_spent() {
            break;
        }
    }
    if records.is_empty() && from.offset < end {
        return Err(Fault::Damaged("records that were written are gone"));
    }
    Ok(records)
}

/// Records before the start of a partition that trimming kept, in `from.offset..start`.
pub(super) fn kept(
    transaction: &ReadTransaction,
    from: Position,
    start: u64,
    limit: Limit,
) -> Result<Vec<(Position, Record)>, Fault> {
    let table = transaction.open_table(Records::new(&records_name(from.partition.0)))?;
    let mut allowance = Allowance::new(limit);
    let mut records = Vec::new();
    for row in table.range(from.offset..start.max(from.offset))? {
        let (offset, stored) = row?;
        let position = Position { offset: offset.value(), ..from };
        let damaged = |damage: Damage| Fault::Record(position, damage);
        let stored = Stored::parse(stored.value()).map_err(damaged)?;
        if !allowance.admit(stored.body_bytes()) {
            break;
        }
        records.push((position, stored.into_record().map_err(damaged)?));
    }
    Ok(records)
}

/// Where a partition begins and ends, and what its records take, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) bytes: u64,
}

/// The extent of each partition, as the file has it. What was appended since its weight was noted last is weighed.
pub(super) fn extents(transaction: &ReadTransaction, partitions: u32) -> Result<Vec<Extent>, Fault> {
    (0..partitions)
        .map(|partition| {
            let table = transaction.open_table(Records::new(&records_name(partition)))?;
            let start = noted(transaction, STARTS, partition)?.unwrap_or(0);
            let end = table.last()?.map_or(0, |(offset, _)| offset.value() + 1).max(start);
            let (mut bytes, weighed) = noted(transaction, WEIGHTS, partition)?.unwrap_or_default();
            for row in table.range(weighed.min(end)..end)? {
                bytes += row?.1.value().len() as u64;
            }
            Ok(Extent { start, end, bytes })
        })
        .collect()
}

/// A partition's row of a table that an older file does not have.
fn noted<V>(
    transaction: &ReadTransaction,
    table: TableDefinition<'_, u32, V>,
    partition: u32,
) -> Result<Option<V>, Fault>
where
    V: for<'v> redb::Value<SelfType<'v> = V> + 'static,
{
    match transaction.open_table(table) {
        Ok(table) => Ok(table.get(partition)?.map(|value| value.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
