//! The one member of a group: it owns all partitions, keeps its place in each, and waits without polling.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};

use super::shared::{Published, Shared, at_positions};
use crate::{
    limit::Allowance,
    port::{Assignment, Limit, LogError, Next, Partition, Position, Subscription, Wait},
    record::Record,
};

/// A group's member. Dropping it frees the group.
pub(super) struct EmbeddedSubscription {
    shared: Arc<Shared>,
    group: String,
    published: watch::Receiver<Published>,
    is_assigned: bool,
    /// One per partition; `None` until `seek` has said from where.
    cursors: Vec<Option<Cursor>>,
    /// The partition that is served first by the next call, so that none starves.
    turn: usize,
}

/// A place in a partition.
#[derive(Clone, Copy)]
struct Cursor {
    /// The offset that is delivered next.
    next: u64,
    /// Commits below it are out of date and ignored: the last commit, or where the last seek went.
    ///
    /// A seek back lowers it, so a rebuild that starts over at 0 can commit from there, and a crash in the
    /// middle of it resumes the rebuild. Without a seek a commit can only go forward, so one that was
    /// overtaken does no harm.
    floor: u64,
}

impl EmbeddedSubscription {
    pub(super) fn join(shared: Arc<Shared>, group: &str) -> Result<Self, LogError> {
        let is_free =
            shared.groups.lock().expect("nothing panics while it holds the groups").insert(group.to_owned());
        if !is_free {
            return Err(LogError::Stop(format!(
                "group {group:?} already follows the log in this process; an embedded log has one member per \
                 group"
            )));
        }
        let published = shared.published.subscribe();
        let cursors = vec![None; shared.identity.partitions as usize];
        Ok(EmbeddedSubscription {
            shared,
            group: group.to_owned(),
            published,
            is_assigned: false,
            cursors,
            turn: 0,
        })
    }

    fn assignments(&self) -> Vec<Assignment> {
        (0..self.shared.identity.partitions)
            .map(|partition| Assignment {
                partition: Partition(partition),
                committed: self.shared.queue.committed(&self.group, partition),
            })
            .collect()
    }

    /// Whatever lies before `ends` and was not delivered, as much as is allowed. Takes from memory what it
    /// can, partition after partition; where one is behind, it reads the file for that one alone.
    ///
    /// Nothing changes before the last await, so a caller may drop this at any time.
    async fn collect(&mut self, ends: &[u64], limit: Limit) -> Result<Vec<(Position, Record)>, LogError> {
        let mut allowance = Allowance::new(limit);
        let mut records = Vec::new();
        let mut turn = self.turn;
        for step in 0..ends.len() {
            let index = (self.turn + step) % ends.len();
            let Some(from) = self.place(index).filter(|from| from.offset < ends[index]) else { continue };
            match self.shared.tail.read(from.partition.0, from.offset, ends[index], &mut allowance) {
                // What does not fit beside the others comes first in the next call, or it never would.
                Some(newest) if newest.is_empty() => {
                    turn = index;
                    break;
                }
                Some(newest) => records.extend(at_positions(from, newest)),
                None if records.is_empty() => {
                    records = self.shared.read(from, ends[index], limit).await?;
                    turn = index + 1;
                    break;
                }
                // The same for what must be read from the file.
                None => {
                    turn = index;
                    break;
                }
            }
            turn = index + 1;
            if allowance.is_spent() {
                break;
            }
        }
        self.turn = turn % ends.len();
        for (position, _) in &records {
            if let Some(cursor) = &mut self.cursors[position.partition.0 as usize] {
                cursor.next = position.offset + 1;
            }
        }
        Ok(records)
    }

    fn place(&self, index: usize) -> Option<Position> {
        let cursor = self.cursors[index]?;
        let partition = Partition(u32::try_from(index).expect("a partition count fits u32"));
        Some(Position { partition, offset: cursor.next })
    }

    /// Keeps the offsets that go forward, and refuses what was never delivered: committing it would skip
    /// records for ever.
    fn check_commit(&mut self, next_offsets: &[Position]) -> Result<Vec<(u32, u64)>, LogError> {
        let mut accepted = Vec::with_capacity(next_offsets.len());
        for position in next_offsets {
            let group = &self.group;
            let Some(cursor) = self.cursors.get_mut(position.partition.0 as usize).and_then(Option::as_mut)
            else {
                return Err(LogError::Stop(format!(
                    "group {group:?} committed {position} without having been given that partition"
                )));
            };
            if position.offset > cursor.next {
                return Err(LogError::Stop(format!(
                    "group {group:?} committed {position} but was given records only up to {}",
                    cursor.next
                )));
            }
            if position.offset >= cursor.floor {
                cursor.floor = position.offset;
                accepted.push((position.partition.0, position.offset));
            }
        }
        Ok(accepted)
    }
}

#[async_trait]
impl Subscription for EmbeddedSubscription {
    async fn next(&mut self, limit: Limit) -> Result<Next, LogError> {
        if !self.is_assigned {
            self.is_assigned = true;
            return Ok(Next::Assigned(self.assignments()));
        }
        loop {
            let Published { ends, stopped, .. } = self.published.borrow_and_update().clone();
            if let Some(reason) = stopped {
                return Err(LogError::Stop(reason.to_string()));
            }
            let records = self.collect(&ends, limit).await?;
            if !records.is_empty() {
                return Ok(Next::Records(records));
            }
            self.published.changed().await.map_err(|_| LogError::Stop("the log was closed".to_owned()))?;
        }
    }

    async fn seek(&mut self, from: Position) -> Result<(), LogError> {
        self.shared.check_partition(from.partition)?;
        if !self.is_assigned {
            return Err(LogError::Stop(format!(
                "group {:?} was told to start at {from} before it was given that partition",
                self.group
            )));
        }
        let index = from.partition.0 as usize;
        self.shared.check_start(from)?;
        let end = self.published.borrow().ends[index];
        if from.offset > end {
            return Err(LogError::Stop(format!(
                "group {:?} was told to start at {from}, but the partition ends at {end}: the log is shorter \
                 than it was",
                self.group
            )));
        }
        self.cursors[index] = Some(Cursor { next: from.offset, floor: from.offset });
        Ok(())
    }

    async fn commit(&mut self, next_offsets: &[Position], wait: Wait) -> Result<(), LogError> {
        let offsets = self.check_commit(next_offsets)?;
        match wait {
            Wait::No => self.shared.queue.commit(&self.group, &offsets, None),
            Wait::Durable => {
                let (reply, saved) = oneshot::channel();
                self.shared.queue.commit(&self.group, &offsets, Some(reply))?;
                saved.await.unwrap_or_else(|_| {
                    Err(LogError::Stop("the log's writing thread ended by a fault of its own".to_owned()))
                })
            }
        }
    }
}

impl Drop for EmbeddedSubscription {
    fn drop(&mut self) {
        self.shared.groups.lock().expect("nothing panics while it holds the groups").remove(&self.group);
    }
}
