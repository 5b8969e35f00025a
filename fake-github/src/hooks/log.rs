//! What was delivered, and what came of it.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::Bytes;

use crate::model::{HookId, RepoId, Second, hook::Hook};

/// Deliveries remembered at most; older ones are forgotten, as on GitHub after three days.
const DELIVERIES_KEPT_MAX: usize = 100_000;

/// For so long GitHub shows deliveries, and sends them again on request.
const SHOWN_SECONDS: i64 = 3 * 24 * 60 * 60;

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
    /// Whether GitHub knows of it at all: what it never tried to send is on no list.
    pub(crate) is_listed: bool,
    /// When it ended, by the forge's clock, and the how manyth it was: lists are in this order.
    pub(crate) ended: Option<(Second, u64)>,
    pub(crate) repository: Option<RepoId>,
    pub(crate) to: Arc<Hook>,
}

/// What of a hook's deliveries is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) hook: HookId,
    /// Only those that came to something, or only those that did not.
    pub(crate) success: Option<bool>,
    /// Only those that ended before the one of this number.
    pub(crate) before: Option<u64>,
    pub(crate) count_max: usize,
}

impl Delivery {
    /// Its place among those that have ended.
    pub(crate) fn number(&self) -> u64 {
        self.ended.map_or(u64::MAX, |(_, number)| number)
    }

    fn is_shown(&self, now: Second) -> bool {
        self.is_listed && self.ended.is_some_and(|(at, _)| at > now.plus(-SHOWN_SECONDS))
    }
}

#[derive(Debug, Default)]
pub(super) struct Log {
    list: VecDeque<Delivery>,
    first_id: u64,
    ended: u64,
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

    pub(super) fn conclude(&mut self, id: u64, outcome: Outcome, now: Second) {
        self.ended += 1;
        let index = id.checked_sub(self.first_id).and_then(|index| usize::try_from(index).ok());
        if let Some(delivery) = index.and_then(|index| self.list.get_mut(index)) {
            delivery.outcome = outcome;
            delivery.concluded = Some(Instant::now());
            delivery.ended = Some((now, self.ended));
        }
    }

    /// What came of the latest attempt to deliver something to a hook.
    pub(super) fn latest(&self, hook: HookId) -> Option<Outcome> {
        let of_hook = self.list.iter().rev().filter(|delivery| delivery.hook == hook && delivery.is_listed);
        of_hook.map(|delivery| delivery.outcome).find(|outcome| *outcome != Outcome::Pending)
    }

    /// The newest deliveries that are wanted, the newest first, as GitHub shows them at `now`: those that ended
    /// within the last three days.
    pub(super) fn page(&self, wanted: Wanted, now: Second) -> Vec<Delivery> {
        let is_wanted = |delivery: &&Delivery| {
            delivery.hook == wanted.hook
                && wanted.before.is_none_or(|before| delivery.number() < before)
                && wanted.success.is_none_or(|success| delivery.outcome.is_success() == success)
        };
        let shown = self.list.iter().filter(|delivery| delivery.is_shown(now));
        let mut wanted_ones: Vec<&Delivery> = shown.filter(is_wanted).collect();
        wanted_ones.sort_unstable_by_key(|delivery| std::cmp::Reverse(delivery.number()));
        wanted_ones.into_iter().take(wanted.count_max).cloned().collect()
    }

    /// A delivery of a hook, if GitHub still shows it.
    pub(super) fn one(&self, hook: HookId, id: u64, now: Second) -> Option<Delivery> {
        let found = self.list.iter().find(|delivery| delivery.id == id && delivery.hook == hook);
        found.filter(|delivery| delivery.is_shown(now)).cloned()
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
