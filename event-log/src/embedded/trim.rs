//! Forgetting the oldest records of a partition, in steps that each are one transaction, and what all records weigh.
//!
//! redb uses the room of what was deleted again; the file does not become smaller.

use std::ops::Range;

use redb::{ReadableTable, WriteTransaction};
use tokio::sync::oneshot;

use super::{
    encoding::Stored,
    fault::Fault,
    reader::Extent,
    tables::{self, Records, STARTS, WEIGHTS, records_name},
};
use crate::port::{LogError, Partition, Position, Trimmed};

/// So many records are forgotten at once at most, so that appends wait some milliseconds for it and no longer.
const STEP_RECORDS_MAX: usize = 512;
/// The same in bytes, for large records; the first of a step may be larger.
const STEP_BYTES_MAX: u64 = 4 << 20;
/// After so many appended bytes the weights are written: at most so much is weighed again at a start.
const WEIGHED_EVERY_BYTES: u64 = 64 << 20;

/// A step of trimming that waits for the writing thread.
pub(super) struct Trim {
    pub(super) before: Position,
    /// Kinds of records that stay.
    pub(super) kept: Vec<String>,
    pub(super) reply: oneshot::Sender<Result<Step, LogError>>,
}

/// What a step came to.
pub(super) struct Step {
    pub(super) trimmed: Trimmed,
    pub(super) is_last: bool,
}

/// What one transaction deleted.
pub(super) struct Deleted {
    pub(super) trimmed: Trimmed,
    /// Where the partition begins now.
    pub(super) start: u64,
}

/// Deletes records of a partition from the beginning of `range` on, as many as one step may, and notes where the
/// partition begins then.
pub(super) fn delete(
    transaction: &WriteTransaction,
    partition: u32,
    range: Range<u64>,
    kept: &[String],
) -> Result<Deleted, Fault> {
    tables::note_trimmed(transaction)?;
    let name = records_name(partition);
    let mut table = transaction.open_table(Records::new(&name))?;
    let mut trimmed = Trimmed::default();
    let mut deleted = Vec::new();
    let mut start = range.end;
    for (seen, row) in table.range(range)?.enumerate() {
        let (offset, stored) = row?;
        let offset = offset.value();
        if seen == STEP_RECORDS_MAX || trimmed.bytes >= STEP_BYTES_MAX {
            start = offset;
            break;
        }
        let position = Position { partition: Partition(partition), offset };
        let bytes = stored.value().len() as u64;
        let stored = Stored::parse(stored.value()).map_err(|damage| Fault::Record(position, damage))?;
        if !kept.iter().any(|kind| kind == stored.kind()) {
            deleted.push(offset);
            trimmed.records += 1;
            trimmed.bytes += bytes;
        }
    }
    for offset in deleted {
        table.remove(offset)?;
    }
    transaction.open_table(STARTS)?.insert(partition, start)?;
    Ok(Deleted { trimmed, start })
}

/// What the records of each partition take as stored.
pub(super) struct Weights {
    bytes: Vec<u64>,
    /// Appended since they were written last.
    unwritten: u64,
}

impl Weights {
    pub(super) fn new(extents: &[Extent]) -> Self {
        Weights { bytes: extents.iter().map(|extent| extent.bytes).collect(), unwritten: 0 }
    }

    pub(super) fn total(&self) -> u64 {
        self.bytes.iter().sum()
    }

    pub(super) fn add(&mut self, partition: u32, bytes: u64) {
        self.bytes[partition as usize] += bytes;
        self.unwritten += bytes;
    }

    pub(super) fn forget(&mut self, partition: u32, bytes: u64) {
        let weight = &mut self.bytes[partition as usize];
        *weight = weight.saturating_sub(bytes);
        self.written();
    }

    /// Whether so much was appended that they are to be written with the next group.
    pub(super) fn are_due(&self) -> bool {
        self.unwritten >= WEIGHED_EVERY_BYTES
    }

    pub(super) fn written(&mut self) {
        self.unwritten = 0;
    }

    /// Writes them as of the ends before this transaction, less what it deletes of a partition.
    pub(super) fn write(
        &self,
        transaction: &WriteTransaction,
        ends: &[u64],
        less: Option<(u32, u64)>,
    ) -> Result<(), Fault> {
        let mut table = transaction.open_table(WEIGHTS)?;
        for (partition, (bytes, end)) in (0..).zip(self.bytes.iter().zip(ends)) {
            let deleted = less.filter(|(of, _)| *of == partition).map_or(0, |(_, bytes)| bytes);
            table.insert(partition, (bytes.saturating_sub(deleted), *end))?;
        }
        Ok(())
    }
}
