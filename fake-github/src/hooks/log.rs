//! What was delivered, and what came of it.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::Bytes;

use crate::model::{HookId, Second, hook::Hook};

/// Deliveries remembered at most; older ones are forgotten, as on GitHub after three days.
const DELIVERIES_KEPT_MAX: usize = 100_000;

/// What came of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered with this status.
    Answered(u16),
    /// No answer within the time-out.
    TimedOut,
    /// No connection, or it broke.
    Unreachable,
    /// Never sent: a fault took it, it was over GitHub's 25 MB, or too many waited.
    Lost,
    /// Not sent yet.
    Pending,
}

impl Outcome {
    /// Whether GitHub calls it delivered.
    pub fn is_success(self) -> bool {
        matches!(self, Outcome::Answered(200..=299))
    }
}

/// One attempt to deliver one event to one hook.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Differs per attempt.
    pub id: u64,
    /// The same for all hooks and all attempts of an event.
    pub guid: String,
    /// The hook.
    pub hook: HookId,
    /// `X-GitHub-Event`.
    pub event: &'static str,
    /// The body's `action`.
    pub action: Option<&'static str>,
    /// When it happened (of a redelivery: when it was asked for).
    pub at: Second,
    /// What came of it.
    pub outcome: Outcome,
    /// When that was known, on the machine's clock.
    pub concluded: Option<Instant>,
    /// Whether it was asked for again.
    pub redelivery: bool,
    /// The JSON payload.
    pub payload: Bytes,
    pub(crate) to: Arc<Hook>,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    list: VecDeque<Delivery>,
    first_id: u64,
}

impl Log {
    /// Notes a delivery and gives it its id.
    pub(super) fn add(&mut self, mut delivery: Delivery) -> u64 {
        if self.list.len() == DELIVERIES_KEPT_MAX {
            self.list.pop_front();
            self.first_id += 1;
        }
        let id = self.first_id + self.list.len() as u64;
        delivery.id = id;
        self.list.push_back(delivery);
        id
    }

    pub(super) fn conclude(&mut self, id: u64, outcome: Outcome) {
        let index = id.checked_sub(self.first_id).and_then(|index| usize::try_from(index).ok());
        if let Some(delivery) = index.and_then(|index| self.list.get_mut(index)) {
            delivery.outcome = outcome;
            delivery.concluded = Some(Instant::now());
        }
    }

    /// What came of the latest attempt to deliver something to a hook.
    pub(super) fn latest(&self, hook: HookId) -> Option<Outcome> {
        let of_hook = self.list.iter().rev().filter(|delivery| delivery.hook == hook);
        of_hook.map(|delivery| delivery.outcome).find(|outcome| *outcome != Outcome::Pending)
    }

    pub(super) fn all(&self) -> Vec<Delivery> {
        self.list.iter().cloned().collect()
    }

    /// The first attempt of this event for each hook.
    pub(super) fn first_attempts(&self, guid: &str) -> Vec<Delivery> {
        let mut found: Vec<Delivery> = Vec::new();
        for delivery in self.list.iter().filter(|delivery| delivery.guid == guid) {
            if found.iter().all(|other| other.hook != delivery.hook) {
                found.push(delivery.clone());
            }
        }
        found
    }
}
