//! Following a log as a group does.

use super::{Failure, ensure};
use crate::{
    port::{Assignment, EventLog, Limit, Next, Position, Subscription},
    record::Record,
};

/// A member of a group that has all partitions.
pub(super) struct Follower {
    pub(super) subscription: Box<dyn Subscription>,
    /// In partition order.
    pub(super) assignments: Vec<Assignment>,
}

impl Follower {
    /// Joins `group` and waits until it has every partition; nothing is delivered yet.
    pub(super) async fn join(log: &dyn EventLog, group: &str) -> Result<Self, Failure> {
        let mut subscription = log.subscribe(group).await?;
        let mut assignments = Vec::<Assignment>::new();
        while assignments.len() < log.identity().partitions as usize {
            match subscription.next(Limit { records_max: 1, bytes_max: 1 }).await? {
                Next::Assigned(assigned) => assignments.extend(assigned),
                other => return Err(Failure(format!("{other:?} came before the partitions were given"))),
            }
        }
        assignments.sort_by_key(|assignment| assignment.partition);
        Ok(Follower { subscription, assignments })
    }

    /// Joins `group` and goes on where it committed, or at the start.
    pub(super) async fn resume(log: &dyn EventLog, group: &str) -> Result<Self, Failure> {
        let mut follower = Self::join(log, group).await?;
        for assignment in follower.assignments.clone() {
            let offset = assignment.committed.unwrap_or(0);
            follower.subscription.seek(Position { partition: assignment.partition, offset }).await?;
        }
        Ok(follower)
    }

    /// The next batch; only records are expected.
    pub(super) async fn batch(&mut self, limit: Limit) -> Result<Vec<(Position, Record)>, Failure> {
        match self.subscription.next(limit).await? {
            Next::Records(records) => {
                ensure!(!records.is_empty(), "next returned without a record");
                Ok(records)
            }
            other => Err(Failure(format!("{other:?} came where records were due"))),
        }
    }

    /// Batches until there are at least `count` records.
    pub(super) async fn take(
        &mut self,
        count: usize,
        limit: Limit,
    ) -> Result<Vec<(Position, Record)>, Failure> {
        let mut records = Vec::new();
        while records.len() < count {
            records.extend(self.batch(limit).await?);
        }
        Ok(records)
    }

    /// What the group has committed, in partition order.
    pub(super) fn committed(&self) -> Vec<Option<u64>> {
        self.assignments.iter().map(|assignment| assignment.committed).collect()
    }
}

/// The positions to continue from after these records, one per partition.
pub(super) fn after(records: &[(Position, Record)]) -> Vec<Position> {
    let mut next = std::collections::BTreeMap::new();
    for (position, _) in records {
        let offset = next.entry(position.partition).or_insert(0);
        *offset = (*offset).max(position.offset + 1);
    }
    next.into_iter().map(|(partition, offset)| Position { partition, offset }).collect()
}
