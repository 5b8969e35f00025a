//! A log between a test and the log below it: appends pass through the test's hands, and commits under its eyes.

use std::sync::Arc;

use async_trait::async_trait;
use event_log::{
    AppendError, Appended, Bounds, EventLog, Identity, Limit, LogError, Next, Position, Record, Subscription,
    Wait,
};

/// What a test does with what passes.
#[async_trait]
pub trait Watcher: Send + Sync + 'static {
    /// Stands for an append to `log`, which goes through unless the test has other ideas.
    async fn append(&self, log: &dyn EventLog, records: Vec<Record>) -> Result<Appended, AppendError> {
        log.append(records).await
    }

    /// Hears of a commit just before it is made.
    fn commits(&self, _next_offsets: &[Position]) {}
}

/// A log that is watched.
pub struct WatchedLog<W> {
    log: Arc<dyn EventLog>,
    /// Whose hands appends pass through.
    pub watcher: Arc<W>,
}

impl<W: Watcher> WatchedLog<W> {
    /// Over a log.
    pub fn over(log: Arc<dyn EventLog>, watcher: W) -> Self {
        WatchedLog { log, watcher: Arc::new(watcher) }
    }
}

#[async_trait]
impl<W: Watcher> EventLog for WatchedLog<W> {
    async fn append(&self, records: Vec<Record>) -> Result<Appended, AppendError> {
        self.watcher.append(&*self.log, records).await
    }

    async fn subscribe(&self, group: &str) -> Result<Box<dyn Subscription>, LogError> {
        let subscription = self.log.subscribe(group).await?;
        Ok(Box::new(WatchedSubscription { subscription, watcher: Arc::clone(&self.watcher) }))
    }

    async fn read(&self, from: Position, limit: Limit) -> Result<Vec<(Position, Record)>, LogError> {
        self.log.read(from, limit).await
    }

    async fn bounds(&self) -> Result<Vec<Bounds>, LogError> {
        self.log.bounds().await
    }

    fn identity(&self) -> Identity {
        self.log.identity()
    }
}

struct WatchedSubscription<W> {
    subscription: Box<dyn Subscription>,
    watcher: Arc<W>,
}

#[async_trait]
impl<W: Watcher> Subscription for WatchedSubscription<W> {
    async fn next(&mut self, limit: Limit) -> Result<Next, LogError> {
        self.subscription.next(limit).await
    }

    async fn seek(&mut self, from: Position) -> Result<(), LogError> {
        self.subscription.seek(from).await
    }

    async fn commit(&mut self, next_offsets: &[Position], wait: Wait) -> Result<(), LogError> {
        self.watcher.commits(next_offsets);
        self.subscription.commit(next_offsets, wait).await
    }
}
