//! The writing thread: it alone changes the file, one group of waiting appends after the other.
//!
//! A dedicated thread and not the async executor, because it spends its life in `fdatasync`. It also decides
//! what is a duplicate: being alone, it has no copy "still being written" to wait for except within its own
//! group, so a copy is answered with its group, after its first is durable. Where the first cannot be written,
//! nothing can, and the copies hear of that too.

use std::{
    collections::{BTreeMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use super::{
    dedupe,
    fault::Fault,
    offsets,
    queue::{AppendReply, Group, Ready, Waiting},
    reader::Extent,
    settings::CommitStats,
    shared::Shared,
    tables::{Records, records_name},
    trim::{self, Step, Trim, Weights},
};
use crate::{
    port::{AppendError, Appended, LogError, Partition, Position, Trimmed},
    record::DedupeKey,
};

/// What only the writing thread knows.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// The offset that the next record of each partition gets.
    next: Vec<u64>,
    /// The number of the next row of dedupe keys.
    next_dedupe_row: u64,
    weights: Weights,
}

/// A group after its duplicates were sorted out.
struct Batch {
    appends: Vec<Waiting>,
    positions: Vec<Vec<Position>>,
    keys: Vec<DedupeKey>,
    /// Copies of appends of this very group.
    copies: Vec<AppendReply>,
    /// The partitions' ends once it is written.
    next: Vec<u64>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, extents: &[Extent], next_dedupe_row: u64) -> Self {
        let next = extents.iter().map(|extent| extent.end).collect();
        Writer { shared, next, next_dedupe_row, weights: Weights::new(extents) }
    }

    /// Writes until the log is closed or broken.
    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            while let Some(group) = shared.queue.take() {
                if !self.write_group(group) {
                    return;
                }
            }
        }));
        if outcome.is_err() {
            shared.fail("the log's writing thread ended by a fault of its own; start again");
        }
    }

    /// Whether the log can still be written.
    fn write_group(&mut self, group: Group) -> bool {
        let Group { appends, unsaved, trim } = group;
        let batch = self.sort_out(appends);
        let started = Instant::now();
        let saved = if batch.appends.is_empty() && unsaved.offsets.is_empty() {
            // All were duplicates, or somebody waits for offsets that the last transaction saved.
            Ok(Vec::new())
        } else {
            self.save(&batch, &unsaved.offsets)
        };
        let dropped_keys = match saved {
            Ok(dropped_keys) => dropped_keys,
            Err(fault) => {
                let reason = self.shared.write_failure(&fault);
                self.shared.fail(&reason);
                let replies = batch.appends.into_iter().map(|append| append.reply).chain(batch.copies);
                for reply in replies {
                    // Whoever stopped waiting needs no answer; the same below.
                    let _ = reply.send(Err(AppendError::Stop(reason.clone())));
                }
                for reply in unsaved.waiting {
                    let _ = reply.send(Err(LogError::Stop(reason.clone())));
                }
                if let Some(trim) = trim {
                    let _ = trim.reply.send(Err(LogError::Stop(reason)));
                }
                return false;
            }
        };
        let stats = CommitStats {
            appends: batch.appends.len(),
            records: batch.appends.iter().map(|append| append.records.len()).sum(),
            stored_bytes: stored(&batch.appends).map(|ready| ready.stored.len()).sum(),
            offsets: unsaved.offsets.len(),
            took: started.elapsed(),
            waited_longest: batch
                .appends
                .iter()
                .map(|append| append.since.elapsed())
                .max()
                .unwrap_or_default(),
        };
        self.publish(batch, &dropped_keys);
        for reply in unsaved.waiting {
            let _ = reply.send(Ok(()));
        }
        if let Some(on_commit) = &self.shared.on_commit
            && (stats.appends > 0 || stats.offsets > 0)
        {
            on_commit(stats);
        }
        trim.is_none_or(|trim| self.trim(trim))
    }

    /// One step of trimming; whether the log can still be written.
    fn trim(&mut self, trim: Trim) -> bool {
        let Trim { before, kept, reply } = trim;
        let index = before.partition.0 as usize;
        let start = self.shared.published.borrow().starts[index];
        // An empty partition would give its offsets out again.
        let until = before.offset.min(self.next[index].saturating_sub(1));
        if until <= start {
            let _ = reply.send(Ok(Step { trimmed: Trimmed::default(), is_last: true }));
            return true;
        }
        let weights = &self.weights;
        let ends = &self.next;
        let saved = self.shared.file.write(|transaction| {
            let deleted = trim::delete(transaction, before.partition.0, start..until, &kept)?;
            weights.write(transaction, ends, Some((before.partition.0, deleted.trimmed.bytes)))?;
            Ok(deleted)
        });
        match saved {
            Ok(deleted) => {
                self.weights.forget(before.partition.0, deleted.trimmed.bytes);
                self.shared.stored_bytes.store(self.weights.total(), Ordering::Relaxed);
                self.shared.publish_start(before.partition.0, deleted.start);
                let _ = reply.send(Ok(Step { trimmed: deleted.trimmed, is_last: deleted.start >= until }));
                true
            }
            Err(fault) => {
                let reason = self.shared.write_failure(&fault);
                self.shared.fail(&reason);
                let _ = reply.send(Err(LogError::Stop(reason)));
                false
            }
        }
    }

    /// Answers what is known to be durable, and gives positions to what is not.
    fn sort_out(&self, appends: Vec<Waiting>) -> Batch {
        let mut batch = Batch {
            appends: Vec::with_capacity(appends.len()),
            positions: Vec::with_capacity(appends.len()),
            keys: Vec::new(),
            copies: Vec::new(),
            next: self.next.clone(),
        };
        let mut keys = HashSet::new();
        for append in appends {
            if let Some(key) = append.key {
                if self.shared.known.contains(&key) {
                    let _ = append.reply.send(Ok(Appended::Duplicate));
                    continue;
                }
                if !keys.insert(key) {
                    batch.copies.push(append.reply);
                    continue;
                }
                batch.keys.push(key);
            }
            let positions = append.records.iter().map(|ready| {
                let next = &mut batch.next[ready.partition as usize];
                let offset = *next;
                *next += 1;
                Position { partition: Partition(ready.partition), offset }
            });
            batch.positions.push(positions.collect());
            batch.appends.push(append);
        }
        batch
    }

    /// One transaction with everything; returns the dedupe keys that it forgot.
    fn save(&self, batch: &Batch, unsaved: &[(String, u32, u64)]) -> Result<Vec<DedupeKey>, Fault> {
        let mut by_partition = BTreeMap::<u32, Vec<(u64, &Ready)>>::new();
        for (append, positions) in batch.appends.iter().zip(&batch.positions) {
            for (ready, position) in append.records.iter().zip(positions) {
                by_partition.entry(ready.partition).or_default().push((position.offset, ready));
            }
        }
        let newest = stored(&batch.appends).map(|ready| ready.record.received_at).max();
        self.shared.file.write(|transaction| {
            for (partition, records) in &by_partition {
                let name = records_name(*partition);
                let mut table = transaction.open_table(Records::new(&name))?;
                for (offset, ready) in records {
                    table.insert(offset, ready.stored.as_slice())?;
                }
            }
            if self.weights.are_due() {
                self.weights.write(transaction, &self.next, None)?;
            }
            offsets::write(transaction, unsaved)?;
            dedupe::write(transaction, self.next_dedupe_row, newest, &batch.keys)
        })
    }

    /// Shows the durable records to readers, and then tells who waits.
    fn publish(&mut self, batch: Batch, dropped_keys: &[DedupeKey]) {
        if !batch.keys.is_empty() {
            self.next_dedupe_row += 1;
        }
        self.shared.known.change(batch.keys.iter().copied(), dropped_keys);
        if !batch.appends.is_empty() {
            self.shared
                .tail
                .extend(stored(&batch.appends).map(|ready| (ready.partition, ready.record.clone())));
            if self.weights.are_due() {
                self.weights.written();
            }
            for ready in stored(&batch.appends) {
                self.weights.add(ready.partition, ready.stored.len() as u64);
            }
            self.shared.stored_bytes.store(self.weights.total(), Ordering::Relaxed);
            self.next = batch.next;
            self.shared.publish_ends(&self.next);
        }
        for (append, positions) in batch.appends.into_iter().zip(batch.positions) {
            let _ = append.reply.send(Ok(Appended::New(positions)));
        }
        for copy in batch.copies {
            let _ = copy.send(Ok(Appended::Duplicate));
        }
    }
}

fn stored(appends: &[Waiting]) -> impl Iterator<Item = &Ready> {
    appends.iter().flat_map(|append| &append.records)
}
