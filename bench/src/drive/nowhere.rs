//! A log that keeps nothing: behind it, all that is counted is the door's own.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use event_log::{
    AppendError, Appended, Bounds, EventLog, Identity, Limit, LogError, Partition, Position, Record,
    Subscription,
};

/// A log that keeps nothing.
#[derive(Default)]
pub(super) struct Nowhere {
    end: AtomicU64,
}

#[async_trait]
impl EventLog for Nowhere {
    async fn append(&self, records: Vec<Record>) -> Result<Appended, AppendError> {
        let offset = self.end.fetch_add(records.len() as u64, Ordering::Relaxed);
        let positions = (offset..).zip(&records);
        Ok(Appended::New(positions.map(|(offset, _)| Position { partition: Partition(0), offset }).collect()))
    }

    async fn subscribe(&self, _: &str) -> Result<Box<dyn Subscription>, LogError> {
        Err(LogError::Stop("nothing is kept here".to_owned()))
    }

    async fn read(&self, _: Position, _: Limit) -> Result<Vec<(Position, Record)>, LogError> {
        Ok(Vec::new())
    }

    async fn bounds(&self) -> Result<Vec<Bounds>, LogError> {
        Ok(vec![Bounds { partition: Partition(0), start: 0, end: self.end.load(Ordering::Relaxed) }])
    }

    fn identity(&self) -> Identity {
        Identity { incarnation: 0, partitions: 1 }
    }
}
