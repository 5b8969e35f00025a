//! Hints between the parts of one process: a bounded ring that publishers never wait for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Follower, Heard, Hint, Hints, Positions};

/// Batches that a follower may be behind before it misses some. A follower only marks or replaces
/// copies, so this many are behind it only when it is stuck; then looking at everything again is right.
const BATCHES_MAX: usize = 256;

/// Bytes of values that a batch may hand over; values of larger batches are left out and read from the
/// store by whoever wants them. Together with [`BATCHES_MAX`] it bounds what a stuck follower keeps in
/// memory to 64 MiB.
const BATCH_VALUE_BYTES_MAX: usize = 256 * 1024;

/// Hints for followers in this process. Every follower hears every batch, as one shared copy.
///
/// Followers hear the end when the last owner of this is gone.
#[derive(Debug)]
pub struct InProcessHints {
    batches: broadcast::Sender<Heard>,
    folded: Folded,
}

/// How far each partition is folded.
#[derive(Debug, Clone, Default)]
struct Folded(Arc<Mutex<Positions>>);

impl Folded {
    fn lock(&self) -> MutexGuard<'_, Positions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InProcessHints {
    /// Without followers, hints go nowhere.
    pub fn new() -> Self {
        InProcessHints { batches: broadcast::Sender::new(BATCHES_MAX), folded: Folded::default() }
    }

    /// Tells all followers that hints were lost on their way to this process.
    #[cfg(feature = "kafka")]
    pub(super) fn tell_missed(&self) {
        // It fails when nobody follows.
        let _ = self.batches.send(Heard::Missed);
    }
}

impl Default for InProcessHints {
    fn default() -> Self {
        Self::new()
    }
}

impl Hints for InProcessHints {
    fn publish(&self, mut hints: Vec<Hint>) {
        if hints.is_empty() {
            return;
        }
        if hints.iter().map(value_bytes).sum::<usize>() > BATCH_VALUE_BYTES_MAX {
            hints.iter_mut().for_each(leave_value_out);
        }
        let mut folded = self.folded.lock();
        for hint in &hints {
            if let Hint::Folded { partition, version } = hint {
                folded.note(*partition, *version);
            }
        }
        // It fails when nobody follows.
        let _ = self.batches.send(Heard::Hints(Arc::new(hints)));
    }

    fn follow(&self) -> Box<dyn Follower> {
        Box::new(InProcessFollower { batches: self.batches.subscribe(), folded: self.folded.clone() })
    }
}

fn value_bytes(hint: &Hint) -> usize {
    match hint {
        Hint::Row { value, .. } => value.as_ref().map_or(0, Bytes::len),
        Hint::Folded { .. } => 0,
    }
}

fn leave_value_out(hint: &mut Hint) {
    if let Hint::Row { value, .. } = hint {
        *value = None;
    }
}

struct InProcessFollower {
    batches: broadcast::Receiver<Heard>,
    folded: Folded,
}

#[async_trait]
impl Follower for InProcessFollower {
    async fn next(&mut self) -> Option<Heard> {
        match self.batches.recv().await {
            Ok(heard) => Some(heard),
            Err(RecvError::Lagged(_)) => Some(Heard::Missed),
            Err(RecvError::Closed) => None,
        }
    }

    fn folded(&self) -> Positions {
        self.folded.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use domain::{Epoch, RowKey, Version};

    use super::*;

    fn folded(offset: u64) -> Hint {
        Hint::Folded { partition: 0, version: Version::new(Epoch::FIRST, offset) }
    }

    fn row(value_bytes: usize) -> Hint {
        Hint::Row {
            key: RowKey::Seen(0),
            version: Version::LEAST,
            value: Some(Bytes::from(vec![7; value_bytes])),
        }
    }

    async fn next_batch(follower: &mut Box<dyn Follower>) -> Arc<Vec<Hint>> {
        match follower.next().await {
            Some(Heard::Hints(batch)) => batch,
            other => panic!("expected hints, heard {other:?}"),
        }
    }

    fn offsets(batch: &[Hint]) -> Vec<u64> {
        batch
            .iter()
            .map(|hint| match hint {
                Hint::Folded { version, .. } | Hint::Row { version, .. } => version.offset(),
            })
            .collect()
    }

    #[tokio::test]
    async fn every_follower_hears_what_was_published_after_it_began_in_order_and_shared() {
        let hints = InProcessHints::new();
        hints.publish(vec![folded(0)]);
        let mut early = hints.follow();
        hints.publish(vec![folded(1), folded(2)]);
        let mut late = hints.follow();
        hints.publish(vec![]);
        hints.publish(vec![folded(3)]);

        assert_eq!(offsets(&next_batch(&mut early).await), [1, 2]);
        let (one, other) = (next_batch(&mut early).await, next_batch(&mut late).await);
        assert_eq!(offsets(&one), [3]);
        assert!(Arc::ptr_eq(&one, &other), "a batch is not copied for each follower");
    }

    #[tokio::test]
    async fn a_follower_that_lags_is_told_once_and_goes_on_with_what_is_kept() {
        let hints = InProcessHints::new();
        let mut slow = hints.follow();
        let published = BATCHES_MAX as u64 + 10;
        for offset in 0..published {
            hints.publish(vec![folded(offset)]);
        }
        assert!(matches!(slow.next().await, Some(Heard::Missed)));
        let last = Version::new(Epoch::FIRST, published - 1);
        assert_eq!(slow.folded(), Positions::from_iter([(0, last)]), "nobody waits for what was missed");
        for offset in published - BATCHES_MAX as u64..published {
            assert_eq!(offsets(&next_batch(&mut slow).await), [offset]);
        }
    }

    #[tokio::test]
    async fn values_of_a_large_batch_are_left_out_and_the_rest_of_it_is_heard() {
        let hints = InProcessHints::new();
        let mut follower = hints.follow();
        hints.publish(vec![row(BATCH_VALUE_BYTES_MAX), folded(1)]);
        hints.publish(vec![row(BATCH_VALUE_BYTES_MAX), folded(1), row(1)]);

        let has_values = |batch: &[Hint]| -> Vec<bool> {
            batch.iter().map(|hint| matches!(hint, Hint::Row { value: Some(_), .. })).collect()
        };
        assert_eq!(has_values(&next_batch(&mut follower).await), [true, false]);
        assert_eq!(has_values(&next_batch(&mut follower).await), [false, false, false]);
    }

    #[tokio::test]
    async fn a_follower_hears_the_rest_and_then_the_end() {
        let hints = InProcessHints::new();
        let mut follower = hints.follow();
        hints.publish(vec![folded(1)]);
        drop(hints);
        assert_eq!(offsets(&next_batch(&mut follower).await), [1]);
        assert!(follower.next().await.is_none());
    }
}
