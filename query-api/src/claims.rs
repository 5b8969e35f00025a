//! Who does something that must not be done twice within a while.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Claims by key; each lasts a while, and so many are remembered at most.
pub(crate) struct Claims<K> {
    taken: Mutex<HashMap<K, Instant>>,
    lasts: Duration,
    claims_max: usize,
}

/// What a claim came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// It is to be done by whoever claimed it now.
    Now,
    /// Somebody claimed it a while ago.
    Already,
    /// Too much is claimed to remember more.
    Full,
}

impl<K: Eq + Hash> Claims<K> {
    pub(crate) fn new(lasts: Duration, claims_max: usize) -> Self {
        Claims { taken: Mutex::default(), lasts, claims_max }
    }

    pub(crate) fn take(&self, key: K) -> Claimed {
        let now = Instant::now();
        let mut taken = self.lock();
        if taken.get(&key).is_some_and(|at| now - *at < self.lasts) {
            return Claimed::Already;
        }
        if taken.len() >= self.claims_max {
            taken.retain(|_, at| now - *at < self.lasts);
            if taken.len() >= self.claims_max {
                return Claimed::Full;
            }
        }
        taken.insert(key, now);
        Claimed::Now
    }

    /// It was not done: somebody else may.
    pub(crate) fn release(&self, key: &K) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Instant>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_claim_lasts_its_while_and_memory_is_bounded() {
        let claims = Claims::new(Duration::from_secs(10), 2);
        assert_eq!(claims.take("a"), Claimed::Now);
        assert_eq!(claims.take("a"), Claimed::Already);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(claims.take("b"), Claimed::Now);
        assert_eq!(claims.take("c"), Claimed::Full);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(claims.take("c"), Claimed::Now, "the claim on a is over, and its place free");
        assert_eq!(claims.take("b"), Claimed::Already);
        claims.release(&"b");
        assert_eq!(claims.take("b"), Claimed::Now);
    }
}
