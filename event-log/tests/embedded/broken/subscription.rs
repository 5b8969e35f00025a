//! A decorator that breaks a working subscription in one chosen way.

use std::{collections::HashSet, future::pending};

use async_trait::async_trait;
use event_log::{Limit, LogError, Next, Partition, Position, Subscription, Wait};

use super::{Break, log::Memory};
use crate::sample::ALL;

pub(crate) struct BrokenSubscription {
    inner: Box<dyn Subscription>,
    how: Break,
    /// The start of the log and the group's name.
    group: (u64, String),
    memory: Memory,
    was_assigned: bool,
    sought: HashSet<Partition>,
}

impl BrokenSubscription {
    pub(crate) fn new(
        inner: Box<dyn Subscription>,
        how: Break,
        group: (u64, String),
        memory: Memory,
    ) -> Self {
        BrokenSubscription { inner, how, group, memory, was_assigned: false, sought: HashSet::new() }
    }

    /// The key under which commits are remembered in memory.
    fn remembered(&self, position: Position) -> (u64, String, Partition) {
        let group = match self.how {
            Break::SharesOffsetsAmongGroups => "all".to_owned(),
            _ => self.group.1.clone(),
        };
        (self.group.0, group, position.partition)
    }
}

#[async_trait]
impl Subscription for BrokenSubscription {
    async fn next(&mut self, limit: Limit) -> Result<Next, LogError> {
        let limit = if self.how == Break::DeliversWithoutLimits { ALL } else { limit };
        if self.how == Break::NeverWakes && self.was_assigned {
            // Looks once, and would have to be called again to look again.
            tokio::select! {
                biased;
                next = self.inner.next(limit) => return next,
                () = std::future::ready(()) => return pending().await,
            }
        }
        let mut next = self.inner.next(limit).await?;
        if self.how == Break::LosesWhatWasDropped {
            tokio::task::yield_now().await;
        }
        match &mut next {
            Next::Assigned(assignments) => {
                self.was_assigned = true;
                for assignment in assignments.iter_mut() {
                    let start = Position { partition: assignment.partition, offset: 0 };
                    match self.how {
                        Break::StartsUnknownGroupsAtZero => {
                            assignment.committed.get_or_insert(0);
                        }
                        Break::DeliversUnasked => self.inner.seek(start).await?,
                        Break::LosesCommitsAtACrash | Break::SharesOffsetsAmongGroups => {
                            let state = self.memory.state.lock().unwrap();
                            assignment.committed = state.commits.get(&self.remembered(start)).copied();
                        }
                        _ => {}
                    }
                }
            }
            Next::Records(records) if self.how == Break::ReordersDelivery => records.reverse(),
            _ => {}
        }
        Ok(next)
    }

    async fn seek(&mut self, mut from: Position) -> Result<(), LogError> {
        // The first seek of a partition works: without it nothing would ever be delivered.
        let is_first = self.sought.insert(from.partition);
        match self.how {
            Break::SkipsARecordAfterSeek if !is_first => from.offset += 1,
            Break::SeeksForwardOnly if !is_first => return Ok(()),
            _ => {}
        }
        self.inner.seek(from).await
    }

    async fn commit(&mut self, next_offsets: &[Position], wait: Wait) -> Result<(), LogError> {
        match self.how {
            Break::LosesCommits => return Ok(()),
            Break::LosesCommitsAtACrash | Break::SharesOffsetsAmongGroups => {
                let mut state = self.memory.state.lock().unwrap();
                for position in next_offsets {
                    state.commits.insert(self.remembered(*position), position.offset);
                }
                return Ok(());
            }
            Break::CommitsForwardOnly => {
                let mut state = self.memory.state.lock().unwrap();
                for position in next_offsets {
                    let newest = state.commits.entry(self.remembered(*position)).or_insert(0);
                    if position.offset < *newest {
                        return Ok(());
                    }
                    *newest = position.offset;
                }
            }
            Break::CommitsBackward => {
                for position in next_offsets {
                    self.inner.seek(*position).await?;
                }
            }
            _ => {}
        }
        self.inner.commit(next_offsets, wait).await
    }
}
