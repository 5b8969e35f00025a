//! Word of changes of what readers see: of each partition from those who fold the generation that it shows.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use futures::future::select_all;
use tokio::sync::watch;

use super::Shared;
use crate::{Follower, Heard, Hint, Hints, Positions};

pub(super) struct ServedHints(Arc<Shared>);

impl ServedHints {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        ServedHints(shared)
    }
}

impl Hints for ServedHints {
    fn publish(&self, hints: Vec<Hint>) {
        self.0.own.hints.publish(hints);
    }

    fn follow(&self) -> Box<dyn Follower> {
        let generations = self.0.older.iter().chain([&self.0.own]);
        // Those first, so that nothing of theirs is missed between the two.
        let followers =
            generations.map(|generation| (generation.number, generation.hints.follow())).collect();
        let changes = self.0.shown.subscribe();
        Box::new(ServedFollower { shared: Arc::clone(&self.0), followers, changes, is_last: self.0.is_own() })
    }
}

struct ServedFollower {
    shared: Arc<Shared>,
    /// By generation.
    followers: Vec<(u32, Box<dyn Follower>)>,
    changes: watch::Receiver<Vec<Option<u32>>>,
    /// The last change was told: whoever asks for more has taken it in.
    is_last: bool,
}

impl ServedFollower {
    /// What of these is about what readers see.
    fn seen(&self, number: u32, hints: Arc<Vec<Hint>>) -> Option<Arc<Vec<Hint>>> {
        let is_seen = |hint: &&Hint| {
            let partition = match hint {
                Hint::Row { key, .. } => key.stream().map(|stream| (self.shared.partitions.of)(stream)),
                Hint::Folded { partition, .. } => Some(*partition),
            };
            partition.is_none_or(|partition| self.shared.number_of(partition) == number)
        };
        if hints.iter().all(|hint| is_seen(&hint)) {
            return Some(hints);
        }
        let seen: Vec<Hint> = hints.iter().filter(is_seen).cloned().collect();
        (!seen.is_empty()).then(|| Arc::new(seen))
    }
}

#[async_trait]
impl Follower for ServedFollower {
    async fn next(&mut self) -> Option<Heard> {
        if self.is_last {
            self.shared.shows_older.store(false, Ordering::Relaxed);
            // Nobody needs to hear of the others any more.
            self.followers.retain(|(number, _)| *number == self.shared.own.number);
        }
        loop {
            let heard = select_all(
                self.followers
                    .iter_mut()
                    .map(|(number, follower)| Box::pin(async move { (*number, follower.next().await) })),
            );
            let (number, heard) = tokio::select! {
                biased;
                Ok(()) = self.changes.changed() => {
                    self.is_last = self.shared.is_own();
                    return Some(Heard::Missed);
                }
                (heard, _, _) = heard => heard,
            };
            match heard {
                Some(Heard::Hints(hints)) => {
                    if let Some(seen) = self.seen(number, hints) {
                        return Some(Heard::Hints(seen));
                    }
                }
                Some(Heard::Missed) => return Some(Heard::Missed),
                None if number == self.shared.own.number => return None,
                None => self.followers.retain(|(other, _)| *other != number),
            }
        }
    }

    fn folded(&self) -> Positions {
        let all = self.followers.iter().flat_map(|(number, follower)| {
            let folded = follower.folded().into_iter();
            folded.filter(|(partition, _)| self.shared.number_of(*partition) == *number)
        });
        all.collect()
    }
}
