//! Reading records back from the file.

use redb::{ReadTransaction, ReadableTable};

use super::{
    encoding::{Damage, Stored},
    fault::Fault,
    tables::{Records, records_name},
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

/// The end of each partition, as the file has it.
pub(super) fn ends(transaction: &ReadTransaction, partitions: u32) -> Result<Vec<u64>, Fault> {
    (0..partitions)
        .map(|partition| {
            let table = transaction.open_table(Records::new(&records_name(partition)))?;
            Ok(table.last()?.map_or(0, |(offset, _)| offset.value() + 1))
        })
        .collect()
}
