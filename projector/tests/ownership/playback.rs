//! A recorded log, read by one owner of its partitions. What the group committed is shared by all owners; a
//! fenced one reads on and commits nothing any more, as a member that its group has given up.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use event_log::{
    AppendError, Appended, Assignment, Bounds, EventLog, Identity, Limit, LogError, Next, Partition,
    Position, Record, Subscription, Wait,
};

use crate::recorded::Recorded;

/// Offsets that the group committed.
pub(crate) type Committed = Arc<Mutex<BTreeMap<Partition, u64>>>;

/// The log as one owner sees it.
#[derive(Clone)]
pub(crate) struct Playback {
    pub(crate) log: Recorded,
    pub(crate) committed: Committed,
    pub(crate) is_fenced: Arc<AtomicBool>,
    /// Whether records count as folded as soon as they are read, which is wrong.
    pub(crate) commits_early: bool,
}

struct Reading {
    playback: Playback,
    is_assigned: bool,
    next: BTreeMap<Partition, u64>,
}

#[async_trait]
impl EventLog for Playback {
    async fn append(&self, _: Vec<Record>) -> Result<Appended, AppendError> {
        Err(AppendError::Stop("a recorded log takes nothing more".to_owned()))
    }

    async fn subscribe(&self, _: &str) -> Result<Box<dyn Subscription>, LogError> {
        Ok(Box::new(Reading { playback: self.clone(), is_assigned: false, next: BTreeMap::new() }))
    }

    async fn read(&self, from: Position, limit: Limit) -> Result<Vec<(Position, Record)>, LogError> {
        Ok(self.log.from(from, limit.records_max))
    }

    async fn bounds(&self) -> Result<Vec<Bounds>, LogError> {
        Ok(self.log.bounds())
    }

    fn identity(&self) -> Identity {
        self.log.identity()
    }
}

impl Reading {
    fn commit_all(&self, positions: &[Position]) -> Result<(), LogError> {
        if self.playback.is_fenced.load(Ordering::Relaxed) {
            return Err(LogError::Retry("another member owns these partitions".to_owned()));
        }
        let mut committed = self.playback.committed.lock().unwrap();
        committed.extend(positions.iter().map(|position| (position.partition, position.offset)));
        Ok(())
    }
}

#[async_trait]
impl Subscription for Reading {
    async fn next(&mut self, limit: Limit) -> Result<Next, LogError> {
        if !self.is_assigned {
            self.is_assigned = true;
            let committed = self.playback.committed.lock().unwrap();
            let assign = |bounds: Bounds| Assignment {
                partition: bounds.partition,
                committed: committed.get(&bounds.partition).copied(),
            };
            return Ok(Next::Assigned(self.playback.log.bounds().into_iter().map(assign).collect()));
        }
        for (partition, next) in &mut self.next {
            let records =
                self.playback.log.from(Position { partition: *partition, offset: *next }, limit.records_max);
            let Some((last, _)) = records.last() else { continue };
            *next = last.offset + 1;
            let end = Position { offset: last.offset + 1, ..*last };
            if self.playback.commits_early {
                // Whoever is fenced cannot.
                let _ = self.commit_all(&[end]);
            }
            return Ok(Next::Records(records));
        }
        std::future::pending().await
    }

    async fn seek(&mut self, from: Position) -> Result<(), LogError> {
        self.next.insert(from.partition, from.offset);
        Ok(())
    }

    async fn commit(&mut self, next_offsets: &[Position], _: Wait) -> Result<(), LogError> {
        self.commit_all(next_offsets)
    }
}
