//! What the handle, its subscriptions and the writing thread share.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, atomic::AtomicU64},
};

use redb::ReadTransaction;
use tokio::sync::watch;

use super::{
    dedupe::Known, fault::Fault, file::LogFile, queue::Queue, reader, settings::CommitStats, tail::Tail,
};
use crate::{
    limit::Allowance,
    port::{Identity, Limit, LogError, Partition, Position},
    record::Record,
};

/// What every follower of the log is told.
#[derive(Clone)]
pub(super) struct Published {
    /// The start of each partition: everything from it on is there.
    pub(super) starts: Arc<[u64]>,
    /// The end of each partition: everything before it is durable.
    pub(super) ends: Arc<[u64]>,
    /// Why nothing more will come.
    pub(super) stopped: Option<Arc<str>>,
}

pub(super) struct Shared {
    pub(super) file: LogFile,
    pub(super) identity: Identity,
    pub(super) queue: Arc<Queue>,
    pub(super) known: Known,
    pub(super) tail: Tail,
    pub(super) published: watch::Sender<Published>,
    /// What all records take as stored.
    pub(super) stored_bytes: AtomicU64,
    pub(super) broken: watch::Sender<Option<String>>,
    /// The groups that have a member, which owns all partitions.
    pub(super) groups: Mutex<HashSet<String>>,
    pub(super) on_commit: Option<Arc<dyn Fn(CommitStats) + Send + Sync>>,
}

impl Shared {
    pub(super) fn publish_ends(&self, ends: &[u64]) {
        self.published.send_modify(|published| published.ends = ends.into());
    }

    pub(super) fn publish_start(&self, partition: u32, start: u64) {
        self.published.send_modify(|published| {
            let mut starts = published.starts.to_vec();
            starts[partition as usize] = start;
            published.starts = starts.into();
        });
    }

    /// Refuses what is past retention.
    pub(super) fn check_start(&self, at: Position) -> Result<(), LogError> {
        let start = self.published.borrow().starts[at.partition.0 as usize];
        if at.offset < start { Err(LogError::Gone { at, start }) } else { Ok(()) }
    }

    /// Ends all use of the log: every waiting and later call answers with `reason`.
    pub(super) fn fail(&self, reason: &str) {
        self.queue.fail(reason);
        self.stop_followers(reason);
        self.broken.send_replace(Some(reason.to_owned()));
    }

    /// Tells followers that nothing more comes.
    pub(super) fn stop_followers(&self, reason: &str) {
        self.published.send_modify(|published| {
            published.stopped.get_or_insert_with(|| reason.into());
        });
    }

    /// The sentence for a failed write.
    pub(super) fn write_failure(&self, fault: &Fault) -> String {
        format!(
            "{} could not be written ({fault}); free space or mend the disk, then start again",
            self.file.place()
        )
    }

    fn read_failure(&self, fault: &Fault) -> LogError {
        LogError::Stop(match fault {
            Fault::Closed => fault.to_string(),
            _ => format!(
                "{} could not be read ({fault}); mend the disk or restore the file from a backup",
                self.file.place()
            ),
        })
    }

    /// Reads records of `from.partition` in `from.offset..end`.
    ///
    /// What is not in the tail is read on a thread for blocking work: a batch is as large as the caller's
    /// limit, and a page that is not cached costs a disk access, so nothing of it may run on the executor.
    pub(super) async fn read(
        self: &Arc<Self>,
        from: Position,
        end: u64,
        limit: Limit,
    ) -> Result<Vec<(Position, Record)>, LogError> {
        let mut allowance = Allowance::new(limit);
        if let Some(records) = self.tail.read(from.partition.0, from.offset, end, &mut allowance) {
            return Ok(at_positions(from, records));
        }
        let shared = self.clone();
        tokio::task::spawn_blocking(move || shared.read_file(from, end, limit))
            .await
            .map_err(|error| LogError::Retry(format!("reading was interrupted: {error}")))?
    }

    fn read_file(&self, from: Position, end: u64, limit: Limit) -> Result<Vec<(Position, Record)>, LogError> {
        let read =
            self.file.read(|transaction: &ReadTransaction| reader::records(transaction, from, end, limit));
        read.or_else(|fault| {
            // It may have been forgotten since its start was looked at.
            self.check_start(from)?;
            Err(self.read_failure(&fault))
        })
    }

    /// Reads what trimming kept of a partition, from an offset on.
    pub(super) async fn read_kept(
        self: &Arc<Self>,
        from: Position,
        limit: Limit,
    ) -> Result<Vec<(Position, Record)>, LogError> {
        let shared = self.clone();
        let start = self.published.borrow().starts[from.partition.0 as usize];
        let read = move || {
            let read = shared.file.read(|transaction| reader::kept(transaction, from, start, limit));
            read.map_err(|fault| shared.read_failure(&fault))
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| LogError::Retry(format!("reading was interrupted: {error}")))?
    }

    /// Refuses a partition that the log does not have.
    pub(super) fn check_partition(&self, partition: Partition) -> Result<(), LogError> {
        if partition.0 < self.identity.partitions {
            return Ok(());
        }
        Err(LogError::Stop(format!(
            "the log has {} partitions and no partition {}",
            self.identity.partitions, partition.0
        )))
    }
}

/// Consecutive records of one partition with their positions; a copy of each, whose body is shared.
pub(super) fn at_positions(from: Position, records: Vec<Arc<Record>>) -> Vec<(Position, Record)> {
    (from.offset..)
        .zip(records)
        .map(|(offset, record)| (Position { offset, ..from }, Record::clone(&record)))
        .collect()
}
