//! The caller's side of a member of a group.

use std::{sync::Arc, thread};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{
    address::KafkaAddress,
    client::{self, Voice},
    context::Context,
    member::Member,
    settings::KafkaLogSettings,
    shared::Shared,
    topic::client_reason,
};
use crate::port::{Limit, LogError, Next, Position, Subscription, Wait};

/// A member of a group. Dropping it makes its last commits and leaves the group, on a thread of its own; see
/// [`KafkaLog::close`](super::KafkaLog::close) for who wants to wait for that.
pub(super) struct KafkaSubscription {
    shared: Arc<Shared>,
}

impl KafkaSubscription {
    /// Joins. `members` counts those that have not left yet.
    pub(super) fn join(
        address: &KafkaAddress,
        settings: &KafkaLogSettings,
        group: &str,
        partitions: u32,
        members: &watch::Sender<usize>,
    ) -> Result<Self, LogError> {
        let group = client::group_id(address, group);
        let shared = Arc::new(Shared::new());
        let config = client::member_config(address, settings, &group);
        let context = Context::new(Voice::new("member", settings), &group);
        let member =
            Member::join(&config, context, shared.clone(), address.topic(), partitions).map_err(|error| {
                LogError::Stop(format!("group {group} cannot be joined: {}", client_reason(&error)))
            })?;
        let counted = Counted::new(members);
        let committer = member.committer();
        let subscription = KafkaSubscription { shared };
        start("event-log-member", move || {
            member.run();
            drop(counted);
        })?;
        start("event-log-commit", move || committer.run())?;
        Ok(subscription)
    }
}

#[async_trait]
impl Subscription for KafkaSubscription {
    async fn next(&mut self, limit: Limit) -> Result<Next, LogError> {
        loop {
            let ready = self.shared.ready.notified();
            let next = self.shared.lock().next(limit);
            self.shared.wake_thread();
            match next {
                Some(next) => return next,
                None => ready.await,
            }
        }
    }

    async fn seek(&mut self, from: Position) -> Result<(), LogError> {
        self.shared.lock().seek(from)
    }

    async fn commit(&mut self, next_offsets: &[Position], wait: Wait) -> Result<(), LogError> {
        let confirmation = self.shared.lock().commit(next_offsets, wait)?;
        self.shared.wake_commits();
        match confirmation {
            None => Ok(()),
            Some(confirmation) => confirmation.await.unwrap_or_else(|_| {
                Err(LogError::Stop("the log's thread ended by a fault of its own".to_owned()))
            }),
        }
    }
}

impl Drop for KafkaSubscription {
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.shared.wake_thread();
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), LogError> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map(drop).map_err(|error| LogError::Retry(format!("no thread to follow the log: {error}")))
}

/// One more member, until it is dropped.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(members: &watch::Sender<usize>) -> Self {
        members.send_modify(|count| *count += 1);
        Counted(members.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
