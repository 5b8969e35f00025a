//! When the newest public repositories are asked for.

use std::time::Duration;

use domain::Millis;

/// The next round; pure, with the time as an argument.
#[derive(Debug)]
pub(crate) struct Poll {
    every_ms: Option<i64>,
    due: Millis,
}

impl Poll {
    /// Every so often, and now; `None`: never.
    pub(crate) fn new(every: Option<Duration>) -> Self {
        let every_ms = every.map(|every| i64::try_from(every.as_millis()).unwrap_or(i64::MAX));
        Poll { every_ms, due: Millis(0) }
    }

    /// Whether a round is to begin.
    pub(crate) fn next(&mut self, now: Millis) -> bool {
        let Some(every_ms) = self.every_ms else { return false };
        // A clock that was set back must not end the polls.
        let is_due = self.due <= now || self.due > now.plus(every_ms);
        if is_due {
            self.due = now.plus(every_ms);
        }
        is_due
    }

    /// When to look again.
    pub(crate) fn next_at(&self) -> Option<Millis> {
        self.every_ms.map(|_| self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_begins_at_once_and_then_every_so_often() {
        let mut poll = Poll::new(Some(Duration::from_secs(60)));
        assert!(poll.next(Millis(5)));
        assert!(!poll.next(Millis(60_000)));
        assert_eq!(poll.next_at(), Some(Millis(60_005)));
        assert!(poll.next(Millis(60_005)));
        assert!(poll.next(Millis(1)), "the clock was set back");
        let mut never = Poll::new(None);
        assert!(!never.next(Millis(1)) && never.next_at().is_none());
    }
}
