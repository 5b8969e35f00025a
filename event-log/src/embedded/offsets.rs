//! How far each group got: the committed offsets, and which of them the file does not have yet.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use redb::{ReadTransaction, ReadableTable, WriteTransaction};
use tokio::sync::oneshot;

use super::{fault::Fault, tables::OFFSETS};
use crate::port::LogError;

/// How long a commit that nobody waits for may ride without an append to ride along with.
pub(super) const SAVED_WITHIN: Duration = Duration::from_secs(1);

/// Whoever waits for a durable commit hears from it here.
pub(super) type CommitReply = oneshot::Sender<Result<(), LogError>>;

/// The offset to continue from, per group and partition.
#[derive(Default)]
pub(super) struct Offsets {
    committed: HashMap<String, HashMap<u32, u64>>,
    unsaved: BTreeSet<(String, u32)>,
    /// When the oldest unsaved one was committed.
    unsaved_since: Option<Instant>,
    waiting: Vec<CommitReply>,
}

/// What the next transaction has to save.
#[derive(Default)]
pub(super) struct Unsaved {
    pub(super) offsets: Vec<(String, u32, u64)>,
    pub(super) waiting: Vec<CommitReply>,
}

impl Offsets {
    pub(super) fn load(transaction: &ReadTransaction) -> Result<Self, Fault> {
        let mut offsets = Offsets::default();
        for row in transaction.open_table(OFFSETS)?.iter()? {
            let (key, offset) = row?;
            let (group, partition) = key.value();
            offsets.committed.entry(group.to_owned()).or_default().insert(partition, offset.value());
        }
        Ok(offsets)
    }

    pub(super) fn committed(&self, group: &str, partition: u32) -> Option<u64> {
        self.committed.get(group)?.get(&partition).copied()
    }

    /// Commits offsets; `reply` asks for the next transaction to come at once.
    pub(super) fn commit(
        &mut self,
        group: &str,
        offsets: &[(u32, u64)],
        reply: Option<CommitReply>,
        now: Instant,
    ) {
        let committed = self.committed.entry(group.to_owned()).or_default();
        for &(partition, offset) in offsets {
            if committed.insert(partition, offset) != Some(offset) {
                self.unsaved.insert((group.to_owned(), partition));
                self.unsaved_since.get_or_insert(now);
            }
        }
        self.waiting.extend(reply);
    }

    /// Whether somebody waits for the next transaction.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When they must be saved although no append comes; `None` when there is nothing to save.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.waiting.is_empty() {
            self.unsaved_since.map(|since| since + SAVED_WITHIN)
        } else {
            Some(self.unsaved_since.unwrap_or_else(Instant::now))
        }
    }

    /// Hands over what is to be saved. The writer saves it in order, so a later commit never ends up under
    /// an earlier one.
    pub(super) fn take_unsaved(&mut self) -> Unsaved {
        self.unsaved_since = None;
        let unsaved = std::mem::take(&mut self.unsaved);
        let offsets = unsaved
            .into_iter()
            .filter_map(|(group, partition)| {
                let offset = self.committed(&group, partition)?;
                Some((group, partition, offset))
            })
            .collect();
        Unsaved { offsets, waiting: std::mem::take(&mut self.waiting) }
    }
}

/// Writes offsets as part of a transaction.
pub(super) fn write(transaction: &WriteTransaction, offsets: &[(String, u32, u64)]) -> Result<(), Fault> {
    if offsets.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(OFFSETS)?;
    for (group, partition, offset) in offsets {
        table.insert((group.as_str(), *partition), *offset)?;
    }
    Ok(())
}
