//! Offsets on their way to the group: one commit at a time, the newest of each partition, tried again until it is
//! made or pointless.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::port::{LogError, Partition, Wait};

/// How long a caller waits for its commit at most; a coordinator that is being replaced takes a few seconds.
const CONFIRMED_WITHIN_MAX: Duration = Duration::from_secs(20);
/// How long to wait before a commit that failed is tried again: a rebalance takes about as long.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Tells that everything that was to be committed before is.
pub(super) type Confirmation = oneshot::Receiver<Result<(), LogError>>;

/// Offsets on their way.
#[derive(Default)]
pub(super) struct Offsets {
    waiting: BTreeMap<Partition, u64>,
    /// Who waits for what is waiting.
    callers: Vec<Caller>,
    sent: Option<Sent>,
    retry_at: Option<Instant>,
}

struct Sent {
    offsets: BTreeMap<Partition, u64>,
    callers: Vec<Caller>,
}

struct Caller {
    reply: oneshot::Sender<Result<(), LogError>>,
    deadline: Instant,
}

/// What became of a commit.
pub(super) enum Outcome {
    Made,
    /// It may be made later.
    Failed,
    /// The group has gone on without this member.
    Refused(String),
}

impl Offsets {
    /// Adds offsets; what was waiting for the same partitions is superseded.
    pub(super) fn add(&mut self, offsets: BTreeMap<Partition, u64>, wait: Wait) -> Option<Confirmation> {
        self.waiting.extend(offsets);
        if wait == Wait::No {
            return None;
        }
        let (reply, confirmation) = oneshot::channel();
        let caller = Caller { reply, deadline: Instant::now() + CONFIRMED_WITHIN_MAX };
        if self.is_idle() {
            // Everything is committed already. Who is gone needs no answer.
            let _ = caller.reply.send(Ok(()));
        } else if self.waiting.is_empty() {
            self.sent.as_mut().expect("it is not idle, so something was sent").callers.push(caller);
        } else {
            self.callers.push(caller);
        }
        Some(confirmation)
    }

    /// Nothing waits and nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_none()
    }

    /// What to send now, if it is time and nothing is on its way.
    pub(super) fn send(&mut self) -> Option<BTreeMap<Partition, u64>> {
        let now = Instant::now();
        self.give_up(now);
        if self.sent.is_some() || self.waiting.is_empty() || self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        let offsets = std::mem::take(&mut self.waiting);
        self.sent = Some(Sent { offsets: offsets.clone(), callers: std::mem::take(&mut self.callers) });
        Some(offsets)
    }

    /// What became of what was sent.
    pub(super) fn settle(&mut self, outcome: &Outcome) {
        let Some(sent) = self.sent.take() else { return };
        self.retry_at = None;
        match outcome {
            Outcome::Made => answer(sent.callers, || Ok(())),
            Outcome::Failed => {
                for (partition, offset) in sent.offsets {
                    self.waiting.entry(partition).or_insert(offset);
                }
                self.callers.extend(sent.callers);
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
            }
            Outcome::Refused(reason) => {
                answer(sent.callers, || Err(LogError::Retry(reason.clone())));
            }
        }
    }

    /// Drops what these partitions wait for; somebody else commits there now.
    pub(super) fn forget(&mut self, partitions: &[Partition]) {
        self.waiting.retain(|partition, _| !partitions.contains(partition));
        if let Some(sent) = &mut self.sent {
            // Should it fail, it is not tried again.
            sent.offsets.retain(|partition, _| !partitions.contains(partition));
        }
        if self.waiting.is_empty() && self.sent.is_none() {
            answer(std::mem::take(&mut self.callers), || Ok(()));
        }
    }

    /// Nothing more is committed.
    pub(super) fn fail(&mut self, reason: &str) {
        let sent = self.sent.take().map(|sent| sent.callers).unwrap_or_default();
        self.waiting.clear();
        let callers = std::mem::take(&mut self.callers);
        answer(callers.into_iter().chain(sent), || Err(LogError::Stop(reason.to_owned())));
    }

    /// Answers those who have waited long enough; the offsets stay on their way.
    fn give_up(&mut self, now: Instant) {
        let sent = self.sent.as_mut().map(|sent| &mut sent.callers);
        for callers in [Some(&mut self.callers), sent].into_iter().flatten() {
            let late = callers.extract_if(.., |caller| caller.deadline <= now).collect::<Vec<_>>();
            answer(late, || {
                Err(LogError::Retry(format!(
                    "the offsets were not committed within {CONFIRMED_WITHIN_MAX:?}"
                )))
            });
        }
    }
}

fn answer(callers: impl IntoIterator<Item = Caller>, outcome: impl Fn() -> Result<(), LogError>) {
    for caller in callers {
        // Who stopped waiting needs no answer.
        let _ = caller.reply.send(outcome());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(of: &[(u32, u64)]) -> BTreeMap<Partition, u64> {
        of.iter().map(|(partition, offset)| (Partition(*partition), *offset)).collect()
    }

    #[test]
    fn one_commit_is_on_its_way_and_the_newest_offsets_wait() {
        let mut way = Offsets::default();
        way.add(offsets(&[(0, 1)]), Wait::No);
        assert_eq!(way.send(), Some(offsets(&[(0, 1)])));
        way.add(offsets(&[(0, 2), (1, 1)]), Wait::No);
        way.add(offsets(&[(0, 3)]), Wait::No);
        assert_eq!(way.send(), None, "a second one could overtake the first");
        way.settle(&Outcome::Made);
        assert_eq!(way.send(), Some(offsets(&[(0, 3), (1, 1)])));
        way.settle(&Outcome::Made);
        assert!(way.is_idle());
    }

    #[test]
    fn what_failed_is_tried_again_without_going_back() {
        let mut way = Offsets::default();
        let mut waiter = way.add(offsets(&[(0, 5), (1, 5)]), Wait::Durable).unwrap();
        way.send();
        way.add(offsets(&[(0, 9)]), Wait::No);
        way.settle(&Outcome::Failed);
        assert!(waiter.try_recv().is_err(), "it was told to be made");
        way.retry_at = None;
        assert_eq!(way.send(), Some(offsets(&[(0, 9), (1, 5)])));
        way.settle(&Outcome::Made);
        assert!(matches!(waiter.try_recv(), Ok(Ok(()))));
    }

    #[test]
    fn a_waiter_waits_for_what_is_on_its_way_too() {
        let mut way = Offsets::default();
        way.add(offsets(&[(0, 5)]), Wait::No);
        way.send();
        let mut waiter = way.add(BTreeMap::new(), Wait::Durable).unwrap();
        assert!(waiter.try_recv().is_err(), "nothing is confirmed yet");
        way.settle(&Outcome::Made);
        assert!(matches!(waiter.try_recv(), Ok(Ok(()))));
        assert!(matches!(way.add(BTreeMap::new(), Wait::Durable).unwrap().try_recv(), Ok(Ok(()))));
    }

    #[test]
    fn a_refused_commit_is_told_and_a_lost_partition_is_not_tried_again() {
        let mut way = Offsets::default();
        let mut waiter = way.add(offsets(&[(0, 5)]), Wait::Durable).unwrap();
        way.send();
        way.settle(&Outcome::Refused("fenced".to_owned()));
        assert!(matches!(waiter.try_recv(), Ok(Err(LogError::Retry(_)))));
        way.add(offsets(&[(0, 6), (1, 6)]), Wait::No);
        way.send();
        way.forget(&[Partition(0)]);
        way.settle(&Outcome::Failed);
        way.retry_at = None;
        assert_eq!(way.send(), Some(offsets(&[(1, 6)])));
    }
}
