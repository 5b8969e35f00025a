//! States that were given out: each is good once, and for an hour.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// GitHub's codes last as long.
const LIFE: Duration = Duration::from_secs(60 * 60);
/// People who set something up at once; the oldest is forgotten first.
const HELD_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Tickets(VecDeque<(String, Instant)>);

impl Tickets {
    /// A new one, which nobody can guess.
    pub(super) fn give(&mut self, now: Instant) -> String {
        if self.0.len() == HELD_MAX {
            self.0.pop_front();
        }
        let state = const_hex::encode(rand::random::<[u8; 32]>());
        self.0.push_back((state.clone(), now));
        state
    }

    /// Whether it was given out and is still good; it is not afterwards.
    pub(super) fn take(&mut self, state: &str, now: Instant) -> bool {
        let Some(place) = self.0.iter().position(|(known, _)| known == state) else { return false };
        self.0.remove(place).is_some_and(|(_, given)| now.duration_since(given) < LIFE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_good_once_and_for_an_hour() {
        let now = Instant::now();
        let mut tickets = Tickets::default();
        let (one, other) = (tickets.give(now), tickets.give(now));
        assert!(one.len() == 64 && one != other);
        assert!(tickets.take(&one, now) && !tickets.take(&one, now) && !tickets.take("", now));
        assert!(!tickets.take(&other, now + LIFE));
        let first = tickets.give(now);
        for _ in 0..HELD_MAX {
            tickets.give(now);
        }
        assert!(!tickets.take(&first, now), "only so many are held");
    }
}
